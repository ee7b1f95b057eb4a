/* SPDX-License-Identifier: MIT */
/* The typed wrappers, against a kernel that the test plays. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "sockets.h"
#include "subflow.h"

enum { FD = 77 };

/* What the kernel was asked, and what it answers. */
static struct {
	int name;
	int calls;
	unsigned char set_value[4096];
	socklen_t set_len;
	socklen_t len;
	int error;
	unsigned char answer[4096];
	socklen_t answer_len;
} kernel;

int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len);

static int answer(void)
{
	errno = kernel.error;
	return kernel.error ? -1 : 0;
}

int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	assert_int_equal(fd, FD);
	assert_int_equal(level, IPPROTO_TCP);
	assert_true(len <= sizeof(kernel.set_value));
	kernel.name = name;
	kernel.calls++;
	memcpy(kernel.set_value, value, len);
	kernel.set_len = len;
	return answer();
}

int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	assert_int_equal(fd, FD);
	assert_int_equal(level, IPPROTO_TCP);
	kernel.name = name;
	kernel.len = *len;
	if (!kernel.error) {
		assert_true(*len >= kernel.answer_len);
		memcpy(value, kernel.answer, kernel.answer_len);
		*len = kernel.answer_len;
	}
	return answer();
}

static int reset(void **state)
{
	(void)state;
	memset(&kernel, 0, sizeof(kernel));
	return 0;
}

static void answer_number(uint32_t number)
{
	memcpy(kernel.answer, &number, sizeof(number));
	kernel.answer_len = sizeof(number);
}

static void expect_set(int name, const void *value, socklen_t len)
{
	assert_int_equal(kernel.name, name);
	assert_int_equal(kernel.set_len, len);
	assert_memory_equal(kernel.set_value, value, len);
}

static void expect_number(int name, int number)
{
	expect_set(name, &number, sizeof(number));
}

static void numbers_are_set(void **state)
{
	(void)state;
	assert_int_equal(subflow_add(FD, 3), 0);
	expect_number(TCP_MULTIPATH_ADD, 3);
	assert_int_equal(subflow_remove(FD, 2), 0);
	expect_number(TCP_MULTIPATH_REMOVE, 2);
	assert_int_equal(subflow_set_ndiffports(FD, 4), 0);
	expect_number(TCP_MULTIPATH_NDIFFPORTS, 4);
	assert_int_equal(subflow_set_intent(FD, TCP_MULTIPATH_INTENT_OFF), 0);
	expect_number(TCP_MULTIPATH_INTENT, 3);
}

static void sizes_have_64_bits(void **state)
{
	const uint64_t size = 0xfedcba9876543210;
	uint64_t bytes = 0;

	(void)state;
	assert_int_equal(subflow_set_expected(FD, size), 0);
	expect_set(TCP_MULTIPATH_EXPECTED, &size, sizeof(size));
	memcpy(kernel.answer, &size, sizeof(size));
	kernel.answer_len = sizeof(size);
	assert_int_equal(subflow_get_expected(FD, &bytes), 0);
	assert_int_equal(kernel.name, TCP_MULTIPATH_EXPECTED);
	assert_int_equal(bytes, size);
}

/* Of both families, the second behind the first without a gap. */
static const struct {
	struct sockaddr_in one;
	struct sockaddr_in6 other;
} list = {
	{.sin_family = AF_INET, .sin_port = 1, .sin_addr = {0x0200000a}},
	{.sin6_family = AF_INET6, .sin6_addr = {{{0x20, 1, [15] = 9}}}, .sin6_scope_id = 3},
};

static void lists_are_handed_over_as_they_are(void **state)
{
	const struct sockaddr *addrs = (const struct sockaddr *)&list;

	(void)state;
	assert_int_equal(sizeof(list), sizeof(struct sockaddr_in) + sizeof(struct sockaddr_in6));
	assert_int_equal(subflow_add_addrs(FD, addrs, sizeof(list)), 0);
	expect_set(TCP_MULTIPATH_ADD, &list, sizeof(list));
	assert_int_equal(subflow_remove_addrs(FD, addrs, sizeof(list.one)), 0);
	expect_set(TCP_MULTIPATH_REMOVE, &list, sizeof(list.one));
}

