/* SPDX-License-Identifier: MIT */
/* A BPF program looks at every socket: of a namespace, or that has something in a map of theirs. */
#ifndef SUBFLOW_VISIT_H
#define SUBFLOW_VISIT_H

struct bpf_program;

/*
 * Runs @program, an iterator over the map of @map_fd, or with -1 over the TCP sockets of the
 * namespace that the thread is in. It goes on while @take reads from @fd, which
 * stays ours, what it writes, to its end. Returns what @take does, or the kernel's negative errno.
 */
int visit_sockets(
	const struct bpf_program *program, int map_fd, int (*take)(void *arg, int fd), void *arg);

#endif
