/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/resolvconf.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "agent/redirect.h"
#include "agent/resolvtext.h"
#include "agent/upstreams.h"
#include "agent/worker.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"

#define SETTLE_MS 200		/* other writers get to finish */
#define CONTEST_MS 60000
#define RETRY_MS 2000
#define SAVED_NAME "resolv.conf.original"

enum resolv_state { RESOLV_OURS, RESOLV_CHANGED, RESOLV_YIELDED, RESOLV_FAILED, RESOLV_STATES };

static const char *const state_names[] = {
	[RESOLV_OURS] = "ours",
	[RESOLV_CHANGED] = "ours, changed by another program",
	[RESOLV_YIELDED] = "left to another program, which keeps rewriting it",
	[RESOLV_FAILED] = "cannot be written",
};
_Static_assert(ARRAY_SIZE(state_names) == RESOLV_STATES, "each state has a name");

struct resolvconf {
	struct agent *agent;
	enum resolv_state state;
	char *saved_path;		/* owned */
	int fd;				/* the file, read and write */
	int inotify;
	struct io io;
	struct timer settle;
	struct buf original, ours;	/* contents */
	bool known;			/* original has been found */
	unsigned contests;
	uint64_t contest_ns;
};

/* ---- the file ---------------------------------------------------------------------------------------------------- */

static int content_read(int fd, struct buf *out)
{
	char chunk[4096];
	ssize_t n;

	buf_reset(out);
	for (off_t at = 0; (n = pread(fd, chunk, sizeof(chunk), at)) > 0; at += n)
		buf_add(out, chunk, (size_t)n);
	return n < 0 ? -errno : buf_ok(out) ? 0 : -EFBIG;
}

static int content_write(int fd, const struct buf *text, bool exact, struct err *err)
{
	int r = file_overwrite(fd, buf_str(text), text->len, exact);

	errno = -r;
	return r ? err_set(err, r, "cannot write resolv.conf: %m") : 0;
}

static int file_open(const struct config *c, struct err *err)
{
	int fd = open(c->resolv_conf, O_RDWR | O_CLOEXEC);

	return fd >= 0 ? fd : err_set(err, -errno, "cannot open %s for writing: %m", c->resolv_conf);
}

/* The original that a killed agent saved, or, should that be lost, what can be told from ours. */
static void original_recall(const char *saved_path, const struct config *c, const struct buf *current, struct buf *out)
{
	buf_reset(out);
	if (file_read(saved_path, out, NULL) == 0)
		return;
	buf_reset(out);
	resolv_strip(buf_str(current), current->len, c, out);
}

int resolvconf_undo(const struct config *c, struct err *err)
{
	autofree char *saved = path_join(c->state_dir, SAVED_NAME);
	auto(buf) struct buf current = BUF_INIT(RESOLV_MAX), original = BUF_INIT(RESOLV_MAX);
	autoclose int fd = file_open(c, err);
	int r = fd < 0 ? (fd == -ENOENT ? 0 : fd) : content_read(fd, &current);

	if (!r && fd >= 0 && resolv_is_ours(buf_str(&current), current.len)) {
		original_recall(saved, c, &current, &original);
		r = content_write(fd, &original, true, err);
	}
	if (!r && unlink(saved) < 0 && errno != ENOENT)
		r = err_set(err, -errno, "%s: %m", saved);
	return r;
}

/* ---- pointing it at us ------------------------------------------------------------------------------------------- */

/* musl asks all nameservers at once and believes the first answer. */
static bool image_has_musl(void)
{
	glob_t g;
	bool found = glob("/lib/ld-musl-*", GLOB_NOSORT, NULL, &g) == 0;

	globfree(&g);
	return found;
}

