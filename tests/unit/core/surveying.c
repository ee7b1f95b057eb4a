/* SPDX-License-Identifier: MIT */
/* One survey, whose probes the test answers by hand. */
#include "surveying.h"

#include <stdlib.h>

static struct endpoint at(uint32_t address, uint16_t port)
{
	return (struct endpoint){.family = AF_INET, .port = port, .v4.s_addr = htonl(address)};
}

int surveying_begin(void **state)
{
	struct endpoint local = at(0xc0a80001, 0), remote = at(0xc0a80101, 80);
	struct surveying *surveying = calloc(1, sizeof(*surveying));

	if (!surveying)
		return -1;
	*state = surveying;
	surveying->now_ns = 1000 * MS;
	surveying->ports = (struct ports){.low = 32768, .high = 60999};
	path_table_init(&surveying->table);
	return survey_init(&surveying->survey, &surveying->table, 1, &local, &remote,
		&surveying->ports, false, 12345, surveying->now_ns);
}

int surveying_end(void **state)
{
	struct surveying *surveying = *state;

	path_table_done(&surveying->table);
	free(surveying);
	return 0;
}

struct survey_probe surveying_next(struct surveying *surveying)
{
	struct survey_probe probe = {};

	assert_true(survey_next(&surveying->survey, surveying->now_ns, &probe));
	return probe;
}

struct in6_addr surveying_router(uint8_t router)
{
	struct endpoint endpoint = at(0x0a000000 + router, 0);

	return path_address(&endpoint);
}

void surveying_answer(struct surveying *surveying, const struct survey_probe *probe, uint8_t router)
{
	struct in6_addr address = surveying_router(router);

	assert_int_equal(survey_hear(&surveying->survey, probe->port, probe->cookie, &address,
				 surveying->now_ns),
		0);
}

void surveying_wait(struct surveying *surveying)
{
	surveying->now_ns = survey_deadline(&surveying->survey);
	survey_tick(&surveying->survey, surveying->now_ns);
}
