/* SPDX-License-Identifier: MIT */
/* Flows on the wire: what counts, what belongs together, and what is forgotten. */
#include "core/wire.h"

#include "../unit.h"
#include "core/token.h"

#include <arpa/inet.h>
#include <string.h>

#define SECOND 1000000000ull
#define ALARM  10000

static const uint8_t client_key[8] = {1, 2, 3, 4, 5, 6, 7, 8};
static const uint8_t server_key[8] = {8, 7, 6, 5, 4, 3, 2, 1};

static int begin(void **state)
{
	static struct wire wire;

	assert_int_equal(wire_init(&wire, 8, 42, ALARM), 0);
	*state = &wire;
	return 0;
}

static int end(void **state)
{
	wire_done(*state);
	return 0;
}

/* From 10.0.0.1:@port to 10.0.0.2:80. */
static struct packet packet_of(uint16_t port, uint32_t sequence, uint32_t bytes)
{
	struct packet packet = {.sequence = sequence, .bytes = bytes, .is_ack = true};

	packet.source.family = packet.destination.family = AF_INET;
	packet.source.v4.s_addr = htonl(0x0a000001);
	packet.destination.v4.s_addr = htonl(0x0a000002);
	packet.source.port = port;
	packet.destination.port = 80;
	return packet;
}

static struct packet turned(struct packet packet)
{
	struct endpoint source = packet.source;

	packet.source = packet.destination;
	packet.destination = source;
	return packet;
}

static struct wire_flow *hear(struct wire *wire, struct packet packet)
{
	return wire_hear(wire, &packet, SECOND);
}

static struct wire_flow *first(struct wire *wire)
{
	struct wire_flow *flow = wire_next(wire, NULL);

	assert_non_null(flow);
	return flow;
}

static uint64_t sent(struct wire *wire)
{
	struct wire_flow *flow = first(wire);

	return flow->bytes[flow->ends[0].port == 80];
}

static uint64_t received(struct wire *wire)
{
	struct wire_flow *flow = first(wire);

	return flow->bytes[flow->ends[0].port != 80];
}

static void data_counts_once(void **state)
{
	struct wire *wire = *state;

	hear(wire, packet_of(1, 1000, 100));
	hear(wire, packet_of(1, 1100, 100));
	hear(wire, packet_of(1, 1000, 100)); /* sent again */
	hear(wire, packet_of(1, 1150, 100)); /* half of it new */
	assert_int_equal(sent(wire), 250);
	hear(wire, packet_of(1, 1350, 50)); /* what is between was missed by the capture */
	assert_int_equal(sent(wire), 400);
	hear(wire, turned(packet_of(1, 7, 30)));
	assert_int_equal(sent(wire), 400);
	assert_int_equal(received(wire), 30);
	assert_int_equal(wire->count, 1);
}

static void sequence_numbers_wrap(void **state)
{
	uint32_t sequence = 0xffffff00;
	struct wire *wire = *state;

	for (int i = 0; i < 10; i++, sequence += 1000)
		hear(wire, packet_of(1, sequence, 1000));
	assert_int_equal(sent(wire), 10000);
	hear(wire, packet_of(1, 0xffffff00, 1000));
	assert_int_equal(sent(wire), 10000);
}

static void more_than_32_bits_are_counted(void **state)
{
	struct wire *wire = *state;
	uint32_t sequence = 0;

	for (uint64_t i = 0; i < 700; i++, sequence += 10000000)
		hear(wire, packet_of(1, sequence, 10000000));
	assert_int_equal(sent(wire), 7000000000);
}

static void wild_sequence_numbers_say_nothing(void **state)
{
	struct wire *wire = *state;

	hear(wire, packet_of(1, 1000, 100));
	hear(wire, packet_of(1, 0x80000000, 0)); /* a probe */
	assert_int_equal(sent(wire), 100);
	hear(wire, packet_of(1, 0x40000000, 100));
	assert_int_equal(sent(wire), 200);
	hear(wire, packet_of(1, 1100, 100));
	hear(wire, packet_of(1, 1200, 100));
	assert_int_equal(sent(wire), 400);
}

static void mice_and_floods_take_no_room(void **state)
{
	struct packet syn = packet_of(1, 1, 0);
	struct wire *wire = *state;

	syn.is_syn = true;
	syn.is_ack = false;
	hear(wire, syn);
	syn.join_token = 5; /* of nobody */
	hear(wire, syn);
	hear(wire, packet_of(1, 1, 0));
	assert_int_equal(wire->count, 0);
}

