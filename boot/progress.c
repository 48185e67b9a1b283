/* SPDX-License-Identifier: Apache-2.0 */
/* How it works: one mutex guards everything. In live mode the bottom lines of the terminal, one per running step, are ours:
 * whatever is printed first takes them off (`drawn` of them) and puts them back after. A thread of its own redraws them four
 * times a second. */
#include "boot/progress.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <time.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"

enum { LAST_LINES = 20, LINE_MAX_BYTES = 2000, FRAME_MS = 250, NOTE_MS = 1000, SIGN_MS = 60000 };

struct progress_step {
	struct progress *p;		/* borrowed */
	struct progress_step *next;	/* running steps, in order of their start */
	char *name, *title, *note;	/* owned */
	uint64_t start_ms, expects_ms, noted_ms, said_ms;	/* said: a plain line was printed */
	char *last[LAST_LINES];		/* ring of owned lines, `lines` were added in all */
	size_t lines;
};

struct progress {
	enum progress_mode mode;	/* never AUTO with `live` false */
	bool live, colour, utf8, paused, ending, painting;
	uint64_t sign_ms;
	int fd, log_fd;
	unsigned drawn;
	struct progress_step *steps;
	pthread_mutex_t mutex;
	pthread_cond_t tick;
	pthread_t painter;
};

static const struct { const char *word, *mark, *plain_mark, *colour; } ends[] = {
	[PROGRESS_DONE] = { "done", "✓", "+", "\033[32m" },
	[PROGRESS_UNCHANGED] = { "unchanged", "✓", "=", "\033[2m" },
	[PROGRESS_FAILED] = { "failed", "✗", "!", "\033[31m" },
	[PROGRESS_CANCELLED] = { "cancelled", "-", "-", "\033[33m" },
};

static uint64_t now_ms(void)
{
	return loop_deadline(0) / 1000000;
}

