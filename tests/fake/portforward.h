/* SPDX-License-Identifier: Apache-2.0 */
/* fake portforward: an API server's pods/portforward for tests, and behind it pods whose ports do what the enum below says.
 *
 * It speaks SPDY/3.1 (POST), SPDY/3.1+portforward.k8s.io and v4.channel.k8s.io (GET) as Kubernetes 1.34 with containerd was measured
 * to (portforward-134): half-closes end after a second, one stream that is not read wedges the session. It shares no code with what
 * it tests, and complains of what a real server would not take. One thread a connection, on tests/fake/httpd. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/http.h"
#include "tests/fake/httpd.h"

/* Ports of every pod; all others refuse. */
enum fake_pf_port {
	FAKE_ECHO = 7,
	FAKE_DISCARD = 9,
	FAKE_NEVER = 11,	/* never reads */
	FAKE_CLOSE = 13,	/* closes at once */
	FAKE_LATE = 15,		/* says "late\n" late_ms after the first byte, and closes */
	FAKE_AT_END = 17,	/* would answer when the client has ended: with containerd nobody gets that */
	FAKE_NAME = 19,		/* says the pod's name and closes */
	FAKE_SEND = 20000,	/* + n: sends n times 64 KiB of fake_pf_pattern and closes */
};

static inline uint8_t fake_pf_pattern(uint64_t at)
{
	return (uint8_t)(at * 7 + (at >> 12));
}

enum fake_pf_body { FAKE_STATUS, FAKE_TEXT, FAKE_EMPTY };	/* JSON as of the API; text/plain as of the upgrade; nothing */

/* What is wrong with one connection. All zero: nothing. Strings and bytes are borrowed. */
struct fake_pf_fault {
	const char *method, *pod;	/* only such requests; NULL: any */
	/* instead of 101 */
	unsigned delay_ms;		/* before the answer, whatever it is */
	bool hang;			/* no answer */
	const char *garbage;		/* in place of one; then the end */
	int status;
	enum fake_pf_body body;
	const char *protocol;		/* chosen among the WebSocket's, whatever is offered; "": 101 with none */
	bool bad_accept;
	/* after 101 */
	bool silent;			/* reads, and says nothing */
	size_t cut_at, hang_at;		/* said after 101: so many bytes, then the end, or silence */
	const void *inject;		/* bytes among the SPDY frames; v4, or inject_ws: among the WebSocket's */
	size_t inject_len;
	bool inject_ws;
	unsigned inject_after;		/* once so many streams were opened; 0: at once */
	unsigned reset_nth;		/* the n-th stream is reset, from 1 */
	unsigned goaway_after;		/* streams */
	bool no_pongs;			/* of SPDY */
	/* the node and its pods */
	unsigned connect_ms;		/* that a stream's connection takes */
	unsigned linger_ms, late_ms;	/* 0: 1000 as containerd has it; 300 */
	size_t stuck_at;		/* bytes that can wait for a pod that does not read; 0: 4 MiB */
	const char *refusal;		/* said of a port that refuses; NULL: as containerd does */
};

/* To inject: {bytes, length} */
#define FAKE_INJECT(s) .inject = (s), .inject_len = sizeof(s) - 1
#define FAKE_OVERSIZED_CONTROL "\x80\x03\x00\x02\x00\xff\xff\xff"
#define FAKE_WRONG_VERSION "\x80\x02\x00\x06\x00\x00\x00\x04\x00\x00\x00\x01"
#define FAKE_SHORT_PING "\x80\x03\x00\x06\x00\x00\x00\x02\x00\x00"
#define FAKE_DATA_OF_NOBODY "\x00\x00\x27\x0f\x00\x00\x00\x05stray"
#define FAKE_OVERSIZED_WS "\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff"
#define FAKE_MASKED_WS "\x82\x81\x00\x00\x00\x00x"

struct fake_pf_count {
	unsigned asked_post, asked_get;	/* requests */
	unsigned connections, open, most;	/* that were upgraded; now; at once */
	unsigned streams, streams_open, streams_most;
	unsigned refused, resets, pings, lost_replies;
	uint64_t received, sent;		/* payload */
};

struct fake_pf;

struct fake_pf *fake_pf_new(void);
void fake_pf_free(struct fake_pf *f);
void fake_pf_serve(struct fake_pf *f, struct httpd_req *q);		/* a request that came to another server */
struct http_endpoint fake_pf_endpoint(const struct fake_pf *f);		/* the caller's */
unsigned fake_pf_tcp_port(const struct fake_pf *f);
/* Of the next request that it fits; of all that no other fits (the last one said counts; NULL: none any more). Copied. */
void fake_pf_once(struct fake_pf *f, const struct fake_pf_fault *fault);
void fake_pf_always(struct fake_pf *f, const struct fake_pf_fault *fault);
void fake_pf_deaf(struct fake_pf *f, bool deaf);	/* new connections: not even their request is read */
void fake_pf_cut(struct fake_pf *f);			/* all connections, as when the API server ends */
/* Its streams end and new ones fail, its sessions stay; new requests get 404. */
void fake_pf_pod_gone(struct fake_pf *f, const char *pod, bool gone);
void fake_pf_count(struct fake_pf *f, struct fake_pf_count *ret);
/* Against the protocol: the first that was done; NULL: nothing. Stays. */
const char *fake_pf_complaint(struct fake_pf *f);
/* The head of the i-th request, or NULL. Stays. */
const char *fake_pf_asked(struct fake_pf *f, size_t i);