static void the_alarm_tells(void **state)
{
	struct wire *wire = *state;
	struct wire_flow *flow;

	assert_null(hear(wire, packet_of(1, 0, ALARM - 1)));
	flow = hear(wire, packet_of(1, ALARM - 1, 1));
	assert_non_null(flow);
	assert_ptr_equal(hear(wire, packet_of(1, ALARM, 1)), flow);
	flow->alarm_bytes[0] = flow->alarm_bytes[1] = UINT64_MAX;
	assert_null(hear(wire, packet_of(1, ALARM + 1, 1)));
}

/* The third packet of a handshake. */
static struct packet capable(uint16_t port)
{
	struct packet packet = packet_of(port, 1, 0);

	packet.is_multipath = packet.has_keys = true;
	memcpy(packet.sender_key, client_key, 8);
	memcpy(packet.receiver_key, server_key, 8);
	return packet;
}

static struct packet join(uint16_t port)
{
	struct packet packet = packet_of(port, 99, 0);

	packet.is_syn = packet.is_multipath = true;
	packet.is_ack = false;
	packet.join_token = token_of_key(server_key);
	return packet;
}

static void one_whose_handshake_was_not_seen_is_told_of_at_once(void **state)
{
	struct wire *wire = *state;
	struct packet packet = packet_of(1, 0, 1);
	struct wire_flow *flow;

	assert_null(hear(wire, packet)); /* as far as is known, plain TCP */
	packet.sequence = 1;
	packet.is_multipath = true;
	flow = hear(wire, packet);
	assert_ptr_equal(flow, first(wire));
	flow->alarm_bytes[0] = flow->alarm_bytes[1] = ALARM;
	packet.sequence = 2;
	assert_null(hear(wire, packet));
}

static void one_whose_handshake_was_seen_is_not(void **state)
{
	struct wire *wire = *state;
	struct packet packet = packet_of(1, 1, 1);

	packet.is_multipath = true;
	assert_null(hear(wire, capable(1)));
	assert_null(hear(wire, packet));
	assert_null(hear(wire, join(2)));
	packet.source.port = 2;
	assert_null(hear(wire, packet));
}

static void the_flows_of_a_connection_are_added_up(void **state)
{
	struct wire *wire = *state;
	struct wire_flow *flow;
	int client;

	hear(wire, capable(1));
	hear(wire, join(2));
	hear(wire, join(3));
	assert_int_equal(wire->count, 3);
	flow = first(wire);
	assert_null(wire_next(wire, flow));
	client = flow->ends[0].port == 80;
	assert_int_equal(flow->tokens[client], token_of_key(client_key));
	assert_int_equal(flow->tokens[!client], token_of_key(server_key));
	hear(wire, packet_of(1, 1, 100));
	hear(wire, packet_of(2, 100, 200));
	hear(wire, turned(packet_of(3, 5, 400)));
	assert_int_equal(sent(wire), 300);
	assert_int_equal(received(wire), 400);
	assert_ptr_equal(hear(wire, packet_of(3, 100, ALARM)), flow);
}

/* Ends are ordered by what they are: those of a subflow may be so the other way round. */
static void the_ends_of_a_join_may_be_turned(void **state)
{
	struct wire *wire = *state;
	struct packet packet = join(200), data = packet_of(200, 100, 70);

	hear(wire, capable(1));
	hear(wire, packet);
	hear(wire, data);
	assert_int_equal(sent(wire), 70);
	assert_int_equal(received(wire), 0);
	hear(wire, turned(data));
	assert_int_equal(received(wire), 70);
}

static void a_connection_outlives_its_first_flow(void **state)
{
	struct wire *wire = *state;
	struct packet over = packet_of(1, 101, 0);

	hear(wire, capable(1));
	hear(wire, join(2));
	hear(wire, packet_of(1, 1, 100));
	over.is_over = true;
	hear(wire, over);
	over = packet_of(2, 100, 10);
	wire_hear(wire, &over, 4 * SECOND);
	wire_expire(wire, 4 * SECOND);
	assert_int_equal(wire->count, 2);
	assert_int_equal(sent(wire), 110);
	hear(wire, join(3)); /* it is still found by its token */
	hear(wire, packet_of(3, 100, 1));
	assert_int_equal(sent(wire), 111);
	wire_expire(wire, 1000 * SECOND);
	assert_int_equal(wire->count, 0);
	assert_null(wire_next(wire, NULL));
	hear(wire, join(4));
	assert_int_equal(wire->count, 0);
}

