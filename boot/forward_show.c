/* SPDX-License-Identifier: Apache-2.0 */
/* What the user sees: a table that is drawn where it stood, a line for each change, or a JSON object for each. What was shown of a
 * row is kept as text, and only another text is shown again. */
#include <errno.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <time.h>

#include "base/mem.h"
#include "boot/forward_run.h"

#define DRAW_MS 250
#define TROUBLE_MS 1000
#define ROWS_DEFAULT 24
#define COLUMNS_DEFAULT 80

enum mode { MODE_LIVE, MODE_LINES, MODE_JSON };

struct shown {
	char *forward, *state;		/* owned */
	unsigned round;
};

struct forward_view {
	struct forwarding *f;
	enum mode mode;
	struct map rows;		/* key → struct shown */
	struct map notes;		/* what was said once */
	unsigned round;
	struct timer tick;
	struct buf drawn;		/* the table on the screen */
	unsigned lines;			/* of it */
	char *last;			/* the last event, below the table; owned */
	bool dirty, started;
};

/* ---- rows as text ------------------------------------------------------------------------------------------------ */

static const char *const state_names[] = {
	[FORWARD_READY] = "ready", [FORWARD_WAITING] = "waiting", [FORWARD_BLOCKED] = "blocked",
	[FORWARD_AWAY] = "away", [FORWARD_REFUSED] = "refused",
};
_Static_assert(ARRAY_SIZE(state_names) == FORWARD_STATES, "each state has a name");

const char *forward_state_name(enum forward_state s)
{
	return state_names[s];
}

enum forward_state forward_state(const struct forwarding *f, const struct forward_row *row, const char **ret_why)
{
	const struct followed *d = &f->followed[row->scope];

	*ret_why = row->note;
	if (row->refused) {
		*ret_why = row->refused;
		return FORWARD_REFUSED;
	}
	for (unsigned i = 0; i < row->n_ports; i++) {
		const struct listener *l = forward_listener(f, row, row->ports[i].number);

		if (!l || l->fd >= 0)
			continue;
		*ret_why = err_text(&l->err);
		return FORWARD_BLOCKED;
	}
	if (!d->connected) {
		*ret_why = d->why.code ? err_text(&d->why) : "the API server cannot be reached";
		return FORWARD_AWAY;
	}
	if (!row->ready)
		*ret_why = "no endpoint is ready";
	return row->ready ? FORWARD_READY : FORWARD_WAITING;
}

char *forward_row_name(const struct forwarding *f, const struct forward_row *row)
{
	const char *label = f->scopes[row->scope].label;

	return xasprintf("%s%s%s.%s%s%s", row->pod ? row->pod : "", row->pod ? "." : "", row->service, row->ns, label ? "." : "", label ? label : "");
}

char *forward_row_ports(const struct forward_row *row)
{
	auto(buf) struct buf b = BUF_INIT(1 << 14);

	for (unsigned i = 0; i < row->n_ports && !row->refused; i++) {
		buf_addf(&b, "%s%u", i ? " " : "", row->ports[i].number);
		if (row->ports[i].listen != row->ports[i].number)
			buf_addf(&b, ">%u", row->ports[i].listen);
	}
	return b.len ? buf_steal(&b) : xstrdup("-");
}

/* ---- JSON -------------------------------------------------------------------------------------------------------- */

static json *row_object(const struct forwarding *f, const struct forward_row *row, const char *type)
{
	json *o = json_object();

	json_set_str(o, "type", type);
	json_set_str(o, "context", f->scopes[row->scope].context);
	json_set_str(o, "namespace", row->ns);
	json_set_str(o, "service", row->service);
	json_set_str(o, "pod", row->pod);
	return o;
}

