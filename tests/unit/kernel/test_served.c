/* SPDX-License-Identifier: MIT */
/*
 * A namespace that was left alone: when it is looked at again, and served after all. And how often
 * those without a name are looked for: whoever may make namespaces can have the daemon look.
 */
#include "kernel/served_list.h"

#include "../unit.h"
#include "kernel/inhabitants.h"
#include "kernel/takeover.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define SECOND_NS 1000000000ull
#define MS        1000000ull
#define SOON_MS   1000
#define INODE     4711 /* of a namespace without a name */

int __wrap_takeover_begin(struct served *served, struct served_netns *netns);
void __wrap_takeover_undo(struct served *served, struct served_netns *netns);
bool __wrap_takeover_is_free(struct served *served, struct served_netns *netns);
int __wrap_netns_enter(const char *path, uint64_t cookie);
void __wrap_netns_leave(void);
bool __wrap_netns_has_id(int nsid);
int __wrap_inhabitants_read(ino_t home, struct inhabitants *ret_inhabitants);
uint64_t __wrap_loop_now_ns(void);
uint64_t __wrap_loop_cpu_ns(void);

static struct loop loop;
static struct served served;
static struct served_netns alone;
static const char *in_the_way; /* NULL = nothing is */
static bool is_free;
static const char *inhabited; /* NULL = nobody is anywhere: the way into the one with that number */
static const char *way;       /* NULL = all are: the only one that leads anywhere */
static bool has_id;
static unsigned int begins, undone, looks, told_served, told_left, told_ended, walks;
static uint64_t now_ns, cpu_ns;

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
	(void)cookie;
	return !way || !strcmp(path, way) ? 0 : -ENOENT;
}

void __wrap_netns_leave(void)
{
}

bool __wrap_netns_has_id(int nsid)
{
	(void)nsid;
	return has_id;
}

/* Over all processes: that takes 5 ms here. */
int __wrap_inhabitants_read(ino_t home, struct inhabitants *ret_inhabitants)
{
	(void)home;
	walks++;
	now_ns += 5 * MS;
	cpu_ns += 5 * MS;
	*ret_inhabitants = (struct inhabitants){};
	if (inhabited) {
		ret_inhabitants->list = calloc(1, sizeof(*ret_inhabitants->list));
		ret_inhabitants->n = 1;
		ret_inhabitants->list->inode = INODE;
		strcpy(ret_inhabitants->list->path, inhabited);
	}
	return 0;
}

uint64_t __wrap_loop_now_ns(void)
{
	return now_ns;
}

