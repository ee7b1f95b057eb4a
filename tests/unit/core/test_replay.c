/* SPDX-License-Identifier: MIT */
/* A recording is played back, and what is decided otherwise is found. */
#include "core/replay.h"

#include "play.h"

#include <errno.h>
#include <string.h>

#define HEAD                                                                                       \
	"subflow-recording 1 of a test\n"                                                          \
	"settings start=100 step=50 stop=300 elephant_subflows=4 ndiffports=1 max_subflows=8 "     \
	"max_connections=3\n"                                                                      \
	"hear CREATED at=1 netns=1 token=7 local=10.0.0.1:40000 remote=10.0.0.2:80\n"              \
	"rest\n"                                                                                   \
	"hear ESTABLISHED at=2 netns=1 token=7 local=10.0.0.1:40000 remote=10.0.0.2:80\n"          \
	"rest\n"                                                                                   \
	"hear THRESHOLD at=5 netns=1 token=7 bytes=110 threshold=100\n"
#define CREATE "do CREATE netns=1 token=00000007 local=10.0.0.1:0 remote=10.0.0.2:80 "

struct seen {
	struct replay replay;
	unsigned int verdicts[REPLAY_SAID + 1];
	struct action created; /* the last one that is decided now */
};

static void note(void *owner, const struct replay_decision *decision)
{
	struct seen *seen = owner;

	seen->verdicts[decision->verdict]++;
	if (decision->action && decision->action->kind == ACTION_CREATE &&
		decision->verdict != REPLAY_GONE)
		seen->created = *decision->action;
}

static int play_text(struct seen *seen, const char *text)
{
	char line[400];
	size_t length;
	int err = 0;

	seen->replay.owner = seen;
	seen->replay.decided = note;
	while (*text && !err) {
		length = strcspn(text, "\n");
		assert_true(length < sizeof(line));
		memcpy(line, text, length);
		line[length] = '\0';
		err = replay_line(&seen->replay, line);
		text += length + 1;
	}
	return err ? err : replay_end(&seen->replay);
}

static void the_same_is_decided(void **state)
{
	struct seen seen = {};

	(void)state;
	assert_int_equal(
		play_text(&seen, HEAD CREATE "serial=2 cause=5\n"
					     "hear CREATE_DONE at=6 netns=1 token=7 serial=2\n"
					     "rest\n"
					     "# what somebody has noted\n"
					     "\n"
					     "full\n"),
		0);
	assert_int_equal(seen.replay.decisions, 1);
	assert_int_equal(seen.replay.differences, 0);
	assert_true(seen.replay.feed.is_full);
	assert_int_equal(seen.verdicts[REPLAY_SAME], 1);
	/* "too small to split", "one more". */
	assert_int_equal(seen.verdicts[REPLAY_SAID], 2);
	assert_int_equal(seen.replay.feed.plan.counters.created, 1);
	replay_done(&seen.replay);
}

