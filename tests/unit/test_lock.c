/* SPDX-License-Identifier: MIT */
/* One daemon a control socket: who gets the lock, and what stands in the way. */
#include "lock.h"

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int __wrap_nanosleep(const struct timespec *interval, struct timespec *ret_left);

static struct {
	char folder[64], path[80], lock[96];
	int holder;                /* the descriptor that is closed while somebody waits, or -1 */
	unsigned int waits, holds; /* waits so far; how many of them the holder stays */
} scene;

/* Time passes as the test says. */
int __wrap_nanosleep(const struct timespec *interval, struct timespec *ret_left)
{
	(void)interval;
	(void)ret_left;
	if (++scene.waits == scene.holds && scene.holder >= 0)
		close(scene.holder);
	return 0;
}

static int set_up(void **state)
{
	(void)state;
	memset(&scene, 0, sizeof(scene));
	scene.holder = -1;
	strcpy(scene.folder, "/tmp/subflow-lock-XXXXXX");
	assert_non_null(mkdtemp(scene.folder));
	snprintf(scene.path, sizeof(scene.path), "%s/in/control", scene.folder);
	snprintf(scene.lock, sizeof(scene.lock), "%s.lock", scene.path);
	return 0;
}

static int tear_down(void **state)
{
	char folder[80];

	(void)state;
	snprintf(folder, sizeof(folder), "%s/in", scene.folder);
	unlink(scene.lock);
	rmdir(folder);
	return rmdir(scene.folder);
}

static int take(int *ret_fd, char error[256])
{
	return lock_take(scene.path, ret_fd, error, 256);
}

static void makes_the_folder_and_the_file(void **state)
{
	char error[256];
	struct stat st;
	int fd = -1;

	(void)state;
	assert_int_equal(take(&fd, error), 0);
	assert_int_equal(stat(scene.lock, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(scene.waits, 0);
	close(fd);
}

static void a_second_one_waits_and_gives_up(void **state)
{
	int fd = -1, second = -1;
	char error[256];

	(void)state;
	assert_int_equal(take(&fd, error), 0);
	assert_int_equal(take(&second, error), -EBUSY);
	assert_int_equal(second, -1);
	assert_non_null(strstr(error, scene.path));
	assert_true(scene.waits > 0);
	close(fd);
}

/* A guardian that is still at its work. */
static void a_second_one_gets_what_is_let_go(void **state)
{
	char error[256];
	int second = -1;

	(void)state;
	assert_int_equal(take(&scene.holder, error), 0);
	scene.holds = 3;
	assert_int_equal(take(&second, error), 0);
	assert_int_equal(scene.waits, 3);
	close(second);
}

static void says_what_is_in_the_way(void **state)
{
	char error[256], path[PATH_MAX + 16];
	int fd = -1;

	(void)state;
	assert_int_equal(lock_take("/proc/self/there/is/none", &fd, error, sizeof(error)), -ENOENT);
	assert_non_null(strstr(error, "/proc/self/there/is"));
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(lock_take(path, &fd, error, sizeof(error)), -ENAMETOOLONG);
	assert_int_equal(fd, -1);
}

/* Whoever may write to the folder could take the lock away, or have it put elsewhere. */
static void a_folder_that_is_open_to_others_is_refused(void **state)
{
	char error[256], folder[80];
	int fd = -1;

	(void)state;
	snprintf(folder, sizeof(folder), "%s/in", scene.folder);
	assert_int_equal(mkdir(folder, 0755), 0);
	for (int open = 0; open < 2; open++) {
		assert_int_equal(chmod(folder, open ? 0757 : 0775), 0);
		assert_int_equal(take(&fd, error), -EPERM);
		assert_non_null(strstr(error, folder));
		assert_int_equal(access(scene.lock, F_OK), -1);
	}
	/* As /tmp: what is somebody's stays theirs. */
	assert_int_equal(chmod(folder, 01777), 0);
	assert_int_equal(take(&fd, error), 0);
	close(fd);
}

static void what_is_in_the_locks_place_is_not_followed(void **state)
{
	char error[256], folder[80], elsewhere[80];
	int fd = -1;

	(void)state;
	snprintf(folder, sizeof(folder), "%s/in", scene.folder);
	snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", scene.folder);
	assert_int_equal(mkdir(folder, 0755), 0);
	assert_int_equal(symlink(elsewhere, scene.lock), 0);
	assert_int_equal(take(&fd, error), -ELOOP);
	assert_non_null(strstr(error, scene.lock));
	assert_int_equal(access(elsewhere, F_OK), -1);
	unlink(scene.lock);
	assert_int_equal(mkfifo(scene.lock, 0600), 0);
	assert_int_equal(take(&fd, error), -EPERM);
	unlink(scene.lock);
	/* One that others may hold would never be let go. */
	assert_int_equal(mknod(scene.lock, S_IFREG, 0), 0);
	assert_int_equal(chmod(scene.lock, 0666), 0);
	assert_int_equal(take(&fd, error), -EPERM);
	assert_int_equal(fd, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(makes_the_folder_and_the_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_second_one_waits_and_gives_up, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_second_one_gets_what_is_let_go, set_up, tear_down),
		cmocka_unit_test_setup_teardown(says_what_is_in_the_way, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_folder_that_is_open_to_others_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			what_is_in_the_locks_place_is_not_followed, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
