/* SPDX-License-Identifier: MIT */
/* Judgement: how many probes the connections of one user may cost. */
#include "quota.h"

#include <stdlib.h>
#include <sys/param.h>

#define SECOND_NS 1000000000ull

uint64_t quota_price_ns(const struct quota *quota)
{
	return bucket_price_ns(quota->per_second);
}

static uint64_t most_ns(const struct quota *quota)
{
	return MAX(SECOND_NS, QUOTA_BURST_MIN * quota_price_ns(quota));
}

void quota_done(struct quota *quota)
{
	struct quota_user *user, *next;

	HASH_ITER (hh, quota->users, user, next) {
		HASH_DEL(quota->users, user);
		free(user);
	}
}

static void fill(const struct quota *quota, struct quota_user *user, uint64_t now_ns)
{
	bucket_fill(&user->bucket, most_ns(quota), now_ns);
}

/* Who has everything left may be forgotten. */
static void sweep(struct quota *quota, uint64_t now_ns)
{
	struct quota_user *user, *next;

	HASH_ITER (hh, quota->users, user, next) {
		fill(quota, user, now_ns);
		if (user->bucket.saved_ns < most_ns(quota))
			continue;
		HASH_DEL(quota->users, user);
		free(user);
	}
}

static struct quota_user *find(struct quota *quota, uint32_t uid)
{
	struct quota_user *user;

	HASH_FIND(hh, quota->users, &uid, sizeof(uid), user);
	return user;
}

/* Those that find no place share one, with those that nobody knows. */
static struct quota_user *get(struct quota *quota, uint32_t uid, uint64_t now_ns)
{
	struct quota_user *user = find(quota, uid);

	if (user)
		return user;
	if (uid == QUOTA_NOBODY)
		return &quota->nobody;
	if (HASH_COUNT(quota->users) >= QUOTA_USERS_MAX)
		sweep(quota, now_ns);
	if (HASH_COUNT(quota->users) < QUOTA_USERS_MAX)
		user = calloc(1, sizeof(*user));
	if (!user) {
		quota->refused++;
		return &quota->nobody;
	}
	*user = (struct quota_user){.uid = uid, .bucket = {most_ns(quota), now_ns}};
	HASH_ADD(hh, quota->users, uid, sizeof(user->uid), user);
	return user;
}

bool quota_has(struct quota *quota, uint32_t uid, uint64_t now_ns)
{
	struct quota_user *user;

	if (!uid)
		return true;
	user = get(quota, uid, now_ns);
	fill(quota, user, now_ns);
	return bucket_has(&user->bucket, quota->per_second);
}

void quota_spend(struct quota *quota, uint32_t uid)
{
	struct quota_user *user = find(quota, uid);

	if (!user)
		user = &quota->nobody;
	if (uid)
		bucket_spend(&user->bucket, quota->per_second);
}

bool quota_has_room(uint32_t uid, unsigned int held, unsigned int count, unsigned int most)
{
	unsigned int left = most - MIN(count, most);

	return uid ? held + most / 16 < left : left > 0;
}

void quota_add_payer(struct quota_payers *payers, uint32_t uid)
{
	for (unsigned int i = 0; i < payers->count; i++) {
		if (payers->uids[i] == uid)
			return;
	}
	if (payers->count < QUOTA_PAYERS_MAX)
		payers->uids[payers->count++] = uid;
}

bool quota_find_payer(struct quota *quota, struct quota_payers *payers, uint64_t now_ns)
{
	for (unsigned int i = 0; i < payers->count; i++) {
		if (quota_has(quota, quota_payer(payers), now_ns))
			return true;
		payers->turn = (payers->turn + 1) % payers->count;
	}
	return false;
}

uint32_t quota_payer(const struct quota_payers *payers)
{
	return payers->uids[payers->turn];
}
