/* SPDX-License-Identifier: MIT */
/* The operator's window: never waits for a client. */
#include "server.h"

#include "base/timer.h"
#include "control/client.h"
#include "control/door.h"
#include "control/watcher.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/param.h>
#include <sys/socket.h>
#include <unistd.h>

/* Memory that an answer of so many bytes has taken goes back to the system. */
#define LARGE_BYTES (1 << 16)
#define PATIENCE_NS 10000000000ull
/* Clients that are let in before the loop does other things. */
#define KNOCKS_MAX 8
/* A user's clients are let in, many at once, until he would have to wait for so long. */
#define DOOR_NS 200000000

static struct client *find_unread(const struct client *client)
{
	struct client *other;

	TAILQ_FOREACH (other, &client->server->clients, entry) {
		if ((other->taken_ns || other->rest) && !other->peer.is_operator &&
			other->peer.uid == client->peer.uid)
			return other;
	}
	return NULL;
}

static uint64_t earlier(uint64_t one_ns, uint64_t other_ns)
{
	return one_ns ? MIN(one_ns, other_ns) : other_ns;
}

/* When it is to be looked after though it says nothing; 0: never. */
static uint64_t find_due_ns(const struct client *client, uint64_t now_ns)
{
	const struct server *server = client->server;

	/* When the answer has ended that its user has not read yet, it is looked for again. */
	if (client->waiting_ns && (client->rest || !find_unread(client)))
		return MAX(
			turns_due_ns(&server->turns, client->peer.uid, now_ns), client->waiting_ns);
	if (client->taken_ns)
		return client->taken_ns + server->patience_ns;
	return client->is_watcher ? watcher_due_ns(client, now_ns) : 0;
}

/* For whatever comes first; 0: nothing does. */
static void arm(struct server *server)
{
	uint64_t first_ns = 0, due_ns, now_ns = loop_now_ns();
	struct client *client;

	TAILQ_FOREACH (client, &server->clients, entry) {
		due_ns = find_due_ns(client, now_ns);
		if (due_ns)
			first_ns = earlier(first_ns, due_ns);
	}
	timer_arm(&server->turn, first_ns);
}

/* To let in, to keep waiting and to see off takes time even if nothing is asked. */
static void mind_door(struct server *server, const struct peer *peer, uint64_t begun_ns)
{
	if (!peer->is_operator)
		turns_spend(&server->door, peer->uid, loop_cpu_ns() - begun_ns, loop_now_ns());
}

static bool comes_too_often(const struct server *server, const struct peer *peer)
{
	uint64_t now_ns = loop_now_ns();

	return !peer->is_operator &&
	       turns_due_ns(&server->door, peer->uid, now_ns) > now_ns + DOOR_NS;
}

static void trim(const struct client *client)
{
	if (client->answer_len >= LARGE_BYTES)
		malloc_trim(0);
}

static void drop(struct client *client)
{
	struct server *server = client->server;
	uint64_t begun_ns = loop_cpu_ns();
	bool was_unread = client->taken_ns || client->rest;

	TAILQ_REMOVE(&server->clients, client, entry);
	server->count--;
	server->watchers -= client->is_watcher;
	server->user_watchers -= client->is_watcher && !client->peer.is_operator;
	server->unread -= client->taken_ns != 0;
	loop_remove(server->loop, &client->source);
	close(client->source.fd);
	free(client->answer);
	if (client->rest)
		server->give_up(client->rest);
	trim(client);
	if (was_unread)
		arm(server);
	mind_door(server, &client->peer, begun_ns);
	free(client);
}

/* Whoever has read nothing for longest gives way; but first those that are no operators. */
static void make_room_to_answer(struct server *server)
{
	struct client *client, *victim = NULL;

	TAILQ_FOREACH (client, &server->clients, entry) {
		if (!client->taken_ns)
			continue;
		if (!victim || client->peer.is_operator < victim->peer.is_operator ||
			(client->peer.is_operator == victim->peer.is_operator &&
				client->taken_ns < victim->taken_ns))
			victim = client;
	}
	server->displaced++;
	drop(victim);
}

