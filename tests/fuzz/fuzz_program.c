/* SPDX-License-Identifier: MIT */
/* The file that `subflow run` is to execute. */
#include "../unit/base/file.h"
#include "fuzz.h"
#include "program.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[FILE_PATH_MAX], interpreter[PATH_MAX] = "";
	int fd = file_make(data, size, path);

	if (program_read_interpreter(fd, interpreter))
		FUZZ_CHECK(size > 2 && !memcmp(data, "#!", 2) && *interpreter);
	FUZZ_CHECK(!strpbrk(interpreter, " \t\r\n"));
	program_read_obstacle(fd);
	file_remove(fd);
	return 0;
}
