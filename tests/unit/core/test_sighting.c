/* SPDX-License-Identifier: MIT */
/* Elephants on the wire: whose they are, and what becomes of them. */
#include "core/sighting.h"

#include "core/token.h"
#include "play.h"

#include <stdlib.h>
#include <string.h>

#define SECOND 1000000000ull

static const uint8_t client_key[8] = {1, 2, 3, 4, 5, 6, 7, 8};
static const uint8_t server_key[8] = {8, 7, 6, 5, 4, 3, 2, 1};

struct scene {
	struct play *play;
	struct wire wire;
	struct flows flows;
	uint32_t sequence;
	uint64_t counted; /* by the kernel; 0: what is on the wire */
	uint64_t before;  /* it counted so much before the wire was seen */
	int looks;        /* how often it was asked */
};

static struct scene scene;

static int begin(void **state)
{
	void *play;
	int err = play_begin(&play);

	memset(&scene, 0, sizeof(scene));
	scene.play = play;
	scene.play->key.token = token_of_key(client_key);
	*state = &scene;
	return err ? err : wire_init(&scene.wire, 16, 42, 100 * MB);
}

static int end(void **state)
{
	void *play = scene.play;

	(void)state;
	wire_done(&scene.wire);
	flows_done(&scene.flows);
	return play_end(&play);
}

static struct packet packet_of(uint16_t port)
{
	struct packet packet = {.source = play_local(port),
		.destination = play_remote(),
		.sequence = scene.sequence,
		.is_ack = true,
		.is_multipath = true};

	return packet;
}

static void shake_hands(void)
{
	struct packet packet = packet_of(LOCAL_PORT);

	packet.has_keys = true;
	memcpy(packet.sender_key, client_key, 8);
	memcpy(packet.receiver_key, server_key, 8);
	wire_hear(&scene.wire, &packet, SECOND);
}

/* The kernel is asked, and what it says is heard, as by kernel/census. */
static void look(const struct sighting *sighting, bool downloads)
{
	struct plan *plan = &scene.play->plan;
	struct progress *progress = &sighting->conn->progress, told;
	const struct wire_flow *flow = sighting->flow;
	struct event event = {
		.kind = EVENT_THRESHOLD, .key = sighting->conn->key, .now_ns = SECOND};
	uint64_t bytes = flow->bytes[sighting->end];

	if (downloads && flow->bytes[!sighting->end] > bytes)
		bytes = flow->bytes[!sighting->end];
	progress_note(progress, scene.counted ? scene.counted : scene.before + bytes, SECOND);
	event.bytes = progress->bytes;
	told = *progress;
	while ((event.threshold = progress_pass(&told, rules_of(plan, sighting->conn))))
		plan_hear(plan, &event);
	sighting_looked(plan, sighting, downloads);
	scene.looks++;
}

/* How often it was news that an elephant is none of ours. */
static int transfer(uint32_t mb, bool is_back, bool is_multipath, bool downloads)
{
	struct sighting sighting;
	struct wire_flow *flow;
	int news = 0;

	for (uint32_t i = 0; i < mb; i++) {
		struct packet packet = packet_of(LOCAL_PORT);
		struct endpoint source = packet.source;

		packet.bytes = MB;
		packet.is_multipath = is_multipath;
		if (is_back) {
			packet.source = packet.destination;
			packet.destination = source;
		}
		scene.sequence += MB;
		flow = wire_hear(&scene.wire, &packet, SECOND);
		if (flow) {
			sighting = sighting_hear(&scene.play->plan, &scene.wire, flow);
			news += sighting.kind == SIGHTING_STRANGER;
			if (sighting.kind == SIGHTING_OURS)
				look(&sighting, downloads);
		}
		play_act(scene.play);
	}
	return news;
}

static uint64_t thresholds(void)
{
	return scene.play->plan.counters.thresholds;
}

static void a_connection_is_known_by_its_keys(void **state)
{
	(void)state;
	shake_hands();
	play_connect(scene.play);
	assert_int_equal(transfer(400, false, true, true), 0);
	assert_int_equal(thresholds(), 4);
	assert_int_equal(scene.play->creates, 3);
	sighting_tick(&scene.play->plan, &scene.wire, &scene.flows, SECOND);
	assert_null(scene.flows.list);
}

static void or_else_by_its_addresses(void **state)
{
	(void)state;
	play_connect(scene.play);
	assert_int_equal(transfer(160, false, true, true), 0);
	assert_int_equal(thresholds(), 2);
	assert_int_equal(scene.play->creates, 2);
}

/* As after a restart of the daemon. */
static void what_the_wire_has_not_shown_counts(void **state)
{
	(void)state;
	play_connect(scene.play);
	scene.before = 95 * MB;
	assert_int_equal(transfer(4, false, true, true), 0);
	assert_int_equal(thresholds(), 0);
	assert_int_equal(transfer(2, false, true, true), 0);
	assert_int_equal(thresholds(), 1);
	assert_int_equal(transfer(48, false, true, true), 0);
	assert_int_equal(thresholds(), 1);
	assert_int_equal(transfer(2, false, true, true), 0);
	assert_int_equal(thresholds(), 2);
	assert_in_range(scene.looks, 2, 5);
}

/* One way is close to a threshold: what goes the other way is no reason to ask time and again. */
static void each_direction_has_to_come_as_far(void **state)
{
	(void)state;
	shake_hands();
	play_connect(scene.play);
	assert_int_equal(transfer(149, true, true, true), 0);
	assert_int_equal(transfer(140, false, true, true), 0);
	assert_int_equal(thresholds(), 1);
	assert_int_equal(scene.looks, 1);
	assert_int_equal(transfer(10, false, true, true), 0);
	assert_int_equal(thresholds(), 2);
}

