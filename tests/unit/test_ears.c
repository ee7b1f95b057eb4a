/* SPDX-License-Identifier: MIT */
/* What the kernel tells reaches the judgement, if it is of a namespace that is served. */
#include "ears.h"

#include "stage.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>

static struct daemon *const whole = &stage.daemon;

static void hear(int nsid, enum event_kind kind)
{
	struct event event = {.kind = kind,
		.key = {.token = STAGE_TOKEN},
		.local = stage_local(),
		.remote = stage_remote()};

	whole->monitor.heard(whole, nsid, &event);
}

static void record(uint64_t netns, uint32_t token, enum event_kind kind)
{
	struct event event = {
		.kind = kind, .key = {.netns = netns, .token = token}, .adds = 1, .generation = 1};

	whole->hooks.heard(whole, &event);
}

static struct event request(uint32_t uid, uint32_t token)
{
	return (struct event){.kind = EVENT_INTENT,
		.key = {.netns = STAGE_COOKIE, .token = token},
		.uid = uid,
		.adds = 1,
		.generation = 1};
}

/* Whether the loop will come back to those who wait. */
static bool is_turn_due(void)
{
	struct pollfd turn = {.fd = whole->turn.fd, .events = POLLIN};

	return poll(&turn, 1, 0) == 1;
}

static void events_are_of_served_namespaces(void **state)
{
	(void)state;
	hear(5, EVENT_CREATED);
	assert_int_equal(conn_table_count(&whole->plan.table), 0);
	stage.netns.state = SERVED_ALONE;
	hear(MONITOR_HOME, EVENT_CREATED);
	assert_int_equal(conn_table_count(&whole->plan.table), 0);
	assert_int_equal(stage.looks_again, 1); /* what was in the way there may have gone */
	stage.netns.state = SERVED_YES;
	hear(MONITOR_HOME, EVENT_CREATED);
	assert_non_null(stage_conn());
	assert_int_equal(stage.looks_again, 1);
}

static void requests_are_carried_out(void **state)
{
	(void)state;
	stage_connect();
	record(STAGE_COOKIE + 1, STAGE_TOKEN, EVENT_INTENT);
	record(STAGE_COOKIE, 0, EVENT_INTENT); /* a socket without a connection */
	assert_int_equal(stage.creates, 0);
	assert_int_equal(conn_table_count(&whole->plan.table), 1);
	record(STAGE_COOKIE, STAGE_TOKEN, EVENT_INTENT);
	assert_int_equal(stage.creates, 0); /* others may follow */
	whole->hooks.read(whole);
	assert_int_equal(stage.creates, 1);
	assert_false(is_turn_due());
}

static bool may_skip(int nsid)
{
	return whole->monitor.may_skip(whole, nsid, STAGE_TOKEN);
}

static void a_mouse_is_skipped_if_nobody_can_tell(void **state)
{
	struct event event = request(1, STAGE_TOKEN);

	(void)state;
	assert_true(may_skip(MONITOR_HOME));
	assert_false(may_skip(5)); /* it is not served */
	stage.netns.state = SERVED_ALONE;
	assert_false(may_skip(MONITOR_HOME)); /* each event is a reason to look there again */
	stage.netns.state = SERVED_YES;

	stage.record.kind = EVENT_INTENT;
	assert_false(may_skip(MONITOR_HOME));
	stage.record.kind = EVENT_NONE;
	whole->server.watchers = whole->server.user_watchers = 1;
	assert_false(may_skip(MONITOR_HOME));
	whole->server.watchers = whole->server.user_watchers = 0;
	whole->plan.policy.ndiffports = 2;
	assert_false(may_skip(MONITOR_HOME));
	whole->plan.policy.ndiffports = 1;

	assert_int_equal(requests_add(&whole->requests, &event), 0);
	assert_false(may_skip(MONITOR_HOME));
	assert_true(requests_take(&whole->requests, &event.key, &event));
	assert_true(may_skip(MONITOR_HOME));
	hear(MONITOR_HOME, EVENT_CREATED);
	assert_false(may_skip(MONITOR_HOME));
}

static void many_requests_of_one_user_are_carried_out_after_one_of_another(void **state)
{
	struct event event;

	(void)state;
	stage_connect();
	for (uint32_t token = 100; token < 140; token++) {
		event = request(1, token);
		whole->hooks.heard(whole, &event);
	}
	event = request(2, STAGE_TOKEN);
	whole->hooks.heard(whole, &event);
	whole->hooks.read(whole);
	assert_int_equal(stage.creates, 0);
	whole->hooks.read(whole);
	assert_int_equal(stage.creates, 1);
	/* One at a time: what else is to be heard is heard between. */
	for (int left = 39; left > 0; left--) {
		assert_int_equal(whole->requests.count, left);
		assert_true(is_turn_due());
		whole->turn.ready(&whole->turn, EPOLLIN);
	}
	assert_int_equal(whole->requests.count, 0);
	assert_false(is_turn_due());
}

