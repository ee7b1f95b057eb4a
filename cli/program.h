/* SPDX-License-Identifier: MIT */
/* Programs that `subflow run` starts, as far as LD_PRELOAD is concerned. */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <limits.h>
#include <stdbool.h>

/*
 * Why a preload object has no effect on the program that execvp(3) finds by
 * @name; NULL if it has, or nothing can be told. @ret_path then is the file
 * that the kernel would load: of a script, its interpreter.
 */
const char *program_find_obstacle(const char *name, char ret_path[PATH_MAX]);

/* The same of an open file; NULL also if it is no ELF file. */
const char *program_read_obstacle(int fd);

/* Whether the file @fd is a script; its interpreter's path is then in @ret_path. */
bool program_read_interpreter(int fd, char ret_path[PATH_MAX]);

#endif
