/* SPDX-License-Identifier: MIT */
/* Files in memory, for what reads a path. */
#ifndef TEST_FILE_H
#define TEST_FILE_H

#include <stddef.h>

#define FILE_PATH_MAX 32

/* A file with this content; *@ret_path names it until file_remove(). Returns its descriptor. */
int file_make(const void *content, size_t size, char ret_path[FILE_PATH_MAX]);
void file_remove(int fd);

#endif
