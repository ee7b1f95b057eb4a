/* SPDX-License-Identifier: MIT */
/* Which rules reach a connection: by namespace, by device, by cgroup, which is asked once. */
#include "kernel/scope.h"

#include "../unit.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <string.h>

bool __wrap_cgroup_is_below(const char *folder, uint64_t id);

static unsigned int asked;

/* "/N" is above the cgroups up to N. */
bool __wrap_cgroup_is_below(const char *folder, uint64_t id)
{
	asked++;
	return id && id <= (uint64_t)(folder[1] - '0');
}

static void namespaces_are_patterns(void **state)
{
	const struct scope_rule rules[] = {
		{.netns = "web-*"}, {.netns = "own"}, {.netns = "web-1"}, {}};
	struct diag_conn conn = {};
	struct scope scope = {};

	(void)state;
	scope_set(&scope, rules, 4);
	assert_int_equal(scope_excluded(&scope, "web-1", &conn), 2);
	assert_int_equal(scope_excluded(&scope, "own", &conn), 1 | 4);
	assert_int_equal(scope_excluded(&scope, "", &conn), 1 | 2 | 4);
}

static void the_device_is_that_of_the_address_or_of_the_binding(void **state)
{
	const struct scope_rule rules[] = {{.interface = "lo"}, {.interface = "no-such"}};
	struct diag_conn conn = {.local.family = AF_INET};
	struct scope scope = {};

	(void)state;
	scope_set(&scope, rules, 2);
	inet_pton(AF_INET, "127.0.0.1", &conn.local.v4);
	assert_int_equal(scope_excluded(&scope, "", &conn), 2);
	inet_pton(AF_INET, "192.0.2.77", &conn.local.v4);
	assert_int_equal(scope_excluded(&scope, "", &conn), 3);
	conn.device = if_nametoindex("lo");
	assert_int_equal(scope_excluded(&scope, "", &conn), 2);
	conn.device = INT32_MAX;
	assert_int_equal(scope_excluded(&scope, "", &conn), 3);
	/* v4-mapped, as an IPv6 socket has it. */
	conn = (struct diag_conn){.local.family = AF_INET6};
	inet_pton(AF_INET6, "::ffff:127.0.0.1", &conn.local.v6);
	assert_int_equal(scope_excluded(&scope, "", &conn), 2);
}

static void a_cgroup_is_asked_for_once(void **state)
{
	const struct scope_rule rules[] = {{.cgroup = "/5"}, {}, {.cgroup = "/7"}};
	struct diag_conn conn = {.cgroup = 6};
	struct scope scope = {};

	(void)state;
	asked = 0;
	scope_set(&scope, rules, 3);
	assert_int_equal(scope_excluded(&scope, "", &conn), 1);
	assert_int_equal(scope_excluded(&scope, "", &conn), 1);
	assert_int_equal(asked, 2);
	conn.cgroup = 8;
	assert_int_equal(scope_excluded(&scope, "", &conn), 1 | 4);
	conn.cgroup = 0; /* not known */
	assert_int_equal(scope_excluded(&scope, "", &conn), 1 | 4);
	/* As many as there may be; then they are found out anew. */
	for (conn.cgroup = 1; conn.cgroup < SCOPE_CGROUPS_MAX + 10; conn.cgroup++)
		scope_excluded(&scope, "", &conn);
	assert_int_equal(scope.forgotten, SCOPE_CGROUPS_MAX);
	assert_in_range(scope_count_cgroups(&scope), 1, 20);
	conn.cgroup = 6;
	assert_int_equal(scope_excluded(&scope, "", &conn), 1);
	/* Other rules, and nothing of before is taken for theirs. */
	scope_set(&scope, rules + 2, 1);
	assert_int_equal(scope_excluded(&scope, "", &conn), 0);
	scope_set(&scope, NULL, 0);
	assert_null(scope.cgroups);
	assert_int_equal(scope_excluded(&scope, "", &conn), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(namespaces_are_patterns),
		cmocka_unit_test(the_device_is_that_of_the_address_or_of_the_binding),
		cmocka_unit_test(a_cgroup_is_asked_for_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
