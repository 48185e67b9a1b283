/* SPDX-License-Identifier: Apache-2.0 */
/* How it works: a thread with a loop of its own, to which sessions are handed through an inbox and a pipe. Once a turn has read
 * much it waits a moment before the next: the API server sends small TLS records, and taking several at once costs less than half
 * the CPU. Nobody who waits for an answer is in such a session. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/forward/forwarder_internal.h"

#define COALESCE_BYTES (16u << 10)	/* in one turn: some 40 MB/s */
#define COALESCE_NS 400000
#define STACK_BYTES (1u << 20)		/* buffers of 128 kB lie on it; some C libraries give no more to a thread */

struct bulk {
	pthread_t thread;
	struct loop *loop;
	struct session *sessions;	/* owned */
	int wake[2];
	struct io wake_io;
	size_t read;			/* in this turn */
	atomic_uint load;		/* sessions */
	pthread_mutex_t lock;
	struct session *inbox;		/* under lock; owned */
};

void bulk_note(struct bulk *b, size_t n)
{
	b->read += n;
}

/* ---- the thread -------------------------------------------------------------------------------------------------- */

static void on_wake(struct io *io, unsigned events)
{
	char trash[64];

	while (read(io->fd, trash, sizeof(trash)) > 0)
		;
}

static struct session *inbox_take(struct bulk *b)
{
	struct session *all;

	pthread_mutex_lock(&b->lock);
	all = b->inbox;
	b->inbox = NULL;
	pthread_mutex_unlock(&b->lock);
	return all;
}

static void inbox_read(struct bulk *b)
{
	for (struct session *s = inbox_take(b), *next; s; s = next) {
		next = s->next;
		s->next = b->sessions;
		b->sessions = s;
		session_join(s, b->loop);
	}
}

static void done_free(struct bulk *b)
{
	for (struct session **at = &b->sessions; *at;) {
		struct session *s = *at;

		if (!session_is_done(s)) {
			at = &s->next;
			continue;
		}
		*at = s->next;
		session_free(s);
		atomic_fetch_sub(&b->load, 1);
	}
}

static void coalesce(struct bulk *b)
{
	if (b->read >= COALESCE_BYTES)
		nanosleep(&(struct timespec){ .tv_nsec = COALESCE_NS }, NULL);
	b->read = 0;
}

static void *bulk_main(void *arg)
{
	struct bulk *b = arg;

	io_start(b->loop, &b->wake_io, b->wake[0], IO_IN, on_wake);
	do {
		done_free(b);
		inbox_read(b);
		coalesce(b);
	} while (loop_turn(b->loop, UINT64_MAX) != -ECANCELED);
	io_stop(&b->wake_io);
	return NULL;
}

/* ---- from the forwarder's thread --------------------------------------------------------------------------------- */

static void pipe_open(int fd[static 2])
{
	int r = pipe(fd);

	assert(r == 0);
	for (int i = 0; i < 2; i++) {
		(void)fcntl(fd[i], F_SETFD, FD_CLOEXEC);
		(void)fcntl(fd[i], F_SETFL, O_NONBLOCK);
	}
}

static struct bulk *bulk_new(void)
{
	struct bulk *b = xcalloc(1, sizeof(*b));
	sigset_t all, before;
	pthread_attr_t attr;
	int r;

	b->loop = loop_new(LOOP_DEFAULT);
	pipe_open(b->wake);
	pthread_mutex_init(&b->lock, NULL);
	sigfillset(&all);		/* signals are the main thread's */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	r = pthread_create(&b->thread, &attr, bulk_main, b);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	assert(r == 0);
	return b;
}

static struct bulk *bulk_choose(struct forwarder *f)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned most = (unsigned)MIN(MAX(cpus, 1), BULK_THREADS_MAX);
	struct bulk *least = NULL;

	for (unsigned i = 0; i < f->bulk_count; i++)
		if (!least || atomic_load(&f->bulk[i]->load) < atomic_load(&least->load))
			least = f->bulk[i];
	if (least && (atomic_load(&least->load) == 0 || f->bulk_count >= most))
		return least;
	return f->bulk[f->bulk_count++] = bulk_new();
}

void bulk_take(struct forwarder *f, struct session *s)
{
	struct bulk *b = bulk_choose(f);

	session_leave(s);
	s->bulk = b;
	atomic_fetch_add(&b->load, 1);
	pthread_mutex_lock(&b->lock);
	s->next = b->inbox;
	b->inbox = s;
	pthread_mutex_unlock(&b->lock);
	(void)!write(b->wake[1], "", 1);
}

static void sessions_free(struct session *s)
{
	for (struct session *next; s; s = next) {
		next = s->next;
		session_free(s);
	}
}

static void bulk_free(struct bulk *b)
{
	loop_cancel(b->loop);
	pthread_join(b->thread, NULL);
	sessions_free(b->sessions);
	sessions_free(b->inbox);
	loop_free(b->loop);
	close(b->wake[0]);
	close(b->wake[1]);
	pthread_mutex_destroy(&b->lock);
	free(b);
}

void bulk_stop(struct forwarder *f)
{
	while (f->bulk_count)
		bulk_free(f->bulk[--f->bulk_count]);
}
