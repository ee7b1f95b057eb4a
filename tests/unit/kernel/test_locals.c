/* SPDX-License-Identifier: MIT */
/* The mirror of local routes: what is one, and what the hooks are told when they change. */
#include "kernel/locals.h"

#include "../unit.h"
#include "answers.h"
#include "kernel/maps.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>

#define COOKIE 0x123456789abcdefull

static char buffers[16][512];
static unsigned int used, puts_told, drops_told;
static struct local_key last;
static uint32_t last_is_local;
static bool has_no_room;

int maps_put_local(struct hooks *hooks, const struct local_key *key, uint32_t is_local)
{
	(void)hooks;
	last = *key;
	last_is_local = is_local;
	puts_told++;
	return has_no_room ? -E2BIG : 0;
}

void maps_drop_local(struct hooks *hooks, const struct local_key *key)
{
	(void)hooks;
	last = *key;
	drops_told++;
}

static struct nlmsghdr *route(const char *text, uint8_t bits, uint8_t type, uint8_t table)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffers[used++]);
	struct rtmsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
	struct in6_addr bytes;

	message->nlmsg_type = RTM_NEWROUTE;
	message->nlmsg_flags = NLM_F_MULTI;
	header->rtm_family = strchr(text, ':') ? AF_INET6 : AF_INET;
	header->rtm_dst_len = bits;
	header->rtm_type = type;
	header->rtm_table = table;
	assert_int_equal(inet_pton(header->rtm_family, text, &bytes), 1);
	mnl_attr_put(message, RTA_DST, header->rtm_family == AF_INET ? 4 : 16, &bytes);
	return message;
}

static struct nlmsghdr *local(const char *text, uint8_t bits)
{
	return route(text, bits, RTN_LOCAL, RT_TABLE_LOCAL);
}

static int set_up(void **state)
{
	(void)state;
	used = puts_told = drops_told = 0;
	has_no_room = false;
	answers_reset();
	return 0;
}

static void is_mapped(void **state)
{
	struct local read;
	struct local_key *key = &read.key;
	uint64_t cookie;

	(void)state;
	assert_int_equal(locals_decode(local("127.0.0.0", 8), COOKIE, &read), 0);
	assert_int_equal(key->bits, 64 + 96 + 8);
	memcpy(&cookie, key->netns, sizeof(cookie));
	assert_int_equal(cookie, COOKIE);
	assert_int_equal(key->addr[2], htonl(0xffff));
	assert_int_equal(key->addr[3], htonl(0x7f000000));
	assert_int_equal(locals_decode(local("fd00::1", 128), COOKIE, &read), 0);
	assert_int_equal(key->bits, 64 + 128);
	assert_int_equal(key->addr[0], htonl(0xfd000000));
	assert_true(read.is_local);
	assert_int_equal(locals_decode(route("10.0.0.255", 32, RTN_BROADCAST, RT_TABLE_LOCAL),
				 COOKIE, &read),
		0);
	assert_false(read.is_local);
}

static void others_are_none(void **state)
{
	struct local read;

	(void)state;
	assert_int_equal(
		locals_decode(route("10.0.0.0", 24, RTN_UNICAST, RT_TABLE_MAIN), COOKIE, &read),
		-ENOENT);
	assert_int_equal(locals_decode(local("10.0.0.1", 33), COOKIE, &read), -EBADMSG);
}

static void give(const struct nlmsghdr *message)
{
	answers_put(message, message->nlmsg_len, -1);
}

/* Two dumps: IPv4, IPv6. */
static void give_end(void)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffers[used++]);

	message->nlmsg_type = NLMSG_DONE;
	message->nlmsg_flags = NLM_F_MULTI;
	*(int *)mnl_nlmsg_put_extra_header(message, sizeof(int)) = 0;
	give(message);
}

/* A route that is none of these takes its addresses from a prefix that is; and gives them back. */
static void what_is_taken_from_a_prefix_is_not_local(void **state)
{
	const struct endpoint inside = {.family = AF_INET, .v4.s_addr = htonl(0x0a000007)},
			      beside = {.family = AF_INET, .v4.s_addr = htonl(0x0a000008)};
	struct locals locals = {};

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		set_up(state);
		give(local("10.0.0.0", 24));
		give(route("10.0.0.7", 32, i ? RTN_LOCAL : RTN_UNREACHABLE, RT_TABLE_LOCAL));
		give_end();
		give_end();
		assert_int_equal(locals_read(&locals, COOKIE), 0);
		assert_int_equal(puts_told, i ? 1 : 2);
		assert_int_equal(locals_has(&locals, COOKIE, &inside), i);
		assert_true(locals_has(&locals, COOKIE, &beside));
	}
	assert_int_equal(last_is_local, 1);
	assert_int_equal(drops_told, 0);
	locals_forget(&locals, COOKIE);
	locals_done(&locals);
}

