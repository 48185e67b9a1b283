/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <sys/utsname.h>

#include "base/child.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/tar.h"
#include "boot/apt.h"
#include "boot/image_priv.h"

/* How it works: debootstrap fills a folder below the cache, what a container does not need is dropped, the rest is imported.
 * It runs in mount and process namespaces of its own where that is allowed, so that its mounts and children end with it,
 * however it ends. */

#define TREE_PREFIX "rootfs-"

extern char **environ;

static const char dpkg_conf[] = "# as the published slim images have it\n"
				"path-exclude /usr/share/doc/*\n"
				"path-include /usr/share/doc/*/copyright\n"
				"path-exclude /usr/share/groff/*\n"
				"path-exclude /usr/share/info/*\n"
				"path-exclude /usr/share/linda/*\n"
				"path-exclude /usr/share/lintian/*\n"
				"path-exclude /usr/share/locale/*\n"
				"path-exclude /usr/share/man/*\n";
static const char apt_conf[] =
	"// nothing is kept that a layer would carry\n"
	"DPkg::Post-Invoke { \"rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb "
	"/var/cache/apt/*.bin || true\"; };\n"
	"APT::Update::Post-Invoke { \"rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb "
	"/var/cache/apt/*.bin || true\"; };\n"
	"Dir::Cache::pkgcache \"\";\n"
	"Dir::Cache::srcpkgcache \"\";\n"
	"Acquire::Languages \"none\";\n"
	"Acquire::GzipIndexes \"true\";\n"
	"Apt::AutoRemove::SuggestsImportant \"false\";\n";

struct rootfs {
	struct images *m;
	struct step_ctx *c;
	const struct recipe *recipe;
	const struct hostpkg *host;
	char *program; /* debootstrap */
	char *archive; /* its own default mirror; NULL: unknown */
	char *tree;
	char *packed;  /* the tree as a tar, where we may not read it ourselves; or NULL */
	char *sources; /* text of the image's sources.list */
};

static bool mirror_is_used(const struct rootfs *f)
{
	return streq(f->host->distribution, "debian") && f->host->mirror.main && !streq(f->host->mirror.main, f->archive);
}

/* DEF_MIRROR="…" of the program, which is a script. Caller owns; NULL when it is not there. */
static char *default_mirror(const char *program)
{
	struct buf b = BUF_INIT(1u << 20);
	const char *p, *end;
	char *ret = NULL;

	if (file_read(program, &b, NULL) == 0 && (p = strstr(buf_str(&b), "\nDEF_MIRROR=\""))) {
		p += strlen("\nDEF_MIRROR=\"");
		end = strchr(p, '"');
		if (end)
			ret = xstrndup(p, (size_t)(end - p));
	}
	buf_done(&b);
	return ret;
}

/* ---- the program ---- */

static int program_install(struct rootfs *f, struct err *err)
{
	struct step_ctx *c = f->c;
	struct strv packages = { 0 };
	int r;

	if (!apt_is_here())
		return err_set(err, -ENOPKG,
			       "no registry answers, and building images from packages needs debootstrap on this machine: "
			       "install it");
	progress_pause(c->run->progress, true);
	r = cli_agree(c->loop, c->run->opt, "Images are built from packages, which needs debootstrap. Install it with apt?")
		    ? 0
		    : -ENOPKG;
	progress_pause(c->run->progress, false);
	if (loop_cancelled(c->loop))
		return err_set(err, -ECANCELED, "interrupted");
	if (r < 0)
		return err_set(err, r,
			       "building images from packages needs debootstrap: apt-get install debootstrap, or run again "
			       "with --yes");
	strv_add(&packages, "debootstrap");
	strv_add(&packages, "debian-archive-keyring");
	r = apt_install(c->loop, c->progress, &packages, c->deadline_ns, err);
	strv_done(&packages);
	return r;
}

