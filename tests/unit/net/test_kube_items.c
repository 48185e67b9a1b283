/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/mem.h"
#include "net/kube/items.h"
#include "tests/tap.h"

struct seen {
	struct buf text;
	int stop;	/* result of the callback */
};

static int see(void *arg, const json *item)
{
	struct seen *s = arg;
	autofree char *text = json_text(item);

	buf_adds(&s->text, text);
	buf_addc(&s->text, '\n');
	return s->stop;
}

/* Feeds text in pieces of at most `step` bytes after a first one of `first`; the items as lines in ret. */
static int run(enum kube_items_type type, const char *text, size_t len, size_t first, size_t step, struct seen *ret,
	       struct err *err)
{
	struct kube_items items;
	int r = 0;

	kube_items_init(&items, type, see, ret);
	for (size_t pos = 0, n = first; r == 0 && pos < len; pos += n, n = step) {
		if (n > len - pos)
			n = len - pos;
		char *piece = xmemdup(text + pos, n);	/* so that a read beyond is seen */

		r = kube_items_feed(&items, piece, n, err);
		free(piece);
	}
	if (r == 0)
		r = kube_items_end(&items, err);
	if (r == 0 && type == KUBE_ITEMS_LIST && kube_items_version(&items))
		buf_addf(&ret->text, "version %s\n", kube_items_version(&items));
	if (r == 0 && type == KUBE_ITEMS_LIST && kube_items_continue(&items))
		buf_addf(&ret->text, "continue %s\n", kube_items_continue(&items));
	kube_items_done(&items);
	return r;
}

#define LIST KUBE_ITEMS_LIST
#define WATCH KUBE_ITEMS_WATCH

static const struct {
	const char *what;
	enum kube_items_type type;
	const char *input;
	int code;
	const char *want;
} cases[] = {
	{ "the API server's list gives each item its kind", LIST,
	  "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"12\",\"continue\":\"abc\"},"
	  "\"items\":[{\"metadata\":{\"name\":\"a\"}},{\"metadata\":{\"name\":\"b\"}}]}\n", 0,
	  "{\"metadata\":{\"name\":\"a\"},\"kind\":\"Pod\",\"apiVersion\":\"v1\"}\n"
	  "{\"metadata\":{\"name\":\"b\"},\"kind\":\"Pod\",\"apiVersion\":\"v1\"}\nversion 12\ncontinue abc\n" },
	{ "items may come before metadata", LIST,
	  "{\"apiVersion\":\"x/v1\",\"items\":[{\"kind\":\"A\",\"apiVersion\":\"x/v1\"}],"
	  "\"kind\":\"AList\",\"metadata\":{\"resourceVersion\":\"3\"}}",
	  0, "{\"kind\":\"A\",\"apiVersion\":\"x/v1\"}\nversion 3\n" },
	{ "brackets, quotes and escapes in strings cut nothing", LIST,
	  " { \"odd\\\"]}\" : [ \"}\" , -1.5e3 , true , [ [ ] ] ] ,\n"
	  "\t\"items\" : [ { \"a\" : \"]}\\\\\" } , {\"b\":\"\\\"\"} ] , \"z\" : 1 } \r\n",
	  0, "{\"a\":\"]}\\\\\"}\n{\"b\":\"\\\"\"}\n" },
	{ "an empty list has no items", LIST, "{\"items\":[],\"metadata\":{}}", 0, "" },
	{ "items null is an empty list", LIST, "{\"items\":null}", 0, "" },
	{ "scalars end at the brace", LIST, "{\"items\":[],\"x\":12}", 0, "" },
	{ "a list without items is garbage", LIST, "{\"kind\":\"Status\"}", -EBADMSG, "" },
	{ "an empty object is garbage", LIST, "{}", -EBADMSG, "" },
	{ "nothing is garbage", LIST, "", -EBADMSG, "" },
	{ "a list cut in an item is garbage", LIST, "{\"items\":[{\"a\":1},{\"b\"", -EBADMSG, "{\"a\":1}\n" },
	{ "a list cut before its end is garbage", LIST, "{\"items\":[{\"a\":1}]", -EBADMSG, "{\"a\":1}\n" },
	{ "bytes after the list are garbage", LIST, "{\"items\":[]}{", -EBADMSG, "" },
	{ "an item that is no object is garbage", LIST, "{\"items\":[1]}", -EBADMSG, "" },
	{ "a trailing comma is garbage", LIST, "{\"items\":[{\"a\":1},]}", -EBADMSG, "{\"a\":1}\n" },
	{ "two lists of items are garbage", LIST, "{\"items\":[],\"items\":[]}", -EBADMSG, "" },
	{ "items that are an object are garbage", LIST, "{\"items\":{}}", -EBADMSG, "" },
	{ "wrongly paired brackets are garbage", LIST, "{\"items\":[{\"a\":[}]]}", -EBADMSG, "" },
	{ "a bare word is garbage", LIST, "{\"items\":[],\"a\":nope}", -EBADMSG, "" },
	{ "HTML is garbage", LIST, "<html></html>", -EBADMSG, "" },
	{ "a watch gives its lines", WATCH, "{\"type\":\"ADDED\"}\n{\"type\":\"DELETED\",\"o\":{\"a\":[1]}}\n", 0,
	  "{\"type\":\"ADDED\"}\n{\"type\":\"DELETED\",\"o\":{\"a\":[1]}}\n" },
	{ "blank lines and carriage returns are skipped", WATCH, "\n \r\n{\"a\":1}\r\n\n", 0, "{\"a\":1}\n" },
	{ "a silent watch is fine", WATCH, "", 0, "" },
	{ "a watch cut in a line gives what was whole", WATCH, "{\"a\":1}\n{\"b\"", -EBADMSG, "{\"a\":1}\n" },
	{ "a broken line is garbage", WATCH, "{\"a\":1}\n{\"b\n", -EBADMSG, "{\"a\":1}\n" },
};

