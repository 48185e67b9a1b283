/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "boot/forward_run.h"

#define CELL_MAX 256
#define LAST_LINES 2u		/* the last event and the line before it */

enum { CELL_NAME, CELL_ADDRESS, CELL_PORTS, CELL_STATE, CELL_OPEN, CELL_IN, CELL_OUT, CELLS };

static const char *const heads[CELLS] = { "SERVICE", "ADDRESS", "PORTS", "STATE", "OPEN", "RECEIVED", "SENT  " };	/* room to grow */

struct table {
	const struct forwarding *f;
	bool counts;
	size_t n;		/* rows that are shown */
	char *(*cell)[CELLS];	/* owned, each owned */
	size_t width[CELLS];
};

static char *bytes_text(uint64_t n)
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB" };
	double v = (double)n;
	size_t u = 0;

	for (; v >= 1000 && u + 1 < ARRAY_SIZE(units); u++)
		v /= 1000;
	return u ? xasprintf("%.*f %s", v < 10 ? 1 : 0, v, units[u]) : xasprintf("%.0f B", v);
}

static void row_counts(const struct forwarding *f, const struct forward_row *row, struct forward_count *sum)
{
	*sum = (struct forward_count){ 0 };
	for (unsigned i = 0; i < row->n_ports; i++) {
		const struct listener *l = forward_listener(f, row, row->ports[i].number);
		struct forward_count c;

		if (!l)
			continue;
		forward_count(l->forward, &c);
		sum->open += c.open;
		sum->received += c.received;
		sum->sent += c.sent;
	}
}

static void row_cells(struct table *t, const struct forward_row *row, char **cell)
{
	char addr[ADDR_STRLEN];
	struct forward_count c;
	const char *why;
	enum forward_state s = forward_state(t->f, row, &why);

	cell[CELL_NAME] = forward_row_name(t->f, row);
	cell[CELL_ADDRESS] = xstrdup(row->refused ? "-" : addr_format(&row->addr, addr));
	cell[CELL_PORTS] = forward_row_ports(row);
	cell[CELL_STATE] = s == FORWARD_READY && row->ready > 1 ? xasprintf("ready (%u)", row->ready) : xstrdup(forward_state_name(s));
	if (!t->counts)
		return;
	row_counts(t->f, row, &c);
	cell[CELL_OPEN] = xasprintf("%u", c.open);
	cell[CELL_IN] = bytes_text(c.received);
	cell[CELL_OUT] = bytes_text(c.sent);
}

static void table_fill(struct table *t, size_t rows)
{
	t->n = MIN(rows, t->f->plan.n);
	t->cell = xcalloc(t->n + 1, sizeof(*t->cell));
	for (size_t k = 0; k < CELLS; k++)
		t->width[k] = strlen(heads[k]);
	for (size_t i = 0; i < t->n; i++) {
		row_cells(t, &t->f->plan.rows[i], t->cell[i]);
		for (size_t k = 0; k < CELLS; k++)
			if (t->cell[i][k])
				t->width[k] = MAX(t->width[k], strlen(t->cell[i][k]));
	}
}

/* Cut at the screen's edge, on a whole character. */
static void line_add(struct buf *out, const char *text, unsigned columns)
{
	size_t n = strlen(text), at = 0;

	for (unsigned seen = 0; at < n && (!columns || seen < columns); seen++) {
		at++;
		while (at < n && ((unsigned char)text[at] & 0xc0) == 0x80)
			at++;
	}
	while (at && text[at - 1] == ' ')
		at--;
	buf_add(out, text, at);
	buf_addc(out, '\n');
}

static void cells_add(const struct table *t, const char *const *cell, const char *tail, unsigned columns, struct buf *out)
{
	auto(buf) struct buf line = BUF_INIT(1 << 16);

	for (size_t k = 0; k < (t->counts ? CELLS : CELL_OPEN); k++)
		buf_addf(&line, "%-*s  ", (int)t->width[k], cell[k] ? cell[k] : "");
	buf_adds(&line, tail ? tail : "");
	line_add(out, buf_str(&line), columns);
}

/* The names, and what is to be known of it; of a refused one only that. On the live table there is no room for both. */
static char *row_tail(const struct forwarding *f, const struct forward_row *row, bool live)
{
	autofree char *names = strv_join(&row->names, " ");
	const char *why;

	(void)forward_state(f, row, &why);
	if (!f->names || row->refused || (live && why))
		return xstrdup(why ? why : "");
	return why ? xasprintf("%s (%s)", names, why) : steal(&names);
}

void forward_table(const struct forwarding *f, bool counts, const char *last, unsigned columns, unsigned lines, struct buf *out)
{
	size_t room = !lines ? SIZE_MAX : lines > LAST_LINES + 3 ? lines - LAST_LINES - 3 : 1;
	struct table t = { .f = f, .counts = counts };

	table_fill(&t, room);
	cells_add(&t, heads, counts ? "" : "NAMES", columns, out);
	for (size_t i = 0; i < t.n; i++) {
		autofree char *tail = row_tail(f, &f->plan.rows[i], lines > 0);

		cells_add(&t, (const char *const *)t.cell[i], tail, columns, out);
		for (size_t k = 0; k < CELLS; k++)
			free(t.cell[i][k]);
	}
	if (t.n < f->plan.n)
		buf_addf(out, "… and %zu more\n", f->plan.n - t.n);
	for (size_t i = 0; i < f->plan.notes.n && !lines; i++)
		line_add(out, f->plan.notes.v[i], columns);
	if (last)
		line_add(out, last, columns);
	free(t.cell);
}
