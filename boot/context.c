/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/context.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"

#define IGNORE_FILE_MAX (1u << 20)
#define IGNORE_STEPS 20000 /* of one match: a pattern of many stars gives up instead of taking for ever */
#define LINK_MAX 4096

/* ---- patterns ---- */

/* path.Clean of Go: "a//b/./c/../d/" → "a/b/d"; a leading slash goes too. */
static char *pattern_clean(struct str p)
{
	struct strv parts = { 0 };
	struct str part;
	char *s;

	while (str_split(&p, '/', &part)) {
		if (!part.len || str_eq(part, "."))
			continue;
		if (str_eq(part, "..") && parts.n && !streq(parts.v[parts.n - 1], "..")) {
			free(parts.v[--parts.n]);
			parts.v[parts.n] = NULL;
			continue;
		}
		strv_take(&parts, xstrndup(part.p, part.len));
	}
	s = strv_join(&parts, "/");
	strv_done(&parts);
	return s;
}

static int ignore_add(struct ignore *g, struct str line, unsigned number, struct err *err)
{
	bool except;
	char *p;

	if (line.len && line.p[0] == '#')
		return 0;
	line = str_trim(line);
	if (!line.len)
		return 0;
	except = line.p[0] == '!';
	if (except) {
		line = str_trim((struct str){ line.p + 1, line.len - 1 });
		if (!line.len)
			return err_set(err, -EINVAL, ".dockerignore: line %u: \"!\" without a pattern", number);
	}
	p = pattern_clean(line);
	if (*p)
		strv_addf(&g->patterns, "%s%s", except ? "!" : "", p);
	free(p);
	return 0;
}

int ignore_parse(const char *text, struct ignore *ret, struct err *err)
{
	struct ignore g = { 0 };
	struct str rest = str_from(text), line;
	unsigned number = 0;
	int r;

	if (str_starts(text, "\xef\xbb\xbf"))
		rest = str_from(text + 3);
	while (str_split(&rest, '\n', &line)) {
		r = ignore_add(&g, line, ++number, err);
		if (r < 0) {
			ignore_done(&g);
			return r;
		}
	}
	*ret = g;
	return 0;
}

void ignore_done(struct ignore *g)
{
	strv_done(&g->patterns);
}

/* A class at p ("[a-z]", "[^x]"): whether c is in it; *end is behind it, NULL when it never closes. */
static bool class_match(const char *p, char c, const char **end)
{
	bool negate, in = false;
	unsigned char lo, hi, u = (unsigned char)c;

	p++;
	negate = *p == '^';
	if (negate)
		p++;
	for (bool first = true; *p && (first || *p != ']'); first = false) {
		if (*p == '\\' && p[1])
			p++;
		lo = hi = (unsigned char)*p++;
		if (p[0] == '-' && p[1] && p[1] != ']') {
			hi = (unsigned char)p[1];
			p += 2;
		}
		in |= lo <= u && u <= hi;
	}
	*end = *p == ']' ? p + 1 : NULL;
	return in != negate;
}

static const char *char_next(const char *s)
{
	s++;
	while (((unsigned char)*s & 0xc0) == 0x80)
		s++;
	return s;
}

static bool pattern_match(const char *p, const char *s, const char *end, unsigned *steps);

/* "**" at p: any number of whole folders. */
static bool pattern_stars(const char *p, const char *s, const char *end, unsigned *steps)
{
	p += 2;
	if (*p == '/')
		p++;
	if (!*p)
		return true;
	if (pattern_match(p, s, end, steps))
		return true;
	for (; s < end; s++)
		if (*s == '/' && pattern_match(p, s + 1, end, steps))
			return true;
	return false;
}

static bool pattern_star(const char *p, const char *s, const char *end, unsigned *steps)
{
	for (;; s++) {
		if (pattern_match(p + 1, s, end, steps))
			return true;
		if (s == end || *s == '/')
			return false;
	}
}

static bool pattern_match(const char *p, const char *s, const char *end, unsigned *steps)
{
	const char *after;

	for (; *p; p++) {
		if (*steps == 0)
			return false;
		--*steps;
		if (p[0] == '*' && p[1] == '*')
			return pattern_stars(p, s, end, steps);
		if (*p == '*')
			return pattern_star(p, s, end, steps);
		if (s == end)
			return false;
		if (*p == '?') {
			if (*s == '/')
				return false;
			s = char_next(s);
			continue;
		}
		if (*p == '[') {
			if (*s == '/' || !class_match(p, *s, &after) || !after)
				return false;
			p = after - 1;
			s++;
			continue;
		}
		if (*p == '\\' && p[1])
			p++;
		if (*p != *s++)
			return false;
	}
	return s == end;
}

/* The path itself or any folder above it. */
static bool pattern_covers(const char *pattern, const char *path)
{
	size_t n = strlen(path);
	unsigned steps = IGNORE_STEPS;

	if (pattern_match(pattern, path, path + n, &steps))
		return true;
	for (size_t i = 0; i < n; i++) {
		steps = IGNORE_STEPS;
		if (path[i] == '/' && pattern_match(pattern, path, path + i, &steps))
			return true;
	}
	return false;
}

