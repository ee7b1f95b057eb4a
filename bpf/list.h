/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * ADD and REMOVE of local addresses. A call is written into the wishes as a draft, address by
 * address; at the end it holds as a whole, or they are what they were before.
 */
#ifndef SUBFLOW_LIST_H
#define SUBFLOW_LIST_H

#include "draft.h"
#include "request.h"

/*
 * The address that the application has bound the socket to is the first one, and the list is what
 * else there is: RFC 6897 section 5.3.2.
 */
static __always_inline int draft_bound(struct request *request, struct draft *draft)
{
	struct mptcp_sock *msk = request->msk;
	struct sock *first = BPF_CORE_READ(msk, first);
	struct end bound = {};

	if (!first || !has_chosen_address(first))
		return 0;
	read_local(first, &bound);
	if (wishes_have_bound(request->wishes, &bound) || wishes_find(request->wishes, &bound) >= 0)
		return 0;
	bound.port = 0;
	draft->n++;
	return wishes_draft(request->wishes, &bound, draft->generation, draft->heard, true);
}

/* Why the draft cannot hold, or 0. */
static __always_inline int judge_add(struct request *request, struct draft *draft)
{
	int n, err = request->state == BPF_TCP_CLOSE ? draft_bound(request, draft) : 0;

	if (err || request->is_server || request->state == BPF_TCP_LISTEN)
		return err;
	count_request(request);
	n = draft->n;
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
	struct draft draft = {.add = add};
	struct wishes *before = NULL;
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
	else
		before = bpf_sk_storage_get(
			&befores, ctx->sk, request.wishes, BPF_SK_STORAGE_GET_F_CREATE);
	if (!request.wishes || (!is_first && !before))
		return fail(ctx, ENOBUFS);
	draft.netns = request.key.netns;
	is_fresh = request.state == BPF_TCP_CLOSE || request.state == BPF_TCP_LISTEN;
	/*
	 * An accepted connection inherits what its listener was given, not the listener's
	 * generations: its own first REMOVE is later than all of it.
	 */
	draft.generation = is_fresh ? 1 : request.intent->generation + 1;
	draft.port_min = BPF_CORE_READ(
		(struct sock *)msk_of(ctx), __sk_common.skc_net.net, ipv4.sysctl_ip_prot_sock);
	if (request.receipt)
		draft.heard = request.receipt->heard;
	draft_read(ctx, request.wishes, &draft);
	err = draft.err;
	if (!err && (int)draft.at < ctx->optlen)
		err = add ? EDQUOT : EINVAL;
	if (!err)
		err = add ? judge_add(&request, &draft) : judge_remove(&request);
	if (err && before)
		*request.wishes = *before;
	else if (err) /* accepted connections would inherit it */
		bpf_sk_storage_delete(&all_wishes, ctx->sk);
	bpf_sk_storage_delete(&befores, ctx->sk);
	if (err)
		return fail(ctx, err);
	if (add)
		wishes_keep_add(request.wishes, draft.generation, draft.heard);
	else
		wishes_keep_remove(request.wishes, draft.generation, is_fresh);
	wishes_forget(request.wishes, draft.heard);
	if (add && is_fresh)
		request.wishes->is_restricted = 1;
	return accept_request(ctx, &request);
}

#endif
