/* SPDX-License-Identifier: MIT */
#include "visit.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

int visit_sockets(
	const struct bpf_program *program, int map_fd, int (*take)(void *arg, int fd), void *arg)
{
	union bpf_iter_link_info info = {.map.map_fd = map_fd};
	struct bpf_iter_attach_opts opts;
	struct bpf_link *link;
	int fd, err;

	/* All of it: libbpf refuses what an initialiser leaves in the padding. */
	memset(&opts, 0, sizeof(opts));
	opts.sz = sizeof(opts);
	if (map_fd >= 0) {
		opts.link_info = &info;
		opts.link_info_len = sizeof(info);
	}
	link = bpf_program__attach_iter(program, &opts);
	if (!link)
		return -errno;
	fd = bpf_iter_create(bpf_link__fd(link));
	if (fd < 0) {
		err = -errno;
	} else {
		err = take(arg, fd);
		close(fd);
	}
	bpf_link__destroy(link);
	return err;
}