/* What is saved already is left alone: a new worker need not wait for the disk. */
static int original_save(struct resolvconf *rc, struct err *err)
{
	auto(buf) struct buf saved = BUF_INIT(RESOLV_MAX);

	if (file_read(rc->saved_path, &saved, NULL) == 0 && saved.len == rc->original.len &&
	    memcmp(buf_str(&saved), buf_str(&rc->original), saved.len) == 0)
		return 0;
	return file_write(rc->saved_path, buf_str(&rc->original), rc->original.len, 0644, err);
}

/* True when whatever line of resolv.conf a program asks, we answer. */
static bool upstreams_update(struct resolvconf *rc, const struct resolv *r)
{
	struct hostport servers[RESOLV_NAMESERVERS];
	size_t n = resolv_servers(r, &rc->agent->config.listen.addr, servers), kept = 0;

	for (size_t i = 0; i < n; i++)
		if (!redirect_is_ours(&servers[i].addr))
			servers[kept++] = servers[i];
	upstreams_set(rc->agent, servers, kept);
	redirect_set(rc->agent->redirect, servers, kept);
	return redirect_covers(rc->agent->redirect, servers, kept);
}

/* From the original in memory: upstreams, saved copy, our text, and only then the file. */
static int point_at_us(struct resolvconf *rc, struct err *err)
{
	auto(resolv) struct resolv r;
	bool all_ours;
	int code;

	resolv_parse(buf_str(&rc->original), rc->original.len, &r);
	all_ours = upstreams_update(rc, &r);
	buf_reset(&rc->ours);
	resolv_compose(&r, &rc->agent->config, image_has_musl() && !all_ours, &rc->ours);
	code = original_save(rc, err);
	if (!code)
		code = content_write(rc->fd, &rc->ours, false, err);
	rc->state = code ? RESOLV_FAILED : RESOLV_OURS;
	return code;
}

/* Equal but for the padding. */
static bool is_our_text(const struct resolvconf *rc, const struct buf *current)
{
	size_t n = rc->ours.len;

	if (current->len < n || memcmp(buf_str(current), buf_str(&rc->ours), n) != 0)
		return false;
	while (n < current->len && current->data[n] == '\n')
		n++;
	return n == current->len;
}

/* ---- other writers ----------------------------------------------------------------------------------------------- */

static void contest(struct resolvconf *rc, struct buf *current)
{
	uint64_t now = loop_now(rc->agent->loop);
	struct err err = { 0 };
	struct resolv r;

	if (now - rc->contest_ns > CONTEST_MS * 1000000ull) {
		rc->contest_ns = now;
		rc->contests = 0;
	}
	buf_reset(&rc->original);
	buf_add(&rc->original, buf_str(current), current->len);
	if (++rc->contests <= RESOLV_CONTESTS) {
		log_info("resolv.conf was rewritten by another program: taken as the new original");
		if (point_at_us(rc, &err))
			trouble_note(&rc->agent->trouble, "resolv.conf", "%s", err_text(&err));
		return;
	}
	rc->state = RESOLV_YIELDED;
	resolv_parse(buf_str(&rc->original), rc->original.len, &r);
	(void)upstreams_update(rc, &r);
	resolv_done(&r);
	trouble_note(&rc->agent->trouble, "resolv.conf", "%s", state_names[RESOLV_YIELDED]);
}

static void inotify_arm(struct resolvconf *rc)
{
	(void)inotify_add_watch(rc->inotify, rc->agent->config.resolv_conf,
				IN_MODIFY | IN_CLOSE_WRITE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ATTRIB);
}

/* Replaced as a whole (rename)? Then the new file is the one to mind. */
static void file_reopen(struct resolvconf *rc)
{
	struct stat a, b;
	int fd;

	if (fstat(rc->fd, &a) == 0 && stat(rc->agent->config.resolv_conf, &b) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev)
		return;
	fd = file_open(&rc->agent->config, NULL);
	if (fd == -EACCES || fd == -EPERM)
		worker_again(rc->agent, "resolv.conf is another file, which takes root to open");
	if (fd < 0)
		return;
	close(rc->fd);
	rc->fd = fd;
	inotify_arm(rc);
}

