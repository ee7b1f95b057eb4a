/* SPDX-License-Identifier: MIT */
/*
 * One connection played against the plan: what the kernel would tell of it,
 * and hands that note each action and answer it as the test wants.
 */
#ifndef TEST_PLAY_H
#define TEST_PLAY_H

#include "core/plan.h"

#include "../unit.h"

#define MB         1000000ull
#define LOCAL_PORT 40000 /* of the initial subflow; joins come from the ports above */

struct play {
	struct plan plan;
	struct tape tape; /* of all that it hears: what is decided is decided again in a replay */
	struct conn_key key;
	uint64_t now_ns;
	int create_error, destroy_error, listen_error,
		claim_error;           /* errno of the answers to come; 0 = success */
	unsigned int destroys_failing; /* how many so; 0 = all */
	struct endpoint locals[4];     /* the namespace's addresses */
	uint32_t n_locals;
	int locals_error;
	uint32_t uid;
	uint64_t excluded;
	int owner_error;
	struct rate_sample sample; /* the answer to come, but for the time */
	int measure_error;
	bool is_measure_lost;
	void (*answer_pace)(struct play *play, const struct action *action);  /* NULL: ENODATA */
	void (*answer_reach)(struct play *play, const struct action *action); /* the same */
	struct conn_rule rule;                                                /* the last one */
	unsigned int rules;
	/* What was asked for so far. */
	unsigned int creates, destroys, listens, searches, claims, owners, receipts, forgets,
		lookups, withdrawals, surveys, announcements, backups, measures, paces, reaches;
	unsigned int told; /* of @receipts, also those with no new numbers */
	struct action create, destroy, withdraw, survey, announce, backup,
		reach; /* the last of each */
	struct receipt receipt;
	/* What the application has asked for so far, for play_tell(). */
	struct wishes wishes;
	uint32_t generation, numbers, removes; /* ADD and REMOVE by number */
};

/* cmocka fixtures: a plan with the paper's rule, 8 subflows for applications, 3 connections. */
int play_begin(void **state);
int play_end(void **state);

/* play_begin() for a fixture that goes on with the play; NULL where it failed. */
struct play *play_new(void **state);

/* The test changes what the plan knows without its hearing of it: it cannot be replayed. */
void play_meddle(struct play *play);

struct endpoint play_local(uint16_t port);
struct endpoint play_remote(void);

/* The plan hears @event of the connection, and the hands carry out what follows. */
void play_hear(struct play *play, struct event event);

/* The hands carry out what the plan wants. */
void play_act(struct play *play);

/* play_hear() of the usual events. */
void play_created(struct play *play);
void play_established(struct play *play);
void play_closed(struct play *play);
void play_joined(struct play *play, uint16_t port);
void play_left(struct play *play, uint16_t port);
void play_fell_silent(struct play *play, uint16_t port);
void play_intent(struct play *play, uint32_t adds, uint32_t removes);

/* Who watches was told last why nothing is done: by what the connection says now. */
void play_assert_told(struct play *play);
void play_threshold(struct play *play, uint64_t mb);

/* Created and established. */
void play_connect(struct play *play);

/* The same, with @n more subflows on the ports above the first one's. */
void play_connect_with(struct play *play, uint16_t n);

/*
 * Lists of addresses: 10.0.0.@host, where the first subflow leaves from 1. ADD: @adds so far of
 * what is in @slot. REMOVE. The plan hears of both by play_tell().
 */
struct endpoint play_from(uint8_t host, uint16_t port);
void play_wish(struct play *play, int slot, uint8_t host, uint16_t port, uint16_t adds);
void play_take_away(struct play *play, int slot, uint8_t host, uint16_t port);
void play_tell(struct play *play);

/* The subflow that was asked for last has joined, from there. */
void play_join_from(struct play *play, uint8_t host, uint16_t port);

/* Connected, with @n more that slot 0 asked for from 10.0.0.2, on the ports from 41000 up. */
void play_connect_listed(struct play *play, uint16_t n);

/* Lets the time pass up to the next retry, and has it carried out; false if none is due. */
bool play_wait(struct play *play);

/* Carries out what is due next, at its time; false if nothing is up to @end_ns. */
bool play_step(struct play *play, uint64_t end_ns);

struct conn *play_conn(struct play *play);

/* What the connection has: established, opening (both without those to go), not sent yet. */
void play_assert_subflows(
	struct play *play, uint32_t established, uint32_t opening, uint32_t wanted);
void play_assert_created_from(struct play *play, uint8_t host, uint16_t port); /* the last */
void play_assert_receipt(struct play *play, uint32_t adds, uint32_t removes);

/* What is known of the paths between the two ends; made where there is none. */
struct path_map *play_map(struct play *play);

/* The same, of a survey that is over: whatever play_learn() adds is all that there is. */
struct path_map *play_know(struct play *play);

/* The flow from @port takes the way of that number, by the second router. */
void play_learn(struct play *play, struct path_map *map, uint16_t port, uint16_t way);

#endif