static char *forward_text(const struct forwarding *f, const struct forward_row *row)
{
	autojson json *o = row_object(f, row, "forward");
	json *ports, *names;
	char addr[ADDR_STRLEN];

	if (row->addr.family && !row->refused)
		json_set_str(o, "address", addr_format(&row->addr, addr));
	ports = json_set(o, "ports", json_array());
	for (unsigned i = 0; i < row->n_ports && !row->refused; i++) {
		json *p = json_add(ports, json_object());

		json_set_int(p, "port", row->ports[i].number);
		json_set_int(p, "listen", row->ports[i].listen);
		json_set_str(p, "name", *row->ports[i].name ? row->ports[i].name : NULL);
	}
	names = json_set(o, "names", json_array());
	for (size_t i = 0; i < row->names.n && f->names; i++)
		json_add_str(names, row->names.v[i]);
	json_set_str(o, "note", row->note);
	return json_text(o);
}

static char *state_text(const struct forwarding *f, const struct forward_row *row)
{
	autojson json *o = row_object(f, row, "state");
	const char *why;
	enum forward_state s = forward_state(f, row, &why);

	json_set_str(o, "state", state_names[s]);
	json_set_int(o, "endpoints", row->ready);
	if (s != FORWARD_READY)
		json_set_str(o, "reason", why);
	return json_text(o);
}

/* ---- output ------------------------------------------------------------------------------------------------------ */

/* Nobody reads any more: then there is nothing to do. */
static void out_flush(struct forward_view *v)
{
	if (fflush(stdout) == EOF && errno == EPIPE)
		loop_cancel(v->f->loop);
}

static void out_line(struct forward_view *v, const char *text)
{
	time_t now = time(NULL);
	struct tm tm;
	char when[16] = "";

	if (v->mode == MODE_LIVE) {
		free(v->last);
		v->last = xstrdup(text);
		v->dirty = true;
		return;
	}
	if (localtime_r(&now, &tm))
		(void)strftime(when, sizeof(when), "%H:%M:%S ", &tm);
	printf("%s%s\n", when, text);
}

static void row_line(struct forward_view *v, const struct forward_row *row)
{
	autofree char *who = forward_row_name(v->f, row), *ports = forward_row_ports(row), *line = NULL;
	char addr[ADDR_STRLEN], count[16] = "";
	const char *why;
	enum forward_state s = forward_state(v->f, row, &why);

	if (row->ready > 1 && s == FORWARD_READY)
		snprintf(count, sizeof(count), " (%u)", row->ready);
	line = xasprintf("%s %s %s %s%s%s%s", who, row->refused ? "-" : addr_format(&row->addr, addr), ports, state_names[s], count,
			 why ? ": " : "", why ? why : "");
	out_line(v, line);
}

static void shown_free(void *p)
{
	struct shown *s = p;

	free(s->forward);
	free(s->state);
	free(s);
}

static void row_show(struct forward_view *v, const struct forward_row *row)
{
	autofree char *forward = forward_text(v->f, row), *state = state_text(v->f, row);
	struct shown *s = map_get(&v->rows, row->key);
	bool is_new = !s, moved, changed;

	if (!s) {
		s = xcalloc(1, sizeof(*s));
		map_set(&v->rows, row->key, s);
	}
	moved = !streq(s->forward, forward);
	changed = !streq(s->state, state);
	s->round = v->round;
	if (v->mode == MODE_JSON && moved)
		printf("%s\n", forward);
	if (v->mode == MODE_JSON && changed)
		printf("%s\n", state);
	if (v->mode == MODE_LINES ? moved || changed : v->mode == MODE_LIVE && !is_new && (moved || changed))
		row_line(v, row);
	free(s->forward);
	free(s->state);
	s->forward = steal(&forward);
	s->state = steal(&state);
}