static void what_the_ring_had_no_room_for_is_asked_for(void **state)
{
	(void)state;
	stage_connect();
	stage.client = (struct client_record){.token = STAGE_TOKEN, .traits = CLIENT_FOREIGN};
	whole->hooks.missed(whole);
	assert_int_equal(stage.visits, 1);
	assert_true(stage_conn()->is_foreign);
}

static void what_is_no_request_does_not_wait(void **state)
{
	(void)state;
	stage_connect();
	record(STAGE_COOKIE, STAGE_TOKEN, EVENT_FOREIGN);
	assert_true(stage_conn()->is_foreign);
}

/* Whosever turn it is. */
static void what_was_asked_for_early_is_heard_when_the_connection_is_up(void **state)
{
	struct event other = request(1, 100);

	(void)state;
	hear(MONITOR_HOME, EVENT_CREATED);
	whole->hooks.heard(whole, &other);
	stage.record = request(2, STAGE_TOKEN);
	hear(MONITOR_HOME, EVENT_ESTABLISHED);
	assert_int_equal(stage.creates, 1);
	assert_int_equal(whole->requests.count, 1);
	assert_true(is_turn_due());
}

static void nobody_waits_for_what_is_gone(void **state)
{
	(void)state;
	stage_connect();
	record(STAGE_COOKIE, STAGE_TOKEN, EVENT_INTENT);
	hear(MONITOR_HOME, EVENT_CLOSED);
	assert_int_equal(whole->requests.count, 0);
	stage_connect();
	record(STAGE_COOKIE, STAGE_TOKEN, EVENT_INTENT);
	stage.netns.cookie++;
	whole->hooks.read(whole);
	assert_int_equal(whole->requests.count, 0);
	assert_int_equal(stage.creates, 0);
}

static void strangers_are_looked_for(void **state)
{
	(void)state;
	record(STAGE_COOKIE + 1, 0, EVENT_STRANGER);
	assert_int_equal(stage.looks, 1);
	whole->monitor.begun(whole, MONITOR_HOME); /* it is known already */
	assert_int_equal(stage.looks, 1);
	whole->monitor.begun(whole, 5);
	assert_int_equal(stage.looks, 2);
}

static void what_was_lost_is_listed_anew(void **state)
{
	(void)state;
	stage_list(STAGE_TOKEN, 0);
	stage.netns.state = SERVED_VANISHED;
	whole->monitor.lost(whole);
	assert_null(stage_conn());
	stage.netns.state = SERVED_YES;
	whole->monitor.lost(whole);
	assert_non_null(stage_conn());
	assert_int_equal(stage.claims, 1);
}

static void a_namespace_is_taken_up_and_dropped(void **state)
{
	(void)state;
	stage_list(STAGE_TOKEN, 0);
	assert_int_equal(whole->served.begun(whole, &stage.netns), 0);
	assert_int_equal(stage.serves, 1);
	whole->served.serving(whole, &stage.netns);
	assert_non_null(stage_conn());
	whole->served.ended(whole, &stage.netns);
	assert_int_equal(stage.unserves, 1);
	assert_null(stage_conn());
}

/* At the start it is done once for all; later for each namespace that comes. */
static void earlier_requests_are_walked_for_when_all_is_heard(void **state)
{
	(void)state;
	whole->hooks.has_earlier = true;
	whole->served.serving(whole, &stage.netns);
	assert_int_equal(stage.walks, 0);
	whole->has_begun = true;
	whole->served.serving(whole, &stage.netns);
	assert_int_equal(stage.walks, 1);
	whole->hooks.has_earlier = false;
	ears_resume(whole);
	assert_int_equal(stage.walks, 1);
}

/* They are for the time when it is served again, or can be listed. */
static void receipts_of_a_namespace_that_is_not_served_are_kept(void **state)
{
	(void)state;
	stage.kept = (struct conn_key){.netns = STAGE_COOKIE, .token = STAGE_TOKEN + 1};
	stage.netns.state = SERVED_ALONE;
	whole->hooks.has_earlier = true;
	ears_resume(whole);
	stage.netns.state = SERVED_YES;
	ears_resume(whole);
	assert_int_equal(stage.forgotten, 0);
	assert_true(whole->hooks.has_earlier);
	stage.netns.is_listed = true;
	ears_resume(whole);
	assert_int_equal(stage.forgotten, 1);
	assert_false(whole->hooks.has_earlier);
	assert_int_equal(stage.walks, 3);
	ears_resume(whole);
	assert_int_equal(stage.walks, 3);
}

