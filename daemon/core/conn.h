/* SPDX-License-Identifier: MIT */
/* Memory: the MPTCP connections of the served namespaces and their subflows. */
#ifndef SUBFLOW_CONN_H
#define SUBFLOW_CONN_H

#include "core/apart.h"
#include "core/benefit.h"
#include "core/brake.h"
#include "core/endpoint.h"
#include "core/forecast.h"
#include "core/ids.h"
#include "core/lag.h"
#include "core/lasthop.h"
#include "core/listed.h"
#include "core/mesh.h"
#include "core/path.h"
#include "core/progress.h"
#include "core/quiet.h"
#include "core/remotes.h"
#include "core/repair.h"
#include "core/revival.h"
#include "core/room.h"
#include "core/silence.h"
#include "record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uthash.h>

#define CONN_WHY_MAX    200
#define CONN_PASSED_MAX SUBFLOWS_HARD_MAX /* the oldest ones are forgotten */

enum subflow_state {
	SUBFLOW_OPENING, /* the kernel has sent a SYN; the local port is not known yet */
	SUBFLOW_ESTABLISHED,
	SUBFLOW_CLOSING, /* DESTROY is under way */
};

enum subflow_asker {
	ASKER_NOBODY,
	ASKER_APPLICATION,
	ASKER_ELEPHANT,
	ASKER_POLICY,
	ASKER_REPAIR,
	ASKER_MESH,
	ASKER_OPERATOR,
	ASKER_LIST, /* the application, by an address */
	ASKER_MOVE, /* core/apart */
};

struct subflow {
	TAILQ_ENTRY(subflow) entry; /* in conn.subflows, oldest first */
	struct endpoint local, remote;
	uint8_t id; /* address id, of the local address */
	enum subflow_state state;
	enum subflow_asker asker;
	bool is_doomed;          /* to be destroyed as soon as its port is known */
	bool is_lost;            /* goes for another reason than a REMOVE by number */
	bool is_withdrawn;       /* is_lost: its address was taken away */
	bool is_exact;           /* the application chose its port */
	int slot;                /* ASKER_LIST: of conn.listed; -1 = in place of another */
	uint16_t since;          /* of the slot, when it was asked for */
	bool is_listed;          /* as conn.is_listed */
	bool is_backup;          /* as the application asked */
	bool is_sent;            /* the kernel has sent its SYN */
	bool is_gone;            /* the kernel has closed it, and has not said so yet */
	bool is_in_vain;         /* closed because it did not help */
	bool is_silent;          /* replaced for that, be it that the kernel would not close it */
	bool is_unused;          /* found as a backup over which nothing was sent */
	bool is_leaving;         /* another is to take its place: its path counts no more */
	uint32_t replaces;       /* the serial of the one whose place it is to take; 0 = none */
	uint32_t serial;         /* unique within the connection */
	uint64_t established_ns; /* CLOCK_MONOTONIC */
	struct path path;        /* as far as it is known */
	bool is_light;           /* as router.light */
	struct pace pace;
	struct quiet quiet;
	struct silence silence;
};

/* A threshold that led to a subflow. */
struct passed {
	uint64_t threshold;
	uint64_t bytes;   /* when that was noticed; 0 = it was foreseen */
	uint64_t backlog; /* bytes that waited: it counted as passed for these; 0 = it was passed */
	uint32_t subflows; /* in all, when it was established; 0 = not yet */
};

/* Between which two ends: these connections compete for the same ways. */
struct conn_ends {
	struct path_key key;
	UT_hash_handle hh;
	TAILQ_HEAD(conn_rivals, conn) conns; /* oldest first */
};

