/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fake/dns.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "net/dnswire.h"
#include "net/sock.h"

#define ANSWER_MAX 8192

static bool first_label_is(const struct dns_name *n, const char *label)
{
	return n->b[0] == strlen(label) && strncasecmp((const char *)n->b + 1, label, n->b[0]) == 0;
}

static bool exists(const struct fake_dns *f, const struct dns_name *n)
{
	if (first_label_is(n, "nx"))
		return false;
	for (const char *const *label = f->only; label && *label; label++)
		if (first_label_is(n, *label))
			return true;
	return !f->only;
}

static void txt_add(struct dns_build *b)
{
	uint8_t txt[3072];

	for (size_t i = 0; i < sizeof(txt); i += 256) {
		txt[i] = 255;
		memset(txt + i + 1, 't', 255);
	}
	dns_build_record(b, 0, NULL, DNS_TXT, 30, txt, sizeof(txt));
}

static size_t answer_rule(const struct fake_dns *f, const struct dns_query *q, bool tcp, uint8_t *out)
{
	struct dns_name zone = dns_name_parent(&q->name, 1), host;
	bool nx = !exists(f, &q->name);
	struct dns_build b;

	dns_build_start(&b, q, nx ? DNS_NXDOMAIN : DNS_NOERROR, out, tcp ? ANSWER_MAX : dns_client_size(q));
	if (!nx && first_label_is(&q->name, "big"))
		txt_add(&b);
	else if (!nx && q->type == DNS_A)
		dns_build_record(&b, 0, NULL, DNS_A, 30, f->a, 4);
	else if (!nx && q->type == DNS_PTR && !dns_name_parse("host.example", &host))
		dns_build_record(&b, 0, NULL, DNS_PTR, 30, host.b, host.len);
	else
		dns_build_soa(&b, 1, &zone, 1, 30);
	return dns_build_end(&b);
}

/* 0: say nothing. */
static size_t answer_make(struct fake_dns *f, const uint8_t *msg, size_t n, bool tcp, uint8_t *out)
{
	struct dns_query q;
	size_t len;

	if (dns_query_read(msg, n, &q))
		return 0;
	*(tcp ? &f->tcp_seen : &f->udp_seen) += 1;
	f->edns_seen += q.edns.present;
	char text[DNS_TEXT_MAX];

	memcpy(f->message, msg, MIN(n, sizeof(f->message)));
	snprintf(f->last, sizeof(f->last), "%.255s", dns_name_text(&q.name, text));
	len = answer_rule(f, &q, tcp, out);
	switch (f->mode) {
	case FAKE_DNS_ANSWER: return len;
	case FAKE_DNS_SILENT: return 0;
	case FAKE_DNS_SERVFAIL: return dns_error_build(&q, DNS_SERVFAIL, DNS_RA, out);
	case FAKE_DNS_REFUSED: return dns_error_build(&q, DNS_REFUSED, 0, out);
	case FAKE_DNS_NO_EDNS:
		if (!q.edns.present)
			return len;
		q.edns.present = false;
		return dns_error_build(&q, DNS_FORMERR, 0, out);
	case FAKE_DNS_NO_QR: out[2] &= 0x7f; return len;
	case FAKE_DNS_OTHER_NAME: out[DNS_HEADER + 1] ^= 1; return len;
	case FAKE_DNS_GARBAGE: memset(out + len - 8, 0xff, 8); return len;
	case FAKE_DNS_UPPER:
		for (int i = DNS_HEADER; i < DNS_HEADER + q.name.len; i++)
			out[i] = (uint8_t)toupper(out[i]);
		return len;
	}
	return 0;
}

static void on_udp(struct io *io, unsigned events)
{
	struct fake_dns *f = container_of(io, struct fake_dns, udp_io);
	uint8_t in[4096], out[ANSWER_MAX];
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	ssize_t n = recvfrom(f->udp, in, sizeof(in), 0, (struct sockaddr *)&from, &len);
	size_t answer = n > 0 ? answer_make(f, in, (size_t)n, false, out) : 0;

	if (answer)
		(void)!sendto(f->udp, out, answer, 0, (struct sockaddr *)&from, len);
}

/* One question per read: enough for a test. The descriptor is the slot. */
static void on_conn(struct io *io, unsigned events)
{
	struct fake_dns *f = container_of(io - io->fd % FAKE_DNS_CONNS, struct fake_dns, conn_io[0]);
	uint8_t in[4096], out[ANSWER_MAX + 2];
	ssize_t n = recv(io->fd, in, sizeof(in), 0);
	size_t len = n > 2 ? answer_make(f, in + 2, (size_t)n - 2, true, out + 2) : 0;
	int fd = io->fd;

	if (n <= 0) {
		io_stop(io);
		close(fd);
		return;
	}
	out[0] = (uint8_t)(len >> 8);
	out[1] = (uint8_t)len;
	if (len)
		(void)!send(fd, out, len + 2, MSG_NOSIGNAL);
}

static void on_tcp(struct io *io, unsigned events)
{
	struct fake_dns *f = container_of(io, struct fake_dns, tcp_io);
	int fd = sock_accept(f->tcp, NULL);

	if (fd >= 0 && !f->conn_io[fd % FAKE_DNS_CONNS].loop)
		io_start(f->loop, &f->conn_io[fd % FAKE_DNS_CONNS], fd, IO_IN, on_conn);
	else if (fd >= 0)
		close(fd);
}

/* UDP and TCP on one port: when the one that UDP got is taken for TCP, another. */
static int bind_both(struct fake_dns *f, const struct hostport *at, struct err *err)
{
	f->at = *at;
	f->udp = sock_udp_bind(&f->at, err);
	if (f->udp < 0)
		return f->udp;
	f->tcp = sock_local(f->udp, &f->at) ? -1 : sock_tcp_listen(&f->at, err);
	if (f->tcp < 0)
		close(f->udp);
	return f->tcp;
}

void fake_dns_start(struct fake_dns *f, struct loop *l, const char *at)
{
	struct err err = { 0 };
	struct hostport wanted;
	int r = -1;

	*f = (struct fake_dns){ .loop = l, .a = { 192, 0, 2, 1 } };
	if (hostport_parse(at, 0, &wanted))
		abort();
	for (int i = 0; i < 20 && r < 0; i++)
		r = bind_both(f, &wanted, &err);
	if (r < 0) {
		printf("Bail out! fake dns: %s\n", err_text(&err));
		exit(1);
	}
	io_start(l, &f->udp_io, f->udp, IO_IN, on_udp);
	io_start(l, &f->tcp_io, f->tcp, IO_IN, on_tcp);
}

void fake_dns_stop(struct fake_dns *f)
{
	io_stop(&f->udp_io);
	io_stop(&f->tcp_io);
	for (int i = 0; i < FAKE_DNS_CONNS; i++) {
		int fd = f->conn_io[i].loop ? f->conn_io[i].fd : -1;

		io_stop(&f->conn_io[i]);
		if (fd >= 0)
			close(fd);
	}
	close(f->udp);
	close(f->tcp);
}
