/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * ADD and REMOVE of local addresses. A call is written into the wishes as a draft, address by
 * address; at the end it holds as a whole, or all of it is taken back.
 */
#ifndef SUBFLOW_LIST_H
#define SUBFLOW_LIST_H

#include "request.h"

#define LOCAL_PREFIX_BITS (8 * (sizeof(struct local_key) - sizeof(__u32)))

struct draft {
	struct bpf_sockopt *ctx;
	struct request *request;
	__u32 at; /* bytes of optval that were read */
	__u32 port_min;
	bool add;
	int n;
	int err; /* positive */
};

/* The next address of optval; 0, or why it is none. */
static __always_inline int read_address(struct draft *draft, struct end *end)
{
	struct bpf_sockopt *ctx = draft->ctx;
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

	/* It would need a device. */
	if ((end->addr[0] & bpf_htonl(0xffc00000)) == bpf_htonl(0xfe800000))
		return false;
	__builtin_memcpy(key.netns, &netns, sizeof(netns));
	__builtin_memcpy(key.addr, end->addr, sizeof(key.addr));
	return bpf_map_lookup_elem(&locals, &key);
}

/* bpf_loop: 1 ends it. */
static int draft_address(__u32 index, void *arg)
{
	struct draft *draft = arg;
	struct request *request = draft->request;
	struct wishes *wishes = request->wishes;
	struct end end = {};

	if (!wishes || (int)draft->at >= draft->ctx->optlen)
		return 1;
	draft->err = read_address(draft, &end);
	if (draft->err)
		return 1;
	if (draft->add && !is_local(request->key.netns, &end))
		draft->err = EADDRNOTAVAIL;
	else if (draft->add && end.port && end.port < draft->port_min)
		draft->err = EACCES;
	if (draft->err)
		return 1;
	draft->err = wishes_draft(wishes, &end, request->intent->generation + 1, draft->add);
	draft->n++;
	return draft->err != 0;
}

/* Whether the application has bound the socket to an address that it has not listed. */
static __always_inline bool is_bound_elsewhere(const struct request *request)
{
	struct mptcp_sock *msk = request->msk;
	struct sock *first = BPF_CORE_READ(msk, first);
	struct end bound = {};

	if (!first || !has_chosen_address(first))
		return false;
	read_local(first, &bound);
	return wishes_find(request->wishes, &bound) < 0;
}

/* Why the draft cannot hold, or 0. */
static __always_inline int judge_add(struct request *request, int n)
{
	if (request->state == BPF_TCP_CLOSE && is_bound_elsewhere(request))
		return EADDRNOTAVAIL;
	if (request->is_server || request->state == BPF_TCP_LISTEN)
		return 0;
	count_request(request);
	/* The first one leaves from one of these. */
	if (request->state == BPF_TCP_CLOSE && !request->wishes->is_restricted)
		n--;
	return request->total + n > (int)config.max_subflows ? EDQUOT : 0;
}

static __always_inline int judge_remove(struct request *request)
{
	const struct receipt *receipt = request->receipt;
	struct wishes *wishes = request->wishes;
	struct tally tally = {.is_remove = true};
	bool has_alternative;
	int others;

	count_subflows(request, &tally);
	has_alternative = wishes_find_drafts(wishes);
	if (!wishes_are_found(wishes))
		return EADDRNOTAVAIL;
	if (!tally.live)
		return 0;
	if (has_alternative && !request->is_server)
		return 0;
	others = tally.live - tally.leaving - tally.drafted - (int)request->intent->removes;
	if (receipt)
		others += receipt->removes;
	return others < 1 ? EBUSY : 0;
}

static __always_inline int set_list(struct bpf_sockopt *ctx, bool add)
{
	struct request request = {};
	struct draft draft = {.ctx = ctx, .request = &request, .add = add};
	bool is_fresh, is_first;
	int err;

	if (ctx->optlen < (int)sizeof(struct address4))
		return fail(ctx, EINVAL);
	err = begin_request(ctx, &request);
	if (err)
		return fail(ctx, err);
	if (!is_client_state(request.state) && request.state != BPF_TCP_LISTEN &&
		(add || !is_connected(ctx)))
		return fail(ctx, ENOTCONN);
	is_first = !request.wishes;
	if (is_first)
		request.wishes =
			bpf_sk_storage_get(&all_wishes, ctx->sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!request.wishes)
		return fail(ctx, ENOBUFS);
	draft.port_min = BPF_CORE_READ(
		(struct sock *)msk_of(ctx), __sk_common.skc_net.net, ipv4.sysctl_ip_prot_sock);
	is_fresh = request.state == BPF_TCP_CLOSE || request.state == BPF_TCP_LISTEN;
	if (request.receipt)
		wishes_forget(request.wishes, request.receipt->heard);
	bpf_loop(SUBFLOWS_HARD_MAX, draft_address, &draft, 0);
	err = draft.err;
	if (!err && (int)draft.at < ctx->optlen)
		err = add ? EDQUOT : EINVAL;
	if (!err)
		err = add ? judge_add(&request, draft.n) : judge_remove(&request);
	if (err) {
		wishes_drop_draft(request.wishes);
		if (is_first) /* accepted connections would inherit it */
			bpf_sk_storage_delete(&all_wishes, ctx->sk);
		return fail(ctx, err);
	}
	if (add)
		wishes_keep_add(request.wishes);
	else
		wishes_keep_remove(request.wishes, request.intent->generation + 1, is_fresh);
	if (add && is_fresh)
		request.wishes->is_restricted = 1;
	return accept_request(ctx, &request);
}

#endif
