/* SPDX-License-Identifier: MIT */
/*
 * What socket option calls cost, ns each, interleaved in blocks: on sockets of three cgroups
 * (a socket stays in the cgroup that it was made in): one that has no hooks of ours, one with
 * programs that do nothing, one that a daemon may have attached its hooks to. Beside them a call
 * that no hook sees, `control`: what it costs from one measurement to another is the machine's.
 *
 * calls OUTSIDE EMPTY INSIDE ADDRESS PORT; a line on standard input is one measurement, `bare`
 * without a daemon, `hooks` with one; the answer is one JSON object.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <subflow.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000ull

enum { BLOCKS = 201, CALLS = 500, ADD_SOCKETS = 20, ADDS = 16 };

struct subject {
	const char *name;
	int fd, level, option;
	bool is_set, is_ours, is_control;
	socklen_t len;
	double ns[BLOCKS];
};

static struct sockaddr_in address;

static void die(const char *what)
{
	fprintf(stderr, "calls: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static void enter(const char *cgroup)
{
	char path[PATH_MAX];
	FILE *file;

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	file = fopen(path, "we");
	if (!file || fputs("0", file) < 0 || fclose(file))
		die(path);
}

/*
 * Programs that let everything pass; they go with this process. That of the callbacks lets the
 * kernel's statistics say what a callback costs that does nothing, beside one that does.
 */
static void attach_empty(const char *cgroup)
{
	static const struct {
		const char *name;
		enum bpf_prog_type type;
		enum bpf_attach_type to;
	} kinds[] = {{"empty", BPF_PROG_TYPE_CGROUP_SOCKOPT, BPF_CGROUP_GETSOCKOPT},
		{"empty", BPF_PROG_TYPE_CGROUP_SOCKOPT, BPF_CGROUP_SETSOCKOPT},
		{"empty_ops", BPF_PROG_TYPE_SOCK_OPS, BPF_CGROUP_SOCK_OPS}};
	const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1},
		{.code = BPF_JMP | BPF_EXIT}};
	int cgroup_fd = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC), program;

	if (cgroup_fd < 0)
		die(cgroup);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = kinds[i].to);

		program = bpf_prog_load(kinds[i].type, kinds[i].name, "GPL", insns,
			sizeof(insns) / sizeof(*insns), &options);
		if (program < 0 || bpf_link_create(program, cgroup_fd, kinds[i].to, NULL) < 0)
			die("an empty program");
	}
	close(cgroup_fd);
}

static int made(int protocol)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, protocol);

	if (fd < 0)
		die("socket");
	return fd;
}

static int connected(void)
{
	int fd = made(IPPROTO_MPTCP);
	char request[128] = "s", answer[1024];

	/* A server of mice: its answer tells that the connection is fully established. */
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		send(fd, request, sizeof(request), MSG_NOSIGNAL) != sizeof(request) ||
		recv(fd, answer, sizeof(answer), MSG_WAITALL) != sizeof(answer))
		die("connect");
	return fd;
}

static double time_block(const struct subject *subject, int calls)
{
	static unsigned char value[4096];
	struct sockaddr_in name;
	uint64_t began_ns = now_ns();
	socklen_t len;
	int r = 0;

	for (int i = 0; i < calls; i++) {
		len = subject->len;
		if (subject->is_control)
			r |= getsockname(subject->fd, (struct sockaddr *)&name, &len);
		else if (subject->is_set)
			r |= setsockopt(subject->fd, subject->level, subject->option, value, len);
		else
			r |= getsockopt(subject->fd, subject->level, subject->option, value, &len);
	}
	if (r)
		die(subject->name);
	return (double)(now_ns() - began_ns) / calls;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), compare);
	return values[n / 2];
}

static void measure_blocks(struct subject *subjects, size_t n, bool has_hooks)
{
	for (int block = 0; block < BLOCKS; block++)
		for (size_t i = 0; i < n; i++)
			if (has_hooks || !subjects[i].is_ours)
				subjects[i].ns[block] = time_block(&subjects[i], CALLS);
	for (size_t i = 0; i < n; i++)
		if (has_hooks || !subjects[i].is_ours)
			printf("\"%s\": %.1f, ", subjects[i].name, median(subjects[i].ns, BLOCKS));
}

