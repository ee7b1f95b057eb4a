/* SPDX-License-Identifier: MIT */
/* How long it takes up to a router on a subflow's way. */
#include "reach.h"

#include "base/timer.h"
#include "kernel/probe.h"
#include "kernel/served_list.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#define WAIT_NS 250000000ull

/* Each has sockets of its own, and they are open for so long only: nothing holds a namespace. */
struct reach_question {
	TAILQ_ENTRY(reach_question) entry;
	struct reach *reach;
	struct probe probe;
	struct source source;
	struct probe_packet packet;
	struct conn_key key;
	uint32_t serial;
	uint64_t sent_ns;
};

static void drop(struct reach_question *question)
{
	struct reach *reach = question->reach;

	TAILQ_REMOVE(&reach->questions, question, entry);
	reach->n_questions--;
	loop_remove(reach->loop, &question->source);
	probe_close(&question->probe);
	free(question);
}

static void arm(struct reach *reach)
{
	const struct reach_question *oldest = TAILQ_FIRST(&reach->questions);

	timer_arm(&reach->timer, oldest ? oldest->sent_ns + WAIT_NS : 0);
}

/* The question is over. */
static void tell(struct reach_question *question, uint64_t now_ns, int error)
{
	struct reach *reach = question->reach;
	struct event event = {.kind = EVENT_REACHED,
		.key = question->key,
		.now_ns = now_ns,
		.serial = question->serial,
		.sample.srtt_us = (now_ns - question->sent_ns) / 1000,
		.error = error};

	drop(question);
	arm(reach);
	reach->heard(reach->owner, &event);
}

static bool is_answer(const struct reach_question *question, const struct icmp_answer *answer)
{
	const struct probe_packet *packet = &question->packet;

	return endpoint_is_equal(&packet->local, &answer->local) &&
	       endpoint_is_equal(&packet->remote, &answer->remote) &&
	       packet->sequence == answer->sequence;
}

static void answer_ready(struct source *source, uint32_t events)
{
	struct reach_question *question = SOURCE_OWNER(source, struct reach_question, source);
	uint64_t now_ns = loop_now_ns();
	struct icmp_answer answer;
	int got;

	(void)events;
	for (int i = 0; i < PROBE_READS_MAX; i++) {
		got = probe_receive(&question->probe, &answer);
		if (!got)
			return;
		if (got < 0 || !is_answer(question, &answer))
			continue;
		tell(question, now_ns, 0);
		return;
	}
}

static void timer_ready(struct source *source, uint32_t events)
{
	struct reach *reach = SOURCE_OWNER(source, struct reach, timer);
	struct reach_question *question;
	uint64_t now_ns = loop_now_ns();

	(void)events;
	if (!timer_has_expired(source))
		return;
	while ((question = TAILQ_FIRST(&reach->questions)) && question->sent_ns + WAIT_NS <= now_ns)
		tell(question, now_ns, ETIMEDOUT);
	arm(reach);
}

static int open_inside(struct reach *reach, struct reach_question *question)
{
	struct served_netns *served = served_find_live(reach->served, question->key.netns);
	int err;

	if (!served)
		return -ENONET;
	err = served_enter(served);
	if (err)
		return err;
	err = probe_open(&question->probe, question->packet.remote.family,
		scout_draw(reach->scout) >> 48 | 1);
	served_leave(served);
	return err;
}

static int begin(struct reach *reach, struct reach_question *question)
{
	int err = open_inside(reach, question);

	if (err)
		return err;
	question->source.fd = question->probe.receive_fd;
	question->source.ready = answer_ready;
	err = loop_add(reach->loop, &question->source, EPOLLIN);
	if (err)
		return err;
	question->sent_ns = loop_now_ns();
	err = probe_send(&question->probe, &question->packet);
	if (err)
		loop_remove(reach->loop, &question->source);
	return err;
}

int reach_ask(struct reach *reach, const struct action *action)
{
	struct endpoint local = endpoint_unmap(&action->local),
			remote = endpoint_unmap(&action->remote);
	struct reach_question *question;
	int err;

	if (reach->n_questions >= REACH_QUESTIONS_MAX) {
		reach->refused++;
		return -EBUSY;
	}
	if (!scout_spend(reach->scout, &action->key, &local, &remote))
		return -EBUSY;
	question = calloc(1, sizeof(*question));
	if (!question)
		return -ENOMEM;
	*question = (struct reach_question){.reach = reach,
		.probe = {.send_fd = -1, .receive_fd = -1},
		.packet = {.local = local,
			.remote = remote,
			.ttl = action->ttl,
			.sequence = scout_draw(reach->scout) >> 32,
			.acknowledgement = scout_draw(reach->scout) >> 32},
		.key = action->key,
		.serial = action->serial};
	err = begin(reach, question);
	if (err) {
		probe_close(&question->probe);
		free(question);
		return err;
	}
	TAILQ_INSERT_TAIL(&reach->questions, question, entry);
	reach->n_questions++;
	arm(reach);
	return 0;
}

int reach_init(struct reach *reach)
{
	reach->timer.ready = timer_ready;
	return timer_open(&reach->timer, reach->loop);
}

void reach_done(struct reach *reach)
{
	while (!TAILQ_EMPTY(&reach->questions))
		drop(TAILQ_FIRST(&reach->questions));
	timer_close(&reach->timer);
}