static void put(int fd, const char *p, size_t n)
{
	while (n > 0 && fd >= 0) {
		ssize_t w = write(fd, p, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return;
		p += w;
		n -= (size_t)w;
	}
}

static void stamp(struct buf *b, bool dated)
{
	char text[40];
	time_t t = time(NULL);
	struct tm tm;

	localtime_r(&t, &tm);
	if (dated)
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S%z", &tm);
	else
		strftime(text, sizeof(text), "%H:%M:%S", &tm);
	buf_adds(b, text);
}

/* Foreign text with escape sequences and control characters taken out; of a line redrawn by '\r' the last state. */
static char *clean(const char *line)
{
	auto(buf) struct buf b = BUF_INIT(LINE_MAX_BYTES);
	size_t len = strcspn(line, "\n");
	const char *end;

	while (len > 0 && line[len - 1] == '\r')
		len--;
	end = line + len;
	for (const char *p = line; p < end && buf_ok(&b); p++) {
		if (*p == '\033' && p + 1 < end && p[1] == '[') {
			for (p += 2; p < end && !(*p >= '@' && *p <= '~'); p++)
				;
		} else if (*p == '\r') {
			buf_reset(&b);
		} else if (*p == '\t') {
			buf_addc(&b, ' ');
		} else if ((unsigned char)*p >= ' ' && *p != 127) {
			buf_addc(&b, *p);
		}
	}
	return xstrdup(buf_str(&b));
}

static void add_duration(struct buf *b, uint64_t ms)
{
	if (ms < 10000)
		buf_addf(b, "%u.%u s", (unsigned)(ms / 1000), (unsigned)(ms % 1000 / 100));
	else if (ms < 60000)
		buf_addf(b, "%u s", (unsigned)(ms / 1000));
	else
		buf_addf(b, "%u min %02u s", (unsigned)(ms / 60000), (unsigned)(ms / 1000 % 60));
}

static const char *colour(const struct progress *p, const char *code)
{
	return p->colour ? code : "";
}

/* Appends at most `width` columns of text. */
static void add_cut(struct buf *b, const char *text, size_t width)
{
	for (; *text; text++) {
		if ((*text & 0xc0) != 0x80 && width-- == 0)
			return;
		buf_addc(b, *text);
	}
}

static size_t terminal_width(const struct progress *p)
{
	struct winsize w;

	return ioctl(p->fd, TIOCGWINSZ, &w) == 0 && w.ws_col > 20 ? w.ws_col : 80;
}

static void add_live_line(struct buf *b, const struct progress_step *s, size_t width)
{
	auto(buf) struct buf line = BUF_INIT(LINE_MAX_BYTES);
	uint64_t elapsed = now_ms() - s->start_ms;

	buf_addf(&line, "  %s  %s  ", s->p->utf8 ? "…" : ".", s->title);
	add_duration(&line, elapsed);
	if (s->expects_ms > elapsed) {
		buf_adds(&line, " of about ");
		add_duration(&line, s->expects_ms);
	}
	if (s->note)
		buf_addf(&line, "  %s", s->note);
	add_cut(b, buf_str(&line), width - 1);
	buf_addc(b, '\n');
}

/* Everything that goes to the screen goes through here: `text` (whole lines) above the live ones. */
static void paint(struct progress *p, const char *text)
{
	auto(buf) struct buf b = BUF_INIT(1 << 20);

	if (p->drawn > 0)
		buf_addf(&b, "\033[%uA\r\033[J", p->drawn);
	p->drawn = 0;
	buf_adds(&b, text);
	if (p->live && !p->paused) {
		size_t width = terminal_width(p);

		for (const struct progress_step *s = p->steps; s; s = s->next, p->drawn++)
			add_live_line(&b, s, width);
	}
	put(p->fd, buf_str(&b), b.len);
}

static void plain_event(struct progress *p, struct progress_step *s, const char *event, const char *text)
{
	auto(buf) struct buf b = BUF_INIT(LINE_MAX_BYTES + 200);

	stamp(&b, false);
	buf_addf(&b, " %s%s%s%s%s\n", s->name, *event ? " " : "", event, text && *text ? ": " : "", text ? text : "");
	put(p->fd, buf_str(&b), b.len);
	s->said_ms = now_ms();
}

/* Signs of life of steps that have said nothing for a while. */
static void signs_print(struct progress *p)
{
	for (struct progress_step *s = p->steps; s; s = s->next) {
		auto(buf) struct buf b = BUF_INIT(LINE_MAX_BYTES);

		if (now_ms() - s->said_ms < p->sign_ms)
			continue;
		buf_addf(&b, "still %s, after ", s->note && *s->note ? s->note : "at it");
		add_duration(&b, now_ms() - s->start_ms);
		plain_event(p, s, "", buf_str(&b));
	}
}

static void *painter_main(void *arg)
{
	struct progress *p = arg;

	pthread_mutex_lock(&p->mutex);
	while (!p->ending) {
		struct timespec until;

		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += (p->live ? FRAME_MS : MIN(NOTE_MS - 1, (long)p->sign_ms)) * 1000000L;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		pthread_cond_timedwait(&p->tick, &p->mutex, &until);
		if (p->live && p->steps && !p->paused)
			paint(p, "");
		else if (p->mode == PROGRESS_PLAIN)
			signs_print(p);
	}
	pthread_mutex_unlock(&p->mutex);
	return NULL;
}

/* Signals stay with the main thread. */
static int painter_start(struct progress *p)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&p->painter, NULL, painter_main, p);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r;
}

/* "12:00:00 name event: text", or without either. */
static void log_event(struct progress *p, const char *name, const char *event, const char *text)
{
	auto(buf) struct buf b = BUF_INIT(LINE_MAX_BYTES + 200);

	if (p->log_fd < 0)
		return;
	stamp(&b, true);
	buf_addf(&b, " %s%s%s%s%s\n", name, *event ? " " : "", event, streq(event, "|") ? " " : text && *text ? ": " : "",
		 text ? text : "");
	put(p->log_fd, buf_str(&b), b.len);
}

static size_t first_line(const struct progress_step *s)
{
	return s->lines > LAST_LINES ? s->lines - LAST_LINES : 0;
}

static void json_event(struct progress *p, const struct progress_step *s, const char *event, const char *text,
		       uint64_t elapsed_ms)
{
	autojson json *o = json_object();
	autofree char *line = NULL;
	auto(buf) struct buf time = BUF_INIT(64), b = BUF_INIT(1 << 16);

	stamp(&time, true);
	json_set_str(o, "time", buf_str(&time));
	json_set_str(o, "step", s->name);
	json_set_str(o, "event", event);
	json_set_str(o, "text", text);
	if (elapsed_ms != UINT64_MAX)
		json_set_int(o, "elapsed_ms", (int64_t)elapsed_ms);
	if (streq(event, ends[PROGRESS_FAILED].word)) {
		json *output = json_set(o, "output", json_array());

		for (size_t i = first_line(s); i < s->lines; i++)
			json_add_str(output, s->last[i % LAST_LINES]);
	}
	line = json_text(o);
	buf_addf(&b, "%s\n", line);
	put(p->fd, buf_str(&b), b.len);
}

