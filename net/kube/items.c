/* SPDX-License-Identifier: Apache-2.0 */
#include "net/kube/items.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

/* How it works: a list is {"kind":…, "metadata":{…}, "items":[{…}, …]}, its keys in any order. The machine walks this
 * one level only; keys, values and items are opaque pieces whose end value_scan() finds. A piece that lies whole in the
 * bytes fed is parsed in place. */

#define KEEP_MAX ((size_t)64 << 10)	/* a buffer that grew beyond is given back */

void kube_items_init(struct kube_items *s, enum kube_items_type type, kube_items_fn fn, void *arg)
{
	*s = (struct kube_items){ .type = type, .fn = fn, .arg = arg, .head = json_object() };
	buf_init(&s->buf, KUBE_ITEM_MAX);
}

void kube_items_done(struct kube_items *s)
{
	buf_done(&s->buf);
	free(s->key);
	s->key = NULL;
	json_free(s->head);
	s->head = NULL;
}

const char *kube_items_version(const struct kube_items *s)
{
	const char *version = json_str(s->head, "metadata.resourceVersion", "");

	return *version ? version : NULL;
}

const char *kube_items_continue(const struct kube_items *s)
{
	const char *token = json_str(s->head, "metadata.continue", "");

	return *token ? token : NULL;
}

static void piece_reset(struct kube_items *s)
{
	if (s->buf.cap > KEEP_MAX) {
		buf_done(&s->buf);
		buf_init(&s->buf, KUBE_ITEM_MAX);
	} else {
		buf_reset(&s->buf);
	}
}

static int piece_add(struct kube_items *s, const char *p, size_t n, struct err *err)
{
	buf_add(&s->buf, p, n);
	if (!buf_ok(&s->buf))
		return err_set(err, -EFBIG, "the API server sent an object of more than %zu MiB", KUBE_ITEM_MAX >> 20);
	return 0;
}

