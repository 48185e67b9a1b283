# Row 4: a truncated answer of an upstream is fetched over TCP (RFC 7766 section 5). The transport does that; tests/unit/linux
# has the real one. Here: what the stub makes of it.

scenario TC of an upstream: asked again over TCP, the full answer kept and cut for each client
query 1 big.example. A
expect upstream 1 asked big.example. A
upstream 1 truncates
expect upstream 1 asked big.example. A tcp
upstream 1 answers noerror @ 60 A 192.0.2.1 x200
expect answer 1 noerror tc size<=512
query 2 big.example. A tcp
expect answer 2 noerror !tc records 200
expect nothing asked

scenario an answer that stays truncated is passed on as such, and not kept (RFC 2181 section 9)
query 1 big.example. A
upstream 1 answers noerror tc @ 60 A 192.0.2.1
expect answer 1 noerror tc
query 2 big.example. A
expect upstream 1 asked big.example. A

# Row 5: the TCP server. tests/unit/agent/test_dns has split frames and half-close.

scenario a pipeline on one connection: answers leave as they come, in any order (RFC 7766 6.2.1.1)
query 1 slow.example. A tcp
query 2 fast.example. A from 1
expect upstream 1 asked slow.example. A
expect upstream 1 asked fast.example. A
upstream 1 answers noerror @ 60 A 192.0.2.2
expect answer 2 noerror @ 60 A 192.0.2.2
expect no answer 1
upstream 1 answers noerror @ 60 A 192.0.2.1
expect answer 1 noerror @ 60 A 192.0.2.1

scenario a hundred questions on one connection, all answered
upstream 1 serves noerror @ 60 A 192.0.2.80
query 1 n.example. A tcp
query 2-200 n%.example. A from 1
expect answer 1-200 noerror @ 60 A 192.0.2.80
expect waiting 0

scenario a connection that goes takes its questions along (RFC 7766 6.2.3)
query 1 gone.example. A tcp
query 2 stays.example. A
expect waiting 2
hang-up 1
expect waiting 1

scenario an idle connection is closed after ten seconds, a busy one is not (RFC 7766 6.2.3)
upstream 1 serves noerror @ 60 A 192.0.2.80
query 1 www.example. A tcp
expect answer 1 noerror
advance 9s
query 2 www.example. A from 1
expect answer 2 noerror
advance 9s
query 3 www.example. A from 1
expect answer 3 noerror
advance 9900ms
query 4 www.example. A
advance 200ms
expect closed 1

scenario nonsense ends a connection: a response, and what is shorter than a header
packet 1 abcd81000001000000000000037777770765786d706c650000010001 tcp
expect closed 1
packet 2 abcd tcp
expect closed 2

scenario a connection has a hundred questions under way; the others wait in it, and are asked when there is room (row 5)
query 1 n1.example. A tcp
query 2-150 n%.example. A from 1
expect waiting 100
upstream 2 serves noerror @ 60 A 192.0.2.80
advance 1400ms
expect answer 1-150 noerror @ 60 A 192.0.2.80
expect waiting 0

scenario an answer of 64 KiB fits through TCP
query 1 huge.example. A tcp
upstream 1 answers noerror @ 60 A 192.0.2.0 x4000
expect answer 1 noerror !tc records 4000
