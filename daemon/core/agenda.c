/* SPDX-License-Identifier: MIT */
#include "agenda.h"

void agenda_init(struct agenda *agenda)
{
	TAILQ_INIT(&agenda->entries);
}

/* Most are due after those that are there. */
void agenda_set(struct agenda *agenda, struct agenda_entry *entry, uint64_t at_ns)
{
	struct agenda_entry *other;

	if (entry->at_ns)
		TAILQ_REMOVE(&agenda->entries, entry, link);
	entry->at_ns = at_ns;
	if (!at_ns)
		return;
	TAILQ_FOREACH_REVERSE(other, &agenda->entries, agenda_list, link)
	{
		if (other->at_ns <= at_ns) {
			TAILQ_INSERT_AFTER(&agenda->entries, other, entry, link);
			return;
		}
	}
	TAILQ_INSERT_HEAD(&agenda->entries, entry, link);
}

struct agenda_entry *agenda_find_due(const struct agenda *agenda, uint64_t now_ns)
{
	struct agenda_entry *first = TAILQ_FIRST(&agenda->entries);

	return first && first->at_ns <= now_ns ? first : NULL;
}

uint64_t agenda_next_ns(const struct agenda *agenda)
{
	const struct agenda_entry *first = TAILQ_FIRST(&agenda->entries);

	return first ? first->at_ns : 0;
}