static int program_get(struct rootfs *f, struct err *err)
{
	int r;

	f->program = program_find("debootstrap");
	if (f->program)
		return 0;
	r = program_install(f, err);
	if (r < 0)
		return r;
	f->program = program_find("debootstrap");
	return f->program ? 0 : err_set(err, -ENOPKG, "debootstrap was installed but is nowhere in PATH");
}

/* ---- the tree ---- */

static bool may_unshare(struct loop *l)
{
	static const char *const words[] = { "setpriv", "--pdeathsig",	"KILL",		"unshare", "--mount", "--pid",
					     "--fork",	"--kill-child", "--mount-proc", "true",	   NULL };
	struct strv argv = { 0 };
	bool may;

	root_prefix(&argv);
	for (const char *const *w = words; *w; w++)
		strv_add(&argv, *w);
	may = step_run(l, NULL, &argv, NULL, loop_deadline(10000), NULL) == 0;
	strv_done(&argv);
	return may;
}

static void debootstrap_argv(const struct rootfs *f, struct strv *argv)
{
	static const char *const own[] = { "setpriv", "--pdeathsig", "KILL",	     "unshare",	    "--mount",
					   "--pid",   "--fork",	     "--kill-child", "--mount-proc" };

	root_prefix(argv);
	if (may_unshare(f->c->loop))
		for (size_t i = 0; i < ARRAY_SIZE(own); i++)
			strv_add(argv, own[i]);
	strv_add(argv, f->program);
	strv_add(argv, "--variant=minbase");
	strv_add(argv, "--include=ca-certificates");
	strv_add(argv, f->recipe->suite);
	strv_add(argv, f->tree);
	if (mirror_is_used(f))
		strv_add(argv, f->host->mirror.main);
}

/* Our environment and apt's proxy, which debootstrap does not look at by itself. */
static void debootstrap_env(const struct rootfs *f, struct strv *env)
{
	static const char key[] = "Acquire::http::Proxy \"";

	for (char **e = environ; *e; e++)
		strv_add(env, *e);
	strv_add(env, "LC_ALL=C");
	for (size_t i = 0; i < f->host->apt_conf.n && !hostpkg_proxy(f->host); i++) {
		const char *line = f->host->apt_conf.v[i];

		if (str_starts(line, key))
			strv_addf(env, "http_proxy=%.*s", (int)strcspn(line + strlen(key), "\""), line + strlen(key));
	}
}

struct view {
	struct step_ctx *c;
	char error[300];
};

static void on_line(void *arg, const char *line)
{
	struct view *v = arg;

	progress_output(v->c->progress, line);
	if (str_starts(line, "E: "))
		snprintf(v->error, sizeof(v->error), "%s", line + 3);
	if (str_starts(line, "I: "))
		progress_note(v->c->progress, "Debian root: %.70s", line + 3);
}

static int debootstrap_run(struct rootfs *f, struct err *err)
{
	struct strv argv = { 0 }, env = { 0 };
	struct view v = { .c = f->c };
	struct child_spec spec = { .in = -1, .out = -1, .err = -1 };
	int r;

	debootstrap_argv(f, &argv);
	debootstrap_env(f, &env);
	spec.argv = (const char *const *)argv.v;
	spec.env = (const char *const *)env.v;
	r = child_run(f->c->loop, &spec, NULL, on_line, &v, f->c->deadline_ns, err);
	strv_done(&argv);
	strv_done(&env);
	if (r == -ECANCELED)
		return err_set(err, r, "interrupted while installing the Debian root");
	if (r > 0)
		return err_set(err, -EIO, "debootstrap failed with status %d%s%s", r, *v.error ? ": " : "", v.error);
	return r;
}

