/* SPDX-License-Identifier: MIT */
/* A histogram of durations with fixed buckets. */
#include "histogram.h"

static const uint64_t bounds_us[HISTOGRAM_BUCKETS] = {
	10, 20, 30, 50, 100, 200, 500, 1000, 10000, 100000, 1000000, 0};

void histogram_add(struct histogram *histogram, uint64_t us)
{
	int bucket = 0;

	while (bounds_us[bucket] && us > bounds_us[bucket])
		bucket++;
	histogram->counts[bucket]++;
	histogram->count++;
	histogram->sum_us += us;
}

uint64_t histogram_bound_us(int bucket)
{
	return bounds_us[bucket];
}
