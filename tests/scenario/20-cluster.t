# dns.md 3.3: what becomes of the cluster's names while it starts, is up, silent, away, and comes back.

scenario away: NXDOMAIN with an SOA of a few seconds, without a packet; names outside are untouched (G6)
query 1 web.default.svc.cluster.local. A
query 2 web.default.svc.cluster.local. SRV
query 3 anything.cluster.local. TXT
query 4 cluster.local. A
query 5 5.0.43.10.in-addr.arpa. PTR
expect answer 1 nxdomain aa ttl<=5 none / cluster.local. * SOA *
expect answer 2 nxdomain ttl<=5 none / cluster.local. * SOA *
expect answer 3 nxdomain ttl<=5 none / cluster.local. * SOA *
expect answer 4 noerror ttl<=5 none / cluster.local. * SOA *
expect answer 5 nxdomain ttl<=5 none / 43.10.in-addr.arpa. * SOA *
expect nothing asked
query 6 www.example. A
expect upstream 1 asked www.example. A

scenario the six names that ndots:5 makes of one are answered from memory while the cluster is away (G6)
query 1 www.example.default.svc.cluster.local. A
query 2 www.example.default.svc.cluster.local. AAAA
query 3 www.example.svc.cluster.local. A
query 4 www.example.svc.cluster.local. AAAA
query 5 www.example.cluster.local. A
query 6 www.example.cluster.local. AAAA
expect answer 1-6 nxdomain
expect nothing asked

scenario starting: a way there is not enough; its DNS must have answered
cluster routed
expect cluster is silent
query 1 web.default.svc.cluster.local. A
expect answer 1 nxdomain
expect cluster not asked
cluster alive
advance 1300ms
expect cluster is up
query 2 web.default.svc.cluster.local. A
expect cluster asked web.default.svc.cluster.local. A
cluster answers noerror aa @ 5 A 10.43.0.80
expect answer 2 noerror aa @ 5 A 10.43.0.80

scenario up: its answers are passed on, and nothing of them is kept
cluster up
query 1 web.default.svc.cluster.local. A
cluster answers noerror aa @ 30 A 10.43.0.80
expect answer 1 noerror @ 30 A 10.43.0.80
query 2 web.default.svc.cluster.local. A
expect cluster asked web.default.svc.cluster.local. A
cluster answers nxdomain aa / cluster.local. 30 SOA 30
expect answer 2 nxdomain
query 3 web.default.svc.cluster.local. A
expect cluster asked web.default.svc.cluster.local. A

scenario it falls silent: an answer by 3 s, then at once, and two failures of the probe make it known
cluster up
cluster silent
query 1 web.default.svc.cluster.local. A
expect cluster asked web.default.svc.cluster.local. A
advance 2990ms
advance 20ms
expect answer 1 nxdomain
expect cluster is silent
query 2 web.default.svc.cluster.local. A
expect answer 2 nxdomain
expect cluster not asked
query 3 www.example. A
expect upstream 1 asked www.example. A

scenario one lost packet does not make it silent
cluster up
query 1 web.default.svc.cluster.local. A
expect cluster asked web.default.svc.cluster.local. A
advance 1100ms
expect cluster is up
cluster answers noerror @ 5 A 10.43.0.80
expect answer 1 noerror
advance 10s
expect cluster is up

scenario a route that goes answers what is under way at once (G7)
cluster up
query 1 web.default.svc.cluster.local. A
query 2 other.default.svc.cluster.local. A tcp
query 3 www.example. A
cluster away
expect answer 1 nxdomain
expect answer 2 nxdomain
expect no answer 3
expect waiting 1

scenario while it is away nothing is sent there, not even a probe
cluster up
cluster silent
cluster away
advance 60s
expect cluster not asked

scenario it comes back within a second, and what was absent is asked again (G7)
cluster up
cluster silent
query 1 web.default.svc.cluster.local. A
advance 3s
expect answer 1 nxdomain
cluster alive
advance 1s
expect cluster is up
query 2 web.default.svc.cluster.local. A
expect cluster asked web.default.svc.cluster.local. A

scenario the API server alone lost: its DNS is probed, answers, and stays up
cluster up
api connected
api lost
advance 10s
expect cluster is up

scenario SERVFAIL of the cluster's DNS is passed on: it is not synced yet
cluster up
query 1 web.default.svc.cluster.local. A
cluster answers servfail
expect answer 1 servfail

scenario a cluster that refuses the port: NXDOMAIN at once, and it is doubted
cluster up
cluster silent
query 1 web.default.svc.cluster.local. A
cluster refused
expect answer 1 nxdomain
advance 2100ms
expect cluster is silent

scenario a name outside is never asked of the cluster, up or not
cluster up
query 1 www.example. A
query 2 kubernetes.default. A
query 3 cluster.local.example. A
expect cluster not asked
expect upstream 1 asked www.example. A

scenario another cluster domain is as good
config cluster_domain k8s.example
cluster up
query 1 web.default.svc.k8s.example. A
expect cluster asked web.default.svc.k8s.example. A
query 2 web.default.svc.cluster.local. A
expect upstream 1 asked web.default.svc.cluster.local. A
