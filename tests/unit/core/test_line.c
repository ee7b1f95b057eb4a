/* SPDX-License-Identifier: MIT */
/* Lines of a recording, and back. */
#include "core/line.h"

#include "core/steer.h"

#include "../unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct endpoint ends[] = {
	{.family = AF_INET, .port = 80, .v4.s_addr = 0x0100000a},
	{.family = AF_INET6, .port = 443, .v6.s6_addr = {[0] = 0xfd, [15] = 1}},
};

/* What @text says is read, and written as it was. */
static void comes_back(const char *written, struct line *ret_line)
{
	char *copy = strdup(written), error[200] = "";
	struct text again = {};
	size_t length;

	assert_non_null(copy);
	length = strlen(copy);
	assert_true(length && copy[length - 1] == '\n');
	copy[length - 1] = '\0';
	if (line_read(copy, ret_line, error, sizeof(error)))
		fail_msg("%s: %s", written, error);
	line_write(&again, ret_line->kind, &ret_line->settings);
	assert_string_equal(text_of(&again), written);
	text_done(&again);
	free(copy);
}

static struct event full_event(enum event_kind kind)
{
	struct event event = {.kind = kind,
		.key = {.netns = 4026531840, .token = 0xabc},
		.now_ns = UINT64_MAX,
		.local = ends[0],
		.remote = ends[1],
		.id = 255,
		.remote_id = 254,
		.is_server = true,
		.is_opening = true,
		.has_receipt = true,
		.receipt = {.adds = 1,
			.removes = 2,
			.creating = 1,
			.destroying = 1,
			.live = 3,
			.heard = 4,
			.ids = 5,
			.wishes = {[7] = {.since = 6, .done = 65535}},
			.announced = {1, [7] = 255}},
		.denies_join = true,
		.error = ENONET,
		.reset_reason = -1,
		.is_transient = true,
		.bytes = 100000123,
		.threshold = 100000000,
		.backlog_bytes = 5000000,
		.uid = 1000,
		.excluded = 1ull << 63,
		.generation = 7,
		.adds = 8,
		.removes = 9,
		.expected_bytes = 1000000000,
		.purpose = PURPOSE_BULK,
		.totals = 3,
		.is_backup = true,
		.has_wishes = true,
		.wishes = {.is_restricted = 1},
		.serial = 10,
		.locals = ends,
		.n_locals = 2};

	event.wishes.list[2] = (struct wish){.addr = {[3] = 77},
		.port = 1,
		.since = 2,
		.adds = 3,
		.draft = 1,
		.flags = WISH_TAKEN | WISH_REMOVED};
	return event;
}

static void every_kind_of_event(void **state)
{
	struct text text = {};
	struct event event;
	struct line line;
	unsigned int kind;

	(void)state;
	for (kind = 0; line_event_name(kind); kind++) {
		event = full_event(kind);
		text_clear(&text);
		line_write(&text, LINE_HEAR, &event);
		comes_back(text_of(&text), &line);
		assert_int_equal(line.kind, LINE_HEAR);
		assert_int_equal(line.event.n_locals, 2);
		assert_memory_equal(line.event.locals, ends, sizeof(ends));
		line_free(&line);
		/* And nothing is lost on the way that the text does not show. */
		event.locals = line.event.locals = NULL;
		event.n_locals = line.event.n_locals = 0;
		assert_int_equal(line.event.kind, kind);
		assert_int_equal(line.event.now_ns, event.now_ns);
		assert_int_equal(line.event.reset_reason, event.reset_reason);
		assert_int_equal(line.event.expected_bytes, event.expected_bytes);
		assert_int_equal(line.event.purpose, event.purpose);
		assert_int_equal(line.event.totals, event.totals);
		assert_int_equal(line.event.remote_id, event.remote_id);
		assert_memory_equal(&line.event.key, &event.key, sizeof(event.key));
		assert_memory_equal(&line.event.receipt, &event.receipt, sizeof(event.receipt));
		assert_memory_equal(&line.event.wishes, &event.wishes, sizeof(event.wishes));
		assert_memory_equal(&line.event.local, &event.local, sizeof(event.local));
		assert_memory_equal(&line.event.remote, &event.remote, sizeof(event.remote));
	}
	assert_true(kind > EVENT_LISTEN_DONE);
	text_done(&text);
}

static void every_kind_of_action(void **state)
{
	struct text text = {};
	struct action action;
	struct line line;
	unsigned int kind;

	(void)state;
	for (kind = 0; line_action_name(kind); kind++) {
		action = (struct action){.kind = kind,
			.key = {.netns = 1, .token = 2},
			.local = ends[1],
			.remote = ends[0],
			.id = 3,
			.serial = 4,
			.receipt = {.adds = 1},
			.rule = {.start = 5, .step = 6, .stop = 7, .backlog = 9},
			.is_announced = true,
			.is_backup = true,
			.want = WANT_ALL,
			.cause_ns = 8};
		text_clear(&text);
		line_write(&text, LINE_DO, &action);
		comes_back(text_of(&text), &line);
		assert_int_equal(line.kind, LINE_DO);
		assert_memory_equal(&line.action, &action, sizeof(action));
		line_free(&line);
	}
	assert_true(kind > ACTION_FORGET);
	text_done(&text);
}

