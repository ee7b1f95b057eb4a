/* SPDX-License-Identifier: MIT */
/* One line of a recording: what the plan was told, or what it wanted done. */
#ifndef SUBFLOW_LINE_H
#define SUBFLOW_LINE_H

#include "core/apart.h"
#include "core/benefit.h"
#include "core/brake.h"
#include "core/event.h"
#include "core/fields.h"
#include "core/lag.h"
#include "core/lasthop.h"
#include "core/path.h"
#include "core/ports.h"
#include "core/quiet.h"
#include "core/refusals.h"
#include "core/rules.h"
#include "core/text.h"

/* Of the lines that follow; moves when one of them changes its meaning. */
#define LINE_VERSION 1
#define LINE_HEADER  "subflow-recording"

enum line_kind {
	/* what the plan is made with */
	LINE_SETTINGS, /* settings */
	LINE_RULES,    /* call.count: that many lines of LINE_RULE follow, and are all */
	LINE_RULE,     /* rule */
	/* what it finds */
	LINE_PORTS, /* ports */
	LINE_MAP,   /* map: as a survey has left it */
	/* what it is told */
	LINE_HEAR,      /* event */
	LINE_TICK,      /* call.now_ns */
	LINE_LIST,      /* call.netns: adoption_begin() */
	LINE_LISTED,    /* the same: adoption_end() */
	LINE_ADDRESSES, /* call.netns, call.gone, call.usable */
	LINE_ADD,       /* call.now_ns, .netns, .token, .count: of the operator */
	LINE_REMOVE,    /* the same */
	LINE_END,       /* call.netns: the namespace is gone */
	LINE_LIMITS,    /* call.now_ns: they have changed */
	LINE_ENDING,    /* call.now_ns: quiet_end() */
	/* what it wants done */
	LINE_DO,   /* action */
	LINE_REST, /* nothing more */
	/* of the recording itself */
	LINE_FULL, /* it ends here, the daemon went on */
};

struct line_settings {
	struct elephant_rule elephant;
	uint32_t ndiffports;
	bool fullmesh, does_repair, wants_owners;
	uint32_t max_subflows, max_connections;
	struct refusals_rule refusals, in_vain;
	struct benefit_rule benefit;
	struct apart_rule apart;
	struct brake_rule brake;
	struct lag_rule lag;
	struct lasthop_rule lasthop;
	struct quiet_rule quiet;
	uint32_t placement; /* enum steer_mode */
	uint64_t shunned_ns;
	uint64_t random;
};

struct line_rule {
	char name[FIELD_NAME_MAX];
	struct rule rule; /* but for its name */
};

struct line_ports {
	uint64_t netns;
	struct ports ports;
};

struct line_way {
	uint8_t count;
	struct path_port ports[PATH_PORTS_MAX];
};

struct line_map {
	uint64_t netns;
	struct endpoint local, remote;
	uint32_t state; /* enum path_state */
	char why[FIELD_NAME_MAX];
	uint64_t learned_ns, confirmed_ns;
	uint8_t hops, depth;
	bool is_tangled, is_thorough, is_partial;
	struct field_ends routers; /* without ports */
	struct line_way way;
};

struct line_call {
	uint64_t now_ns, netns;
	uint32_t token, count;
	struct field_ends gone, usable;
};

struct line {
	enum line_kind kind;
	union {
		struct line_settings settings;
		struct line_rule rule;
		struct line_ports ports;
		struct line_map map;
		struct event event;
		struct action action;
		struct line_call call;
	};
};

/* NULL: there is no such kind. */
const char *line_event_name(enum event_kind kind);
const char *line_action_name(enum action_kind kind);

/* Adds the line, with its end. @object: what struct line has for @kind. */
void line_write(struct text *text, enum line_kind kind, const void *object);

/*
 * @words: one line without its end; it is written over. -EINVAL, -ENOMEM, with @error filled.
 * line_free() frees what it got.
 */
int line_read(char *words, struct line *ret_line, char *error, size_t error_size);
void line_free(struct line *line);

/*
 * The first line of all, which says that @program has written it; and whether this is one that can
 * be read: -EINVAL, with @error filled.
 */
void line_write_header(struct text *text, const char *program);
int line_read_header(const char *words, char *error, size_t error_size);

#endif