uint64_t __wrap_loop_cpu_ns(void)
{
	return cpu_ns;
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

/* That takes time too. */
static void ended(void *owner, const struct served_netns *netns)
{
	(void)owner;
	(void)netns;
	now_ns += MS;
	cpu_ns += MS;
	told_ended++;
}

static int set_up(void **state)
{
	(void)state;
	served = (struct served){
		.wanted = "own", .begun = begun, .serving = serving, .left = left, .ended = ended};
	TAILQ_INIT(&served.list);
	alone = (struct served_netns){.name = "own",
		.cookie = 1,
		.nsid = MONITOR_HOME,
		.state = SERVED_ALONE,
		.is_taken = true,
		.why = "it is taken"};
	served_list_insert(&served, &alone);
	in_the_way = NULL;
	is_free = true;
	inhabited = way = NULL;
	has_id = false;
	begins = undone = looks = told_served = told_left = told_ended = 0;
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

/* As where there were too many descriptors: nothing is known of it. */
static void what_could_not_be_entered_is_tried_again(void **state)
{
	(void)state;
	alone.cookie = 0;
	alone.is_taken = false;
	served_rescan(&served);
	assert_int_equal(begins, 1);
	assert_int_equal(told_served, 1);
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

static int begin_all(void **state)
{
	set_up(state);
	now_ns = SECOND_NS;
	served.wanted = "all";
	served.claims_fd = -1;
	if (loop_init(&loop) || served_init(&served, &loop))
		return -1;
	walks = 0;
	return 0;
}

static int end_all(void **state)
{
	(void)state;
	served_done(&served);
	loop_done(&loop);
	return 0;
}

/* The timer is the kernel's: for it the test's time is long past, and its interrupt comes soon. */
static bool is_put_off(void)
{
	struct pollfd timer = {.fd = served.rest.fd, .events = POLLIN};

	return poll(&timer, 1, SOON_MS) == 1;
}

static void a_look_is_followed_by_a_rest_of_ten_times_its_cost(void **state)
{
	uint64_t looked_ns;

	(void)state;
	served_look(&served);
	looked_ns = now_ns;
	assert_int_equal(walks, 1);
	assert_false(is_put_off()); /* nothing waits: nothing wakes it up */
	for (int i = 0; i < 100; i++)
		served_look(&served);
	assert_int_equal(walks, 1);
	assert_true(is_put_off());
	now_ns = looked_ns + 49 * MS; /* as if another look had come in between */
	served.rest.ready(&served.rest, EPOLLIN);
	assert_int_equal(walks, 1);
	assert_true(is_put_off());
	now_ns = looked_ns + 50 * MS;
	served.rest.ready(&served.rest, EPOLLIN);
	assert_int_equal(walks, 2);
	assert_false(is_put_off());
	now_ns += 50 * MS;
	served_look(&served);
	assert_int_equal(walks, 3);
}

static void changes_of_mounts_wait_too(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++)
		served.mounts.ready(&served.mounts, EPOLLPRI);
	assert_int_equal(walks, 1);
	assert_true(is_put_off());
}

/* One that is left alone and has a name that is not there any more. */
static void add_nameless(void)
{
	struct served_netns *netns = calloc(1, sizeof(*netns));

	assert_non_null(netns);
	*netns = (struct served_netns){
		.name = "/gone", .path = "/gone", .cookie = 9, .nsid = 9, .state = SERVED_ALONE};
	served_list_insert(&served, netns);
	served.count++;
	served.mounts.ready(&served.mounts, EPOLLPRI);
}

/* They rest by themselves: to look at processes may take much longer. */
static void names_do_not_wait_for_processes(void **state)
{
	(void)state;
	served_look(&served);
	add_nameless();
	assert_int_equal(told_ended, 1);
	add_nameless();
	now_ns += 9 * MS;
	served.rest.ready(&served.rest, EPOLLIN);
	assert_int_equal(told_ended, 1);
	assert_true(is_put_off());
	now_ns += MS;
	served.rest.ready(&served.rest, EPOLLIN);
	assert_int_equal(told_ended, 2);
	assert_int_equal(walks, 1);
	assert_true(is_put_off());
	now_ns += 50 * MS;
	served.rest.ready(&served.rest, EPOLLIN);
	assert_int_equal(walks, 2);
}

/* Found by a first look, after which there is a rest. */
static struct served_netns *find_one(void)
{
	struct served_netns *netns = NULL;

	inhabited = "/proc/10/ns/net";
	served_look(&served);
	TAILQ_FOREACH (netns, &served.list, entry) {
		if (netns->inode == INODE)
			break;
	}
	assert_non_null(netns);
	assert_string_equal(netns->path, inhabited);
	served_list_hide(netns);
	netns->cookie = 2;
	netns->nsid = 7;
	served_list_show(&served, netns);
	assert_int_equal(walks, 1);
	return netns;
}

static void another_way_in_is_looked_for_after_the_rest(void **state)
{
	struct served_netns *netns = find_one();

	(void)state;
	way = inhabited = "/proc/20/ns/net";
	for (int i = 0; i < 100; i++)
		assert_int_equal(served_enter(netns), -EAGAIN);
	assert_int_equal(walks, 1);
	assert_true(is_put_off());
	now_ns += 50 * MS;
	assert_int_equal(served_enter(netns), 0);
	assert_int_equal(walks, 2);
	assert_string_equal(netns->path, way);
	/* Nobody is there any more. */
	way = "/proc/30/ns/net";
	inhabited = NULL;
	now_ns += 50 * MS;
	assert_int_equal(served_enter(netns), -ENOENT);
}

static void each_look_finds_the_ways_into_all(void **state)
{
	struct served_netns *netns = find_one();

	(void)state;
	way = inhabited = "/proc/20/ns/net";
	now_ns += 50 * MS;
	served_look(&served);
	assert_int_equal(served_enter(netns), 0);
	assert_int_equal(walks, 2);
}

/* Nobody has its id: no process is looked at. */
static void an_end_costs_no_look(void **state)
{
	(void)state;
	find_one();
	way = "/proc/20/ns/net";
	inhabited = NULL;
	served_end(&served, 7);
	assert_int_equal(told_ended, 1);
	assert_int_equal(walks, 1);
	assert_true(is_put_off()); /* another one may have its number */
	served_end(&served, 7);
	assert_int_equal(told_ended, 1);
}

static void an_end_of_one_that_had_its_id_before_is_none(void **state)
{
	struct served_netns *netns = find_one();

	(void)state;
	served_end(&served, 7);
	assert_int_equal(told_ended, 0);
	way = inhabited = "/proc/20/ns/net";
	has_id = true;
	served_end(&served, 7);
	assert_int_equal(told_ended, 0);
	now_ns += 50 * MS;
	served_end(&served, 7);
	assert_int_equal(told_ended, 0);
	assert_string_equal(netns->path, way);
}

static void its_id_is_a_later_ones(void **state)
{
	struct served_netns *later = calloc(1, sizeof(*later));

	(void)state;
	find_one();
	later->cookie = 3;
	later->nsid = 7;
	served_list_insert(&served, later);
	way = "/proc/20/ns/net";
	has_id = true;
	served_end(&served, 7);
	assert_int_equal(told_ended, 1);
	assert_int_equal(walks, 1);
	assert_ptr_equal(served_find_id(&served, 7), later);
}

static void one_that_finds_the_table_full_is_counted(void **state)
{
	uint32_t count = served.count;

	(void)state;
	served.count = SERVED_MAX;
	inhabited = "/proc/10/ns/net";
	served_look(&served);
	assert_int_equal(served.refused, 1);
	served.count = count;
}

static void an_operator_does_not_wait(void **state)
{
	(void)state;
	served_look(&served);
	served_rescan(&served);
	assert_int_equal(walks, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(it_is_served_when_it_was_free_twice, set_up),
		cmocka_unit_test_setup(what_another_daemon_serves_is_not_looked_at, set_up),
		cmocka_unit_test_setup(a_reload_tries_again_at_once, set_up),
		cmocka_unit_test_setup(what_could_not_be_entered_is_tried_again, set_up),
		cmocka_unit_test_setup(what_is_in_the_way_is_told, set_up),
		cmocka_unit_test_setup_teardown(
			a_look_is_followed_by_a_rest_of_ten_times_its_cost, begin_all, end_all),
		cmocka_unit_test_setup_teardown(an_operator_does_not_wait, begin_all, end_all),
		cmocka_unit_test_setup_teardown(changes_of_mounts_wait_too, begin_all, end_all),
		cmocka_unit_test_setup_teardown(
			names_do_not_wait_for_processes, begin_all, end_all),
		cmocka_unit_test_setup_teardown(
			another_way_in_is_looked_for_after_the_rest, begin_all, end_all),
		cmocka_unit_test_setup_teardown(
			each_look_finds_the_ways_into_all, begin_all, end_all),
		cmocka_unit_test_setup_teardown(an_end_costs_no_look, begin_all, end_all),
		cmocka_unit_test_setup_teardown(
			an_end_of_one_that_had_its_id_before_is_none, begin_all, end_all),
		cmocka_unit_test_setup_teardown(its_id_is_a_later_ones, begin_all, end_all),
		cmocka_unit_test_setup_teardown(
			one_that_finds_the_table_full_is_counted, begin_all, end_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
