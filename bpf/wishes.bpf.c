/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The local addresses that a socket was given, with its lock held. */
#include "mptcp.h"

#include "maps.h"

#include <bpf/bpf_helpers.h>
#include <linux/errno.h>

#include "wishes.h"

/* What struct wish can count. */
#define ADDS_MAX 0xffff

/*
 * What is asked of each slot in turn is a function of its own for the verifier as well: it looks at
 * it once, not once a slot with all that can be so of the slots before.
 */

/* Taken away, and its subflows have been closed: what is left to say is that none may follow. */
__noinline int wish_is_spent(const struct wish *wish, __u32 heard)
{
	return wish && wish->flags & WISH_REMOVED && !wish->adds &&
	       (__s16)(heard - wish->since) >= 0;
}

/* Whether what is at @end is meant: a wish may name every port of its address. */
__noinline int wish_is_meant(const struct wish *wish, const struct end *end)
{
	return wish && end && wish->flags & WISH_TAKEN &&
	       (!wish->port || wish->port == end->port) && is_same_address(wish->addr, end->addr);
}

int wishes_find(const struct wishes *wishes, const struct end *end)
{
	if (!wishes || !end)
		return -1;
	for (int i = 0; i < WISHES_MAX; i++) {
		if (wish_is_meant(&wishes->list[i], end) &&
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

/* Whether what is at @end was asked for by its port after @removed took all of its address away. */
__noinline int wishes_have_later(
	const struct wishes *wishes, const struct end *end, const struct wish *removed)
{
	const struct wish *wish;

	if (!wishes || !end || !removed || removed->port)
		return 0;
	for (int i = 0; i < WISHES_MAX; i++) {
		wish = &wishes->list[i];
		if (wish->port && wish->adds && wish_is_meant(wish, end) &&
			(__s16)(wish->since - removed->since) > 0)
			return 1;
	}
	return 0;
}

int wishes_meet(struct wishes *wishes, const struct end *end, __u32 heard, bool is_remove)
{
	struct wish *wish;
	int meant = 0;

	if (!wishes || !end)
		return 0;
	for (int i = 0; i < WISHES_MAX; i++) {
		wish = &wishes->list[i];
		if (!wish_is_meant(wish, end))
			continue;
		/*
		 * Also if it was asked for again before the daemon heard that it was to go. What is
		 * there when it has heard stays: it was the last one, or came later.
		 */
		if (wish->flags & WISH_REMOVED && (__s16)(wish->since - heard) > 0 &&
			!wishes_have_later(wishes, end, wish))
			meant |= MEANT_LEAVES;
		if (is_remove && wish->draft) {
			wish->draft = 2;
			meant |= MEANT_DRAFTED;
		}
	}
	return meant;
}

/* The slot of exactly what is at @end, or -1. */
__noinline int wishes_find_own(const struct wishes *wishes, const struct end *end)
{
	const struct wish *wish;

	if (!wishes || !end)
		return -1;
	for (int i = 0; i < WISHES_MAX; i++) {
		wish = &wishes->list[i];
		if (wish->flags && wish->port == end->port &&
			is_same_address(wish->addr, end->addr))
			return i;
	}
	return -1;
}

/* A slot that nobody needs, this call neither, or -1: one that was never taken, if there is one. */
__noinline int wishes_find_free(const struct wishes *wishes, __u32 heard)
{
	if (!wishes)
		return -1;
	for (int i = 0; i < WISHES_MAX; i++) {
		if (!wishes->list[i].flags)
			return i;
	}
	for (int i = 0; i < WISHES_MAX; i++) {
		if (!wishes->list[i].draft && wish_is_spent(&wishes->list[i], heard))
			return i;
	}
	return -1;
}

int wishes_draft(
	struct wishes *wishes, const struct end *end, __u32 generation, __u32 heard, bool add)
{
	struct wish *slot;
	bool is_new;
	__u32 at;

	if (!wishes || !end)
		return EINVAL;
	at = wishes_find_own(wishes, end);
	is_new = at >= WISHES_MAX;
	if (is_new)
		at = wishes_find_free(wishes, heard);
	if (at >= WISHES_MAX)
		return ENOBUFS;
	slot = &wishes->list[at];
	if (is_new) {
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
		if (wish->draft && wish_is_spent(wish, heard)) {
			wish->since = generation;
			wish->flags = WISH_TAKEN;
		}
		wish->adds += wish->draft;
		wish->draft = 0;
	}
	return 0;
}

/* Whether a draft means this slot too. */
__noinline int wish_is_covered(const struct wish *wish, const struct wishes *wishes)
{
	const struct wish *other;
	bool is;

	if (!wish || !wishes)
		return 0;
	is = wish->draft;
	for (int i = 0; i < WISHES_MAX; i++) {
		other = &wishes->list[i];
		is |= other->flags && other->draft && !other->port &&
		      is_same_address(other->addr, wish->addr);
	}
	return is;
}

/* Finds the drafts that mean this slot, the slot @at. */
__noinline int wish_find_drafts(const struct wish *wish, struct wishes *wishes, int at)
{
	struct wish *other;

	if (!wish || !wishes)
		return 0;
	for (int i = 0; i < WISHES_MAX; i++) {
		other = &wishes->list[i];
		if (other->draft && (!other->port || i == at) &&
			is_same_address(other->addr, wish->addr))
			other->draft = 2;
	}
	return 0;
}

int wishes_find_drafts(struct wishes *wishes)
{
	struct wish *wish;
	int has_alternative = 0;

	if (!wishes)
		return 0;
	for (int i = 0; i < WISHES_MAX; i++) {
		wish = &wishes->list[i];
		if (!wish->flags || !wish->adds)
			continue;
		if (!wish_is_covered(wish, wishes)) {
			has_alternative = 1;
			continue;
		}
		wish_find_drafts(wish, wishes, i);
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

__noinline int wishes_are_taken(const struct wishes *wishes)
{
	if (!wishes)
		return 0;
	for (int i = 0; i < WISHES_MAX; i++) {
		if (wishes->list[i].flags)
			return 1;
	}
	return 0;
}

__noinline int wish_take_away(struct wish *wish, __u32 generation, __u32 flags)
{
	if (!wish || !wish->draft)
		return 0;
	wish->draft = 0;
	wish->adds = 0;
	wish->since = generation;
	wish->flags = flags;
	return 0;
}

int wishes_keep_remove(struct wishes *wishes, __u32 generation, bool is_fresh)
{
	__u32 flags = is_fresh ? 0 : WISH_TAKEN | WISH_REMOVED;
	struct wish *wish;

	if (!wishes)
		return 0;
	for (int i = 0; i < WISHES_MAX; i++) {
		wish = &wishes->list[i];
		if (!wish->draft && wish_is_covered(wish, wishes))
			wish->flags = 0;
	}
	for (int i = 0; i < WISHES_MAX; i++)
		wish_take_away(&wishes->list[i], generation, flags);
	if (is_fresh && !wishes_are_taken(wishes))
		wishes->is_restricted = 0;
	return 0;
}

/* Whether the address of @wish is listed, with whichever port. */
__noinline int wish_is_listed(const struct wish *wish, const struct wishes *wishes)
{
	const struct wish *other;
	bool is = false;

	if (!wish || !wishes)
		return 0;
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
		if (wish_is_spent(wish, heard) && (wish->port || wish_is_listed(wish, wishes)))
			wish->flags = 0;
	}
	return 0;
}
