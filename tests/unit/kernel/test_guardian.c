/* SPDX-License-Identifier: MIT */
/* The guardian's life: it is told, it ends when its daemon does, and holds the lock until then. */
#include "kernel/guardian.h"

#include "../unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

/* Of a namespace that there is not: nothing is restored. */
static const struct guardian_note note = {.path = "/proc/self/ns/there-is-none",
	.cookie = 1,
	.sysctl = "enabled",
	.ours = "1",
	.before = "1"};

static void keeps_notes_and_ends(void **state)
{
	struct guardian guardian;

	(void)state;
	assert_int_equal(guardian_start(&guardian, -1), 0);
	for (int i = 0; i < 100; i++)
		assert_int_equal(guardian_tell(&guardian, &note), 0);
	assert_int_equal(kill(guardian.pid, 0), 0);
	guardian_stop(&guardian);
	assert_int_equal(guardian.fd, -1);
	assert_int_equal(kill(guardian.pid, 0), -1);
	assert_int_equal(errno, ESRCH);
	guardian_stop(&guardian); /* again: nothing */
}

static void one_that_was_killed_cannot_be_told(void **state)
{
	struct guardian guardian;
	char byte;

	(void)state;
	assert_int_equal(guardian_start(&guardian, -1), 0);
	assert_int_equal(kill(guardian.pid, SIGKILL), 0);
	assert_int_equal(read(guardian.fd, &byte, 1), 0); /* how the daemon learns of it */
	assert_int_equal(guardian_tell(&guardian, &note), -EPIPE);
	guardian_stop(&guardian);
}

static void holds_the_lock(void **state)
{
	struct guardian guardian;
	int lock = memfd_create("lock", MFD_CLOEXEC), again;
	char path[64];

	(void)state;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", lock);
	again = open(path, O_RDWR | O_CLOEXEC);
	assert_true(again >= 0);
	assert_int_equal(flock(lock, LOCK_EX | LOCK_NB), 0);
	assert_int_equal(guardian_start(&guardian, lock), 0);
	assert_int_equal(guardian_tell(&guardian, &note), 0);
	close(lock);
	assert_int_equal(flock(again, LOCK_EX | LOCK_NB), -1);
	guardian_stop(&guardian);
	assert_int_equal(flock(again, LOCK_EX | LOCK_NB), 0);
	close(again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_notes_and_ends),
		cmocka_unit_test(one_that_was_killed_cannot_be_told),
		cmocka_unit_test(holds_the_lock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
