/* SPDX-License-Identifier: MIT */
/* The status answer is written part by part, whatever comes and goes meanwhile. */
#include "kernel/served_list.h"
#include "scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A part at a time: what comes and goes meanwhile does no harm, and no namespace is kept for it. */
static void lists_part_by_part(void **state)
{
	struct served_netns other = {.name = "other", .cookie = SCENE_NETNS + 1},
			    closed = {.name = "closed", .why = "it cannot be entered"};
	struct scene *scene = *state;
	struct listing *listing;
	struct json_object *root;
	char *start, *rest, *whole;
	bool is_last;

	for (uint32_t i = 0; i < 3; i++)
		scene_kernel.conns[i] = (struct diag_conn){.token = 11 + i};
	scene_kernel.n = 3;
	served_list_insert(&scene->served, &other);
	served_list_insert(&scene->served, &closed);
	listing = listing_begin(&scene->listings, &scene->view);
	start = listing_next(listing, &is_last);
	assert_false(is_last);
	assert_null(strstr(start, "\"token\""));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(scene_kernel.walks, i);
		rest = listing_next(listing, &is_last);
		assert_int_equal(strlen(rest) > 0, i);
		free(rest);
	}
	/* Its name is gone, and another one has ended. */
	listings_forget(&scene->listings, SCENE_NETNS + 1);
	assert_int_equal(scene_kernel.walks, 1);
	listings_forget(&scene->listings, SCENE_NETNS);
	assert_int_equal(scene_kernel.walks, 0);
	served_list_remove(&scene->served, &other);
	rest = scene_gather(listing);
	assert_null(strstr(rest, "\"token\""));
	assert_true(asprintf(&whole, "%s{}%s", start, rest) > 0);
	root = json_tokener_parse(whole);
	assert_non_null(root);
	assert_int_equal(json_object_array_length(scene_find(root, "namespaces")), 2);
	assert_string_equal(scene_text(root, "namespaces.0.reason"), "it cannot be entered");
	assert_string_equal(scene_text(root, "namespaces.1.name"), "own");
	assert_int_equal(scene_number(root, "namespaces.1.connections"), 1);
	json_object_put(root);
	free(start);
	free(rest);
	free(whole);
	listing_end(listing);

	/* Nobody reads on. */
	listing = listing_begin(&scene->listings, &scene->view);
	for (int i = 0; i < 3; i++)
		free(listing_next(listing, &is_last));
	assert_int_equal(scene_kernel.walks, 1);
	listing_end(listing);
	assert_int_equal(scene_kernel.walks, 0);
	served_list_remove(&scene->served, &closed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(lists_part_by_part, scene_begin, scene_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