static void on_settled(struct timer *t)
{
	struct resolvconf *rc = container_of(t, struct resolvconf, settle);
	auto(buf) struct buf current = BUF_INIT(RESOLV_MAX);

	file_reopen(rc);
	if (content_read(rc->fd, &current) || !current.len)
		timer_start(rc->agent->loop, t, RETRY_MS, on_settled);	/* somebody is about to write it */
	else if (is_our_text(rc, &current))
		rc->state = RESOLV_OURS;
	else if (resolv_is_ours(buf_str(&current), current.len))
		rc->state = RESOLV_CHANGED;
	else
		contest(rc, &current);
}

static void on_inotify(struct io *io, unsigned events)
{
	struct resolvconf *rc = container_of(io, struct resolvconf, io);
	char drop[4096];

	while (read(rc->inotify, drop, sizeof(drop)) > 0)
		;
	timer_start(rc->agent->loop, &rc->settle, SETTLE_MS, on_settled);
}

/* ---- module ------------------------------------------------------------------------------------------------------ */

static int original_find(struct resolvconf *rc, struct err *err)
{
	auto(buf) struct buf current = BUF_INIT(RESOLV_MAX);
	int r = content_read(rc->fd, &current);

	if (r)
		return err_set(err, r, "cannot read %s: %s", rc->agent->config.resolv_conf, strerror(-r));
	if (resolv_is_ours(buf_str(&current), current.len)) {
		original_recall(rc->saved_path, &rc->agent->config, &current, &rc->original);
		log_info("resolv.conf is ours already: the saved original is used");
	} else {
		buf_add(&rc->original, buf_str(&current), current.len);
	}
	rc->known = true;
	return 0;
}

int resolvconf_start(struct agent *a, struct err *err)
{
	struct resolvconf *rc = a->resolvconf = xcalloc(1, sizeof(*rc));
	int r;

	rc->agent = a;
	rc->inotify = -1;
	rc->saved_path = path_join(a->config.state_dir, SAVED_NAME);
	buf_init(&rc->original, RESOLV_MAX);
	buf_init(&rc->ours, RESOLV_MAX);
	rc->state = RESOLV_FAILED;
	rc->fd = file_open(&a->config, err);
	if (rc->fd < 0)
		return rc->fd;
	r = original_find(rc, err);
	if (!r)
		r = point_at_us(rc, err);
	if (r)
		return r;
	rc->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (rc->inotify < 0)
		return err_set(err, -errno, "inotify: %m");
	inotify_arm(rc);
	io_start(a->loop, &rc->io, rc->inotify, IO_IN, on_inotify);
	return 0;
}

static void restore(struct resolvconf *rc)
{
	auto(buf) struct buf current = BUF_INIT(RESOLV_MAX);
	struct err err = { 0 };

	if (content_read(rc->fd, &current) == 0 && resolv_is_ours(buf_str(&current), current.len) &&
	    content_write(rc->fd, &rc->original, true, &err)) {
		log_error("%s; the original is in %s", err_text(&err), rc->saved_path);
		return;
	}
	(void)unlink(rc->saved_path);
}

void resolvconf_stop(struct agent *a)
{
	struct resolvconf *rc = a->resolvconf;

	if (!rc)
		return;
	io_stop(&rc->io);
	timer_stop(&rc->settle);
	if (rc->fd >= 0) {
		if (rc->known)
			restore(rc);
		close(rc->fd);
	}
	redirect_set(a->redirect, NULL, 0);
	if (rc->inotify >= 0)
		close(rc->inotify);
	buf_done(&rc->original);
	buf_done(&rc->ours);
	free(rc->saved_path);
	free(steal(&a->resolvconf));
}

void resolvconf_status(struct agent *a, json *o)
{
	json *j = json_set(o, "resolv_conf", json_object());

	json_set_str(j, "path", a->config.resolv_conf);
	if (a->resolvconf)
		json_set_str(j, "state", state_names[a->resolvconf->state]);
}
