/* SPDX-License-Identifier: Apache-2.0 */
/* How it works: a batch is one datagram of netlink messages between NFNL_MSG_BATCH_BEGIN and _END. The kernel works it off
 * inside of sendto() and leaves its answers in the socket: an error for each message that failed, and the acknowledgement
 * that the last one asks for. */
#include "net/linux/nft_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "base/str.h"

#define BATCH_MAX (8u << 20)
#define SEND_BUFFER (8 << 20)
#define ELEMENTS_MAX 512		/* of one message: a nested attribute has at most 64 kB */

#define HIGH_FD 1000			/* below the usual limit of descriptors, 1024 */

/* nft(8)'s numbers of data types, so that it can show our sets. */
enum { TYPE_ADDR4 = 7, TYPE_ADDR6 = 8, TYPE_PROTO = 12, TYPE_SERVICE = 13, TYPE_BITS = 6 };

static const struct {
	unsigned type, len;
} keys[NFT_KEYS] = {
	[NFT_KEY_ADDR4] = { TYPE_ADDR4, 4 },
	[NFT_KEY_ADDR6] = { TYPE_ADDR6, 16 },
	[NFT_KEY_PORT4] = { TYPE_ADDR4 << 2 * TYPE_BITS | TYPE_PROTO << TYPE_BITS | TYPE_SERVICE, 12 },
	[NFT_KEY_PORT6] = { TYPE_ADDR6 << 2 * TYPE_BITS | TYPE_PROTO << TYPE_BITS | TYPE_SERVICE, 24 },
};

/* ---- messages ---------------------------------------------------------------------------------------------------- */

static void align(struct buf *b)
{
	static const char zero[4];

	buf_add(b, zero, (4 - b->len % 4) % 4);
}

void nft_attr(struct nft *n, unsigned type, const void *p, size_t len)
{
	const struct nlattr a = { .nla_len = (uint16_t)(sizeof(a) + len), .nla_type = (uint16_t)type };

	buf_add(&n->batch, &a, sizeof(a));
	buf_add(&n->batch, p, len);
	align(&n->batch);
}

void nft_attr_str(struct nft *n, unsigned type, const char *s)
{
	nft_attr(n, type, s, strlen(s) + 1);
}

void nft_attr_u32(struct nft *n, unsigned type, uint32_t v)
{
	v = htonl(v);
	nft_attr(n, type, &v, sizeof(v));
}

void nft_attr_u64(struct nft *n, unsigned type, uint64_t v)
{
	const uint32_t be[2] = { htonl((uint32_t)(v >> 32)), htonl((uint32_t)v) };

	nft_attr(n, type, be, sizeof(be));
}

void nft_nest(struct nft *n, unsigned type)
{
	n->nest[n->depth++] = n->batch.len;
	nft_attr(n, type | NLA_F_NESTED, NULL, 0);
}

void nft_unnest(struct nft *n)
{
	size_t at = n->nest[--n->depth];
	uint16_t len = (uint16_t)(n->batch.len - at);

	if (buf_ok(&n->batch))
		memcpy(n->batch.data + at, &len, sizeof(len));
}

void nft_attr_value(struct nft *n, unsigned type, const void *p, size_t len)
{
	nft_nest(n, type);
	nft_attr(n, NFTA_DATA_VALUE, p, len);
	nft_unnest(n);
}

static void message_raw(struct nft *n, unsigned type, unsigned flags, int family, uint16_t res_id)
{
	const struct nlmsghdr h = { .nlmsg_type = (uint16_t)type, .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags),
				    .nlmsg_seq = n->seq++ };
	const struct nfgenmsg g = { .nfgen_family = (uint8_t)family, .version = NFNETLINK_V0, .res_id = htons(res_id) };

	n->message = n->batch.len;
	buf_add(&n->batch, &h, sizeof(h));
	buf_add(&n->batch, &g, sizeof(g));
}

void nft_message_end(struct nft *n)
{
	uint32_t len = (uint32_t)(n->batch.len - n->message);

	if (buf_ok(&n->batch))
		memcpy(n->batch.data + n->message, &len, sizeof(len));
}

void nft_message_begin(struct nft *n, unsigned type, unsigned flags, const char *what, const char *name)
{
	buf_addf(&n->names, "%s %s\n", what, name);
	message_raw(n, NFNL_SUBSYS_NFTABLES << 8 | type, flags, NFPROTO_INET, 0);
}

/* ---- transactions ------------------------------------------------------------------------------------------------ */

