/* SPDX-License-Identifier: MIT */
/* The configuration file. */
#include "../unit/base/file.h"
#include "fuzz.h"
#include "settings.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[FILE_PATH_MAX], error[512] = "";
	struct settings settings;
	int fd, err;

	FUZZ_CHECK(!settings_init(&settings));
	fd = file_make(data, size, path);
	err = settings_read(&settings, path, error, sizeof(error));
	file_remove(fd);
	FUZZ_CHECK(err <= 0 && !err == !*error && strlen(error) < sizeof(error));
	FUZZ_CHECK(err || !memchr(data, '\0', size));
	if (!err) {
		FUZZ_CHECK(settings.start_bytes && settings.start_bytes <= settings.stop_bytes);
		FUZZ_CHECK(settings.step_bytes && settings.elephant_subflows &&
			   settings.max_subflows && settings.max_connections);
		FUZZ_CHECK(settings.ring_bytes >= 4096 &&
			   !(settings.ring_bytes & (settings.ring_bytes - 1)));
		FUZZ_CHECK(*settings.serve && !strchr(settings.serve, '/'));
		FUZZ_CHECK(
			*settings.socket == '/' && (!*settings.cgroup || *settings.cgroup == '/'));
	}
	settings_done(&settings);
	return 0;
}
