/* SPDX-License-Identifier: MIT */
/* The BPF programs: loading and attaching. */
#include "hooks.h"

#include "base/log.h"
#include "kernel/carry.h"
#include "kernel/maps.h"
#include "kernel/ring.h"
#include "kernel/visit.h"

#include "subflow.skel.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

static int print_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
	char line[600];

	vsnprintf(line, sizeof(line), format, args);
	line[strcspn(line, "\n")] = '\0';
	if (*line && level != LIBBPF_DEBUG)
		log_debug("%s", line);
	return 0;
}

static bool has_capability(unsigned int capability)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, data) < 0)
		return true; /* the load will tell */
	return data[capability / 32].effective & 1u << capability % 32;
}

static int check_host(char *error, size_t error_size)
{
	static const struct {
		unsigned int number;
		const char *name;
	} needed[] = {{CAP_BPF, "CAP_BPF"}, {CAP_PERFMON, "CAP_PERFMON"},
		{CAP_NET_ADMIN, "CAP_NET_ADMIN"}, {CAP_SYS_ADMIN, "CAP_SYS_ADMIN"}};

	for (size_t i = 0; i < sizeof(needed) / sizeof(*needed); i++) {
		if (has_capability(needed[i].number))
			continue;
		snprintf(error, error_size, "%s is missing: run subflowd as root", needed[i].name);
		return -EPERM;
	}
	if (access("/sys/kernel/btf/vmlinux", R_OK) < 0) {
		snprintf(error, error_size,
			"this kernel shows no BTF (/sys/kernel/btf/vmlinux): it needs "
			"CONFIG_DEBUG_INFO_BTF=y, and /sys mounted");
		return -ENOENT;
	}
	return 0;
}

void hooks_keep(struct hooks *hooks, const char *socket)
{
	hooks->keep_error = pins_open(&hooks->pins, "/proc/self/mounts", socket);
}

static void say_what_is_kept(const struct hooks *hooks)
{
	if (hooks->keep_error == -ENOENT)
		log_info("no BPF file system is mounted: what applications have asked for does not "
			 "outlive this daemon; mount -t bpf -o mode=0700 bpf /sys/fs/bpf");
	else if (hooks->keep_error == -EPERM)
		log_warning(
			"what applications have asked for does not outlive this daemon: the "
			"folder `subflow_...` of the BPF file system is somebody else's or open to "
			"others; remove it");
	else if (hooks->keep_error)
		log_warning("what applications have asked for does not outlive this daemon: %s",
			strerror(-hooks->keep_error));
	else if (hooks->carry_error)
		log_warning("what applications had asked for is not known any more: what another "
			    "version of subflowd has kept cannot be carried over: %s",
			strerror(-hooks->carry_error));
	else if (hooks->has_closed)
		log_warning("what applications had asked for is not known any more: it was kept by "
			    "another version of subflowd; connections with listed addresses get no "
			    "subflow until their applications list some again");
}

static int pin(struct hooks *hooks, uint32_t max_connections)
{
	struct {
		struct bpf_map *map;
		const char *name;
	} kept[] = {{hooks->skeleton->maps.intents, "intents"},
		{hooks->skeleton->maps.all_wishes, "wishes"},
		{hooks->skeleton->maps.receipts, "receipts"}};
	char path[PATH_MAX], layout[CARRY_LAYOUT_MAX];
	int err = 0;

	carry_layout(max_connections, layout);
	hooks->has_earlier = true;
	for (size_t i = 0; i < sizeof(kept) / sizeof(*kept) && !err; i++) {
		pins_path(&hooks->pins, kept[i].name, layout, path);
		if (access(path, F_OK) < 0)
			hooks->has_earlier = false;
		err = bpf_map__set_pin_path(kept[i].map, path);
	}
	return err;
}

static struct visitor visitor_of(const struct hooks *hooks)
{
	return (struct visitor){.by_map = hooks->skeleton->progs.subflow_walk,
		.by_files = hooks->skeleton->progs.subflow_walk_files};
}

static int load(struct hooks *hooks, const struct hook_config *config, uint64_t ring_bytes,
	uint32_t max_connections)
{
	struct visitor visitor;
	int err;

	hooks->skeleton = hooks_bpf__open();
	if (!hooks->skeleton)
		return -errno;
	hooks->skeleton->data->config = *config;
	visitor = visitor_of(hooks);
	visit_choose(&visitor);
	hooks->ring_records = ring_bytes / sizeof(struct record);
	err = bpf_map__set_max_entries(hooks->skeleton->maps.ring, ring_bytes);
	if (!err)
		err = bpf_map__set_max_entries(hooks->skeleton->maps.receipts, max_connections);
	if (!err)
		err = bpf_map__set_max_entries(hooks->skeleton->maps.rules, max_connections);
	if (!err && *hooks->pins.folder)
		err = pin(hooks, max_connections);
	if (!err)
		err = hooks_bpf__load(hooks->skeleton);
	if (err) {
		hooks_bpf__destroy(hooks->skeleton);
		hooks->skeleton = NULL;
	}
	return err;
}

