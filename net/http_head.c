/* SPDX-License-Identifier: Apache-2.0 */
#include "net/http_internal.h"

#include <errno.h>
#include <strings.h>

#include "base/mem.h"
#include "base/num.h"

#define HEADERS_MAX 256

void http_head_add(struct strv *headers, const char *p, size_t n)
{
	struct str line = str_trim((struct str){ p, n });
	const char *colon = memchr(line.p, ':', line.len);

	if (colon && colon > line.p && headers->n < HEADERS_MAX)
		strv_take(headers, xstrndup(line.p, line.len));
}

const char *http_head_find(const struct strv *headers, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < headers->n; i++) {
		const char *line = headers->v[i];

		if (strncasecmp(line, name, n) || line[n] != ':')
			continue;
		for (line += n + 1; *line == ' ' || *line == '\t'; line++)
			;
		return line;
	}
	return NULL;
}

/* "HTTP/1.1 101 Switching" → 101 */
static int status_parse(struct str line)
{
	char digits[4] = "";
	uint64_t status;

	if (line.len < 12 || memcmp(line.p, "HTTP/1.", 7) || line.p[8] != ' ')
		return -EBADMSG;
	memcpy(digits, line.p + 9, 3);
	if (num_u64(digits, 999, &status) || status < 100)
		return -EBADMSG;
	return (int)status;
}

static const char *head_end(const char *p, size_t n)
{
	for (size_t i = 0; i + 4 <= n; i++)
		if (!memcmp(p + i, "\r\n\r\n", 4))
			return p + i + 4;
	return NULL;
}

ssize_t http_head_parse(const char *p, size_t n, int *ret_status, struct strv *ret_headers)
{
	const char *end = head_end(p, n);
	struct str rest, line;
	int status;

	if (n >= 7 && memcmp(p, "HTTP/1.", 7))
		return -EBADMSG;
	if (!end)
		return 0;
	rest = (struct str){ p, (size_t)(end - p) };
	if (!str_split(&rest, '\n', &line))
		return -EBADMSG;
	status = status_parse(line);
	if (status < 0)
		return status;
	while (str_split(&rest, '\n', &line))
		http_head_add(ret_headers, line.p, line.len);
	*ret_status = status;
	return end - p;
}
