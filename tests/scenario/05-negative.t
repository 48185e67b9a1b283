# Row 9: NXDOMAIN is about the name, NODATA about name and type (RFC 2308).

scenario a name that does not exist is known for the least of the SOA's TTL, its MINIMUM and 300 s (RFC 2308 section 5)
query 1 no.example. A
upstream 1 answers nxdomain / example. 600 SOA 20
expect answer 1 nxdomain / example. 600 SOA 20
advance 19s
query 2 no.example. A
expect answer 2 nxdomain ttl<=600 none / example. * SOA 20
expect nothing asked
advance 2s
query 3 no.example. A
expect upstream 1 asked no.example. A

scenario no more than 300 s, whatever the SOA says (row 9)
query 1 no.example. A
upstream 1 answers nxdomain / example. 86400 SOA 86400
advance 299s
query 2 no.example. A
expect answer 2 nxdomain
advance 2s
query 3 no.example. A
expect upstream 1 asked no.example. A

scenario a type that is absent says nothing about other types (RFC 2308 section 5)
query 1 www.example. AAAA
upstream 1 answers noerror / example. 60 SOA 60
expect answer 1 noerror none / example. 60 SOA 60
query 2 www.example. AAAA
expect answer 2 noerror none
query 3 www.example. A
expect upstream 1 asked www.example. A
upstream 1 answers noerror @ 60 A 192.0.2.80
expect answer 3 noerror @ 60 A 192.0.2.80

scenario without an SOA nothing negative is kept (RFC 2308 section 5)
query 1 no.example. A
upstream 1 answers nxdomain
expect answer 1 nxdomain
query 2 no.example. A
expect upstream 1 asked no.example. A
upstream 1 answers noerror
expect answer 2 noerror none
query 3 no.example. A
expect upstream 1 asked no.example. A

scenario a CNAME without what was asked for is NODATA, and bounded by the SOA (RFC 2308 2.2)
query 1 www.example. AAAA
upstream 1 answers noerror @ 3600 CNAME web.example. / example. 60 SOA 10
expect answer 1 noerror @ 3600 CNAME web.example.
advance 9s
query 2 www.example. AAAA
expect answer 2 noerror @ * CNAME web.example.
advance 2s
query 3 www.example. AAAA
expect upstream 1 asked www.example. AAAA

scenario a CNAME to a name that does not exist is NXDOMAIN with the CNAME in it (RFC 2308 2.1)
query 1 www.example. A
upstream 1 answers nxdomain @ 3600 CNAME no.example. / example. 60 SOA 60
expect answer 1 nxdomain @ 3600 CNAME no.example.
query 2 www.example. A
expect answer 2 nxdomain @ 3600 CNAME no.example.

scenario what an answer says of other names answers no question for them (RFC 2181 section 5.4.1)
query 1 www.example. A
upstream 1 answers noerror @ 60 A 192.0.2.80, bank.example. 60 A 192.0.2.66 / / mail.example. 60 A 192.0.2.66
query 2 bank.example. A
query 3 mail.example. A
expect upstream 1 asked bank.example. A
expect upstream 1 asked mail.example. A

# Row 10: failures (RFC 9520).

scenario when all servers fail, it is known for 5 s, and asked again afterwards (RFC 9520 3.2)
query 1 broken.example. A
upstream 1 answers servfail
expect upstream 2 asked broken.example. A
upstream 2 answers servfail
expect answer 1 servfail none
query 2 broken.example. A
expect answer 2 servfail
expect nothing asked
advance 4900ms
query 3 broken.example. A
expect answer 3 servfail
expect nothing asked
advance 200ms
query 4 broken.example. A
expect upstream 1 asked broken.example. A

scenario a failure is about its question alone (RFC 9520 2)
query 1 broken.example. A
upstream 1 answers servfail
upstream 2 answers servfail
query 2 broken.example. AAAA
expect upstream 1 asked broken.example. AAAA
query 3 other.example. A
expect upstream 1 asked other.example. A

scenario a failure is forgotten with the servers that it came from
query 1 broken.example. A
upstream 1 answers refused
upstream 2 answers refused
expect answer 1 refused
upstreams 3
query 2 broken.example. A
expect upstream 3 asked broken.example. A

scenario without any upstream the answer is SERVFAIL at once, and is not kept
upstreams
query 1 www.example. A
expect answer 1 servfail
upstreams 1
query 2 www.example. A
expect upstream 1 asked www.example. A
