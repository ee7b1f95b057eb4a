/* SPDX-License-Identifier: MIT */
/* Judgement: which probes to send to fill a path map, and when it is full. Pure. */
#ifndef SUBFLOW_SURVEY_H
#define SUBFLOW_SURVEY_H

#include "core/endpoint.h"
#include "core/event.h"
#include "core/path_table.h"
#include "core/ports.h"
#include "core/quota.h"
#include "record.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#define SURVEY_WINDOW     16 /* probes under way at once */
#define SURVEY_HOPS_MAX   8  /* that are counted: each has a slot */
#define SURVEY_TRIES_MAX  4
#define SURVEY_LATE_MAX   4
#define SURVEY_ASKERS_MAX 64

/* A packet that looks like one of the flow from @port, and dies @ttl hops away. */
struct survey_probe {
	uint16_t port;
	uint8_t ttl;
	uint32_t cookie; /* comes back quoted in the answer */
	uint32_t label;  /* IPv6 flow label */
};

enum survey_phase {
	SURVEY_HOPS,    /* how far is it? */
	SURVEY_FLOWS,   /* which ways are there, and which port takes which? */
	SURVEY_VERIFY,  /* does a port take the same way again? */
	SURVEY_CONFIRM, /* is the map still true? */
	SURVEY_DONE,
};

enum survey_purpose { PURPOSE_HOP, PURPOSE_FLOW, PURPOSE_FILL, PURPOSE_OWN, PURPOSE_SAME };

struct survey_slot {
	bool is_used, is_sent;
	enum survey_purpose purpose;
	uint8_t tries;
	struct survey_probe probe;          /* the cookie's last bits say which try it was */
	uint64_t sent_ns[SURVEY_TRIES_MAX]; /* each try */
};

struct survey {
	TAILQ_ENTRY(survey) entry; /* for the owner */
	struct path_table *table;
	struct path_map *map;
	struct path_prefix *prefix;
	struct endpoint local, remote; /* @local without a port */
	struct quota_payers payers;    /* for the owner: the users whose quotas it spends */
	unsigned int n_identified;     /* of the askers: the owner has found out whose they are */
	const struct ports *ports;     /* the owner's */
	bool has_uplinks;              /* the host itself has several ways out */
	uint64_t random;
	enum survey_phase phase;
	uint64_t deadline_ns; /* CLOCK_MONOTONIC: ends with what is known by then */
	uint64_t pause_ns, next_send_ns;
	uint64_t held_until_ns; /* the owner may not send before */
	bool is_held;           /* that has kept back a probe that was due */
	struct survey_slot slots[SURVEY_WINDOW];
	struct survey_slot late[SURVEY_LATE_MAX]; /* hops given up: their answers may still come */
	unsigned int n_late;
	struct conn_key askers[SURVEY_ASKERS_MAX]; /* connections that wait */
	unsigned int n_askers;
	unsigned int failures;
	unsigned int least_flows;     /* to be seen, more than the stopping rule asks for */
	uint16_t hop_port;            /* HOPS: the flow that is followed */
	uint8_t heard_ttl, asked_ttl; /* HOPS: the farthest */
	uint8_t back_hops;            /* routers that the peer's own packets pass; 0: not known */
	uint8_t n_turns;              /* HOPS: flows that were followed beside the first one */
	uint8_t n_same;               /* VERIFY, CONFIRM: ports to be asked again */
	bool is_thorough;             /* until path_flows_sure() */
	bool is_further;              /* of a map that was known: it gets no younger */
	bool is_lossy;   /* a flow got no answer: there may be a way that is dead for now */
	bool is_full;    /* more routers have answered than the map has room for */
	bool has_walked; /* the hops were counted by this survey */
	bool is_nearer;  /* at the middle of an even number there was one way */
	bool has_news;   /* something that an asker may act on; the owner clears it */
};

/*
 * Begins with what is known of the map and of its prefix, which are got from
 * @table. @ports outlives it, and may change. @random is any number but 0. -ENOMEM.
 */
int survey_init(struct survey *survey, struct path_table *table, uint64_t netns,
	const struct endpoint *local, const struct endpoint *remote, const struct ports *ports,
	bool has_uplinks, uint64_t random, uint64_t now_ns);

/* With what time to live, or hop limit, the peer's packets come; 0: not known. To be said first. */
void survey_note_ttl(struct survey *survey, uint8_t ttl);

/* What it has not found out by now is asked again by whoever wants to know. */
void survey_done(struct survey *survey);

/*
 * The connection waits for it, if it does not yet. The map has the ports of subflows that are to
 * be looked at (path_port_seek). -ENOSPC.
 */
int survey_ask(struct survey *survey, const struct conn_key *key, enum want want);

/* The next probe to send now; false when there is none, or none yet. */
bool survey_next(struct survey *survey, uint64_t now_ns, struct survey_probe *ret_probe);

/* Whether it can tell no two ways apart, and may yet: others are to let it go first. */
bool survey_is_blind(const struct survey *survey);

/* No probe may be sent before @until_ns. True: one is due now. */
bool survey_hold(struct survey *survey, uint64_t now_ns, uint64_t until_ns);

/* An answer of router @address. -ENOENT: to none of our probes. */
int survey_hear(struct survey *survey, uint16_t port, uint32_t cookie,
	const struct in6_addr *address, uint64_t now_ns);

/* Takes note of what was not answered in time. */
void survey_tick(struct survey *survey, uint64_t now_ns);

/* Ends it: nothing can be found out. */
void survey_refuse(struct survey *survey, const char *why, uint64_t now_ns);

/* When survey_tick() or survey_next() has something to do next. */
uint64_t survey_deadline(const struct survey *survey);

/* For its parts, core/walk and core/sample. */
void survey_begin(struct survey *survey, enum survey_phase phase);
void survey_finish(struct survey *survey, uint64_t now_ns);

/* What was learned is not true any more, or never was. */
void survey_begin_anew(struct survey *survey);

#endif
