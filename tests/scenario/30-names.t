# The cluster's names from memory (agent/zone, agent/names); equality with CoreDNS is tests/unit/agent/test_names' and e2e's.
# The first lines are played in every scenario.
coredns
namespace default
namespace shop
namespace kube-system
service default/kubernetes 10.43.0.1 https:443/tcp
service default/web 10.43.0.80 http:80/tcp
service kube-system/kube-dns 10.43.0.10 dns:53/udp
service shop/dual 10.43.0.90,fd43::90 http:80/tcp
service shop/db headless sql:5432/tcp
service shop/outside external www.example
service shop/inside external web.default.svc.cluster.local
endpoints default/web 10.42.0.8
endpoints shop/db 10.42.0.5 host db-0 10.42.1.6 host db-1 10.42.1.7 not-ready
synced
api connected
cluster up

scenario a name that exists is answered from memory, without a packet
query 1 web.default.svc.cluster.local. A
expect answer 1 noerror aa ttl<=5 @ 5 A 10.43.0.80
query 2 dual.shop.svc.cluster.local. AAAA
expect answer 2 noerror @ 5 AAAA fd43::90
query 3 WEB.Default.SVC.cluster.LOCAL. A
expect answer 3 noerror @ 5 A 10.43.0.80
query 4 db.shop.svc.cluster.local. A
expect answer 4 noerror @ 5 A 10.42.0.5, @ 5 A 10.42.1.6
query 5 db-1.db.shop.svc.cluster.local. A
expect answer 5 noerror @ 5 A 10.42.1.6
query 6 _http._tcp.web.default.svc.cluster.local. SRV
expect answer 6 noerror @ 5 SRV 0 100 80 web.default.svc.cluster.local.
query 7 80.0.43.10.in-addr.arpa. PTR
expect answer 7 noerror @ 5 PTR web.default.svc.cluster.local.
query 8 inside.shop.svc.cluster.local. A
expect answer 8 noerror @ 5 CNAME web.default.svc.cluster.local., web.default.svc.cluster.local. 5 A 10.43.0.80
query 9 10-42-0-8.default.pod.cluster.local. A
expect answer 9 noerror @ 5 A 10.42.0.8
query 10 dns-version.cluster.local. TXT
expect answer 10 noerror @ * TXT 1.1.0
expect nothing asked

scenario what a name has not is NODATA, never NXDOMAIN: AAAA, HTTPS, SVCB, ANY, types that nobody knows (rows 13, 14, 20)
query 1 web.default.svc.cluster.local. AAAA
query 2 web.default.svc.cluster.local. HTTPS
query 3 web.default.svc.cluster.local. SVCB
query 4 web.default.svc.cluster.local. ANY
query 5 web.default.svc.cluster.local. TYPE65280
query 6 web.default.svc.cluster.local. MX
expect answer 1-6 noerror aa ttl<=5 none / cluster.local. * SOA 5
expect nothing asked

scenario a name that provably does not exist is NXDOMAIN from memory: no such service, no such namespace
query 1 nothing.default.svc.cluster.local. A
query 2 web.nowhere.svc.cluster.local. AAAA
query 3 www.example.default.svc.cluster.local. A
query 4 www.example.svc.cluster.local. A
query 5 www.example.cluster.local. A
expect answer 1-5 nxdomain aa ttl<=5 none / cluster.local. * SOA 5
expect nothing asked

scenario what may be CoreDNS's own is asked of it while it is up: its Corefile is not known
coredns none
query 1 nothing.default.svc.cluster.local. A
expect cluster asked nothing.default.svc.cluster.local. A
cluster answers nxdomain aa / cluster.local. 30 SOA 30
expect answer 1 nxdomain
query 2 web.default.svc.cluster.local. A
expect answer 2 noerror @ 5 A 10.43.0.80
expect nothing asked

scenario so are names that its Corefile has, and the zones that it forwards; while it is away they do not exist
coredns owns corp.example forward corp.example 10.0.0.53
query 1 www.corp.example. A
expect cluster asked www.corp.example. A
cluster answers noerror @ 30 A 10.0.0.7
expect answer 1 noerror @ 30 A 10.0.0.7
query 2 www.example. A
expect upstream 1 asked www.example. A
cluster away
query 3 www.corp.example. A
expect answer 3 nxdomain
expect nothing asked

scenario a rewrite by pattern makes every name CoreDNS's to say
coredns owns rewritten.example rewrite name regex (.*)\.x\.cluster\.local {1}.default.svc.cluster.local
query 1 web.default.svc.cluster.local. A
expect cluster asked web.default.svc.cluster.local. A

scenario without the watches what is missing in memory may be new: CoreDNS is asked, and what it says passes through
delete namespace default
api lost
query 1 web.default.svc.cluster.local. A
expect cluster asked web.default.svc.cluster.local. A
cluster answers noerror aa @ 30 A 10.43.0.80
expect answer 1 noerror aa @ 30 A 10.43.0.80

