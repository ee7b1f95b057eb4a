/* SPDX-License-Identifier: MIT */
/* Answers of routers to probes: the first byte says which family. */
#include "fuzz.h"
#include "kernel/icmp.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct in6_addr router = {.s6_addr = {0xfd}};
	struct icmp_answer answer = {.sequence = 77};
	uint8_t *copy;
	int err;

	if (!size)
		return 0;
	/* A copy that ends where the packet ends. */
	copy = malloc(size > 1 ? size - 1 : 1);
	FUZZ_CHECK(copy);
	memcpy(copy, data + 1, size - 1);
	err = *data % 2 ? icmp_decode6(copy, size - 1, &router, &answer)
			: icmp_decode4(copy, size - 1, &answer);
	if (err)
		FUZZ_CHECK(answer.sequence == 77 && !answer.local.family);
	else
		FUZZ_CHECK(answer.local.family == (*data % 2 ? AF_INET6 : AF_INET) &&
			   answer.remote.family == answer.local.family);
	free(copy);
	return 0;
}
