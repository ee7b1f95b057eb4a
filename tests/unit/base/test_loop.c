/* SPDX-License-Identifier: MIT */
/* The event loop, over pipes. */
#include "base/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "../unit.h"

/* One end of a pipe in a loop, and what happens when it is ready. */
struct watched {
	struct source source;
	struct loop *loop;
	struct watched *victim; /* removed and freed when this one is ready */
	int other_fd;
	int *calls;
	int stop_at; /* calls */
	uint32_t events;
};

static void free_watched(struct watched *watched)
{
	close(watched->source.fd);
	if (watched->other_fd >= 0)
		close(watched->other_fd);
	free(watched);
}

static struct watched *last_ready;

static void ready(struct source *source, uint32_t events)
{
	struct watched *watched = SOURCE_OWNER(source, struct watched, source);
	struct watched *victim = watched->victim;

	last_ready = watched;
	watched->events = events;
	if (++*watched->calls == watched->stop_at)
		loop_stop(watched->loop);
	if (victim) {
		watched->victim = NULL;
		loop_remove(victim->loop, &victim->source);
		free_watched(victim);
	}
}

/* Watches the reading end of a pipe that holds a byte. */
static struct watched *watch(struct loop *loop, int *calls, int stop_at)
{
	struct watched *watched = calloc(1, sizeof(*watched));
	int ends[2];

	assert_non_null(watched);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "x", 1), 1);
	*watched = (struct watched){
		.source = {.fd = ends[0], .ready = ready},
		.loop = loop,
		.other_fd = ends[1],
		.calls = calls,
		.stop_at = stop_at,
	};
	assert_int_equal(loop_add(loop, &watched->source, EPOLLIN), 0);
	return watched;
}

static int make_loop(void **state)
{
	static struct loop loop;

	*state = &loop;
	return loop_init(&loop);
}

static int free_loop(void **state)
{
	loop_done(*state);
	return 0;
}

static void calls_what_is_ready(void **state)
{
	struct loop *loop = *state;
	int calls = 0;
	struct watched *watched = watch(loop, &calls, 1);

	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(calls, 1);
	assert_int_equal(watched->events, EPOLLIN);
	free_watched(watched);
}

static void tells_a_hangup(void **state)
{
	struct loop *loop = *state;
	int calls = 0;
	struct watched *watched = watch(loop, &calls, 1);

	close(watched->other_fd);
	watched->other_fd = -1;
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(watched->events, EPOLLIN | EPOLLHUP);
	free_watched(watched);
}

/* It stays ready: nobody reads the byte. */
static void runs_until_it_is_stopped(void **state)
{
	struct loop *loop = *state;
	int calls = 0;
	struct watched *watched = watch(loop, &calls, 5);

	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(calls, 5);
	watched->stop_at = 6;
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(calls, 6);
	free_watched(watched);
}

static void a_source_may_free_another_that_is_ready(void **state)
{
	struct loop *loop = *state;
	int calls = 0;
	struct watched *a = watch(loop, &calls, 2), *b = watch(loop, &calls, 2);

	/* Whichever is called first frees the other one, then is called again. */
	a->victim = b;
	b->victim = a;
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(calls, 2);
	free_watched(last_ready);
}

static void a_source_may_free_itself(void **state)
{
	struct loop *loop = *state;
	int calls = 0;
	struct watched *self = watch(loop, &calls, 0), *last = watch(loop, &calls, 3);

	self->victim = self;
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(calls, 3);
	free_watched(last);
}

static void changes_what_is_waited_for(void **state)
{
	struct loop *loop = *state;
	int calls = 0, other_calls = 0;
	struct watched *muted = watch(loop, &calls, 0), *other = watch(loop, &other_calls, 3);

	assert_int_equal(loop_change(loop, &muted->source, 0), 0);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(calls, 0);
	free_watched(muted);
	free_watched(other);
}

static void passes_errors_on(void **state)
{
	struct loop *loop = *state;
	struct source nothing = {.fd = -1};
	int calls = 0;
	struct watched *watched = watch(loop, &calls, 1);

	assert_int_equal(loop_add(loop, &nothing, EPOLLIN), -EBADF);
	assert_int_equal(loop_add(loop, &watched->source, EPOLLIN), -EEXIST);
	loop_remove(loop, &watched->source);
	assert_int_equal(loop_change(loop, &watched->source, EPOLLIN), -ENOENT);
	free_watched(watched);
}

static void clock_does_not_go_back(void **state)
{
	uint64_t before = loop_now_ns();

	(void)state;
	assert_true(before > 0);
	assert_true(loop_now_ns() >= before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(calls_what_is_ready, make_loop, free_loop),
		cmocka_unit_test_setup_teardown(tells_a_hangup, make_loop, free_loop),
		cmocka_unit_test_setup_teardown(runs_until_it_is_stopped, make_loop, free_loop),
		cmocka_unit_test_setup_teardown(
			a_source_may_free_another_that_is_ready, make_loop, free_loop),
		cmocka_unit_test_setup_teardown(a_source_may_free_itself, make_loop, free_loop),
		cmocka_unit_test_setup_teardown(changes_what_is_waited_for, make_loop, free_loop),
		cmocka_unit_test_setup_teardown(passes_errors_on, make_loop, free_loop),
		cmocka_unit_test(clock_does_not_go_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
