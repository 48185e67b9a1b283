/* SPDX-License-Identifier: Apache-2.0 */
/* Names as text and among each other. */
#include "net/dnswire.h"

#include <errno.h>
#include <string.h>

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

/* One byte of text, escapes undone; -EINVAL for a broken escape. Dots are told apart by *dot. */
static int text_byte(const char **s, bool *dot)
{
	unsigned v = 0;

	*dot = **s == '.';
	if (**s != '\\')
		return (uint8_t)*(*s)++;
	(*s)++;
	if (**s < '0' || **s > '9')
		return **s ? (uint8_t)*(*s)++ : -EINVAL;
	for (int i = 0; i < 3; i++, (*s)++) {
		if (**s < '0' || **s > '9')
			return -EINVAL;
		v = v * 10 + (unsigned)(**s - '0');
	}
	return v <= 255 ? (int)v : -EINVAL;
}

int dns_name_parse(const char *text, struct dns_name *ret)
{
	struct dns_name n = { .len = 1 };
	unsigned start = 0;
	bool dot = false;

	if (strcmp(text, ".") == 0)
		text++;
	while (*text) {
		int c = text_byte(&text, &dot);

		if (c < 0 || n.len >= DNS_NAME_MAX - 1 + dot)
			return -EINVAL;
		if (dot) {
			if (n.len == start + 1)
				return -EINVAL;
			start = n.len++;
		} else {
			if (n.len - start > 63)
				return -EINVAL;
			n.b[n.len++] = (uint8_t)c;
			n.b[start]++;
		}
	}
	if (n.b[start])		/* no trailing dot */
		n.b[n.len++] = 0;
	*ret = n;
	return 0;
}

static char *text_put(char *o, uint8_t c)
{
	if (c == '.' || c == '\\') {
		*o++ = '\\';
	} else if (c <= ' ' || c >= 127) {
		*o++ = '\\';
		*o++ = (char)('0' + c / 100);
		*o++ = (char)('0' + c / 10 % 10);
		c = (uint8_t)('0' + c % 10);
	}
	*o++ = (char)c;
	return o;
}

const char *dns_name_text(const struct dns_name *n, char ret[static DNS_TEXT_MAX])
{
	char *o = ret;

	for (unsigned i = 0; i < n->len && n->b[i]; i += 1u + n->b[i]) {
		if (i)
			*o++ = '.';
		for (unsigned k = 1; k <= n->b[i]; k++)
			o = text_put(o, n->b[i + k]);
	}
	if (o == ret)
		*o++ = '.';
	*o = '\0';
	return ret;
}

static bool bytes_eq(const uint8_t *a, const uint8_t *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (lower(a[i]) != lower(b[i]))
			return false;
	return true;
}

bool dns_name_eq(const struct dns_name *a, const struct dns_name *b)
{
	return a->len == b->len && bytes_eq(a->b, b->b, a->len);
}

bool dns_name_within(const struct dns_name *n, const struct dns_name *zone)
{
	unsigned i = 0;

	while (n->len - i > zone->len)
		i += 1u + n->b[i];
	return n->len - i == zone->len && bytes_eq(n->b + i, zone->b, zone->len);
}

unsigned dns_name_labels(const struct dns_name *n)
{
	unsigned count = 0;

	for (unsigned i = 0; i < n->len && n->b[i]; i += 1u + n->b[i])
		count++;
	return count;
}

struct dns_name dns_name_parent(const struct dns_name *n, unsigned skip)
{
	struct dns_name p = { 0 };
	unsigned i = 0;

	while (skip-- && n->b[i])
		i += 1u + n->b[i];
	p.len = (uint8_t)(n->len - i);
	memcpy(p.b, n->b + i, p.len);
	return p;
}