/* What debootstrap wrote names the mirror it used; the image gets the distribution's own archive. */
static int sources_make(struct rootfs *f, struct err *err)
{
	autofree char *path = xasprintf("%s/etc/apt/sources.list", f->tree);
	struct apt_mirror used = { 0 };
	struct buf text = BUF_INIT(65536);
	const char *archive = f->archive, *suite = f->recipe->suite;
	int r = 0;

	if (!mirror_is_used(f) && file_read(path, &text, NULL) == 0) {
		hostpkg_apt_sources(buf_str(&text), false, suite, &used);
		archive = used.main ? used.main : archive;
	}
	if (!archive)
		r = err_set(err, -EIO, "debootstrap does not say where Debian's archive is");
	else if (streq(suite, "sid") || streq(suite, "unstable"))
		f->sources = xasprintf("deb %s %s main\n", archive, suite);
	else
		f->sources = xasprintf("deb %s %s main\ndeb %s %s-updates main\ndeb %s-security %s-security main\n", archive,
				       suite, archive, suite, archive, suite);
	free(used.main);
	free(used.security);
	buf_done(&text);
	return r;
}

/* Paths below the tree whose content goes, and files that are written anew. */
static int tree_strip(struct rootfs *f, struct err *err)
{
	static const char *const paths[] = {
		"usr/share/man",   "usr/share/info",	"usr/share/locale", "usr/share/groff", "usr/share/lintian",
		"usr/share/linda", "var/lib/apt/lists", "var/cache/apt",    "var/log",	       "debootstrap",
	};
	static const char *const files[] = { "etc/apt/sources.list", "etc/hostname", "etc/resolv.conf",
					     "var/cache/ldconfig/aux-cache" };
	struct strv find = { 0 }, docs = { 0 };
	int r;

	strv_add(&find, "find");
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		autofree char *path = path_join(f->tree, paths[i]);

		if (file_exists(path))
			strv_take(&find, steal(&path));
	}
	if (find.n == 1) {	/* without a path it would empty the current folder */
		strv_done(&find);
		return err_set(err, -EIO, "there is no Debian root in %s that we could look into", f->tree);
	}
	strv_add(&find, "-mindepth");
	strv_add(&find, "1");
	strv_add(&find, "-delete");
	r = root_run(f->c->loop, f->c->progress, &find, f->c->deadline_ns, err);
	strv_done(&find);
	if (r < 0)
		return r;
	strv_add(&docs, "find");
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		autofree char *path = path_join(f->tree, files[i]);

		if (file_exists(path))
			strv_take(&docs, steal(&path));
	}
	strv_addf(&docs, "%s/usr/share/doc", f->tree);
	for (const char *const *w = (const char *const[]){ "!", "-type", "d", "!", "-name", "copyright", "-delete", NULL };
	     *w; w++)
		strv_add(&docs, *w);
	r = root_run(f->c->loop, f->c->progress, &docs, f->c->deadline_ns, err);
	strv_done(&docs);
	return r;
}

/* Without root the tree is not ours to read: tar does it, into a file of ours. */
static int tree_pack(struct rootfs *f, struct err *err)
{
	struct strv argv = { 0 };
	int r;

	if (geteuid() == 0)
		return 0;
	f->packed = xasprintf("%s.tar", f->tree);
	r = file_write(f->packed, "", 0, 0600, err);
	if (r < 0)
		return r;
	for (const char *const *w =
		     (const char *const[]){ "tar", "--numeric-owner", "-cf", f->packed, "-C", f->tree, ".", NULL };
	     *w; w++)
		strv_add(&argv, *w);
	r = root_run(f->c->loop, f->c->progress, &argv, f->c->deadline_ns, err);
	strv_done(&argv);
	return r;
}

static int rootfs_fill(struct tar *t, void *arg, struct err *err)
{
	struct rootfs *f = arg;
	int r;

	r = f->packed ? tar_archive(t, f->packed, err) : tar_disk_tree(t, "", f->tree, NULL, true, err);
	if (r == 0)
		r = tar_file(t, "etc/apt/sources.list", 0644, f->sources, strlen(f->sources), err);
	if (r == 0)
		r = tar_file(t, "etc/apt/apt.conf.d/container", 0644, apt_conf, sizeof(apt_conf) - 1, err);
	if (r == 0)
		r = tar_file(t, "etc/dpkg/dpkg.cfg.d/container", 0644, dpkg_conf, sizeof(dpkg_conf) - 1, err);
	return r;
}

