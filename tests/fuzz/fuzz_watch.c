/* SPDX-License-Identifier: MIT */
/* Lines of the fdinfo of an epoll set. */
#include "fuzz.h"
#include "holder.h"

#include <string.h>

enum { INODE = 0x2a17 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *line = strndup((const char *)data, size);
	struct watch watch = {.epoll_fd = 3};

	FUZZ_CHECK(line);
	if (holder_parse_watch(line, INODE, &watch))
		FUZZ_CHECK(!strncmp(line, "tfd:", 4) && strstr(line, "ino:"));
	FUZZ_CHECK(watch.epoll_fd == 3 && !watch.is_added);
	free(line);
	return 0;
}
