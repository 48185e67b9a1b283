# Row 19 (RFC 5358): limits. The listeners are on loopback alone; that is tests/netns'.

scenario beyond what an upstream takes at a time, SERVFAIL comes at once and is not kept
upstreams 1
query 1-512 n%.example. A
query 513-1024 n%.example. A
query 2001-2010 n%.example. A
expect no answer 1-1024
expect answer 2001-2010 servfail
expect waiting 1024
upstream 1 serves noerror @ 60 A 192.0.2.80
advance 4400ms
expect waiting 0
query 3001 n2001.example. A
expect answer 3001 noerror

scenario one socket's questions do not take the place of others': it gets SERVFAIL at once, they are served (row 19)
upstreams 1
query 1-768 n%.example. A
query 769-800 n%.example. A from 1
expect no answer 1-768
expect answer 769-800 servfail
query 801 n801.example. A
expect no answer 801
query 802 n802.example. A tcp
expect no answer 802
expect waiting 770

scenario 4096 clients may wait: the next one gets SERVFAIL at once, known names are still answered (row 19)
query 5001 known.example. A
upstream 1 answers noerror @ 60 A 192.0.2.80
query 1-700 www.example. A
query 701-1400 www.example. A
query 1401-2100 www.example. A
query 2101-2800 www.example. A
query 2801-3500 www.example. A
query 3501-4096 www.example. A
expect waiting 4096
query 4097-4100 www.example. A
expect answer 4097-4100 servfail
query 5002 known.example. A
expect answer 5002 noerror @ 60 A 192.0.2.80
query 5003 web.default.svc.cluster.local. A
expect answer 5003 nxdomain
expect waiting 4096

# Row 18: loops (RFC 5625 section 4.1, RFC 1536). Our own address is not taken for an upstream: tests/unit/agent/test_resolvtext;
# our own sockets are exempt from the redirect: tests/netns.

scenario a question that comes back to us while it waits adds no second one upstream: a loop ends by itself
query 1 www.example. A
expect upstream 1 asked www.example. A
query 2 www.example. A
query 3 www.example. A
expect nothing asked
advance 4410ms
expect answer 1-3 servfail
expect waiting 0

# Row 21.
scenario the answer comes from the address that was asked: every client of every scenario takes no other (row 21)
query 1 localhost. A
query 2 localhost. A tcp
expect answer 1 noerror
expect answer 2 noerror
