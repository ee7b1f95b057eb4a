/* SPDX-License-Identifier: MIT */
/* What is made of what the kernel says of a namespace. */
#include "stage.h"

#include <arpa/inet.h>
#include <errno.h>

static struct inquiry *const inquiry = &stage.daemon.inquiry;

static void what_is_listed_is_taken_up(void **state)
{
	(void)state;
	stage_list(STAGE_TOKEN, 1000);
	inquiry_search(inquiry, &stage.netns);
	assert_non_null(stage_conn());
	assert_true(stage_conn()->is_established);
	assert_int_equal(stage_conn()->n_subflows, 1);
	assert_int_equal(stage_conn()->uid, 1000);
	assert_int_equal(stage.daemon.plan.counters.adopted, 1);
}

static void what_an_earlier_daemon_did_counts(void **state)
{
	(void)state;
	stage_list(STAGE_TOKEN, 0);
	stage.has_earlier_receipt = true;
	stage.earlier.adds = 3;
	inquiry_search(inquiry, &stage.netns);
	assert_int_equal(stage_conn()->adds, 0);
	plan_forget(&stage.daemon.plan, stage_conn());
	stage.daemon.hooks.has_earlier = true;
	inquiry_search(inquiry, &stage.netns);
	assert_int_equal(stage_conn()->adds, 3);
}

static void what_is_not_listed_is_forgotten(void **state)
{
	(void)state;
	stage_connect();
	stage.dump_error = -EOPNOTSUPP;
	inquiry_search(inquiry, &stage.netns);
	assert_non_null(stage_conn());
	stage.dump_error = 0;
	stage.enter_error = -ENOENT;
	inquiry_search(inquiry, &stage.netns);
	assert_non_null(stage_conn());
	stage.enter_error = 0;
	inquiry_search(inquiry, &stage.netns);
	assert_null(stage_conn());
}

/* Those that the hooks do not tell of. */
static void the_unwatched_are_asked_about(void **state)
{
	struct census *census = &stage.daemon.detector.census;

	(void)state;
	inquiry_search(inquiry, &stage.netns);
	assert_int_equal(stage.visits, 0); /* nobody is there */
	assert_int_equal(detector_init(&stage.daemon.detector), 0);
	stage_list(STAGE_TOKEN, 1000);
	inquiry_search(inquiry, &stage.netns);
	assert_int_equal(stage.visits, 1);
	assert_false(census_has(census, stage_conn()));
	assert_int_equal(census->armed_ns, 0);
	stage.client = (struct client_record){.token = STAGE_TOKEN + 1, .traits = CLIENT_UNWATCHED};
	inquiry_search(inquiry, &stage.netns);
	assert_int_equal(census->armed_ns, 0);
	stage.client.token = STAGE_TOKEN;
	inquiry_search(inquiry, &stage.netns);
	assert_true(census_has(census, stage_conn()));
	assert_true(census->armed_ns > 0);
	plan_forget(&stage.daemon.plan, stage_conn());
	census_renew(census);
	assert_int_equal(census->armed_ns, 0);
}

/* What the daemon before this one had been told when they came up. */
static void what_is_to_be_heeded_of_clients_is_found(void **state)
{
	(void)state;
	stage_list(STAGE_TOKEN, 1000);
	stage.client = (struct client_record){.token = STAGE_TOKEN + 1, .traits = CLIENT_BOUND};
	inquiry_search(inquiry, &stage.netns);
	assert_int_equal(conn_table_count(&stage.daemon.plan.table), 1);
	assert_false(stage_conn()->is_bound);
	stage.client = (struct client_record){
		.token = STAGE_TOKEN, .traits = CLIENT_BOUND | CLIENT_DENIED | CLIENT_FOREIGN};
	inquiry_search(inquiry, &stage.netns);
	assert_true(stage_conn()->is_bound);
	assert_true(stage_conn()->denies_join);
	assert_false(stage_conn()->is_foreign); /* the kernel is asked */
}

/* Of a connection that is not known yet, too: CREATED may be under way. */
static void what_a_lost_record_would_have_told_is_found(void **state)
{
	(void)state;
	stage.client =
		(struct client_record){.token = STAGE_TOKEN, .traits = CLIENT_BOUND, .device = 3};
	stage.netns.state = SERVED_VANISHED;
	inquiry_look_at_clients(inquiry);
	assert_null(stage_conn());
	stage.netns.state = SERVED_YES;
	inquiry_look_at_clients(inquiry);
	assert_true(stage_conn()->is_bound);
	assert_int_equal(stage_conn()->device, 3);
	assert_false(stage_conn()->is_created);
	stage_connect();
	stage.client.traits = CLIENT_FOREIGN;
	inquiry_look_at_clients(inquiry);
	assert_true(stage_conn()->is_bound && stage_conn()->is_foreign);
}

