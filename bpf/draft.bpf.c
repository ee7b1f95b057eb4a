/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The addresses of a call, read from its value and written into the wishes as a draft. */
#include "mptcp.h"

#include "draft.h"

#include <linux/errno.h>

#define LOCAL_PREFIX_BITS (8 * (sizeof(struct local_key) - sizeof(__u32)))

/* The next address of optval; 0, or why it is none. */
static __always_inline int read_address(
	struct bpf_sockopt *ctx, struct draft *draft, struct end *end)
{
	struct address4 *v4 = ctx->optval + (draft->at & 0xfff);
	struct address6 *v6 = ctx->optval + (draft->at & 0xfff);

	if ((void *)(v4 + 1) > ctx->optval_end)
		return EINVAL;
	end->port = bpf_ntohs(v4->port);
	if (v4->family == AF_INET) {
		map_v4(end->addr, v4->addr);
		draft->at += sizeof(*v4);
	} else {
		if (v4->family != AF_INET6 || (void *)(v6 + 1) > ctx->optval_end)
			return EINVAL;
		end->addr[0] = v6->addr[0];
		end->addr[1] = v6->addr[1];
		end->addr[2] = v6->addr[2];
		end->addr[3] = v6->addr[3];
		draft->at += sizeof(*v6);
	}
	if ((int)draft->at > ctx->optlen)
		return EINVAL;
	if (!end->addr[3] && !end->addr[0] && !end->addr[1] &&
		(!end->addr[2] || end->addr[2] == bpf_htonl(0xffff)))
		return EINVAL;
	if (ctx->sk->family == AF_INET && !is_v4(end->addr))
		return EINVAL;
	return 0;
}

static __always_inline bool is_local(__u64 netns, const struct end *end)
{
	struct local_key key = {.bits = LOCAL_PREFIX_BITS};
	__u32 *is;

	/* It would need a device. */
	if ((end->addr[0] & bpf_htonl(0xffc00000)) == bpf_htonl(0xfe800000))
		return false;
	__builtin_memcpy(key.netns, &netns, sizeof(netns));
	__builtin_memcpy(key.addr, end->addr, sizeof(key.addr));
	is = bpf_map_lookup_elem(&locals, &key);
	return is && *is;
}

struct reading {
	struct bpf_sockopt *ctx;
	struct wishes *wishes;
	struct draft *draft;
};

/* bpf_loop: 1 ends it. */
static int draft_address(__u32 index, void *arg)
{
	struct reading *reading = arg;
	struct draft *draft = reading->draft;
	struct end end = {};

	if ((int)draft->at >= reading->ctx->optlen)
		return 1;
	draft->err = read_address(reading->ctx, draft, &end);
	if (draft->err)
		return 1;
	if (draft->add && !is_local(draft->netns, &end))
		draft->err = EADDRNOTAVAIL;
	else if (draft->add && end.port && end.port < draft->port_min)
		draft->err = EACCES;
	if (draft->err)
		return 1;
	draft->err =
		wishes_draft(reading->wishes, &end, draft->generation, draft->heard, draft->add);
	draft->n++;
	return draft->err != 0;
}

int draft_read(struct bpf_sockopt *ctx, struct wishes *wishes, struct draft *draft)
{
	struct reading reading = {.ctx = ctx, .wishes = wishes, .draft = draft};

	if (!wishes || !draft)
		return 0;
	bpf_loop(SUBFLOWS_HARD_MAX, draft_address, &reading, 0);
	return 0;
}