/* What was kept in maps of another layout. */
static void carry_others(struct hooks *hooks, uint32_t max_connections)
{
	const struct carry carry = {.intents_fd = bpf_map__fd(hooks->skeleton->maps.intents),
		.wishes_fd = bpf_map__fd(hooks->skeleton->maps.all_wishes),
		.receipts_fd = bpf_map__fd(hooks->skeleton->maps.receipts)};
	char layout[CARRY_LAYOUT_MAX], other[NAME_MAX + 1];

	carry_layout(max_connections, layout);
	if (!pins_find_other(&hooks->pins, layout, other))
		return;
	hooks->carry_error = carry_over(&carry, &hooks->pins, other);
	hooks->has_closed = !carry_understands(other);
	hooks->has_earlier = true;
	pins_clear(&hooks->pins, layout);
}

/* @why is why it did not go with them. */
static int load_without_pins(struct hooks *hooks, const struct hook_config *config,
	uint64_t ring_bytes, uint32_t max_connections, int why)
{
	struct pins pins = hooks->pins;
	int err;

	*hooks->pins.folder = '\0';
	hooks->has_earlier = false;
	err = load(hooks, config, ring_bytes, max_connections);
	if (err)
		return err;
	if (why != -EINVAL) { /* it may go another time */
		hooks->keep_error = why;
		return 0;
	}
	/* libbpf, bpf_object__reuse_map(): they are of another size. */
	pins_drop(&pins);
	log_warning("what applications had asked for is not known any more, and what they ask for "
		    "does not outlive this daemon: the maps that were kept do not fit");
	return 0;
}

int hooks_load(struct hooks *hooks, const struct hook_config *config, uint64_t ring_bytes,
	uint32_t max_connections, char *error, size_t error_size)
{
	int err = check_host(error, error_size);

	if (err)
		return err;
	libbpf_set_print(print_libbpf);
	err = load(hooks, config, ring_bytes, max_connections);
	if (err && *hooks->pins.folder)
		err = load_without_pins(hooks, config, ring_bytes, max_connections, err);
	if (!err && *hooks->pins.folder)
		carry_others(hooks, max_connections);
	if (!err) {
		coupling_set(&hooks->coupling, config->couples);
		return 0;
	}
	snprintf(error, error_size,
		"the kernel refuses the BPF programs: %s; `subflow doctor` says what it lacks, "
		"--verbose what it said",
		strerror(-err));
	hooks_done(hooks);
	return err;
}

static int open_cgroup(const char *path, char *error, size_t error_size)
{
	struct statfs fs;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0) {
		fd = -errno;
		snprintf(error, error_size,
			"[hooks] cgroup = %s: %s; allowed is a folder of the cgroup2 file system",
			path, strerror(-fd));
		return fd;
	}
	if (fstatfs(fd, &fs) < 0 || fs.f_type != CGROUP2_SUPER_MAGIC) {
		close(fd);
		snprintf(error, error_size,
			"[hooks] cgroup = %s: not a folder of the cgroup2 file system", path);
		return -EINVAL;
	}
	return fd;
}

static int attach(struct bpf_program *program, struct bpf_link **link, int cgroup_fd,
	const char *path, char *error, size_t error_size)
{
	int err;

	*link = bpf_program__attach_cgroup(program, cgroup_fd);
	if (*link)
		return 0;
	err = -errno;
	snprintf(error, error_size, "%s cannot be attached to %s: %s%s", bpf_program__name(program),
		path, strerror(-err),
		err == -EPERM
			? "; a program attached higher up without BPF_F_ALLOW_MULTI forbids it "
			  "(see `bpftool cgroup tree`)"
			: "");
	return err;
}

/* Two daemons on one cgroup would both carry out every request. */
static int check_alone(int cgroup_fd, const char *path, char *error, size_t error_size)
{
	struct bpf_prog_info info;
	uint32_t ids[64], n = 64, size;
	int fd, err = 0;

	if (bpf_prog_query(cgroup_fd, BPF_CGROUP_SETSOCKOPT, 0, NULL, ids, &n))
		return 0;
	for (uint32_t i = 0; i < n && !err; i++) {
		fd = bpf_prog_get_fd_by_id(ids[i]);
		if (fd < 0)
			continue;
		info = (struct bpf_prog_info){};
		size = sizeof(info);
		if (!bpf_obj_get_info_by_fd(fd, &info, &size) && !strcmp(info.name, "subflow_set"))
			err = -EADDRINUSE;
		close(fd);
	}
	if (err)
		snprintf(error, error_size,
			"another subflowd is attached to %s; stop it, or give this one a [hooks] "
			"cgroup of its own",
			path);
	return err;
}

