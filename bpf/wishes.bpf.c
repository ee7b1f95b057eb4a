/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The local addresses that a socket was given, with its lock held. */
#include "mptcp.h"

#include "maps.h"

#include <bpf/bpf_helpers.h>
#include <linux/errno.h>

#include "wishes.h"

/* What struct wish can count. */
#define ADDS_MAX 0xffff

static __always_inline bool is_removed(const struct wish *wish)
{
	return wish->flags & WISH_REMOVED && !wish->adds;
}

/* Taken away, and its subflows have been closed: what is left to say is that none may follow. */
static __always_inline bool is_spent(const struct wish *wish, __u32 heard)
{
	return is_removed(wish) && (__s16)(heard - wish->since) >= 0;
}

/* Whether what is at @end is meant: a wish may name every port of its address. */
static __always_inline bool is_meant(const struct wish *wish, const struct end *end)
{
	return wish->flags & WISH_TAKEN && (!wish->port || wish->port == end->port) &&
	       is_same_address(wish->addr, end->addr);
}

int wishes_find(const struct wishes *wishes, const struct end *end)
{
	if (!wishes || !end)
		return -1;
	for (int i = 0; i < WISHES_MAX; i++) {
		if (is_meant(&wishes->list[i], end) &&
			(wishes->list[i].adds || wishes->list[i].draft))
			return i;
	}
	return -1;
}

int wishes_count_pending(const struct wishes *wishes, const struct receipt *receipt)
{
	const struct wish *wish;
	int pending = 0;
	__u16 left;

	if (!wishes)
		return 0;
	for (int i = 0; i < WISHES_MAX; i++) {
		wish = &wishes->list[i];
		if (!(wish->flags & WISH_TAKEN))
			continue;
		left = wish->adds;
		if (receipt && receipt->wishes[i].since == wish->since)
			left -= receipt->wishes[i].done;
		pending += left;
	}
	/* One of them is the first subflow; the daemon's first receipt says so. */
	if (pending && wishes->is_restricted && (!receipt || !receipt->heard))
		pending--;
	return pending;
}

int wishes_meet(struct wishes *wishes, const struct end *end, __u32 heard, bool is_remove)
{
	struct wish *wish;
	int meant = 0;

	if (!wishes || !end)
		return 0;
	for (int i = 0; i < WISHES_MAX; i++) {
		wish = &wishes->list[i];
		if (!is_meant(wish, end))
			continue;
		/* Asked for again before the daemon heard that it was to go: it goes all the same.
		 */
		if (wish->flags & WISH_REMOVED && (!wish->adds || (__s16)(wish->since - heard) > 0))
			meant |= MEANT_LEAVES;
		if (is_remove && wish->draft) {
			wish->draft = 2;
			meant |= MEANT_DRAFTED;
		}
	}
	return meant;
}

int wishes_draft(
	struct wishes *wishes, const struct end *end, __u32 generation, __u32 heard, bool add)
{
	struct wish *wish, *slot = NULL, *spent = NULL;

	if (!wishes || !end)
		return EINVAL;
	for (int i = 0; i < WISHES_MAX; i++) {
		wish = &wishes->list[i];
		if (!wish->flags) {
			slot = slot ?: wish;
		} else if (wish->port == end->port && is_same_address(wish->addr, end->addr)) {
			slot = wish;
			break;
		} else if (is_spent(wish, heard)) {
			spent = wish;
		}
	}
	if (!slot) {
		if (!spent)
			return ENOBUFS;
		slot = spent;
		slot->flags = 0;
	}
	if (!slot->flags) {
		__builtin_memcpy(slot->addr, end->addr, sizeof(slot->addr));
		slot->port = end->port;
		slot->since = generation;
		slot->adds = 0;
		slot->flags = WISH_TAKEN;
	}
	if (add && slot->adds + slot->draft >= ADDS_MAX)
		return EDQUOT;
	slot->draft = add ? slot->draft + 1 : 1;
	return 0;
}

int wishes_keep_add(struct wishes *wishes, __u32 generation, __u32 heard)
{
	struct wish *wish;

	if (!wishes)
		return 0;
	for (int i = 0; i < WISHES_MAX; i++) {
		wish = &wishes->list[i];
		if (wish->draft && is_spent(wish, heard)) {
			wish->since = generation;
			wish->flags = WISH_TAKEN;
		}
		wish->adds += wish->draft;
		wish->draft = 0;
	}
	return 0;
}

/* Whether a draft means this slot too. */
static __always_inline bool is_covered(const struct wishes *wishes, const struct wish *wish)
{
	const struct wish *other;
	bool is = wish->draft;

	for (int i = 0; i < WISHES_MAX; i++) {
		other = &wishes->list[i];
		is |= other->flags && other->draft && !other->port &&
		      is_same_address(other->addr, wish->addr);
	}
	return is;
}

int wishes_find_drafts(struct wishes *wishes)
{
	struct wish *wish, *other;
	int has_alternative = 0;

	if (!wishes)
		return 0;
	for (int i = 0; i < WISHES_MAX; i++) {
		wish = &wishes->list[i];
		if (!wish->flags || !wish->adds)
			continue;
		if (!is_covered(wishes, wish)) {
			has_alternative = 1;
			continue;
		}
		for (int j = 0; j < WISHES_MAX; j++) {
			other = &wishes->list[j];
			if (other->draft && (!other->port || i == j) &&
				is_same_address(other->addr, wish->addr))
				other->draft = 2;
		}
	}
	return has_alternative;
}

int wishes_are_found(const struct wishes *wishes)
{
	if (!wishes)
		return 0;
	for (int i = 0; i < WISHES_MAX; i++) {
		if (wishes->list[i].draft == 1)
			return 0;
	}
	return 1;
}

int wishes_keep_remove(struct wishes *wishes, __u32 generation, bool is_fresh)
{
	struct wish *wish;
	__u32 left = 0;

	if (!wishes)
		return 0;
	for (int i = 0; i < WISHES_MAX; i++) {
		wish = &wishes->list[i];
		if (!wish->draft && is_covered(wishes, wish))
			wish->flags = 0;
	}
	for (int i = 0; i < WISHES_MAX; i++) {
		wish = &wishes->list[i];
		if (wish->draft) {
			wish->draft = 0;
			wish->adds = 0;
			wish->since = generation;
			wish->flags = is_fresh ? 0 : WISH_TAKEN | WISH_REMOVED;
		}
		left += wish->flags;
	}
	if (is_fresh && !left)
		wishes->is_restricted = 0;
	return 0;
}

/* Whether the address of @wish is listed, with whichever port. */
static __always_inline bool is_listed(const struct wishes *wishes, const struct wish *wish)
{
	const struct wish *other;
	bool is = false;

	for (int i = 0; i < WISHES_MAX; i++) {
		other = &wishes->list[i];
		is |= other->flags && other->adds && is_same_address(other->addr, wish->addr);
	}
	return is;
}

int wishes_forget(struct wishes *wishes, __u32 heard)
{
	struct wish *wish;

	if (!wishes)
		return 0;
	for (int i = 0; i < WISHES_MAX; i++) {
		wish = &wishes->list[i];
		if (is_spent(wish, heard) && (wish->port || is_listed(wishes, wish)))
			wish->flags = 0;
	}
	return 0;
}
