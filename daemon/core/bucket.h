/* SPDX-License-Identifier: MIT */
/* How many of a thing may be done in a second: what is not used is saved, up to a limit. Pure. */
#ifndef SUBFLOW_BUCKET_H
#define SUBFLOW_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

/* Time that nothing was spent for; all 0 is a full one, on a clock that has run for a while. */
struct bucket {
	uint64_t saved_ns, filled_ns; /* what may be spent, and as of when */
};

/* What one costs; @per_second is 1 or more. */
uint64_t bucket_price_ns(uint32_t per_second);

/* Nothing is lost or saved by a clock that stands still, or was read in another order. */
void bucket_fill(struct bucket *bucket, uint64_t most_ns, uint64_t now_ns);

/* Whether there is one left as of the last bucket_fill(); one is spent, if there is. */
bool bucket_has(const struct bucket *bucket, uint32_t per_second);
void bucket_spend(struct bucket *bucket, uint32_t per_second);

#endif
