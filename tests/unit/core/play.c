/* SPDX-License-Identifier: MIT */
/* One connection played against the plan. */
#include "play.h"

#include "core/replay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct elephant_rule paper = {
	.start_bytes = 100 * MB,
	.step_bytes = 50 * MB,
	.stop_bytes = 300 * MB,
	.max_subflows = 4,
};

struct play *play_new(void **state)
{
	struct play *play = calloc(1, sizeof(*play));

	if (!play)
		return NULL;
	play->key = (struct conn_key){.netns = 1, .token = 7};
	play->now_ns = 1000000000;
	*state = play;
	if (plan_init(&play->plan, &paper, 8, 3))
		return NULL;
	play->plan.steer.hold_ns = 10000000000ull;
	tape_begin(&play->tape, &play->plan, "a test");
	return play;
}

int play_begin(void **state)
{
	return play_new(state) ? 0 : -1;
}

/* -1: another plan that hears the same does not decide the same. */
static int play_again(struct tape *tape)
{
	char *rest = tape->text.bytes, *words;
	struct replay replay = {};
	int err = 0;

	while (!err && *rest) {
		words = strsep(&rest, "\n");
		err = replay_line(&replay, words);
	}
	if (!err)
		err = replay_end(&replay);
	if (err)
		print_error("%s\n", replay.error);
	replay_done(&replay);
	return err ? -1 : 0;
}

int play_end(void **state)
{
	struct play *play = *state;
	int err = play->plan.tape ? play_again(&play->tape) : 0;

	plan_done(&play->plan);
	tape_done(&play->tape);
	free(play);
	return err;
}

void play_meddle(struct play *play)
{
	play->plan.tape = NULL;
}

struct endpoint play_local(uint16_t port)
{
	return (struct endpoint){.family = AF_INET, .port = port, .v4.s_addr = htonl(0x0a000001)};
}

struct endpoint play_remote(void)
{
	return (struct endpoint){.family = AF_INET, .port = 80, .v4.s_addr = htonl(0x0a000002)};
}

/* As the daemon does it: the answer is heard before anything else. */
static void answer(struct play *play, const struct action *action, enum event_kind kind, int error)
{
	struct event event = {.kind = kind,
		.key = action->key,
		.now_ns = play->now_ns,
		.serial = action->serial,
		.error = error};

	plan_hear(&play->plan, &event);
}

/* Of ports drawn by lot no more is asked. */
static void read_ports(struct play *play, const struct action *action)
{
	steer_set_ports(&play->plan.steer, action->key.netns,
		&(struct ports){.low = 30000, .high = 60000}, play->plan.now_ns);
	answer(play, action, EVENT_PATHS, 0);
}

void play_act(struct play *play)
{
	const struct action *next;
	struct action action;
	int error;

	while ((next = plan_next(&play->plan))) {
		action = *next;
		switch (action.kind) {
		case ACTION_CREATE:
			play->creates++;
			play->create = action;
			answer(play, &action, EVENT_CREATE_DONE, play->create_error);
			break;
		case ACTION_DESTROY:
			play->destroys++;
			play->destroy = action;
			error = play->destroy_error;
			if (play->destroys_failing && !--play->destroys_failing)
				play->destroy_error = 0;
			answer(play, &action, EVENT_DESTROY_DONE, error);
			break;
		case ACTION_ANNOUNCE:
			play->announcements++;
			play->announce = action;
			break;
		case ACTION_WITHDRAW:
			play->withdrawals++;
			play->withdraw = action;
			break;
		case ACTION_BACKUP:
			play->backups++;
			play->backup = action;
			break;
		case ACTION_LOCALS:
			play->lookups++;
			plan_hear(&play->plan, &(struct event){.kind = EVENT_LOCALS,
						       .key = action.key,
						       .now_ns = play->now_ns,
						       .locals = play->locals,
						       .n_locals = play->n_locals,
						       .error = play->locals_error});
			break;
		case ACTION_RULE:
			play->rules++;
			play->rule = action.rule;
			break;
		case ACTION_OWNER:
			play->owners++;
			plan_hear(&play->plan, &(struct event){.kind = EVENT_OWNER,
						       .key = action.key,
						       .now_ns = play->now_ns,
						       .uid = play->uid,
						       .excluded = play->excluded,
						       .error = play->owner_error});
			break;
		case ACTION_SEARCH:
			play->searches++;
			break;
		case ACTION_CLAIM:
			play->claims++;
			answer(play, &action, EVENT_CLAIM_DONE, play->claim_error);
			break;
		case ACTION_LISTEN:
			play->listens++;
			answer(play, &action, EVENT_LISTEN_DONE, play->listen_error);
			break;
		case ACTION_MEASURE:
			play->measures++;
			if (play->is_measure_lost)
				break;
			plan_hear(&play->plan, &(struct event){.kind = EVENT_MEASURED,
						       .key = action.key,
						       .now_ns = play->now_ns,
						       .serial = action.serial,
						       .sample = play->sample,
						       .error = play->measure_error});
			break;
		case ACTION_PACE:
			play->paces++;
			if (play->answer_pace)
				play->answer_pace(play, &action);
			else
				answer(play, &action, EVENT_PACED, ENODATA);
			break;
		case ACTION_REACH:
			play->reaches++;
			play->reach = action;
			if (play->answer_reach)
				play->answer_reach(play, &action);
			else
				answer(play, &action, EVENT_REACHED, ENODATA);
			break;
		case ACTION_SURVEY:
			play->surveys++;
			play->survey = action;
			if (play->plan.steer.mode == STEER_RANDOM)
				read_ports(play, &action);
			break;
		case ACTION_RECEIPT:
			play->told++;
			play->receipts += action.receipt.adds != play->receipt.adds ||
					  action.receipt.removes != play->receipt.removes;
			play->receipt = action.receipt;
			break;
		case ACTION_FORGET:
			play->forgets++;
			break;
		}
	}
}

