/* SPDX-License-Identifier: Apache-2.0 */
#include "net/forward/ws.h"

#include <errno.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

#define FIN 0x80
#define RSV 0x70
#define MASK 0x80
#define CLOSE_PROTOCOL 1002
#define CLOSE_NONE 1005

enum opcode { CONTINUATION = 0, TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10 };

/* ---- writing ----------------------------------------------------------------------------------------------------- */

static void masked_add(struct buf *b, const void *p, size_t n, const uint8_t key[static 4], size_t at)
{
	size_t from = b->len;

	buf_add(b, p, n);
	if (!buf_ok(b) || !(key[0] | key[1] | key[2] | key[3]))
		return;
	for (size_t i = 0; i < n; i++)
		b->data[from + i] = (char)((uint8_t)b->data[from + i] ^ key[(at + i) & 3]);
}

static void frame_put(struct ws *w, enum opcode op, const void *head, size_t head_len, const void *p, size_t n)
{
	uint64_t len = head_len + n;
	unsigned form = len < 126 ? (unsigned)len : len < 65536 ? 126 : 127, bytes = form == 126 ? 2 : form == 127 ? 8 : 0;
	uint8_t key[4] = { 0 };

	if (w->masked)
		random_bytes(key, sizeof(key));
	buf_addc(w->out, (char)(FIN | op));
	buf_addc(w->out, (char)(MASK | form));
	while (bytes--)
		buf_addc(w->out, (char)(len >> 8 * bytes));
	buf_add(w->out, key, sizeof(key));
	masked_add(w->out, head, head_len, key, 0);
	masked_add(w->out, p, n, key, head_len);
}

void ws_send(struct ws *w, const void *head, size_t head_len, const void *p, size_t n)
{
	if (!w->closed)
		frame_put(w, BINARY, head, head_len, p, n);
}

void ws_ping(struct ws *w, const void *p, size_t n)
{
	if (!w->closed)
		frame_put(w, PING, p, MIN(n, (size_t)WS_CONTROL_MAX), NULL, 0);
}

void ws_close(struct ws *w, unsigned code)
{
	const uint8_t bytes[2] = { (uint8_t)(code >> 8), (uint8_t)code };

	if (!w->closed)
		frame_put(w, CLOSE, bytes, code == CLOSE_NONE ? 0 : sizeof(bytes), NULL, 0);
	w->closed = true;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static int refuse(struct ws *w, struct err *err, const char *what)
{
	ws_close(w, CLOSE_PROTOCOL);
	return err_set(err, -EBADMSG, "WebSocket: %s", what);
}

static unsigned opcode_of(const struct ws *w)
{
	return w->head[0] & 15;
}

static bool is_control(const struct ws *w)
{
	return w->head[0] & 8;
}

static size_t head_len(const struct ws *w)
{
	unsigned form = w->have < 2 ? 0 : w->head[1] & 127;

	return 2 + (form == 126 ? 2u : form == 127 ? 8u : 0u);
}

static uint64_t payload_len(const struct ws *w)
{
	uint64_t len = 0;

	if (head_len(w) == 2)
		return w->head[1] & 127;
	for (size_t i = 2; i < head_len(w); i++)
		len = len << 8 | w->head[i];
	return len;
}

static int head_check(struct ws *w, struct err *err)
{
	unsigned op = opcode_of(w);

	w->left = payload_len(w);
	if (w->head[0] & RSV)
		return refuse(w, err, "an extension that nobody asked for");
	if (w->head[1] & MASK)
		return refuse(w, err, "a masked frame from the server");
	if (w->left >> 63)
		return refuse(w, err, "a frame without measure");
	if (is_control(w)) {
		w->control_len = 0;
		return op > PONG ? refuse(w, err, "an unknown control frame") :
		       w->left > WS_CONTROL_MAX || !(w->head[0] & FIN) ? refuse(w, err, "a control frame that is too long") : 0;
	}
	if (op > BINARY || (op == CONTINUATION) != w->in_message)
		return refuse(w, err, "a frame out of order");
	w->fresh |= op != CONTINUATION;
	w->in_message = !(w->head[0] & FIN);
	return 0;
}

static void close_read(struct ws *w)
{
	unsigned code = w->control_len >= 2 ? (unsigned)(w->control[0] << 8 | w->control[1]) : CLOSE_NONE;
	char reason[WS_CONTROL_MAX] = "";

	if (w->control_len > 2)
		memcpy(reason, w->control + 2, w->control_len - 2);
	ws_close(w, code);
	if (w->ops->on_close)
		w->ops->on_close(w->owner, code, reason);
}

static void control_end(struct ws *w)
{
	switch (opcode_of(w)) {
	case CLOSE:
		close_read(w);
		break;
	case PING:
		if (!w->closed)
			frame_put(w, PONG, w->control, w->control_len, NULL, 0);
		break;
	default:
		if (w->ops->on_pong)
			w->ops->on_pong(w->owner, w->control, w->control_len);
	}
}

static void payload_read(struct ws *w, const uint8_t *p, size_t n)
{
	w->left -= n;
	if (is_control(w)) {
		memcpy(w->control + w->control_len, p, n);
		w->control_len += n;
	} else if (w->ops->on_data) {
		w->ops->on_data(w->owner, p, n, w->fresh, !w->left && !w->in_message);
		w->fresh = false;
	}
	if (w->left)
		return;
	w->have = 0;
	if (is_control(w))
		control_end(w);
}

int ws_feed(struct ws *w, const void *p, size_t n, struct err *err)
{
	const uint8_t *at = p;
	int r = 0;

	while (!r && !w->closed && (n || (w->have >= 2 && w->have == head_len(w) && !w->left))) {
		bool head = w->have < head_len(w);
		size_t part = (size_t)MIN((uint64_t)n, head ? 1 : w->left);

		if (head) {
			w->head[w->have++] = *at;
			if (w->have == head_len(w))
				r = head_check(w, err);
		} else {
			payload_read(w, at, part);
		}
		at += part;
		n -= part;
	}
	return r;
}

void ws_init(struct ws *w, const struct ws_ops *ops, void *owner, struct buf *out, bool masked)
{
	*w = (struct ws){ .ops = ops, .owner = owner, .out = out, .masked = masked };
}
