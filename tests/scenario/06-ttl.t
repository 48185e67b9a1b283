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
