/* SPDX-License-Identifier: MIT */
/* The ports of a namespace, as its sysctls name them. */
#include "core/ports.h"

#include "../unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RANGE     "32768\t60999"
#define TEXT_MAX  (1 << 19)
#define DRAWS_MAX 20000

static unsigned int count_reserved(const struct ports *ports)
{
	unsigned int count = 0;

	for (uint32_t port = 0; port <= UINT16_MAX; port++)
		count += ports_is_reserved(ports, port);
	return count;
}

static void what_the_kernel_writes_is_read(void **state)
{
	struct ports ports;

	(void)state;
	assert_int_equal(ports_read(&ports, RANGE, ""), 0);
	assert_int_equal(ports.low, 32768);
	assert_int_equal(ports.high, 60999);
	assert_int_equal(count_reserved(&ports), 0);
	assert_int_equal(ports_read(&ports, RANGE "\n", "8080,40000-40100,60999\n"), 0);
	assert_int_equal(count_reserved(&ports), 103);
	assert_true(ports_is_reserved(&ports, 8080));
	assert_true(ports_is_reserved(&ports, 40000));
	assert_true(ports_is_reserved(&ports, 40100));
	assert_false(ports_is_reserved(&ports, 40101));
	assert_false(ports_has(&ports, 8081));
	assert_false(ports_has(&ports, 60999));
	assert_true(ports_has(&ports, 60998));
	assert_true(ports_has(&ports, 32768));
	assert_int_equal(ports_read(&ports, "1 65535", "0-65535"), 0);
	assert_int_equal(count_reserved(&ports), 65536);
}

/* As long as it can be: no two of them are neighbours. */
static void a_list_of_any_length_is_read(void **state)
{
	char *text = malloc(TEXT_MAX), *end = text;
	struct ports ports;

	(void)state;
	assert_non_null(text);
	for (unsigned int port = 1; port < 65535; port += 3)
		end += sprintf(end, "%s%u-%u", port > 1 ? "," : "", port, port + 1);
	assert_true(strlen(text) > 200000);
	assert_int_equal(ports_read(&ports, RANGE, text), 0);
	for (uint32_t port = 0; port < 65535; port++)
		assert_int_equal(ports_is_reserved(&ports, port), port % 3 != 0);
	free(text);
}

static void anything_else_is_refused(void **state)
{
	static const char *const ranges[] = {"", "32768", "32768 ", "60999 32768", "0 60999",
		"-1 60999", "32768 65536", "32768 60999 1", "32768-60999", "a b",
		"32768 99999999999999999999"};
	static const char *const lists[] = {",", "8080,", ",8080", "8080,,9000", "8080-", "-8080",
		"9000-8080", "65536", "8080-65536", "8080 9000", "8080x", "+8080", "8080, 9000",
		"1-2-3", "99999999999999999999"};
	struct ports ports = {.low = 1, .high = 2};

	(void)state;
	for (size_t i = 0; i < sizeof(ranges) / sizeof(*ranges); i++)
		assert_int_equal(ports_read(&ports, ranges[i], "8080"), -EINVAL);
	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++)
		assert_int_equal(ports_read(&ports, RANGE, lists[i]), -EINVAL);
	assert_int_equal(ports.low, 1);
	assert_int_equal(ports.high, 2);
	assert_int_equal(count_reserved(&ports), 0);
}

/* However few are left, at the ends of the range too. */
static void each_free_port_is_drawn(void **state)
{
	static const uint16_t free_ports[] = {32768, 32831, 32832, 45000, 60998, 60999};
	unsigned int drawn[6] = {}, total = 0;
	struct ports ports;
	uint64_t random = 1;
	uint16_t port;

	(void)state;
	assert_int_equal(ports_read(&ports, RANGE,
				 "1-32767,32769-32830,32833-44999,45001-60997,61000-65535"),
		0);
	for (int i = 0; i < DRAWS_MAX; i++) {
		port = ports_draw(&ports, ports_random(&random) >> 16);
		assert_true(ports_has(&ports, port));
		for (int k = 0; k < 6; k++)
			drawn[k] += port == free_ports[k];
	}
	for (int k = 0; k < 6; k++) {
		assert_in_range(drawn[k], DRAWS_MAX / 7, DRAWS_MAX / 5);
		total += drawn[k];
	}
	assert_int_equal(total, DRAWS_MAX);
}

static void where_none_is_free_none_is_drawn(void **state)
{
	struct ports ports;

	(void)state;
	assert_int_equal(ports_read(&ports, RANGE, "32768-60999"), 0);
	for (uint64_t random = 0; random < 100000; random += 7)
		assert_int_equal(ports_draw(&ports, random), 0);
	assert_int_equal(ports_read(&ports, "40000 40000", ""), 0);
	assert_int_equal(ports_draw(&ports, UINT64_MAX), 40000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_kernel_writes_is_read),
		cmocka_unit_test(a_list_of_any_length_is_read),
		cmocka_unit_test(anything_else_is_refused),
		cmocka_unit_test(each_free_port_is_drawn),
		cmocka_unit_test(where_none_is_free_none_is_drawn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
