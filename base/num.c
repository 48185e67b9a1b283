/* SPDX-License-Identifier: Apache-2.0 */
#include "base/num.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/str.h"

#define DECIMALS_MAX 18

typedef unsigned __int128 u128;

struct unit {
	const char *name;
	uint64_t factor;
};

/* A decimal fraction: mantissa / 10^decimals. */
struct decimal {
	uint64_t mantissa;
	unsigned decimals;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int add_digit(uint64_t *v, char c)
{
	if (__builtin_mul_overflow(*v, 10, v) || __builtin_add_overflow(*v, (uint64_t)(c - '0'), v))
		return -ERANGE;
	return 0;
}

static uint64_t pow10_u64(unsigned n)
{
	uint64_t v = 1;

	while (n--)
		v *= 10;
	return v;
}

int num_u64(const char *s, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;
	int r = 0;

	if (!s || !*s)
		return -EINVAL;
	for (; *s; s++) {
		if (!is_digit(*s))
			return -EINVAL;
		if (!r)
			r = add_digit(&v, *s);
	}
	if (r || v > max)
		return -ERANGE;
	*ret = v;
	return 0;
}

int num_u16(const char *s, uint16_t *ret)
{
	uint64_t v;
	int r = num_u64(s, UINT16_MAX, &v);

	if (!r)
		*ret = (uint16_t)v;
	return r;
}

/* "12", "1.5", ".5": digits on at least one side of the point. Moves *s behind it. */
static int decimal_parse(const char **s, struct decimal *ret)
{
	struct decimal d = { 0 };
	bool any = false;

	for (; is_digit(**s); (*s)++, any = true)
		if (add_digit(&d.mantissa, **s))
			return -ERANGE;
	if (**s == '.')
		for ((*s)++; is_digit(**s); (*s)++, any = true)
			if (++d.decimals > DECIMALS_MAX || add_digit(&d.mantissa, **s))
				return -ERANGE;
	if (!any)
		return -EINVAL;
	*ret = d;
	return 0;
}

/* d * factor, rounded up. */
static int decimal_scale(struct decimal d, uint64_t factor, uint64_t *ret)
{
	uint64_t divisor = pow10_u64(d.decimals);
	u128 v = ((u128)d.mantissa * factor + divisor - 1) / divisor;

	if (v > UINT64_MAX)
		return -ERANGE;
	*ret = (uint64_t)v;
	return 0;
}

/* The unit at *s, which is the whole rest or is followed by a digit or point. */
static const struct unit *unit_parse(const char **s, const struct unit *units, size_t n)
{
	size_t len = 0;

	while ((*s)[len] && !is_digit((*s)[len]) && (*s)[len] != '.')
		len++;
	for (size_t i = 0; i < n; i++) {
		if (str_eq((struct str){ *s, len }, units[i].name)) {
			*s += len;
			return &units[i];
		}
	}
	return NULL;
}

int num_duration_ms(const char *s, uint64_t *ret)
{
	static const struct unit units[] = {
		{ "ns", 1 }, { "us", 1000 }, { "\xc2\xb5s", 1000 }, { "\xce\xbcs", 1000 }, { "ms", 1000000 },
		{ "s", 1000000000 }, { "m", 60000000000 }, { "h", 3600000000000 },
	};
	uint64_t total = 0, part;
	bool first = true;
	int r;

	if (!s || !*s)
		return -EINVAL;
	for (; *s; first = false) {
		const struct unit *unit = &units[5];
		struct decimal d;

		r = decimal_parse(&s, &d);
		if (r)
			return r;
		if (*s || !first)
			unit = unit_parse(&s, units, ARRAY_SIZE(units));
		if (!unit)
			return -EINVAL;
		if (decimal_scale(d, unit->factor, &part) || __builtin_add_overflow(total, part, &total))
			return -ERANGE;
	}
	*ret = total / 1000000 + (total % 1000000 ? 1 : 0);
	return 0;
}

/* "e3", "E-2" behind a decimal. */
static int bytes_exponent(const char *s, struct decimal d, uint64_t *ret)
{
	bool negative = s[1] == '-';
	uint64_t exponent;
	int r;

	s += s[1] == '-' || s[1] == '+' ? 2 : 1;
	r = num_u64(s, DECIMALS_MAX, &exponent);
	if (r)
		return r;
	if (!negative)
		return decimal_scale(d, pow10_u64((unsigned)exponent), ret);
	d.decimals += (unsigned)exponent;
	return d.decimals > DECIMALS_MAX ? -ERANGE : decimal_scale(d, 1, ret);
}

int num_bytes(const char *s, uint64_t *ret)
{
	static const struct unit units[] = {
		{ "", 1 }, { "k", 1000 }, { "M", 1000000 }, { "G", 1000000000 }, { "T", 1000000000000 },
		{ "P", 1000000000000000 }, { "E", 1000000000000000000 },
		{ "Ki", 1ULL << 10 }, { "Mi", 1ULL << 20 }, { "Gi", 1ULL << 30 }, { "Ti", 1ULL << 40 },
		{ "Pi", 1ULL << 50 }, { "Ei", 1ULL << 60 },
	};
	const struct unit *unit;
	struct decimal d;
	int r;

	if (!s)
		return -EINVAL;
	r = decimal_parse(&s, &d);
	if (r)
		return r;
	if (streq(s, "m")) {
		d.decimals += 3;
		return d.decimals > DECIMALS_MAX ? -ERANGE : decimal_scale(d, 1, ret);
	}
	if ((*s == 'e' || *s == 'E') && s[1] && s[1] != 'i')
		return bytes_exponent(s, d, ret);
	unit = unit_parse(&s, units, ARRAY_SIZE(units));
	if (!unit || *s)
		return -EINVAL;
	return decimal_scale(d, unit->factor, ret);
}
