/* SPDX-License-Identifier: MIT */
/* How many of a thing may be done in a second: what is not used is saved, up to a limit. */
#include "bucket.h"

#include <sys/param.h>

#define SECOND_NS 1000000000ull

uint64_t bucket_price_ns(uint32_t per_second)
{
	return SECOND_NS / MAX(per_second, 1u);
}

void bucket_fill(struct bucket *bucket, uint64_t most_ns, uint64_t now_ns)
{
	uint64_t since_ns = now_ns > bucket->filled_ns ? now_ns - bucket->filled_ns : 0;

	bucket->saved_ns = MIN(bucket->saved_ns + since_ns, most_ns);
	bucket->filled_ns = MAX(bucket->filled_ns, now_ns);
}

bool bucket_has(const struct bucket *bucket, uint32_t per_second)
{
	return bucket->saved_ns >= bucket_price_ns(per_second);
}

void bucket_spend(struct bucket *bucket, uint32_t per_second)
{
	bucket->saved_ns -= MIN(bucket->saved_ns, bucket_price_ns(per_second));
}
