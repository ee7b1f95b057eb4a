/* SPDX-License-Identifier: MIT */
/* Checks of what the BPF half of subflowd needs: privileges, cgroup2, BTF, programs, maps. */
#include "doctor.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <mntent.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CGROUP_PATH_SIZE = 256, PROGRAMS_MAX = 64 };

static void check_capabilities(struct host *host, struct finding *f)
{
	/* CAP_SYS_ADMIN, which setns(2) needs, includes CAP_BPF and CAP_PERFMON. */
	static const struct {
		const char *name;
		int number;
	} wanted[] = {
		{"CAP_NET_ADMIN", CAP_NET_ADMIN},
		{"CAP_SYS_ADMIN", CAP_SYS_ADMIN},
		{"CAP_NET_BROADCAST", CAP_NET_BROADCAST},
	};
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};
	char missing[96] = "";

	if (syscall(SYS_capget, &header, data) < 0) {
		doctor_found(f, STATE_UNKNOWN, NULL, "capget(2): %s", strerror(errno));
		return;
	}
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		size_t len = strlen(missing);
		int n = wanted[i].number;

		if (!(data[n / 32].effective >> n % 32 & 1))
			snprintf(missing + len, sizeof(missing) - len, "%s%s", len ? ", " : "",
				wanted[i].name);
	}
	if (*missing && geteuid() != 0)
		doctor_found(f, STATE_UNKNOWN, "run as root", "this user has no %s", missing);
	else if (*missing)
		doctor_found(f, STATE_FAIL, "run outside of the container, or grant them to it",
			"this root has no %s", missing);
	else if (!host->is_privileged)
		doctor_found(f, STATE_UNKNOWN, "run as root of the host",
			"all, but in a user namespace only");
	else
		doctor_found(f, STATE_OK, NULL, "all that subflowd needs");
}

static void check_btf(struct host *host, struct finding *f)
{
	if (access("/sys/kernel/btf/vmlinux", R_OK) < 0)
		doctor_found(f, STATE_FAIL, "a kernel with CONFIG_DEBUG_INFO_BTF=y",
			"/sys/kernel/btf/vmlinux: %s", strerror(errno));
	else if (!host->btf)
		doctor_found(f, STATE_FAIL, "a kernel with CONFIG_DEBUG_INFO_BTF=y",
			"/sys/kernel/btf/vmlinux cannot be parsed");
	else if (btf__find_by_name_kind(host->btf, "mptcp_sock", BTF_KIND_STRUCT) < 0)
		doctor_found(f, STATE_FAIL, "a kernel with CONFIG_MPTCP=y",
			"the kernel's types do not include struct mptcp_sock");
	else
		doctor_found(f, STATE_OK, NULL, "the kernel shows its types");
}

static int find_mount(const char *type, char *ret_path, size_t size)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct mntent *mount;
	int r = -ENOENT;

	if (!mounts)
		return -errno;
	while (r < 0 && (mount = getmntent(mounts))) {
		if (strcmp(mount->mnt_type, type))
			continue;
		snprintf(ret_path, size, "%s", mount->mnt_dir);
		r = 0;
	}
	endmntent(mounts);
	return r;
}

static void check_cgroup2(struct host *host, struct finding *f)
{
	char path[CGROUP_PATH_SIZE];
	int r = find_mount("cgroup2", path, sizeof(path));

	(void)host;
	if (r == -ENOENT)
		doctor_found(f, STATE_FAIL,
			"mount -t cgroup2 none /sys/fs/cgroup/unified (inside \"ip netns exec\" it "
			"is hidden: use nsenter --net=FILE)",
			"not mounted");
	else if (r < 0)
		doctor_found(f, STATE_UNKNOWN, NULL, "/proc/self/mounts: %s", strerror(-r));
	else
		doctor_found(f, STATE_OK, NULL, "mounted on %s", path);
}

