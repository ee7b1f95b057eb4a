/* SPDX-License-Identifier: MIT */
/* Addresses: which can be used, which have gone, and what the kernel never should send. */
#include "kernel/addresses.h"

#include "../unit.h"
#include "answers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>

#define UP (IFF_UP | IFF_RUNNING)

static char buffers[8][512];
static unsigned int used;

static struct nlmsghdr *device(int index, unsigned int flags)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffers[used++]);
	struct ifinfomsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));

	message->nlmsg_type = RTM_NEWLINK;
	message->nlmsg_flags = NLM_F_MULTI;
	header->ifi_index = index;
	header->ifi_flags = flags;
	return message;
}

static struct nlmsghdr *address(int index, const char *text, uint8_t scope, uint8_t flags)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffers[used++]);
	struct ifaddrmsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
	struct in6_addr bytes;

	message->nlmsg_type = RTM_NEWADDR;
	message->nlmsg_flags = NLM_F_MULTI;
	header->ifa_family = strchr(text, ':') ? AF_INET6 : AF_INET;
	header->ifa_index = index;
	header->ifa_scope = scope;
	header->ifa_flags = flags;
	assert_int_equal(inet_pton(header->ifa_family, text, &bytes), 1);
	mnl_attr_put(message, IFA_ADDRESS, header->ifa_family == AF_INET ? 4 : 16, &bytes);
	return message;
}

static void give(const struct nlmsghdr *message)
{
	answers_put(message, message->nlmsg_len, -1);
}

static void begin(void)
{
	answers_reset();
	used = 0;
}

static void is(const struct endpoint *endpoint, const char *expected)
{
	char text[ENDPOINT_TEXT_MAX];

	assert_string_equal(endpoint_text(endpoint, text), expected);
}

static void reads_what_can_be_used(void **state)
{
	static struct addresses addresses;
	char done[2][256];

	(void)state;
	begin();
	memset(&addresses, 0, sizeof(addresses));
	inet_pton(AF_INET, "10.0.1.1", &addresses.gone[0].v4);
	inet_pton(AF_INET, "10.0.9.9", &addresses.gone[1].v4);
	addresses.gone[0].family = addresses.gone[1].family = AF_INET;
	addresses.n_gone = 2;
	give(device(1, UP | IFF_LOOPBACK));
	give(device(2, UP));
	give(device(3, IFF_UP)); /* no carrier */
	give(answers_done(done[0], 0));
	give(address(1, "127.0.0.1", RT_SCOPE_HOST, 0));
	give(address(2, "10.0.1.1", RT_SCOPE_UNIVERSE, 0));
	give(address(2, "fd00::1", RT_SCOPE_UNIVERSE, IFA_F_TENTATIVE));
	give(address(3, "10.0.3.1", RT_SCOPE_UNIVERSE, 0));
	give(address(9, "10.0.4.1", RT_SCOPE_UNIVERSE, 0));
	give(answers_done(done[1], 0));
	assert_int_equal(addresses_read(&addresses), 0);
	assert_int_equal(addresses.n_usable, 1);
	is(&addresses.usable[0], "10.0.1.1:0");
	/* The one that is there again is not gone. */
	assert_int_equal(addresses.n_gone, 2);
	is(&addresses.gone[0], "10.0.9.9:0");
	is(&addresses.gone[1], "10.0.3.1:0");
}

/* In one datagram. */
static void give_many(const struct nlmsghdr *message, size_t n)
{
	static char many[6][GENL_BUFFER_BYTES];
	static unsigned int turn;
	char *to = many[turn++ % 6];

	assert_true(n * message->nlmsg_len <= GENL_BUFFER_BYTES);
	for (size_t i = 0; i < n; i++)
		memcpy(to + i * message->nlmsg_len, message, message->nlmsg_len);
	answers_put(to, n * message->nlmsg_len, -1);
}

static void counts_what_finds_no_room(void **state)
{
	static struct addresses addresses;
	const size_t most = GENL_BUFFER_BYTES / 32;
	char done[2][256];

	(void)state;
	begin();
	memset(&addresses, 0, sizeof(addresses));
	give(device(2, UP));
	give(device(3, IFF_UP));
	give_many(device(4, UP), most - 2);
	give(answers_done(done[0], 0));
	for (int i = 0; i < 3; i++) /* usable, and there */
		give_many(address(2, "10.0.1.1", RT_SCOPE_UNIVERSE, 0), most);
	give_many(address(3, "10.0.3.1", RT_SCOPE_UNIVERSE, 0), ADDRESSES_MAX + 2);
	give(address(9, "10.0.4.1", RT_SCOPE_UNIVERSE, 0)); /* of a device too many */
	give(answers_done(done[1], 0));
	assert_int_equal(addresses_read(&addresses), 0);
	assert_int_equal(addresses.n_usable, ADDRESSES_MAX);
	assert_int_equal(addresses.refused, 3 * most - ADDRESSES_MAX + most + 2 + 1);
}

