/* SPDX-License-Identifier: MIT */
/* From which port the next subflow leaves, by what is known of the ways and of who takes them. */
#include "core/steer.h"

#include "../unit.h"

#define FIRST_PORT 40000 /* of connections */
#define PORT       50000 /* of candidates */
#define SECOND_NS  1000000000ull
#define HOLD_NS    (7 * SECOND_NS)

struct play {
	struct steer steer;
	struct conn_table table;
	struct path_map *map;
	uint32_t n_conns;
	uint64_t now_ns;
};

static struct endpoint endpoint(uint32_t address, uint16_t port)
{
	return (struct endpoint){.family = AF_INET, .port = port, .v4.s_addr = htonl(address)};
}

static int begin(void **state)
{
	static struct play play;
	struct endpoint local = endpoint(1, 0), remote = endpoint(2, 80);
	struct path_key key = path_key_of(1, &local, &remote);

	play = (struct play){.now_ns = 1};
	steer_init(&play.steer);
	play.steer.mode = STEER_PATHS;
	play.steer.hold_ns = HOLD_NS;
	conn_table_init(&play.table, 100);
	play.map = path_table_get(&play.steer.paths, &key);
	assert_non_null(play.map);
	play.map->depth = 2;
	play.map->state = PATH_KNOWN;
	*state = &play;
	return 0;
}

static int end(void **state)
{
	struct play *play = *state;

	conn_table_done(&play->table);
	assert_null(play->table.ends);
	for (unsigned int i = 0; i < play->map->n_routers; i++) {
		assert_int_equal(play->map->routers[i]->load, 0);
		assert_int_equal(play->map->routers[i]->light, 0);
	}
	steer_done(&play->steer);
	return 0;
}

static void learn_at(struct play *play, uint16_t port, unsigned int tier, uint32_t router)
{
	struct endpoint passed = endpoint(router, 0);
	struct in6_addr address = path_address(&passed);

	assert_int_equal(path_learn(&play->steer.paths, play->map, port, tier, &address), 0);
}

/* The flow from @port passes the one leaf and this spine. */
static void learn(struct play *play, uint16_t port, uint32_t spine)
{
	learn_at(play, port, 1, 0x100);
	learn_at(play, port, 2, 0x200 + spine);
}

/* Its first subflow leaves from FIRST_PORT and so many. */
static struct conn *open_conn(struct play *play)
{
	struct conn_key key = {.netns = 1, .token = ++play->n_conns};
	struct conn *conn = conn_get(&play->table, &key);
	struct subflow *first = conn_add_subflow(conn);

	conn->is_created = true;
	conn->local = endpoint(1, FIRST_PORT + play->n_conns);
	conn->remote = endpoint(2, 80);
	first->local = conn->local;
	first->remote = conn->remote;
	conn_join(&play->table, conn);
	return conn;
}

static enum steer_answer choose(struct play *play, struct conn *conn, struct steer_choice *choice)
{
	struct endpoint local = endpoint(1, 0), remote = endpoint(2, 80);

	return steer_choose(&play->steer, conn, &local, &remote, false, play->now_ns, choice);
}

static uint16_t choose_port(struct play *play, struct conn *conn)
{
	struct steer_choice choice;

	assert_int_equal(choose(play, conn, &choice), STEER_GO);
	return choice.port;
}

/* Opens one more subflow of it where steer says. */
static uint16_t place(struct play *play, struct conn *conn)
{
	struct steer_choice choice;
	struct subflow *subflow;

	assert_int_equal(choose(play, conn, &choice), STEER_GO);
	subflow = conn_add_subflow(conn);
	subflow->local = endpoint(1, choice.port);
	subflow->remote = endpoint(2, 80);
	steer_take(&play->steer, conn, subflow, &choice);
	return choice.port;
}

static void ways_of_others_are_left_to_them(void **state)
{
	struct play *play = *state;
	struct conn *a = open_conn(play), *b = open_conn(play);

	learn(play, FIRST_PORT + 1, 0);
	learn(play, FIRST_PORT + 2, 1);
	for (uint16_t spine = 0; spine < 4; spine++)
		learn(play, PORT + spine, spine);
	/* B is not split yet, and counts. */
	assert_int_equal(place(play, a), PORT + 2);
	assert_int_equal(play->map->routers[2]->light, 1);
	assert_int_equal(place(play, b), PORT + 3);
	assert_int_equal(play->map->routers[2]->light, 0);
	assert_int_equal(play->map->routers[2]->load, 1);
	assert_int_equal(play->steer.counters.placed, 2);
}