/* Where what applications have asked for outlives the daemon. */
static void check_bpf_files(struct host *host, struct finding *f)
{
	char path[CGROUP_PATH_SIZE];
	int r = find_mount("bpf", path, sizeof(path));

	(void)host;
	if (r == -ENOENT)
		doctor_found(f, STATE_WARN, "mount -t bpf -o mode=0700 bpf /sys/fs/bpf",
			"not mounted: what applications have asked for is forgotten when subflowd "
			"ends");
	else if (r < 0)
		doctor_found(f, STATE_UNKNOWN, NULL, "/proc/self/mounts: %s", strerror(-r));
	else
		doctor_found(f, STATE_OK, NULL, "mounted on %s", path);
}

/* A program that was attached without a MULTI flag lets no second one in. */
static void check_attach_point(struct host *host, struct finding *f)
{
	static const struct {
		const char *name;
		enum bpf_attach_type type;
	} hooks[] = {
		{"setsockopt", BPF_CGROUP_SETSOCKOPT},
		{"getsockopt", BPF_CGROUP_GETSOCKOPT},
		{"sock_ops", BPF_CGROUP_SOCK_OPS},
	};
	char path[CGROUP_PATH_SIZE];
	int fd;

	if (!host->is_privileged) {
		doctor_unprivileged(f);
		return;
	}
	fd = find_mount("cgroup2", path, sizeof(path)) < 0
		     ? -1
		     : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		doctor_found(f, STATE_UNKNOWN, NULL, "no cgroup2 to look at");
		return;
	}
	doctor_found(f, STATE_OK, NULL, "%s takes our programs", path);
	for (size_t i = 0; i < sizeof(hooks) / sizeof(hooks[0]); i++) {
		uint32_t flags = 0, ids[PROGRAMS_MAX], count = PROGRAMS_MAX;

		if (bpf_prog_query(fd, hooks[i].type, 0, &flags, ids, &count) < 0) {
			/* ENOSPC: many programs, so each of them admits others. */
			if (errno == ENOSPC)
				continue;
			doctor_found(f, STATE_FAIL, "a kernel with CONFIG_CGROUP_BPF=y",
				"%s does not show its %s programs: %s", path, hooks[i].name,
				strerror(errno));
			break;
		}
		if (count && !(flags & BPF_F_ALLOW_MULTI)) {
			char remedy[CGROUP_PATH_SIZE + 64];

			snprintf(remedy, sizeof(remedy),
				"bpftool cgroup show %s; detach it, or have it attached with multi",
				path);
			doctor_found(f, STATE_FAIL, remedy,
				"a %s program (id %u) on %s admits no other", hooks[i].name, ids[0],
				path);
			break;
		}
	}
	close(fd);
}

/* @probed: 1 there, 0 not there, -errno. */
static void report_probe(
	struct host *host, struct finding *f, int probed, const char *what, const char *remedy)
{
	if (!host->is_privileged)
		doctor_unprivileged(f);
	else if (probed > 0)
		doctor_found(f, STATE_OK, NULL, "%s", what);
	else if (probed == 0)
		doctor_found(f, STATE_FAIL, remedy, "this kernel refuses it");
	else
		doctor_found(
			f, STATE_FAIL, remedy, "this kernel refuses it: %s", strerror(-probed));
}

static void check_sockopt(struct host *host, struct finding *f)
{
	int r = host->is_privileged ? libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_CGROUP_SOCKOPT, NULL)
				    : 0;

	report_probe(
		host, f, r, "a cgroup_sockopt program loads", "a kernel with CONFIG_CGROUP_BPF=y");
}

static void check_sock_ops(struct host *host, struct finding *f)
{
	int r = host->is_privileged ? libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_SOCK_OPS, NULL) : 0;

	report_probe(host, f, r, "a sock_ops program loads", "a kernel with CONFIG_CGROUP_BPF=y");
}

