/* SPDX-License-Identifier: MIT */
/* How many entries there are in the maps that nobody here writes. */
#include "kernel/hooks.h"

#include "subflow.skel.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>

#define BATCH 1024 /* more than a bucket of the kernel's has ever */

static uint32_t count(const struct bpf_map *map)
{
	void *keys = calloc(BATCH, bpf_map__key_size(map)),
	     *values = calloc(BATCH, bpf_map__value_size(map));
	uint32_t total = 0, at = 0, n;
	bool is_first = true;
	int err = keys && values ? 0 : -ENOMEM;

	while (!err) {
		n = BATCH;
		err = bpf_map_lookup_batch(
			bpf_map__fd(map), is_first ? NULL : &at, &at, keys, values, &n, NULL);
		is_first = false;
		if (!err || err == -ENOENT) /* that was the last */
			total += n;
	}
	free(keys);
	free(values);
	return total;
}

struct hook_usage hooks_usage(const struct hooks *hooks)
{
	return (struct hook_usage){.users = count(hooks->skeleton->maps.users),
		.strangers = count(hooks->skeleton->maps.strangers)};
}