static void split_connections_weigh_more_than_whole_ones(void **state)
{
	struct play *play = *state;
	struct conn *a = open_conn(play), *b;

	play->map->is_thorough = true;
	learn(play, FIRST_PORT + 1, 0);
	for (uint16_t i = 0; i < 12; i++)
		learn(play, PORT + i, i % 3);
	assert_int_equal(place(play, a), PORT + 1);
	/* On the last way run three that nobody has split; on A's second one runs one that is. */
	for (uint16_t i = 2; i <= 4; i++) {
		open_conn(play);
		learn(play, FIRST_PORT + i, 2);
	}
	b = open_conn(play);
	learn(play, FIRST_PORT + 5, 0);
	assert_int_equal(place(play, b), PORT + 2);
}

static void what_is_not_known_is_sought(void **state)
{
	struct play *play = *state;
	struct conn *a = NULL, *conn;
	struct steer_choice choice;
	unsigned int sought = 0;

	for (int i = 0; i < 40; i++) {
		conn = open_conn(play);
		a = i == 20 ? conn : a;
	}
	assert_int_equal(choose(play, a, &choice), STEER_ASK);
	for (unsigned int i = 0; i < play->map->n_ports; i++)
		sought += path_is_sought(play->map, &play->map->ports[i]);
	assert_int_equal(sought, 1 + 16);
	assert_non_null(path_port_find(play->map, FIRST_PORT + 21));
	assert_int_equal(play->steer.counters.surveys, 1);
}

static void a_better_way_may_still_come(void **state)
{
	struct play *play = *state;
	struct conn *a = open_conn(play), *b = open_conn(play);
	struct steer_choice choice;

	play->map->state = PATH_ASKING;
	learn(play, FIRST_PORT + 1, 0);
	learn(play, FIRST_PORT + 2, 1);
	learn(play, PORT, 1);
	assert_int_equal(choose(play, a, &choice), STEER_ASK);
	learn(play, PORT + 1, 2);
	assert_int_equal(place(play, a), PORT + 1);
	assert_int_equal(choose(play, b, &choice), STEER_ASK);
}

/* Another way through the same router of the tier before is not yet as good as can be. */
static void each_tier_is_waited_for(void **state)
{
	struct play *play = *state;
	struct conn *a = open_conn(play);
	struct steer_choice choice;

	play->map->state = PATH_ASKING;
	play->map->depth = 3;
	learn_at(play, FIRST_PORT + 1, 2, 0x200);
	learn_at(play, FIRST_PORT + 1, 3, 0x300);
	learn_at(play, PORT, 3, 0x301);
	assert_int_equal(choose(play, a, &choice), STEER_ASK);
	learn_at(play, PORT, 2, 0x200);
	assert_int_equal(choose(play, a, &choice), STEER_ASK);
	learn_at(play, PORT + 1, 3, 0x302);
	assert_int_equal(choose(play, a, &choice), STEER_ASK);
	learn_at(play, PORT + 1, 2, 0x201);
	assert_int_equal(place(play, a), PORT + 1);
	/* One passes each: the third cannot do better. */
	assert_int_equal(place(play, a), PORT);
}

/* What is not split may never be: it is no reason to look for more. */
static void a_way_beside_one_that_is_whole_is_taken(void **state)
{
	struct play *play = *state;
	struct conn *a = open_conn(play);

	open_conn(play);
	learn(play, FIRST_PORT + 1, 0);
	learn(play, FIRST_PORT + 2, 1);
	learn(play, PORT, 0);
	learn(play, PORT + 1, 1);
	assert_int_equal(place(play, a), PORT + 1);
}

static void sharing_takes_certainty(void **state)
{
	struct play *play = *state;
	struct conn *a = open_conn(play);
	struct steer_choice choice;

	learn(play, FIRST_PORT + 1, 0);
	learn(play, PORT, 0);
	assert_int_equal(choose(play, a, &choice), STEER_ALL);
	play->map->is_thorough = true;
	assert_int_equal(place(play, a), PORT);
	assert_int_equal(play->steer.counters.shared, 1);
}