static void a_port_that_is_used_again_is_another_flow(void **state)
{
	struct packet packet = packet_of(1, 101, 0);
	struct wire *wire = *state;

	hear(wire, packet_of(1, 1, 100));
	packet.is_over = true;
	hear(wire, packet);
	packet = packet_of(1, 5000, 0);
	packet.is_syn = true;
	packet.is_ack = false;
	hear(wire, packet);
	hear(wire, packet_of(1, 5001, 30));
	assert_int_equal(sent(wire), 30);
}

static void the_table_is_bounded(void **state)
{
	struct wire *wire = *state;

	for (uint16_t port = 1; port <= 20; port++)
		hear(wire, packet_of(port, 1, 1));
	assert_int_equal(wire->count, 8);
	assert_int_equal(wire->refused, 12);
	hear(wire, packet_of(20, 2, 1)); /* it is there */
	assert_int_equal(wire->refused, 12);
	wire_expire(wire, 302 * SECOND);
	assert_int_equal(wire->count, 0);
	hear(wire, packet_of(20, 1, 1));
	assert_int_equal(wire->count, 1);
}

static struct wire_flow *find_port(struct wire *wire, uint16_t port)
{
	struct wire_flow *flow = NULL;

	while ((flow = wire_next(wire, flow))) {
		if (flow->ends[0].port == port || flow->ends[1].port == port)
			return flow;
	}
	return NULL;
}

/* Whoever has carried much stays, and what comes next is not kept out. */
static void the_smallest_gives_way(void **state)
{
	struct packet over = packet_of(4, 101, 0);
	struct wire *wire = *state;

	for (uint16_t port = 1; port <= 8; port++)
		hear(wire, packet_of(port, 1, port == 5 ? 10 : 100));
	hear(wire, packet_of(9, 1, 100));
	assert_null(find_port(wire, 5));
	assert_non_null(find_port(wire, 9));
	/* What is over goes first. */
	over.is_over = true;
	hear(wire, over);
	hear(wire, packet_of(10, 1, 1));
	assert_null(find_port(wire, 4));
	for (uint16_t port = 1000; port < 5000; port++)
		hear(wire, packet_of(port, 1, 50));
	for (uint16_t port = 1; port <= 9; port++)
		assert_int_equal(!find_port(wire, port), port == 4 || port == 5);
	assert_int_equal(wire->count, 8);
}

static void of_equals_the_one_that_was_still_longest_gives_way(void **state)
{
	struct wire *wire = *state;
	struct packet packet;

	for (uint16_t port = 1; port <= 9; port++) {
		packet = packet_of(port, 1, 100);
		wire_hear(wire, &packet, (port == 6 ? 1 : 1 + port) * SECOND);
	}
	assert_null(find_port(wire, 6));
	assert_int_equal(wire->count, 8);
}

/* However little they have carried. */
static void connections_of_this_host_stay(void **state)
{
	struct wire *wire = *state;

	for (uint16_t port = 1; port <= 8; port++)
		hear(wire, packet_of(port, 1, 1));
	for (uint16_t port = 1; port <= 8; port++)
		find_port(wire, port)->is_ours = true;
	assert_null(hear(wire, packet_of(9, 1, ALARM)));
	assert_null(find_port(wire, 9));
	assert_int_equal(wire->refused, 1);
	find_port(wire, 3)->is_ours = false;
	assert_non_null(hear(wire, packet_of(9, 1, ALARM)));
	assert_null(find_port(wire, 3));
}

/* What one of a connection joins is not what makes room for it; forged joins push out one another.
 */
static void joins_do_not_displace_what_they_join(void **state)
{
	struct wire *wire = *state;
	struct wire_flow *leader;

	hear(wire, capable(1));
	leader = first(wire);
	for (uint16_t port = 2; port <= 8; port++)
		hear(wire, packet_of(port, 1, 1000));
	for (uint16_t port = 1000; port < 1100; port++) {
		hear(wire, join(port));
		assert_ptr_equal(find_port(wire, 1), leader);
		assert_int_equal(wire->count, 8);
	}
	assert_int_equal(leader->members, 1);
}

static void flows_can_be_tied_later(void **state)
{
	struct wire *wire = *state;
	struct wire_flow *flow, *other, *leader;
	int at;

	hear(wire, packet_of(1, 1, 100));
	flow = first(wire);
	at = flow->ends[0].port == 80;
	assert_ptr_equal(wire_tie(wire, flow, at, 77), flow);
	assert_ptr_equal(wire_tie(wire, flow, at, 77), flow);
	hear(wire, packet_of(2, 1, 50));
	other = wire_next(wire, flow);
	if (!other)
		other = first(wire);
	leader = wire_tie(wire, other, other->ends[0].port == 80, 77);
	assert_ptr_equal(leader, flow);
	assert_int_equal(flow->bytes[at], 150);
	hear(wire, packet_of(2, 51, 50));
	assert_int_equal(flow->bytes[at], 200);
}

