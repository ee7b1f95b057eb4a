/* SPDX-License-Identifier: MIT */
/* The maps that the BPF programs and the daemon share: what the daemon puts there, and what is in
 * them. */
#ifndef SUBFLOW_MAPS_H
#define SUBFLOW_MAPS_H

#include "kernel/hooks.h"
#include "record.h"

#include <stdbool.h>
#include <stdint.h>

int maps_serve(struct hooks *hooks, uint64_t netns);
void maps_unserve(struct hooks *hooks, uint64_t netns);
/* An address, or a prefix of some, is local in a namespace, or is no more. */
int maps_put_local(struct hooks *hooks, const struct local_key *key, uint32_t is_local);
void maps_drop_local(struct hooks *hooks, const struct local_key *key);

int maps_put_receipt(
	struct hooks *hooks, const struct conn_key *key, const struct receipt *receipt);
/* -ENOENT: there is none. */
int maps_get_receipt(struct hooks *hooks, const struct conn_key *key, struct receipt *ret_receipt);

void maps_drop_receipt(struct hooks *hooks, const struct conn_key *key);

bool maps_has_receipt(const struct hooks *hooks);

/* Drops the receipts of which @is_known says that there is no such connection. */
void maps_sift_receipts(
	struct hooks *hooks, bool (*is_known)(void *arg, const struct conn_key *key), void *arg);

/* -E2BIG: there is no room for the thresholds of one more connection. */
int maps_put_rule(struct hooks *hooks, const struct conn_key *key, const struct conn_rule *rule);
void maps_drop_rule(struct hooks *hooks, const struct conn_key *key);

/* The time to live, or hop limit, with which its packets come; 0: none is remembered. */
uint8_t maps_find_ttl(struct hooks *hooks, const struct peer_key *key);

/* Of the maps of users, of strangers and of peers: how many there are. Reads them whole. */
struct maps_usage {
	uint32_t users, strangers, peers;
};
struct maps_usage maps_usage(const struct hooks *hooks);

#endif