static int attach_all(struct hooks *hooks, int root_fd, const char *root, int cgroup_fd,
	const char *cgroup, char *error, size_t error_size)
{
	typeof(hooks->skeleton->progs) *programs = &hooks->skeleton->progs;
	typeof(hooks->skeleton->links) *links = &hooks->skeleton->links;
	const struct {
		struct bpf_program *program;
		struct bpf_link **link;
	} options[] = {{programs->subflow_get, &links->subflow_get},
		{programs->subflow_connect4, &links->subflow_connect4},
		{programs->subflow_connect6, &links->subflow_connect6},
		{programs->subflow_set, &links->subflow_set}};
	int err = attach(programs->subflow_sockops, &links->subflow_sockops, root_fd, root, error,
		error_size);

	for (size_t i = 0; i < sizeof(options) / sizeof(*options) && !err; i++)
		err = attach(
			options[i].program, options[i].link, cgroup_fd, cgroup, error, error_size);
	if (!err && hooks->hears_strangers)
		err = attach(programs->subflow_stranger, &links->subflow_stranger, root_fd, root,
			error, error_size);
	return err;
}

int hooks_attach(struct hooks *hooks, struct loop *loop, const char *root, const char *cgroup,
	char *error, size_t error_size)
{
	int root_fd, cgroup_fd, err;

	root_fd = open_cgroup(root, error, error_size);
	if (root_fd < 0)
		return root_fd;
	cgroup_fd = open_cgroup(cgroup, error, error_size);
	if (cgroup_fd < 0) {
		close(root_fd);
		return cgroup_fd;
	}
	err = check_alone(cgroup_fd, cgroup, error, error_size);
	if (!err && ring_open(hooks, loop, error, error_size))
		err = -EOPNOTSUPP;
	if (!err && attach_all(hooks, root_fd, root, cgroup_fd, cgroup, error, error_size)) {
		loop_remove(loop, &hooks->source);
		err = -EOPNOTSUPP;
	}
	if (!err)
		say_what_is_kept(hooks);
	close(root_fd);
	close(cgroup_fd);
	return err;
}

void hooks_detach(struct hooks *hooks)
{
	if (hooks_are_there(hooks))
		hooks_bpf__detach(hooks->skeleton);
}

void hooks_done(struct hooks *hooks)
{
	ring_close(hooks);
	coupling_set(&hooks->coupling, false);
	hooks_bpf__destroy(hooks->skeleton);
	hooks->skeleton = NULL;
}

bool hooks_are_there(const struct hooks *hooks)
{
	return hooks->skeleton;
}

void hooks_go_without(struct hooks *hooks)
{
	hooks_done(hooks);
	*hooks->pins.folder = '\0';
	hooks->has_earlier = false;
}

/* The programs read it at any moment: start is at no time beyond stop, which would end a watch. */
void hooks_set_config(struct hooks *hooks, const struct hook_config *config)
{
	struct hook_config *to;

	if (!hooks_are_there(hooks))
		return;
	to = &hooks->skeleton->data->config;
	if (config->stop > to->stop)
		__atomic_store_n(&to->stop, config->stop, __ATOMIC_SEQ_CST);
	__atomic_store_n(&to->start, config->start, __ATOMIC_SEQ_CST);
	__atomic_store_n(&to->step, config->step, __ATOMIC_SEQ_CST);
	__atomic_store_n(&to->stop, config->stop, __ATOMIC_SEQ_CST);
	__atomic_store_n(&to->gate, config->gate, __ATOMIC_SEQ_CST);
	__atomic_store_n(&to->sent_gate, config->sent_gate, __ATOMIC_SEQ_CST);
	__atomic_store_n(&to->backlog, config->backlog, __ATOMIC_SEQ_CST);
	__atomic_store_n(&to->least_backlog, config->least_backlog, __ATOMIC_SEQ_CST);
	__atomic_store_n(&to->has_rules, config->has_rules, __ATOMIC_SEQ_CST);
	__atomic_store_n(&to->max_subflows, config->max_subflows, __ATOMIC_SEQ_CST);
	__atomic_store_n(&to->downloads, config->downloads, __ATOMIC_SEQ_CST);
	__atomic_store_n(&to->plain_tcp, config->plain_tcp, __ATOMIC_SEQ_CST);
	__atomic_store_n(&to->rto_min_us, config->rto_min_us, __ATOMIC_SEQ_CST);
	coupling_set(&hooks->coupling, config->couples);
	__atomic_store_n(&to->couples, config->couples, __ATOMIC_SEQ_CST);
	__atomic_store_n(&to->unsent, config->unsent, __ATOMIC_SEQ_CST);
	__atomic_store_n(&to->applications, config->applications, __ATOMIC_SEQ_CST);
	__atomic_store_n(&to->calls_per_second, config->calls_per_second, __ATOMIC_SEQ_CST);
	__atomic_store_n(
		&to->calls_per_second_of_user, config->calls_per_second_of_user, __ATOMIC_SEQ_CST);
}

