/* SPDX-License-Identifier: MIT */
/*
 * Other ways to count bytes, to be measured beside ours. `prototype packets DEVICE`: each packet in
 * and out, in tc. `prototype rounds CGROUP`: each round trip of each socket in it. It says `ready`,
 * and takes its programs with it when its standard input ends.
 */
#include "prototype.skel.h"

#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void wait_for_the_end(void)
{
	char c;

	puts("ready");
	fflush(stdout);
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
}

static void count_packets(const struct prototype_bpf *prototype, const char *device)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = if_nametoindex(device),
		.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);
	LIBBPF_OPTS(bpf_tc_opts, in, .prog_fd = bpf_program__fd(prototype->progs.count_packet));
	LIBBPF_OPTS(bpf_tc_opts, out, .prog_fd = bpf_program__fd(prototype->progs.count_packet));

	if (!hook.ifindex || bpf_tc_hook_create(&hook))
		die(device);
	hook.attach_point = BPF_TC_INGRESS;
	if (bpf_tc_attach(&hook, &in))
		die("ingress");
	hook.attach_point = BPF_TC_EGRESS;
	if (bpf_tc_attach(&hook, &out))
		die("egress");
	wait_for_the_end();
	hook.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS;
	bpf_tc_hook_destroy(&hook);
}

static void count_rounds(const struct prototype_bpf *prototype, const char *cgroup)
{
	int fd = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct bpf_link *link;

	if (fd < 0)
		die(cgroup);
	link = bpf_program__attach_cgroup(prototype->progs.count_round, fd);
	if (!link)
		die(cgroup);
	wait_for_the_end();
	bpf_link__destroy(link);
	close(fd);
}

int main(int argc, char **argv)
{
	struct prototype_bpf *prototype;

	if (argc != 3 || (strcmp(argv[1], "packets") && strcmp(argv[1], "rounds"))) {
		fprintf(stderr, "usage: prototype packets DEVICE | prototype rounds CGROUP\n");
		return 2;
	}
	prototype = prototype_bpf__open_and_load();
	if (!prototype)
		die("prototype");
	if (!strcmp(argv[1], "packets"))
		count_packets(prototype, argv[2]);
	else
		count_rounds(prototype, argv[2]);
	prototype_bpf__destroy(prototype);
	return 0;
}