/* Of several ways, who comes to a known map takes what is known: two probes at most are his. */
static void a_further_connection_shares_without_a_survey(void **state)
{
	struct play *play = *state;
	struct conn *a = open_conn(play), *b;
	struct steer_choice choice;

	learn(play, FIRST_PORT + 1, 0);
	learn(play, PORT, 1);
	assert_int_equal(place(play, a), PORT);
	b = open_conn(play);
	learn(play, FIRST_PORT + 2, 0);
	learn(play, PORT + 1, 1);
	assert_int_equal(place(play, b), PORT + 1);
	assert_int_equal(play->steer.counters.shared, 0);
	learn(play, PORT + 2, 0);
	learn(play, PORT + 3, 1);
	assert_int_equal(choose(play, b, &choice), STEER_GO);
	play->map->is_partial = true;
	assert_int_equal(choose(play, b, &choice), STEER_ALL);
	play->map->is_partial = b->has_asked_all = false;
	b->has_explored = true;
	assert_int_equal(choose(play, b, &choice), STEER_ALL);
}

/* What was left last is the likeliest to be in TIME-WAIT. */
static void what_was_left_is_tried_where_nothing_else_is_as_good(void **state)
{
	struct play *play = *state;
	struct conn *a = open_conn(play);

	play->map->is_thorough = true;
	learn(play, FIRST_PORT + 1, 0);
	for (uint16_t i = 0; i < 6; i++)
		learn(play, PORT + i, i % 3);
	path_port_leave(path_port_find(play->map, PORT + 1), 1 * SECOND_NS);
	path_port_leave(path_port_find(play->map, PORT + 2), 3 * SECOND_NS);
	path_port_leave(path_port_find(play->map, PORT + 5), 2 * SECOND_NS);
	play->now_ns = 10 * SECOND_NS;
	assert_int_equal(place(play, a), PORT + 4);
	assert_int_equal(place(play, a), PORT + 5);
}

/* All its ports are in use: some more are asked for, a few at a time, whoever comes. */
static void a_free_port_of_a_better_way_is_looked_for(void **state)
{
	struct play *play = *state;
	struct conn *a = open_conn(play);
	struct steer_choice choice;

	play->map->is_thorough = true;
	learn(play, FIRST_PORT + 1, 0);
	learn(play, PORT, 0);
	learn(play, PORT + 1, 1);
	play->now_ns = SECOND_NS;
	path_port_refuse(path_port_find(play->map, PORT + 1), play->now_ns);
	for (int i = 0; i < 8; i++)
		assert_int_equal(choose(play, a, &choice), STEER_MORE);
	assert_int_equal(choose(play, a, &choice), STEER_GO);
	assert_int_equal(choice.port, PORT);
	a->asked_more = 0;
	assert_int_equal(choose(play, a, &choice), STEER_MORE);
	learn(play, PORT + 2, 1);
	assert_int_equal(place(play, a), PORT + 2);
	assert_int_equal(play->steer.counters.surveys, 9);
}

/* So it is before one is taken where somebody else of this host is. */
static void so_it_is_where_only_others_would_be_met(void **state)
{
	struct play *play = *state;
	struct conn *a = open_conn(play), *b = open_conn(play);
	struct steer_choice choice;

	play->map->is_thorough = true;
	learn(play, FIRST_PORT + 1, 0);
	learn(play, FIRST_PORT + 2, 2);
	learn(play, PORT, 1);
	learn(play, PORT + 1, 1);
	learn(play, PORT + 2, 2);
	assert_int_equal(place(play, b), PORT);
	/* All are somebody's now: there is nothing to look for. */
	a->has_asked_all = true;
	assert_int_equal(choose(play, a, &choice), STEER_GO);
	learn(play, PORT + 3, 3);
	assert_int_equal(choose(play, a, &choice), STEER_GO);
	assert_int_equal(choice.port, PORT + 3);
	play->now_ns = SECOND_NS;
	path_port_refuse(path_port_find(play->map, PORT + 3), play->now_ns);
	assert_int_equal(choose(play, a, &choice), STEER_MORE);
	learn(play, PORT + 4, 3);
	assert_int_equal(place(play, a), PORT + 4);
}

/* Found out: nothing more will be. It is not asked for again and again. */
static void what_cannot_be_known_is_done_without(void **state)
{
	struct play *play = *state;
	struct conn *a = open_conn(play);

	assert_int_equal(path_port_seek(play->map, FIRST_PORT + 1), 0);
	play->map->ports[0].is_sought = false;
	learn(play, PORT, 0);
	assert_int_equal(place(play, a), PORT);
}