static void the_first_difference_is_named(void **state)
{
	static const struct {
		const char *text, *error;
	} tapes[] = {
		{HEAD CREATE "serial=3 cause=5\nrest\n",
			"line 8: the daemon did:   " CREATE "serial=3 cause=5\n"
			"line 8: now is decided: " CREATE "serial=2 cause=5"},
		{HEAD "rest\n", "line 8: the daemon did:   nothing\n"
				"line 8: now is decided: " CREATE "serial=2 cause=5"},
		{HEAD CREATE "serial=2 cause=5\n" CREATE "serial=3 cause=5\nrest\n",
			"line 9: the daemon did:   " CREATE "serial=3 cause=5\n"
			"line 9: now is decided: nothing"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(tapes) / sizeof(*tapes); i++) {
		struct seen seen = {};

		assert_int_equal(play_text(&seen, tapes[i].text), -EILSEQ);
		assert_string_equal(seen.replay.error, tapes[i].error);
		assert_int_equal(seen.replay.differences, 1);
		replay_done(&seen.replay);
	}
}

/* Killed in the middle of a batch: what was done until then is compared. */
static void a_recording_may_end_anywhere(void **state)
{
	struct seen seen = {}, wrong = {};

	(void)state;
	assert_int_equal(play_text(&seen, HEAD), 0);
	replay_done(&seen.replay);
	assert_int_equal(play_text(&wrong, HEAD CREATE "serial=9 cause=5\n"), -EILSEQ);
	replay_done(&wrong.replay);
}

static void goes_on_past_differences(void **state)
{
	struct seen seen = {.replay.does_go_on = true};

	(void)state;
	/* Then two were opened at once, now one is, and the answer is given to that. */
	assert_int_equal(
		play_text(&seen, HEAD CREATE
			"serial=5 cause=5\n"
			"hear CREATE_DONE at=6 netns=1 token=7 serial=5\n" CREATE
			"serial=6 cause=5\n"
			"hear CREATE_DONE at=6 netns=1 token=7 serial=6\n"
			"rest\n"
			"hear SUBFLOW_ESTABLISHED at=7 netns=1 token=7 local=10.0.0.1:40001 "
			"remote=10.0.0.2:80\n"
			"rest\n"
			"hear SUBFLOW_ESTABLISHED at=7 netns=1 token=7 local=10.0.0.1:40002 "
			"remote=10.0.0.2:80\n"
			"rest\n"
			/* And here none was, now one is: it is taken to succeed. */
			"hear THRESHOLD at=9 netns=1 token=7 bytes=160 threshold=150\n"
			"rest\n"),
		0);
	assert_int_equal(seen.verdicts[REPLAY_SAME], 0);
	assert_int_equal(seen.verdicts[REPLAY_NEW], 2);
	assert_int_equal(seen.verdicts[REPLAY_GONE], 2);
	assert_int_equal(seen.created.serial, 3);
	assert_int_equal(seen.replay.feed.plan.counters.created, 2);
	assert_int_equal(seen.replay.feed.plan.counters.established, 1);
	assert_int_equal(conn_count_all(seen.replay.feed.plan.table.conns), 3);
	replay_done(&seen.replay);
}

static void what_is_wrong_is_said(void **state)
{
#define BEGIN "subflow-recording 1 of a test\nsettings step=1 max_connections=3\n"
	static const struct {
		const char *text, *error;
	} tapes[] = {
		{"hear CLOSED\n", "line 1: this is no recording: it does not begin with "
				  "\"subflow-recording\""},
		{"", "line 1: the settings are missing"},
		{"subflow-recording 1\ntick at=1\n",
			"line 2: the settings are missing, which come first"},
		{"subflow-recording 1\nrest\n",
			"line 2: the settings are missing, which come first"},
		{"subflow-recording 1\ndo FORGET\n",
			"line 2: the settings are missing, which come first"},
		{BEGIN "settings max_subflows=65\n",
			"line 3: no connection can have so many subflows"},
		{BEGIN "settings start=1\n", "line 3: the elephant rule has no step"},
		{BEGIN "rules count=1\nrule name=x\n", "line 4: the rule has no step"},
		{BEGIN "tick at=x\n", "line 3: at cannot be \"x\""},
		{BEGIN "do FORGET at=1\nrest\n", "line 3: there is no \"at\" in such a line"},
		{BEGIN "rules count=65\n", "line 3: these are more rules than there can be"},
		{BEGIN "rules count=1\ntick at=1\n", "line 4: a rule is missing"},
		{BEGIN "rules count=1\n", "line 4: a rule is missing"},
		{BEGIN "rule name=x\n", "line 3: this rule is one too many"},
		{BEGIN "rules count=1\nrule name=0123456789012345678901234567890123456789\n",
			"line 4: the name is too long"},
		{BEGIN "map depth=5\n", "line 3: there is no such router, or hop"},
		{BEGIN "map ports=1/1/0/0/0/0\n", "line 3: there is no such router, or hop"},
		{BEGIN "map routers=10.0.0.1:0\n", "line 3: there is no such router, or hop"},
		{BEGIN "ports netns=1 low=1\n", "line 3: there is no port from low to high"},
		{BEGIN "ports netns=1 high=9\n", "line 3: there is no port from low to high"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(tapes) / sizeof(*tapes); i++) {
		struct seen seen = {};

		assert_int_equal(play_text(&seen, tapes[i].text), -EINVAL);
		assert_string_equal(seen.replay.error, tapes[i].error);
		replay_done(&seen.replay);
	}
}

/* What a survey has found is used, and the tape notes it anew when it has changed. */
static void paths_come_back(void **state)
{
	struct play *play = *state;
	struct path_table *table = &play->plan.steer.paths;
	struct endpoint local = play_local(0), remote = play_remote();
	struct path_key key = path_key_of(play->key.netns, &local, &remote);
	struct in6_addr routers[2] = {};
	struct path_map *map;

	play->plan.steer.mode = STEER_PATHS;
	play_connect(play);
	map = path_table_get(table, &key);
	for (int i = 0; i < 2; i++) {
		routers[i].s6_addr[15] = 1 + i;
		path_learn(table, map, LOCAL_PORT + i, 2, &routers[i]);
	}
	map->state = PATH_KNOWN;
	map->depth = 2;
	map->is_thorough = true;
	map->learned_ns = play->now_ns;
	play_intent(play, 1, 0);
	assert_int_equal(play->create.local.port, LOCAL_PORT + 1);
	assert_non_null(strstr(text_of(&play->tape.text), "\nmap netns=1 "));
	/* play_end() replays it. */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, play_begin, play_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_is_decided),
		cmocka_unit_test(the_first_difference_is_named),
		cmocka_unit_test(a_recording_may_end_anywhere),
		cmocka_unit_test(goes_on_past_differences),
		cmocka_unit_test(what_is_wrong_is_said),
		TEST(paths_come_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
