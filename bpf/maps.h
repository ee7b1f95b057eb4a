/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The maps and variables that the programs share; maps.bpf.c defines them. */
#ifndef SUBFLOW_MAPS_H
#define SUBFLOW_MAPS_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "record.h"

/* When the next threshold record of a connection is due. */
struct elephant {
	__u64 next; /* bytes sent, or received */
	__u64 first,
		first_received; /* data sequence numbers of the first bytes; old kernels only */
};

/* The calls of one user. */
struct user_calls {
	__u32 second; /* of CLOCK_MONOTONIC, in which they were made */
	__u32 calls;
};

_Static_assert(
	sizeof(struct intent) + sizeof(struct wishes) + sizeof(struct elephant) <= STORAGE_MAX,
	"the storage of one socket is part of the contract");

/* Doorbells and thresholds, to the daemon. */
struct ring_map {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 18);
};

/* What applications asked for; dies with its socket. A fork's copy is shared, an accepted
 * connection does not inherit it. */
struct intents_map {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct intent);
};

/* Only of sockets that were given lists. An accepted connection inherits them. */
struct wishes_map {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct wishes);
};

/* Of a socket whose lists a call is about, while it lasts: what they were before. The stack of a
 * program has no room for that. */
struct befores_map {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct wishes);
};

struct elephants_map {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct elephant);
};

/* The namespaces that the daemon serves, by cookie. */
struct served_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, __u32);
};

struct locals_map {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, LOCALS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct local_key);
	__type(value, __u32);
};

struct receipts_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct conn_key);
	__type(value, struct receipt);
};

struct rules_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct conn_key);
	__type(value, struct conn_rule);
};

/* By the uid of the socket's owner. */
struct users_map {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, USERS_MAX);
	__type(key, __u32);
	__type(value, struct user_calls);
};

/* The time to live, or hop limit, with which a peer's packets come. */
struct peers_map {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, PEERS_MAX);
	__type(key, struct peer_key);
	__type(value, __u32);
};

/*
 * What was asked for by number is of one connection: a socket that connect(2) to AF_UNSPEC has
 * taken from it, and that is to have another, begins without.
 */
static __always_inline void intent_begin(struct intent *intent)
{
	if (!intent->is_used)
		return;
	intent->is_used = 0;
	intent->adds = 0;
	intent->removes = 0;
	intent->total = 0;
	intent->expected = 0;
}

extern struct ring_map ring SEC(".maps");
extern struct intents_map intents SEC(".maps");
extern struct wishes_map all_wishes SEC(".maps");
extern struct befores_map befores SEC(".maps");
extern struct elephants_map elephants SEC(".maps");
extern struct served_map served SEC(".maps");
extern struct locals_map locals SEC(".maps");
extern struct receipts_map receipts SEC(".maps");
extern struct rules_map rules SEC(".maps");
extern struct users_map users SEC(".maps");
extern struct peers_map peers SEC(".maps");

extern volatile struct hook_config config;
extern struct hook_counters counters;

#endif
