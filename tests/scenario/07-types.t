# Row 13: AAAA is never worse off than A (RFC 4074, RFC 8305): clients wait for both, for 5 s and more.

scenario an absent AAAA is NODATA, kept like any, and does not touch A
query 1 www.example. A
query 2 www.example. AAAA
expect upstream 1 asked www.example. A
expect upstream 1 asked www.example. AAAA
upstream 1 answers noerror / example. 60 SOA 60
expect answer 2 noerror none
query 3 www.example. A
expect no answer 3
query 4 www.example. AAAA
expect answer 4 noerror none

scenario an AAAA that the first upstream drops is asked of the second, and both are answered
query 1 www.example. A
expect upstream 1 asked www.example. A
upstream 1 answers noerror @ 60 A 192.0.2.80
query 2 www.example. AAAA
expect upstream 1 asked www.example. AAAA
advance 1400ms
expect upstream 2 asked www.example. AAAA
upstream 2 answers noerror / example. 60 SOA 60
expect answer 1 noerror
expect answer 2 noerror none

scenario an AAAA that every upstream drops ends before the client's patience does
query 1 www.example. AAAA
advance 4390ms
expect no answer 1
advance 20ms
expect answer 1 servfail

scenario AAAA is not filtered, whatever this machine can reach (row 13)
query 1 www.example. AAAA
upstream 1 answers noerror @ 60 AAAA 2001:db8::80
expect answer 1 noerror @ 60 AAAA 2001:db8::80

scenario while the cluster is away, A and AAAA of its names are alike, and at once
query 1 web.default.svc.cluster.local. A
query 2 web.default.svc.cluster.local. AAAA
expect answer 1 nxdomain none
expect answer 2 nxdomain none

# Row 14: ANY (RFC 8482).

scenario ANY of a name outside is the upstream's to answer
query 1 www.example. ANY
expect upstream 1 asked www.example. ANY
upstream 1 answers noerror @ 60 HINFO 07524643383438320000
expect answer 1 noerror @ 60 HINFO 07524643383438320000
query 2 www.example. ANY
expect answer 2 noerror @ 60 HINFO 07524643383438320000

scenario ANY of localhost is what there is
query 1 localhost. ANY
expect answer 1 noerror @ * A 127.0.0.1, @ * AAAA ::1
