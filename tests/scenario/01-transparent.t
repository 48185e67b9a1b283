# Row 1: a forwarder passes on what it does not know (RFC 5625 sections 4 and 6, RFC 3597), and the flags that are not its own
# (RFC 6840 sections 5.7 to 5.9).

scenario a name outside is asked of the first upstream, and its answer comes back
query 1 www.example. A
expect upstream 1 asked www.example. A
expect upstream 2 not asked
expect no answer 1
upstream 1 answers noerror @ 60 A 192.0.2.80 / example. 60 NS ns.example. / ns.example. 60 A 192.0.2.53
expect answer 1 noerror ra !aa !tc @ 60 A 192.0.2.80 / example. 60 NS ns.example. / ns.example. 60 A 192.0.2.53
expect waiting 0

scenario the upstream's AA comes back with its own answer, but not out of the cache (RFC 1035 4.1.1)
query 1 www.example. A
upstream 1 answers noerror aa @ 60 A 192.0.2.80
expect answer 1 noerror aa @ 60 A 192.0.2.80
query 2 www.example. A
expect answer 2 noerror !aa @ 60 A 192.0.2.80

scenario types that nobody knows are passed on byte for byte, and kept (RFC 3597)
query 1 www.example. TYPE65280
expect upstream 1 asked www.example. TYPE65280
upstream 1 answers noerror @ 60 TYPE65280 00c0ff0102
expect answer 1 noerror @ 60 TYPE65280 00c0ff0102
query 2 www.example. TYPE65280
expect answer 2 noerror @ 60 TYPE65280 00c0ff0102
expect nothing asked

scenario SVCB and HTTPS of names outside are forwarded like any type (RFC 9460 section 4, row 20)
query 1 www.example. HTTPS
expect upstream 1 asked www.example. HTTPS
upstream 1 answers noerror @ 300 HTTPS 000100000100030268320004000401020304
expect answer 1 noerror @ 300 HTTPS 000100000100030268320004000401020304

scenario CD and AD reach the upstream; its AD comes back (RFC 6840 5.7, 5.9)
query 1 www.example. A cd ad
expect upstream 1 asked www.example. A cd ad
upstream 1 answers noerror ad @ 60 A 192.0.2.80
expect answer 1 noerror ad cd @ 60 A 192.0.2.80

scenario an answer to one with CD is not given to one without: the two may differ (RFC 4035 4.7)
query 1 www.example. A cd
upstream 1 answers noerror @ 60 A 192.0.2.80
query 2 www.example. A
expect upstream 1 asked www.example. A
upstream 1 answers servfail
upstream 2 answers servfail
expect answer 1 noerror cd
expect answer 2 servfail !cd

scenario a question without RD is forwarded without (RFC 1035 4.1.1)
query 1 www.example. A nord
expect upstream 1 asked www.example. A nord
upstream 1 answers noerror @ 60 A 192.0.2.80
expect answer 1 noerror !rd @ 60 A 192.0.2.80

scenario other classes are the upstreams' to judge (row 15)
query 1 version.bind. TXT class 3
expect upstream 1 asked version.bind. TXT
upstream 1 answers refused
expect upstream 2 asked version.bind. TXT
upstream 2 answers refused
expect answer 1 refused

scenario labels are bytes: dots, spaces, zeros and bytes above 127 in them come through (RFC 2181 section 11)
query 1 a\.b\032c\000\255.example. A
expect upstream 1 asked a\.b\032c\000\255.example. A
upstream 1 answers noerror @ 60 A 192.0.2.80
expect answer 1 noerror @ 60 A 192.0.2.80

scenario a DNAME and what it makes come through (RFC 6672)
query 1 a.old.example. A
upstream 1 answers noerror old.example. 60 DNAME new.example., @ 60 CNAME a.new.example., a.new.example. 30 A 192.0.2.7
expect answer 1 noerror old.example. 60 DNAME new.example., @ 60 CNAME a.new.example., a.new.example. 30 A 192.0.2.7

scenario both UDP and TCP are served, with one cache (row 1, RFC 7766 section 5)
query 1 www.example. A tcp
upstream 1 answers noerror @ 60 A 192.0.2.80
expect answer 1 noerror @ 60 A 192.0.2.80
query 2 www.example. A
expect answer 2 noerror @ 60 A 192.0.2.80

# Row 15: signed messages (TSIG RFC 8945, SIG(0) RFC 2931). A forwarder may change the id alone (RFC 8945 section 5.1).

scenario a signed question goes as it is, options and all, and so does its answer; neither is kept or shared (RFC 8945)
query 1 www.example. A edns 1400 option 10 0102030405060708 tsig
query 2 www.example. A
query 3 www.example. A tsig
expect upstream 1 asked as 1
upstream 1 answers noerror aa @ 60 A 192.0.2.80 / / key. 0 TSIG 0b686d61632d736861323536
expect upstream 1 asked www.example. A
expect upstream 1 asked as 3
upstream 1 refused
expect upstream 2 asked as 3
upstream 2 answers noerror @ 60 A 192.0.2.82
expect answer 3 noerror @ 60 A 192.0.2.82
expect no answer 2

scenario the answer to a signed question has its signature and whatever else, and another id (RFC 8945 5.1)
query 1 www.example. A id 77 tsig
expect upstream 1 asked as 1
upstream 1 answers noerror aa @ 60 A 192.0.2.80 / / key. 0 TSIG 0b686d61632d736861323536
expect answer 1 noerror aa @ 60 A 192.0.2.80 / / key. 0 TSIG 0b686d61632d736861323536
query 2 www.example. A
expect upstream 1 asked www.example. A

scenario too long a signed answer is not cut, but fetched over TCP by who asked
query 1 www.example. A tsig
upstream 1 answers noerror @ 60 A 192.0.2.1 x40 / / key. 0 TSIG 0b686d61632d736861323536
expect answer 1 noerror tc size<=512 none
query 2 www.example. A tsig tcp
expect upstream 1 asked as 2
upstream 1 answers noerror @ 60 A 192.0.2.1 x40 / / key. 0 TSIG 0b686d61632d736861323536
expect answer 2 noerror !tc records 40

scenario no upstream answers it: SERVFAIL, which is not kept either
upstreams 1
query 1 www.example. A tsig
upstream 1 refused
expect answer 1 servfail
query 2 www.example. A tsig
expect upstream 1 asked as 2

scenario names of ours are refused to who signs: no key is known here
query 1 web.default.svc.cluster.local. A tsig
query 2 localhost. A tsig
expect answer 1 refused
expect answer 2 refused
expect nothing asked