/* Accepted requests for one more subflow, on fresh connections, and TCP_NODELAY beside them. */
static void measure_adds(void)
{
	double adds[ADD_SOCKETS], natives[ADD_SOCKETS];
	struct subject native = {.name = "native",
		.level = IPPROTO_TCP,
		.option = TCP_NODELAY,
		.is_set = true,
		.len = sizeof(int)};
	int one = 1;
	uint64_t began_ns;

	for (int i = 0; i < ADD_SOCKETS; i++) {
		native.fd = connected();
		natives[i] = time_block(&native, ADDS);
		began_ns = now_ns();
		for (int n = 0; n < ADDS; n++)
			if (setsockopt(native.fd, IPPROTO_TCP, TCP_MULTIPATH_ADD, &one,
				    sizeof(one)) < 0)
				die("ADD");
		adds[i] = (double)(now_ns() - began_ns) / ADDS;
		close(native.fd);
	}
	printf("\"add\": %.1f, \"add_native\": %.1f, ", median(adds, ADD_SOCKETS),
		median(natives, ADD_SOCKETS));
}

/* ADD before connect(2): accepted and remembered, the daemon is not asked yet. */
static void measure_early_adds(void)
{
	double adds[ADD_SOCKETS];
	uint64_t began_ns;
	int one = 1, fd;

	for (int i = 0; i < ADD_SOCKETS; i++) {
		fd = made(IPPROTO_MPTCP);
		began_ns = now_ns();
		for (int n = 0; n < ADDS; n++)
			if (setsockopt(fd, IPPROTO_TCP, TCP_MULTIPATH_ADD, &one, sizeof(one)) < 0)
				die("ADD before connect");
		adds[i] = (double)(now_ns() - began_ns) / ADDS;
		close(fd);
	}
	printf("\"early_add\": %.1f, ", median(adds, ADD_SOCKETS));
}

static void measure(bool has_hooks, int outside, int empty, int inside)
{
	int mptcp = connected();
	struct subject subjects[] = {
		{"control", outside, 0, 0, false, false, true, sizeof(address), {0}},
		{"outside_set", outside, IPPROTO_TCP, TCP_NODELAY, true, false, false, 4, {0}},
		{"empty_set", empty, IPPROTO_TCP, TCP_NODELAY, true, false, false, 4, {0}},
		{"inside_set", inside, IPPROTO_TCP, TCP_NODELAY, true, false, false, 4, {0}},
		{"outside_get", outside, IPPROTO_TCP, TCP_NODELAY, false, false, false, 4, {0}},
		{"empty_get", empty, IPPROTO_TCP, TCP_NODELAY, false, false, false, 4, {0}},
		{"inside_get", inside, IPPROTO_TCP, TCP_NODELAY, false, false, false, 4, {0}},
		{"native_set", mptcp, IPPROTO_TCP, TCP_NODELAY, true, false, false, 4, {0}},
		{"native_get", mptcp, IPPROTO_TCP, TCP_NODELAY, false, false, false, 4, {0}},
		{"enable", mptcp, IPPROTO_TCP, TCP_MULTIPATH_ENABLE, false, true, false, 4, {0}},
		{"connid", mptcp, IPPROTO_TCP, TCP_MULTIPATH_CONNID, false, true, false, 4, {0}},
		{"subflows", mptcp, IPPROTO_TCP, TCP_MULTIPATH_SUBFLOWS, false, true, false, 4096,
			{0}},
	};

	printf("{");
	measure_blocks(subjects, sizeof(subjects) / sizeof(*subjects), has_hooks);
	if (has_hooks) {
		measure_adds();
		measure_early_adds();
	}
	printf("\"has_hooks\": %s}\n", has_hooks ? "true" : "false");
	fflush(stdout);
	close(mptcp);
}

int main(int argc, char **argv)
{
	int outside, empty, inside;
	char line[16];

	if (argc != 6 || inet_pton(AF_INET, argv[4], &address.sin_addr) != 1) {
		fprintf(stderr, "calls OUTSIDE EMPTY INSIDE ADDRESS PORT\n");
		return 2;
	}
	address.sin_family = AF_INET;
	address.sin_port = htons(atoi(argv[5]));
	enter(argv[1]);
	outside = made(IPPROTO_TCP);
	attach_empty(argv[2]);
	enter(argv[2]);
	empty = made(IPPROTO_TCP);
	enter(argv[3]);
	inside = made(IPPROTO_TCP);
	while (fgets(line, sizeof(line), stdin))
		measure(!strcmp(line, "hooks\n"), outside, empty, inside);
	return 0;
}