/* SHA-256 of this key begins with 32 zeros; 0 stands for an end whose token is not known. */
static void a_token_of_zero_is_none(void **state)
{
	static const uint8_t key[8] = {0x5e, 0xc4, 0x94, 0x06, 0x00, 0x01, 0x00, 0x00};
	struct packet packet = capable(1), over = packet_of(1, 101, 0);
	struct wire *wire = *state;

	assert_int_equal(token_of_key(key), 0);
	over.is_over = true;
	for (int round = 0; round < 3; round++) {
		for (uint16_t port = 1; port <= 4; port++) {
			packet = capable(port);
			memcpy(packet.sender_key, key, 8);
			if (port % 2)
				memcpy(packet.receiver_key, key, 8);
			hear(wire, packet);
			hear(wire, packet); /* seen on two interfaces */
		}
		assert_int_equal(wire->count, 4);
		hear(wire, join(9)); /* the chains have an end */
		assert_int_equal(wire->count, 5);
		over.source.port = 1;
		hear(wire, over);
		wire_expire(wire, UINT64_MAX);
		assert_int_equal(wire->count, 0);
	}
	for (uint32_t i = 0; i <= wire->mask; i++)
		assert_int_equal(wire->tokens[i], UINT32_MAX);
}

/* Flows come, join and go in every order: nothing is lost, nothing is left. */
static void a_storm_leaves_nothing(void **state)
{
	struct wire *wire = *state;
	uint32_t draw = 1;

	for (int i = 0; i < 200000; i++) {
		uint16_t port = 1 + (draw >> 8) % 20;
		struct packet packet;

		draw = draw * 1103515245 + 12345;
		switch (draw >> 28) {
		case 0:
			packet = capable(port);
			packet.sender_key[0] = draw >> 20;
			break;
		case 1:
		case 2:
			packet = join(port);
			break;
		case 3:
			packet = packet_of(port, draw, 0);
			packet.is_over = true;
			break;
		case 4:
			wire_expire(wire, (uint64_t)i * SECOND / 10);
			packet = packet_of(port, draw, 1);
			break;
		default:
			packet = packet_of(port, draw, draw % 5000);
		}
		wire_hear(wire, &packet, (uint64_t)i * SECOND / 10);
		assert_true(wire->count <= 8);
	}
	wire_expire(wire, UINT64_MAX);
	assert_int_equal(wire->count, 0);
	for (uint32_t i = 0; i <= wire->mask; i++) {
		assert_int_equal(wire->tuples[i], UINT32_MAX);
		assert_int_equal(wire->tokens[i], UINT32_MAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(data_counts_once, begin, end),
		cmocka_unit_test_setup_teardown(sequence_numbers_wrap, begin, end),
		cmocka_unit_test_setup_teardown(more_than_32_bits_are_counted, begin, end),
		cmocka_unit_test_setup_teardown(wild_sequence_numbers_say_nothing, begin, end),
		cmocka_unit_test_setup_teardown(mice_and_floods_take_no_room, begin, end),
		cmocka_unit_test_setup_teardown(the_alarm_tells, begin, end),
		cmocka_unit_test_setup_teardown(
			one_whose_handshake_was_not_seen_is_told_of_at_once, begin, end),
		cmocka_unit_test_setup_teardown(one_whose_handshake_was_seen_is_not, begin, end),
		cmocka_unit_test_setup_teardown(the_flows_of_a_connection_are_added_up, begin, end),
		cmocka_unit_test_setup_teardown(the_ends_of_a_join_may_be_turned, begin, end),
		cmocka_unit_test_setup_teardown(a_connection_outlives_its_first_flow, begin, end),
		cmocka_unit_test_setup_teardown(
			a_port_that_is_used_again_is_another_flow, begin, end),
		cmocka_unit_test_setup_teardown(the_table_is_bounded, begin, end),
		cmocka_unit_test_setup_teardown(the_smallest_gives_way, begin, end),
		cmocka_unit_test_setup_teardown(
			of_equals_the_one_that_was_still_longest_gives_way, begin, end),
		cmocka_unit_test_setup_teardown(connections_of_this_host_stay, begin, end),
		cmocka_unit_test_setup_teardown(joins_do_not_displace_what_they_join, begin, end),
		cmocka_unit_test_setup_teardown(flows_can_be_tied_later, begin, end),
		cmocka_unit_test_setup_teardown(a_token_of_zero_is_none, begin, end),
		cmocka_unit_test_setup_teardown(a_storm_leaves_nothing, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
