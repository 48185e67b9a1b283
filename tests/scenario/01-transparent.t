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