static void check_mptcp_helper(struct host *host, struct finding *f)
{
	int r = host->is_privileged ? libbpf_probe_bpf_helper(BPF_PROG_TYPE_SOCK_OPS,
					      BPF_FUNC_skc_to_mptcp_sock, NULL)
				    : 0;

	report_probe(host, f, r, "sock_ops programs may call bpf_skc_to_mptcp_sock",
		"a kernel with bpf_skc_to_mptcp_sock");
}

static void check_storage(struct host *host, struct finding *f)
{
	int r = host->is_privileged ? libbpf_probe_bpf_map_type(BPF_MAP_TYPE_SK_STORAGE, NULL) : 0;

	report_probe(host, f, r, "a socket storage map can be made", "a kernel with CONFIG_NET=y");
}

static void check_ring(struct host *host, struct finding *f)
{
	int r = host->is_privileged ? libbpf_probe_bpf_map_type(BPF_MAP_TYPE_RINGBUF, NULL) : 0;

	report_probe(host, f, r, "a ring buffer can be made", "a kernel with BPF_MAP_TYPE_RINGBUF");
}

/* Loads, and unloads at once, a tracing program that returns 0. 0 or -errno. */
static int try_tracing(struct host *host, const char *function, enum bpf_attach_type type)
{
	const struct bpf_insn program[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = type);
	int fd, id;

	id = host->btf ? btf__find_by_name_kind(host->btf, function, BTF_KIND_FUNC) : -ENOENT;
	if (id < 0)
		return -ENOENT;
	opts.attach_btf_id = (uint32_t)id;
	fd = bpf_prog_load(BPF_PROG_TYPE_TRACING, NULL, "GPL", program,
		sizeof(program) / sizeof(program[0]), &opts);
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

/* Hardened kernels let no program walk a map: subflowd looks through open files there. */
static void check_iterator(struct host *host, struct finding *f)
{
	int by_map, by_files;

	if (!host->is_privileged) {
		doctor_unprivileged(f);
		return;
	}
	by_map = try_tracing(host, "bpf_iter_bpf_sk_storage_map", BPF_TRACE_ITER);
	by_files = by_map ? try_tracing(host, "bpf_iter_task_file", BPF_TRACE_ITER) : 0;
	if (!by_map)
		doctor_found(f, STATE_OK, NULL, "a program can walk the socket storage");
	else if (!by_files)
		doctor_found(f, STATE_OK, NULL,
			"no program can walk a map (%s): open files are walked instead",
			strerror(-by_map));
	else
		doctor_found(f, STATE_FAIL,
			"a kernel with the BPF iterators bpf_sk_storage_map or task_file",
			"this kernel refuses it: %s", strerror(-by_files));
}

/* Nothing of subflowd hangs on it: what it would do, `subflow run` does. */
static void check_mptcpify(struct host *host, struct finding *f)
{
	int r;

	if (!host->is_privileged) {
		doctor_unprivileged(f);
		return;
	}
	r = try_tracing(host, "update_socket_protocol", BPF_MODIFY_RETURN);
	if (r == 0)
		doctor_found(f, STATE_OK, NULL, "BPF can make TCP sockets MPTCP here");
	else
		doctor_found(f, STATE_OK, NULL,
			"not here (%s), and not needed: \"subflow run\" makes programs MPTCP",
			r == -ENOENT ? "no update_socket_protocol" : strerror(-r));
}

const struct check bpf_checks[] = {
	{"capabilities", check_capabilities},
	{"btf", check_btf},
	{"cgroup2", check_cgroup2},
	{"bpf-file-system", check_bpf_files},
	{"cgroup-hooks", check_attach_point},
	{"bpf-sockopt", check_sockopt},
	{"bpf-sock_ops", check_sock_ops},
	{"bpf-mptcp-helper", check_mptcp_helper},
	{"bpf-socket-storage", check_storage},
	{"bpf-ring-buffer", check_ring},
	{"bpf-iterator", check_iterator},
	{"mptcp-by-bpf", check_mptcpify},
	{0},
};