struct conn {
	struct conn_key key;
	UT_hash_handle hh;
	TAILQ_ENTRY(conn) retry;       /* in conn_table.retries while retry_ns is set */
	TAILQ_ENTRY(conn) rival;       /* in conn_ends.conns, where @ends is set */
	struct conn_ends *ends;        /* NULL: accepted, or not known yet */
	struct endpoint local, remote; /* of the initial subflow */
	bool is_server;
	bool is_created;     /* the kernel's CREATED event was seen */
	uint64_t created_ns; /* when, CLOCK_MONOTONIC; 0 = it was not: taken up */
	bool is_established; /* fully: subflows can be opened */
	bool denies_join;    /* RFC 8684 section 3.1, C flag of the peer */
	bool is_foreign;     /* owned by the in-kernel path manager */
	bool is_listed;      /* the kernel has named it in the search that goes on */
	bool is_sought;      /* unknown, and searched for once already */
	bool is_bound;       /* the application chose the local address, or the device */
	uint32_t device;     /* that it is bound to; 0 = none */
	bool has_uid;        /* @uid is known */
	uint32_t uid;        /* of the application */
	uint64_t excluded;   /* a bit a rule: not of its namespace, device or cgroup */
	uint32_t rule;       /* that holds for it: its index plus 1; 0 = the defaults */
	bool has_rule;       /* the hooks were told of it */
	bool awaits_owner;   /* only when that is known its rule can be found */
	TAILQ_HEAD(subflow_list, subflow) subflows;
	uint32_t n_subflows;
	uint32_t next_serial;
	struct ids ids;
	struct remotes remotes; /* beyond the initial one */
	struct mesh *mesh;      /* NULL: none */
	struct listed *listed;  /* NULL: the application has listed no addresses */
	/* Subflows still to be opened, by who asked. */
	uint32_t wanted_application, wanted_operator, wanted_elephant, wanted_policy, wanted_repair;
	struct repair_budget repairs;
	struct revival revival;
	bool is_mending; /* one that was up is to be replaced: none waits for paths to be known */
	uint32_t unanswered; /* subflows that were given up for that, in a row */
	struct benefit benefit;
	bool is_elephant; /* the elephant rule holds for it, and it has passed start */
	struct apart apart;
	struct brake brake;
	uint32_t questions; /* for samples, asked so far */
	struct lag lag;
	struct lasthop lasthop;
	/* Where the peer has reset a join for good: no more there of our own accord. */
	struct endpoint barred;
	struct room room;
	uint32_t generation, adds, removes; /* of the application, heard so far */
	uint8_t totals;                     /* the same: see struct intent */
	struct receipt receipt;             /* of these, carried out or given up */
	/* Of these, what an earlier daemon was carrying out when it died, and did carry out. */
	uint32_t resumed_adds, resumed_removes;
	bool has_receipt;   /* the hooks were told of it */
	bool owes_receipt;  /* it has changed: in conn_table.owing */
	bool is_introduced; /* the hooks know it, as they do all that are older and created */
	TAILQ_ENTRY(conn) owing;
	uint32_t tries;        /* failed ones in a row */
	uint32_t ports_in_use; /* ports that were somebody else's, in a row */
	uint64_t
		retry_ns; /* CLOCK_MONOTONIC; 0 = none is due. Before CREATED: when to give it up */
	/* Ports: see steer.h. */
	bool is_steering; /* retry_ns is the end of waiting for paths */
	bool has_asked_all;
	uint8_t asked_more; /* how often in a row */
	bool has_explored;  /* the ways to where it goes were not known before it asked */
	/* CLOCK_MONOTONIC: waiting for paths since, and the last news of them; 0 = not waiting */
	uint64_t patience_ns, heard_ns;
	uint64_t cause_ns; /* of what waits for paths */
	struct forecast forecast;
	struct progress progress;
	uint64_t found_bytes;  /* carried before it was taken up; UINT64_MAX: not known */
	struct passed *passed; /* thresholds that led to a subflow, oldest first */
	uint32_t n_passed;
	char why[CONN_WHY_MAX]; /* the last decision, for the operator */
};

struct conn_table {
	struct conn *conns;
	struct conn_ends *ends;
	TAILQ_HEAD(, conn) retries;
	TAILQ_HEAD(, conn) owing;
	uint32_t limit;
	uint64_t refused; /* connections that found the table full */
};

void conn_table_init(struct conn_table *table, uint32_t limit);
void conn_table_done(struct conn_table *table);
uint32_t conn_table_count(const struct conn_table *table);