static void what_nobody_can_tell_is_not_believed(void **state)
{
	struct play *play = *state;
	struct conn *a = open_conn(play);
	struct subflow *subflow;

	learn(play, FIRST_PORT + 1, 0);
	learn(play, PORT, 1);
	assert_int_equal(place(play, a), PORT);
	steer_review(&play->steer, a);
	TAILQ_FOREACH (subflow, &a->subflows, entry)
		assert_true(path_is_set(&subflow->path));
	path_map_silence(play->map, "for a reason", 1);
	steer_review(&play->steer, a);
	TAILQ_FOREACH (subflow, &a->subflows, entry)
		assert_false(path_is_set(&subflow->path));
}

static void routes_that_change_move_the_load(void **state)
{
	struct play *play = *state;
	struct conn *a = open_conn(play);

	learn(play, FIRST_PORT + 1, 0);
	for (uint16_t spine = 0; spine < 3; spine++)
		learn(play, PORT + spine, spine);
	assert_int_equal(place(play, a), PORT + 1);
	path_map_renew(play->map);
	play->map->depth = 2;
	play->map->state = PATH_KNOWN;
	learn(play, FIRST_PORT + 1, 2);
	learn(play, PORT + 1, 1);
	learn(play, PORT + 2, 2);
	learn(play, PORT + 3, 0);
	assert_int_equal(place(play, a), PORT + 3);
}

/* The map is asked anew, and knows only the first routers yet. */
static void what_was_known_farther_stays_until_it_is_known_again(void **state)
{
	struct play *play = *state;
	struct conn *a = open_conn(play);
	struct subflow *first = TAILQ_FIRST(&a->subflows);
	struct steer_choice choice;
	struct router *core;

	play->map->depth = 3;
	learn(play, FIRST_PORT + 1, 0);
	learn_at(play, FIRST_PORT + 1, 3, 0x300);
	learn(play, PORT, 1);
	learn_at(play, PORT, 3, 0x301);
	assert_int_equal(choose(play, a, &choice), STEER_GO);
	core = first->path.tiers[3];
	assert_non_null(core);
	path_map_renew(play->map);
	play->map->state = PATH_ASKING;
	play->map->depth = 2;
	learn(play, FIRST_PORT + 1, 0);
	choose(play, a, &choice);
	assert_ptr_equal(first->path.tiers[3], core);
	play->map->state = PATH_KNOWN;
	choose(play, a, &choice);
	assert_null(first->path.tiers[3]);
	assert_int_equal(core->load, 0);
}

/* A path that is known to be dead is worse than a port that may be in TIME-WAIT. */
/* As a subflow that is up. */
static struct subflow *put(struct play *play, struct conn *conn, uint16_t port)
{
	struct path_port *known = path_port_find(play->map, port);
	const struct steer_choice choice = {.port = port, .path = path_of(play->map, known)};
	struct subflow *subflow = conn_add_subflow(conn);

	subflow->state = SUBFLOW_ESTABLISHED;
	subflow->local = endpoint(1, port);
	subflow->remote = endpoint(2, 80);
	steer_take(&play->steer, conn, subflow, &choice);
	return subflow;
}

static void a_way_that_has_failed_is_the_last_to_be_taken(void **state)
{
	struct play *play = *state;
	struct endpoint local = endpoint(1, 0), remote = endpoint(2, 80);
	struct conn *a = open_conn(play);
	struct steer_choice choice;
	struct path path;

	play->map->is_thorough = true;
	learn(play, FIRST_PORT + 1, 0);
	learn(play, PORT, 1);
	learn(play, PORT + 1, 2);
	path_port_leave(path_port_find(play->map, PORT + 1), 9 * SECOND_NS);
	path = path_of(play->map, path_port_find(play->map, PORT));
	path.tiers[2]->shunned_until_ns = 20 * SECOND_NS;
	play->now_ns = 10 * SECOND_NS;
	assert_int_equal(place(play, a), PORT + 1);
	/* Another port of one that lives is looked for before it, if there is time. */
	assert_int_equal(choose(play, a, &choice), STEER_MORE);
	assert_int_equal(
		steer_choose(&play->steer, a, &local, &remote, true, play->now_ns, &choice),
		STEER_GO);
	assert_int_equal(choice.port, PORT);
	learn(play, PORT + 2, 0);
	assert_int_equal(place(play, a), PORT + 2);
}

