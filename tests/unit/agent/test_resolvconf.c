/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/resolvconf.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "agent/resolvtext.h"
#include "agent/upstreams.h"
#include "base/file.h"
#include "base/mem.h"
#include "tests/tap.h"

#define ORIGINAL "nameserver 127.0.0.11\noptions ndots:0\n"

static char dir[] = "/tmp/test_resolvconf.XXXXXX";
static bool never;

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	if (!f || fputs(text, f) < 0 || fclose(f))
		abort();
}

/* The file's text; caller owns. */
static char *text_of(const char *path)
{
	struct buf b = BUF_INIT(RESOLV_MAX);

	if (file_read(path, &b, NULL))
		buf_adds(&b, "(none)");
	return buf_steal(&b);
}

static void is_text(const char *path, const char *want, const char *what)
{
	autofree char *got = text_of(path);

	is_str(got, want, "%s", what);
}

static bool is_ours(const char *path)
{
	autofree char *got = text_of(path);

	return resolv_is_ours(got, strlen(got));
}

static void agent_make(struct agent *a)
{
	autofree char *text = xasprintf("{\"kubeconfig\":\"/k\",\"pod_cidr\":\"10.42.0.0/16\",\"service_cidr\":\"10.43.0.0/16\","
					"\"dns\":\"10.43.0.10\",\"state_dir\":\"%s\",\"resolv_conf\":\"%s/resolv.conf\"}", dir, dir);

	*a = (struct agent){ .loop = loop_new(LOOP_DEFAULT) };
	if (config_parse(text, strlen(text), &a->config, NULL) || upstreams_start(a, NULL))
		abort();
}

static void agent_drop(struct agent *a)
{
	upstreams_stop(a);
	config_done(&a->config);
	loop_free(a->loop);
}

static void turn_ms(struct agent *a, unsigned ms)
{
	(void)!loop_run(a->loop, &never, loop_deadline(ms));
}

static void test_cycle(const char *path, const char *saved)
{
	struct err err = { 0 };
	struct agent a;

	put(path, ORIGINAL);
	agent_make(&a);
	is_int(resolvconf_start(&a, &err), 0, "the file is taken over: %s", err_text(&err));
	ok(is_ours(path), "it is ours");
	is_text(saved, ORIGINAL, "the original is saved");
	is_int((long long)a.upstreams->n, 1, "its server is the upstream");
	resolvconf_stop(&a);
	is_text(path, ORIGINAL, "stop restores it byte for byte");
	ok(!file_exists(saved), "and drops the saved one");

	is_int(resolvconf_start(&a, &err), 0, "again");
	resolvconf_undo(&a.config, &err) ? ok(false, "undo") : ok(true, "undo, as after a kill");
	is_text(path, ORIGINAL, "restores it as well");
	is_int(resolvconf_undo(&a.config, &err), 0, "undo of nothing is no error");
	resolvconf_stop(&a);
	is_text(path, ORIGINAL, "a stop behind it changes nothing");
	agent_drop(&a);
}

/* What a killed agent leaves: our text in the file, the original saved. */
static void test_after_kill(const char *path, const char *saved)
{
	struct err err = { 0 };
	struct agent killed, a;

	put(path, ORIGINAL);
	agent_make(&killed);
	agent_make(&a);
	ok(!resolvconf_start(&killed, &err) && !resolvconf_start(&a, &err), "a second agent finds our own text");
	is_text(saved, ORIGINAL, "and keeps the true original");
	resolvconf_stop(&a);
	is_text(path, ORIGINAL, "which it restores");
	put(path, ORIGINAL);
	ok(!resolvconf_start(&a, &err) && unlink(saved) == 0, "the saved original is lost");
	is_int(resolvconf_undo(&a.config, &err), 0, "undo still works");
	is_text(path, "nameserver 127.0.0.11\n", "with what our text tells of it");
	resolvconf_stop(&a);
	resolvconf_stop(&killed);
	agent_drop(&a);
	agent_drop(&killed);
}

static void test_others(const char *path)
{
	struct err err = { 0 };
	struct agent a;
	autofree char *edited = NULL, *now = NULL;

	put(path, ORIGINAL);
	agent_make(&a);
	ok(!resolvconf_start(&a, &err), "started");
	put(path, "nameserver 127.0.0.99\n");
	turn_ms(&a, 500);
	ok(is_ours(path), "another writer's text is pointed at us");
	is_str(addr_format(&upstream_server(a.upstreams->v[0]->channel)->addr, (char[ADDR_STRLEN]){ 0 }), "127.0.0.99", "its server is the upstream");
	edited = text_of(path);
	now = xasprintf("%s# mine\n", edited);
	put(path, now);
	turn_ms(&a, 500);
	is_text(path, now, "who edits ours is left alone");
	for (int i = 0; i < RESOLV_CONTESTS + 2; i++) {
		put(path, "nameserver 127.0.0.98\n");
		turn_ms(&a, 300);
	}
	is_text(path, "nameserver 127.0.0.98\n", "who insists is given way");
	resolvconf_stop(&a);
	is_text(path, "nameserver 127.0.0.98\n", "and stop leaves his text");
	agent_drop(&a);
}

static atomic_bool reading;
static atomic_uint reads, empties;

static void *reader(void *path)
{
	char text[4096];

	while (atomic_load(&reading)) {
		autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t n = read(fd, text, sizeof(text));

		atomic_fetch_add(&reads, 1);
		if (n <= 0 || !memmem(text, (size_t)n, "nameserver", 10))
			atomic_fetch_add(&empties, 1);
	}
	return NULL;
}

static void test_never_empty(char *path)
{
	struct err err = { 0 };
	struct agent a;
	pthread_t t;

	put(path, ORIGINAL);
	agent_make(&a);
	atomic_store(&reading, true);
	pthread_create(&t, NULL, reader, path);
	for (int i = 0; i < 300; i++) {
		if (resolvconf_start(&a, &err))
			ok(false, "round %d: %s", i, err_text(&err));
		resolvconf_stop(&a);
	}
	atomic_store(&reading, false);
	pthread_join(t, NULL);
	is_int(atomic_load(&empties), 0, "over 300 rounds no reader of %u saw it without a nameserver", atomic_load(&reads));
	agent_drop(&a);
}

int main(void)
{
	autofree char *path = mkdtemp(dir) ? xasprintf("%s/resolv.conf", dir) : NULL;
	autofree char *saved = xasprintf("%s/resolv.conf.original", dir);

	test_cycle(path, saved);
	test_after_kill(path, saved);
	test_others(path);
	test_never_empty(path);
	(void)!file_remove_tree(dir, NULL);
	return tap_done();
}
