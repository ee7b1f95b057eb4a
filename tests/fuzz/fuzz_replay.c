/* SPDX-License-Identifier: MIT */
/* Recordings, whole: each line is read and written again, and told to the judgement. */
#include "core/replay.h"
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

static void check_line(const char *words)
{
	char *copy = strdup(words), error[200];
	struct text first = {}, second = {};
	static struct line line;

	FUZZ_CHECK(copy);
	*error = '\0';
	if (line_read(copy, &line, error, sizeof(error))) {
		FUZZ_CHECK(*error);
		free(copy);
		return;
	}
	free(copy);
	line_write(&first, line.kind, &line.settings);
	line_free(&line);
	copy = strdup(text_of(&first));
	FUZZ_CHECK(copy);
	copy[strcspn(copy, "\n")] = '\0';
	FUZZ_CHECK(!line_read(copy, &line, error, sizeof(error)));
	line_write(&second, line.kind, &line.settings);
	line_free(&line);
	FUZZ_CHECK(!strcmp(text_of(&first), text_of(&second)));
	free(copy);
	text_done(&first);
	text_done(&second);
}

static void play(char *text, bool does_go_on)
{
	struct replay replay = {.does_go_on = does_go_on};
	char *rest = text, *words;
	int err = 0;

	while (rest && !err) {
		words = strsep(&rest, "\n");
		check_line(words);
		err = replay_line(&replay, words);
	}
	if (!err)
		err = replay_end(&replay);
	FUZZ_CHECK(!err == !*replay.error);
	replay_done(&replay);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (int does_go_on = 0; does_go_on < 2; does_go_on++) {
		char *text = strndup((const char *)data, size);

		FUZZ_CHECK(text);
		play(text, does_go_on);
		free(text);
	}
	return 0;
}
