/* SPDX-License-Identifier: MIT */
/* Judgement: the probes of a survey that are under way. */
#include "volley.h"

#include <sys/param.h>

#define MS           1000000ull
#define RTT_FIRST_NS (12 * MS) /* before the first answer */
#define WAIT_MIN_NS  (10 * MS) /* a full queue of a slow link */

static uint64_t wait_ns(const struct survey *survey)
{
	uint64_t rtt_ns = survey->prefix->rtt_ns ? survey->prefix->rtt_ns : RTT_FIRST_NS;

	return MIN(MAX(4 * rtt_ns, WAIT_MIN_NS), VOLLEY_WAIT_MAX_NS);
}

uint64_t volley_deadline_ns(const struct survey *survey, const struct survey_slot *slot)
{
	return slot->sent_ns[slot->tries - 1] +
	       MIN(wait_ns(survey) << (slot->tries - 1), 2 * VOLLEY_WAIT_MAX_NS);
}

void volley_add(struct survey *survey, enum survey_purpose purpose, uint16_t port, uint8_t ttl)
{
	struct survey_slot *slot;

	for (slot = survey->slots; slot < survey->slots + SURVEY_WINDOW; slot++) {
		if (slot->is_used)
			continue;
		*slot = (struct survey_slot){.is_used = true,
			.purpose = purpose,
			.probe = {.port = port,
				.ttl = ttl,
				.cookie =
					(ports_random(&survey->random) >> 16) & ~VOLLEY_TRY_BITS}};
		return;
	}
}

unsigned int volley_count(const struct survey *survey, int purpose)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < SURVEY_WINDOW; i++)
		count += survey->slots[i].is_used &&
			 (purpose < 0 || survey->slots[i].purpose == (enum survey_purpose)purpose);
	return count;
}

bool volley_has(const struct survey *survey, uint16_t port)
{
	for (unsigned int i = 0; i < SURVEY_WINDOW; i++) {
		if (survey->slots[i].is_used && survey->slots[i].probe.port == port)
			return true;
	}
	return false;
}

struct survey_slot *volley_find_hop(struct survey *survey, uint8_t ttl)
{
	struct survey_slot *slot;

	for (slot = survey->slots; slot < survey->slots + SURVEY_WINDOW; slot++) {
		if (slot->is_used && slot->purpose == PURPOSE_HOP && slot->probe.ttl == ttl)
			return slot;
	}
	return NULL;
}

bool volley_is_answered(const struct survey_slot *slot, uint16_t port, uint32_t cookie)
{
	return slot->tries && slot->probe.port == port &&
	       (slot->probe.cookie ^ cookie) <= VOLLEY_TRY_BITS &&
	       (cookie & VOLLEY_TRY_BITS) < slot->tries;
}
