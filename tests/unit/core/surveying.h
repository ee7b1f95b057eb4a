/* SPDX-License-Identifier: MIT */
/* One survey, whose probes the test answers by hand. */
#ifndef TEST_SURVEYING_H
#define TEST_SURVEYING_H

#include "core/survey.h"

#include "../unit.h"

#define MS 1000000ull

struct surveying {
	struct path_table table;
	struct ports ports;
	struct survey survey;
	uint64_t now_ns;
};

/* cmocka fixtures: from 192.168.0.1 to 192.168.1.1, of which nothing is known. */
int surveying_begin(void **state);
int surveying_end(void **state);

/* The next probe; fails the test if there is none. */
struct survey_probe surveying_next(struct surveying *surveying);

/* Router 10.0.0.@router answers it. */
void surveying_answer(
	struct surveying *surveying, const struct survey_probe *probe, uint8_t router);
struct in6_addr surveying_router(uint8_t router);

/* The time passes up to the next deadline. */
void surveying_wait(struct surveying *surveying);

#endif
