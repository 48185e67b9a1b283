/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/forward_addr.h"

#include <errno.h>

#include "tests/tap.h"

static void test_addresses(void)
{
	static const struct {
		const char *what, *text;
		bool given;
		uint32_t place;
	} cases[] = {
		{ "the first address", "127.1.0.1", true, 0 },
		{ "the last of its network is .254", "127.1.0.254", true, 253 },
		{ "the next network begins at .1", "127.1.1.1", true, 254 },
		{ "the last address", "127.250.255.254", true, FORWARD_ADDRESSES - 1 },
		{ "127.0.0.1 is everybody's", "127.0.0.1", false, 0 },
		{ "a network's own address is not given out", "127.3.3.0", false, 0 },
		{ "nor is its broadcast address", "127.3.3.255", false, 0 },
		{ "nor what is above 127.250", "127.251.0.1", false, 0 },
		{ "nor what is no loopback", "10.1.0.1", false, 0 },
		{ "nor IPv6", "::1", false, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char text[ADDR_STRLEN] = "";
		uint32_t place = 0;
		struct addr a, back;
		bool given = addr_parse(cases[i].text, &a) == 0 && forward_addr_place(&a, &place);

		ok(given == cases[i].given && place == cases[i].place, "%s", cases[i].what);
		if (!given)
			continue;
		back = forward_addr_at(place);
		is_str(addr_format(&back, text), cases[i].text, "%s: and back", cases[i].what);
	}
}

struct others {
	uint32_t from, to;	/* busy ones */
	unsigned asked;
};

static bool busy(void *arg, uint32_t place)
{
	struct others *o = arg;

	o->asked++;
	return place >= o->from && place < o->to;
}

static void test_stable(void)
{
	struct places a, b;
	char key[40];
	bool same = true, apart = true;

	places_init(&a, FORWARD_ADDRESSES);
	places_init(&b, FORWARD_ADDRESSES);
	for (int i = 0; i < 100; i++) {
		snprintf(key, sizeof(key), "kind/default/service-%d", i);
		(void)places_take(&a, key, NULL, NULL);
	}
	for (int i = 99; i >= 0; i--) {
		snprintf(key, sizeof(key), "kind/default/service-%d", i);
		same &= places_take(&b, key, NULL, NULL) == places_take(&a, key, NULL, NULL);
		apart &= i == 0 || places_take(&a, key, NULL, NULL) != places_take(&a, "kind/default/service-0", NULL, NULL);
	}
	ok(same, "a hundred names have the same addresses in another order");
	ok(apart, "and none has another's");
	is_int(places_take(&a, "kind/default/web", NULL, NULL), 6388053, "a name's address is the same in every version of this program");
	places_done(&a);
	places_done(&b);
}

static void test_taken(void)
{
	struct others none = { 0 }, some;
	struct places p;
	int64_t first, next, third;

	places_init(&p, 10);
	first = places_take(&p, "a", busy, &none);
	is_int(places_take(&p, "a", busy, &none), first, "a name keeps its place");
	is_int(none.asked, 1, "without asking whether it is busy: it is, with us");
	places_release(&p, "a");
	is_int(places_take(&p, "a", NULL, NULL), first, "a place that was given back is its name's again");
	places_release(&p, "a");
	places_release(&p, "a");
	places_reserve(&p, (uint32_t)first);
	next = places_take(&p, "a", NULL, NULL);
	is_int(next, (first + 1) % 10, "a reserved place is left out");
	places_release(&p, "a");
	some = (struct others){ (uint32_t)next, (uint32_t)next + 1, 0 };
	third = places_take(&p, "a", busy, &some);
	is_int(third, (next + 1) % 10, "and so is one where somebody listens");
	places_done(&p);

	places_init(&p, 3);
	some = (struct others){ 0, 3, 0 };
	first = places_take(&p, "a", busy, &some);
	ok(first >= 0 && some.asked == 3, "where all are busy the name's own is given");
	ok(places_take(&p, "b", NULL, NULL) >= 0 && places_take(&p, "c", NULL, NULL) >= 0, "the last places are found");
	is_int(places_take(&p, "d", NULL, NULL), -ENOSPC, "and then there are no more");
	places_release(&p, "b");
	ok(places_take(&p, "d", NULL, NULL) >= 0, "until one is given back");
	places_done(&p);

	places_init(&p, FORWARD_ADDRESSES);
	some = (struct others){ 0, FORWARD_ADDRESSES, 0 };
	(void)places_take(&p, "a", busy, &some);
	is_int(some.asked, PLACES_TRIED, "not all sixteen million are tried");
	places_done(&p);
}

int main(void)
{
	test_addresses();
	test_stable();
	test_taken();
	is_int(forward_port_high(80, 0), 8080, "80 without root is 8080");
	is_int(forward_port_high(443, 0), 8443, "443 is 8443");
	is_int(forward_port_high(80, 1), 18080, "or 18080");
	is_int(forward_port_high(1023, 9), 0, "and not for ever");
	return tap_done();
}
