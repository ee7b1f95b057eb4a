/* SPDX-License-Identifier: MIT */
/* What is told of a connection, with keys of the answer missing and mistyped. */
#include "story.h"

#include "answer.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char status[] =
	"{\"daemon\": {\"downloads\": true, \"elephant\": {\"start\": 100000000, \"step\": "
	"50000000,"
	" \"stop\": 300000000, \"max_subflows\": 4}},"
	" \"connections\": [{\"namespace\": \"we\\u001bb\", \"token\": 11, \"role\": \"client\","
	" \"local\": \"a\", \"remote\": \"r\", \"bytes_sent\": 5, \"bytes_received\": 160000000,"
	" \"state\": \"served\", \"subflows\": ["
	"{\"local\": \"a\", \"remote\": \"r\", \"state\": \"established\", \"asked_by\": null},"
	" {\"local\": \"b\", \"remote\": \"r\", \"state\": \"opening\", \"asked_by\": "
	"\"elephant\"}],"
	" \"refusals\": null, \"room\": null, \"judged\": null, \"held\": null, \"left_alone_s\": "
	"0,"
	" \"last_hop_s\": 0, \"apart\": "
	"null, "
	"\"rule\": null,"
	" \"wanted\": 1, \"waived\": 0, \"next_threshold\": 200000000, \"is_asked\": false,"
	" \"expected\": 0,"
	" \"intent\": \"default\", \"thresholds\": ["
	"{\"threshold\": 100000000, \"bytes\": 100034121, \"subflows\": 2, \"foreseen\": false, "
	"\"backlog\": 0},"
	" {\"threshold\": 150000000, \"bytes\": 150034121, \"subflows\": 0, \"foreseen\": false, "
	"\"backlog\": 0}],"
	" \"decision\": \"one more subflow at 150 MB: 3 of 4\"}]}";

static struct json_object *parsed(void)
{
	struct json_object *root;
	char why[256];

	assert_int_equal(answer_parse(status, strlen(status), &root, why, sizeof(why)), 0);
	return root;
}

static struct json_object *connection_of(struct json_object *root)
{
	struct json_object *list;

	json_object_object_get_ex(root, "connections", &list);
	return json_object_array_get_idx(list, 0);
}

static struct json_object *daemon_of(struct json_object *root)
{
	struct json_object *daemon;

	json_object_object_get_ex(root, "daemon", &daemon);
	return daemon;
}

static void put(struct json_object *object, const char *key, const char *text)
{
	json_object_object_add(object, key, json_object_new_string(text));
}

static void tells(struct json_object *root, const char *words)
{
	char why[256], *text;

	assert_int_equal(story_write(root, &text, why, sizeof(why)), 0);
	if (!strstr(text, words))
		fail_msg("no \"%s\" in:\n%s", words, text);
	assert_null(strchr(text, 0x1b));
	free(text);
}

static void test_client(void **state)
{
	static const char *const words[] = {
		"Connection 0000000b of namespace we?b, from a to r.\n",
		"This host opened it",
		"It has 2 subflows:\n",
		"It has sent 5 B and received 160 MB.\n",
		"  a to r, established: the one that the connection began with.\n",
		"  b to r, opening: the elephant rule asked for it.\n",
		"It passed 100 MB, noticed at 100.0 MB: one more subflow made 2.\n",
		"It passed 150 MB, noticed at 150.0 MB: one more subflow is under way.\n",
		"1 more are to be opened.\n",
		"The elephant rule gives it one more at 200 MB.\n",
		"The last decision: one more subflow at 150 MB: 3 of 4.\n",
	};
	struct json_object *root = parsed();

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		tells(root, words[i]);
	json_object_put(root);
}

static void test_what_the_rule_will_do(void **state)
{
	struct json_object *root = parsed(), *connection = connection_of(root);

	(void)state;
	json_object_object_add(connection, "wanted", json_object_new_int(2));
	tells(root, "The elephant rule gives no more: 4 in all.\n");
	json_object_object_add(connection, "bytes_sent", json_object_new_int(0));
	tells(root, "2 more are to be opened.\n");
	json_object_object_add(connection, "bytes_received", json_object_new_int(0));
	tells(root, "2 more are to be opened, once its first byte has gone over and been "
		    "acknowledged.\n");
	json_object_object_add(connection, "wanted", json_object_new_int(0));
	json_object_object_add(connection, "bytes_received", json_object_new_int(250000000));
	tells(root, "It has passed 200 MB: the elephant rule gives it one more when that is "
		    "noticed.\n");
	json_object_object_add(connection, "bytes_received", json_object_new_int(300000000));
	tells(root, "The elephant rule gives none from 300 MB on.\n");
	json_object_object_add(connection, "bytes_received", json_object_new_int(7));
	json_object_object_add(daemon_of(root), "downloads", json_object_new_boolean(false));
	tells(root, "The elephant rule gives it one more at 200 MB.\n");
	json_object_object_add(daemon_of(root), "downloads", json_object_new_boolean(true));
	json_object_object_add(connection, "next_threshold", NULL);
	tells(root, "The elephant rule gives none from 300 MB on.\n");
	json_object_object_add(connection, "next_threshold", json_object_new_int(100000000));
	/* One that counted as passed for what waited. */
	tells(root, "The elephant rule gives it one more at 200 MB.\n");
	json_object_object_add(connection, "thresholds", json_object_new_array());
	tells(root, "The elephant rule gives it one more at 100 MB.\n");
	json_object_object_add(connection, "is_asked", json_object_new_boolean(true));
	tells(root, "No callback of the kernel tells how far it has come: subflowd asks now and "
		    "then.\nThe elephant rule gives it one more at 100 MB.\n");
	json_object_object_add(connection, "bytes_sent", NULL);
	tells(root, "This kernel does not count");
	json_object_put(root);
}