scenario a change is said at once: deleted, made anew with another address
delete service default/web
query 1 web.default.svc.cluster.local. A
expect answer 1 nxdomain
service default/web 10.43.0.81 http:80/tcp
query 2 web.default.svc.cluster.local. A
expect answer 2 noerror @ 5 A 10.43.0.81
expect nothing asked
query 3 80.0.43.10.in-addr.arpa. PTR
expect cluster asked 80.0.43.10.in-addr.arpa. PTR
cluster answers nxdomain
expect answer 3 nxdomain

scenario a headless service whose endpoints go has no name, as CoreDNS says
endpoints shop/db 10.42.0.5 not-ready
query 1 db.shop.svc.cluster.local. A
expect answer 1 nxdomain

scenario many endpoints: what fits over UDP, all over TCP (row 3)
endpoints shop/db 10.42.2.1 10.42.2.2 10.42.2.3 10.42.2.4 10.42.2.5 10.42.2.6 10.42.2.7 10.42.2.8 10.42.2.9 10.42.2.10 10.42.2.11 10.42.2.12 10.42.2.13 10.42.2.14 10.42.2.15 10.42.2.16 10.42.2.17 10.42.2.18 10.42.2.19 10.42.2.20 10.42.2.21 10.42.2.22 10.42.2.23 10.42.2.24 10.42.2.25 10.42.2.26 10.42.2.27 10.42.2.28 10.42.2.29 10.42.2.30 10.42.2.31 10.42.2.32 10.42.2.33 10.42.2.34 10.42.2.35 10.42.2.36 10.42.2.37 10.42.2.38 10.42.2.39 10.42.2.40
query 1 db.shop.svc.cluster.local. A
expect answer 1 noerror tc size<=512
query 2 db.shop.svc.cluster.local. A edns 1232
expect answer 2 noerror !tc records 40
query 3 db.shop.svc.cluster.local. A tcp
expect answer 3 noerror !tc records 40

# Short forms, without a search list. That a search list makes of them full names is the clients'.

scenario svc, svc.ns, svc.ns.svc are the cluster's where they exist, and from memory
query 1 web. A
query 2 web.default. A
query 3 web.default.svc. A
query 4 WEB.Default. A
expect answer 1-4 noerror aa @ 5 A 10.43.0.80
query 5 _http._tcp.web.default.svc. SRV
expect answer 5 noerror @ 5 SRV 0 100 80 web.default.svc.cluster.local.
query 6 db-0.db.shop.svc. A
expect answer 6 noerror @ 5 A 10.42.0.5
query 7 web. AAAA
expect answer 7 noerror none
expect nothing asked

scenario what is not a service's short name is a name outside, even if it looks alike
query 1 db. A
query 2 nothing.default. A
query 3 example.nowhere. A
query 4 web.default.example. A
expect upstream 1 asked db. A
expect upstream 1 asked nothing.default. A
expect upstream 1 asked example.nowhere. A
expect upstream 1 asked web.default.example. A
expect cluster not asked

scenario below NS.svc every name is the cluster's, also one that does not exist: it does not leave
query 1 nothing.default.svc. A
expect answer 1 nxdomain
expect nothing asked

scenario another namespace is ours if the configuration says so
config namespace shop
query 1 db. A
expect answer 1 noerror @ 5 A 10.42.0.5, @ 5 A 10.42.1.6
query 2 web. A
expect upstream 1 asked web. A

# ExternalName.

scenario an ExternalName outside: CoreDNS is asked while it is up, as a pod does
query 1 outside.shop.svc.cluster.local. A
expect cluster asked outside.shop.svc.cluster.local. A
cluster answers noerror aa @ 5 CNAME www.example., www.example. 30 A 192.0.2.80
expect answer 1 noerror @ 5 CNAME www.example., www.example. 30 A 192.0.2.80

scenario its short form, and all of it while CoreDNS is silent: the CNAME from memory, its end from the upstreams, then from the cache
query 1 outside.shop. A
expect upstream 1 asked www.example. A
upstream 1 answers noerror @ 60 CNAME cdn.example., cdn.example. 20 A 192.0.2.80
expect answer 1 noerror @ 5 CNAME www.example., www.example. 60 CNAME cdn.example., cdn.example. 20 A 192.0.2.80
query 2 OUTSIDE.shop. A edns 1232
expect answer 2 noerror edns @ 5 CNAME www.example., www.example. * CNAME cdn.example., cdn.example. * A 192.0.2.80
cluster silent
cluster away
query 3 outside.shop.svc.cluster.local. A
expect answer 3 noerror @ 5 CNAME www.example., www.example. * CNAME cdn.example., cdn.example. * A 192.0.2.80
expect nothing asked

