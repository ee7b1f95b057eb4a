/* SPDX-License-Identifier: MIT */
/* The daemon's answer, as the command takes it apart and presents it. */
#include "answer.h"
#include "fuzz.h"
#include "report.h"
#include "ways.h"

#include <errno.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct answer_filter filter = {.is_set = true, .token = 11};
	struct ways_filter ways = {.filter = filter};
	struct json_object *root = NULL;
	char why[256] = "", *text;
	int r;

	r = answer_parse((const char *)data, size, &root, why, sizeof(why));
	FUZZ_CHECK(r <= 0 && !r == !*why && !r == !!root);
	if (r < 0)
		return 0;
	for (int i = 0; i < 2; i++) {
		text = NULL;
		*why = '\0';
		r = report_write(root, i, &text, why, sizeof(why));
		FUZZ_CHECK(r == 0 || (r == -EBADMSG && *why));
		/* Nothing in it steers a terminal. */
		if (r == 0)
			FUZZ_CHECK(!text[strcspn(text, "\x1b\x07\x7f\r\b")]);
		free(text);
	}
	text = NULL;
	*why = '\0';
	r = ways_write(root, &text, why, sizeof(why));
	FUZZ_CHECK(r == 0 || (r == -EBADMSG && *why));
	if (r == 0)
		FUZZ_CHECK(!text[strcspn(text, "\x1b\x07\x7f\r\b")]);
	free(text);
	r = ways_select(root, &ways, why, sizeof(why));
	FUZZ_CHECK(r == 0 || ((r == -EBADMSG || r == -ENOENT) && *why));
	r = answer_select(root, &filter, why, sizeof(why));
	FUZZ_CHECK(r == 0 || ((r == -EBADMSG || r == -ENOENT) && *why));
	json_object_put(root);
	return 0;
}
