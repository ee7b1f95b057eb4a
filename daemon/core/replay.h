/* SPDX-License-Identifier: MIT */
/* A recording played back to a plan: does it decide now as it did then? Pure. */
#ifndef SUBFLOW_REPLAY_H
#define SUBFLOW_REPLAY_H

#include "core/feed.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REPLAY_ERROR_MAX 1024

enum replay_verdict {
	REPLAY_SAME, /* recorded, and so decided now */
	REPLAY_NEW,  /* decided now, and not in the recording */
	REPLAY_GONE, /* recorded, and not decided now */
	REPLAY_SAID, /* no action: what the plan says of a connection has changed */
};

struct replay_decision {
	enum replay_verdict verdict;
	unsigned int number; /* of the line of the recording that it belongs to */
	uint64_t now_ns;
	const struct conn_key *key;
	const struct action *action; /* NULL: REPLAY_SAID */
	const char *why;             /* what the plan says of the connection now; or "" */
};

/* A line that waits for the end of what it belongs to. */
struct replay_line {
	unsigned int number;
	char *words;
	bool is_used;
};

struct replay {
	struct feed feed;
	bool does_go_on;     /* past differences; set by the caller */
	unsigned int number; /* of the last line */
	unsigned int decisions, differences;
	struct replay_line *batch; /* from an action to the next rest */
	size_t n_batch, batch_room;
	char error[REPLAY_ERROR_MAX];

	void *owner;
	void (*decided)(void *owner, const struct replay_decision *decision); /* or NULL */
};

/* @does_go_on, @owner and @decided are set by the caller, everything else is zero. */
void replay_done(struct replay *replay);

/*
 * The next line of the recording, without its end. -EINVAL: it is wrong; -EILSEQ: something else is
 * decided now; -ENOMEM. @error then says what, and where.
 *
 * Who goes on past differences has what was not recorded succeed; what happened on the network
 * stays what it was.
 */
int replay_line(struct replay *replay, const char *words);

/* The recording ends here. */
int replay_end(struct replay *replay);

#endif