void play_hear(struct play *play, struct event event)
{
	if (!event.key.token)
		event.key = play->key;
	event.now_ns = play->now_ns;
	plan_hear(&play->plan, &event);
	play_act(play);
}

void play_created(struct play *play)
{
	play_hear(play, (struct event){.kind = EVENT_CREATED,
				.local = play_local(LOCAL_PORT),
				.remote = play_remote()});
}

void play_established(struct play *play)
{
	play_hear(play, (struct event){.kind = EVENT_ESTABLISHED,
				.local = play_local(LOCAL_PORT),
				.remote = play_remote()});
}

void play_closed(struct play *play)
{
	play_hear(play, (struct event){.kind = EVENT_CLOSED});
}

void play_joined(struct play *play, uint16_t port)
{
	play_hear(play, (struct event){.kind = EVENT_SUBFLOW_ESTABLISHED,
				.local = play_local(port),
				.remote = play_remote()});
}

void play_left(struct play *play, uint16_t port)
{
	play_hear(play, (struct event){.kind = EVENT_SUBFLOW_CLOSED,
				.local = play_local(port),
				.remote = play_remote(),
				.reset_reason = -1});
}

void play_fell_silent(struct play *play, uint16_t port)
{
	play_hear(play,
		(struct event){
			.kind = EVENT_TIMEOUT, .local = play_local(port), .remote = play_remote()});
}

void play_intent(struct play *play, uint32_t adds, uint32_t removes)
{
	play_hear(play, (struct event){.kind = EVENT_INTENT, .adds = adds, .removes = removes});
}

void play_assert_told(struct play *play)
{
	const struct news_queue *news = &play->plan.news;

	assert_true(news->is_wanted && news->count);
	assert_int_equal(news->list[news->count - 1].kind, NEWS_HELD);
	assert_string_equal(news->list[news->count - 1].why, play_conn(play)->why);
}

void play_threshold(struct play *play, uint64_t mb)
{
	play_hear(play,
		(struct event){
			.kind = EVENT_THRESHOLD, .threshold = mb * MB, .bytes = mb * MB + 12345});
}

void play_connect(struct play *play)
{
	play_created(play);
	play_established(play);
}

void play_connect_with(struct play *play, uint16_t n)
{
	play_connect(play);
	play_intent(play, n, 0);
	for (uint16_t port = 1; port <= n; port++)
		play_joined(play, LOCAL_PORT + port);
}

struct endpoint play_from(uint8_t host, uint16_t port)
{
	struct endpoint local = play_local(port);

	local.v4.s_addr = htonl(0x0a000000 + host);
	return local;
}

void play_wish(struct play *play, int slot, uint8_t host, uint16_t port, uint16_t adds)
{
	struct wish *wish = &play->wishes.list[slot];

	*wish = (struct wish){.addr = {0, 0, htonl(0xffff), htonl(0x0a000000 + host)},
		.port = port,
		.since = wish->flags ? wish->since : play->generation + 1,
		.adds = adds,
		.flags = WISH_TAKEN};
}

