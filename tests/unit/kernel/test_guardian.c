/* SPDX-License-Identifier: MIT */
/* The guardian's life: it is told, it ends when its daemon does, and holds locks until then. */
#include "kernel/claim.h"
#include "kernel/guardian.h"

#include "../unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
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
	assert_int_equal(guardian_start(&guardian, -1, -1, NULL), 0);
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
	assert_int_equal(guardian_start(&guardian, -1, -1, NULL), 0);
	assert_int_equal(kill(guardian.pid, SIGKILL), 0);
	assert_int_equal(read(guardian.fd, &byte, 1), 0); /* how the daemon learns of it */
	assert_int_equal(guardian_tell(&guardian, &note), -EPIPE);
	guardian_stop(&guardian);
}

static long data_kb(pid_t pid)
{
	char path[64], line[128];
	long kb = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "re");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file) && sscanf(line, "VmData: %ld", &kb) != 1)
		;
	fclose(file);
	return kb;
}

/* Namespaces come and go by the thousand where containers do. */
static void forgets_what_it_is_told_to(void **state)
{
	struct guardian guardian;
	struct guardian_note new = note;
	long before;

	(void)state;
	assert_int_equal(guardian_start(&guardian, -1, -1, NULL), 0);
	assert_int_equal(guardian_tell(&guardian, &note), 0);
	before = data_kb(guardian.pid);
	for (int i = 0; i < 5000; i++) {
		new.cookie = 2 + i;
		strcpy(new.sysctl, note.sysctl);
		assert_int_equal(guardian_tell(&guardian, &new), 0);
		assert_int_equal(guardian_tell(&guardian, &new), 0);
		*new.sysctl = '\0';
		assert_int_equal(guardian_tell(&guardian, &new), 0);
		assert_int_equal(guardian_tell(&guardian, &new), 0);
	}
	assert_in_range(data_kb(guardian.pid), 1, before + 1024);
	guardian_stop(&guardian);
}

/* Both, and nothing else that is open here. */
static void holds_the_claims_and_the_lock(void **state)
{
	struct guardian guardian;
	int claims = memfd_create("claims", MFD_CLOEXEC), pipe_fds[2];
	int lock = memfd_create("lock", MFD_CLOEXEC), again, other;
	char path[64], byte;

	(void)state;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", lock);
	again = open(path, O_RDWR | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", claims);
	other = open(path, O_RDWR | O_CLOEXEC);
	assert_true(again >= 0 && other >= 0);
	assert_int_equal(pipe(pipe_fds), 0);
	assert_int_equal(flock(lock, LOCK_EX | LOCK_NB), 0);
	assert_int_equal(claim_take(claims, 4711), 0);
	assert_int_equal(guardian_start(&guardian, claims, lock, NULL), 0);
	assert_int_equal(guardian_tell(&guardian, &note), 0);
	close(lock);
	close(claims);
	close(pipe_fds[1]);
	assert_int_equal(read(pipe_fds[0], &byte, 1), 0); /* nobody else has its other end */
	assert_int_equal(flock(again, LOCK_EX | LOCK_NB), -1);
	assert_int_equal(claim_take(other, 4711), -EBUSY);
	guardian_stop(&guardian);
	assert_int_equal(flock(again, LOCK_EX | LOCK_NB), 0);
	assert_int_equal(claim_take(other, 4711), 0);
	close(again);
	close(other);
	close(pipe_fds[0]);
}

#define SYSCTL "/proc/sys/net/ipv4/tcp_syn_retries"

static void write_sysctl(const char *value)
{
	FILE *file = fopen(SYSCTL, "we");

	assert_non_null(file);
	fputs(value, file);
	assert_int_equal(fclose(file), 0);
}

static int read_sysctl(void)
{
	FILE *file = fopen(SYSCTL, "re");
	int value = -1;

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%d", &value), 1);
	fclose(file);
	return value;
}

static int play_sysctl(const char *now)
{
	const struct guardian_note told = {
		.sysctl = "ipv4/tcp_syn_retries", .before = "1", .ours = "2"};
	struct guardian guardian;

	assert_int_equal(guardian_start(&guardian, -1, -1, NULL), 0);
	assert_int_equal(guardian_tell(&guardian, &told), 0);
	write_sysctl(now);
	guardian_stop(&guardian);
	return read_sysctl();
}

/* In a network namespace of this test's own, which takes root. */
static void puts_back_what_is_ours_alone(void **state)
{
	(void)state;
	if (unshare(CLONE_NEWNET) < 0)
		skip();
	assert_int_equal(play_sysctl("2"), 1);
	assert_int_equal(play_sysctl("3"), 3);
	assert_int_equal(play_sysctl("1"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_notes_and_ends),
		cmocka_unit_test(one_that_was_killed_cannot_be_told),
		cmocka_unit_test(forgets_what_it_is_told_to),
		cmocka_unit_test(holds_the_claims_and_the_lock),
		cmocka_unit_test(puts_back_what_is_ours_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
