/* SPDX-License-Identifier: MIT */
/*
 * A BPF program looks at every socket: of a namespace, or that has something in a map of theirs.
 * Some hardened kernels let no program walk a map. What processes have open is looked through
 * there, by a second program that does the same with what it finds: so a socket is missed that no
 * process has a descriptor of, since it is on its way to another or was not yet accepted.
 */
#ifndef SUBFLOW_VISIT_H
#define SUBFLOW_VISIT_H

#include <sys/types.h>

struct bpf_program;

/* Programs of one object, which visit_choose() is told before it is loaded. */
struct visitor {
	struct bpf_program *by_map;   /* iter/bpf_sk_storage_map */
	struct bpf_program *by_files; /* iter/task_file, where the kernel refuses the other */
};

/* Has the kernel load the one of the two that it does not refuse. */
void visit_choose(const struct visitor *visitor);

/*
 * Runs @visitor over the sockets that have something in the map of @map_fd. It goes on while @take
 * reads from @fd, which stays ours, what it writes, to its end. Returns what @take does, or the
 * kernel's negative errno.
 */
int visit_kept(
	const struct visitor *visitor, int map_fd, int (*take)(void *arg, int fd), void *arg);

/*
 * read(2) for @take: 0 at the end, or -errno. It goes on where the kernel has let go after a
 * million descriptors that nothing was written of (kernel/bpf/bpf_iter.c: MAX_ITER_OBJECTS).
 */
ssize_t visit_read(int fd, void *buffer, size_t size);

/* Likewise @program (iter/tcp) over the TCP sockets of the namespace that the thread is in. */
int visit_sockets(const struct bpf_program *program, int (*take)(void *arg, int fd), void *arg);

#endif
