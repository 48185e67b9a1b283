/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/step.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>

#include "base/loop.h"
#include "base/mem.h"
#include "tests/tap.h"

struct docker {
	struct loop *loop;
};

static atomic_int dockers;

struct docker *docker_clone(const struct docker *d, struct loop *loop)
{
	struct docker *c = xcalloc(1, sizeof(*c));

	(void)d;
	c->loop = loop;
	atomic_fetch_add(&dockers, 1);
	return c;
}

struct docker *docker_free(struct docker *d)
{
	if (d)
		atomic_fetch_sub(&dockers, 1);
	free(d);
	return NULL;
}

static char trace[64];
static atomic_uint trace_len;
static atomic_bool started[2];

static void mark(char c)
{
	trace[atomic_fetch_add(&trace_len, 1)] = c;
}

static int wait_for(struct step_ctx *c, uint64_t ms)
{
	static const bool never = false;
	uint64_t deadline = loop_deadline(ms);

	return loop_run(c->loop, &never, MIN(deadline, c->deadline_ns));
}

static int step_a(struct step_ctx *c, struct err *err)
{
	(void)err;
	mark('a');
	c->changed = true;
	c->summary = xstrdup("a is new");
	return 0;
}

static int step_b(struct step_ctx *c, struct err *err)
{
	(void)c;
	(void)err;
	mark('b');
	return 0;
}

static int meet(struct step_ctx *c, struct err *err, int self)
{
	atomic_store(&started[self], true);
	for (int i = 0; i < 100; i++) {
		if (atomic_load(&started[!self]))
			return 0;
		(void)!wait_for(c, 20);
	}
	return err_set(err, -ETIMEDOUT, "nobody came");
}

static int step_left(struct step_ctx *c, struct err *err)
{
	return meet(c, err, 0);
}

static int step_right(struct step_ctx *c, struct err *err)
{
	return meet(c, err, 1);
}

static int step_fails(struct step_ctx *c, struct err *err)
{
	progress_output(c->progress, "the last words");
	(void)!wait_for(c, 30);
	return err_set(err, -EIO, "it broke");
}

static int step_long(struct step_ctx *c, struct err *err)
{
	int r = wait_for(c, 10000);

	mark(r == -ECANCELED ? 'c' : '?');
	return err_wrap(err, r, "waiting");
}

static int step_deaf(struct step_ctx *c, struct err *err)
{
	c->deadline_ns = UINT64_MAX;
	return err_wrap(err, wait_for(c, 10000), "waiting");
}

static int step_signal(struct step_ctx *c, struct err *err)
{
	kill(getpid(), SIGTERM);
	return err_wrap(err, wait_for(c, 10000), "waiting");
}

static int step_engine(struct step_ctx *c, struct err *err)
{
	(void)err;
	mark(c->docker ? '?' : 'e');
	c->docker = docker_clone(NULL, c->loop);
	return 0;
}

static int step_uses(struct step_ctx *c, struct err *err)
{
	(void)err;
	mark(c->docker && c->docker->loop == c->loop ? 'u' : '?');
	return 0;
}

static struct run run;
static int out_fd;
static char shown[8192];

static int go(const struct step *steps, size_t n, struct err *err)
{
	char path[] = "/tmp/test_step_XXXXXX";
	ssize_t len;
	int r;

	memset(trace, 0, sizeof(trace));
	atomic_store(&trace_len, 0);
	out_fd = mkstemp(path);
	unlink(path);
	run.progress = progress_new(PROGRESS_PLAIN, out_fd, NULL);
	run.loop = loop_new(LOOP_DEFAULT);
	*err = (struct err){ 0 };
	steps_catch_signals(&run);
	r = steps_run(&run, steps, n, err);
	len = pread(out_fd, shown, sizeof(shown) - 1, 0);
	shown[MAX(len, 0)] = '\0';
	run.docker = docker_free(run.docker);
	run.progress = progress_free(run.progress);
	run.loop = loop_free(run.loop);
	close(out_fd);
	return r;
}

static void test_order(void)
{
	static const struct step steps[] = {
		{ "a", "First", "", step_a, 0 },
		{ "b", "Second", "a", step_b, 0 },
		{ "engine", "Engine", "a b", step_engine, 0 },
		{ "uses", "Uses", "engine", step_uses, 0 },
	};
	struct err err;

	is_int(go(steps, 4, &err), 0, "steps that depend on each other run");
	is_str(trace, "abeu", "in the order of their needs, the engine's client handed on");
	ok(strstr(shown, "a done in") && strstr(shown, ": a is new"), "what was changed is done, with its summary");
	ok(strstr(shown, "b unchanged in"), "what was not is unchanged");
	is_int(atomic_load(&dockers), 0, "all clients are freed");
}

static void test_together(void)
{
	static const struct step steps[] = { { "left", "Left", "", step_left, 0 }, { "right", "Right", "", step_right, 0 } };
	struct err err;

	is_int(go(steps, 2, &err), 0, "independent steps run at the same time");
}

static void test_failure(void)
{
	static const struct step steps[] = {
		{ "long", "Long", "", step_long, 0 },
		{ "fails", "Fails", "", step_fails, 0 },
		{ "b", "After it", "fails", step_b, 0 },
	};
	struct err err;
	uint64_t before = loop_deadline(0);

	is_int(go(steps, 3, &err), -EIO, "the first failure's code is returned");
	is_str(err_text(&err), "it broke", "with its sentence");
	is_str(trace, "c", "the others are cancelled, what needs it never starts");
	ok(loop_deadline(0) - before < UINT64_C(3000000000), "at once");
	ok(strstr(shown, "fails failed after") && strstr(shown, ": it broke"), "the failure is shown");
	ok(strstr(shown, "| the last words"), "with the last output");
	ok(strstr(shown, "long cancelled after"), "and the other as cancelled");
}

static void test_signal(void)
{
	static const struct step steps[] = {{"signal", "Signal", "", step_signal, 0}, {"long", "Long", "", step_long, 0}};
	struct err err;
	uint64_t before = loop_deadline(0);

	is_int(go(steps, 2, &err), -ECANCELED, "SIGTERM cancels all steps");
	is_str(err_text(&err), "interrupted", "and says so");
	ok(loop_deadline(0) - before < UINT64_C(3000000000), "at once");
}

static void test_deadline(void)
{
	static const struct step steps[] = { { "long", "Long", "", step_long, 0 } };
	struct err err;

	run.deadline_ns = loop_deadline(80);
	is_int(go(steps, 1, &err), -ETIMEDOUT, "a step sees the deadline of the run");
	run.deadline_ns = 0;
}

static void test_late(void)
{
	static const struct step steps[] = { { "deaf", "Deaf", "", step_deaf, 0 } };
	struct err err;

	run.deadline_ns = loop_deadline(200);
	is_int(go(steps, 1, &err), -ETIMEDOUT, "a step that does not look at the deadline is ended");
	ok(strstr(shown, "deaf failed after") && strstr(shown, ": the time for this command is over"), "and why is said");
	run.deadline_ns = 0;
}

static void test_over(void)
{
	static const struct step steps[] = { { "a", "First", "", step_a, 0 } };
	struct err err;

	run.deadline_ns = loop_deadline(0);
	is_int(go(steps, 1, &err), -ETIMEDOUT, "after the deadline nothing begins");
	is_str(trace, "", "no step ran");
	is_str(err_text(&err), "the time for this command is over", "and why is said");
	run.deadline_ns = 0;
}

int main(void)
{
	test_order();
	test_together();
	test_failure();
	test_signal();
	test_deadline();
	test_late();
	test_over();
	return tap_done();
}
