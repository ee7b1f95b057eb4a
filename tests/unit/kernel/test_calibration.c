/* SPDX-License-Identifier: MIT */
/* Which bit tells a fallback: real connections on loopback, and hooks that the test plays. */
#include "kernel/calibration.h"

#include "../unit.h"

#include <errno.h>
#include <linux/mptcp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

int __wrap_unshare(int flags);
int __wrap_ioctl(int fd, unsigned long request, ...);
void __wrap_netns_leave(void);
int __wrap_getsockopt(int fd, int level, int option, void *value, socklen_t *len);

static struct {
	uint32_t flags[3]; /* of the healthy one [1] and the fallen one [2] */
	int marked;
	unsigned int left, fallbacks;
	bool shows_strangers, flickers, hides_one;
	int walk_error;
} kernel;

/* No namespace of our own: loopback is up where the test runs. */
int __wrap_unshare(int flags)
{
	(void)flags;
	return 0;
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	(void)fd;
	(void)request;
	return 0;
}

void __wrap_netns_leave(void)
{
	kernel.left++;
}

/* Of the connections that should not, so many fall back. */
int __wrap_getsockopt(int fd, int level, int option, void *value, socklen_t *len)
{
	(void)fd;
	(void)value;
	(void)len;
	assert_int_equal(level, SOL_MPTCP);
	assert_int_equal(option, MPTCP_INFO);
	if (!kernel.fallbacks)
		return 0;
	kernel.fallbacks--;
	errno = EOPNOTSUPP;
	return -1;
}

int hooks_mark(struct hooks *hooks, int fd, uint32_t generation)
{
	(void)hooks;
	assert_true(fd >= 0);
	assert_in_range(generation, CALIBRATION_MARK, CALIBRATION_MARK + 1);
	kernel.marked++;
	return 0;
}

int hooks_walk(
	struct hooks *hooks, void (*each)(void *arg, const struct wide_record *record), void *arg)
{
	struct wide_record wide = {};

	(void)hooks;
	for (uint32_t i = 1; i <= 2; i++) {
		if (i == 2 && kernel.hides_one)
			break;
		wide.record.generation = CALIBRATION_MARK + i - 1;
		wide.record.msk_flags = kernel.flags[i];
		if (kernel.flickers && kernel.marked == 2 && i == 2)
			wide.record.msk_flags |= 0x40;
		each(arg, &wide);
	}
	wide.record.generation = 2;
	wide.record.msk_flags = ~0u;
	if (kernel.shows_strangers)
		each(arg, &wide);
	return kernel.walk_error;
}

static int set_up(void **state)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP);

	*state = NULL;
	if (fd < 0) /* calibration needs a kernel with MPTCP */
		return -1;
	close(fd);
	kernel = (__typeof__(kernel)){.flags = {0, 0x10, 0x14}};
	return 0;
}

static int run(uint64_t *ret_mask)
{
	struct hooks hooks = {};
	int err = calibration_run(&hooks, ret_mask);

	assert_int_equal(kernel.left, 1); /* whatever happened */
	return err;
}

static void finds_the_bit_that_differs(void **state)
{
	uint64_t mask = 0;

	(void)state;
	assert_int_equal(run(&mask), 0);
	assert_int_equal(mask, 0x4);
	assert_int_equal(kernel.marked, 2 * 3);
}

static void looks_at_its_own_sockets_only(void **state)
{
	uint64_t mask = 0;

	(void)state;
	kernel.shows_strangers = true;
	assert_int_equal(run(&mask), 0);
	assert_int_equal(mask, 0x4);
}

static void says_when_nothing_differs(void **state)
{
	uint64_t mask = 77;

	(void)state;
	kernel.flags[2] = kernel.flags[1];
	assert_int_equal(run(&mask), -ENODATA);
	assert_int_equal(mask, 77);
}

static void a_bit_that_comes_and_goes_is_none(void **state)
{
	uint64_t mask = 0;

	(void)state;
	kernel.flickers = true;
	assert_int_equal(run(&mask), 0);
	assert_int_equal(mask, 0x4);
}

static void what_fell_back_and_should_not_is_tried_again(void **state)
{
	uint64_t mask = 0;

	(void)state;
	kernel.fallbacks = 49;
	assert_int_equal(run(&mask), 0);
	assert_int_equal(mask, 0x4);
	assert_int_equal(kernel.marked, 2 * 3);
}

static void says_when_all_fall_back(void **state)
{
	uint64_t mask = 77;

	(void)state;
	kernel.fallbacks = 50;
	assert_int_equal(run(&mask), -EUSERS);
	assert_int_equal(mask, 77);
	assert_int_equal(kernel.fallbacks, 0);
}

/* Two stable ones: which of them it is cannot be told. */
static void says_when_more_than_one_differs(void **state)
{
	uint64_t mask = 77;

	(void)state;
	kernel.flags[2] = kernel.flags[1] | 0x24;
	assert_int_equal(run(&mask), -ENODATA);
	assert_int_equal(mask, 77);
}

static void says_when_a_socket_is_not_shown(void **state)
{
	uint64_t mask = 77;

	(void)state;
	kernel.hides_one = true;
	assert_int_equal(run(&mask), -ENODATA);
	assert_int_equal(mask, 77);
}

static void says_when_there_is_no_walk(void **state)
{
	uint64_t mask = 77;

	(void)state;
	kernel.walk_error = -EPERM;
	assert_int_equal(run(&mask), -EPERM);
	assert_int_equal(mask, 77);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(finds_the_bit_that_differs, set_up),
		cmocka_unit_test_setup(looks_at_its_own_sockets_only, set_up),
		cmocka_unit_test_setup(says_when_nothing_differs, set_up),
		cmocka_unit_test_setup(a_bit_that_comes_and_goes_is_none, set_up),
		cmocka_unit_test_setup(what_fell_back_and_should_not_is_tried_again, set_up),
		cmocka_unit_test_setup(says_when_all_fall_back, set_up),
		cmocka_unit_test_setup(says_when_more_than_one_differs, set_up),
		cmocka_unit_test_setup(says_when_a_socket_is_not_shown, set_up),
		cmocka_unit_test_setup(says_when_there_is_no_walk, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
