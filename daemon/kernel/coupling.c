/* SPDX-License-Identifier: MIT */
/* The coupled congestion control: known to the kernel while somebody wants it. */
#include "coupling.h"

#include "base/log.h"

#include "coupled.skel.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Kernels from 6.4: include/uapi/linux/bpf.h. Without a link it would outlive us. */
#define MAP_OF_LINK  (1u << 13) /* BPF_F_LINK */
#define ATTACH_TO_CC 44         /* BPF_STRUCT_OPS */

static int register_it(struct coupled_bpf *skeleton, int *ret_fd)
{
	struct bpf_map *map = skeleton->maps.coupled;
	struct bpf_link *link = bpf_map__attach_struct_ops(map);
	int fd;

	if (!link)
		return -errno;
	/* Up to libbpf 1.1 the map is only filled by that. */
	if (bpf_link__fd(link) == bpf_map__fd(map))
		fd = bpf_link_create(bpf_map__fd(map), 0, ATTACH_TO_CC, NULL);
	else
		fd = dup(bpf_link__fd(link));
	if (fd < 0)
		fd = -errno;
	bpf_link__disconnect(link);
	bpf_link__destroy(link);
	if (fd < 0)
		return fd;
	*ret_fd = fd;
	return 0;
}

static int start(struct coupling *coupling)
{
	struct coupled_bpf *skeleton = coupled_bpf__open();
	int err;

	if (!skeleton)
		return -errno;
	err = bpf_map__set_map_flags(skeleton->maps.coupled, MAP_OF_LINK);
	if (!err)
		err = coupled_bpf__load(skeleton);
	if (!err)
		err = register_it(skeleton, &coupling->fd);
	if (err) {
		coupled_bpf__destroy(skeleton);
		return err;
	}
	coupling->skeleton = skeleton;
	return 0;
}

static void stop(struct coupling *coupling)
{
	close(coupling->fd);
	coupled_bpf__destroy(coupling->skeleton);
	coupling->skeleton = NULL;
}

void coupling_set(struct coupling *coupling, bool is_wanted)
{
	int err = 0;

	if (is_wanted && !coupling->skeleton)
		err = start(coupling);
	else if (!is_wanted && coupling->skeleton)
		stop(coupling);
	if (err == -EEXIST)
		log_warning("[fairness] coupled: another subflowd of this host has it");
	else if (err)
		log_warning("[fairness] coupled: this kernel cannot have it, subflows keep the "
			    "congestion control that they have: %s",
			strerror(-err));
}
