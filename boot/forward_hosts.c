/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/forward_hosts.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "base/file.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"

/* A block:
 *	# firestream forward begin ID[ joined]
 *	127.1.2.3 web web.default …
 *	# firestream forward end ID
 * "joined": the text before had no newline at its end, and has none again when the block goes. */
#define BEGIN "# firestream forward begin "
#define END "# firestream forward end "
#define JOINED " joined"
#define LINE_MAX_BYTES 400u
#define LINE_NAMES 30u

struct line {
	struct str text;	/* without its end */
	struct str all;		/* with it */
};

struct composer {
	struct str rest;
	const char *id, *lines;
	hosts_alive_fn alive;
	void *arg;
	struct buf *out;
	bool joined;		/* the newline at the end of `out` is not the file's */
	bool placed;		/* our block has its place again */
};

static bool line_next(struct str *rest, struct line *ret)
{
	const char *end = rest->len ? memchr(rest->p, '\n', rest->len) : NULL;
	size_t n = end ? (size_t)(end - rest->p) + 1 : rest->len;

	if (!rest->len)
		return false;
	ret->all = ret->text = (struct str){ rest->p, n };
	while (ret->text.len && strchr("\r\n", ret->text.p[ret->text.len - 1]))
		ret->text.len--;
	rest->p += n;
	rest->len -= n;
	return true;
}

/* What follows the prefix, or nothing. */
static bool marker(const struct line *l, const char *prefix, struct str *ret)
{
	size_t n = strlen(prefix);

	if (l->text.len < n || memcmp(l->text.p, prefix, n) != 0)
		return false;
	*ret = (struct str){ l->text.p + n, l->text.len - n };
	return true;
}

static bool joined_cut(struct str *id)
{
	size_t n = sizeof(JOINED) - 1;

	if (id->len < n || memcmp(id->p + id->len - n, JOINED, n) != 0)
		return false;
	id->len -= n;
	return true;
}

/* The text up to the block's end marker, which is consumed. A block that was never closed has those of its lines that follow at once
 * and have an address that we give out. */
static struct str block_take(struct str *rest)
{
	struct str scan = *rest, body = { rest->p, 0 }, id;
	struct line l;

	while (line_next(&scan, &l) && !marker(&l, BEGIN, &id)) {
		if (!marker(&l, END, &id))
			continue;
		body.len = (size_t)(l.all.p - body.p);
		*rest = scan;
		return body;
	}
	for (scan = *rest; line_next(&scan, &l) && l.text.len > 4 && memcmp(l.text.p, "127.", 4) == 0 && l.text.p[4] != '0'; *rest = scan)
		body.len = (size_t)(scan.p - body.p);
	return body;
}

/* The newline that was put before the block goes with it, unless something else stands there now. */
static void join_drop(struct composer *c)
{
	struct buf *b = c->out;
	struct str scan = c->rest, id;
	struct line l;

	if (line_next(&scan, &l)) {
		c->joined = marker(&l, BEGIN, &id);
		return;
	}
	c->joined = false;
	if (b->len && b->data[b->len - 1] == '\n')
		b->data[--b->len] = '\0';
	if (b->len && b->data[b->len - 1] == '\r')
		b->data[--b->len] = '\0';
}

static void block_put(struct composer *c, bool joined, const char *end)
{
	struct str rest = str_from(c->lines), line;

	buf_addf(c->out, BEGIN "%s%s%s", c->id, joined ? JOINED : "", end);
	while (str_split(&rest, '\n', &line))
		if (line.len)
			buf_addf(c->out, "%.*s%s", STR_ARG(line), end);
	buf_addf(c->out, END "%s%s", c->id, end);
	c->joined = false;
	c->placed = true;
}