scenario an ExternalName whose end does not exist, or fails, says so (RFC 6604)
query 1 outside.shop. A
upstream 1 answers nxdomain / example. 60 SOA 60
expect answer 1 nxdomain @ 5 CNAME www.example.
query 2 outside.shop. AAAA
upstream 1 answers servfail
upstream 2 answers servfail
expect answer 2 servfail
query 3 outside.shop. AAAA
expect answer 3 servfail
expect waiting 0

scenario two who ask for the same end, one by the ExternalName, are one question with two answers
query 1 www.example. A
query 2 outside.shop. A
expect upstream 1 asked www.example. A
expect nothing asked
upstream 1 answers noerror @ 60 A 192.0.2.80
expect answer 1 noerror @ 60 A 192.0.2.80
expect answer 2 noerror @ 5 CNAME www.example., www.example. 60 A 192.0.2.80

scenario an ExternalName that leads to a name of CoreDNS's own is asked of CoreDNS, and of nobody while it is away
coredns owns corp.example forward corp.example 10.0.0.53
service shop/own external db.corp.example
query 1 own.shop. A
expect cluster asked db.corp.example. A
cluster answers noerror @ 30 A 10.0.0.7
expect answer 1 noerror @ 5 CNAME db.corp.example., db.corp.example. 30 A 10.0.0.7
cluster away
query 2 own.shop. A
expect answer 2 nxdomain
expect nothing asked

scenario an ExternalName that leads to a special name ends here (RFC 6761)
service shop/me external localhost
service shop/none external www.invalid
query 1 me.shop. A
query 2 none.shop. A
expect answer 1 noerror @ 5 CNAME localhost., localhost. * A 127.0.0.1
expect answer 2 nxdomain @ 5 CNAME www.invalid.
expect nothing asked

scenario a CNAME question for an ExternalName needs nobody
query 1 outside.shop.svc.cluster.local. CNAME
expect answer 1 noerror @ 5 CNAME www.example.
expect nothing asked

# dns.md 3.3 with memory.

scenario CoreDNS silent, the API server there: names are said from memory, and others do not exist, without waiting
cluster silent
api lost
advance 4s
expect cluster is silent
api connected
query 1 web.default.svc.cluster.local. A
expect answer 1 noerror @ 5 A 10.43.0.80
query 2 nothing.default.svc.cluster.local. A
expect answer 2 nxdomain
expect cluster not asked

scenario the API server lost, CoreDNS up: known names from memory, others asked of CoreDNS
api lost
query 1 web.default.svc.cluster.local. A
expect answer 1 noerror @ 5 A 10.43.0.80
query 2 new.default.svc.cluster.local. A
expect cluster asked new.default.svc.cluster.local. A
cluster answers noerror aa @ 30 A 10.43.0.99
expect answer 2 noerror aa @ 30 A 10.43.0.99

scenario the API server lost for long, CoreDNS up: it knows better
config stale 30
api lost
advance 29s
query 1 web.default.svc.cluster.local. A
expect answer 1 noerror @ 5 A 10.43.0.80
advance 2s
query 2 web.default.svc.cluster.local. A
expect cluster asked web.default.svc.cluster.local. A
cluster answers noerror aa @ 30 A 10.43.0.81
expect answer 2 noerror aa @ 30 A 10.43.0.81
query 3 web.default. A
expect answer 3 noerror @ 5 A 10.43.0.80
api connected
query 4 web.default.svc.cluster.local. A
expect answer 4 noerror @ 5 A 10.43.0.80

scenario both lost: what was known is said for a while with a short TTL, then it is not there; names outside are untouched
config stale 30
api lost
cluster away
query 1 web.default.svc.cluster.local. A
expect answer 1 noerror ttl<=5 @ 5 A 10.43.0.80
query 2 nothing.default.svc.cluster.local. A
expect answer 2 nxdomain ttl<=5
advance 29s
query 3 web.default.svc.cluster.local. A
expect answer 3 noerror @ 5 A 10.43.0.80
advance 2s
query 4 web.default.svc.cluster.local. A
expect answer 4 nxdomain ttl<=5
query 5 web. A
expect upstream 1 asked web. A
query 6 www.example. A
expect upstream 1 asked www.example. A
expect cluster not asked

scenario stale 0: nothing is said of a cluster that is gone
config stale 0
api lost
cluster away
query 1 web.default.svc.cluster.local. A
expect answer 1 nxdomain

scenario it comes back: its names are there at once
config stale 0
api lost
cluster away
query 1 web.default.svc.cluster.local. A
expect answer 1 nxdomain
api connected
cluster up
query 2 web.default.svc.cluster.local. A
expect answer 2 noerror @ 5 A 10.43.0.80
