# dns.md 3.3, names outside: in all at most 4.5 s, then SERVFAIL once; ICMP at once; failover.

scenario all silent: SERVFAIL once, within 4.5 s (before glibc and Go give up at 5 s)
query 1 www.example. A
expect upstream 1 asked www.example. A
advance 1390ms
expect upstream 2 not asked
advance 20ms
expect upstream 2 asked www.example. A
advance 2980ms
expect no answer 1
advance 20ms
expect answer 1 servfail none
expect waiting 0
advance 100ms
expect upstream 1 asked . NS
expect upstream 2 asked . NS
expect nothing asked

scenario the first one may still answer while the second is asked
query 1 www.example. A
expect upstream 1 asked www.example. A
advance 2s
expect upstream 2 asked www.example. A
upstream 1 answers noerror @ 60 A 192.0.2.80
expect answer 1 noerror @ 60 A 192.0.2.80
upstream 2 answers noerror @ 60 A 192.0.2.81
expect waiting 0

scenario a port that nobody listens on is no reason to wait: the next server at once (G8)
upstream 1 down
query 1 www.example. A
expect upstream 2 asked www.example. A
upstream 2 answers noerror @ 60 A 192.0.2.80
expect answer 1 noerror

scenario all ports closed: SERVFAIL at once (G8)
upstream 1 down
upstream 2 down
query 1 www.example. A
expect answer 1 servfail

scenario SERVFAIL, REFUSED and NOTIMP of one server are asked of the next; the first failure is the answer when all fail
query 1 www.example. A
upstream 1 answers refused
expect upstream 2 asked www.example. A
upstream 2 answers servfail
expect answer 1 refused
query 2 other.example. A
upstream 1 answers servfail
upstream 2 answers noerror @ 60 A 192.0.2.80
expect answer 2 noerror

scenario NXDOMAIN is an answer: the next server is not asked
query 1 no.example. A
upstream 1 answers nxdomain / example. 60 SOA 60
expect answer 1 nxdomain
expect nothing asked

scenario a broken answer is none: the next server is asked
query 1 www.example. A
upstream 1 garbled
expect upstream 2 asked www.example. A
upstream 2 answers noerror @ 60 A 192.0.2.80
expect answer 1 noerror

scenario a question under way follows to other upstreams (resolv.conf changed)
query 1 www.example. A
expect upstream 1 asked www.example. A
upstreams 3
expect upstream 3 asked www.example. A
upstream 3 answers noerror @ 60 A 192.0.2.80
expect answer 1 noerror

# dns.md 2.3: a dead server is not asked first again and again; a recovered one is used again.

scenario a server that lets a question wait moves behind the others and is probed at once; its answer puts it back
query 1 a.example. A
expect upstream 1 asked a.example. A
advance 1410ms
expect upstream 1 asked . NS
expect upstream 2 asked a.example. A
upstream 2 answers noerror @ 60 A 192.0.2.80
query 2 b.example. A
expect upstream 2 asked b.example. A
upstream 2 answers noerror @ 60 A 192.0.2.80
expect upstream 1 not asked
upstream 1 answers noerror . 3600 NS a.example.
query 3 c.example. A
expect upstream 1 asked c.example. A

scenario a dead server is probed for as long as it is dead, at most 30 s apart, and no client waits for it
upstream 1 down
query 1 a.example. A
expect upstream 2 asked a.example. A
upstream 2 answers noerror @ 60 A 192.0.2.2
expect answer 1 noerror
advance 5m
upstream 1 serves noerror @ 60 A 192.0.2.1
upstream 2 serves noerror @ 60 A 192.0.2.2
query 2 b.example. A
expect answer 2 noerror @ 60 A 192.0.2.2
advance 36s
query 3 c.example. A
expect answer 3 noerror @ 60 A 192.0.2.1

scenario a server that answers the probe with SERVFAIL has nobody to ask itself: it stays behind the others
query 1 a.example. A
expect upstream 1 asked a.example. A
advance 1410ms
expect upstream 1 asked . NS
upstream 1 answers servfail
upstream 2 serves noerror @ 60 A 192.0.2.2
query 2 b.example. A
expect answer 2 noerror @ 60 A 192.0.2.2
advance 1300ms
expect upstream 1 asked . NS
upstream 1 answers refused
query 3 c.example. A
expect upstream 1 asked c.example. A

scenario what a server behind the others answers to a client puts it back, too
upstream 1 down
query 1 a.example. A
upstream 2 answers noerror @ 60 A 192.0.2.2
upstream 1 serves noerror @ 60 A 192.0.2.1
upstream 2 down
query 2 b.example. A
expect answer 2 noerror @ 60 A 192.0.2.1
query 3 c.example. A
expect answer 3 noerror @ 60 A 192.0.2.1

scenario SERVFAIL is about a name: the next one is asked of the first server again, in the order of resolv.conf
query 1 a.example. A
upstream 1 answers servfail
upstream 2 answers noerror @ 60 A 192.0.2.80
expect answer 1 noerror
query 2 b.example. A
expect upstream 1 asked b.example. A

scenario other upstreams end the probes of the old ones
query 1 a.example. A
expect upstream 1 asked a.example. A
advance 1410ms
expect upstream 1 asked . NS
upstreams 3
expect upstream 3 asked a.example. A
advance 60s
expect nothing asked