/* Ours is made anew where it stands, so that two who write by turns do not change places. */
static void block_pass(struct composer *c, struct str id, const char *end)
{
	bool joined = joined_cut(&id) || c->joined, ours;
	autofree char *name = xstrndup(id.p, id.len);
	struct str body = block_take(&c->rest);

	ours = streq(name, c->id);
	if (ours && *c->lines && !c->placed) {
		block_put(c, joined, end);
	} else if (!ours && c->alive(c->arg, name)) {
		buf_addf(c->out, BEGIN "%s%s%s%.*s" END "%s%s", name, joined ? JOINED : "", end, STR_ARG(body), name, end);
		c->joined = false;
	} else if (joined) {
		join_drop(c);
	}
}

static void block_add(struct composer *c, const char *end)
{
	bool joined = c->out->len && c->out->data[c->out->len - 1] != '\n';

	if (!*c->lines || c->placed)
		return;
	buf_adds(c->out, joined ? end : "");
	block_put(c, joined, end);
}

void hosts_compose(const char *text, size_t n, const char *id, const char *lines, hosts_alive_fn alive, void *arg, struct buf *out)
{
	struct composer c = { .rest = { text, n }, .id = id, .lines = lines, .alive = alive, .arg = arg, .out = out };
	const char *first = n ? memchr(text, '\n', n) : NULL;
	const char *end = first && first > text && first[-1] == '\r' ? "\r\n" : "\n";
	struct line l;
	struct str of;

	while (line_next(&c.rest, &l)) {
		if (marker(&l, BEGIN, &of)) {
			block_pass(&c, of, end);
			continue;
		}
		if (!marker(&l, END, &of))	/* the end of no block is nobody's */
			buf_add(out, l.all.p, l.all.len);
		c.joined = false;
	}
	block_add(&c, end);
}

/* ---- names ------------------------------------------------------------------------------------------------------- */

#define NAME_MAX_BYTES 256u

static void line_names(struct str line, struct map *ret)
{
	const char *comment = memchr(line.p, '#', line.len);
	size_t at = 0, end = comment ? (size_t)(comment - line.p) : line.len;
	char name[NAME_MAX_BYTES];

	for (unsigned word = 0; at < end; word++) {
		size_t n = 0;

		for (; at < end && !strchr(" \t", line.p[at]); at++)
			if (n < sizeof(name) - 1)
				name[n++] = (char)tolower((unsigned char)line.p[at]);
		name[n] = '\0';
		if (word && n)		/* the first is the address */
			map_set(ret, name, ret);
		while (at < end && strchr(" \t", line.p[at]))
			at++;
	}
}

void hosts_names(const char *text, size_t n, struct map *ret)
{
	struct str rest = { text, n }, id;
	struct line l;

	while (line_next(&rest, &l)) {
		if (marker(&l, BEGIN, &id))
			(void)block_take(&rest);
		else
			line_names(l.text, ret);
	}
}

void hosts_add_names(struct buf *lines, const char *address, char *const *names, size_t n)
{
	size_t length = 0;
	unsigned count = 0;

	for (size_t i = 0; i < n; i++) {
		size_t more = strlen(names[i]) + 1;

		if (count && (count == LINE_NAMES || length + more > LINE_MAX_BYTES)) {
			buf_addc(lines, '\n');
			count = 0;
		}
		if (!count++) {
			buf_adds(lines, address);
			length = strlen(address);
		}
		buf_addf(lines, " %s", names[i]);
		length += more;
	}
	if (count)
		buf_addc(lines, '\n');
}

/* ---- instances --------------------------------------------------------------------------------------------------- */

/* In clock ticks since boot; 0: unknown. The process's name, in parentheses, may hold anything. */
static unsigned long long start_time(long pid)
{
	autofree char *path = xasprintf("/proc/%ld/stat", pid);
	auto(buf) struct buf b = BUF_INIT(4096);
	unsigned long long start = 0;
	const char *p;

	if (file_read(path, &b, NULL) < 0 || !(p = strrchr(buf_str(&b), ')')))
		return 0;
	for (unsigned field = 2; *p && field < 22; p++)
		field += *p == ' ';
	return sscanf(p, "%llu", &start) == 1 ? start : 0;
}

