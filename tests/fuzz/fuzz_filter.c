/* SPDX-License-Identifier: MIT */
/* The name of a connection on the command line. */
#include "answer.h"
#include "fuzz.h"

#include <errno.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);
	struct answer_filter filter = {};
	int r;

	FUZZ_CHECK(text);
	r = answer_filter_init(&filter, text);
	FUZZ_CHECK(r == 0 || r == -EINVAL);
	FUZZ_CHECK(filter.is_set == !r);
	FUZZ_CHECK(r || !strchr(text, '/') == !filter.namespace_name);
	answer_filter_done(&filter);
	free(text);
	return 0;
}
