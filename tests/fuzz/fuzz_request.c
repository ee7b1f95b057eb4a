/* SPDX-License-Identifier: MIT */
/* What a client asks the daemon, in pieces: each has a byte of length in front. */
#include "control/request.h"
#include "fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct request request = {};
	size_t len, before;
	int got = 0;

	while (size && !got) {
		len = *data++;
		size--;
		len = len < size ? len : size;
		before = request.len;
		got = request_add(&request, data, len);
		FUZZ_CHECK(got <= 1 && request.len < sizeof(request.line));
		FUZZ_CHECK(got < 0 ? request.len == before : strlen(request.line) == request.len);
		FUZZ_CHECK(!strchr(request.line, '\n'));
		data += len;
		size -= len;
	}
	return 0;
}
