/* SPDX-License-Identifier: MIT */
/* The answer of TCP_MULTIPATH_SUBFLOWS, as the library hands it on. */
#include "fuzz.h"

#include <errno.h>
#include <string.h>
#include <subflow.h>

int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len);

static const uint8_t *answer;
static size_t answer_len;

/* The kernel gives no more than there is room for. */
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	(void)fd;
	(void)level;
	(void)name;
	if (*len > answer_len)
		*len = answer_len;
	memcpy(value, answer, *len);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t room = size ? data[0] % (TCP_MULTIPATH_PAIRS_MAX + 1) : 0, n = 77;
	struct tcp_multipath_pair *pairs = calloc(room ? room : 1, sizeof(*pairs));
	int r;

	FUZZ_CHECK(pairs);
	answer = size ? data + 1 : data;
	answer_len = size ? size - 1 : 0;
	r = subflow_list(3, pairs, room, &n);
	FUZZ_CHECK(r == 0 || r == -ERANGE);
	FUZZ_CHECK(r ? n == 77 : n <= room && n == answer_len / sizeof(*pairs));
	FUZZ_CHECK(r || !memcmp(pairs, answer, n * sizeof(*pairs)));
	free(pairs);
	return 0;
}