static void passes_errors_on(void **state)
{
	static struct addresses addresses;
	char buffer[256];

	(void)state;
	begin();
	give(answers_acknowledge(buffer, -EPERM));
	assert_int_equal(addresses_read(&addresses), -EPERM);
}

/* On a point-to-point link the other attribute is the peer's. */
static void prefers_the_own_end(void **state)
{
	struct in_addr own = {htonl(0x0a000005)};
	struct nlmsghdr *message;
	struct address decoded;

	(void)state;
	begin();
	message = address(4, "10.0.0.9", RT_SCOPE_UNIVERSE, 0);
	mnl_attr_put(message, IFA_LOCAL, sizeof(own), &own);
	assert_int_equal(addresses_decode_address(message, &decoded), 0);
	is(&decoded.endpoint, "10.0.0.5:0");
	assert_int_equal(decoded.device, 4);
	assert_true(decoded.is_usable);
}

static void refuses_what_is_too_short(void **state)
{
	struct in_addr own = {htonl(0x0a000005)};
	struct nlmsghdr *message;
	struct address decoded;
	struct device link;

	(void)state;
	begin();
	message = mnl_nlmsg_put_header(buffers[0]);
	assert_int_equal(addresses_decode_device(message, &link), -EBADMSG);
	assert_int_equal(addresses_decode_address(message, &decoded), -EBADMSG);
	used = 1;
	message = address(4, "fd00::1", RT_SCOPE_UNIVERSE, 0);
	message->nlmsg_len -= 8;
	assert_int_equal(addresses_decode_address(message, &decoded), -EBADMSG);
	message = address(4, "fd00::1", RT_SCOPE_UNIVERSE, 0);
	mnl_attr_put(message, IFA_LOCAL, sizeof(own), &own);
	assert_int_equal(addresses_decode_address(message, &decoded), -EBADMSG);
	((struct ifaddrmsg *)mnl_nlmsg_get_payload(message))->ifa_family = AF_UNIX;
	assert_int_equal(addresses_decode_address(message, &decoded), -EBADMSG);
}

static unsigned int changes, changes_before_loss, losses;

static void change(void *owner, int nsid, struct addresses *told)
{
	(void)owner;
	(void)nsid;
	changes++;
	assert_int_equal(told->n_gone, 1);
	is(&told->gone[0], "10.0.1.1:0");
}

static void lose(void *owner)
{
	(void)owner;
	losses++;
	changes_before_loss = changes;
}

/* Until the queue is empty the kernel drops more. */
static void a_loss_is_told_when_all_that_waited_is_heard(void **state)
{
	static struct addresses_watch watch = {.changed = change, .lost = lose};
	struct nlmsghdr *message;

	(void)state;
	begin();
	assert_int_equal(genl_open(NETLINK_ROUTE, &watch.socket), 0);
	message = address(2, "10.0.1.1", RT_SCOPE_UNIVERSE, 0);
	message->nlmsg_type = RTM_DELADDR;
	answers_put_error(ENOBUFS);
	give(message);
	addresses_hear(&watch);
	assert_int_equal(losses, 1);
	assert_int_equal(changes_before_loss, 1);
	addresses_watch_done(&watch);
}

static void what_has_gone_is_noted_once(void **state)
{
	static struct addresses addresses;
	struct endpoint gone = {.family = AF_INET, .port = 1, .v4.s_addr = htonl(0x0a000101)};

	(void)state;
	addresses_note_gone(&addresses, &gone);
	gone.port = 2;
	addresses_note_gone(&addresses, &gone);
	assert_int_equal(addresses.n_gone, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_can_be_used),
		cmocka_unit_test(counts_what_finds_no_room),
		cmocka_unit_test(passes_errors_on),
		cmocka_unit_test(prefers_the_own_end),
		cmocka_unit_test(refuses_what_is_too_short),
		cmocka_unit_test(a_loss_is_told_when_all_that_waited_is_heard),
		cmocka_unit_test(what_has_gone_is_noted_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
