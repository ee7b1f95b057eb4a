/* SPDX-License-Identifier: MIT */
/* Naming namespaces and their ids, as far as it needs no privilege. */
#include "kernel/netns.h"

#include "../base/file.h"
#include "../unit.h"
#include "answers.h"

#include <errno.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static char buffers[3][512];

static struct nlmsghdr *id_message(char *buffer, int32_t nsid)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);

	message->nlmsg_type = RTM_NEWNSID;
	mnl_nlmsg_put_extra_header(message, sizeof(struct rtgenmsg));
	mnl_attr_put_u32(message, NETNSA_NSID, (uint32_t)nsid);
	return message;
}

static void put(const struct nlmsghdr *message)
{
	answers_put(message, message->nlmsg_len, -1);
}

static void decodes_ids(void **state)
{
	struct nlmsghdr *message = id_message(buffers[0], 5);
	int nsid = 77;

	(void)state;
	assert_int_equal(netns_decode_id(message, &nsid), 0);
	assert_int_equal(nsid, 5);
}

static void what_is_no_id_is_refused(void **state)
{
	struct nlmsghdr *message = id_message(buffers[0], NETNSA_NSID_NOT_ASSIGNED);
	int nsid = 77;

	(void)state;
	assert_int_equal(netns_decode_id(message, &nsid), -EBADMSG);
	message = id_message(buffers[0], 5);
	message->nlmsg_len = NLMSG_HDRLEN; /* cut off */
	assert_int_equal(netns_decode_id(message, &nsid), -EBADMSG);
	message = mnl_nlmsg_put_header(buffers[0]);
	mnl_nlmsg_put_extra_header(message, sizeof(struct rtgenmsg));
	mnl_attr_put_u16(message, NETNSA_NSID, 5); /* short */
	assert_int_equal(netns_decode_id(message, &nsid), -EBADMSG);
	assert_int_equal(nsid, 77);
}

static void gets_an_id_that_is_new(void **state)
{
	int nsid = 77;

	(void)state;
	answers_reset();
	put(answers_acknowledge(buffers[0], 0));
	put(id_message(buffers[1], 5));
	put(answers_acknowledge(buffers[2], 0));
	assert_int_equal(netns_assign_id("/proc/self/ns/net", &nsid), 0);
	assert_int_equal(nsid, 5);
	assert_int_equal(answers.asked, 2);
}

static void finds_an_id_that_is_there(void **state)
{
	int nsid = 77;

	(void)state;
	answers_reset();
	put(answers_acknowledge(buffers[0], -EEXIST));
	put(id_message(buffers[1], 6));
	put(answers_acknowledge(buffers[2], 0));
	assert_int_equal(netns_assign_id("/proc/self/ns/net", &nsid), 0);
	assert_int_equal(nsid, 6);
}

static void an_id_that_cannot_be_had_is_an_error(void **state)
{
	int nsid = 77;

	(void)state;
	answers_reset();
	put(answers_acknowledge(buffers[0], -EPERM));
	assert_int_equal(netns_assign_id("/proc/self/ns/net", &nsid), -EPERM);

	answers_reset();
	put(answers_acknowledge(buffers[0], 0));
	put(id_message(buffers[1], NETNSA_NSID_NOT_ASSIGNED));
	put(answers_acknowledge(buffers[2], 0));
	assert_int_equal(netns_assign_id("/proc/self/ns/net", &nsid), -ENOENT);
	assert_int_equal(netns_assign_id("/proc/self/ns/none", &nsid), -ENOENT);
	assert_int_equal(nsid, 77);
}

static void enters_only_namespaces(void **state)
{
	(void)state;
	assert_int_equal(netns_enter("", 0), 0); /* home: nothing to do */
	assert_int_equal(netns_enter("/proc/self/ns/none", 0), -ENOENT);
	assert_int_equal(netns_enter("/dev/null", 0), -EINVAL);
}

static void a_socket_tells_its_namespace(void **state)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint64_t here = 0, of_socket = 1;

	(void)state;
	assert_int_equal(netns_cookie(&here), 0);
	assert_int_equal(netns_cookie_of(fd, &of_socket), 0);
	assert_true(here != 0);
	assert_int_equal(here, of_socket);
	assert_int_equal(netns_cookie_of(-1, &of_socket), -EBADF);
}

static void a_sysctl_that_is_not_there_is_an_error(void **state)
{
	char value[8];

	(void)state;
	assert_int_equal(netns_read_sysctl("there_is_none", value, sizeof(value)), -ENOENT);
	assert_int_equal(netns_write_sysctl("there_is_none", "1"), -ENOENT);
}

/* What read_long() finds in a file of @len bytes, of which the last is @last. */
static int read_of(size_t len, char last, char **ret_value)
{
	char path[FILE_PATH_MAX], name[FILE_PATH_MAX + 16], *content = malloc(len);
	int fd, err;

	assert_non_null(content);
	memset(content, '7', len);
	content[len - 1] = last;
	fd = file_make(content, len, path);
	snprintf(name, sizeof(name), "../../..%s", path);
	err = netns_read_long_sysctl(name, ret_value);
	file_remove(fd);
	free(content);
	return err;
}

static void a_long_sysctl_is_read_whole(void **state)
{
	static const size_t lengths[] = {1, 100, 4094, 4095, 4096, 8191, 8192, 262145};
	char *value;

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		assert_int_equal(read_of(lengths[i], '\n', &value), 0);
		assert_int_equal(strlen(value), lengths[i] - 1);
		free(value);
	}
}

/* The kernel ends each with its line: what has no such end has been cut. */
static void what_has_no_end_is_no_sysctl(void **state)
{
	char *value = NULL;

	(void)state;
	assert_int_equal(read_of(100, '7', &value), -E2BIG);
	assert_int_equal(read_of(1 << 20, '\n', &value), -E2BIG);
	assert_int_equal(netns_read_long_sysctl("there_is_none", &value), -ENOENT);
	assert_null(value);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decodes_ids),
		cmocka_unit_test(what_is_no_id_is_refused),
		cmocka_unit_test(gets_an_id_that_is_new),
		cmocka_unit_test(finds_an_id_that_is_there),
		cmocka_unit_test(an_id_that_cannot_be_had_is_an_error),
		cmocka_unit_test(enters_only_namespaces),
		cmocka_unit_test(a_socket_tells_its_namespace),
		cmocka_unit_test(a_sysctl_that_is_not_there_is_an_error),
		cmocka_unit_test(a_long_sysctl_is_read_whole),
		cmocka_unit_test(what_has_no_end_is_no_sysctl),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
