/* SPDX-License-Identifier: MIT */
/* Namespaces are found by what the kernel calls them, however many there are. */
#include "kernel/served_list.h"

#include "../unit.h"

#include <stdlib.h>

/* More than there are chains, so that some share one. */
#define N (3 * SERVED_CHAINS)

struct scene {
	struct served served;
	struct served_netns netns[N];
};

static int set_up(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));

	if (!scene)
		return -1;
	TAILQ_INIT(&scene->served.list);
	for (int i = 0; i < N; i++) {
		scene->netns[i] = (struct served_netns){
			.path = "/there", .cookie = 100 + i, .nsid = i, .inode = 7000 + i};
		served_list_insert(&scene->served, &scene->netns[i]);
	}
	*state = scene;
	return 0;
}

static int tear_down(void **state)
{
	free(*state);
	return 0;
}

static bool has_inode(struct served *served, const struct served_netns *wanted)
{
	struct served_netns *netns;

	LIST_FOREACH (netns, served_list_of_inode(served, wanted->inode), by_inode) {
		if (netns == wanted)
			return true;
	}
	return false;
}

static void each_is_found_by_each_name(void **state)
{
	struct scene *scene = *state;

	for (int i = 0; i < N; i++) {
		assert_ptr_equal(served_find(&scene->served, 100 + i), &scene->netns[i]);
		assert_ptr_equal(served_find_id(&scene->served, i), &scene->netns[i]);
		assert_true(has_inode(&scene->served, &scene->netns[i]));
	}
	assert_null(served_find(&scene->served, 99));
	assert_null(served_find_id(&scene->served, N));
}

static void one_that_is_taken_out_is_found_by_none(void **state)
{
	struct scene *scene = *state;

	served_list_remove(&scene->served, &scene->netns[5]);
	assert_null(served_find(&scene->served, 105));
	assert_null(served_find_id(&scene->served, 5));
	assert_false(has_inode(&scene->served, &scene->netns[5]));
	assert_ptr_equal(
		served_find(&scene->served, 105 + SERVED_CHAINS), &scene->netns[5 + SERVED_CHAINS]);
}

static void one_that_was_hidden_is_found_by_its_new_names(void **state)
{
	struct scene *scene = *state;
	struct served_netns *netns = &scene->netns[5];

	served_list_hide(netns);
	assert_null(served_find(&scene->served, 105));
	netns->cookie = 99;
	netns->nsid = N;
	served_list_show(&scene->served, netns);
	assert_ptr_equal(served_find(&scene->served, 99), netns);
	assert_ptr_equal(served_find_id(&scene->served, N), netns);
	assert_null(served_find(&scene->served, 105));
	assert_null(served_find_id(&scene->served, 5));
}

static void only_what_is_served_is_live(void **state)
{
	struct scene *scene = *state;

	scene->netns[5].state = SERVED_YES;
	scene->netns[6].state = SERVED_ALONE;
	scene->netns[7].state = SERVED_VANISHED;
	assert_ptr_equal(served_find_live(&scene->served, 105), &scene->netns[5]);
	assert_null(served_find_live(&scene->served, 106));
	assert_null(served_find_live(&scene->served, 107));
}

/* The end of the one that had it first is yet to be told. */
static void an_id_is_that_of_who_had_it_first(void **state)
{
	struct scene *scene = *state;
	struct served_netns later = {.path = "/later", .cookie = 50, .nsid = 5};

	served_list_insert(&scene->served, &later);
	assert_ptr_equal(served_find_id(&scene->served, 5), &scene->netns[5]);
	served_list_remove(&scene->served, &scene->netns[5]);
	assert_ptr_equal(served_find_id(&scene->served, 5), &later);
}

/* What was never entered has no id either, and is not taken for the daemon's own. */
static void its_own_is_the_one_without_a_path(void **state)
{
	struct scene *scene = *state;
	struct served_netns never = {.path = "/never", .nsid = MONITOR_HOME};
	struct served_netns own = {.cookie = 1, .nsid = MONITOR_HOME};

	served_list_insert(&scene->served, &never);
	assert_null(served_find_id(&scene->served, MONITOR_HOME));
	served_list_insert(&scene->served, &own);
	assert_ptr_equal(served_find_id(&scene->served, MONITOR_HOME), &own);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_is_found_by_each_name, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			one_that_is_taken_out_is_found_by_none, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			one_that_was_hidden_is_found_by_its_new_names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(only_what_is_served_is_live, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			an_id_is_that_of_who_had_it_first, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			its_own_is_the_one_without_a_path, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