/* The socket is full: the rest of its answer waits, but not for ever. */
static void leave_unread(struct client *client, bool has_taken)
{
	struct server *server = client->server;

	if (client->taken_ns && !has_taken)
		return;
	if (!client->taken_ns) {
		server->unread++;
		trim(client);
	}
	client->taken_ns = loop_now_ns();
	arm(server);
	if (server->unread > SERVER_ANSWERS_MAX)
		make_room_to_answer(server);
}

static void wait_for_turn(struct client *client)
{
	client->waiting_ns = loop_now_ns();
	if (loop_change(client->server->loop, &client->source, 0))
		drop(client);
	else
		arm(client->server);
}

static void give(struct client *client)
{
	size_t before = client->written;
	int err = client_send(client);

	if (!err && client->rest)
		wait_for_turn(client); /* others are served between its parts */
	else if (err == -EAGAIN && !loop_change(client->server->loop, &client->source, EPOLLOUT))
		leave_unread(client, client->written > before);
	else
		drop(client);
}

static int take_next_part(struct client *client)
{
	struct server *server = client->server;
	bool is_last;

	free(client->answer);
	client->written = client->answer_len = 0;
	client->answer = server->go_on(client->rest, &is_last);
	if (!client->answer)
		return -ENOMEM;
	client->answer_len = strlen(client->answer);
	if (is_last) {
		server->give_up(client->rest);
		client->rest = NULL;
	}
	return 0;
}

static void serve_watcher(struct client *client, uint32_t events)
{
	if (watcher_serve(client, events))
		drop(client);
}

static void reply(struct client *client)
{
	struct server *server = client->server;
	struct server_answer answer =
		server->answer(server->owner, &client->peer, client->request.line);

	client->answer = answer.text;
	client->rest = answer.rest;
	if (!client->answer) {
		drop(client);
		return;
	}
	client->answer_len = strlen(client->answer);
	if (!answer.stays) {
		give(client);
		return;
	}
	client->is_watcher = true;
	server->watchers++;
	server->user_watchers += !client->peer.is_operator;
	serve_watcher(client, 0);
}

