/* SPDX-License-Identifier: MIT */
/* One event of the daemon's, as `subflow watch` presents it. */
#include "../../cli/event.h"
#include "fuzz.h"

#include <errno.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct answer_filter filter = {
		.is_set = true, .token = 11, .namespace_name = (char[]){"n"}};
	char why[256] = "", *text = NULL;
	struct json_object *event;
	int r;

	if (answer_parse((const char *)data, size, &event, why, sizeof(why)))
		return 0;
	*why = '\0';
	event_is_meant(event, &filter);
	r = event_write(event, &text, why, sizeof(why));
	FUZZ_CHECK(r == 0 || (r == -EBADMSG && *why));
	/* One line, and nothing in it steers a terminal. */
	if (r == 0)
		FUZZ_CHECK(!text[strcspn(text, "\x1b\x07\x7f\r\b")] &&
			   strchr(text, '\n') == text + strlen(text) - 1);
	free(text);
	json_object_put(event);
	return 0;
}
