/* SPDX-License-Identifier: MIT */
/*
 * Whatever the daemon may give as a reason, `subflow explain` has a sentence for. No switch here
 * has a default: who adds a reason is told by the compiler to add its sentence.
 */
#include "scene.h"

#include "story.h"

#include <stdlib.h>
#include <string.h>

/* Of a reason that the command has no sentence for. */
#define NO_SENTENCE "this command does not know"

/* NULL: past the last one. */
static const char *asked_by(enum subflow_asker asker)
{
	switch (asker) {
	case ASKER_NOBODY:
		return "nobody here asked for it.\n";
	case ASKER_APPLICATION:
	case ASKER_LIST:
		return "the application asked for it (TCP_MULTIPATH_ADD).\n";
	case ASKER_ELEPHANT:
		return "the elephant rule asked for it.\n";
	case ASKER_POLICY:
		return "[policy] ndiffports asked for it.\n";
	case ASKER_REPAIR:
		return "in place of one whose path had fallen silent.\n";
	case ASKER_MESH:
		return "[policy] fullmesh asked for it.\n";
	case ASKER_OPERATOR:
		return "an operator asked for it (subflow add).\n";
	case ASKER_MOVE:
		return "in place of one that shared its path.\n";
	}
	return NULL;
}

static const char *in_state(enum subflow_state state)
{
	switch (state) {
	case SUBFLOW_OPENING:
		return ", opening: ";
	case SUBFLOW_ESTABLISHED:
		return ", established: ";
	case SUBFLOW_CLOSING:
		return ", closing: ";
	}
	return NULL;
}

static const char *meant_as(enum purpose purpose)
{
	switch (purpose) {
	case PURPOSE_DEFAULT:
		return "The elephant rule gives it one more at 100 B.\n";
	case PURPOSE_BULK:
		return "Its application calls it bulk: an elephant from its start.\n";
	case PURPOSE_INTERACTIVE:
		return "Its application calls it interactive: the elephant rule does not split "
		       "it.\n";
	case PURPOSE_OFF:
		return "Its application wants no split by the elephant rule.\n";
	}
	return NULL;
}

static const char *judged_as(enum rate_verdict verdict)
{
	switch (verdict) {
	case RATE_UNKNOWN:
		return "with it: whether it helps is not known.\n";
	case RATE_RISES:
		return "with it: it helps.\n";
	case RATE_STAYS:
		return "with it: it did not help, and was closed.\n";
	}
	return NULL;
}

static const char *held_back_by(enum rate_limit limit)
{
	switch (limit) {
	case RATE_LIMIT_PATH:
		return NULL; /* then it is not held */
	case RATE_LIMIT_PEER:
		return "No path holds it back, its peer takes no more: ";
	case RATE_LIMIT_SENDER:
		return "No path holds it back, its sender has no more to send: ";
	}
	return NULL;
}

static void tells(struct scene *scene, const char *words)
{
	struct json_object *root = scene_read(scene);
	char why[256] = "", *text;

	assert_non_null(words);
	if (story_write(root, &text, why, sizeof(why)))
		fail_msg("%s", why);
	if (!strstr(text, words) || strstr(text, NO_SENTENCE))
		fail_msg("no \"%s\" in:\n%s", words, text);
	free(text);
	json_object_put(root);
}

/* A client's connection with its first subflow, and one that was opened beside it. */
static struct conn *begin(struct scene *scene, struct subflow **ret_subflow)
{
	const struct conn_key key = {.netns = SCENE_NETNS, .token = 11};
	struct conn *conn;

	scene_kernel.conns[scene_kernel.n++] = (struct diag_conn){.token = 11,
		.local = scene_at("10.0.0.1", 40000),
		.remote = scene_at("10.0.0.2", 80),
		.has_bytes = true};
	scene_hear(scene, EVENT_CREATED);
	scene_hear(scene, EVENT_ESTABLISHED);
	conn = conn_find(&scene->plan.table, &key);
	assert_non_null(conn);
	*ret_subflow = conn_add_subflow(conn);
	assert_non_null(*ret_subflow);
	(*ret_subflow)->local = scene_at("10.0.0.1", 40001);
	(*ret_subflow)->remote = scene_at("10.0.0.2", 80);
	return conn;
}

