/* SPDX-License-Identifier: MIT */
#include "kept.h"

#include "kernel/visit.h"

#include "../unit.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

int kept_by_files;

void __real_visit_choose(const struct visitor *visitor);
void __wrap_visit_choose(const struct visitor *visitor);

void __wrap_visit_choose(const struct visitor *visitor)
{
	if (kept_by_files)
		bpf_program__set_autoload(visitor->by_map, false);
	else
		__real_visit_choose(visitor);
}

int kept_map(size_t value_size)
{
	struct btf *btf = btf__new_empty();
	int key, value, fd;

	assert_non_null(btf);
	key = btf__add_int(btf, "int", 4, BTF_INT_SIGNED);
	value = btf__add_array(btf, key, key, value_size / 4);
	assert_true(value > 0);
	assert_int_equal(btf__load_into_kernel(btf), 0);
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_NO_PREALLOC,
		.btf_fd = btf__fd(btf), .btf_key_type_id = key, .btf_value_type_id = value);
	fd = bpf_map_create(BPF_MAP_TYPE_SK_STORAGE, "kept", 4, value_size, 0, &opts);
	assert_true(fd >= 0);
	btf__free(btf);
	return fd;
}

int kept_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP);

	assert_true(fd >= 0);
	return fd;
}