void hooks_set_fallback_mask(struct hooks *hooks, uint64_t mask)
{
	hooks->skeleton->data->config.fallback_mask = mask;
}

void hooks_set_full(struct hooks *hooks, bool is_full)
{
	if (hooks_are_there(hooks))
		hooks->skeleton->data->config.is_full = is_full;
}

/* So many whole records of @size bytes, 0 at the end, or -errno. */
static int read_some(int fd, void *records, size_t len, size_t size)
{
	ssize_t n = visit_read(fd, records, len);

	if (n < 0)
		return (int)n;
	return n % size ? -EBADMSG : (int)(n / size);
}

struct reader {
	struct hooks *hooks;
	void (*each)(void *arg, const struct wide_record *record);
	void *arg;
};

static int read_intents(void *arg, int fd)
{
	const struct reader *reader = arg;
	struct wide_record records[64];
	int n;

	reader->hooks->walks++;
	while ((n = read_some(fd, records, sizeof(records), sizeof(*records))) > 0) {
		for (int i = 0; i < n; i++)
			reader->each(reader->arg, &records[i]);
	}
	return n;
}

int hooks_walk(
	struct hooks *hooks, void (*each)(void *arg, const struct wide_record *record), void *arg)
{
	struct reader reader = {.hooks = hooks, .each = each, .arg = arg};
	struct visitor visitor;

	if (!hooks_are_there(hooks))
		return 0;
	visitor = visitor_of(hooks);
	return visit_kept(
		&visitor, bpf_map__fd(hooks->skeleton->maps.intents), read_intents, &reader);
}

struct client_reader {
	void (*each)(void *arg, const struct client_record *client);
	void *arg;
};

static int read_clients(void *arg, int fd)
{
	const struct client_reader *reader = arg;
	struct client_record clients[128];
	int n;

	while ((n = read_some(fd, clients, sizeof(clients), sizeof(*clients))) > 0) {
		for (int i = 0; i < n; i++)
			reader->each(reader->arg, &clients[i]);
	}
	return n;
}

int hooks_visit_clients(
	struct hooks *hooks, void (*each)(void *arg, const struct client_record *client), void *arg)
{
	struct client_reader reader = {.each = each, .arg = arg};

	if (!hooks_are_there(hooks))
		return 0;
	return visit_sockets(hooks->skeleton->progs.subflow_clients, read_clients, &reader);
}

int hooks_mark(struct hooks *hooks, int fd, uint32_t generation)
{
	struct intent intent = {.generation = generation};

	return bpf_map__update_elem(
		hooks->skeleton->maps.intents, &fd, sizeof(fd), &intent, sizeof(intent), BPF_ANY);
}

static void note_any(void *arg, const struct wide_record *record)
{
	(void)record;
	*(bool *)arg = true;
}

void hooks_unpin(struct hooks *hooks)
{
	bool has = maps_has_receipt(hooks);

	if (*hooks->pins.folder && !has && !hooks_walk(hooks, note_any, &has) && !has)
		pins_drop(&hooks->pins);
}

unsigned int hooks_find_egress(
	struct hooks *hooks, const struct endpoint *local, const struct endpoint *remote)
{
	size_t len = local->family == AF_INET ? sizeof(local->v4) : sizeof(local->v6);
	struct egress_query query = {.family = local->family,
		.local_port = htons(local->port),
		.remote_port = htons(remote->port)};
	struct bpf_test_run_opts options;

	if (!hooks_are_there(hooks))
		return 0;
	memcpy(query.local, &local->v6, len);
	memcpy(query.remote, &remote->v6, len);
	memset(&options, 0, sizeof(options));
	options.sz = sizeof(options);
	options.data_in = &query;
	options.data_size_in = sizeof(query);
	if (bpf_prog_test_run_opts(
		    bpf_program__fd(hooks->skeleton->progs.subflow_egress), &options))
		return 0;
	return options.retval;
}

struct hook_counters hooks_counters(const struct hooks *hooks)
{
	return hooks_are_there(hooks) ? hooks->skeleton->bss->counters : (struct hook_counters){};
}
