/* SPDX-License-Identifier: MIT */
/* /proc/self/mounts. */
#include "../unit/base/file.h"
#include "fuzz.h"
#include "kernel/cgroup.h"

#include <errno.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[FILE_PATH_MAX], found[64] = "";
	int fd = file_make(data, size, path);
	int err = cgroup_find_root(path, found, sizeof(found));

	file_remove(fd);
	FUZZ_CHECK(err == 0 || err == -ENOENT || err == -ENAMETOOLONG);
	FUZZ_CHECK(!err || !*found);
	FUZZ_CHECK(memchr(found, '\0', sizeof(found)));
	return 0;
}
