/* SPDX-License-Identifier: MIT */
/* Files in memory: memfd_create(2), reached through /proc. */
#include "file.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../unit.h"

int file_make(const void *content, size_t size, char ret_path[FILE_PATH_MAX])
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, size), size);
	snprintf(ret_path, FILE_PATH_MAX, "/proc/self/fd/%d", fd);
	return fd;
}

void file_remove(int fd)
{
	close(fd);
}