static void gone_show(struct forward_view *v, const char *key)
{
	autofree char *copy = xstrdup(key), *line = NULL;
	struct str rest = str_from(copy), part[4] = { 0 };
	autojson json *o = json_object();
	size_t n = 0, cut = rest.len;

	/* a context's name may have slashes; what follows has none, and pods three parts */
	for (size_t i = 0; i < v->f->n_contexts; i++)
		if (str_starts(key, v->f->contexts[i].name) && key[strlen(v->f->contexts[i].name)] == '/')
			cut = MIN(cut, strlen(v->f->contexts[i].name));
	rest = str_from(copy + MIN(cut + 1, strlen(copy)));
	while (n < ARRAY_SIZE(part) && str_split(&rest, '/', &part[n]))
		n++;
	if (v->mode != MODE_JSON) {
		line = xasprintf("%s gone", key);
		out_line(v, line);
		return;
	}
	copy[MIN(cut, strlen(copy))] = '\0';
	json_set_str(o, "type", "state");
	json_set_str(o, "context", copy);
	for (size_t i = 0; i < n && i < 3; i++) {
		static const char *const keys[] = { "namespace", "service", "pod" };
		autofree char *text = xstrndup(part[i].p, part[i].len);

		json_set_str(o, keys[i], text);
	}
	json_set_str(o, "state", "gone");
	line = json_text(o);
	printf("%s\n", line);
}

static void note_show(struct forward_view *v, const char *text)
{
	autojson json *o = json_object();
	autofree char *line = NULL;

	if (map_get(&v->notes, text))
		return;
	map_set(&v->notes, text, v);
	if (v->mode != MODE_JSON) {
		out_line(v, text);
		return;
	}
	json_set_str(o, "type", "note");
	json_set_str(o, "message", text);
	line = json_text(o);
	printf("%s\n", line);
}

/* ---- the screen -------------------------------------------------------------------------------------------------- */

static void draw(struct forward_view *v)
{
	auto(buf) struct buf table = BUF_INIT(1 << 20), out = BUF_INIT(2 << 20);
	struct winsize size = { 0 };
	struct str rest, line;
	unsigned lines = 0;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || !size.ws_row || !size.ws_col)
		size = (struct winsize){ .ws_row = ROWS_DEFAULT, .ws_col = COLUMNS_DEFAULT };
	forward_table(v->f, true, v->last, size.ws_col, size.ws_row, &table);
	if (table.len == v->drawn.len && memcmp(buf_str(&table), buf_str(&v->drawn), table.len) == 0)
		return;
	if (v->lines)
		buf_addf(&out, "\033[%uA\r", v->lines);
	rest = str_from(buf_str(&table));
	for (; str_split(&rest, '\n', &line); lines++)
		buf_addf(&out, "%.*s\033[K\n", STR_ARG(line));
	if (lines < v->lines)
		buf_adds(&out, "\033[J");
	fwrite(buf_str(&out), 1, out.len, stdout);
	out_flush(v);
	buf_reset(&v->drawn);
	buf_add(&v->drawn, buf_str(&table), table.len);
	v->lines = lines;
}

/* Why connections failed since the last look, once for each listener. */
static void troubles_show(struct forward_view *v)
{
	for (size_t i = 0; i < v->f->n_listeners; i++) {
		struct listener *l = v->f->listeners[i];
		struct forward_count c;

		forward_count(l->forward, &c);
		if (c.failed == l->failed)
			continue;
		l->failed = c.failed;
		forward_view_error(v, "%s port %u: %s", l->at.key, l->at.number, forward_trouble(l->forward));
	}
}

static void on_tick(struct timer *t)
{
	struct forward_view *v = container_of(t, struct forward_view, tick);

	troubles_show(v);
	if (v->mode == MODE_LIVE)
		draw(v);
	timer_start(v->f->loop, t, v->mode == MODE_LIVE ? DRAW_MS : TROUBLE_MS, on_tick);
}

/* ---- what happens ------------------------------------------------------------------------------------------------ */

struct forward_view *forward_view_new(struct forwarding *f)
{
	struct forward_view *v = xcalloc(1, sizeof(*v));
	const struct options *o = f->run->opt;

