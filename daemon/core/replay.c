/* SPDX-License-Identifier: MIT */
/* A recording played back to a plan. */
#include "replay.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>

#define BATCH_FIRST 64

static void drop_batch(struct replay *replay)
{
	for (size_t i = 0; i < replay->n_batch; i++)
		free(replay->batch[i].words);
	replay->n_batch = 0;
}

void replay_done(struct replay *replay)
{
	drop_batch(replay);
	free(replay->batch);
	feed_done(&replay->feed);
}

static int complain(struct replay *replay, unsigned int number, const char *what)
{
	snprintf(replay->error, sizeof(replay->error), "line %u: %s", number, what);
	return -EINVAL;
}

static int read_line(
	struct replay *replay, unsigned int number, const char *words, struct line *ret_line)
{
	char *copy = strdup(words), what[200] = "out of memory";
	int err = copy ? line_read(copy, ret_line, what, sizeof(what)) : -ENOMEM;

	free(copy);
	if (err)
		complain(replay, number, what);
	return err;
}

static void decide(struct replay *replay, enum replay_verdict verdict, unsigned int number,
	const struct conn_key *key, const struct action *action)
{
	const struct conn *conn = conn_find(&replay->feed.plan.table, key);

	replay->decisions += action && verdict != REPLAY_GONE;
	if (replay->decided)
		replay->decided(replay->owner, &(struct replay_decision){.verdict = verdict,
						       .number = number,
						       .now_ns = replay->feed.plan.now_ns,
						       .key = key,
						       .action = action,
						       .why = conn ? conn->why : ""});
}

/* It is of a subflow that was opened in the recording and not now. */
static bool is_foreign(struct replay *replay, const struct event *event)
{
	struct conn *conn = conn_find(&replay->feed.plan.table, &event->key);

	return replay->differences && event->kind == EVENT_SUBFLOW_ESTABLISHED && conn &&
	       !conn->is_server && !conn_find_subflow(conn, &event->local, &event->remote) &&
	       !conn_find_opening(conn, &event->local, &event->remote);
}

static int apply(struct replay *replay, unsigned int number, const struct line *line)
{
	const struct conn_key *key = &line->event.key;
	char why[CONN_WHY_MAX] = "";
	struct conn *conn = NULL;
	int err;

	if (line->kind == LINE_HEAR && is_foreign(replay, &line->event))
		return 0;
	if (line->kind == LINE_HEAR)
		conn = conn_find(&replay->feed.plan.table, key);
	if (conn)
		strcpy(why, conn->why);
	err = feed_line(&replay->feed, line);
	if (err == -EINVAL)
		complain(replay, number, replay->feed.wrong);
	if (err || line->kind != LINE_HEAR)
		return err;
	conn = conn_find(&replay->feed.plan.table, key);
	if (conn && strcmp(why, conn->why))
		decide(replay, REPLAY_SAID, number, key, NULL);
	return 0;
}

static int read_and_apply(
	struct replay *replay, const struct replay_line *waiting, const struct action *answered)
{
	struct line line;
	int err = read_line(replay, waiting->number, waiting->words, &line);

	if (err)
		return err;
	/* The same command may have another number now. */
	if (answered && line.kind == LINE_HEAR && line.event.serial)
		line.event.serial = answered->serial;
	err = apply(replay, waiting->number, &line);
	line_free(&line);
	return err;
}

static bool is_action(const struct replay_line *waiting)
{
	return !strncmp(waiting->words, "do ", 3);
}

static bool is_equal(const struct action *a, const struct action *b)
{
	struct text texts[2] = {};
	bool is_equal;

	line_write(&texts[0], LINE_DO, a);
	line_write(&texts[1], LINE_DO, b);
	is_equal = !strcmp(text_of(&texts[0]), text_of(&texts[1]));
	text_done(&texts[0]);
	text_done(&texts[1]);
	return is_equal;
}

