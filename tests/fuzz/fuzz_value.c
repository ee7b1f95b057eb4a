/* SPDX-License-Identifier: MIT */
/* One value of the configuration, of every type. */
#include "base/config.h"
#include "fuzz.h"

#include <stdbool.h>
#include <string.h>

struct values {
	uint64_t bytes;
	uint32_t number;
	bool is_on;
	char *string;
};

#define MIN 3
#define MAX 4000000000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct config_key keys[] = {
		{"s", "bytes", CONFIG_BYTES, offsetof(struct values, bytes), MIN, UINT64_MAX, NULL,
			NULL},
		{"s", "number", CONFIG_NUMBER, offsetof(struct values, number), MIN, MAX, NULL,
			NULL},
		{"s", "bool", CONFIG_BOOL, offsetof(struct values, is_on), 0, 0, NULL, NULL},
		{"s", "string", CONFIG_STRING, offsetof(struct values, string), 0, 0, "text", NULL},
	};
	struct values values = {.bytes = MIN, .number = MIN};
	char *text = strndup((const char *)data, size), error[100];
	int err;

	FUZZ_CHECK(text);
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		*error = '\0';
		err = config_set(&keys[i], text, &values, error, sizeof(error));
		FUZZ_CHECK(err <= 0 && !err == !*error);
		FUZZ_CHECK(values.bytes >= MIN && values.number >= MIN && values.number <= MAX);
	}
	FUZZ_CHECK(values.string && !strcmp(values.string, text));
	free(values.string);
	free(text);
	return 0;
}
