/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* TCP_MULTIPATH_EXPECTED and TCP_MULTIPATH_INTENT: what the application says of what is to come. */
#ifndef SUBFLOW_FORECAST_H
#define SUBFLOW_FORECAST_H

#include "request.h"

/* A server cannot open subflows, so there it would be said in vain. */
static __always_inline int begin_forecast(struct bpf_sockopt *ctx, struct request *request)
{
	int err = begin_request(ctx, request);

	if (err)
		return err;
	if (request->is_server || request->state == BPF_TCP_LISTEN)
		return EOPNOTSUPP;
	return is_client_state(request->state) ? 0 : ENOTCONN;
}

static __always_inline int set_expected(struct bpf_sockopt *ctx)
{
	struct request request = {};
	__u64 *value = ctx->optval;
	int err;

	if (ctx->optlen != sizeof(*value) || (void *)(value + 1) > ctx->optval_end)
		return fail(ctx, EINVAL);
	err = begin_forecast(ctx, &request);
	if (err)
		return fail(ctx, err);
	request.intent->expected = *value;
	return accept_request(ctx, &request);
}

static __always_inline int set_purpose(struct bpf_sockopt *ctx)
{
	struct request request = {};
	__u32 *value = ctx->optval;
	int err;

	if (ctx->optlen != sizeof(*value) || (void *)(value + 1) > ctx->optval_end ||
		*value > PURPOSE_OFF)
		return fail(ctx, EINVAL);
	err = begin_forecast(ctx, &request);
	if (err)
		return fail(ctx, err);
	request.intent->purpose = *value;
	return accept_request(ctx, &request);
}

static __always_inline int get_expected(struct bpf_sockopt *ctx, const struct intent *intent)
{
	__u64 *value = ctx->optval;

	if (ctx->optlen < (int)sizeof(*value) || (void *)(value + 1) > ctx->optval_end)
		return fail(ctx, EINVAL);
	*value = intent ? intent->expected : 0;
	return answer(ctx, sizeof(*value));
}

#endif
