/* SPDX-License-Identifier: MIT */
/* Connections whose subflows are placed by hand. */
#include "steering.h"

struct endpoint steering_endpoint(uint32_t address, uint16_t port)
{
	return (struct endpoint){.family = AF_INET, .port = port, .v4.s_addr = htonl(address)};
}

int steering_begin(void **state)
{
	static struct steering play;
	struct endpoint local = steering_endpoint(1, 0), remote = steering_endpoint(2, 80);
	struct path_key key = path_key_of(1, &local, &remote);

	play = (struct steering){.now_ns = 1};
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

int steering_end(void **state)
{
	struct steering *play = *state;

	conn_table_done(&play->table);
	assert_null(play->table.ends);
	for (unsigned int i = 0; i < play->map->n_routers; i++) {
		assert_int_equal(play->map->routers[i]->load, 0);
		assert_int_equal(play->map->routers[i]->light, 0);
	}
	steer_done(&play->steer);
	return 0;
}

void steering_learn_at(struct steering *play, uint16_t port, unsigned int tier, uint32_t router)
{
	struct endpoint passed = steering_endpoint(router, 0);
	struct in6_addr address = path_address(&passed);

	assert_int_equal(path_learn(&play->steer.paths, play->map, port, tier, &address), 0);
}

void steering_learn(struct steering *play, uint16_t port, uint32_t spine)
{
	steering_learn_at(play, port, 1, 0x100);
	steering_learn_at(play, port, 2, 0x200 + spine);
}

struct conn *steering_open(struct steering *play)
{
	struct conn_key key = {.netns = 1, .token = ++play->n_conns};
	struct conn *conn = conn_get(&play->table, &key);
	struct subflow *first = conn_add_subflow(conn);

	conn->is_created = true;
	conn->local = steering_endpoint(1, FIRST_PORT + play->n_conns);
	conn->remote = steering_endpoint(2, 80);
	first->local = conn->local;
	first->remote = conn->remote;
	conn_join(&play->table, conn);
	return conn;
}

enum steer_answer steering_choose(
	struct steering *play, struct conn *conn, struct steer_choice *choice)
{
	struct endpoint local = steering_endpoint(1, 0), remote = steering_endpoint(2, 80);

	return steer_choose(&play->steer, conn, &local, &remote, false, play->now_ns, choice);
}

uint16_t steering_choose_port(struct steering *play, struct conn *conn)
{
	struct steer_choice choice;

	assert_int_equal(steering_choose(play, conn, &choice), STEER_GO);
	return choice.port;
}

uint16_t steering_place(struct steering *play, struct conn *conn)
{
	struct steer_choice choice;
	struct subflow *subflow;

	assert_int_equal(steering_choose(play, conn, &choice), STEER_GO);
	subflow = conn_add_subflow(conn);
	subflow->local = steering_endpoint(1, choice.port);
	subflow->remote = steering_endpoint(2, 80);
	steer_take(&play->steer, conn, subflow, &choice);
	return choice.port;
}
