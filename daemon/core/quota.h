/* SPDX-License-Identifier: MIT */
/* Judgement: how many probes the connections of one user may cost. Pure. */
#ifndef SUBFLOW_QUOTA_H
#define SUBFLOW_QUOTA_H

#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>

#define QUOTA_USERS_MAX 256
#define QUOTA_BURST_MIN 16 /* at once, however few a second */

/* Whose connections nobody knows: one user more. */
#define QUOTA_NOBODY UINT32_MAX

struct quota_user {
	uint32_t uid;
	UT_hash_handle hh;
	uint64_t saved_ns, filled_ns; /* what may be spent, and as of when */
};

struct quota {
	uint32_t per_second; /* what was not spent is saved, for a second or QUOTA_BURST_MIN */
	struct quota_user *users;
};

void quota_done(struct quota *quota);

/* Whether the user has one left. Root always has: what bounds all bounds it. */
bool quota_has(struct quota *quota, uint32_t uid, uint64_t now_ns);

/* One is spent; quota_has() was true. */
void quota_spend(struct quota *quota, uint32_t uid);

/* What one costs. */
uint64_t quota_price_ns(const struct quota *quota);

#endif
