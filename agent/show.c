/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/show.h"

#include <errno.h>
#include <poll.h>
#include <sys/ioctl.h>

#include "agent/agent.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/ctlmsg.h"

#define WATCH_MS 1000
#define ROWS_DEFAULT 24

/* ---- changes ----------------------------------------------------------------------------------------------------- */

/* Keys whose values move by themselves; a "problem" says for how long. */
static bool is_clock(const char *key)
{
	static const char *const keys[] = { "uptime_ms", "since_ms", "silent_ms", "latency_us", "problem", "process", "runs" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (streq(key, keys[i]))
			return true;
	return false;
}

/* The next one that is no clock. */
static const json *next_of(const json *j)
{
	while (j && j->string && is_clock(j->string))
		j = j->next;
	return j;
}

bool show_is_same(const json *a, const json *b)
{
	const json *x, *y;

	if (!a || !b || (a->type & 0xff) != (b->type & 0xff) || !streq(a->string, b->string))
		return a == b;
	if (!cJSON_IsArray(a) && !cJSON_IsObject(a))
		return cJSON_Compare(a, b, true);
	for (x = next_of(a->child), y = next_of(b->child); x && y; x = next_of(x->next), y = next_of(y->next))
		if (!show_is_same(x, y))
			return false;
	return !x && !y;
}

/* ---- forms ------------------------------------------------------------------------------------------------------- */

/* The text over what stands on the screen already, cut to its rows. */
static void screen_draw(const char *text)
{
	struct winsize size = { 0 };
	struct str rest = str_from(text), line;
	unsigned rows;

	(void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	rows = size.ws_row > 1 ? size.ws_row - 1u : ROWS_DEFAULT;
	printf("\033[H");
	for (unsigned i = 0; i < rows && str_split(&rest, '\n', &line); i++)
		printf("%.*s\033[K\n", STR_ARG(line));
	printf("\033[J");
}

static void text_print(const struct show *how, const char *text)
{
	if (how->watch && isatty(STDOUT_FILENO))
		screen_draw(text);
	else
		printf("%s%s%s", text, str_ends(text, "\n") ? "" : "\n", how->watch ? "\n" : "");
}

static void status_print(const struct show *how, const json *status)
{
	autofree char *text = NULL;

	if (how->as_json)
		text = how->watch ? json_text(status) : json_pretty(status);
	else
		text = status_text(status);
	if (how->as_json)
		printf("%s%s", text, str_ends(text, "\n") ? "" : "\n");
	else
		text_print(how, text);
}

/* There is no status to print. */
static void away_print(const struct show *how, const struct err *why)
{
	const char *state = why->code == -ENOENT ? "stopped" : "unknown";
	autofree char *text = xasprintf("%s\n", err_text(why));

	if (how->as_json)
		printf("{\"state\":\"%s\",\"ready\":false}\n", state);
	else if (how->watch)
		text_print(how, text);
}

/* ---- once, or for long ------------------------------------------------------------------------------------------- */

/* NULL: *err has why. */
static json *status_get(const struct config *c, const struct show *how, struct err *err)
{
	autojson json *reply = NULL;
	int r = ctl_call(c->socket, CTL_STATUS, loop_deadline(how->timeout_ms), &reply, err);

	if (r == -ENOENT || r == -ECONNREFUSED)
		r = err_set(err, -ENOENT, "the agent is not running");
	return r ? NULL : json_copy(json_get(reply, "status"));
}

static void watch(const struct config *c, const struct show *how)
{
	bool always = !how->as_json && isatty(STDOUT_FILENO);
	json *last = NULL;
	int last_code = 0;

	if (always)
		printf("\033[2J");
	while (!ferror(stdout)) {
		struct err why = { 0 };
		json *now = status_get(c, how, &why);

		if (now && (always || !show_is_same(now, last)))
			status_print(how, now);
		else if (!now && why.code != last_code)
			away_print(how, &why);
		json_free(last);
		last = now;
		last_code = why.code;
		fflush(stdout);
		(void)poll(NULL, 0, WATCH_MS);
	}
	json_free(last);
}

int show_status(const struct config *c, const struct show *how, struct err *err)
{
	autojson json *status = NULL;

	if (how->watch) {
		watch(c, how);
		return 0;
	}
	status = status_get(c, how, err);
	if (status)
		status_print(how, status);
	else
		away_print(how, err);
	return status ? 0 : err->code;
}