/* For somebody to read: what it is about, without the end of the line. */
static void describe(struct text *text, const struct action *action)
{
	if (!action) {
		text_add(text, "nothing");
		return;
	}
	line_write(text, LINE_DO, action);
	text->bytes[text->length - 1] = '\0';
}

static int differ(struct replay *replay, unsigned int number, const struct action *then,
	const struct action *now)
{
	struct text texts[2] = {};

	replay->differences++;
	describe(&texts[0], then);
	describe(&texts[1], now);
	snprintf(replay->error, sizeof(replay->error),
		"line %u: the daemon did:   %s\nline %u: now is decided: %s", number,
		text_of(&texts[0]), number, text_of(&texts[1]));
	text_done(&texts[0]);
	text_done(&texts[1]);
	return -EILSEQ;
}

/* The first difference ends it. */
static int compare_batch(struct replay *replay, bool has_rest)
{
	const struct action *now;
	struct line line;
	int err = 0;

	for (size_t i = 0; i < replay->n_batch && !err; i++) {
		const struct replay_line *waiting = &replay->batch[i];

		if (!is_action(waiting)) {
			err = read_and_apply(replay, waiting, NULL);
			continue;
		}
		err = read_line(replay, waiting->number, waiting->words, &line);
		if (err)
			break;
		now = plan_next(&replay->feed.plan);
		if (now && is_equal(now, &line.action))
			decide(replay, REPLAY_SAME, waiting->number, &now->key, now);
		else
			err = differ(replay, waiting->number, &line.action, now);
		line_free(&line);
	}
	if (err || !has_rest)
		return err;
	now = plan_next(&replay->feed.plan);
	return now ? differ(replay, replay->number, NULL, now) : 0;
}

static bool is_alike(const struct action *a, const struct action *b)
{
	return a->kind == b->kind && !memcmp(&a->key, &b->key, sizeof(a->key)) &&
	       endpoint_is_same_address(&a->local, &b->local) &&
	       endpoint_is_equal(&a->remote, &b->remote);
}

/* The recorded action that this one is, or that is most like it; NULL: none. */
static struct replay_line *find(
	struct replay *replay, const struct action *action, bool *ret_is_same, int *ret_err)
{
	struct replay_line *found = NULL;
	struct line line;

	*ret_is_same = false;
	for (size_t i = 0; i < replay->n_batch && !*ret_is_same; i++) {
		struct replay_line *waiting = &replay->batch[i];

		if (waiting->is_used || !is_action(waiting))
			continue;
		*ret_err = read_line(replay, waiting->number, waiting->words, &line);
		if (*ret_err)
			return NULL;
		*ret_is_same = is_equal(action, &line.action);
		if (*ret_is_same || (!found && is_alike(action, &line.action)))
			found = waiting;
		line_free(&line);
	}
	return found;
}

static void succeed(struct replay *replay, const struct action *action)
{
	struct event event = {
		.key = action->key, .now_ns = replay->feed.plan.now_ns, .serial = action->serial};

	if (action->kind == ACTION_CREATE)
		event.kind = EVENT_CREATE_DONE;
	else if (action->kind == ACTION_DESTROY)
		event.kind = EVENT_DESTROY_DONE;
	else if (action->kind == ACTION_CLAIM)
		event.kind = EVENT_CLAIM_DONE;
	else if (action->kind == ACTION_LISTEN)
		event.kind = EVENT_LISTEN_DONE;
	else if (action->kind == ACTION_MEASURE) {
		event.kind = EVENT_MEASURED;
		event.error = ENODATA; /* nobody has measured */
	} else if (action->kind == ACTION_PACE || action->kind == ACTION_REACH) {
		event.kind = action->kind == ACTION_PACE ? EVENT_PACED : EVENT_REACHED;
		event.error = ENODATA;
	} else
		return;
	plan_hear(&replay->feed.plan, &event);
}

