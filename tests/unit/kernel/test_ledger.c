/* SPDX-License-Identifier: MIT */
/* The guardian's notes on disk: what is written is read again, and nothing else. */
#include "kernel/guardian.h"
#include "kernel/ledger.h"

#include "../unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BOOT "0f52e1a5-3f0c-4a7e-9a55-8f0d2f6d7d10"

static char folder[] = "/tmp/subflow-ledger-XXXXXX";
static struct ledger ledger;

static const struct guardian_note note = {.path = "/run/netns/a name",
	.cookie = UINT64_MAX,
	.inode = 4026531840,
	.sysctl = "mptcp/path_manager",
	.ours = "userspace",
	.before = "kernel"};

static const char *path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static int begin(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	ledger_open(&ledger, path_of("control"));
	return ledger.folder_fd < 0 ? -1 : 0;
}

static int end(void **state)
{
	(void)state;
	ledger_close(&ledger);
	return rmdir(folder);
}

static struct {
	int answer, calls;
	struct guardian_note last;
} heard;

static int hear(void *arg, const struct guardian_note *found)
{
	(void)arg;
	heard.calls++;
	heard.last = *found;
	return heard.answer;
}

/* How many there are. */
static int read_all(int answer)
{
	heard.answer = answer;
	heard.calls = 0;
	ledger_each(&ledger, hear, NULL);
	return heard.calls;
}

static void check_same(const struct guardian_note *found, const struct guardian_note *expected)
{
	assert_string_equal(found->path, expected->path);
	assert_true(found->cookie == expected->cookie);
	assert_int_equal(found->inode, expected->inode);
	assert_string_equal(found->sysctl, expected->sysctl);
	assert_string_equal(found->ours, expected->ours);
	assert_string_equal(found->before, expected->before);
}

static void what_is_written_stands_there_until_it_is_struck(void **state)
{
	struct guardian_note own = note;
	struct stat st;

	(void)state;
	assert_int_equal(ledger_write(&ledger, &note), 0);
	assert_int_equal(read_all(-EBUSY), 1);
	check_same(&heard.last, &note);
	assert_int_equal(stat(path_of("control.before.ffffffffffffffff"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	/* The last one of a namespace counts. */
	*own.path = '\0';
	assert_int_equal(ledger_write(&ledger, &own), 0);
	assert_int_equal(read_all(-EBUSY), 1);
	check_same(&heard.last, &own);
	own.cookie = 4711;
	assert_int_equal(ledger_write(&ledger, &own), 0);
	assert_int_equal(read_all(-EBUSY), 2);
	ledger_strike(&ledger, 4711);
	ledger_strike(&ledger, 4711);
	assert_int_equal(read_all(0), 1);
	assert_int_equal(read_all(0), 0);
}

static void what_is_in_the_way_is_not_written_to(void **state)
{
	struct stat st;
	int fd = open(path_of("control"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(symlink("control", path_of("control.before.new")), 0);
	assert_int_equal(symlink("control", path_of("control.before.ffffffffffffffff")), 0);
	assert_int_equal(ledger_write(&ledger, &note), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 0);
	close(fd);
	assert_int_equal(unlink(path_of("control")), 0);
	assert_int_equal(read_all(0), 1);
}

static void a_note_that_is_called_wrong_is_struck(void **state)
{
	(void)state;
	assert_int_equal(ledger_write(&ledger, &note), 0);
	assert_int_equal(read_all(-EBADMSG), 1);
	assert_int_equal(read_all(0), 0);
}

static void without_a_folder_nothing_is_written(void **state)
{
	struct ledger none;

	(void)state;
	ledger_open(&none, path_of("missing/control"));
	assert_int_equal(ledger_write(&none, &note), -ENOENT);
	ledger_strike(&none, note.cookie);
	heard.calls = 0;
	ledger_each(&none, hear, NULL);
	assert_int_equal(heard.calls, 0);
	ledger_close(&none);
}

/* As long as the daemon lives, and not longer. */
static void what_a_guardian_is_told_stands_there(void **state)
{
	struct guardian_note told = {.path = "/proc/self/ns/there-is-none",
		.cookie = 1,
		.sysctl = "enabled",
		.ours = "1",
		.before = "0"};
	struct guardian guardian;

	(void)state;
	assert_int_equal(guardian_start(&guardian, -1, -1, &ledger), 0);
	for (told.cookie = 1; told.cookie <= 3; told.cookie++)
		assert_int_equal(guardian_tell(&guardian, &told), 0);
	assert_int_equal(read_all(-EBUSY), 3);
	told.cookie = 2;
	*told.sysctl = '\0';
	assert_int_equal(guardian_tell(&guardian, &told), 0);
	assert_int_equal(read_all(-EBUSY), 2);
	guardian_stop(&guardian);
	assert_int_equal(read_all(-EBUSY), 0);
}

static int decode(const char *text, struct guardian_note *ret_note)
{
	return ledger_decode(text, strlen(text), BOOT, ret_note);
}

static void malformed_ones(void **state)
{
	static const char *const wrong[] = {"", "\n", BOOT "\n", BOOT " 7 8 s o b\n",
		BOOT " 7 8 s o b /p", BOOT " 0 8 s o b /p\n", BOOT " x 8 s o b /p\n",
		BOOT " 7 x s o b /p\n", BOOT " 7 8 s o bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb /p\n"};
	char text[GUARDIAN_PATH_MAX + 100];
	struct guardian_note found = {.cookie = 9};
	int len;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_int_equal(decode(wrong[i], &found), -EBADMSG);
	assert_int_equal(decode("1" BOOT " 7 8 s o b /p\n", &found), -ESTALE);
	assert_int_equal(ledger_decode("\0\n", 2, BOOT, &found), -EBADMSG);
	len = sprintf(text, BOOT " 7 8 s o b ");
	memset(text + len, 'p', GUARDIAN_PATH_MAX);
	strcpy(text + len + GUARDIAN_PATH_MAX, "\n");
	assert_int_equal(decode(text, &found), -EBADMSG);
	assert_int_equal(found.cookie, 9);
	strcpy(text + len + GUARDIAN_PATH_MAX - 1, "\n");
	assert_int_equal(decode(text, &found), 0);
	assert_int_equal(strlen(found.path), GUARDIAN_PATH_MAX - 1);
	assert_int_equal(decode(BOOT " 7 8 s o b a\nb\n", &found), 0);
	assert_string_equal(found.path, "a\nb");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_stands_there_until_it_is_struck),
		cmocka_unit_test(what_is_in_the_way_is_not_written_to),
		cmocka_unit_test(a_note_that_is_called_wrong_is_struck),
		cmocka_unit_test(without_a_folder_nothing_is_written),
		cmocka_unit_test(what_a_guardian_is_told_stands_there),
		cmocka_unit_test(malformed_ones),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
