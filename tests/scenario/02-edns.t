# Row 2: EDNS is between neighbours (RFC 6891). That no option of a client leaves in our OPT is watched in every scenario, and that
# no OPT reaches a client which sent none. Keepalive (RFC 7828, S) we do not send: connections idle for 10 s are closed.

scenario who sends an OPT gets one, who sends none gets none, from the upstream and from the cache (RFC 6891 7)
query 1 www.example. A edns 1232
upstream 1 answers noerror edns @ 60 A 192.0.2.80
expect answer 1 noerror edns
query 2 www.example. A
expect answer 2 noerror !edns
query 3 www.example. A edns 1232
expect answer 3 noerror edns
expect nothing asked

scenario an upstream without EDNS does not change what the client sees (RFC 6891 6.2.2)
query 1 www.example. A edns 1232
upstream 1 answers noerror @ 60 A 192.0.2.80
expect answer 1 noerror edns @ 60 A 192.0.2.80

scenario another version than 0 is BADVERS, with an OPT (RFC 6891 6.1.3)
query 1 www.example. A edns 1232 version 1
expect answer 1 badvers edns none
expect nothing asked

scenario two OPTs are a format error (RFC 6891 6.1.1)
query 1 www.example. A edns 1232 two-opts
expect answer 1 formerr
expect nothing asked

scenario an OPT whose owner is not the root is a format error (RFC 6891 6.1.2)
query 1 www.example. A edns 1232 opt-owner
expect answer 1 formerr
expect nothing asked

scenario an option that is longer than its OPT leaves with the other options: it is not looked at
packet 1 abcd0100000100000000000103777777076578616d706c65000001000100002904d000000000000400080fff
expect upstream 1 asked www.example. A

scenario DO is copied into the answer and forwarded (RFC 3225, RFC 6891 6.1.4)
query 1 www.example. A edns 1232 do
expect upstream 1 asked www.example. A do
upstream 1 answers noerror edns do @ 60 A 192.0.2.80, @ 60 RRSIG 00010d0200000e10
expect answer 1 noerror do @ 60 A 192.0.2.80, @ 60 RRSIG 00010d0200000e10

scenario who does not ask for signatures does not get the answer of one who does (RFC 3225 3)
query 1 www.example. A edns 1232 do
upstream 1 answers noerror edns do @ 60 A 192.0.2.80, @ 60 RRSIG 00010d0200000e10
query 2 www.example. A
expect upstream 1 asked www.example. A
upstream 1 answers noerror @ 60 A 192.0.2.80
expect answer 2 noerror @ 60 A 192.0.2.80

scenario client subnet, cookie and padding are not forwarded, and the upstream's are neither kept nor passed on (RFC 7871, 7873, 7830)
query 1 www.example. A edns 1232 option 8 00011800c00002 option 10 0102030405060708 option 12 0000
expect upstream 1 asked www.example. A
upstream 1 answers noerror ecs cookie padding @ 60 A 192.0.2.80
expect answer 1 noerror edns @ 60 A 192.0.2.80
query 2 www.example. A edns 1232
expect answer 2 noerror edns @ 60 A 192.0.2.80

scenario an OPT in the middle of the upstream's additional section is no reason to lose the answer
query 1 www.example. A
upstream 1 answers noerror edns @ 60 A 192.0.2.80 / / ns.example. 60 A 192.0.2.53
expect answer 1 noerror !edns @ 60 A 192.0.2.80

scenario an extended code reaches who can read it, and is SERVFAIL to others (RFC 6891 6.1.3)
query 1 www.example. A edns 1232
query 2 www.example. A
upstream 1 answers badvers edns
expect answer 1 badvers edns
expect answer 2 servfail

# Row 3: size and truncation.

scenario without EDNS an answer has at most 512 bytes: TC, and as many whole records as fit (RFC 1035 4.2.1, RFC 2181 9)
query 1 many.example. A
upstream 1 answers noerror @ 60 A 192.0.2.1 x40
expect answer 1 noerror tc size<=512 records 30 !edns

scenario with EDNS it has as much as the client takes, and the OPT is kept (RFC 6891 6.2.5)
query 1 many.example. A edns 700
upstream 1 answers noerror @ 60 A 192.0.2.1 x100
expect answer 1 noerror tc size<=700 edns records 41
query 2 many.example. A edns 4096
expect answer 2 noerror !tc edns records 100

scenario less than 512 said is 512 (RFC 6891 6.2.3)
query 1 many.example. A edns 100
upstream 1 answers noerror @ 60 A 192.0.2.1 x40
expect answer 1 noerror tc size<=512 records 29

scenario more than 4096 said is 4096
query 1 many.example. A edns 65535
upstream 1 answers noerror @ 60 A 192.0.2.1 x300
expect answer 1 noerror tc size<=4096 edns

scenario over TCP there is no limit, and the cache gives the whole answer to it
query 1 many.example. A
upstream 1 answers noerror @ 60 A 192.0.2.1 x300
expect answer 1 noerror tc
query 2 many.example. A tcp
expect answer 2 noerror !tc records 300
expect nothing asked

scenario what is missing of the additional section alone is no truncation (RFC 2181 section 9)
query 1 few.example. A
upstream 1 answers noerror @ 60 A 192.0.2.1 / / ns.example. 60 A 192.0.2.1 x40
expect answer 1 noerror !tc records 1