static void an_owner_is_found(void **state)
{
	struct conn_key key = {.netns = STAGE_COOKIE, .token = STAGE_TOKEN};

	(void)state;
	stage_connect();
	stage_list(STAGE_TOKEN, 1000);
	stage.find_error = -ENOENT;
	inquiry_find_owner(inquiry, &key);
	assert_false(stage_conn()->has_uid);
	stage.find_error = 0;
	stage.netns.state = SERVED_VANISHED;
	inquiry_find_owner(inquiry, &key);
	assert_false(stage_conn()->has_uid);
	stage.netns.state = SERVED_YES;
	inquiry_find_owner(inquiry, &key);
	assert_true(stage_conn()->has_uid);
	assert_int_equal(stage_conn()->uid, 1000);
}

static void all_owners_are_found(void **state)
{
	(void)state;
	stage_connect();
	stage_list(STAGE_TOKEN, 1000);
	inquiry_find_owners(inquiry);
	assert_true(stage_conn()->has_uid);
	assert_int_equal(stage_conn()->uid, 1000);
}

/* Any other says by itself where it is, unless the application has bound it to one. */
static void devices_are_looked_up_for_link_local_addresses(void **state)
{
	struct conn_key key = {.netns = STAGE_COOKIE, .token = STAGE_TOKEN};
	struct endpoint local = {.family = AF_INET6, .port = 4000};

	(void)state;
	inet_pton(AF_INET6, "fe80::1", &local.v6);
	stage_list(STAGE_TOKEN, 0);
	stage.subflows[0].local = local;
	stage.subflows[0].device = 3;
	local.port = 0;
	assert_int_equal(inquiry_find_device(inquiry, &key, &local), 3);
	key.token++;
	assert_int_equal(inquiry_find_device(inquiry, &key, &local), 0);
	stage.enters = 0;
	local = stage_local();
	assert_int_equal(inquiry_find_device(inquiry, &key, &local), 0);
	assert_int_equal(stage.enters, 0);
}

/* From the address that it is bound with; and nobody is asked. */
static void one_that_the_application_has_bound_is_known(void **state)
{
	struct endpoint local = stage_local();
	struct conn_key key;

	(void)state;
	stage_connect();
	key = stage_conn()->key;
	stage.enters = 0;
	assert_int_equal(inquiry_find_device(inquiry, &key, &local), 0);
	plan_hear(
		&stage.daemon.plan, &(struct event){.kind = EVENT_BOUND, .key = key, .device = 3});
	assert_int_equal(inquiry_find_device(inquiry, &key, &local), 3);
	local.v4.s_addr++;
	assert_int_equal(inquiry_find_device(inquiry, &key, &local), 0);
	assert_int_equal(stage.enters, 0);
}

static void silence_is_of_a_served_namespace(void **state)
{
	struct endpoint local = stage_local(), remote = stage_remote();
	bool is_silent = true;

	(void)state;
	assert_int_equal(
		inquiry_is_silent(inquiry, STAGE_COOKIE, &local, &remote, 20, &is_silent), 0);
	assert_false(is_silent);
	is_silent = true;
	assert_int_equal(
		inquiry_is_silent(inquiry, STAGE_COOKIE + 1, &local, &remote, 20, &is_silent),
		-ENONET);
	stage.silence_error = -ENOENT;
	assert_int_equal(
		inquiry_is_silent(inquiry, STAGE_COOKIE, &local, &remote, 20, &is_silent), -ENOENT);
	assert_true(is_silent);
}

static void addresses_are_of_a_served_namespace(void **state)
{
	struct addresses addresses = {};

	(void)state;
	assert_int_equal(inquiry_read_addresses(inquiry, STAGE_COOKIE + 1, &addresses), -ENONET);
	assert_int_equal(addresses.n_usable, 0);
	assert_int_equal(inquiry_read_addresses(inquiry, STAGE_COOKIE, &addresses), 0);
	assert_int_equal(addresses.n_usable, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_begin, stage_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_listed_is_taken_up),
		TEST(what_an_earlier_daemon_did_counts),
		TEST(what_is_not_listed_is_forgotten),
		TEST(the_unwatched_are_asked_about),
		TEST(what_is_to_be_heeded_of_clients_is_found),
		TEST(what_a_lost_record_would_have_told_is_found),
		TEST(an_owner_is_found),
		TEST(all_owners_are_found),
		TEST(devices_are_looked_up_for_link_local_addresses),
		TEST(one_that_the_application_has_bound_is_known),
		TEST(silence_is_of_a_served_namespace),
		TEST(addresses_are_of_a_served_namespace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