/* Of two ways that have failed at once, one may only have been slow: who lives there shows it. */
static void where_all_have_failed_the_way_of_one_that_lives_is_taken(void **state)
{
	struct play *play = *state;
	struct conn *a = open_conn(play);
	struct subflow *sibling;
	struct path path;

	conn_remove_subflow(a, TAILQ_FIRST(&a->subflows));
	learn(play, PORT, 0);
	learn(play, PORT + 1, 1);
	learn(play, PORT + 2, 1);
	play->map->is_thorough = true;
	for (uint16_t port = PORT; port < PORT + 2; port++) {
		path = path_of(play->map, path_port_find(play->map, port));
		path.tiers[2]->shunned_until_ns = 20 * SECOND_NS;
	}
	play->now_ns = 10 * SECOND_NS;
	assert_int_equal(choose_port(play, a), PORT);
	sibling = put(play, a, PORT + 1);
	assert_int_equal(choose_port(play, a), PORT + 2);
	/* Not if it is silent itself, nor before it is up. */
	sibling->is_silent = true;
	assert_int_equal(choose_port(play, a), PORT);
	sibling->is_silent = false;
	sibling->state = SUBFLOW_OPENING;
	assert_int_equal(choose_port(play, a), PORT);
	sibling->state = SUBFLOW_ESTABLISHED;
	assert_int_equal(choose_port(play, a), PORT + 2);
	/* One that has not failed comes first. */
	learn(play, PORT + 3, 2);
	assert_int_equal(choose_port(play, a), PORT + 3);
}

/* Routes change: what was asked too long ago is asked again. */
static void what_is_known_gets_old(void **state)
{
	static const struct {
		enum path_state state;
		bool is_partial;
		unsigned int age_s;
	} cases[] = {{PATH_KNOWN, false, 600}, {PATH_KNOWN, true, 60}, {PATH_SILENT, false, 60}};
	struct play *play = *state;
	struct conn *a = open_conn(play);
	struct steer_choice choice;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		learn(play, FIRST_PORT + 1, 0);
		learn(play, PORT, 1);
		play->map->depth = 2;
		play->map->state = cases[i].state;
		play->map->is_partial = cases[i].is_partial;
		play->map->learned_ns = play->now_ns;
		play->now_ns += cases[i].age_s * SECOND_NS;
		assert_int_equal(choose(play, a, &choice), STEER_GO);
		play->now_ns++;
		assert_int_equal(choose(play, a, &choice), STEER_ASK);
		assert_int_equal(play->map->state, PATH_UNKNOWN);
	}
}

/* Ports drawn by lot: others may have been reserved since they were read. */
static void the_ports_of_a_namespace_are_read_now_and_then(void **state)
{
	struct ports ports = {.low = 40000, .high = 40001};
	struct play *play = *state;
	struct conn *a = open_conn(play);
	struct steer_choice choice;

	play->steer.mode = STEER_RANDOM;
	assert_int_equal(choose(play, a, &choice), STEER_MORE);
	/* It cannot be read: the kernel chooses. */
	assert_int_equal(choose(play, a, &choice), STEER_GO);
	assert_int_equal(choice.port, 0);
	a->asked_more = 0;
	assert_int_equal(steer_set_ports(&play->steer, a->key.netns, &ports, play->now_ns), 0);
	play->now_ns += 10 * SECOND_NS;
	assert_int_equal(choose(play, a, &choice), STEER_GO);
	assert_in_range(choice.port, 40000, 40001);
	play->now_ns++;
	assert_int_equal(choose(play, a, &choice), STEER_MORE);
	ports_reserve(&ports, 40000, 40000);
	assert_int_equal(steer_set_ports(&play->steer, a->key.netns, &ports, play->now_ns), 0);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(choose(play, a, &choice), STEER_GO);
		assert_int_equal(choice.port, 40001);
	}
}

/* Two routers, with two more behind each: an end of a fat-tree. Ports 0 and 1 take the first. */
static void learn_fat_tree(struct play *play)
{
	play->map->depth = 3;
	play->map->is_thorough = true;
	for (uint16_t core = 0; core < 4; core++) {
		learn_at(play, PORT + core, 1, 0x100);
		learn_at(play, PORT + core, 2, 0x200 + core / 2);
		learn_at(play, PORT + core, 3, 0x300 + core);
	}
	learn_at(play, FIRST_PORT + 1, 1, 0x100);
	learn_at(play, FIRST_PORT + 1, 2, 0x201);
	learn_at(play, FIRST_PORT + 1, 3, 0x303);
}

static bool is_shunned(struct play *play, uint16_t port)
{
	struct path path = path_of(play->map, path_port_find(play->map, port));

	return path_shunned_until_ns(&path) > play->now_ns;
}

