/* SPDX-License-Identifier: MIT */
/* What each key takes. */
#include "keys.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kernel/cgroup.h"
#include "settings.h"
#include "unit.h"

#define ERROR_MAX 512

static struct settings settings;
static char error[ERROR_MAX];

static int begin(void **state)
{
	(void)state;
	return settings_init(&settings);
}

static int end(void **state)
{
	(void)state;
	settings_done(&settings);
	return 0;
}

static int set(const char *name, const char *value)
{
	return settings_set(&settings, name, value, error, sizeof(error));
}

struct refusal {
	const char *name, *value;
	const char *says; /* a part of the message */
};

static void assert_refused(const struct refusal *refusals, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(set(refusals[i].name, refusals[i].value), -EINVAL);
		if (!strstr(error, refusals[i].says))
			fail_msg("\"%s\" does not say \"%s\"", error, refusals[i].says);
	}
}

#define ASSERT_REFUSED(refusals) assert_refused(refusals, sizeof(refusals) / sizeof(*refusals))

static void namespaces_are_names(void **state)
{
	static const struct refusal refusals[] = {
		{"namespaces.serve", "", "allowed is own, all, or names as in `ip netns`"},
		{"namespaces.serve", "a b/c", "allowed is own, all, or names as in `ip netns`"},
		{"namespaces.serve", "../a", "allowed is own, all, or names as in `ip netns`"},
		{"namespaces.take_over", "maybe", "allowed is yes or no"},
	};

	(void)state;
	ASSERT_REFUSED(refusals);
	assert_string_equal(settings.serve, "own");
	assert_int_equal(set("namespaces.serve", "all"), 0);
	assert_string_equal(settings.serve, "all");
}

static void paths_are_absolute(void **state)
{
	static const struct refusal refusals[] = {
		{"hooks.cgroup", "a/b", "cgroup = a/b: allowed is the absolute path"},
		{"hooks.cgroup", "", "allowed is the absolute path of a folder of the cgroup2"},
		{"hooks.cgroup", "/tmp", "cgroup = /tmp: allowed is the absolute path"},
		{"hooks.cgroup", "/no/such", "cgroup = /no/such: allowed is the absolute"},
		{"control.socket", "a", "allowed is an absolute path of at most 107 bytes"},
	};

	(void)state;
	ASSERT_REFUSED(refusals);
}

/* sun_path has room for 107 bytes and their end. */
static void socket_paths_fit_an_address(void **state)
{
	char path[109];

	(void)state;
	memset(path, 'x', 108);
	*path = '/';
	path[108] = '\0';
	assert_int_equal(set("control.socket", path), -EINVAL);
	path[107] = '\0';
	assert_int_equal(set("control.socket", path), 0);
	assert_string_equal(settings.socket, path);
}

/* Where this host has a cgroup2 file system. */
static void a_cgroup_is_a_folder_of_cgroup2(void **state)
{
	char root[256], path[512];

	(void)state;
	if (cgroup_find_root("/proc/self/mounts", root, sizeof(root)))
		skip();
	assert_int_equal(set("hooks.cgroup", root), 0);
	assert_string_equal(settings.cgroup, root);
	snprintf(path, sizeof(path), "%s/cgroup.procs", root);
	assert_int_equal(set("hooks.cgroup", path), -EINVAL);
}

static void the_group_is_there(void **state)
{
	static const struct refusal refusals[] = {
		{"control.group", "no-such-group", "allowed is a group of this host"},
		{"control.group", "", "allowed is a group of this host"},
		{"control.group", "12a", "allowed is a group of this host"},
		{"control.group", "4294967295", "allowed is a group of this host"},
		{"control.group", "99999999999999999999", "allowed is a group of this host"},
	};

	(void)state;
	ASSERT_REFUSED(refusals);
	assert_int_equal(settings_group(&settings), (gid_t)-1);
	assert_int_equal(set("control.group", "root"), 0);
	assert_int_equal(settings_group(&settings), 0);
	assert_int_equal(set("control.group", "4711"), 0);
	assert_int_equal(settings_group(&settings), 4711);
}

static void users_have_names_or_numbers(void **state)
{
	uid_t user = 0;

	(void)state;
	assert_int_equal(keys_find_user("4294967294", &user), 0);
	assert_int_equal(user, 4294967294);
	assert_int_equal(keys_find_user("root", &user), 0);
	assert_int_equal(user, 0);
	user = 7;
	assert_int_equal(keys_find_user("4294967295", &user), -EINVAL);
	assert_int_equal(keys_find_user("0x", &user), -EINVAL);
	assert_int_equal(keys_find_user("no-such-user", &user), -EINVAL);
	assert_int_equal(user, 7);
}

static void words_stand_for_values(void **state)
{
	(void)state;
	assert_int_equal(keys_find_source("diag"), SOURCE_DIAG);
	assert_int_equal(keys_find_source("dia"), -EINVAL);
	assert_int_equal(keys_find_placement("random"), STEER_RANDOM);
	assert_int_equal(keys_find_placement(""), -EINVAL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(namespaces_are_names),
		TEST(paths_are_absolute),
		TEST(socket_paths_fit_an_address),
		TEST(a_cgroup_is_a_folder_of_cgroup2),
		TEST(the_group_is_there),
		TEST(users_have_names_or_numbers),
		TEST(words_stand_for_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
