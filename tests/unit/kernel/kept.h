/* SPDX-License-Identifier: MIT */
/* Maps of sockets' storage, and sockets, as the kernel that is running has them. */
#ifndef TEST_KEPT_H
#define TEST_KEPT_H

#include <stddef.h>

/* A socket storage map of values of so many bytes; its descriptor. */
int kept_map(size_t value_size);

/* An MPTCP socket, not connected. */
int kept_socket(void);

/* Which way the walk takes: what the kernel lets it, or by files all the same. For a link with
 * --wrap=visit_choose. */
extern int kept_by_files;

/* A test by each of the two: its state is NULL, then not. */
#define KEPT_TEST_TWICE(name, teardown)                                                            \
	cmocka_unit_test_prestate_setup_teardown(name, NULL, teardown, NULL),                      \
	{                                                                                          \
#name "_by_files", name, NULL, teardown, &kept_by_files                            \
	}

#endif