/* The way that failed may have done so at any router but those that others of it pass. */
static void what_no_living_sibling_passes_is_shunned(void **state)
{
	struct play *play = *state;
	struct conn *a = open_conn(play);
	struct subflow *dead;

	learn_fat_tree(play);
	TAILQ_FIRST(&a->subflows)->state = SUBFLOW_ESTABLISHED;
	TAILQ_FIRST(&a->subflows)->path = path_of(play->map, path_port_find(play->map, PORT + 3));
	path_load(&TAILQ_FIRST(&a->subflows)->path, false);
	dead = put(play, a, PORT);
	steer_shun(&play->steer, a, dead, play->now_ns);
	assert_true(is_shunned(play, PORT));
	assert_true(is_shunned(play, PORT + 1));
	assert_false(is_shunned(play, PORT + 2));
	assert_false(is_shunned(play, PORT + 3));
	/* So the next one takes what is left, though the other way is as free. */
	assert_int_equal(place(play, a), PORT + 2);
}

static void what_a_living_sibling_passes_is_not(void **state)
{
	struct play *play = *state;
	struct conn *a = open_conn(play);
	struct subflow *dead, *sibling;

	learn_fat_tree(play);
	conn_remove_subflow(a, TAILQ_FIRST(&a->subflows));
	dead = put(play, a, PORT);
	/* Of one alone nobody can tell. */
	steer_shun(&play->steer, a, dead, play->now_ns);
	assert_true(is_shunned(play, PORT));
	assert_false(is_shunned(play, PORT + 1));
	sibling = put(play, a, PORT + 1);
	steer_shun(&play->steer, a, dead, play->now_ns);
	assert_false(is_shunned(play, PORT + 1));
	/* Nor where it is not known what the living one passes. */
	path_unload(&sibling->path, false);
	put(play, a, PORT + 2);
	steer_shun(&play->steer, a, dead, play->now_ns);
	assert_false(is_shunned(play, PORT + 1));
	conn_remove_subflow(a, sibling);
	steer_shun(&play->steer, a, dead, play->now_ns);
	assert_true(is_shunned(play, PORT + 1));
	/* It passes. */
	play->now_ns += HOLD_NS - 1;
	assert_true(is_shunned(play, PORT));
	play->now_ns++;
	assert_false(is_shunned(play, PORT));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

/* Its routers are silent: a survey would tell nothing of it. */
static void where_nothing_can_be_found_out_nothing_is_sought(void **state)
{
	struct play *play = *state;
	struct conn *conn = open_conn(play);
	struct subflow *first = TAILQ_FIRST(&conn->subflows);
	struct steer_choice choice;

	path_map_silence(play->map, "no router on the way answers", play->now_ns);
	assert_false(steer_seek(&play->steer, conn, first, play->now_ns));
	assert_int_equal(steer_find_better(&play->steer, conn, first, false, play->now_ns, &choice),
		STEER_ALONE);
	assert_int_equal(play->map->n_ports, 0);
	assert_int_equal(play->steer.counters.surveys, 0);
	play->map->state = PATH_KNOWN;
	assert_true(steer_seek(&play->steer, conn, first, play->now_ns));
	assert_int_equal(play->map->n_ports, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(ways_of_others_are_left_to_them),
		TEST(split_connections_weigh_more_than_whole_ones),
		TEST(what_is_not_known_is_sought),
		TEST(a_better_way_may_still_come),
		TEST(each_tier_is_waited_for),
		TEST(a_way_beside_one_that_is_whole_is_taken),
		TEST(sharing_takes_certainty),
		TEST(a_further_connection_shares_without_a_survey),
		TEST(what_was_left_is_tried_where_nothing_else_is_as_good),
		TEST(a_free_port_of_a_better_way_is_looked_for),
		TEST(so_it_is_where_only_others_would_be_met),
		TEST(what_cannot_be_known_is_done_without),
		TEST(what_nobody_can_tell_is_not_believed),
		TEST(routes_that_change_move_the_load),
		TEST(a_way_that_has_failed_is_the_last_to_be_taken),
		TEST(where_all_have_failed_the_way_of_one_that_lives_is_taken),
		TEST(what_is_known_gets_old),
		TEST(the_ports_of_a_namespace_are_read_now_and_then),
		TEST(what_no_living_sibling_passes_is_shunned),
		TEST(what_a_living_sibling_passes_is_not),
		TEST(what_was_known_farther_stays_until_it_is_known_again),
		TEST(where_nothing_can_be_found_out_nothing_is_sought),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
