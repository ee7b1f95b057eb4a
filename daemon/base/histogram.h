/* SPDX-License-Identifier: MIT */
/* A histogram of durations with fixed buckets. */
#ifndef SUBFLOW_HISTOGRAM_H
#define SUBFLOW_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BUCKETS 12

struct histogram {
	uint64_t counts[HISTOGRAM_BUCKETS]; /* the last one has no upper bound */
	uint64_t count, sum_us;
};

void histogram_add(struct histogram *histogram, uint64_t us);

/* Upper bound of a bucket, inclusive, us; 0 = none. */
uint64_t histogram_bound_us(int bucket);

#endif