	v->f = f;
	v->rows = (struct map)MAP_INIT(shown_free);
	v->mode = o->output == OUTPUT_JSON ? MODE_JSON : !o->no_watch && !o->headless && isatty(STDOUT_FILENO) ? MODE_LIVE : MODE_LINES;
	buf_init(&v->drawn, 1 << 20);
	return v;
}

struct forward_view *forward_view_free(struct forward_view *v)
{
	if (!v)
		return NULL;
	timer_stop(&v->tick);
	map_done(&v->rows);
	map_done(&v->notes);
	buf_done(&v->drawn);
	free(v->last);
	free(v);
	return NULL;
}

void forward_view_change(struct forward_view *v)
{
	const struct forward_plan *p = &v->f->plan;

	v->round++;
	for (size_t i = 0; i < p->n; i++)
		row_show(v, &p->rows[i]);
	map_foreach(&v->rows, it) {
		if (((struct shown *)it->value)->round == v->round)
			continue;
		gone_show(v, it->key);
		map_del(&v->rows, it->key);
	}
	for (size_t i = 0; i < p->notes.n; i++)
		note_show(v, p->notes.v[i]);
	if (v->mode != MODE_LIVE)
		out_flush(v);
}

static void ready_show(struct forward_view *v)
{
	const struct forward_plan *p = &v->f->plan;
	autojson json *o = json_object();
	autofree char *line = NULL;
	size_t refused = 0;

	for (size_t i = 0; i < p->n; i++)
		refused += p->rows[i].refused != NULL;
	json_set_str(o, "type", "ready");
	json_set_int(o, "forwards", (int64_t)(p->n - refused));
	json_set_int(o, "refused", (int64_t)refused);
	json_set_str(o, "hosts", v->f->names ? v->f->hosts_path : NULL);
	line = v->mode == MODE_JSON ? json_text(o) :
				      xasprintf("%zu forwarded, %zu refused%s%s; Ctrl-C ends it", p->n - refused, refused,
						v->f->names ? "; names are in " : "", v->f->names ? v->f->hosts_path : "");
	if (v->mode == MODE_JSON)
		printf("%s\n", line);
	else
		out_line(v, line);
}

void forward_view_start(struct forward_view *v)
{
	if (v->f->nameless)
		note_show(v, v->f->nameless);
	forward_view_change(v);
	ready_show(v);
	v->started = true;
	out_flush(v);
	on_tick(&v->tick);
}

void forward_view_context(struct forward_view *v, const struct followed *d)
{
	autojson json *o = json_object();
	autofree char *line = NULL;

	if (v->mode == MODE_JSON) {
		json_set_str(o, "type", "context");
		json_set_str(o, "context", d->context->name);
		json_set_str(o, "namespace", d->ns);
		json_set_bool(o, "connected", d->connected);
		json_set_str(o, "reason", d->connected || !d->why.code ? NULL : err_text(&d->why));
		line = json_text(o);
		printf("%s\n", line);
	} else {
		line = d->connected ? xasprintf("context %s: connected again", d->context->name) :
				      xasprintf("context %s: %s", d->context->name, d->why.code ? err_text(&d->why) : "not connected");
		out_line(v, line);
	}
	out_flush(v);
}

void forward_view_error(struct forward_view *v, const char *fmt, ...)
{
	autojson json *o = json_object();
	autofree char *text = NULL, *line = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	if (!v || v->mode != MODE_JSON) {
		if (v && v->started)
			out_line(v, text);
		else
			log_warn("%s", text);
	} else {
		json_set_str(o, "type", "error");
		json_set_str(o, "message", text);
		line = json_text(o);
		printf("%s\n", line);
	}
	fflush(stdout);
}

void forward_view_list(struct forwarding *f)
{
	auto(buf) struct buf table = BUF_INIT(16 << 20);

	if (f->run->opt->output == OUTPUT_JSON) {
		forward_view_change(f->view);
		return;
	}
	forward_table(f, false, f->nameless, 0, 0, &table);
	fputs(buf_str(&table), stdout);
}
