/* SPDX-License-Identifier: MIT */
/* Where libsubflow-preload.so is. */
#ifndef PRELOAD_H
#define PRELOAD_H

#include <limits.h>

/*
 * The preload object's absolute path: SUBFLOW_PRELOAD from the environment,
 * else ../lib beside this program (the build tree), else where it was
 * installed. On -ENOENT the places that were searched are in @ret_path.
 */
int preload_find(char ret_path[PATH_MAX]);

#endif
