# Row 12: how long answers live (RFC 2181 section 8, RFC 1035).

scenario TTLs are counted down
query 1 www.example. A
upstream 1 answers noerror @ 60 A 192.0.2.80
advance 25s
query 2 www.example. A
expect answer 2 noerror @ 35 A 192.0.2.80
advance 34s
query 3 www.example. A
expect answer 3 noerror @ 1 A 192.0.2.80
expect nothing asked
advance 2s
query 4 www.example. A
expect upstream 1 asked www.example. A

scenario an answer lives as long as the shortest of its records, in whatever section
query 1 www.example. A
upstream 1 answers noerror @ 3600 CNAME web.example., web.example. 30 A 192.0.2.80
expect answer 1 noerror @ 3600 CNAME web.example., web.example. 30 A 192.0.2.80
advance 29s
query 2 www.example. A
expect answer 2 noerror @ 3571 CNAME web.example., web.example. 1 A 192.0.2.80
advance 2s
query 3 www.example. A
expect upstream 1 asked www.example. A

scenario a TTL with its top bit set is 0, and not kept (RFC 2181 section 8)
query 1 www.example. A
upstream 1 answers noerror @ 2147483648 A 192.0.2.80
expect answer 1 noerror records 1
query 2 www.example. A
expect upstream 1 asked www.example. A

scenario TTL 0 is for those who asked, and is not kept (RFC 1035 3.2.1)
query 1 www.example. A
query 2 www.example. A
upstream 1 answers noerror @ 0 A 192.0.2.80
expect answer 1 noerror @ 0 A 192.0.2.80
expect answer 2 noerror @ 0 A 192.0.2.80
query 3 www.example. A
expect upstream 1 asked www.example. A

scenario nothing is kept for more than an hour (row 12)
query 1 www.example. A
upstream 1 answers noerror @ 604800 A 192.0.2.80
advance 59m
query 2 www.example. A
expect answer 2 noerror
expect nothing asked
advance 2m
query 3 www.example. A
expect upstream 1 asked www.example. A

scenario what is kept goes with the servers that it came from
query 1 www.example. A
upstream 1 answers noerror @ 60 A 192.0.2.80
upstreams 3
query 2 www.example. A
expect upstream 3 asked www.example. A

# Row 11: stale data (RFC 8767). The option of a whole day we do not have: an hour is what a machine asleep needs.

scenario when every server fails, data is said for an hour after its time: TTL 30 s, with the reason (RFC 8767 section 5, RFC 8914)
query 1 www.example. A
upstream 1 answers noerror @ 60 A 192.0.2.80
advance 61s
query 2 www.example. A edns 1232
expect upstream 1 asked www.example. A
upstream 1 refused
upstream 2 answers servfail
expect answer 2 noerror ede 3 @ 30 A 192.0.2.80
query 3 www.example. A
expect answer 3 noerror !edns @ 30 A 192.0.2.80

scenario then for 30 s without asking, and asked again afterwards (RFC 8767 section 5)
query 1 www.example. A
upstream 1 answers noerror @ 60 A 192.0.2.80
advance 61s
query 2 www.example. A
upstream 1 answers servfail
upstream 2 answers servfail
expect answer 2 noerror @ 30 A 192.0.2.80
advance 29s
query 3 www.example. A
expect answer 3 noerror @ 30 A 192.0.2.80
expect nothing asked
advance 2s
query 4 www.example. A
expect upstream 1 asked www.example. A
upstream 1 answers noerror @ 60 A 192.0.2.81
expect answer 4 noerror @ 60 A 192.0.2.81

scenario a client waits 1.8 s for better, and what comes later is kept (RFC 8767 section 5)
query 1 www.example. A
upstream 1 answers noerror @ 60 A 192.0.2.80
advance 61s
query 2 www.example. A
expect upstream 1 asked www.example. A
advance 1790ms
expect no answer 2
advance 20ms
expect answer 2 noerror @ 30 A 192.0.2.80
expect waiting 0
query 3 www.example. A
expect answer 3 noerror @ 30 A 192.0.2.80
expect upstream 2 asked www.example. A
upstream 2 answers noerror @ 60 A 192.0.2.81
query 4 www.example. A
expect answer 4 noerror @ 60 A 192.0.2.81

scenario a connection that goes does not stop the question whose stale answer it had
query 1 www.example. A
upstream 1 answers noerror @ 60 A 192.0.2.80
advance 61s
query 2 www.example. A tcp
expect upstream 1 asked www.example. A
advance 1810ms
expect answer 2 noerror @ 30 A 192.0.2.80
hang-up 2
expect upstream 1 asked . NS
expect upstream 2 asked www.example. A
upstream 2 answers noerror @ 60 A 192.0.2.81
query 3 www.example. A
expect answer 3 noerror @ 60 A 192.0.2.81

scenario after an hour it is gone
query 1 www.example. A
upstream 1 answers noerror @ 60 A 192.0.2.80
advance 62m
query 2 www.example. A
upstream 1 answers servfail
upstream 2 answers servfail
expect answer 2 servfail

scenario an answer replaces what is stale: NXDOMAIN, and one that may not be kept (RFC 8767 section 5)
query 1 www.example. A
upstream 1 answers noerror @ 60 A 192.0.2.80
advance 61s
query 2 www.example. A
upstream 1 answers noerror @ 0 A 192.0.2.81
expect answer 2 noerror @ 0 A 192.0.2.81
query 3 www.example. A
upstream 1 answers servfail
upstream 2 answers servfail
expect answer 3 servfail

scenario nor is a client worse off that asks for AAAA as well: that there is none is said stale, too (row 13)
query 1 www.example. AAAA
upstream 1 answers noerror / example. 60 SOA 60
advance 61s
query 2 www.example. AAAA edns 1232
upstream 1 answers servfail
upstream 2 answers servfail
expect answer 2 noerror ede 3 none / example. 30 SOA 60

scenario that a name does not exist is not said stale
query 1 no.example. A
upstream 1 answers nxdomain / example. 60 SOA 60
advance 61s
query 2 no.example. A
upstream 1 answers servfail
upstream 2 answers servfail
expect answer 2 servfail

scenario who asks by an ExternalName gets stale data, too
namespace shop
service shop/outside external www.example
synced
api connected
query 1 www.example. A
upstream 1 answers noerror @ 60 A 192.0.2.80
advance 61s
query 2 outside.shop. A
expect upstream 1 asked www.example. A
upstream 1 refused
upstream 2 refused
expect answer 2 noerror @ 5 CNAME www.example., www.example. 30 A 192.0.2.80
