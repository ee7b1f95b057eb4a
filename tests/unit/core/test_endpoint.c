/* SPDX-License-Identifier: MIT */
/* Endpoints: text and comparison. */
#include "core/endpoint.h"

#include <arpa/inet.h>
#include <string.h>

#include "../unit.h"

static struct endpoint make(int family, const char *address, uint16_t port)
{
	struct endpoint endpoint = {.family = family, .port = port};

	assert_int_equal(inet_pton(family, address, &endpoint.v6), 1);
	return endpoint;
}

static void assert_text(const struct endpoint *endpoint, const char *expected)
{
	char text[ENDPOINT_TEXT_MAX];

	assert_ptr_equal(endpoint_text(endpoint, text), text);
	assert_string_equal(text, expected);
}

static void writes_text(void **state)
{
	struct endpoint v4 = make(AF_INET, "10.0.0.1", 80);
	struct endpoint v6 = make(AF_INET6, "fd00::1", 443);
	struct endpoint mapped = make(AF_INET6, "::ffff:10.0.0.1", 80);
	struct endpoint unknown = {};

	(void)state;
	assert_text(&v4, "10.0.0.1:80");
	assert_text(&v6, "[fd00::1]:443");
	assert_text(&mapped, "10.0.0.1:80");
	assert_text(&unknown, "?:0");
}

static void unmaps_what_is_mapped(void **state)
{
	struct endpoint v4 = make(AF_INET, "10.0.0.1", 80);
	struct endpoint v6 = make(AF_INET6, "fd00::1", 443);
	struct endpoint mapped = make(AF_INET6, "::ffff:10.0.0.1", 80), plain;

	(void)state;
	plain = endpoint_unmap(&mapped);
	assert_true(endpoint_is_equal(&plain, &v4));
	plain = endpoint_unmap(&v4);
	assert_true(endpoint_is_equal(&plain, &v4));
	plain = endpoint_unmap(&v6);
	assert_true(endpoint_is_equal(&plain, &v6));
}

static void the_longest_text_fits(void **state)
{
	struct endpoint v4 = make(AF_INET, "255.255.255.255", 65535);
	struct endpoint v6 = make(AF_INET6, "1234:5678:9abc:def1:2345:6789:abcd:ef12", 65535);
	struct endpoint mixed = make(AF_INET6, "::255.255.255.255", 65535);

	(void)state;
	assert_text(&v4, "255.255.255.255:65535");
	assert_text(&v6, "[1234:5678:9abc:def1:2345:6789:abcd:ef12]:65535");
	assert_text(&mixed, "[::255.255.255.255]:65535");
}

static void compares_address_and_port(void **state)
{
	struct endpoint a = make(AF_INET, "10.0.0.1", 80), b = make(AF_INET, "10.0.0.1", 81);
	struct endpoint c = make(AF_INET, "10.0.0.2", 80);

	(void)state;
	assert_true(endpoint_is_equal(&a, &a));
	assert_false(endpoint_is_equal(&a, &b));
	assert_false(endpoint_is_equal(&a, &c));
	assert_true(endpoint_is_same_address(&a, &b));
	assert_false(endpoint_is_same_address(&a, &c));
}

/* Of IPv4, nothing behind the address counts; of IPv6, every byte of it. */
static void compares_what_belongs_to_the_family(void **state)
{
	struct endpoint a, b, v6 = make(AF_INET6, "fd00::1", 80);
	struct endpoint other = make(AF_INET6, "fd00::2", 80);

	(void)state;
	memset(&a, 0x55, sizeof(a));
	memset(&b, 0xaa, sizeof(b));
	a.family = b.family = AF_INET;
	a.port = b.port = 80;
	a.v4 = b.v4 = (struct in_addr){.s_addr = htonl(0x0a000001)};
	assert_true(endpoint_is_equal(&a, &b));
	assert_true(endpoint_is_equal(&v6, &v6));
	assert_false(endpoint_is_equal(&v6, &other));
	b.family = AF_INET6;
	assert_false(endpoint_is_same_address(&a, &b));
}

static void only_fe80_10_is_link_local(void **state)
{
	struct endpoint first = make(AF_INET6, "fe80::1", 80),
			v4 = make(AF_INET, "169.254.0.1", 80);
	struct endpoint last = make(AF_INET6, "febf:ffff::1", 80);
	struct endpoint before = make(AF_INET6, "fe7f::1", 80);
	struct endpoint after = make(AF_INET6, "fec0::1", 80);

	(void)state;
	assert_true(endpoint_is_link_local(&first) && endpoint_is_link_local(&last));
	assert_false(endpoint_is_link_local(&before) || endpoint_is_link_local(&after));
	assert_false(endpoint_is_link_local(&v4));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_text),
		cmocka_unit_test(unmaps_what_is_mapped),
		cmocka_unit_test(the_longest_text_fits),
		cmocka_unit_test(compares_address_and_port),
		cmocka_unit_test(compares_what_belongs_to_the_family),
		cmocka_unit_test(only_fe80_10_is_link_local),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