/* It has ended, as a rule: nobody else would ever say so. */
static void receipts_of_a_namespace_that_was_not_there_go_with_the_daemon(void **state)
{
	(void)state;
	stage.kept = (struct conn_key){.netns = STAGE_COOKIE, .token = STAGE_TOKEN};
	stage.netns.state = SERVED_ALONE;
	whole->served.wanted = "all";
	ears_leave(whole);
	assert_int_equal(stage.forgotten, 0);
	stage.kept.netns++;
	/* One that was not asked for, or found no room, may live. */
	whole->served.wanted = "web";
	ears_leave(whole);
	whole->served.wanted = "all";
	whole->served.refused = 1;
	ears_leave(whole);
	assert_int_equal(stage.forgotten, 0);
	whole->served.refused = 0;
	ears_leave(whole);
	assert_int_equal(stage.forgotten, 1);
}

/* Devices come and go by the hundred where containers do. */
static void without_connections_no_addresses_are_read(void **state)
{
	struct addresses addresses = {.gone = {stage_local()}, .n_gone = 1};

	(void)state;
	whole->addresses.changed(whole, MONITOR_HOME, &addresses);
	assert_int_equal(stage.enters, 0);
	stage_connect();
	whole->addresses.changed(whole, MONITOR_HOME, &addresses);
	assert_int_equal(stage.enters, 1);
	assert_int_equal(addresses.n_usable, 1);
}

/* What went unheard is found by what is local still: here 127.0.0.0/8 and the first address. */
static void what_has_gone_unheard_is_sought(void **state)
{
	struct local prefixes[] = {
		{.key = {.bits = 64 + 96 + 8, .addr = {0, 0, htonl(0xffff)}}, .is_local = 1},
		{.key = {.bits = 64 + 128, .addr = {0, 0, htonl(0xffff), stage_local().v4.s_addr}},
			.is_local = 1}};
	struct locals_netns *local = calloc(1, sizeof(*local));
	struct subflow *subflow;

	(void)state;
	prefixes[0].key.addr[3] = htonl(0x7f000000);
	*local = (struct locals_netns){.cookie = STAGE_COOKIE, .prefixes = prefixes, .count = 2};
	HASH_ADD(hh, whole->locals.all, cookie, sizeof(local->cookie), local);
	whole->addresses.lost(whole);
	assert_int_equal(stage.enters, 0);
	stage_connect();
	subflow = conn_add_subflow(stage_conn());
	subflow->state = SUBFLOW_ESTABLISHED;
	subflow->remote = stage_remote();
	subflow->local = stage_local();
	subflow->local.v4.s_addr = htonl(0x7f000002);
	whole->addresses.lost(whole);
	assert_int_equal(stage.destroys, 0);
	subflow->local.v4.s_addr = htonl(0x0a000009);
	whole->addresses.lost(whole);
	assert_int_equal(stage.destroys, 1);
	HASH_DEL(whole->locals.all, local);
	free(local);
}

/* The scout asks for it in the midst of a survey: what follows is done after that. */
static void what_an_owner_brings_is_done(void **state)
{
	struct rule *rule = calloc(1, sizeof(*rule));
	struct pollfd timer = {.events = POLLIN};
	uint32_t uid;

	(void)state;
	assert_int_equal(hands_init(&whole->hands, &whole->loop), 0);
	stage_connect();
	*rule = (struct rule){.name = "bulk", .elephant = whole->plan.rule};
	rule->elephant.max_subflows = 3;
	rules_set(&whole->plan, rule, 1);
	stage_conn()->forecast.purpose = PURPOSE_BULK;
	assert_true(whole->scout.find_user(whole, &stage_conn()->key, &uid));
	assert_int_equal(stage.creates, 0);
	timer.fd = whole->hands.timer.fd;
	assert_int_equal(poll(&timer, 1, -1), 1);
	whole->hands.timer.ready(&whole->hands.timer, EPOLLIN);
	assert_int_equal(stage.creates, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_begin, stage_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(events_are_of_served_namespaces),
		TEST(requests_are_carried_out),
		TEST(a_mouse_is_skipped_if_nobody_can_tell),
		TEST(many_requests_of_one_user_are_carried_out_after_one_of_another),
		TEST(what_the_ring_had_no_room_for_is_asked_for),
		TEST(what_is_no_request_does_not_wait),
		TEST(what_was_asked_for_early_is_heard_when_the_connection_is_up),
		TEST(nobody_waits_for_what_is_gone),
		TEST(strangers_are_looked_for),
		TEST(what_was_lost_is_listed_anew),
		TEST(a_namespace_is_taken_up_and_dropped),
		TEST(earlier_requests_are_walked_for_when_all_is_heard),
		TEST(receipts_of_a_namespace_that_is_not_served_are_kept),
		TEST(receipts_of_a_namespace_that_was_not_there_go_with_the_daemon),
		TEST(without_connections_no_addresses_are_read),
		TEST(what_has_gone_unheard_is_sought),
		TEST(what_an_owner_brings_is_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