/* The kernel tells the two apart by their length alone. */
static void no_list_is_taken_for_a_number(void **state)
{
	const struct sockaddr *addrs = (const struct sockaddr *)&list;

	(void)state;
	assert_int_equal(subflow_add_addrs(FD, addrs, sizeof(int)), -EINVAL);
	assert_int_equal(subflow_remove_addrs(FD, addrs, sizeof(int)), -EINVAL);
	assert_int_equal(kernel.calls, 0);
}

static void expect_backup(const void *local, socklen_t len, uint32_t backup)
{
	struct tcp_multipath_backup expected;

	memset(&expected, 0, sizeof(expected));
	memcpy(&expected.local, local, len);
	expected.backup = backup;
	assert_int_equal(sizeof(expected), 32);
	assert_int_equal(subflow_set_backup(FD, local, len, backup), 0);
	expect_set(TCP_MULTIPATH_BACKUP, &expected, sizeof(expected));
}

static void backup_is_set_by_address(void **state)
{
	(void)state;
	expect_backup(&list.one, sizeof(list.one), 1);
	expect_backup(&list.other, sizeof(list.other), 0);
}

static void backup_of_what_is_no_address(void **state)
{
	const struct sockaddr *one = (const struct sockaddr *)&list.one;
	const struct sockaddr *other = (const struct sockaddr *)&list.other;
	const struct sockaddr_storage none = {.ss_family = AF_UNSPEC};

	(void)state;
	assert_int_equal(subflow_set_backup(FD, one, 0, true), -EINVAL);
	assert_int_equal(subflow_set_backup(FD, one, sizeof(list.one) - 1, true), -EINVAL);
	assert_int_equal(subflow_set_backup(FD, one, sizeof(list), true), -EINVAL);
	assert_int_equal(subflow_set_backup(FD, other, sizeof(list.one), true), -EINVAL);
	assert_int_equal(subflow_set_backup(FD, (const struct sockaddr *)&none, 16, true), -EINVAL);
	assert_int_equal(subflow_set_backup(FD, (const struct sockaddr *)&none, 0, true), -EINVAL);
	assert_int_equal(kernel.calls, 0);
}

static void numbers_are_read(void **state)
{
	enum tcp_multipath_intent intent = TCP_MULTIPATH_INTENT_DEFAULT;
	uint32_t connid = 0;
	bool is_on = false;
	int n = 0;

	(void)state;
	answer_number(1);
	assert_int_equal(subflow_enabled(FD, &is_on), 0);
	assert_int_equal(kernel.name, TCP_MULTIPATH_ENABLE);
	assert_true(is_on);
	answer_number(0);
	assert_int_equal(subflow_enabled(FD, &is_on), 0);
	assert_false(is_on);
	answer_number(0xfedcba98);
	assert_int_equal(subflow_connid(FD, &connid), 0);
	assert_int_equal(kernel.name, TCP_MULTIPATH_CONNID);
	assert_int_equal(connid, 0xfedcba98);
	answer_number(5);
	assert_int_equal(subflow_get_ndiffports(FD, &n), 0);
	assert_int_equal(kernel.name, TCP_MULTIPATH_NDIFFPORTS);
	assert_int_equal(n, 5);
	answer_number(2);
	assert_int_equal(subflow_get_intent(FD, &intent), 0);
	assert_int_equal(kernel.name, TCP_MULTIPATH_INTENT);
	assert_int_equal(intent, TCP_MULTIPATH_INTENT_INTERACTIVE);
}