static int tree_import(struct rootfs *f, const char *ref, const char *key, struct err *err)
{
	autofree char *recipe = xasprintf("LABEL " LABEL_RECIPE "=%s", f->recipe->name);
	autofree char *label = xasprintf("LABEL " LABEL_KEY "=%s", key);
	const char *const changes[] = { "CMD [\"bash\"]", recipe, label, NULL };

	progress_note(f->c->progress, "Debian root: importing");
	return docker_image_import(f->c->docker, ref, changes, rootfs_fill, f, f->c->deadline_ns, err);
}

/* ---- folders ---- */

/* Removes path also when it belongs to root, and also after a cancel. */
static void tree_remove(const char *path)
{
	struct loop *l = loop_new(LOOP_DEFAULT);
	struct strv argv = { 0 };

	strv_add(&argv, "rm");
	strv_add(&argv, "-rf");
	strv_add(&argv, "--one-file-system");
	strv_add(&argv, path);
	if (root_run(l, NULL, &argv, loop_deadline(60000), NULL) < 0)
		log_debug("%s is left behind", path);
	strv_done(&argv);
	loop_free(l);
}

/* What runs that were killed have left; the caller holds the lock, so nobody works in them. */
static void trees_clear(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (str_starts(e->d_name, TREE_PREFIX)) {
			autofree char *path = path_join(dir, e->d_name);

			tree_remove(path);
		}
	if (d)
		closedir(d);
}

static int engine_fits(struct docker *d, struct err *err)
{
	static const struct {
		const char *machine, *go;
	} names[] = { { "x86_64", "amd64" },
		      { "aarch64", "arm64" },
		      { "arm64", "arm64" },
		      { "ppc64le", "ppc64le" },
		      { "s390x", "s390x" } };
	autojson json *version = NULL;
	struct utsname u;
	const char *engine;
	int r;

	r = docker_call(d, "GET", "/version", NULL, 0, &version, err);
	if (r < 0)
		return r;
	engine = json_str(version, "Arch", "");
	uname(&u);
	if (!streq(u.sysname, "Linux"))
		return err_set(err, -ENOPKG, "images can be built from packages on Linux only, and no registry answers");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (streq(u.machine, names[i].machine) && *engine && !streq(engine, names[i].go))
			return err_set(err, -ENOPKG,
				       "the engine runs %s and this machine %s: images cannot be built from packages for it",
				       engine, u.machine);
	return 0;
}

static int rootfs_make(struct rootfs *f, const char *ref, const char *key, struct err *err)
{
	int r;

	r = debootstrap_run(f, err);
	if (r == 0)
		r = sources_make(f, err);
	if (r == 0)
		r = tree_strip(f, err);
	if (r == 0)
		r = tree_pack(f, err);
	if (r == 0)
		r = tree_import(f, ref, key, err);
	return r;
}

int image_rootfs(struct images *m, struct step_ctx *c, const struct recipe *recipe, const char *ref, const char *key,
		 struct err *err)
{
	struct rootfs f = { .m = m, .c = c, .recipe = recipe };
	autofree char *dir = path_join(m->cache_dir, "tmp");
	int r;

	r = engine_fits(c->docker, err);
	if (r == 0)
		r = images_host(m, c, &f.host, err);
	if (r == 0)
		r = root_obtain(c->loop, c->run->opt, c->run->progress, err);
	if (r == 0)
		r = program_get(&f, err);
	if (r == 0)
		r = file_mkdirs(dir, 0755, err);
	if (r == 0) {
		trees_clear(dir);
		f.archive = default_mirror(f.program);
		f.tree = xasprintf("%s/" TREE_PREFIX "%d", dir, (int)getpid());
		r = rootfs_make(&f, ref, key, err);
		tree_remove(f.tree);
		if (f.packed)
			unlink(f.packed);
	}
	free(f.program);
	free(f.archive);
	free(f.tree);
	free(f.packed);
	free(f.sources);
	return r < 0 ? err_wrap(err, r, "image %s", recipe->name) : 0;
}