static bool is_utf8(void)
{
	static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *v = getenv(names[i]);

		if (v && *v)
			return strstr(v, "UTF-8") || strstr(v, "utf8") || strstr(v, "UTF8");
	}
	return false;
}

static bool terminal_is_live(int fd)
{
	const char *term = getenv("TERM");

	return isatty(fd) && term && *term && !streq(term, "dumb");
}

struct progress *progress_new(enum progress_mode mode, int fd, const char *log_path)
{
	struct progress *p = xcalloc(1, sizeof(*p));
	const char *no_color = getenv("NO_COLOR");

	p->fd = fd;
	p->live = mode == PROGRESS_AUTO && terminal_is_live(fd);
	p->mode = mode == PROGRESS_AUTO && !p->live ? PROGRESS_PLAIN : mode;
	p->colour = p->live && !(no_color && *no_color);
	p->utf8 = is_utf8();
	p->log_fd = log_path ? open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
	pthread_mutex_init(&p->mutex, NULL);
	pthread_cond_init(&p->tick, NULL);
	p->sign_ms = SIGN_MS;
	p->painting = (p->live || p->mode == PROGRESS_PLAIN) && painter_start(p) == 0;
	if (p->live && !p->painting) {
		p->live = false;
		p->mode = PROGRESS_PLAIN;
	}
	return p;
}

static void step_free(struct progress_step *s)
{
	for (size_t i = 0; i < LAST_LINES; i++)
		free(s->last[i]);
	free(s->name);
	free(s->title);
	free(s->note);
	free(s);
}

struct progress *progress_free(struct progress *p)
{
	if (!p)
		return NULL;
	if (p->painting) {
		pthread_mutex_lock(&p->mutex);
		p->ending = true;
		pthread_cond_signal(&p->tick);
		pthread_mutex_unlock(&p->mutex);
		pthread_join(p->painter, NULL);
	}
	while (p->steps) {
		struct progress_step *s = p->steps;

		p->steps = s->next;
		step_free(s);
	}
	if (p->log_fd >= 0)
		close(p->log_fd);
	pthread_cond_destroy(&p->tick);
	pthread_mutex_destroy(&p->mutex);
	free(p);
	return NULL;
}

void progress_sign_after(struct progress *p, uint64_t ms)
{
	pthread_mutex_lock(&p->mutex);
	p->sign_ms = ms;
	pthread_cond_signal(&p->tick);
	pthread_mutex_unlock(&p->mutex);
}

void progress_pause(struct progress *p, bool pause)
{
	pthread_mutex_lock(&p->mutex);
	p->paused = pause;
	if (p->live)
		paint(p, "");
	pthread_mutex_unlock(&p->mutex);
}

struct progress_step *progress_start(struct progress *p, const char *name, const char *title, uint64_t expects_ms)
{
	struct progress_step *s = xcalloc(1, sizeof(*s)), **end = &p->steps;

	s->p = p;
	s->name = xstrdup(name);
	s->title = xstrdup(title);
	s->expects_ms = expects_ms;
	s->start_ms = now_ms();
	pthread_mutex_lock(&p->mutex);
	while (*end)
		end = &(*end)->next;
	*end = s;
	log_event(p, name, "start", title);
	if (p->live)
		paint(p, "");
	else if (p->mode == PROGRESS_PLAIN)
		plain_event(p, s, "start", title);
	else if (p->mode == PROGRESS_JSON)
		json_event(p, s, "start", title, UINT64_MAX);
	pthread_mutex_unlock(&p->mutex);
	return s;
}

printf_like(1, 0) static char *format_clean(const char *fmt, va_list ap)
{
	auto(buf) struct buf b = BUF_INIT(LINE_MAX_BYTES);

	buf_addv(&b, fmt, ap);
	return clean(buf_str(&b));
}

void progress_note(struct progress_step *s, const char *fmt, ...)
{
	struct progress *p = s->p;
	uint64_t now = now_ms();
	char *text;
	va_list ap;

	va_start(ap, fmt);
	text = format_clean(fmt, ap);
	va_end(ap);
	pthread_mutex_lock(&p->mutex);
	if (!streq(s->note, text)) {
		free(s->note);
		s->note = text;
		text = NULL;
		if (now - s->noted_ms >= NOTE_MS || s->noted_ms == 0) {
			s->noted_ms = now;
			log_event(p, s->name, "", s->note);
			if (p->mode == PROGRESS_PLAIN)
				plain_event(p, s, "", s->note);
			else if (p->mode == PROGRESS_JSON)
				json_event(p, s, "note", s->note, UINT64_MAX);
		}
	}
	pthread_mutex_unlock(&p->mutex);
	free(text);
}

