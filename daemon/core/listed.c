/* SPDX-License-Identifier: MIT */
/* Memory: the local addresses that an application has listed for a connection, or taken away. */
#include "listed.h"

#include <stddef.h>

bool listed_means(const struct listed_address *address, const struct endpoint *local)
{
	struct endpoint plain = endpoint_unmap(local);

	return address->endpoint.family &&
	       (!address->endpoint.port || address->endpoint.port == plain.port) &&
	       endpoint_is_same_address(&address->endpoint, &plain);
}

bool listed_allows(const struct listed *listed, const struct endpoint *local)
{
	struct endpoint plain = endpoint_unmap(local);

	if (!listed)
		return true;
	for (int i = 0; i < WISHES_MAX; i++) {
		if (listed->list[i].adds &&
			endpoint_is_same_address(&listed->list[i].endpoint, &plain))
			return true;
		if (endpoint_is_same_address(&listed->removed[i], &plain))
			return false;
	}
	return !listed->is_restricted;
}

void listed_restore(struct listed *listed, const struct endpoint *local)
{
	for (int i = 0; i < WISHES_MAX; i++) {
		if (endpoint_is_same_address(&listed->removed[i], local))
			listed->removed[i] = (struct endpoint){};
	}
}

void listed_remove(struct listed *listed, const struct endpoint *local)
{
	int slot = 0;

	listed_restore(listed, local);
	for (int i = 0; i < WISHES_MAX; i++) {
		if (!listed->removed[i].family)
			slot = i;
	}
	listed->removed[slot] = *local;
}

uint32_t listed_count_wanted(const struct listed *listed)
{
	uint32_t wanted = 0;

	for (int i = 0; listed && i < WISHES_MAX; i++)
		wanted += listed->list[i].wanted;
	return wanted;
}

uint32_t listed_count_owed(const struct listed *listed)
{
	uint32_t owed = 0;

	for (int i = 0; listed && i < WISHES_MAX; i++)
		owed += listed->list[i].owed;
	return owed;
}

bool listed_owes_first(const struct listed *listed)
{
	return listed && listed->owes_first && listed_count_wanted(listed);
}

struct listed_address *listed_find(struct listed *listed, int slot, uint16_t since)
{
	if (!listed || slot < 0 || !listed->list[slot].endpoint.family ||
		listed->list[slot].since != since)
		return NULL;
	return &listed->list[slot];
}
