/* SPDX-License-Identifier: MIT */
/* Where maps that outlive the daemon are: in a folder of its own, and nowhere else. */
#include "kernel/pins.h"

#include "../unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[] = "/tmp/test-pins-XXXXXX", mounts[64], folder[128];

static void write_mounts(const char *text)
{
	FILE *file = fopen(mounts, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static int set_up(void **state)
{
	char line[128];

	(void)state;
	assert_non_null(mkdtemp(root));
	snprintf(mounts, sizeof(mounts), "%s/mounts", root);
	snprintf(folder, sizeof(folder), "%s/subflow_2frun_2fa-b_2ec", root);
	snprintf(line, sizeof(line), "proc /proc proc rw 0 0\nbpf %s bpf rw 0 0\n", root);
	write_mounts(line);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(mounts);
	assert_int_equal(rmdir(root), 0);
	strcpy(root + strlen(root) - 6, "XXXXXX");
	return 0;
}

static bool is_there(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return access(path, F_OK) == 0;
}

static void make(const char *name)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
}

static void what_somebody_else_has_made_is_not_touched(void **state)
{
	char elsewhere[64], victim[128];
	struct pins pins;
	int fd;

	(void)state;
	snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", root);
	snprintf(victim, sizeof(victim), "%s/passwd", elsewhere);
	assert_int_equal(mkdir(elsewhere, 0700), 0);
	fd = open(victim, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
	/* Open to others: who knows what is in it. */
	assert_int_equal(mkdir(folder, 0700) | chmod(folder, 0777), 0);
	assert_int_equal(pins_open(&pins, mounts, "/run/a-b.c"), -EPERM);
	assert_string_equal(pins.folder, "");
	assert_int_equal(rmdir(folder), 0);
	/* A link in its place. */
	assert_int_equal(symlink(elsewhere, folder), 0);
	assert_int_equal(pins_open(&pins, mounts, "/run/a-b.c"), -EPERM);
	assert_int_equal(unlink(folder), 0);
	assert_int_equal(access(victim, F_OK), 0);
	if (geteuid() == 0) { /* of another user */
		assert_int_equal(mkdir(folder, 0700) | chown(folder, 1, 1), 0);
		assert_int_equal(pins_open(&pins, mounts, "/run/a-b.c"), -EPERM);
		assert_int_equal(rmdir(folder), 0);
	}
	assert_int_equal(unlink(victim) | rmdir(elsewhere), 0);
}

static void the_folder_is_named_by_the_socket(void **state)
{
	struct pins pins;
	char path[PATH_MAX];

	(void)state;
	assert_int_equal(pins_open(&pins, mounts, "/run/a-b.c"), 0);
	assert_string_equal(pins.folder, folder);
	pins_path(&pins, "intents", "1-2", path);
	assert_string_equal(path + strlen(folder), "/intents-1-2");
	pins_drop(&pins);
	assert_string_equal(pins.folder, "");
	assert_int_equal(access(folder, F_OK), -1);
	pins_drop(&pins);
}

static void other_layouts_go_and_this_one_stays(void **state)
{
	struct pins pins, other;
	char layout[NAME_MAX + 1];

	(void)state;
	assert_int_equal(pins_open(&pins, mounts, "/run/a-b.c"), 0);
	assert_int_equal(pins_open(&other, mounts, "/run/d"), 0);
	make("intents-1-2");
	make("intents-1-3");
	make("stranger");
	assert_int_equal(pins_open(&pins, mounts, "/run/a-b.c"), 0);
	assert_true(pins_find_other(&pins, "1-2", layout));
	assert_string_equal(layout, "1-3");
	assert_true(is_there("stranger"));
	pins_clear(&pins, "1-2");
	assert_false(pins_find_other(&pins, "1-2", layout));
	assert_true(is_there("intents-1-2"));
	assert_false(is_there("intents-1-3"));
	assert_false(is_there("stranger"));
	pins_drop(&pins);
	assert_int_equal(access(other.folder, F_OK), 0);
	pins_drop(&other);
}

static void without_a_file_system_there_is_nothing(void **state)
{
	struct pins pins;

	(void)state;
	write_mounts("proc /proc proc rw 0 0\n");
	assert_int_equal(pins_open(&pins, mounts, "/run/a"), -ENOENT);
	assert_string_equal(pins.folder, "");
	pins_drop(&pins);
	assert_int_equal(pins_open(&pins, "/nowhere/mounts", "/run/a"), -ENOENT);
}

static void a_name_that_is_too_long_is_refused(void **state)
{
	char socket[108];
	struct pins pins;

	(void)state;
	memset(socket, '.', sizeof(socket) - 1);
	socket[0] = '/';
	socket[sizeof(socket) - 1] = '\0';
	assert_int_equal(pins_open(&pins, mounts, socket), -ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			the_folder_is_named_by_the_socket, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			what_somebody_else_has_made_is_not_touched, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			other_layouts_go_and_this_one_stays, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			without_a_file_system_there_is_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_name_that_is_too_long_is_refused, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