static void boot_id(char ret[static 9])
{
	auto(buf) struct buf b = BUF_INIT(256);

	(void)!file_read("/proc/sys/kernel/random/boot_id", &b, NULL);
	snprintf(ret, 9, "%.8s", b.len ? buf_str(&b) : "-");
}

static unsigned long long pid_namespace(void)
{
	struct stat st;

	return stat("/proc/self/ns/pid", &st) == 0 ? (unsigned long long)st.st_ino : 0;
}

void hosts_instance(char ret[static HOSTS_ID_MAX])
{
	char boot[9];

	boot_id(boot);
	snprintf(ret, HOSTS_ID_MAX, "%ld %llu %s %llu", (long)getpid(), start_time(getpid()), boot, pid_namespace());
}

bool hosts_instance_alive(void *arg, const char *id)
{
	char boot[9] = "", now[9];
	unsigned long long start, space;
	long pid;

	boot_id(now);
	if (sscanf(id, "%ld %llu %8s %llu", &pid, &start, boot, &space) != 4 || pid < 1 || !streq(boot, now))
		return false;
	if (space != pid_namespace())
		return true;
	return (kill((pid_t)pid, 0) == 0 || errno != ESRCH) && start_time(pid) == start;
}

/* ---- the file ---------------------------------------------------------------------------------------------------- */

#define LOCK_MS 3000
#define LOCK_STEP_NS 5000000

static int lock_wait(int fd)
{
	const struct timespec pause = { .tv_nsec = LOCK_STEP_NS };
	uint64_t deadline = loop_deadline(LOCK_MS);

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		if (loop_deadline(0) >= deadline)
			return -EBUSY;
		(void)nanosleep(&pause, NULL);
	}
	return 0;
}

/* The file, locked: the one that is there once we have the lock, as another writer may have replaced it. */
static int hosts_open(const char *path, struct err *err)
{
	struct stat held, there;
	int r;

	for (;;) {
		int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);

		r = fd < 0 ? -errno : lock_wait(fd);
		if (fd >= 0 && !r && fstat(fd, &held) == 0 && stat(path, &there) == 0 && held.st_ino == there.st_ino &&
		    held.st_dev == there.st_dev)
			return fd;
		if (fd >= 0)
			close(fd);
		if (r)
			break;
	}
	errno = -r;
	return r == -EBUSY ? err_set(err, r, "another program keeps %s locked", path) : err_set(err, r, "cannot write %s: %m", path);
}

/* Replaced as a whole where that is possible. */
static int hosts_put(const char *path, int fd, const struct buf *text, struct err *err)
{
	struct stat st;
	int r = fstat(fd, &st) < 0 ? -errno : file_write(path, buf_str(text), text->len, st.st_mode & 07777, err);

	if (r == -EBUSY || r == -EACCES || r == -EPERM || r == -EROFS || r == -EXDEV)
		r = file_overwrite(fd, buf_str(text), text->len, true);
	errno = -r;
	return r ? err_set(err, r, "cannot write %s: %m", path) : 0;
}

int hosts_apply(const char *path, const char *lines, struct err *err)
{
	auto(buf) struct buf text = BUF_INIT(HOSTS_MAX), made = BUF_INIT(HOSTS_MAX);
	autoclose int fd = hosts_open(path, err);
	char id[HOSTS_ID_MAX];
	int r = fd < 0 ? fd : file_read(path, &text, err);

	if (r < 0)
		return r;
	hosts_instance(id);
	hosts_compose(buf_str(&text), text.len, id, lines, hosts_instance_alive, NULL, &made);
	if (!buf_ok(&made))
		return err_set(err, -EFBIG, "%s would be larger than %zu bytes", path, HOSTS_MAX);
	if (made.len == text.len && memcmp(buf_str(&made), buf_str(&text), made.len) == 0)
		return 0;
	return hosts_put(path, fd, &made, err);
}

bool hosts_writable(const char *path)
{
	autofree char *dir = path_dirname(path);

	return access(path, W_OK) == 0 || (errno == ENOENT && access(dir, W_OK) == 0);
}
