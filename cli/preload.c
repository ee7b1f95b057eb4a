/* SPDX-License-Identifier: MIT */
/* Finds the object that makes a program's TCP sockets MPTCP. */
#include "preload.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OBJECT "libsubflow-preload.so"

/* The path beside this program; empty when /proc does not tell. */
static void write_neighbour(char ret_path[PATH_MAX])
{
	char exe[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	char *slash;

	*ret_path = '\0';
	if (n <= 0)
		return;
	exe[n] = '\0';
	slash = strrchr(exe, '/');
	if (!slash || slash - exe > PATH_MAX - 64)
		return;
	*slash = '\0';
	snprintf(ret_path, PATH_MAX, "%.4000s/../lib/" OBJECT, exe);
}

int preload_find(char ret_path[PATH_MAX])
{
	const char *env = getenv("SUBFLOW_PRELOAD");
	char neighbour[PATH_MAX];

	if (env && *env) {
		if (realpath(env, ret_path) && access(ret_path, R_OK) == 0)
			return 0;
		snprintf(ret_path, PATH_MAX, "%s (SUBFLOW_PRELOAD)", env);
		return -ENOENT;
	}
	write_neighbour(neighbour);
	if (*neighbour && realpath(neighbour, ret_path) && access(ret_path, R_OK) == 0)
		return 0;
	if (realpath(SUBFLOW_LIBDIR "/" OBJECT, ret_path) && access(ret_path, R_OK) == 0)
		return 0;
	snprintf(ret_path, PATH_MAX, "%.3000s, " SUBFLOW_LIBDIR "/" OBJECT, neighbour);
	return -ENOENT;
}