void nft_begin(struct nft *n)
{
	buf_reset(&n->batch);
	buf_reset(&n->names);
	n->depth = 0;
	n->first_seq = n->seq;
	message_raw(n, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	nft_message_end(n);
}

size_t nft_pending(const struct nft *n)
{
	return n->batch.len;
}

/* What the message with this number was about. */
static struct str message_name(const struct nft *n, uint32_t seq)
{
	struct str rest = { n->names.data, n->names.len }, line = { "the transaction", 15 };

	for (uint32_t at = n->first_seq; at < seq; at++)
		if (!str_split(&rest, '\n', &line))
			break;
	return line;
}

/* Reads what the kernel says of the batch: the first error, or whether the last message was taken. */
static int answers_read(struct nft *n, uint32_t last, struct err *err)
{
	union {
		struct nlmsghdr h;
		char bytes[16384];
	} u;
	bool acked = false;
	int code = 0;
	ssize_t len;

	while ((len = recv(n->fd, &u, sizeof(u), MSG_DONTWAIT)) > 0 || (len < 0 && errno == EINTR)) {
		for (struct nlmsghdr *h = &u.h; len > 0 && NLMSG_OK(h, (size_t)len); h = NLMSG_NEXT(h, len)) {
			const struct nlmsgerr *e = NLMSG_DATA(h);

			if (h->nlmsg_type != NLMSG_ERROR || h->nlmsg_len < NLMSG_LENGTH(sizeof(*e)))
				continue;
			acked |= !e->error && h->nlmsg_seq == last;
			if (!e->error || code)
				continue;
			code = e->error;
			errno = -code;
			err_set(err, code, "nf_tables: %.*s: %m", STR_ARG(message_name(n, h->nlmsg_seq)));
		}
	}
	if (code || acked)
		return code;
	return err_set(err, -EIO, "nf_tables: no answer");
}

int nft_commit(struct nft *n, struct err *err)
{
	struct nlmsghdr *h = (void *)(n->batch.data + n->message);
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	uint32_t last = n->seq - 1;
	ssize_t sent;

	if (last == n->first_seq)
		return 0;
	if (!buf_ok(&n->batch))
		return err_set(err, -EMSGSIZE, "nf_tables: the transaction has more than %u bytes", BATCH_MAX);
	h->nlmsg_flags |= NLM_F_ACK;
	message_raw(n, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	nft_message_end(n);
	do
		sent = sendto(n->fd, n->batch.data, n->batch.len, 0, (struct sockaddr *)&kernel, sizeof(kernel));
	while (sent < 0 && errno == EINTR);
	if (sent < 0)
		return err_set(err, -errno, "nf_tables: %m");
	return answers_read(n, last, err);
}

/* ---- objects ----------------------------------------------------------------------------------------------------- */

void nft_table_add(struct nft *n, const char *table)
{
	nft_message_begin(n, NFT_MSG_NEWTABLE, NLM_F_CREATE, "table", table);
	nft_attr_str(n, NFTA_TABLE_NAME, table);
	nft_attr_u32(n, NFTA_TABLE_FLAGS, NFT_TABLE_F_OWNER);
	nft_message_end(n);
}

void nft_table_delete(struct nft *n, const char *table)
{
	nft_message_begin(n, NFT_MSG_DELTABLE, 0, "table", table);
	nft_attr_str(n, NFTA_TABLE_NAME, table);
	nft_message_end(n);
}

void nft_table_renew(struct nft *n, const char *table)
{
	nft_table_add(n, table);
	nft_table_delete(n, table);
	nft_table_add(n, table);
}

void nft_hook_add(struct nft *n, const char *table, const char *chain, enum nft_type type, int priority)
{
	static const char *const types[] = { [NFT_FILTER] = "filter", [NFT_NAT] = "nat", [NFT_ROUTE] = "route" };

	nft_message_begin(n, NFT_MSG_NEWCHAIN, NLM_F_CREATE, "chain", chain);
	nft_attr_str(n, NFTA_CHAIN_TABLE, table);
	nft_attr_str(n, NFTA_CHAIN_NAME, chain);
	nft_attr_str(n, NFTA_CHAIN_TYPE, types[type]);
	nft_attr_u32(n, NFTA_CHAIN_POLICY, NF_ACCEPT);
	nft_nest(n, NFTA_CHAIN_HOOK);
	nft_attr_u32(n, NFTA_HOOK_HOOKNUM, NFT_OUTPUT);
	nft_attr_u32(n, NFTA_HOOK_PRIORITY, (uint32_t)priority);
	nft_unnest(n);
	nft_message_end(n);
}

void nft_set_add(struct nft *n, const char *table, const char *set, enum nft_key key, bool map, bool timeout)
{
	nft_message_begin(n, NFT_MSG_NEWSET, NLM_F_CREATE, "set", set);
	nft_attr_str(n, NFTA_SET_TABLE, table);
	nft_attr_str(n, NFTA_SET_NAME, set);
	nft_attr_u32(n, NFTA_SET_ID, ++n->set_id);
	nft_attr_u32(n, NFTA_SET_FLAGS, (map ? NFT_SET_MAP : 0) | (timeout ? NFT_SET_TIMEOUT : 0));
	nft_attr_u32(n, NFTA_SET_KEY_TYPE, keys[key].type);
	nft_attr_u32(n, NFTA_SET_KEY_LEN, keys[key].len);
	if (map) {
		nft_attr_u32(n, NFTA_SET_DATA_TYPE, keys[key].type);
		nft_attr_u32(n, NFTA_SET_DATA_LEN, keys[key].len);
	}
	nft_message_end(n);
}

static void element_put(struct nft *n, enum nft_key key, const struct nft_element *e, bool value, uint64_t timeout_ms)
{
	uint8_t bytes[24] = { 0 };
	size_t addr_len = addr_bits(&e->addr) / 8;

	memcpy(bytes, e->addr.b, addr_len);
	if (key == NFT_KEY_PORT4 || key == NFT_KEY_PORT6) {
		bytes[addr_len] = e->protocol;
		bytes[addr_len + 4] = (uint8_t)(e->port >> 8);
		bytes[addr_len + 5] = (uint8_t)e->port;
	}
	nft_nest(n, NFTA_LIST_ELEM);
	nft_attr_value(n, NFTA_SET_ELEM_KEY, bytes, keys[key].len);
	if (value)
		nft_attr_value(n, NFTA_SET_ELEM_DATA, e->value.b, addr_len);
	if (timeout_ms)
		nft_attr_u64(n, NFTA_SET_ELEM_TIMEOUT, timeout_ms);
	nft_unnest(n);
}

static void elements_put(struct nft *n, unsigned type, const char *table, const char *set, enum nft_key key,
			 const struct nft_element *e, size_t count, uint64_t timeout_ms)
{
	while (count) {
		size_t part = MIN(count, (size_t)ELEMENTS_MAX);

		nft_message_begin(n, type, type == NFT_MSG_NEWSETELEM ? NLM_F_CREATE | NLM_F_EXCL : 0, "elements of", set);
		nft_attr_str(n, NFTA_SET_ELEM_LIST_TABLE, table);
		nft_attr_str(n, NFTA_SET_ELEM_LIST_SET, set);
		nft_nest(n, NFTA_SET_ELEM_LIST_ELEMENTS);
		for (size_t i = 0; i < part; i++)
			element_put(n, key, &e[i], e[i].value.family, timeout_ms);
		nft_unnest(n);
		nft_message_end(n);
		e += part;
		count -= part;
	}
}

void nft_elements_add(struct nft *n, const char *table, const char *set, enum nft_key key, const struct nft_element *e, size_t count,
		      uint64_t timeout_ms)
{
	elements_put(n, NFT_MSG_NEWSETELEM, table, set, key, e, count, timeout_ms);
}

void nft_elements_delete(struct nft *n, const char *table, const char *set, enum nft_key key, const struct nft_element *e,
			 size_t count)
{
	elements_put(n, NFT_MSG_DELSETELEM, table, set, key, e, count, 0);
}

/* ---- conditions -------------------------------------------------------------------------------------------------- */

/* Any element does: it is there, or it has expired. */
const struct nft_element nft_holds = { .addr = { .family = AF_INET } };

void nft_condition_add(struct nft *n, const char *table, const char *name, uint64_t holds_ms)
{
	nft_set_add(n, table, name, NFT_KEY_ADDR4, false, true);
	if (holds_ms)
		nft_elements_add(n, table, name, NFT_KEY_ADDR4, &nft_holds, 1, holds_ms);
}

/* An element's time cannot be renewed: it is exchanged; one that has expired cannot be deleted. */
int nft_condition_renew(struct nft *n, const char *table, const char *name, uint64_t holds_ms, struct err *err)
{
	nft_begin(n);
	nft_elements_delete(n, table, name, NFT_KEY_ADDR4, &nft_holds, 1);
	nft_elements_add(n, table, name, NFT_KEY_ADDR4, &nft_holds, 1, holds_ms);
	if (!nft_commit(n, NULL))
		return 0;
	nft_begin(n);
	nft_elements_add(n, table, name, NFT_KEY_ADDR4, &nft_holds, 1, holds_ms);
	return nft_commit(n, err);
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

struct nft *nft_new(struct err *err)
{
	struct nft *n = xcalloc(1, sizeof(*n));
	int one = 1, size = SEND_BUFFER;

	buf_init(&n->batch, BATCH_MAX);
	buf_init(&n->names, BATCH_MAX);
	n->seq = 1;
	n->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);
	if (n->fd < 0) {
		err_set(err, -errno, "nf_tables: %m");
		return nft_free(n);
	}
	(void)setsockopt(n->fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	(void)setsockopt(n->fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	(void)setsockopt(n->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	nft_begin(n);
	return n;
}

void nft_close_first(struct nft *n)
{
	int fd = fcntl(n->fd, F_DUPFD_CLOEXEC, HIGH_FD);

	if (fd < 0)
		return;
	close(n->fd);
	n->fd = fd;
}

struct nft *nft_free(struct nft *n)
{
	if (!n)
		return NULL;
	if (n->fd >= 0)
		close(n->fd);
	buf_done(&n->batch);
	buf_done(&n->names);
	free(n);
	return NULL;
}
