# Row 6 (RFC 5452): random ids, and answers matched by id, question and address, are the transport's: tests/unit/linux. Sending
# 0x20 upstream is off, as the row says.

scenario the same question of many is asked once, and each gets its own answer (row 6)
query 1 www.example. A id 100
query 2 WWW.example. A id 200 edns 1232
query 3 www.EXAMPLE. A id 100
expect upstream 1 asked www.example. A
expect nothing asked
expect waiting 3
upstream 1 answers noerror @ 60 A 192.0.2.80
expect answer 1 noerror !edns @ 60 A 192.0.2.80
expect answer 2 noerror edns @ 60 A 192.0.2.80
expect answer 3 noerror !edns @ 60 A 192.0.2.80
expect waiting 0

scenario questions that may have different answers are not joined: type, CD, DO
query 1 www.example. A
query 2 www.example. AAAA
query 3 www.example. A cd
query 4 www.example. A edns 1232 do
expect upstream 1 asked www.example. A
expect upstream 1 asked www.example. AAAA
expect upstream 1 asked www.example. A cd
expect upstream 1 asked www.example. A do

# Row 7. Every answer of every scenario is compared with its question, byte for byte.
scenario the question comes back in the client's case, from the upstream and from the cache (RFC 1035 2.3.3, RFC 4343)
query 1 wWw.ExAmPlE. A
upstream 1 answers noerror www.example. 60 A 192.0.2.80
expect answer 1 noerror
query 2 WwW.eXaMpLe. A
expect answer 2 noerror
expect nothing asked

scenario an answer in another case than the question is an answer (row 7)
query 1 www.example. A
upstream 1 answers noerror WWW.EXAMPLE. 60 A 192.0.2.80
expect answer 1 noerror WWW.EXAMPLE. 60 A 192.0.2.80

# Row 8.
scenario A and AAAA from one socket under one id are two questions (musl before 1.2.4)
query 1 www.example. A id 7
query 2 www.example. AAAA id 7 from 1
expect upstream 1 asked www.example. A
expect upstream 1 asked www.example. AAAA
upstream 1 answers noerror @ 60 AAAA 2001:db8::80
expect answer 2 noerror @ 60 AAAA 2001:db8::80
expect no answer 1

scenario one question under one id from two sockets has two answers
query 1 www.example. A id 7
query 2 www.example. A id 7
upstream 1 answers noerror @ 60 A 192.0.2.80
expect answer 1 noerror
expect answer 2 noerror

scenario a question that is sent again while it waits is answered once for each time
query 1 www.example. A id 7
query 2 www.example. A id 7 from 1
upstream 1 answers noerror @ 60 A 192.0.2.80
expect answer 1 noerror
expect answer 2 noerror

# Row 15.
scenario no question, and two, are format errors (RFC 9619)
query 1 www.example. A questions 0
query 2 www.example. A questions 2
expect answer 1 formerr none
expect answer 2 formerr none
expect nothing asked

scenario a response is dropped, so that two servers cannot send each other errors for ever (RFC 8906)
packet 1 abcd8100000100000000000003777777076578616d706c650000010001
packet 2 abcd
packet 3 00
expect no answer 1-3
expect nothing asked

scenario a header without a question is a format error, with the id
packet 1 abcd01000000000000000000
expect answer 1 formerr

scenario a question that is cut off, or has something behind it, is a format error
packet 1 abcd01000001000000000000037777770765
packet 2 abcd0100000100000000000003777777076578616d706c650000010001ff
expect answer 1 formerr
expect answer 2 formerr
expect nothing asked

scenario other opcodes are not implemented (RFC 8906 section 3.1.3)
query 1 www.example. A opcode 4
query 2 www.example. SOA opcode 5
query 3 www.example. A opcode 2
expect answer 1 notimp none
expect answer 2 notimp none
expect answer 3 notimp none
expect nothing asked

scenario zone transfers are refused: a stub has none (row 15)
query 1 example. AXFR tcp
query 2 example. IXFR
expect answer 1 refused none
expect answer 2 refused none
expect nothing asked

# Row 16. More of it in tests/unit/net/test_dnswire and the fuzz targets.
scenario labels above 63 bytes, names above 255, pointers forward or to themselves are format errors (RFC 1035 4.1.4)
packet 1 abcd010000010000000000004061616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161610000010001
packet 2 abcd01000001000000000000c00c00010001
packet 3 abcd01000001000000000000c01000010001
packet 4 abcd01000001000000000000c00000010001
expect answer 1 formerr
expect answer 2 formerr
expect answer 3 formerr
expect answer 4 formerr
expect nothing asked

scenario the longest name is a name
query 1 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb.ccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc.ddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd. A
upstream 1 answers noerror @ 60 A 192.0.2.80
expect answer 1 noerror @ 60 A 192.0.2.80

scenario the root is a name
query 1 . NS
expect upstream 1 asked . NS
upstream 1 answers noerror . 3600 NS a.example.
expect answer 1 noerror . 3600 NS a.example.
