# Row 17: names that are special (RFC 6761, 6762, 6303, 2317).

scenario localhost and what is below it are this machine, and leave for nowhere (RFC 6761 6.3)
query 1 localhost. A
query 2 LocalHost. AAAA
query 3 api.localhost. A
query 4 localhost. MX
expect answer 1 noerror aa @ * A 127.0.0.1
expect answer 2 noerror @ * AAAA ::1
expect answer 3 noerror @ * A 127.0.0.1
expect answer 4 noerror none / localhost. * SOA *
expect nothing asked

scenario invalid does not exist (RFC 6761 6.4)
query 1 invalid. A
query 2 www.invalid. A
expect answer 1 noerror none / invalid. * SOA *
expect answer 2 nxdomain none / invalid. * SOA *
expect nothing asked

scenario names that only look like special ones are the upstreams'
query 1 notlocalhost. A
query 2 localhost.example. A
query 3 cluster.local.example. A
query 4 mycluster.local. A
expect upstream 1 asked notlocalhost. A
expect upstream 1 asked localhost.example. A
expect upstream 1 asked cluster.local.example. A
expect upstream 1 asked mycluster.local. A

scenario .local outside of the cluster's domain goes to the original upstream: no mDNS here (RFC 6762 section 3, row 17)
query 1 printer.local. A
expect upstream 1 asked printer.local. A
query 2 local. SOA
expect upstream 1 asked local. SOA

scenario of the reverse zones only the cluster's networks are ours, not all of 10.in-addr.arpa (row 17)
query 1 10.0.43.10.in-addr.arpa. PTR
expect answer 1 nxdomain none / 43.10.in-addr.arpa. * SOA *
query 2 5.1.42.10.in-addr.arpa. PTR
expect answer 2 nxdomain none / 42.10.in-addr.arpa. * SOA *
query 3 43.10.in-addr.arpa. SOA
expect answer 3 noerror
expect nothing asked
query 4 1.0.44.10.in-addr.arpa. PTR
expect upstream 1 asked 1.0.44.10.in-addr.arpa. PTR
query 5 10.in-addr.arpa. NS
expect upstream 1 asked 10.in-addr.arpa. NS
query 6 1.0.0.127.in-addr.arpa. PTR
expect upstream 1 asked 1.0.0.127.in-addr.arpa. PTR
query 7 1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. PTR
expect upstream 1 asked 1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. PTR

scenario names in a reverse zone that are no addresses belong to it if their tail does (RFC 2317)
query 1 1.0/25.0.43.10.in-addr.arpa. PTR
expect answer 1 nxdomain
query 2 x.43.10.in-addr.arpa. PTR
expect answer 2 nxdomain
query 3 256.43.10.in-addr.arpa. PTR
expect answer 3 nxdomain
query 4 1.2.3.4.43.10.in-addr.arpa. PTR
expect answer 4 nxdomain
expect nothing asked
