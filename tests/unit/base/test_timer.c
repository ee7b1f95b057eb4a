/* SPDX-License-Identifier: MIT */
/* Timers of the loop: once, again and again, not at all. */
#include "base/timer.h"

#include <poll.h>

#include "../unit.h"

#define MS        1000000ull
#define SOON_MS   5
#define AT_ONCE   1 /* a moment of long ago */
#define NEVER_MS  50
#define TIMES_MAX 3

struct clockwork {
	struct loop loop;
	struct source timer;
	unsigned int times;
};

static void ready(struct source *source, uint32_t events)
{
	struct clockwork *clockwork = SOURCE_OWNER(source, struct clockwork, timer);

	(void)events;
	assert_true(timer_has_expired(source));
	if (++clockwork->times == TIMES_MAX)
		loop_stop(&clockwork->loop);
}

static int begin(void **state)
{
	static struct clockwork clockwork;

	clockwork = (struct clockwork){.timer = {.fd = -1, .ready = ready}};
	*state = &clockwork;
	return loop_init(&clockwork.loop) || timer_open(&clockwork.timer, &clockwork.loop);
}

static int end(void **state)
{
	struct clockwork *clockwork = *state;

	timer_close(&clockwork->timer);
	assert_int_equal(clockwork->timer.fd, -1);
	timer_close(&clockwork->timer);
	loop_done(&clockwork->loop);
	return 0;
}

static bool is_ready_within(const struct source *timer, int ms)
{
	return poll(&(struct pollfd){.fd = timer->fd, .events = POLLIN}, 1, ms) == 1;
}

static void one_that_is_armed_is_ready_once_and_not_before(void **state)
{
	struct clockwork *clockwork = *state;
	uint64_t at_ns = loop_now_ns() + SOON_MS * MS;

	assert_int_equal(timer_arm(&clockwork->timer, at_ns), 0);
	assert_true(is_ready_within(&clockwork->timer, 10000));
	assert_true(loop_now_ns() >= at_ns);
	assert_true(timer_has_expired(&clockwork->timer));
	assert_false(is_ready_within(&clockwork->timer, NEVER_MS));
}

static void a_moment_that_has_passed_is_now(void **state)
{
	struct clockwork *clockwork = *state;

	assert_int_equal(timer_arm(&clockwork->timer, AT_ONCE), 0);
	assert_true(is_ready_within(&clockwork->timer, 10000));
}

static void zero_is_never_and_what_was_armed_before_is_forgotten(void **state)
{
	struct clockwork *clockwork = *state;

	assert_int_equal(timer_arm(&clockwork->timer, AT_ONCE), 0);
	assert_true(is_ready_within(&clockwork->timer, 10000));
	assert_int_equal(timer_arm(&clockwork->timer, 0), 0);
	assert_false(timer_has_expired(&clockwork->timer));
	assert_false(is_ready_within(&clockwork->timer, NEVER_MS));
}

static void one_that_repeats_calls_again_and_again(void **state)
{
	struct clockwork *clockwork = *state;

	assert_int_equal(timer_repeat(&clockwork->timer, SOON_MS * MS), 0);
	assert_int_equal(loop_run(&clockwork->loop), 0);
	assert_int_equal(clockwork->times, TIMES_MAX);
}

static void one_that_is_not_open_says_so(void **state)
{
	struct source timer = {.fd = -1};

	(void)state;
	assert_true(timer_arm(&timer, AT_ONCE) < 0);
	assert_true(timer_repeat(&timer, MS) < 0);
	assert_false(timer_has_expired(&timer));
}

#define WITH_CLOCKWORK(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_CLOCKWORK(one_that_is_armed_is_ready_once_and_not_before),
		WITH_CLOCKWORK(a_moment_that_has_passed_is_now),
		WITH_CLOCKWORK(zero_is_never_and_what_was_armed_before_is_forgotten),
		WITH_CLOCKWORK(one_that_repeats_calls_again_and_again),
		cmocka_unit_test(one_that_is_not_open_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
