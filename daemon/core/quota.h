/* SPDX-License-Identifier: MIT */
/* Judgement: how many probes the connections of one user may cost. Pure. */
#ifndef SUBFLOW_QUOTA_H
#define SUBFLOW_QUOTA_H

#include "core/bucket.h"

#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>

#define QUOTA_USERS_MAX 256
#define QUOTA_BURST_MIN 16 /* at once, however few a second */

#define QUOTA_PAYERS_MAX 64

/* Whose connections nobody knows: one user more. Those that find no place are of it too. */
#define QUOTA_NOBODY UINT32_MAX

struct quota_user {
	uint32_t uid;
	UT_hash_handle hh;
	struct bucket bucket;
};

struct quota {
	uint32_t per_second; /* what was not spent is saved, for a second or QUOTA_BURST_MIN */
	struct quota_user *users;
	struct quota_user nobody; /* outside the table: there when that is full */
	uint64_t refused;         /* times that a user found the table full */
};

/* The users for whom the same thing is done: whoever has something left pays. */
struct quota_payers {
	uint32_t uids[QUOTA_PAYERS_MAX];
	unsigned int count, turn;
};

void quota_done(struct quota *quota);

/* Whether the user has one left. Root always has: what bounds all bounds it. */
bool quota_has(struct quota *quota, uint32_t uid, uint64_t now_ns);

/* One is spent; quota_has() was true. */
void quota_spend(struct quota *quota, uint32_t uid);

/*
 * Whether one more may be begun for the user, who has @held of the @count that are under way; there
 * is room for @most. Nobody has more than there is room left, so those who come later find some;
 * the last 16th is root's.
 */
bool quota_has_room(uint32_t uid, unsigned int held, unsigned int count, unsigned int most);

/* Each is in it once; who finds no place does not pay. */
void quota_add_payer(struct quota_payers *payers, uint32_t uid);

/* Goes round them, from the one that paid last, until one has something left; false: nobody has. */
bool quota_find_payer(struct quota *quota, struct quota_payers *payers, uint64_t now_ns);

/* Whose turn it is; there is one. */
uint32_t quota_payer(const struct quota_payers *payers);

/* What one costs. */
uint64_t quota_price_ns(const struct quota *quota);

#endif