/* The whole piece: what was kept and these last n bytes. */
static int piece_parse(struct kube_items *s, const char *p, size_t n, json **ret, struct err *err)
{
	json *j;

	if (s->buf.len || n > KUBE_ITEM_MAX) {
		int r = piece_add(s, p, n, err);

		if (r < 0)
			return r;
		p = s->buf.data;
		n = s->buf.len;
	}
	j = json_parse(p, n, err);
	piece_reset(s);
	if (!j)
		return err_wrap(err, -EBADMSG, "broken JSON from the API server");
	*ret = j;
	return 0;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Bytes of p that belong to the value under way. */
static size_t value_scan(struct kube_items *s, const char *p, size_t n, bool *ret_end)
{
	*ret_end = true;
	for (size_t i = 0; i < n; i++) {
		char c = p[i];

		if (s->in_string) {
			if (s->escaped)
				s->escaped = false;
			else if (c == '\\')
				s->escaped = true;
			else if (c == '"')
				s->in_string = false;
			if (!s->in_string && !s->depth)
				return i + 1;
		} else if (s->in_scalar) {
			if (is_space(c) || c == ',' || c == '}' || c == ']')
				return i;
		} else if (c == '"') {
			s->in_string = true;
		} else if (c == '{' || c == '[') {
			s->depth++;
		} else if (c == '}' || c == ']') {
			if (--s->depth == 0)
				return i + 1;
		} else if (!s->depth) {
			s->in_scalar = true;
		}
	}
	*ret_end = false;
	return n;
}

/* "PodList" → items are Pods. */
static void item_complete(const struct kube_items *s, json *item)
{
	const char *kind = json_str(s->head, "kind", "");
	const char *version = json_str(s->head, "apiVersion", NULL);

	if (!json_is(item, "kind") && str_ends(kind, "List")) {
		autofree char *single = xstrndup(kind, strlen(kind) - 4);

		json_set_str(item, "kind", single);
	}
	if (version && !json_is(item, "apiVersion"))
		json_set_str(item, "apiVersion", version);
}

static int list_value(struct kube_items *s, json *value, struct err *err)
{
	autojson json *v = value;
	int r;

	if (s->state == ITEMS_IN_ITEM) {
		s->state = ITEMS_AFTER_ITEM;
		item_complete(s, v);
		r = s->fn(s->arg, v);
		return r < 0 ? err_set(err, r, "the list was ended by its reader") : 0;
	}
	if (s->state == ITEMS_IN_KEY) {
		s->state = ITEMS_COLON;
		free(s->key);
		s->key = xstrdup(cJSON_GetStringValue(v));
		return 0;
	}
	s->state = ITEMS_AFTER_VALUE;
	if (streq(s->key, "items")) {		/* anything but a list: only null, which Go sends for an empty one */
		s->seen = true;
		if (!cJSON_IsNull(v))
			return err_set(err, -EBADMSG, "the API server's list has items that are no list");
	} else if (streq(s->key, "apiVersion") || streq(s->key, "kind") || streq(s->key, "metadata")) {
		json_set(s->head, s->key, steal(&v));
	}
	return 0;
}

static bool value_begin(struct kube_items *s, enum kube_items_state state, char c)
{
	if (c == '}' || c == ']' || c == ',' || c == ':')
		return false;
	s->depth = 0;
	s->in_string = s->escaped = s->in_scalar = false;
	s->state = state;
	return true;
}

static bool list_items_begin(struct kube_items *s)
{
	if (s->seen)
		return false;
	s->seen = true;
	s->state = ITEMS_ITEM_OR_END;
	return true;
}

/* One byte between values. False: it has no place here. *ret_used stays 0 where a value starts with it. */
static bool list_punctuation(struct kube_items *s, char c, size_t *ret_used)
{
	enum kube_items_state next;

	*ret_used = 1;
	if (is_space(c))
		return true;
	if ((s->state == ITEMS_KEY_OR_END || s->state == ITEMS_KEY) && c == '"') {
		*ret_used = 0;
		return value_begin(s, ITEMS_IN_KEY, c);
	}
	if ((s->state == ITEMS_ITEM_OR_END || s->state == ITEMS_ITEM) && c == '{') {
		*ret_used = 0;
		return value_begin(s, ITEMS_IN_ITEM, c);
	}
	if (s->state == ITEMS_VALUE) {
		if (c == '[' && streq(s->key, "items"))
			return list_items_begin(s);
		*ret_used = 0;
		return value_begin(s, ITEMS_IN_VALUE, c);
	}
	if (s->state == ITEMS_START && c == '{')
		next = ITEMS_KEY_OR_END;
	else if (s->state == ITEMS_COLON && c == ':')
		next = ITEMS_VALUE;
	else if (s->state == ITEMS_AFTER_VALUE && c == ',')
		next = ITEMS_KEY;
	else if ((s->state == ITEMS_AFTER_VALUE || s->state == ITEMS_KEY_OR_END) && c == '}')
		next = ITEMS_END;
	else if (s->state == ITEMS_AFTER_ITEM && c == ',')
		next = ITEMS_ITEM;
	else if ((s->state == ITEMS_AFTER_ITEM || s->state == ITEMS_ITEM_OR_END) && c == ']')
		next = ITEMS_AFTER_VALUE;
	else
		return false;
	s->state = next;
	return true;
}

static int list_feed(struct kube_items *s, const char *p, size_t n, struct err *err)
{
	while (n) {
		json *value = NULL;
		size_t used;
		bool end;
		int r;

		if (s->state == ITEMS_IN_KEY || s->state == ITEMS_IN_VALUE || s->state == ITEMS_IN_ITEM) {
			used = value_scan(s, p, n, &end);
			r = end ? piece_parse(s, p, used, &value, err) : piece_add(s, p, used, err);
			if (r == 0 && end)
				r = list_value(s, value, err);
			if (r < 0)
				return r;
		} else if (!list_punctuation(s, *p, &used)) {
			return err_set(err, -EBADMSG, "the API server's answer is no list: unexpected byte 0x%02x",
				       (unsigned char)*p);
		}
		p += used;
		n -= used;
	}
	return 0;
}

static bool is_blank(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!is_space(p[i]))
			return false;
	return true;
}

static int watch_feed(struct kube_items *s, const char *p, size_t n, struct err *err)
{
	while (n) {
		const char *newline = memchr(p, '\n', n);
		size_t len = newline ? (size_t)(newline - p) : n;
		autojson json *event = NULL;
		int r;

		if (!s->buf.len && is_blank(p, len)) {
			p += newline ? len + 1 : len;
			n -= newline ? len + 1 : len;
			continue;
		}
		if (!newline)
			return piece_add(s, p, n, err);
		r = piece_parse(s, p, len, &event, err);
		if (r < 0)
			return r;
		r = s->fn(s->arg, event);
		if (r < 0)
			return err_set(err, r, "the watch was ended by its reader");
		p += len + 1;
		n -= len + 1;
	}
	return 0;
}

int kube_items_feed(struct kube_items *s, const void *p, size_t n, struct err *err)
{
	return s->type == KUBE_ITEMS_LIST ? list_feed(s, p, n, err) : watch_feed(s, p, n, err);
}

int kube_items_end(const struct kube_items *s, struct err *err)
{
	if (s->type == KUBE_ITEMS_WATCH)
		return s->buf.len ? err_set(err, -EBADMSG, "the watch was cut inside an event") : 0;
	if (s->state != ITEMS_END)
		return err_set(err, -EBADMSG, "the API server's list ends too early");
	if (!s->seen)
		return err_set(err, -EBADMSG, "the API server's answer is no list: it has no items");
	return 0;
}
