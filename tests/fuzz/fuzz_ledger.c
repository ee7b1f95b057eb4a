/* SPDX-License-Identifier: MIT */
/* A note of an earlier guardian. */
#include "fuzz.h"
#include "kernel/ledger.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BOOT "0f52e1a5-3f0c-4a7e-9a55-8f0d2f6d7d10"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct guardian_note note = {};
	char *text = calloc(1, size + 1);
	int err;

	FUZZ_CHECK(text);
	memcpy(text, data, size);
	err = ledger_decode(text, size, BOOT, &note);
	FUZZ_CHECK(err == 0 || err == -EBADMSG || err == -ESTALE);
	FUZZ_CHECK(!err == (note.cookie != 0));
	FUZZ_CHECK(memchr(note.path, '\0', sizeof(note.path)));
	FUZZ_CHECK(memchr(note.sysctl, '\0', sizeof(note.sysctl)));
	FUZZ_CHECK(memchr(note.ours, '\0', sizeof(note.ours)));
	FUZZ_CHECK(memchr(note.before, '\0', sizeof(note.before)));
	free(text);
	return 0;
}
