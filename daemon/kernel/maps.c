/* SPDX-License-Identifier: MIT */
#include "maps.h"

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

int maps_serve(struct hooks *hooks, uint64_t netns)
{
	uint32_t one = 1;

	if (!hooks_are_there(hooks))
		return 0;
	return bpf_map__update_elem(
		hooks->skeleton->maps.served, &netns, sizeof(netns), &one, sizeof(one), BPF_ANY);
}

void maps_unserve(struct hooks *hooks, uint64_t netns)
{
	if (!hooks_are_there(hooks))
		return;
	bpf_map__delete_elem(hooks->skeleton->maps.served, &netns, sizeof(netns), 0);
}

int maps_put_local(struct hooks *hooks, const struct local_key *key, uint32_t is_local)
{
	if (!hooks_are_there(hooks))
		return 0;
	return bpf_map__update_elem(hooks->skeleton->maps.locals, key, sizeof(*key), &is_local,
		sizeof(is_local), BPF_ANY);
}

void maps_drop_local(struct hooks *hooks, const struct local_key *key)
{
	if (!hooks_are_there(hooks))
		return;
	bpf_map__delete_elem(hooks->skeleton->maps.locals, key, sizeof(*key), 0);
}

int maps_put_receipt(struct hooks *hooks, const struct conn_key *key, const struct receipt *receipt)
{
	if (!hooks_are_there(hooks))
		return 0;
	return bpf_map__update_elem(hooks->skeleton->maps.receipts, key, sizeof(*key), receipt,
		sizeof(*receipt), BPF_ANY);
}

int maps_get_receipt(struct hooks *hooks, const struct conn_key *key, struct receipt *ret_receipt)
{
	if (!hooks_are_there(hooks))
		return -ENOENT;
	return bpf_map__lookup_elem(hooks->skeleton->maps.receipts, key, sizeof(*key), ret_receipt,
		sizeof(*ret_receipt), 0);
}

void maps_drop_receipt(struct hooks *hooks, const struct conn_key *key)
{
	if (!hooks_are_there(hooks))
		return;
	bpf_map__delete_elem(hooks->skeleton->maps.receipts, key, sizeof(*key), 0);
}

bool maps_has_receipt(const struct hooks *hooks)
{
	struct conn_key key;

	return hooks_are_there(hooks) &&
	       !bpf_map__get_next_key(hooks->skeleton->maps.receipts, NULL, &key, sizeof(key));
}

void maps_sift_receipts(
	struct hooks *hooks, bool (*is_known)(void *arg, const struct conn_key *key), void *arg)
{
	struct conn_key key, next;
	struct bpf_map *map;
	bool is_there;

	if (!hooks_are_there(hooks))
		return;
	map = hooks->skeleton->maps.receipts;
	is_there = bpf_map__get_next_key(map, NULL, &key, sizeof(key)) == 0;
	while (is_there) {
		is_there = bpf_map__get_next_key(map, &key, &next, sizeof(next)) == 0;
		if (!is_known(arg, &key))
			maps_drop_receipt(hooks, &key);
		key = next;
	}
}

int maps_put_rule(struct hooks *hooks, const struct conn_key *key, const struct conn_rule *rule)
{
	if (!hooks_are_there(hooks))
		return 0;
	return bpf_map__update_elem(
		hooks->skeleton->maps.rules, key, sizeof(*key), rule, sizeof(*rule), BPF_ANY);
}

void maps_drop_rule(struct hooks *hooks, const struct conn_key *key)
{
	if (!hooks_are_there(hooks))
		return;
	bpf_map__delete_elem(hooks->skeleton->maps.rules, key, sizeof(*key), 0);
}

uint8_t maps_find_ttl(struct hooks *hooks, const struct peer_key *key)
{
	uint32_t ttl;

	if (!hooks_are_there(hooks) || bpf_map__lookup_elem(hooks->skeleton->maps.peers, key,
					       sizeof(*key), &ttl, sizeof(ttl), 0))
		return 0;
	return ttl;
}

struct maps_usage maps_usage(const struct hooks *hooks)
{
	if (!hooks_are_there(hooks))
		return (struct maps_usage){};
	return (struct maps_usage){.users = count(hooks->skeleton->maps.users),
		.strangers = count(hooks->skeleton->maps.strangers),
		.peers = count(hooks->skeleton->maps.peers)};
}