static void test_splits(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t len = strlen(cases[i].input), bad = 0;
		struct err err = { 0 };

		for (size_t first = 1; first <= len + 1; first++)
			for (int rest = 0; rest < 2; rest++) {
				struct seen s = { .text = BUF_INIT(1 << 16) };
				int r = run(cases[i].type, cases[i].input, len, first, rest ? SIZE_MAX : 1, &s, &err);

				bad += r != cases[i].code || strcmp(buf_str(&s.text), cases[i].want) != 0;
				bad += r < 0 && !err.msg[0];
				buf_done(&s.text);
			}
		is_int((long long)bad, 0, "%s, however it is split", cases[i].what);
	}
}

/* An object of n bytes. */
static char *object_of(size_t n)
{
	char *p = xcalloc(n + 1, 1);

	memset(p, 'x', n);
	memcpy(p, "{\"k\":\"", 6);
	memcpy(p + n - 2, "\"}", 2);
	return p;
}

static void test_sizes(void)
{
	static const struct {
		const char *what;
		size_t size, step;
		int code;
	} sizes[] = {
		{ "an item of 12 MiB fits", KUBE_ITEM_MAX, 65536, 0 },
		{ "one byte more does not", KUBE_ITEM_MAX + 1, 65536, -EFBIG },
		{ "nor when it comes at once", KUBE_ITEM_MAX + 1, SIZE_MAX, -EFBIG },
	};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		for (int type = 0; type < 2; type++) {
			autofree char *item = object_of(sizes[i].size);
			autofree char *text = type ? xasprintf("%s\n", item) : xasprintf("{\"items\":[%s]}", item);
			struct seen s = { .text = BUF_INIT(KUBE_ITEM_MAX + 1) };
			struct err err = { 0 };
			int r = run(type ? WATCH : LIST, text, strlen(text), 7, sizes[i].step, &s, &err);

			is_int(r, sizes[i].code, "%s (%s)", sizes[i].what, type ? "watch" : "list");
			is_int((long long)s.text.len, r ? 0 : (long long)sizes[i].size + 1, "… and is passed on whole or not at all");
			buf_done(&s.text);
		}
}

static void test_memory(void)
{
	struct seen s = { .text = BUF_INIT(0) };	/* overflows; not looked at */
	struct kube_items items;
	autofree char *item = object_of(1 << 20);
	size_t held = 0;
	int r;

	kube_items_init(&items, LIST, see, &s);
	r = kube_items_feed(&items, "{\"items\":[", 10, NULL);
	for (int i = 0; r == 0 && i < 32; i++) {
		r = kube_items_feed(&items, item, 1000, NULL);
		if (r == 0)
			r = kube_items_feed(&items, item + 1000, (1 << 20) - 1000, NULL);
		if (r == 0)
			r = kube_items_feed(&items, i < 31 ? "," : "]}", i < 31 ? 1 : 2, NULL);
		held = MAX(held, items.buf.cap);
	}
	ok(r == 0 && kube_items_end(&items, NULL) == 0, "a list of 32 items of 1 MiB is read");
	ok(held <= 65536, "nothing of it is held between the items (%zu bytes)", held);
	kube_items_done(&items);
	buf_done(&s.text);
}

static void test_stop(void)
{
	for (int type = 0; type < 2; type++) {
		struct seen s = { .text = BUF_INIT(1000), .stop = -ECANCELED };
		const char *text = type ? "{\"a\":1}\n{\"a\":2}\n" : "{\"items\":[{\"a\":1},{\"a\":2}]}";

		is_int(run(type ? WATCH : LIST, text, strlen(text), 100, 100, &s, NULL), -ECANCELED, "the reader's code ends it");
		is_str(buf_str(&s.text), "{\"a\":1}\n", "no item follows");
		buf_done(&s.text);
	}
}

int main(void)
{
	test_splits();
	test_sizes();
	test_memory();
	test_stop();
	return tap_done();
}