static void every_other_kind(void **state)
{
	static const char *const lines[] = {
		("settings start=100 step=50 stop=300 backlog=7 elephant_subflows=4 single_path=1 "
		 "ndiffports=2 "
		 "fullmesh=1 repair=1 max_subflows=8 max_connections=65536 refusals=3 "
		 "hold=60000000000 placement=paths random=77 owners=1\n"),
		"settings placement=random\n",
		"settings\n",
		"rules count=1\n",
		("rule name=the%20backup has_uid=1 uid=1000 has_local=1 local=::ffff:10.0.0.0/104 "
		 "has_remote=1 remote=fd00::/8,::/0 port=873 never=1 start=1 step=2 stop=3 "
		 "elephant_subflows=4 single_path=1\n"),
		"ports netns=1 low=32768 high=60999 reserved=40000/40000,50000/50010\n",
		("map netns=1 local=10.0.0.1:0 remote=10.0.0.2:80 state=known learned=1 "
		 "confirmed=2 "
		 "hops=3 depth=2 tangled=1 thorough=1 partial=1 "
		 "routers=[::ffff:10.1.0.1]:0,[::ffff:10.1.0.2]:0 "
		 "ports=40000t/0/0/1/0/0,40001tsxr7/0/0/0/0/0,40002r65535/0/0/2/0/0\n"),
		("map netns=1 local=[fd00::1]:0 remote=[fd00::2]:80 state=silent "
		 "why=no%20router%20on%20the%20way%20answers learned=1\n"),
		"tick at=1\n",
		"list netns=1\n",
		"listed netns=1\n",
		"addresses netns=1 gone=10.0.0.1:0 usable=10.0.0.2:0,10.0.0.3:0\n",
		"add at=1 netns=1 token=00000007 count=2\n",
		"remove at=1 netns=1 token=00000007 count=2\n",
		"end netns=1\n",
		"rest\n",
		"full\n",
	};
	struct line line;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		comes_back(lines[i], &line);
		line_free(&line);
	}
}

static void what_is_wrong_is_said(void **state)
{
	static const struct {
		const char *words, *error;
	} wrong[] = {
		{"say what", "no line begins with \"say\""},
		{"", "no line begins with \"\""},
		{"hear", "there is no event \"\""},
		{"hear CREATE at=1", "there is no event \"CREATE\""},
		{"do CREATED at=1", "there is no action \"CREATED\""},
		{"do CREATE at=1", "there is no \"at\" in such a line"},
		{"settings placement=luck", "placement cannot be \"luck\""},
		{"map state=lost", "state cannot be \"lost\""},
		{"map ports=40000/0/0/1/0", "ports cannot be \"40000/0/0/1/0\""},
		{"map ports=40000y/0/0/1/0/0", "ports cannot be \"40000y/0/0/1/0/0\""},
		{"map ports=40000/0/0/65/0/0", "ports cannot be \"40000/0/0/65/0/0\""},
		{"rule local=10.0.0.0/8", "local cannot be \"10.0.0.0/8\""},
		{"rule local=::/129", "local cannot be \"::/129\""},
		{"ports reserved=1", "reserved cannot be \"1\""},
		{"hear INTENT wishes=[::]:0/1/1/1", "wishes cannot be \"[::]:0/1/1/1\""},
		{"hear INTENT wishes=1.2.3.4:0/1/1/1/1", "wishes cannot be \"1.2.3.4:0/1/1/1/1\""},
		{"hear FOUND announced_ids=0,0,256", "announced_ids cannot be \"0,0,256\""},
		{"hear FOUND paid_wishes=1/1,1/1,1/1,1/1,1/1,1/1,1/1,1/1,1/1",
			"paid_wishes cannot be \"1/1,1/1,1/1,1/1,1/1,1/1,1/1,1/1,1/1\""},
	};
	struct line line;
	char error[200];

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		char *copy = strdup(wrong[i].words);

		assert_non_null(copy);
		assert_int_equal(line_read(copy, &line, error, sizeof(error)), -EINVAL);
		assert_string_equal(error, wrong[i].error);
		free(copy);
	}
}

static void the_header_says_which_version(void **state)
{
	struct text text = {};
	char error[200];

	(void)state;
	line_write_header(&text, "subflowd 1.2.3");
	assert_string_equal(text_of(&text), "subflow-recording 1 of subflowd 1.2.3\n");
	assert_int_equal(line_read_header(text_of(&text), error, sizeof(error)), 0);
	text_done(&text);
	assert_int_equal(line_read_header("subflow-recording 2 of", error, sizeof(error)), -EINVAL);
	assert_string_equal(error, "recordings of version 2 cannot be read, only 1");
	assert_int_equal(line_read_header("subflow-recording ", error, sizeof(error)), -EINVAL);
	assert_int_equal(line_read_header("{\"a\": 1}", error, sizeof(error)), -EINVAL);
	assert_string_equal(
		error, "this is no recording: it does not begin with \"subflow-recording\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_of_event),
		cmocka_unit_test(every_kind_of_action),
		cmocka_unit_test(every_other_kind),
		cmocka_unit_test(what_is_wrong_is_said),
		cmocka_unit_test(the_header_says_which_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
