/* SPDX-License-Identifier: MIT */
/* The table of elephants that cannot be treated. */
#include "core/flows.h"

#include "../unit.h"

#include <arpa/inet.h>
#include <string.h>

static struct flow flow_of(uint64_t netns, uint16_t port, uint64_t noted_ns)
{
	struct flow flow;

	/* What is between the fields is nobody's business. */
	memset(&flow, 0x55, sizeof(flow));
	flow.key.netns = netns;
	flow.key.local.family = flow.key.remote.family = AF_INET;
	flow.key.local.v4.s_addr = htonl(0x0a000001);
	flow.key.remote.v4.s_addr = htonl(0x0a000002);
	flow.key.local.port = port;
	flow.key.remote.port = 80;
	flow.bytes_sent = 100;
	flow.bytes_received = 7;
	flow.noted_ns = noted_ns;
	flow.has_uid = true;
	flow.uid = 1000;
	return flow;
}

static unsigned int count(const struct flows *flows)
{
	return HASH_COUNT(flows->list);
}

static void what_is_noted_again_is_the_same(void **state)
{
	struct flow flow = flow_of(1, 40000, 10);
	struct flows flows = {};

	(void)state;
	flows_note(&flows, &flow);
	flow.bytes_sent = 200;
	memset((char *)&flow.key.local.v4 + 4, 0xaa, 12);
	flows_note(&flows, &flow);
	assert_int_equal(count(&flows), 1);
	assert_int_equal(flows.list->bytes_sent, 200);
	assert_int_equal(flows.list->bytes_received, 7);
	assert_int_equal(flows.list->uid, 1000);
	flow = flow_of(2, 40000, 10);
	flows_note(&flows, &flow);
	assert_int_equal(count(&flows), 2);
	flows_done(&flows);
	assert_int_equal(count(&flows), 0);
}

static void mapped_addresses_are_ipv4(void **state)
{
	struct flow flow = flow_of(1, 40000, 10), mapped = flow;
	struct flows flows = {};

	(void)state;
	mapped.key.local.family = AF_INET6;
	inet_pton(AF_INET6, "::ffff:10.0.0.1", &mapped.key.local.v6);
	flows_note(&flows, &flow);
	flows_note(&flows, &mapped);
	assert_int_equal(count(&flows), 1);
	flows_done(&flows);
}

static void what_is_not_noted_any_more_goes(void **state)
{
	struct flow flows_seen[] = {flow_of(1, 1, 10), flow_of(1, 2, 20), flow_of(2, 3, 10)};
	struct flows flows = {};

	(void)state;
	for (int i = 0; i < 3; i++)
		flows_note(&flows, &flows_seen[i]);
	flows_expire(&flows, 1, 20);
	assert_int_equal(count(&flows), 2);
	assert_true(flows_has(&flows, 1));
	flows_expire(&flows, 1, UINT64_MAX);
	assert_false(flows_has(&flows, 1));
	assert_int_equal(count(&flows), 1);
	assert_int_equal(flows.list->key.netns, 2);
	flows_done(&flows);
}

static void the_table_is_bounded(void **state)
{
	struct flows flows = {};
	struct flow flow;

	(void)state;
	for (uint16_t port = 0; port < FLOWS_MAX + 5; port++) {
		flow = flow_of(1, port, 1);
		flows_note(&flows, &flow);
	}
	assert_int_equal(count(&flows), FLOWS_MAX);
	assert_int_equal(flows.refused, 5);
	flow = flow_of(1, 3, 2); /* one that is there is not refused */
	flows_note(&flows, &flow);
	assert_int_equal(flows.refused, 5);
	flows_done(&flows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_noted_again_is_the_same),
		cmocka_unit_test(mapped_addresses_are_ipv4),
		cmocka_unit_test(what_is_not_noted_any_more_goes),
		cmocka_unit_test(the_table_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
