/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/forward_hosts.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "tests/tap.h"

#define B(id) "# firestream forward begin " id "\n"
#define E(id) "# firestream forward end " id "\n"
#define US B("us") "127.1.0.1 web\n" E("us")
#define LIVE B("live") "127.1.0.2 api\n" E("live")
#define DEAD B("dead") "127.1.0.3 old\n" E("dead")

static bool alive(void *arg, const char *id)
{
	return strcmp(id, "live") == 0;
}

static const struct {
	const char *what, *text, *lines, *want;
} cases[] = {
	{ "a block is put at the end", "127.0.0.1 localhost\n", "127.1.0.1 web\n", "127.0.0.1 localhost\n" US },
	{ "into an empty file too", "", "127.1.0.1 web\n", US },
	{ "without names there is none", "127.0.0.1 localhost\n", "", "127.0.0.1 localhost\n" },
	{ "it is taken out again", "a\n" US "b\n", "", "a\nb\n" },
	{ "it is made anew where it stands", "a\n" B("us") "127.1.0.9 x\n" E("us") "b\n", "127.1.0.1 web\n", "a\n" US "b\n" },
	{ "that of another one that lives stays", LIVE "a\n", "127.1.0.1 web\n", LIVE "a\n" US },
	{ "before and behind ours", LIVE US LIVE, "127.1.0.1 web\n", LIVE US LIVE },
	{ "that of a dead one goes", "a\n" DEAD "b\n" LIVE, "", "a\nb\n" LIVE },
	{ "several dead ones", DEAD DEAD "a\n" DEAD, "", "a\n" },
	{ "a second one of ours goes", US "a\n" US, "127.1.0.1 web\n", US "a\n" },
	{ "a last line without end has one before a block", "a", "127.1.0.1 web\n", "a\n" B("us joined") "127.1.0.1 web\n" E("us") },
	{ "and none when the block goes", "a\n" B("us joined") "127.1.0.1 web\n" E("us"), "", "a" },
	{ "unless something is there now", "a\n" B("us joined") "127.1.0.1 web\n" E("us") "b", "", "a\nb" },
	{ "the block behind inherits that", "a\n" B("us joined") "127.1.0.1 web\n" E("us") LIVE, "", "a\n" B("live joined") "127.1.0.2 api\n" E("live") },
	{ "and a dead one behind gives it back", "a\n" B("us joined") "127.1.0.1 web\n" E("us") DEAD, "", "a" },
	{ "made anew it still knows", "a\n" B("us joined") "127.1.0.9 x\n" E("us"), "127.1.0.1 web\n", "a\n" B("us joined") "127.1.0.1 web\n" E("us") },
	{ "CRLF is kept", "a\r\nb\r\n", "", "a\r\nb\r\n" },
	{ "and taken over", "a\r\n", "127.1.0.1 web\n",
	  "a\r\n# firestream forward begin us\r\n127.1.0.1 web\r\n# firestream forward end us\r\n" },
	{ "and found again", "a\r\n# firestream forward begin us\r\n127.1.0.1 web\r\n# firestream forward end us\r\n", "", "a\r\n" },
	{ "also without a last end", "a\r\nb\r\n# firestream forward begin us joined\r\n127.1.0.1 web\r\n# firestream forward end us\r\n", "", "a\r\nb" },
	{ "blank lines and comments are kept", "\n\n# a\n\t \n", "", "\n\n# a\n\t \n" },
	{ "a block that was never closed loses its own lines only", "a\n" B("dead") "127.1.0.3 old\n127.0.0.1 localhost\nb\n", "",
	  "a\n127.0.0.1 localhost\nb\n" },
	{ "also when another begins in it", B("dead") "127.1.0.3 old\n" LIVE, "", LIVE },
	{ "the end of no block goes", "a\n" E("dead") "b\n", "", "a\nb\n" },
	{ "bytes of any kind are kept", "\xff\xfe \x01\n", "", "\xff\xfe \x01\n" },
};

static void test_compose(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto(buf) struct buf out = BUF_INIT(4096), again = BUF_INIT(4096);

		hosts_compose(cases[i].text, strlen(cases[i].text), "us", cases[i].lines, alive, NULL, &out);
		is_str(buf_str(&out), cases[i].want, "%s", cases[i].what);
		hosts_compose(buf_str(&out), out.len, "us", cases[i].lines, alive, NULL, &again);
		is_str(buf_str(&again), buf_str(&out), "%s: a second time changes nothing", cases[i].what);
	}
}

