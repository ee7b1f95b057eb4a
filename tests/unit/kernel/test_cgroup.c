/* SPDX-License-Identifier: MIT */
/* Finding cgroup2 among mounts. */
#include "kernel/cgroup.h"

#include "../base/file.h"
#include "../unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int find(const char *mounts, char *ret_path, size_t size)
{
	char path[FILE_PATH_MAX];
	int fd = file_make(mounts, strlen(mounts), path);
	int err = cgroup_find_root(path, ret_path, size);

	file_remove(fd);
	return err;
}

static void finds_it(void **state)
{
	char path[64];

	(void)state;
	assert_int_equal(find("proc /proc proc rw 0 0\n"
			      "cgroup2 /sys/fs/cgroup/unified cgroup2 rw,nsdelegate 0 0\n"
			      "none /elsewhere cgroup2 rw 0 0\n",
				 path, sizeof(path)),
		0);
	assert_string_equal(path, "/sys/fs/cgroup/unified");
}

static void takes_blanks_in_paths(void **state)
{
	char path[64];

	(void)state;
	assert_int_equal(find("none /sys\\040fs/c\\134g cgroup2 rw 0 0\n", path, sizeof(path)), 0);
	assert_string_equal(path, "/sys fs/c\\g");
}

static void there_may_be_none(void **state)
{
	char path[64] = "untouched";

	(void)state;
	assert_int_equal(
		find("cgroup /sys/fs/cgroup cgroup rw 0 0\n", path, sizeof(path)), -ENOENT);
	assert_int_equal(find("", path, sizeof(path)), -ENOENT);
	assert_int_equal(cgroup_find_root("/proc/self/there-is-none", path, sizeof(path)), -ENOENT);
	assert_string_equal(path, "untouched");
}

static void a_path_must_fit(void **state)
{
	char path[8] = "before";

	(void)state;
	assert_int_equal(
		find("none /sys/fs/cgroup cgroup2 rw 0 0\n", path, sizeof(path)), -ENAMETOOLONG);
	assert_string_equal(path, "before");
	assert_int_equal(find("none /cgroup cgroup2 rw 0 0\n", path, sizeof(path)), 0);
	assert_string_equal(path, "/cgroup");
}

/* Any tree of folders will do: an id is an inode. */
static void a_cgroup_is_below_another(void **state)
{
	char root[] = "/tmp/subflow-cgroup-XXXXXX", a[64], b[64], c[64];
	struct stat st;

	(void)state;
	assert_non_null(mkdtemp(root));
	snprintf(a, sizeof(a), "%s/a", root);
	snprintf(b, sizeof(b), "%s/a/b", root);
	snprintf(c, sizeof(c), "%s/c", root);
	assert_int_equal(mkdir(a, 0755) + mkdir(b, 0755) + mkdir(c, 0755), 0);
	assert_int_equal(stat(b, &st), 0);
	assert_true(cgroup_is_below(root, st.st_ino));
	assert_true(cgroup_is_below(a, st.st_ino));
	assert_true(cgroup_is_below(b, st.st_ino));
	assert_false(cgroup_is_below(c, st.st_ino));
	assert_false(cgroup_is_below("/tmp/there-is-none", st.st_ino));
	assert_int_equal(stat(a, &st), 0);
	assert_false(cgroup_is_below(b, st.st_ino));
	assert_false(cgroup_is_below(root, 0));
	assert_int_equal(rmdir(b) + rmdir(a) + rmdir(c) + rmdir(root), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_it),
		cmocka_unit_test(takes_blanks_in_paths),
		cmocka_unit_test(there_may_be_none),
		cmocka_unit_test(a_path_must_fit),
		cmocka_unit_test(a_cgroup_is_below_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