void play_take_away(struct play *play, int slot, uint8_t host, uint16_t port)
{
	play_wish(play, slot, host, port, 0);
	play->wishes.list[slot].since = play->generation + 1;
	play->wishes.list[slot].flags |= WISH_REMOVED;
}

void play_tell(struct play *play)
{
	play_hear(play, (struct event){.kind = EVENT_INTENT,
				.generation = ++play->generation,
				.adds = play->numbers,
				.removes = play->removes,
				.has_wishes = true,
				.wishes = play->wishes});
}

void play_join_from(struct play *play, uint8_t host, uint16_t port)
{
	play_hear(play, (struct event){.kind = EVENT_SUBFLOW_ESTABLISHED,
				.local = play_from(host, port),
				.remote = play_remote(),
				.id = play->create.id});
}

void play_connect_listed(struct play *play, uint16_t n)
{
	play_connect(play);
	play_wish(play, 0, 2, 0, n);
	play_tell(play);
	for (uint16_t i = 0; i < n; i++)
		play_join_from(play, 2, 41000 + i);
}

bool play_wait(struct play *play)
{
	uint64_t next_ns = plan_tick(&play->plan, play->now_ns);

	play_act(play);
	if (!next_ns)
		return false;
	assert_true(next_ns > play->now_ns);
	plan_tick(&play->plan, next_ns - 1);
	assert_null(plan_next(&play->plan));
	play->now_ns = next_ns;
	plan_tick(&play->plan, play->now_ns);
	play_act(play);
	return true;
}

bool play_step(struct play *play, uint64_t end_ns)
{
	uint64_t next_ns = plan_tick(&play->plan, 0);

	if (!next_ns || next_ns > end_ns)
		return false;
	play->now_ns = next_ns;
	plan_tick(&play->plan, next_ns);
	play_act(play);
	return true;
}

struct conn *play_conn(struct play *play)
{
	return conn_find(&play->plan.table, &play->key);
}

void play_assert_subflows(
	struct play *play, uint32_t established, uint32_t opening, uint32_t wanted)
{
	struct conn *conn = play_conn(play);
	uint32_t are_established = 0, are_opening = 0;
	struct subflow *subflow;

	assert_non_null(conn);
	TAILQ_FOREACH (subflow, &conn->subflows, entry) {
		if (subflow->is_doomed)
			continue;
		are_established += subflow->state == SUBFLOW_ESTABLISHED;
		are_opening += subflow->state == SUBFLOW_OPENING;
	}
	assert_int_equal(are_established, established);
	assert_int_equal(are_opening, opening);
	assert_int_equal(conn_count_wanted(conn), wanted);
}

void play_assert_created_from(struct play *play, uint8_t host, uint16_t port)
{
	struct endpoint expected = play_from(host, port);

	assert_true(endpoint_is_equal(&play->create.local, &expected));
}

void play_assert_receipt(struct play *play, uint32_t adds, uint32_t removes)
{
	assert_int_equal(play->receipt.adds, adds);
	assert_int_equal(play->receipt.removes, removes);
	assert_int_equal(play_conn(play)->receipt.adds, adds);
	assert_int_equal(play_conn(play)->receipt.removes, removes);
}

struct path_map *play_map(struct play *play)
{
	struct endpoint local = play_local(0), remote = play_remote();
	struct path_key key = path_key_of(play->key.netns, &local, &remote);

	return path_table_get(&play->plan.steer.paths, &key);
}

struct path_map *play_know(struct play *play)
{
	struct path_map *map = play_map(play);

	assert_non_null(map);
	map->depth = 2;
	map->state = PATH_KNOWN;
	map->is_thorough = true;
	map->learned_ns = map->confirmed_ns = play->now_ns;
	return map;
}

void play_learn(struct play *play, struct path_map *map, uint16_t port, uint16_t way)
{
	struct path_table *table = &play->plan.steer.paths;
	struct in6_addr router = {.s6_addr = {[0] = 0xfd, [15] = 1}};

	assert_int_equal(path_learn(table, map, port, 1, &router), 0);
	router.s6_addr[15] = 16 + way;
	assert_int_equal(path_learn(table, map, port, 2, &router), 0);
}