static void test_what_was_announced(void **state)
{
	struct json_object *root = parsed(), *connection = connection_of(root), *list;

	(void)state;
	json_object_object_add(connection, "expected", json_object_new_int(120000000));
	json_object_object_add(connection, "wanted", json_object_new_int(0));
	json_object_object_add(connection, "bytes_received", json_object_new_int(7));
	json_object_object_get_ex(connection, "thresholds", &list);
	json_object_object_add(
		json_object_array_get_idx(list, 0), "foreseen", json_object_new_boolean(true));
	tells(root, "Its application announced 120 MB.\nIt is to pass 100 MB: one more subflow "
		    "made 2.\n");
	tells(root, "The elephant rule gives it one more at 200 MB.\n");
	json_object_object_add(
		json_object_array_get_idx(list, 1), "backlog", json_object_new_int(4000000));
	tells(root, "It had sent 150.0 MB, and 4 MB waited to be sent, which counts as 150 MB: one "
		    "more subflow is under way.\n");
	put(connection, "intent", "bulk");
	tells(root, "Its application calls it bulk: an elephant from its start.\n");
	tells(root, "The elephant rule gives none from 300 MB on.\n");
	put(connection, "intent", "off");
	tells(root, "Its application wants no split by the elephant rule.\n");
	put(connection, "intent", "interactive");
	tells(root, "Its application calls it interactive: the elephant rule does not split it.\n");
	tells(root, "one more subflow is under way.\nThe last decision");
	json_object_put(root);
}

/* A word of a newer daemon passes for no reason that is known. */
static void test_unknown_words(void **state)
{
	struct json_object *root = parsed(), *connection = connection_of(root), *list;

	(void)state;
	put(connection, "intent", "urgent");
	tells(root, "Its application has announced it for a reason that this command does not "
		    "know.\n");
	json_object_object_get_ex(connection, "subflows", &list);
	put(json_object_array_get_idx(list, 1), "asked_by", "moon");
	tells(root, "  b to r, opening: for a reason that this command does not know.\n");
	json_object_object_add(connection, "judged",
		json_tokener_parse("{\"verdict\": \"perhaps\", \"before\": 1, \"with\": 1}"));
	tells(root, "with it: for a reason that this command does not know.\n");
	json_object_put(root);
}

static void test_refusals(void **state)
{
	struct json_object *root = parsed(), *connection = connection_of(root), *refusals;

	(void)state;
	refusals = json_tokener_parse(
		"{\"in_a_row\": 8, \"beyond\": 0, \"reason\": \"Connection refused\","
		" \"age_s\": 12, \"hold_s\": 588}");
	json_object_object_add(connection, "refusals", refusals);
	tells(root, "Its destination refused the last 8 joins of this host's connections, 12 s ago "
		    "(Connection refused): none is tried for another 588 s.\n");
	json_object_object_add(refusals, "beyond", json_object_new_int(3));
	tells(root, "connections beyond 3 subflows of one, 12 s ago (Connection refused): none is "
		    "tried beyond them for another 588 s.\n");
	json_object_object_add(refusals, "hold_s", json_object_new_int(0));
	tells(root, "12 s ago (Connection refused).\n");
	json_object_put(root);
}

static void test_room(void **state)
{
	struct json_object *root = parsed(), *connection = connection_of(root), *room;

	(void)state;
	room = json_tokener_parse("{\"subflows\": 3, \"hold_s\": 588}");
	json_object_object_add(connection, "room", room);
	tells(root, "Its peer takes 3 in all, and reset what came up beyond: for another 588 s "
		    "neither the elephant rule nor [policy] gives it more.\nThe last decision");
	/* One has gone. */
	json_object_object_add(room, "subflows", json_object_new_int(4));
	tells(root, "gives it more.\nThe elephant rule gives it one more at ");
	json_object_put(root);
}