static void changes_are_told(void **state)
{
	struct locals locals = {};

	(void)state;
	give(local("10.0.0.1", 32));
	give(local("127.0.0.0", 8));
	give_end();
	give(local("::1", 128));
	give_end();
	assert_int_equal(locals_read(&locals, COOKIE), 0);
	assert_int_equal(puts_told, 3);
	assert_int_equal(drops_told, 0);
	set_up(state);
	give(local("127.0.0.0", 8));
	give(local("10.0.0.2", 32));
	give_end();
	give(local("::1", 128));
	give_end();
	assert_int_equal(locals_read(&locals, COOKIE), 0);
	assert_int_equal(puts_told, 1);
	assert_int_equal(drops_told, 1);
	locals_forget(&locals, COOKIE);
	assert_int_equal(drops_told, 4);
	locals_forget(&locals, COOKIE);
	assert_int_equal(drops_told, 4);
	locals_done(&locals);
}

static void read_v4(struct locals *locals, unsigned int times)
{
	set_up(NULL);
	while (times--)
		give(local("10.0.0.1", 32));
	give_end();
	give_end();
	assert_int_equal(locals_read(locals, COOKIE), 0);
}

/* One that two devices have is local until neither has it. */
static void an_address_may_be_there_twice(void **state)
{
	struct locals locals = {};

	(void)state;
	read_v4(&locals, 2);
	assert_int_equal(puts_told, 1);
	read_v4(&locals, 1);
	assert_int_equal(puts_told + drops_told, 0);
	read_v4(&locals, 2);
	assert_int_equal(puts_told + drops_told, 0);
	read_v4(&locals, 0);
	assert_int_equal(drops_told, 1);
	locals_done(&locals);
}

static void what_found_no_room_is_told_again(void **state)
{
	struct locals locals = {};

	(void)state;
	give(local("10.0.0.1", 32));
	give_end();
	give_end();
	has_no_room = true;
	assert_int_equal(locals_read(&locals, COOKIE), 0);
	assert_int_equal(locals.refused, 1);
	read_v4(&locals, 1);
	assert_int_equal(puts_told, 1);
	read_v4(&locals, 1);
	assert_int_equal(puts_told, 0);
	locals_forget(&locals, COOKIE);
	assert_int_equal(drops_told, 1);
	locals_done(&locals);
}

static bool has(const struct locals *locals, uint64_t cookie, const char *text)
{
	struct endpoint address = {.family = strchr(text, ':') ? AF_INET6 : AF_INET};

	assert_int_equal(inet_pton(address.family, text, &address.v6), 1);
	return locals_has(locals, cookie, &address);
}

static void what_is_local_is_known_by_its_prefix(void **state)
{
	struct locals locals = {};

	(void)state;
	give(local("10.0.0.1", 32));
	give(local("127.0.0.0", 8));
	give_end();
	give(local("fd00::1", 128));
	give_end();
	assert_int_equal(locals_read(&locals, COOKIE), 0);
	assert_true(has(&locals, COOKIE, "10.0.0.1"));
	assert_true(has(&locals, COOKIE, "127.0.0.2"));
	assert_true(has(&locals, COOKIE, "fd00::1"));
	assert_false(has(&locals, COOKIE, "10.0.0.2"));
	assert_false(has(&locals, COOKIE, "128.0.0.1"));
	assert_false(has(&locals, COOKIE, "fd00::2"));
	assert_false(has(&locals, COOKIE + 1, "10.0.0.1"));
	locals_done(&locals);
}

static unsigned int changes, changes_before_loss, losses;

static void change(void *owner, int nsid)
{
	(void)owner;
	(void)nsid;
	changes++;
}

static void lose(void *owner)
{
	(void)owner;
	losses++;
	changes_before_loss = changes;
}

static void a_loss_is_told_when_all_that_waited_is_heard(void **state)
{
	struct locals locals = {.changed = change, .lost = lose};

	(void)state;
	assert_int_equal(genl_open(NETLINK_ROUTE, &locals.socket), 0);
	locals.source.fd = mnl_socket_get_fd(locals.socket);
	answers_put_error(ENOBUFS);
	give(local("10.0.0.1", 32));
	locals_hear(&locals);
	assert_int_equal(losses, 1);
	assert_int_equal(changes_before_loss, 1);
	locals_done(&locals);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(is_mapped, set_up),
		cmocka_unit_test_setup(others_are_none, set_up),
		cmocka_unit_test_setup(what_is_taken_from_a_prefix_is_not_local, set_up),
		cmocka_unit_test_setup(changes_are_told, set_up),
		cmocka_unit_test_setup(an_address_may_be_there_twice, set_up),
		cmocka_unit_test_setup(what_found_no_room_is_told_again, set_up),
		cmocka_unit_test_setup(what_is_local_is_known_by_its_prefix, set_up),
		cmocka_unit_test_setup(a_loss_is_told_when_all_that_waited_is_heard, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