static void downloads_count_if_they_are_to(void **state)
{
	(void)state;
	shake_hands();
	play_connect(scene.play);
	assert_int_equal(transfer(160, true, true, false), 0);
	assert_int_equal(thresholds(), 0);
	assert_int_equal(transfer(120, true, true, true), 0);
	assert_int_equal(transfer(110, false, true, false), 0);
	assert_int_equal(thresholds(), 1);
}

static void downloads_count(void **state)
{
	(void)state;
	shake_hands();
	play_connect(scene.play);
	assert_int_equal(transfer(160, true, true, true), 0);
	assert_int_equal(thresholds(), 2);
}

static void a_connection_that_comes_late_is_found_all_the_same(void **state)
{
	(void)state;
	shake_hands();
	assert_int_equal(transfer(105, false, true, true), 1);
	play_connect(scene.play);
	assert_int_equal(transfer(10, false, true, true), 0);
	assert_int_equal(thresholds(), 1);
	sighting_tick(&scene.play->plan, &scene.wire, &scene.flows, SECOND);
	assert_null(scene.flows.list);
}

/* Anybody may put packets of a connection on the wire: only what the kernel has counted is so. */
static void forged_packets_make_no_elephant(void **state)
{
	(void)state;
	shake_hands();
	play_connect(scene.play);
	scene.counted = 10 * MB;
	assert_int_equal(transfer(1000, false, true, true), 0);
	assert_int_equal(thresholds(), 0);
	assert_int_equal(scene.play->creates, 0);
	/* For so much that is false the kernel is asked as often as for so much that is true. */
	assert_in_range(scene.looks, 1, 11);
	/* What it really sends is not lost sight of. */
	scene.counted = 110 * MB;
	assert_int_equal(transfer(100, false, true, true), 0);
	assert_int_equal(thresholds(), 1);
}

static void the_kernel_is_not_asked_of_strangers(void **state)
{
	(void)state;
	shake_hands();
	assert_int_equal(transfer(400, false, true, true), 1);
	assert_int_equal(scene.looks, 0);
}

static void what_is_not_ours_is_shown_while_it_lasts(void **state)
{
	(void)state;
	assert_int_equal(transfer(99, false, false, true), 0);
	sighting_tick(&scene.play->plan, &scene.wire, &scene.flows, SECOND);
	assert_null(scene.flows.list);
	assert_int_equal(transfer(200, false, false, true), 1);
	sighting_tick(&scene.play->plan, &scene.wire, &scene.flows, SECOND);
	assert_int_equal(HASH_COUNT(scene.flows.list), 1);
	assert_int_equal(scene.flows.list->key.netns, 0);
	assert_int_equal(scene.flows.list->bytes_sent + scene.flows.list->bytes_received, 299 * MB);
	sighting_tick(&scene.play->plan, &scene.wire, &scene.flows, 1000 * SECOND);
	assert_null(scene.flows.list);
	assert_int_equal(thresholds(), 0);
}

static void rules_that_change_count_for_what_is_there(void **state)
{
	(void)state;
	shake_hands();
	play_connect(scene.play);
	scene.play->plan.rule.start_bytes = 50 * MB;
	assert_int_equal(transfer(60, false, true, true), 0);
	assert_int_equal(thresholds(), 0);
	sighting_renew(&scene.play->plan, &scene.wire);
	assert_int_equal(scene.wire.first_alarm_bytes, 50 * MB);
	assert_int_equal(transfer(1, false, true, true), 0);
	assert_int_equal(thresholds(), 1);
}

/* Nothing waits for a threshold of [elephant]; a rule without one has no beginning. */
static void a_rule_that_begins_earlier_is_heeded(void **state)
{
	struct rule *list = calloc(2, sizeof(*list));

	(void)state;
	list[0] = (struct rule){.name = "quiet", .port = 1, .is_never = true};
	list[1] = (struct rule){.name = "early",
		.elephant = {.start_bytes = 20 * MB,
			.step_bytes = 100 * MB,
			.stop_bytes = 1000 * MB,
			.max_subflows = 2}};
	rules_set(&scene.play->plan, list, 2);
	sighting_renew(&scene.play->plan, &scene.wire);
	assert_int_equal(scene.wire.first_alarm_bytes, 20 * MB);
	shake_hands();
	play_connect(scene.play);
	assert_int_equal(transfer(19, false, true, true), 0);
	assert_int_equal(scene.looks, 0);
	assert_int_equal(transfer(11, false, true, true), 0);
	assert_int_equal(thresholds(), 1);
	assert_int_equal(scene.play->creates, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_connection_is_known_by_its_keys, begin, end),
		cmocka_unit_test_setup_teardown(or_else_by_its_addresses, begin, end),
		cmocka_unit_test_setup_teardown(what_the_wire_has_not_shown_counts, begin, end),
		cmocka_unit_test_setup_teardown(each_direction_has_to_come_as_far, begin, end),
		cmocka_unit_test_setup_teardown(downloads_count, begin, end),
		cmocka_unit_test_setup_teardown(downloads_count_if_they_are_to, begin, end),
		cmocka_unit_test_setup_teardown(
			a_connection_that_comes_late_is_found_all_the_same, begin, end),
		cmocka_unit_test_setup_teardown(
			rules_that_change_count_for_what_is_there, begin, end),
		cmocka_unit_test_setup_teardown(a_rule_that_begins_earlier_is_heeded, begin, end),
		cmocka_unit_test_setup_teardown(forged_packets_make_no_elephant, begin, end),
		cmocka_unit_test_setup_teardown(the_kernel_is_not_asked_of_strangers, begin, end),
		cmocka_unit_test_setup_teardown(
			what_is_not_ours_is_shown_while_it_lasts, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