static void test_judged(void **state)
{
	struct json_object *root = parsed(), *connection = connection_of(root), *judged;

	(void)state;
	judged = json_tokener_parse(
		"{\"verdict\": \"helps\", \"before\": 12500000, \"with\": 23750000}");
	json_object_object_add(connection, "judged", judged);
	tells(root, "The last subflow that was judged: 100.0 Mbit/s before, 190.0 with it: it "
		    "helps.\n");
	put(judged, "verdict", "in vain");
	json_object_object_add(connection, "left_alone_s", json_object_new_int(57));
	tells(root, "it did not help, and was closed.\nMore did not help to where it goes: for "
		    "another 57 s the elephant rule gives none there but on paths of their own.\n");
	put(judged, "verdict", "not known");
	tells(root, "whether it helps is not known.\n");
	json_object_put(root);
}

static void test_apart(void **state)
{
	struct json_object *root = parsed(), *apart;

	(void)state;
	apart = json_tokener_parse("{\"moved\": 0, \"is_shared\": true, \"held_s\": 0}");
	json_object_object_add(connection_of(root), "apart", apart);
	tells(root, "shares a path with others of this host, and no free one is known.\n");
	json_object_object_add(apart, "moved", json_object_new_int(2));
	json_object_object_add(apart, "held_s", json_object_new_int(57));
	tells(root, "moved to a path of its own: 2.\n");
	tells(root, "None is moved for another 57 s.\n");
	json_object_put(root);
}

static void test_held(void **state)
{
	struct json_object *root = parsed(), *connection = connection_of(root);

	(void)state;
	put(connection, "held", "its peer takes no more");
	tells(root, "No path holds it back, its peer takes no more: more subflows would only cost "
		    "CPU. They are opened when a path does.\n");
	json_object_put(root);
}

static void test_last_hop(void **state)
{
	struct json_object *root = parsed();

	(void)state;
	json_object_object_add(connection_of(root), "last_hop_s", json_object_new_int(57));
	tells(root, "The last link to its peer is what held it back: for another 57 s it has "
		    "fewer subflows.\n");
	json_object_put(root);
}

static void test_others(void **state)
{
	struct json_object *root = parsed(), *connection = connection_of(root);

	(void)state;
	put(connection, "role", "server");
	tells(root, "only there can subflows be opened");
	put(connection, "state", "in-kernel path manager");
	tells(root, "The in-kernel path manager has it.\n");
	json_object_object_add(connection, "role", NULL);
	tells(root, "did not see it begin");
	put(connection, "state", "not known");
	tells(root, "subflowd does not know it, so it does not split it.\n");
	put(connection, "state", "left alone");
	tells(root, "subflowd leaves its namespace alone.\n");
	put(connection, "state", "out of reach");
	tells(root, "What it has sent and received cannot be asked.\n");
	tells(root, "has no name to enter it by: nothing can be done for it there.\n");
	json_object_object_add(connection, "subflows", json_object_new_array());
	tells(root, "not known to subflowd");
	json_object_put(root);
}

static void test_wrong_types(void **state)
{
	static const char *const keys[] = {"namespace", "token", "role", "local", "bytes_sent",
		"state", "subflows", "refusals", "room", "judged", "held", "left_alone_s",
		"last_hop_s", "apart", "rule", "wanted", "waived", "next_threshold", "expected",
		"intent", "thresholds", "decision"};
	char why[256], *text = NULL;
	struct json_object *root;

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		root = parsed();
		json_object_object_add(connection_of(root), keys[i], json_object_new_boolean(1));
		assert_int_equal(story_write(root, &text, why, sizeof(why)), -EBADMSG);
		assert_null(text);
		assert_non_null(strstr(why, keys[i]));
		json_object_put(root);
	}
	root = parsed();
	json_object_object_add(connection_of(root), "apart", json_object_new_object());
	assert_int_equal(story_write(root, &text, why, sizeof(why)), -EBADMSG);
	assert_non_null(strstr(why, "connections[0].apart.moved"));
	json_object_put(root);
	root = parsed();
	json_object_object_del(root, "daemon");
	assert_int_equal(story_write(root, &text, why, sizeof(why)), -EBADMSG);
	json_object_put(root);
}

static void test_rule(void **state)
{
	struct json_object *root = parsed(), *rules;

	(void)state;
	put(connection_of(root), "rule", "bulk");
	rules = json_tokener_parse(
		"[{\"name\": \"other\", \"never\": true, \"start\": 1, \"step\": 1, \"stop\": 1, "
		"\"max_subflows\": 1},"
		" {\"name\": \"bulk\", \"never\": false, \"start\": 1,"
		" \"step\": 200000000, \"stop\": 900000000, \"max_subflows\": 9}]");
	json_object_object_add(daemon_of(root), "rules", rules);
	tells(root, "Rule bulk holds for it.\nThe elephant rule gives it one more at 200.0 MB.\n");
	put(connection_of(root), "rule", "other");
	tells(root, "Rule other holds for it.\nIt is never split but as");
	json_object_put(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_client),
		cmocka_unit_test(test_what_the_rule_will_do),
		cmocka_unit_test(test_what_was_announced),
		cmocka_unit_test(test_unknown_words),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_judged),
		cmocka_unit_test(test_apart),
		cmocka_unit_test(test_held),
		cmocka_unit_test(test_last_hop),
		cmocka_unit_test(test_rule),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_wrong_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
