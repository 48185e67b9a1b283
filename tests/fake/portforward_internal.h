/* SPDX-License-Identifier: Apache-2.0 */
/* fake portforward, internal: its requests (portforward.c), its bytes (portforward_wire.c), its pods (portforward_pod.c). */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "base/buf.h"
#include "tests/fake/httpd.h"
#include "tests/fake/portforward.h"

#define PF_WORKERS 5		/* of spdystream: frames of a stream go to the one with the number id % 5 */
#define PF_HELD_MAX 50		/* frames that wait for a worker; beyond, the session is not read any more */
#define PF_OUT_MARK (256u << 10)
#define PF_CHUNK (32u << 10)

enum pf_kind { PF_SPDY, PF_TUNNEL, PF_V4 };

struct pf_stream {
	struct pf_stream *next;
	uint32_t data, error;		/* ids, 0: not there yet; v4: channels, both there */
	uint64_t request;
	uint16_t port;
	bool started, client_over, over, reset;
	uint64_t start_at, late_at, end_at;	/* ns; 0: not to come */
	struct buf backlog;		/* for the port, of which it has read backlog_at */
	size_t backlog_at;
	uint64_t unread, left, at;	/* FAKE_NEVER; FAKE_SEND: to be sent, sent */
};

struct pf_conn {
	struct fake_pf *f;
	struct httpd_req *q;
	struct fake_pf_fault fault;
	enum pf_kind kind;
	char pod[256];
	struct buf raw, in, message, out;	/* of the WebSocket; SPDY frames; a fragmented message; to be written */
	size_t out_at, written;
	struct pf_stream *streams;
	struct buf held[PF_WORKERS];	/* frames that wait for their worker, which is stuck */
	unsigned held_n[PF_WORKERS], round;
	bool zlib_begun, wedged, closing, over, gone, injected;
	uint32_t last_id;
	unsigned opened;
	unsigned cuts;
};

struct fake_pf {
	struct httpd *httpd;
	pthread_mutex_t lock;		/* for all below */
	struct fake_pf_fault *once, *always;	/* owned */
	size_t once_n, always_n;
	char **asked, **gone;			/* owned */
	size_t asked_n, gone_n;
	char *complaint;
	struct fake_pf_count count;
	atomic_uint cuts;
};

uint64_t pf_now(void);
void pf_complain(struct pf_conn *c, const char *fmt, ...) printf_like(2, 3);	/* and end the connection */
#define pf_count(c, statement) do { struct fake_pf_count *count = &(c)->f->count; pthread_mutex_lock(&(c)->f->lock); statement; \
	pthread_mutex_unlock(&(c)->f->lock); } while (0)

/* ---- bytes ---- */
void pf_begin(struct pf_conn *c);				/* after 101 */
void pf_in(struct pf_conn *c, const void *p, size_t n);
void pf_held_again(struct pf_conn *c);
void pf_data(struct pf_conn *c, struct pf_stream *s, const void *p, size_t n);
void pf_end(struct pf_conn *c, struct pf_stream *s, const char *error);		/* of data, then the text and end of error */
void pf_break(struct pf_conn *c, struct pf_stream *s);
void pf_goaway(struct pf_conn *c);
void pf_inject(struct pf_conn *c);

/* ---- pods ---- */
void pf_open(struct pf_conn *c, struct pf_stream *s);		/* both its ids are there */
void pf_take(struct pf_conn *c, struct pf_stream *s, const void *p, size_t n);
void pf_client_end(struct pf_conn *c, struct pf_stream *s);
void pf_client_reset(struct pf_conn *c, struct pf_stream *s);
bool pf_is_stuck(const struct pf_conn *c, const struct pf_stream *s);
void pf_pump(struct pf_conn *c);				/* all that is due, as far as there is room */
void pf_pod_gone(struct pf_conn *c);
void pf_streams_free(struct pf_conn *c);
