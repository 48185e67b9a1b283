/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/worker.h"

#include <unistd.h>

#include "agent/supervisor.h"
#include "base/log.h"
#include "base/mem.h"

#define BEAT_MS 1000

struct worker {
	struct agent *agent;
	struct supervision *shared;	/* borrowed */
	struct timer beat;
	struct io life;
};

static void on_beat(struct timer *t)
{
	struct worker *w = container_of(t, struct worker, beat);

	w->shared->beats++;
	timer_start(w->agent->loop, t, BEAT_MS, on_beat);
}

static void on_life(struct io *io, unsigned events)
{
	struct worker *w = container_of(io, struct worker, life);

	log_error("the supervisor is gone: stopping");
	io_stop(io);
	w->agent->stop = true;
}

int worker_start(struct agent *a, struct err *err)
{
	struct worker *w;

	if (!a->supervision)
		return 0;
	w = a->worker = xcalloc(1, sizeof(*w));
	w->agent = a;
	w->shared = a->supervision;
	timer_start(a->loop, &w->beat, 0, on_beat);
	io_start(a->loop, &w->life, w->shared->life, IO_IN, on_life);
	return 0;
}

void worker_stop(struct agent *a)
{
	struct worker *w = a->worker;

	if (!w)
		return;
	timer_stop(&w->beat);
	io_stop(&w->life);
	free(steal(&a->worker));
}

void worker_again(struct agent *a, const char *why)
{
	if (!a->worker || a->again)
		return;
	log_info("%s: starting anew", why);
	a->again = a->stop = true;
}

void worker_status(struct agent *a, json *o)
{
	json *j = json_set(o, "supervisor", json_object());

	if (!a->supervision)
		return;
	json_set_int(j, "pid", a->supervision->pid);
	json_set_int(j, "restarts", a->supervision->restarts);
	if (*a->supervision->last_exit)
		json_set_str(j, "last_exit", a->supervision->last_exit);
}
