/* SPDX-License-Identifier: MIT */
/* What a client asks the daemon, in pieces: each has a byte of length in front. */
#include "control/request.h"
#include "fuzz.h"

#include <string.h>

static void parse(char *line)
{
	const char *end = line + strlen(line), *why = NULL;
	struct command command = {};
	int err = request_parse(line, &command, &why);

	FUZZ_CHECK(err ? !!why : !why);
	if (err)
		return;
	/* What it points to is in the line. */
	if (command.key)
		FUZZ_CHECK(
			command.key >= line && command.value > command.key && command.value < end);
	if (command.namespace_name)
		FUZZ_CHECK(command.has_token && *command.namespace_name &&
			   command.namespace_name < end);
	if (command.kind == COMMAND_ADD || command.kind == COMMAND_REMOVE)
		FUZZ_CHECK(command.count);
}

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
	if (got == 1)
		parse(request.line);
	return 0;
}
