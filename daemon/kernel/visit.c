/* SPDX-License-Identifier: MIT */
#include "visit.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

/* The least that can be asked: whether a program that does nothing is refused. */
static bool is_refused(void)
{
	const struct bpf_insn nothing[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_TRACE_ITER);
	int id = libbpf_find_vmlinux_btf_id("bpf_sk_storage_map", BPF_TRACE_ITER), fd;

	if (id < 0)
		return true;
	opts.attach_btf_id = id;
	fd = bpf_prog_load(BPF_PROG_TYPE_TRACING, NULL, "GPL", nothing,
		sizeof(nothing) / sizeof(*nothing), &opts);
	if (fd < 0)
		return true;
	close(fd);
	return false;
}

void visit_choose(const struct visitor *visitor)
{
	bpf_program__set_autoload(is_refused() ? visitor->by_map : visitor->by_files, false);
}

static int visit(const struct bpf_program *program, const struct bpf_iter_attach_opts *opts,
	int (*take)(void *arg, int fd), void *arg)
{
	struct bpf_link *link = bpf_program__attach_iter(program, opts);
	int fd, err;

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

int visit_kept(const struct visitor *visitor, int map_fd, int (*take)(void *arg, int fd), void *arg)
{
	union bpf_iter_link_info info = {.map.map_fd = map_fd};
	struct bpf_iter_attach_opts opts;

	if (!bpf_program__autoload(visitor->by_map))
		return visit(visitor->by_files, NULL, take, arg);
	/* All of it: libbpf refuses what an initialiser leaves in the padding. */
	memset(&opts, 0, sizeof(opts));
	opts.sz = sizeof(opts);
	opts.link_info = &info;
	opts.link_info_len = sizeof(info);
	return visit(visitor->by_map, &opts, take, arg);
}

ssize_t visit_read(int fd, void *buffer, size_t size)
{
	ssize_t n;

	while ((n = read(fd, buffer, size)) < 0 && (errno == EINTR || errno == EAGAIN))
		;
	return n < 0 ? -errno : n;
}

int visit_sockets(const struct bpf_program *program, int (*take)(void *arg, int fd), void *arg)
{
	return visit(program, NULL, take, arg);
}