bool ignore_match(const struct ignore *g, const char *path)
{
	bool out = false;

	for (size_t i = 0; i < g->patterns.n; i++) {
		const char *p = g->patterns.v[i];
		bool except = *p == '!';

		if (except != out)
			continue; /* could not change the verdict */
		if (pattern_covers(p + except, path))
			out = !except;
	}
	return out;
}

/* ---- files ---- */

int context_open_all(const char *dir, const char *const *skip, struct context *ret, struct err *err)
{
	struct context x = { 0 };
	int r;

	r = file_list(dir, skip, &x.files, err);
	if (r < 0) {
		context_done(&x);
		return r;
	}
	x.dir = xstrdup(dir);
	*ret = x;
	return 0;
}

void context_done(struct context *x)
{
	free(x->dir);
	x->dir = NULL;
	strv_done(&x->files);
}

/* Reads the first ignore file that exists; *ret_name is its name in the context (NULL: none). */
static int ignore_load(const char *dir, const char *dockerfile, struct ignore *ret, char **ret_name, struct err *err)
{
	autofree char *own = dockerfile ? xasprintf("%s.dockerignore", dockerfile) : NULL;
	const char *names[] = { own, ".dockerignore" };
	struct buf text = BUF_INIT(IGNORE_FILE_MAX);
	int r = 0;

	*ret = (struct ignore){ 0 };
	*ret_name = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		autofree char *path = names[i] ? path_join(dir, names[i]) : NULL;

		if (!path || !file_exists(path))
			continue;
		r = file_read(path, &text, err);
		if (r == 0)
			r = ignore_parse(buf_str(&text), ret, err);
		if (r == 0)
			*ret_name = xstrdup(names[i]);
		break;
	}
	buf_done(&text);
	return r;
}

int context_open(const char *dir, const char *dockerfile, const char *const *skip, struct context *ret, struct err *err)
{
	struct context all = { 0 }, x = { 0 };
	struct ignore g = { 0 };
	autofree char *name = NULL;
	int r;

	r = ignore_load(dir, dockerfile, &g, &name, err);
	if (r == 0)
		r = context_open_all(dir, skip, &all, err);
	if (r == 0) {
		x.dir = xstrdup(dir);
		for (size_t i = 0; i < all.files.n; i++) {
			const char *f = all.files.v[i];

			if (streq(f, dockerfile) || streq(f, name) || !ignore_match(&g, f))
				strv_add(&x.files, f);
		}
		*ret = x;
	}
	context_done(&all);
	ignore_done(&g);
	return r;
}

static int file_hash(struct hash *h, const char *path, struct err *err)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	autofree char *block = xcalloc(1, 65536);
	ssize_t n;

	if (fd < 0)
		return err_set(err, -errno, "cannot read %s: %m", path);
	while ((n = read(fd, block, 65536)) > 0)
		hash_add(h, block, (size_t)n);
	if (n < 0)
		return err_set(err, -errno, "cannot read %s: %m", path);
	return 0;
}

static int link_read(const char *path, char target[static LINK_MAX], struct err *err)
{
	ssize_t n = readlink(path, target, LINK_MAX - 1);

	if (n < 0)
		return err_set(err, -errno, "cannot read the link %s: %m", path);
	target[n] = '\0';
	return 0;
}

int context_hash(const struct context *x, struct hash *h, struct err *err)
{
	char target[LINK_MAX];
	struct stat st;
	int r;

	for (size_t i = 0; i < x->files.n; i++) {
		autofree char *path = path_join(x->dir, x->files.v[i]);

		if (lstat(path, &st) < 0)
			return err_set(err, -errno, "cannot read %s: %m", path);
		hash_adds(h, x->files.v[i]);
		if (S_ISLNK(st.st_mode)) {
			r = link_read(path, target, err);
			if (r < 0)
				return r;
			hash_adds(h, "link");
			hash_adds(h, target);
			continue;
		}
		hash_adds(h, st.st_mode & 0111 ? "program" : "file");
		r = file_hash(h, path, err);
		if (r < 0)
			return r;
		hash_adds(h, "");
	}
	return 0;
}

int context_fill(const struct context *x, struct tar *t, const char *prefix, struct err *err)
{
	char target[LINK_MAX];
	struct stat st;
	int r = 0;

	for (size_t i = 0; i < x->files.n && r == 0; i++) {
		autofree char *path = path_join(x->dir, x->files.v[i]);
		autofree char *name = *prefix ? xasprintf("%s/%s", prefix, x->files.v[i]) : xstrdup(x->files.v[i]);

		if (lstat(path, &st) < 0)
			return err_set(err, -errno, "cannot read %s: %m", path);
		if (!S_ISLNK(st.st_mode)) {
			r = tar_disk_file(t, name, st.st_mode & 0111 ? 0755 : 0644, path, err);
			continue;
		}
		r = link_read(path, target, err);
		if (r == 0)
			r = tar_link(t, name, target, err);
	}
	return r;
}
