/* SPDX-License-Identifier: MIT */
/* Memory: destinations that refuse joins. */
#include "refusals.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* No byte of it is left to chance: it is hashed. */
static struct refusals_key key_of(uint64_t netns, const struct endpoint *remote)
{
	struct endpoint plain = endpoint_unmap(remote);
	struct refusals_key key;

	memset(&key, 0, sizeof(key));
	key.netns = netns;
	key.remote.family = plain.family;
	key.remote.port = plain.port;
	if (plain.family == AF_INET)
		key.remote.v4 = plain.v4;
	else
		key.remote.v6 = plain.v6;
	return key;
}

static void drop(struct refusals *refusals, struct refusals_entry *entry)
{
	HASH_DEL(refusals->entries, entry);
	free(entry);
}

void refusals_done(struct refusals *refusals)
{
	struct refusals_entry *entry, *next;

	HASH_ITER (hh, refusals->entries, entry, next)
		drop(refusals, entry);
}

static bool is_old(
	const struct refusals *refusals, const struct refusals_entry *entry, uint64_t now_ns)
{
	return now_ns >= entry->last_ns + 2 * refusals->rule.hold_ns;
}

static struct refusals_entry *find(
	struct refusals *refusals, uint64_t netns, const struct endpoint *remote)
{
	struct refusals_entry *entry;
	struct refusals_key key;

	if (!refusals->entries)
		return NULL;
	key = key_of(netns, remote);
	HASH_FIND(hh, refusals->entries, &key, sizeof(key), entry);
	return entry;
}

void refusals_note(struct refusals *refusals, uint64_t netns, const struct endpoint *remote,
	const struct refusal *refusal, uint64_t now_ns)
{
	struct refusals_entry *entry;

	refusals_expire(refusals, now_ns);
	entry = find(refusals, netns, remote);
	if (entry) {
		HASH_DEL(refusals->entries, entry);
	} else {
		entry = calloc(1, sizeof(*entry));
		if (!entry)
			return;
		entry->key = key_of(netns, remote);
		if (HASH_COUNT(refusals->entries) >= REFUSALS_MAX) {
			refusals->displaced++;
			drop(refusals, refusals->entries);
		}
	}
	HASH_ADD(hh, refusals->entries, key, sizeof(entry->key), entry);
	entry->in_a_row++;
	entry->last = *refusal;
	entry->last_ns = now_ns;
	if (refusals->rule.most && entry->in_a_row >= refusals->rule.most)
		entry->until_ns = now_ns + refusals->rule.hold_ns;
}

void refusals_clear(struct refusals *refusals, uint64_t netns, const struct endpoint *remote)
{
	struct refusals_entry *entry = find(refusals, netns, remote);

	if (entry)
		drop(refusals, entry);
}

const struct refusals_entry *refusals_find(
	struct refusals *refusals, uint64_t netns, const struct endpoint *remote, uint64_t now_ns)
{
	const struct refusals_entry *entry = find(refusals, netns, remote);

	return entry && !is_old(refusals, entry, now_ns) ? entry : NULL;
}

const struct refusals_entry *refusals_find_held(
	struct refusals *refusals, uint64_t netns, const struct endpoint *remote, uint64_t now_ns)
{
	const struct refusals_entry *entry = find(refusals, netns, remote);

	return entry && now_ns < entry->until_ns ? entry : NULL;
}

void refusals_expire(struct refusals *refusals, uint64_t now_ns)
{
	while (refusals->entries && is_old(refusals, refusals->entries, now_ns))
		drop(refusals, refusals->entries);
}

void refusals_forget(struct refusals *refusals, uint64_t netns)
{
	struct refusals_entry *entry, *next;

	HASH_ITER (hh, refusals->entries, entry, next) {
		if (entry->key.netns == netns)
			drop(refusals, entry);
	}
}

const char *refusal_text(const struct refusal *refusal, char text[REFUSALS_TEXT_MAX])
{
	if (refusal->reset_reason >= 0)
		snprintf(text, REFUSALS_TEXT_MAX, "MPTCP reset reason %d", refusal->reset_reason);
	else
		snprintf(text, REFUSALS_TEXT_MAX, "%s",
			refusal->error ? strerror(refusal->error) : "reset");
	return text;
}