static void take(struct client *client)
{
	char bytes[REQUEST_BYTES_MAX];
	ssize_t n = recv(client->source.fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	int got;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	got = n > 0 ? request_add(&client->request, bytes, n) : -EBADMSG;
	if (got > 0)
		reply(client);
	else if (got < 0)
		drop(client);
}

/* Root and the operators wait for nobody; nobody else is answered who has not read what he was. */
static bool is_turn_of(const struct client *client, uint64_t now_ns)
{
	return client->peer.is_operator ||
	       (!turns_due_ns(&client->server->turns, client->peer.uid, now_ns) &&
		       !find_unread(client));
}

/* Even to read what it says takes time. */
static void defer(struct client *client)
{
	uint64_t begun_ns = loop_cpu_ns();
	struct server *server = client->server;
	struct peer peer = client->peer;

	server->deferred++;
	wait_for_turn(client);
	mind_door(server, &peer, begun_ns);
}

/* It had to wait. */
static void resume(struct client *client)
{
	bool goes_on = client->rest;

	client->waiting_ns = 0;
	if (client->taken_ns)
		client->taken_ns = loop_now_ns();
	if ((goes_on && take_next_part(client)) ||
		loop_change(client->server->loop, &client->source, goes_on ? EPOLLOUT : EPOLLIN))
		drop(client);
	else if (goes_on)
		give(client);
	else
		take(client);
}

/* What somebody took of the daemon's time since then he does not get again so soon. */
static void charge(struct server *server, const struct peer *peer, uint64_t begun_ns)
{
	if (!peer->is_operator)
		turns_spend(&server->turns, peer->uid, loop_cpu_ns() - begun_ns, loop_now_ns());
}

/* Nobody who has hung up reads an answer, and only operators can have ordered something. */
static bool is_gone(const struct client *client, uint32_t events)
{
	return events & EPOLLERR || (events & EPOLLHUP && (client->answer || client->waiting_ns ||
								  !client->peer.is_operator));
}

static void serve(struct client *client, uint32_t events)
{
	if (client->is_watcher)
		serve_watcher(client, events);
	else if (is_gone(client, events))
		drop(client);
	else if (client->answer)
		give(client);
	else if (is_turn_of(client, loop_now_ns()))
		take(client);
	else
		defer(client);
}

static void client_ready(struct source *source, uint32_t events)
{
	struct client *client = SOURCE_OWNER(source, struct client, source);
	struct server *server = client->server;
	struct peer peer = client->peer;
	uint64_t begun_ns = loop_cpu_ns();

	serve(client, events);
	charge(server, &peer, begun_ns);
}

static void look_after(struct client *client)
{
	if (client->waiting_ns) {
		resume(client);
	} else if (client->taken_ns) {
		client->server->stalled++;
		drop(client);
	} else if (watcher_give(client)) {
		drop(client);
	}
}

/* Who has been due for longest; NULL: nobody is. */
static struct client *find_due(struct server *server, uint64_t now_ns)
{
	struct client *client, *first = NULL;
	uint64_t first_ns = now_ns + 1, due_ns;

	TAILQ_FOREACH (client, &server->clients, entry) {
		due_ns = find_due_ns(client, now_ns);
		if (due_ns && due_ns < first_ns) {
			first_ns = due_ns;
			first = client;
		}
	}
	return first;
}

/* One client: the loop has other things to do. */
static void turn_ready(struct source *source, uint32_t events)
{
	struct server *server = SOURCE_OWNER(source, struct server, turn);
	uint64_t begun_ns = loop_cpu_ns();
	struct client *client;
	struct peer peer;

	(void)events;
	if (!timer_has_expired(source))
		return;
	client = find_due(server, loop_now_ns());
	if (client) {
		peer = client->peer;
		look_after(client);
		charge(server, &peer, begun_ns);
	}
	arm(server);
}

static bool is_idle(const struct client *client)
{
	return !client->answer;
}

static uint32_t count_of_user(const struct server *server, uid_t uid)
{
	const struct client *client;
	uint32_t count = 0;

	TAILQ_FOREACH (client, &server->clients, entry)
		count += client->peer.uid == uid;
	return count;
}

/*
 * Operators are not displaced by others. Whoever has the most clients makes room: a flood of one
 * user displaces nobody else. Those that have asked for nothing go before those that have.
 */
static void make_room(struct server *server)
{
	struct client *client, *victim = NULL;
	uint32_t rank, lowest = 0;

	TAILQ_FOREACH (client, &server->clients, entry) {
		rank = 2 * (SERVER_CLIENTS_MAX + 1 - count_of_user(server, client->peer.uid)) +
		       !is_idle(client);
		if (client->peer.is_operator)
			rank += 2 * (SERVER_CLIENTS_MAX + 1);
		if (!victim || rank < lowest) {
			victim = client;
			lowest = rank;
		}
	}
	server->refused++;
	drop(victim);
}

static void let_in(struct server *server, int fd, const struct peer *peer)
{
	struct client *client = calloc(1, sizeof(*client));

	if (!client) {
		close(fd);
		return;
	}
	client->server = server;
	client->peer = *peer;
	client->source.fd = fd;
	client->source.ready = client_ready;
	if (loop_add(server->loop, &client->source, EPOLLIN)) {
		close(fd);
		free(client);
		return;
	}
	TAILQ_INSERT_TAIL(&server->clients, client, entry);
	if (++server->count > SERVER_CLIENTS_MAX)
		make_room(server);
}

/* false: nobody knocks any more. */
static bool hear_knock(struct server *server)
{
	uint64_t begun_ns = loop_cpu_ns();
	int fd = accept4(server->source.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct peer peer;

	if (fd < 0)
		return false;
	if (peer_read(fd, server->group, &peer)) {
		close(fd);
	} else if (comes_too_often(server, &peer)) {
		/* This is as cheap as can be, and not charged: he is let in again soon. */
		server->shut_out++;
		close(fd);
	} else {
		let_in(server, fd, &peer);
		mind_door(server, &peer, begun_ns);
	}
	return true;
}

static void server_ready(struct source *source, uint32_t events)
{
	struct server *server = SOURCE_OWNER(source, struct server, source);

	(void)events;
	for (int i = 0; i < KNOCKS_MAX && hear_knock(server); i++)
		;
}

static int start_turns(struct server *server)
{
	server->turn.ready = turn_ready;
	return timer_open(&server->turn, server->loop);
}

int server_init(struct server *server, struct loop *loop, const char *path)
{
	int err;

	TAILQ_INIT(&server->clients);
	server->loop = loop;
	server->source.ready = server_ready;
	server->source.fd = server->turn.fd = -1;
	server->patience_ns = PATIENCE_NS;
	err = door_open(path, SERVER_CLIENTS_MAX);
	if (err < 0)
		return err;
	server->source.fd = err;
	server->path = strdup(path);
	err = server->path ? start_turns(server) : -ENOMEM;
	if (!err)
		err = loop_add(loop, &server->source, EPOLLIN);
	if (!err)
		return 0;
	server_done(server);
	return err;
}

/* A user whose watching has cost too much misses what comes until his turn has come. */
static void tell(struct client *client, const char *line)
{
	struct server *server = client->server;
	struct peer peer = client->peer;
	uint64_t begun_ns = loop_cpu_ns();

	if (watcher_has_to_wait(client, loop_now_ns())) {
		watcher_miss(client, 1);
		if (client->lost == 1)
			arm(server);
		return;
	}
	if (watcher_tell(client, line))
		drop(client);
	charge(server, &peer, begun_ns);
}

void server_tell_all(struct server *server, const char *line)
{
	struct client *client, *next;

	for (client = TAILQ_FIRST(&server->clients); client; client = next) {
		next = TAILQ_NEXT(client, entry);
		if (client->is_watcher)
			tell(client, line);
	}
}

void server_tell(struct server *server, const uint32_t *uid, const char *line)
{
	struct client *client, *next;

	for (client = TAILQ_FIRST(&server->clients); client; client = next) {
		next = TAILQ_NEXT(client, entry);
		if (watcher_is_told(client, uid))
			tell(client, line);
	}
}

bool server_is_heard(const struct server *server, const uint32_t *uid)
{
	const struct client *client;

	TAILQ_FOREACH (client, &server->clients, entry) {
		if (watcher_is_told(client, uid))
			return true;
	}
	return false;
}

uint64_t server_bytes(const struct server *server)
{
	const struct client *client;
	uint64_t bytes = 0;

	TAILQ_FOREACH (client, &server->clients, entry)
		bytes += client->answer_len;
	return bytes;
}

void server_tell_lost(struct server *server, uint64_t count)
{
	struct client *client, *next;

	for (client = TAILQ_FIRST(&server->clients); client; client = next) {
		next = TAILQ_NEXT(client, entry);
		if (!client->is_watcher)
			continue;
		watcher_miss(client, count);
		if (watcher_give(client))
			drop(client);
	}
}

void server_done(struct server *server)
{
	while (!TAILQ_EMPTY(&server->clients))
		drop(TAILQ_FIRST(&server->clients));
	if (server->path)
		unlink(server->path);
	free(server->path);
	server->path = NULL;
	if (server->source.fd >= 0)
		close(server->source.fd);
	timer_close(&server->turn);
	server->source.fd = -1;
}
