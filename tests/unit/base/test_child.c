/* SPDX-License-Identifier: Apache-2.0 */
#include "base/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/str.h"
#include "tests/tap.h"

static struct child_spec spec_of(const char *const *argv)
{
	return (struct child_spec){ .argv = argv, .in = -1, .out = -1, .err = -1 };
}

#define SH(script) ((const char *const[]){ "sh", "-c", (script), NULL })

static int run(struct loop *l, const char *script, struct buf *out, uint64_t ms, struct err *err)
{
	struct child_spec spec = spec_of(SH(script));

	return child_run(l, &spec, out, NULL, NULL, loop_deadline(ms), err);
}

static void test_run(struct loop *l)
{
	static const struct {
		const char *what, *script;
		int want;
		const char *out;
	} rows[] = {
		{ "success is 0", "true", 0, "" },
		{ "an exit code is passed on", "exit 7", 7, "" },
		{ "a signal is 128 and its number", "kill -9 $$", 137, "" },
		{ "both outputs are collected", "echo one; echo two >&2", 0, "one\ntwo\n" },
		{ "stdin is empty", "cat; echo end", 0, "end\n" },
		{ "output without a newline", "printf abc", 0, "abc" },
		{ "no descriptor leaks in", "ls /proc/self/fd | wc -w", 0, "4\n" },
		{ "it leads a process group of its own", "read a b c d pgrp e < /proc/$$/stat; test $pgrp = $$ && echo yes", 0, "yes\n" },
		{ "a daemon that keeps the pipe does not hold us", "sleep 3 & echo off", 0, "off\n" },
		{ "more than a pipe holds", "head -c 300000 /dev/zero | tr '\\0' x", 0, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct buf out = BUF_INIT(1 << 20);
		struct err err = { 0 };

		is_int(run(l, rows[i].script, &out, 10000, &err), rows[i].want, "%s", rows[i].what);
		if (rows[i].out)
			is_str(buf_str(&out), rows[i].out, "%s: output", rows[i].what);
		else
			is_int((long long)out.len, 300000, "%s: length", rows[i].what);
		buf_done(&out);
	}
}

static void test_refused(struct loop *l)
{
	struct child_spec spec = spec_of((const char *const[]){ "no-such-program-here", NULL });
	struct err err = { 0 };
	struct buf out = BUF_INIT(100);

	is_int(child_run(l, &spec, &out, NULL, NULL, loop_deadline(1000), &err), -ENOENT, "an unknown program is -ENOENT");
	is_str(err.msg, "cannot run no-such-program-here: no such program", "and named");
	spec = spec_of(SH("pwd"));
	spec.cwd = "/proc";
	is_int(child_run(l, &spec, &out, NULL, NULL, loop_deadline(1000), &err), 0, "a folder can be given");
	is_str(buf_str(&out), "/proc\n", "and is where it runs");
	buf_reset(&out);
	spec = spec_of(SH("echo $A"));
	spec.env = (const char *const[]){ "A=b", NULL };
	is_int(child_run(l, &spec, &out, NULL, NULL, loop_deadline(1000), &err), 0, "an environment can be given");
	is_str(buf_str(&out), "b\n", "and replaces ours");
	buf_done(&out);
	out = (struct buf)BUF_INIT(10);
	is_int(run(l, "head -c 100000 /dev/zero", &out, 5000, &err), 0, "output beyond the buffer is dropped, not an error");
	ok(!buf_ok(&out), "but can be seen");
	buf_done(&out);
}

static void test_time(struct loop *l)
{
	struct err err = { 0 };
	uint64_t start = loop_now(l);

	is_int(run(l, "sleep 30 & sleep 30", NULL, 50, &err), -ETIMEDOUT, "a deadline ends it");
	is_str(err.msg, "sh did not end in time", "and is said");
	ok(loop_now(l) - start < 1500000000ull, "at once when it heeds SIGTERM");
	start = loop_now(l);
	is_int(run(l, "trap '' TERM; while :; do sleep 0.1; done", NULL, 1000, &err), -ETIMEDOUT, "also one that ignores SIGTERM");
	ok(loop_now(l) - start > 2900000000ull, "after its grace");
	loop_cancel(l);
	is_int(run(l, "sleep 30", NULL, 10000, &err), -ECANCELED, "a cancelled loop ends it");
	loop_uncancel(l);
	is_int(waitpid(-1, NULL, WNOHANG), -1, "nothing is left to reap");
}

static void add_line(void *arg, const char *line)
{
	strv_add(arg, line);
}

static void test_lines(struct loop *l)
{
	struct child_spec spec = spec_of(SH("printf 'a\\r\\n\\nbc\\nlast'"));
	struct strv lines = { 0 };
	char *all;

	is_int(child_run(l, &spec, NULL, add_line, &lines, loop_deadline(5000), NULL), 0, "output line by line");
	all = strv_join(&lines, "|");
	is_str(all, "a||bc|last", "without line ends, the last one too");
	free(all);
	strv_done(&lines);
}

static int ended;

static void on_end(struct child *c, int status)
{
	ended = status;
}

static void test_async(struct loop *l)
{
	struct child c = { 0 };
	struct child_spec spec = spec_of(SH("sleep 30"));
	struct err err = { 0 };
	int fd[2];

	ended = -1;
	is_int(child_start(l, &c, &spec, on_end, &err), 0, "a child is started");
	child_kill(&c, SIGTERM);
	while (ended < 0 && loop_turn(l, loop_deadline(5000)) == 0)
		;
	is_int(ended, 128 + SIGTERM, "its end is reported");
	is_int(c.pid, 0, "and it is forgotten");
	child_kill(&c, SIGTERM);
	child_stop(&c);

	if (pipe2(fd, O_CLOEXEC))
		abort();
	spec = spec_of(SH("cat <&0 >&1"));
	spec.in = fd[0];
	spec.out = open("/dev/null", O_WRONLY | O_CLOEXEC);
	is_int(child_start(l, &c, &spec, on_end, &err), 0, "with descriptors of ours");
	close(fd[0]);
	close(fd[1]);
	close(spec.out);
	ended = -1;
	while (ended < 0 && loop_turn(l, loop_deadline(5000)) == 0)
		;
	is_int(ended, 0, "which it reads to the end");
}

int main(void)
{
	struct loop *l = loop_new(LOOP_DEFAULT);

	test_run(l);
	test_refused(l);
	test_time(l);
	test_lines(l);
	test_async(l);
	loop_free(l);
	return tap_done();
}
