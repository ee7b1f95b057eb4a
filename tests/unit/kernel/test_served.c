/* SPDX-License-Identifier: MIT */
/* A namespace that was left alone: when it is looked at again, and served after all. */
#include "kernel/served.h"

#include "../unit.h"
#include "kernel/takeover.h"

#include <errno.h>
#include <string.h>

#define SECOND_NS 1000000000ull

int __wrap_takeover_begin(struct served *served, struct served_netns *netns);
void __wrap_takeover_undo(struct served *served, struct served_netns *netns);
bool __wrap_takeover_is_free(struct served *served, struct served_netns *netns);
int __wrap_netns_enter(const char *path, uint64_t cookie);
void __wrap_netns_leave(void);

static struct served served;
static struct served_netns alone;
static const char *in_the_way; /* NULL = nothing is */
static bool is_free;
static unsigned int begins, undone, looks, told_served, told_left;

int __wrap_takeover_begin(struct served *of, struct served_netns *netns)
{
	(void)of;
	begins++;
	if (in_the_way)
		served_say(netns, "%s", in_the_way);
	return in_the_way ? -EBUSY : 0;
}

void __wrap_takeover_undo(struct served *of, struct served_netns *netns)
{
	(void)of;
	(void)netns;
	undone++;
}

bool __wrap_takeover_is_free(struct served *of, struct served_netns *netns)
{
	(void)of;
	(void)netns;
	looks++;
	return is_free;
}

int __wrap_netns_enter(const char *path, uint64_t cookie)
{
	(void)path;
	(void)cookie;
	return 0;
}

void __wrap_netns_leave(void)
{
}

static int begun(void *owner, struct served_netns *netns)
{
	(void)owner;
	(void)netns;
	return 0;
}

static void serving(void *owner, struct served_netns *netns)
{
	(void)owner;
	assert_int_equal(netns->state, SERVED_YES);
	told_served++;
}

static void left(void *owner, const struct served_netns *netns)
{
	(void)owner;
	(void)netns;
	told_left++;
}

static int set_up(void **state)
{
	(void)state;
	served = (struct served){.wanted = "own", .begun = begun, .serving = serving, .left = left};
	TAILQ_INIT(&served.list);
	alone = (struct served_netns){.name = "own",
		.cookie = 1,
		.nsid = MONITOR_HOME,
		.state = SERVED_ALONE,
		.is_taken = true,
		.why = "it is taken"};
	TAILQ_INSERT_TAIL(&served.list, &alone, entry);
	in_the_way = NULL;
	is_free = true;
	begins = undone = looks = told_served = told_left = 0;
	return 0;
}

static void look(uint64_t second)
{
	served_look_again(&served, &alone, second * SECOND_NS);
}

/* Who is only being restarted is not robbed. */
static void it_is_served_when_it_was_free_twice(void **state)
{
	(void)state;
	look(100);
	look(101); /* that is too soon */
	assert_int_equal(looks, 1);
	is_free = false;
	look(106);
	is_free = true;
	look(112);
	assert_int_equal(begins, 0);
	look(118);
	assert_int_equal(begins, 1);
	assert_int_equal(told_served, 1);
	assert_int_equal(alone.state, SERVED_YES);
	assert_string_equal(alone.why, "");
}

static void what_another_daemon_serves_is_not_looked_at(void **state)
{
	(void)state;
	alone.is_taken = false;
	look(100);
	look(106);
	assert_int_equal(looks + begins, 0);
}

static void a_reload_tries_again_at_once(void **state)
{
	(void)state;
	served.wanted = "other";
	served_rescan(&served);
	assert_int_equal(begins, 0);
	served.wanted = "own";
	served_rescan(&served);
	assert_int_equal(begins, 1);
	assert_int_equal(told_served, 1);
	served_rescan(&served);
	assert_int_equal(begins, 1);
}

/* It is told again only if it is something else. */
static void what_is_in_the_way_is_told(void **state)
{
	(void)state;
	in_the_way = "it is taken";
	served_rescan(&served);
	assert_int_equal(undone, 1);
	assert_int_equal(told_left, 0);
	in_the_way = "somebody else has it";
	served_rescan(&served);
	assert_int_equal(undone, 2);
	assert_int_equal(told_left, 1);
	assert_string_equal(alone.why, in_the_way);
	assert_int_equal(alone.state, SERVED_ALONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(it_is_served_when_it_was_free_twice, set_up),
		cmocka_unit_test_setup(what_another_daemon_serves_is_not_looked_at, set_up),
		cmocka_unit_test_setup(a_reload_tries_again_at_once, set_up),
		cmocka_unit_test_setup(what_is_in_the_way_is_told, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