static int tell_gone(struct replay *replay, const struct replay_line *waiting)
{
	struct line line;
	int err = read_line(replay, waiting->number, waiting->words, &line);

	if (err)
		return err;
	replay->differences++;
	decide(replay, REPLAY_GONE, waiting->number, &line.action.key, &line.action);
	line_free(&line);
	return 0;
}

/* What followed the action in the recording. */
static int answer(struct replay *replay, struct replay_line *waiting, const struct action *answered)
{
	const struct replay_line *end = replay->batch + replay->n_batch;
	int err = 0;

	for (waiting++; waiting < end && !is_action(waiting) && !err; waiting++)
		err = read_and_apply(replay, waiting, answered);
	return err;
}

static int go_on_with(struct replay *replay, const struct action *action)
{
	struct replay_line *waiting;
	bool is_same;
	int err = 0;

	waiting = find(replay, action, &is_same, &err);
	if (err)
		return err;
	replay->differences += !is_same;
	decide(replay, is_same ? REPLAY_SAME : REPLAY_NEW,
		waiting ? waiting->number : replay->number, &action->key, action);
	if (!waiting) {
		succeed(replay, action);
		return 0;
	}
	waiting->is_used = true;
	if (!is_same)
		err = tell_gone(replay, waiting);
	return err ? err : answer(replay, waiting, action);
}

/* All that is decided now, with the answers of what was recorded; then what was not decided. */
static int pass_batch(struct replay *replay)
{
	const struct action *next;
	struct action action;
	int err = 0;

	while (!err && (next = plan_next(&replay->feed.plan))) {
		action = *next;
		err = go_on_with(replay, &action);
	}
	for (size_t i = 0; i < replay->n_batch && !err; i++) {
		if (is_action(&replay->batch[i]) && !replay->batch[i].is_used)
			err = tell_gone(replay, &replay->batch[i]);
	}
	return err;
}

static int run_batch(struct replay *replay, bool has_rest)
{
	int err = replay->does_go_on ? pass_batch(replay) : compare_batch(replay, has_rest);

	drop_batch(replay);
	return err;
}

static int wait_for_rest(struct replay *replay, const char *words)
{
	struct replay_line *batch = replay->batch;
	size_t room = replay->batch_room;

	if (replay->n_batch == room) {
		room = MAX(2 * room, BATCH_FIRST);
		batch = reallocarray(batch, room, sizeof(*batch));
		if (!batch)
			return -ENOMEM;
		replay->batch = batch;
		replay->batch_room = room;
	}
	batch[replay->n_batch] =
		(struct replay_line){.number = replay->number, .words = strdup(words)};
	if (!batch[replay->n_batch].words)
		return -ENOMEM;
	replay->n_batch++;
	return 0;
}

static int take_line(struct replay *replay, const char *words)
{
	bool is_rest = !strcmp(words, "rest");
	struct line line;
	int err;

	if (is_rest && replay->feed.has_begun)
		return run_batch(replay, true);
	if (replay->feed.has_begun && (replay->n_batch || !strncmp(words, "do ", 3)))
		return wait_for_rest(replay, words);
	err = read_line(replay, replay->number, words, &line);
	if (err)
		return err;
	err = apply(replay, replay->number, &line);
	line_free(&line);
	return err;
}

int replay_line(struct replay *replay, const char *words)
{
	char what[200];
	int err;

	if (!replay->number++) {
		err = line_read_header(words, what, sizeof(what));
		return err ? complain(replay, 1, what) : 0;
	}
	/* Whoever cuts a recording may say what is left. */
	if (!*words || *words == '#')
		return 0;
	err = take_line(replay, words);
	if (err == -ENOMEM)
		complain(replay, replay->number, "out of memory");
	return err;
}

int replay_end(struct replay *replay)
{
	int err = feed_end(&replay->feed);

	return err ? complain(replay, replay->number + 1, replay->feed.wrong)
		   : run_batch(replay, false);
}