void progress_output(struct progress_step *s, const char *line)
{
	char *text = clean(line), **slot;

	pthread_mutex_lock(&s->p->mutex);
	log_event(s->p, s->name, "|", text);
	slot = &s->last[s->lines++ % LAST_LINES];
	free(*slot);
	*slot = text;
	pthread_mutex_unlock(&s->p->mutex);
}

void progress_say(struct progress_step *s, const char *fmt, ...)
{
	auto(buf) struct buf b = BUF_INIT(LINE_MAX_BYTES);
	autofree char *text = NULL;
	struct progress *p = s->p;
	va_list ap;

	va_start(ap, fmt);
	text = format_clean(fmt, ap);
	va_end(ap);
	pthread_mutex_lock(&p->mutex);
	log_event(p, s->name, "", text);
	if (p->mode == PROGRESS_JSON) {
		json_event(p, s, "say", text, UINT64_MAX);
	} else if (p->mode == PROGRESS_PLAIN) {
		plain_event(p, s, "", text);
	} else {
		buf_addf(&b, "  %s  %s\n", p->utf8 ? "·" : "-", text);
		paint(p, buf_str(&b));
	}
	pthread_mutex_unlock(&p->mutex);
}

void progress_expect(struct progress_step *s, uint64_t total_ms)
{
	pthread_mutex_lock(&s->p->mutex);
	s->expects_ms = total_ms;
	pthread_mutex_unlock(&s->p->mutex);
}

static void add_last_lines(struct buf *b, const struct progress_step *s)
{
	for (size_t i = first_line(s); i < s->lines; i++)
		buf_addf(b, "     | %s\n", s->last[i % LAST_LINES]);
}

/* "Kubernetes cluster  4.2 s  k3d-demo ready", with the sentence and the last lines of a failure below. */
static void finish_text(struct progress_step *s, enum progress_end how, const char *text, const struct err *err,
			uint64_t elapsed)
{
	auto(buf) struct buf b = BUF_INIT(1 << 17);
	struct progress *p = s->p;

	if (p->mode == PROGRESS_PLAIN) {
		auto(buf) struct buf what = BUF_INIT(LINE_MAX_BYTES), event = BUF_INIT(100);

		buf_addf(&event, "%s %s ", ends[how].word, how <= PROGRESS_UNCHANGED ? "in" : "after");
		add_duration(&event, elapsed);
		buf_adds(&what, how == PROGRESS_FAILED ? err_text(err) : text ? text : "");
		plain_event(p, s, buf_str(&event), buf_str(&what));
	} else {
		const char *mark = p->utf8 ? ends[how].mark : ends[how].plain_mark;

		buf_addf(&b, "  %s%s%s  %s  %s", colour(p, ends[how].colour), mark, colour(p, "\033[0m"), s->title,
			 colour(p, "\033[2m"));
		add_duration(&b, elapsed);
		buf_adds(&b, colour(p, "\033[0m"));
		if (how == PROGRESS_UNCHANGED || how == PROGRESS_CANCELLED)
			buf_addf(&b, "  %s", ends[how].word);
		buf_addf(&b, "%s%s\n", text && *text ? "  " : "", text ? text : "");
		if (how == PROGRESS_FAILED)
			buf_addf(&b, "     %s\n", err_text(err));
	}
	if (how == PROGRESS_FAILED)
		add_last_lines(&b, s);
	paint(p, buf_str(&b));
}

static void unlink_step(struct progress_step *s)
{
	struct progress_step **at = &s->p->steps;

	while (*at && *at != s)
		at = &(*at)->next;
	if (*at)
		*at = s->next;
}

void progress_finish(struct progress_step *s, enum progress_end how, const char *text, const struct err *err)
{
	struct progress *p = s->p;
	uint64_t elapsed = now_ms() - s->start_ms;

	pthread_mutex_lock(&p->mutex);
	unlink_step(s);
	log_event(p, s->name, ends[how].word, how == PROGRESS_FAILED ? err_text(err) : text);
	if (p->mode == PROGRESS_JSON)
		json_event(p, s, ends[how].word, how == PROGRESS_FAILED ? err_text(err) : text, elapsed);
	else if (p->mode != PROGRESS_QUIET || how == PROGRESS_FAILED)
		finish_text(s, how, text, err, elapsed);
	pthread_mutex_unlock(&p->mutex);
	step_free(s);
}