static void who_asked_for_a_subflow(void **state)
{
	struct scene *scene = *state;
	struct subflow *subflow;
	int asker;

	begin(scene, &subflow);
	for (asker = 0; asked_by(asker); asker++) {
		subflow->asker = asker;
		tells(scene, asked_by(asker));
	}
	assert_int_equal(asker, ASKER_MOVE + 1);
}

static void what_state_it_is_in(void **state)
{
	struct scene *scene = *state;
	struct subflow *subflow;
	int it;

	begin(scene, &subflow);
	for (it = 0; in_state(it); it++) {
		subflow->state = it;
		tells(scene, in_state(it));
	}
	assert_int_equal(it, SUBFLOW_CLOSING + 1);
}

static void what_its_application_calls_it(void **state)
{
	struct scene *scene = *state;
	struct subflow *subflow;
	struct conn *conn = begin(scene, &subflow);
	int purpose;

	for (purpose = 0; meant_as(purpose); purpose++) {
		conn->forecast.purpose = purpose;
		tells(scene, meant_as(purpose));
	}
	assert_int_equal(purpose, PURPOSE_OFF + 1);
}

static void what_became_of_its_trial(void **state)
{
	struct scene *scene = *state;
	struct subflow *subflow;
	struct conn *conn = begin(scene, &subflow);
	int verdict;

	conn->benefit.has_verdict = true;
	for (verdict = 0; judged_as(verdict); verdict++) {
		conn->benefit.verdict = verdict;
		tells(scene, judged_as(verdict));
	}
	assert_int_equal(verdict, RATE_STAYS + 1);
}

static void what_holds_it_back(void **state)
{
	static const enum rate_limit limits[] = {RATE_LIMIT_PEER, RATE_LIMIT_SENDER};
	struct scene *scene = *state;
	struct subflow *subflow;
	struct conn *conn = begin(scene, &subflow);

	conn->brake.wait_ns = 1;
	for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
		conn->brake.limit = limits[i];
		tells(scene, held_back_by(limits[i]));
	}
}

/* The rule counts them as if they were there: it says when it gives more, and that it does not. */
static void what_its_application_has_removed(void **state)
{
	struct scene *scene = *state;
	struct subflow *subflow;
	struct conn *conn = begin(scene, &subflow);

	conn->removes = 1;
	tells(scene, "Its application has removed 1 more than it had asked for: the elephant rule "
		     "counts them as if they were there.\n");
	tells(scene, "The elephant rule gives it one more at 100 B.\n");
	conn->removes = 2;
	tells(scene, "The elephant rule gives no more: 4 in all, with those removed.\n");
	/* It has asked for as many. */
	conn->adds = 2;
	tells(scene, "The elephant rule gives it one more at 100 B.\n");
}

/* That a peer, an operator or a rule has a say. */
static void whose_it_is(void **state)
{
	struct scene *scene = *state;
	struct subflow *subflow;
	struct conn *conn = begin(scene, &subflow);

	tells(scene, "This host opened it, so its subflows are opened here.\n");
	conn->is_server = true;
	tells(scene, "The other host opened it: only there can subflows be opened.\n");
	conn->is_foreign = true;
	tells(scene, "The in-kernel path manager has it.\n");
	conn->is_created = false;
	tells(scene, "subflowd did not see it begin, so it cannot be split.\n");
	conn->is_foreign = false;
	tells(scene, "subflowd does not know it, so it does not split it.\n");
	conn->is_created = true;
	scene->netns.state = SERVED_VANISHED;
	strcpy(scene->netns.path, "/run/netns/subflow-there-is-none");
	tells(scene, "What it has sent and received cannot be asked.\n");
	tells(scene, "Its network namespace has no name to enter it by: nothing can be done for it "
		     "there.\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(who_asked_for_a_subflow, scene_begin, scene_end),
		cmocka_unit_test_setup_teardown(what_state_it_is_in, scene_begin, scene_end),
		cmocka_unit_test_setup_teardown(
			what_its_application_calls_it, scene_begin, scene_end),
		cmocka_unit_test_setup_teardown(what_became_of_its_trial, scene_begin, scene_end),
		cmocka_unit_test_setup_teardown(what_holds_it_back, scene_begin, scene_end),
		cmocka_unit_test_setup_teardown(
			what_its_application_has_removed, scene_begin, scene_end),
		cmocka_unit_test_setup_teardown(whose_it_is, scene_begin, scene_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
