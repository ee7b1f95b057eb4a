/* SPDX-License-Identifier: MIT */
/* Records of the ring, and the judgement that hears them. */
#include "core/event.h"
#include "core/plan.h"
#include "fuzz.h"

#include <errno.h>
#include <string.h>

enum { CONNECTIONS_MAX = 4, ACTIONS_MAX = 10000 };

/* The hands: what is to be created fails, or not, as the serial number has it. */
static void act(struct plan *plan)
{
	const struct action *next;
	struct action action;
	int n = 0;

	while ((next = plan_next(plan))) {
		struct event answer = {.reset_reason = -1};

		FUZZ_CHECK(++n < ACTIONS_MAX);
		action = *next;
		if (action.kind != ACTION_CREATE && action.kind != ACTION_DESTROY)
			continue;
		answer.kind = action.kind == ACTION_CREATE ? EVENT_CREATE_DONE : EVENT_DESTROY_DONE;
		answer.key = action.key;
		answer.serial = action.serial;
		answer.error = action.serial % 3 ? 0 : ENOTCONN;
		plan_hear(plan, &answer);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct elephant_rule rule = {
		.start_bytes = 100, .step_bytes = 50, .stop_bytes = 300, .max_subflows = 4};
	struct event event = {.serial = 77};
	struct plan plan;
	size_t len;

	memset(&plan, 0, sizeof(plan));
	FUZZ_CHECK(!plan_init(&plan, &rule, 8, CONNECTIONS_MAX));
	for (; size; data += len, size -= len) {
		len = size < sizeof(struct record) ? size : sizeof(struct record);
		if (size >= sizeof(struct wide_record) && data[2] == RECORD_INTENT)
			len = sizeof(struct wide_record);
		if (event_from_record(data, len, &event))
			continue;
		/* Few names, so that records meet, and connections that are up. */
		event.key.token %= 2 * CONNECTIONS_MAX;
		event.key.netns %= 2;
		plan_hear(&plan, &event);
		act(&plan);
		if (event.adds % 2) {
			event.kind = event.removes % 2 ? EVENT_CREATED : EVENT_ESTABLISHED;
			event.local.family = event.remote.family = AF_INET;
			plan_hear(&plan, &event);
			act(&plan);
		}
		plan_tick(&plan, event.now_ns);
		act(&plan);
	}
	plan_forget_netns(&plan, 1);
	act(&plan);
	plan_done(&plan);
	return 0;
}