struct conn *conn_find(struct conn_table *table, const struct conn_key *key);

/* Finds or makes the connection. NULL when the table is full or memory is short. */
struct conn *conn_get(struct conn_table *table, const struct conn_key *key);

/* It is known now what the connection is. */
void conn_hear_created(struct conn_table *table, struct conn *conn);

/* Takes the connection and its subflows out and frees them. */
void conn_free(struct conn_table *table, struct conn *conn);

/* Its ends are known. What memory is short for is not told apart. */
void conn_join(struct conn_table *table, struct conn *conn);

/* Sets when to try again; 0 takes the connection off the list. */
void conn_set_retry(struct conn_table *table, struct conn *conn, uint64_t retry_ns);

/* A new subflow at the young end; NULL when memory is short. */
struct subflow *conn_add_subflow(struct conn *conn);
void conn_remove_subflow(struct conn *conn, struct subflow *subflow);
struct subflow *conn_find_subflow(
	struct conn *conn, const struct endpoint *local, const struct endpoint *remote);
struct subflow *conn_find_serial(struct conn *conn, uint32_t serial);

/* The oldest one that is being opened between these addresses. */
struct subflow *conn_find_opening(
	struct conn *conn, const struct endpoint *local, const struct endpoint *remote);

/* Notes a threshold that leads to a subflow; -ENOMEM. */
int conn_add_passed(struct conn *conn, uint64_t threshold, uint64_t bytes, uint64_t backlog);

/* The subflow of the oldest threshold that had none is up. */
void conn_note_passed(struct conn *conn);

/* Whether the oldest threshold that had no subflow yet was announced by the application. */
bool conn_is_foreseen(const struct conn *conn);

/* The subflow of the last threshold that has one is to be opened anew. */
void conn_reopen_passed(struct conn *conn);

/* The subflow of a threshold came to nothing. Those that came about are the older ones. */
void conn_drop_passed(struct conn *conn);

/* The elephant rule holds no more: what it has wanted, and was not opened yet, is not. */
void conn_drop_elephant(struct conn *conn);

/*
 * So many more of the application's requests by number were carried out or given up: the hooks
 * count what was asked for and has no receipt as reserved.
 */
void conn_settle(struct conn_table *table, struct conn *conn, uint32_t adds, uint32_t removes);

/* The hooks are to be told of its receipt, before anything else is done; or have been. */
void conn_owe_receipt(struct conn_table *table, struct conn *conn);
void conn_pay_receipt(struct conn_table *table, struct conn *conn);

/* Subflows that the hooks find at the socket, as far as the kernel has told. */
uint32_t conn_count_shown(const struct conn *conn);

/* Subflows that the kernel has or is to have, with those that are to be closed. */
uint32_t conn_count_there(const struct conn *conn);

/* Whether one beside @subflow (NULL: any) is established and is to stay. */
bool conn_has_established(const struct conn *conn, const struct subflow *subflow);

/* Subflows that are there or under way; of those that are to go, those that another replaces. */
uint32_t conn_count_live(const struct conn *conn);
uint32_t conn_count_wanted(const struct conn *conn); /* without those from listed addresses */

/* In all, once everything under way has come about; the first is there before its event. */
uint32_t conn_count_all(const struct conn *conn);

/* Subflows that the application has removed beyond those that it had asked for: the elephant rule
 * may have as many fewer. */
uint32_t conn_count_waived(const struct conn *conn);

/* Whether only the address that it was bound to may be used. */
bool conn_is_confined(const struct conn *conn);

/* Takes one of those still to be opened, of which there must be one. */
enum subflow_asker conn_take_wanted(struct conn *conn);
void conn_want_again(struct conn *conn, enum subflow_asker asker);

/* Who asked, for the operator; NULL = nobody here. */
const char *conn_asker_text(enum subflow_asker asker);

/* What is newly wanted does not pay for what was given up before. */
void conn_renew_tries(struct conn *conn);

/* The last decision, as printf(3). */
void conn_say(struct conn *conn, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
