/* SPDX-License-Identifier: MIT */
/* Judgement: what an application says of the bytes that are to come. */
#ifndef SUBFLOW_FORECAST_H
#define SUBFLOW_FORECAST_H

#include "record.h"

#include <stdbool.h>
#include <stdint.h>

struct plan;
struct conn;
struct event;

struct forecast {
	uint64_t expected_bytes; /* in all; 0 = it was not said */
	enum purpose purpose;
	uint64_t counted;  /* the thresholds up to this one have had their effect beforehand */
	uint32_t foreseen; /* how many subflows in all that was to give */
};

/* What was said last; true: that is news. */
bool forecast_hear(struct conn *conn, const struct event *event);

/*
 * Gives the connection what the rule gives one that has carried what was announced; nothing
 * before it is established and its rule is known. To be called when one of these is news.
 */
void forecast_apply(struct plan *plan, struct conn *conn, uint64_t cause_ns);

/* The rule may be another one now. What it gave before is not given again. */
void forecast_renew(struct plan *plan, struct conn *conn);

/* Whether its application wants no split by the elephant rule. */
bool forecast_forbids(const struct conn *conn);

/* Why a threshold that was passed has no effect; NULL = it has. A constant text. */
const char *forecast_denial(const struct conn *conn, uint64_t threshold);

/* As TCP_MULTIPATH_INTENT has it, for the operator. */
const char *forecast_purpose_text(enum purpose purpose);

#endif
