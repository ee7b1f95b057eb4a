/* SPDX-License-Identifier: MIT */
/* The file of `subflowd --record`: what the plan hears and does, up to a size. */
#ifndef SUBFLOW_RECORDER_H
#define SUBFLOW_RECORDER_H

#include "core/tape.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECORDER_MB_DEFAULT 64

struct recorder {
	int fd; /* -1: nothing is recorded, or nothing more */
	const char *path;
	uint64_t written_bytes, most_bytes;
	uint64_t last_line; /* where it begins */
	bool is_short;      /* it has ended before the daemon */
	struct plan *plan;
	struct tape tape;
};

/*
 * Makes the file; one that is there is kept as PATH.old. @path is the caller's, and stays. On error
 * @error says what is wrong.
 */
int recorder_open(struct recorder *recorder, const char *path, uint64_t most_bytes, char *error,
	size_t error_size);

/* From now on what @plan hears is recorded. Without recorder_open() nothing is. */
void recorder_begin(struct recorder *recorder, struct plan *plan);

/* Writes what there is. When the file is full, or the disk, that ends the recording alone,
 * and it says so. */
void recorder_write(struct recorder *recorder);

void recorder_close(struct recorder *recorder);

#endif