static void errors_leave_outputs_alone(void **state)
{
	struct tcp_multipath_pair pair, was;
	enum tcp_multipath_intent intent = TCP_MULTIPATH_INTENT_OFF;
	uint64_t bytes = 42;
	uint32_t connid = 42;
	bool is_on = true;
	int total = 42;
	size_t n = 42;

	(void)state;
	memset(&pair, 0x55, sizeof(pair));
	was = pair;
	kernel.error = EDQUOT;
	assert_int_equal(subflow_add(FD, 1), -EDQUOT);
	assert_int_equal(subflow_remove(FD, 1), -EDQUOT);
	assert_int_equal(
		subflow_add_addrs(FD, (const struct sockaddr *)&list, sizeof(list)), -EDQUOT);
	assert_int_equal(
		subflow_remove_addrs(FD, (const struct sockaddr *)&list, sizeof(list)), -EDQUOT);
	assert_int_equal(subflow_set_ndiffports(FD, 1), -EDQUOT);
	assert_int_equal(subflow_get_ndiffports(FD, &total), -EDQUOT);
	assert_int_equal(
		subflow_set_backup(FD, (const struct sockaddr *)&list.one, sizeof(list.one), true),
		-EDQUOT);
	assert_int_equal(total, 42);
	assert_int_equal(subflow_set_expected(FD, 1), -EDQUOT);
	assert_int_equal(subflow_get_expected(FD, &bytes), -EDQUOT);
	assert_int_equal(bytes, 42);
	assert_int_equal(subflow_set_intent(FD, TCP_MULTIPATH_INTENT_BULK), -EDQUOT);
	assert_int_equal(subflow_get_intent(FD, &intent), -EDQUOT);
	assert_int_equal(intent, TCP_MULTIPATH_INTENT_OFF);
	assert_int_equal(subflow_enabled(FD, &is_on), -EDQUOT);
	assert_int_equal(subflow_connid(FD, &connid), -EDQUOT);
	assert_int_equal(subflow_list(FD, &pair, 1, &n), -EDQUOT);
	assert_true(is_on);
	assert_int_equal(connid, 42);
	assert_int_equal(n, 42);
	assert_memory_equal(&pair, &was, sizeof(pair));
}

static void subflows_are_listed(void **state)
{
	struct tcp_multipath_pair in[3] = {0}, out[3];
	size_t n = 0;

	(void)state;
	for (int i = 0; i < 3; i++) {
		in[i].local.sin.sin_port = (in_port_t)(i + 1);
		in[i].remote.sin6.sin6_scope_id = (uint32_t)i + 7;
	}
	memcpy(kernel.answer, in, sizeof(in));
	kernel.answer_len = sizeof(in);
	assert_int_equal(subflow_list(FD, out, 3, &n), 0);
	assert_int_equal(kernel.name, TCP_MULTIPATH_SUBFLOWS);
	/* Less, and the kernel would refuse a longer list without telling its length. */
	assert_int_equal(kernel.len, 4096);
	assert_int_equal(n, 3);
	assert_memory_equal(out, in, sizeof(in));
}

static void short_room_is_an_error(void **state)
{
	struct tcp_multipath_pair out[3], was[3];
	size_t n = 42;

	(void)state;
	memset(out, 0x55, sizeof(out));
	memcpy(was, out, sizeof(out));
	kernel.answer_len = sizeof(out);
	assert_int_equal(subflow_list(FD, out, 2, &n), -ERANGE);
	assert_int_equal(n, 42);
	assert_memory_equal(out, was, sizeof(out));
	assert_int_equal(subflow_list(FD, NULL, 0, &n), -ERANGE);
}

static void longest_list_fits(void **state)
{
	struct tcp_multipath_pair out[TCP_MULTIPATH_PAIRS_MAX];
	size_t n = 0;

	(void)state;
	memset(kernel.answer, 0x33, sizeof(kernel.answer));
	kernel.answer_len = sizeof(out);
	assert_int_equal(subflow_list(FD, out, TCP_MULTIPATH_PAIRS_MAX, &n), 0);
	assert_int_equal(n, TCP_MULTIPATH_PAIRS_MAX);
	assert_memory_equal(out, kernel.answer, sizeof(out));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(numbers_are_set, reset),
		cmocka_unit_test_setup(numbers_are_read, reset),
		cmocka_unit_test_setup(sizes_have_64_bits, reset),
		cmocka_unit_test_setup(lists_are_handed_over_as_they_are, reset),
		cmocka_unit_test_setup(no_list_is_taken_for_a_number, reset),
		cmocka_unit_test_setup(backup_is_set_by_address, reset),
		cmocka_unit_test_setup(backup_of_what_is_no_address, reset),
		cmocka_unit_test_setup(errors_leave_outputs_alone, reset),
		cmocka_unit_test_setup(subflows_are_listed, reset),
		cmocka_unit_test_setup(short_room_is_an_error, reset),
		cmocka_unit_test_setup(longest_list_fits, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
