/* SPDX-License-Identifier: MIT */
/* Judgement: which of the operator's rules is a connection's. */
#ifndef SUBFLOW_RULES_H
#define SUBFLOW_RULES_H

#include "core/elephant.h"
#include "core/endpoint.h"
#include "core/prefixes.h"

#include <stdbool.h>
#include <stdint.h>

#define RULES_MAX      64 /* as many as a mask has bits */
#define RULES_NAME_MAX 33

struct conn;
struct plan;

/* What it does not ask for, it takes as it comes. */
struct rule {
	char name[RULES_NAME_MAX];
	bool has_uid;
	uint32_t uid;
	bool has_local, has_remote;
	struct prefixes local, remote; /* of the first subflow */
	uint16_t port;                 /* remote; 0 = any */
	/* Namespace, device and cgroup are the hands' to compare: see conn.excluded. */
	bool is_never; /* no subflow but those that are asked for */
	struct elephant_rule elephant;
};

struct rules {
	struct rule *list; /* the first that matches counts */
	uint32_t count;
};

/* What holds for the connection; of one that is never to be split, without a threshold. */
const struct elephant_rule *rules_of(const struct plan *plan, const struct conn *conn);

/* The one of all that has the least start. */
const struct elephant_rule *rules_earliest(const struct plan *plan);

/* Whether it is not to be split by itself. */
bool rules_is_never(const struct plan *plan, const struct conn *conn);

/* Its rule's name; NULL = the defaults are its rule. */
const char *rules_name(const struct plan *plan, const struct conn *conn);

/* Whose the connection is was found out: finds its rule and has the hooks told. */
void rules_apply(struct plan *plan, struct conn *conn);

/* Takes over @list, on the heap; every connection's rule is then to be found again. */
void rules_set(struct plan *plan, struct rule *list, uint32_t count);

#endif