static void test_names(void)
{
	static const char text[] = "127.0.0.1\tlocalhost\n10.0.0.1 DB db2 # web\n" US "::1 six\n# 10.0.0.2 no\n";
	static const struct {
		const char *what, *name;
		bool want;
	} names[] = {
		{ "a name behind a tab", "localhost", true },
		{ "case does not matter", "db", true },
		{ "a second name", "db2", true },
		{ "an address is no name", "10.0.0.1", false },
		{ "part of a name is not the name", "d", false },
		{ "a comment is no name", "no", false },
		{ "nor what stands behind one, nor in a block of ours", "web", false },
		{ "what follows the block is looked at", "six", true },
	};
	static char *many[] = { "a", "b", "c" };
	auto(buf) struct buf lines = BUF_INIT(8192);
	struct map found = { 0 };
	char *long_names[40];

	hosts_names(text, strlen(text), &found);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		ok((map_get(&found, names[i].name) != NULL) == names[i].want, "%s", names[i].what);
	map_done(&found);
	hosts_add_names(&lines, "127.1.0.1", many, 3);
	is_str(buf_str(&lines), "127.1.0.1 a b c\n", "the names of an address are one line");
	buf_reset(&lines);
	for (size_t i = 0; i < 40; i++)
		long_names[i] = "abcdefghijklmnopqrstuvwxyz.abcdefghijklmnopqrstuvwxyz.svc.cluster.local";
	hosts_add_names(&lines, "127.1.0.1", long_names, 40);
	for (const char *p = buf_str(&lines), *end; (end = strchr(p, '\n')); p = end + 1)
		if (end - p > 500 || strncmp(p, "127.1.0.1 ", 10) != 0) {
			ok(false, "long ones are several lines");
			return;
		}
	ok(lines.len > 40 * 71, "long ones are several lines");
}

static void test_instance(void)
{
	char id[HOSTS_ID_MAX], other[HOSTS_ID_MAX];
	pid_t pid;
	int status;

	hosts_instance(id);
	ok(hosts_instance_alive(NULL, id), "we live");
	ok(!hosts_instance_alive(NULL, "1 1 00000000 0"), "nobody lives who is of another boot");
	ok(!hosts_instance_alive(NULL, "nonsense"), "nor who has no number");
	snprintf(other, sizeof(other), "%d 1%s", (int)getpid(), strchr(strchr(id, ' ') + 1, ' '));
	ok(!hosts_instance_alive(NULL, other), "nor who began at another time with our number");
	snprintf(other, sizeof(other), "%.*s1", (int)strlen(id), id);
	ok(hosts_instance_alive(NULL, other), "of who is in another PID namespace nobody can tell");
	pid = fork();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	snprintf(other, sizeof(other), "%d%s", (int)pid, strchr(id, ' '));
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	ok(!hosts_instance_alive(NULL, other), "nor who was killed");
}

static bool content_is(const char *path, const char *want)
{
	auto(buf) struct buf b = BUF_INIT(4096);

	return file_read(path, &b, NULL) == 0 && strcmp(buf_str(&b), want) == 0;
}

static void test_apply(void)
{
	char dir[] = "/tmp/test_hosts.XXXXXX", id[HOSTS_ID_MAX];
	autofree char *path = NULL, *want = NULL;
	struct stat before, after;
	struct err err = { 0 };
	struct strv left = { 0 };
	autoclose int held = -1, folder = -1;

	ok(mkdtemp(dir) != NULL, "a folder");
	path = path_join(dir, "hosts");
	ok(file_write(path, "a", 1, 0640, NULL) == 0 && stat(path, &before) == 0, "a hosts file without a last newline");
	hosts_instance(id);
	want = xasprintf("a\n# firestream forward begin %s joined\n127.1.0.1 web\n# firestream forward end %s\n", id, id);
	ok(hosts_apply(path, "127.1.0.1 web\n", &err) == 0 && content_is(path, want), "gets a block: %s", err.msg);
	ok(stat(path, &after) == 0 && after.st_ino != before.st_ino && after.st_mode == before.st_mode, "is another file with the same mode");
	before = after;
	ok(hosts_apply(path, "127.1.0.1 web\n", &err) == 0 && stat(path, &after) == 0 && after.st_ino == before.st_ino &&
	   after.st_mtim.tv_nsec == before.st_mtim.tv_nsec, "without a change it is not touched");
	ok(hosts_apply(path, "", &err) == 0 && content_is(path, "a"), "and is what it was at the end");
	folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ok(file_names(folder, &left) == 0 && left.n == 1, "nothing else is left in its folder");
	strv_done(&left);
	held = file_lock(path, 0, NULL);
	is_int(hosts_apply(path, "127.1.0.1 web\n", &err), -EBUSY, "a lock that is never given back is no wait for ever");
	ok(strstr(err.msg, "keeps") && strstr(err.msg, path), "%s", err.msg);
	(void)!file_remove_tree(dir, NULL);
	is_int(hosts_apply(path, "", &err), -ENOENT, "where there is no folder there is no file");
}

int main(void)
{
	test_compose();
	test_names();
	test_instance();
	test_apply();
	return tap_done();
}
