/* SPDX-License-Identifier: MIT */
/* The operator's window: never waits for a client. */
#include "server.h"

#include "control/request.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

/* What waits for a watcher that is slow; some thousand events. */
#define BACKLOG_MAX (1 << 20)

struct client {
	TAILQ_ENTRY(client) entry;
	struct source source;
	struct server *server;
	struct peer peer;
	struct request request;
	char *answer; /* NULL while the request is being read */
	size_t answer_len, written;
	bool is_waiting; /* its request has been read, and is not its user's turn */
	bool is_watcher;
	bool is_deaf;  /* it has closed its own direction */
	uint64_t lost; /* events that it is still to be told of */
};

static void drop(struct client *client)
{
	struct server *server = client->server;

	TAILQ_REMOVE(&server->clients, client, entry);
	server->count--;
	server->watchers -= client->is_watcher;
	server->user_watchers -= client->is_watcher && !client->peer.is_operator;
	loop_remove(server->loop, &client->source);
	close(client->source.fd);
	free(client->answer);
	free(client);
}

static void give(struct client *client)
{
	ssize_t n;

	while (client->written < client->answer_len) {
		n = send(client->source.fd, client->answer + client->written,
			client->answer_len - client->written, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN) {
			if (loop_change(client->server->loop, &client->source, EPOLLOUT) == 0)
				return;
			break;
		}
		if (n < 0)
			break;
		client->written += n;
	}
	drop(client);
}

/* Appends a line to what waits for a watcher. */
static void append(struct client *client, const char *line)
{
	size_t len = strlen(line), waiting = client->answer_len - client->written;
	char *larger;

	if (client->lost || waiting + len > BACKLOG_MAX) {
		client->lost++;
		client->server->untold++;
		return;
	}
	memmove(client->answer, client->answer + client->written, waiting);
	client->written = 0;
	client->answer_len = waiting;
	larger = realloc(client->answer, waiting + len + 1);
	if (!larger) {
		client->lost++;
		client->server->untold++;
		return;
	}
	client->answer = larger;
	memcpy(larger + waiting, line, len + 1);
	client->answer_len += len;
}

static void append_lost(struct client *client)
{
	char *line = client->server->tell_lost(client->server->owner, client->lost);

	if (!line)
		return;
	client->lost = 0;
	append(client, line);
	free(line);
}

/* -errno: the watcher is gone. */
static int give_watcher(struct client *client)
{
	uint32_t events = client->is_deaf ? 0 : EPOLLIN;
	ssize_t n;

	for (;;) {
		if (client->written == client->answer_len && client->lost)
			append_lost(client);
		if (client->written == client->answer_len)
			break;
		n = send(client->source.fd, client->answer + client->written,
			client->answer_len - client->written, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN)
			return -errno;
		if (n < 0) {
			events |= EPOLLOUT;
			break;
		}
		client->written += n;
	}
	return loop_change(client->server->loop, &client->source, events);
}

/* What a watcher says is no matter; that it has ended is. */
static void hear_watcher(struct client *client)
{
	char bytes[REQUEST_BYTES_MAX];
	ssize_t n = recv(client->source.fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n == 0)
		client->is_deaf = true;
}

static void serve_watcher(struct client *client, uint32_t events)
{
	if (events & EPOLLIN)
		hear_watcher(client);
	if (events & (EPOLLERR | EPOLLHUP) || give_watcher(client))
		drop(client);
}

static void reply(struct client *client)
{
	struct server *server = client->server;
	uint64_t begun_ns = loop_cpu_ns();
	bool stays = false;

	client->is_waiting = false;
	client->answer = server->answer(server->owner, &client->peer, client->request.line, &stays);
	if (!client->peer.is_operator)
		turns_spend(
			&server->turns, client->peer.uid, loop_cpu_ns() - begun_ns, loop_now_ns());
	if (!client->answer) {
		drop(client);
		return;
	}
	client->answer_len = strlen(client->answer);
	if (!stays) {
		give(client);
		return;
	}
	client->is_watcher = true;
	server->watchers++;
	server->user_watchers += !client->peer.is_operator;
	serve_watcher(client, 0);
}

/* For the first of those who wait; 0: nobody does. */
static void arm(struct server *server)
{
	struct itimerspec when = {};
	uint64_t first_ns = 0, due_ns, now_ns = loop_now_ns();
	struct client *client;

	TAILQ_FOREACH (client, &server->clients, entry) {
		if (!client->is_waiting)
			continue;
		due_ns = turns_due_ns(&server->turns, client->peer.uid, now_ns);
		due_ns = due_ns ? due_ns : now_ns;
		if (!first_ns || due_ns < first_ns)
			first_ns = due_ns;
	}
	when.it_value.tv_sec = first_ns / 1000000000;
	when.it_value.tv_nsec = first_ns % 1000000000;
	timerfd_settime(server->turn.fd, TFD_TIMER_ABSTIME, &when, NULL);
}

/* One: the loop has other things to do. */
static void turn_ready(struct source *source, uint32_t events)
{
	struct server *server = SOURCE_OWNER(source, struct server, turn);
	uint64_t expirations, now_ns = loop_now_ns();
	struct client *client;

	(void)events;
	if (read(source->fd, &expirations, sizeof(expirations)) < 0)
		return;
	TAILQ_FOREACH (client, &server->clients, entry) {
		if (client->is_waiting && !turns_due_ns(&server->turns, client->peer.uid, now_ns)) {
			reply(client);
			break;
		}
	}
	arm(server);
}

/* Root and the operators wait for nobody. */
static void ask(struct client *client)
{
	struct server *server = client->server;

	if (client->peer.is_operator ||
		!turns_due_ns(&server->turns, client->peer.uid, loop_now_ns())) {
		reply(client);
		return;
	}
	client->is_waiting = true;
	server->deferred++;
	if (loop_change(server->loop, &client->source, 0))
		drop(client);
	else
		arm(server);
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
		ask(client);
	else if (got < 0)
		drop(client);
}

static void client_ready(struct source *source, uint32_t events)
{
	struct client *client = SOURCE_OWNER(source, struct client, source);

	if (client->is_watcher)
		serve_watcher(client, events);
	else if (events & EPOLLERR || ((client->answer || client->is_waiting) && events & EPOLLHUP))
		drop(client);
	else if (client->answer)
		give(client);
	else
		take(client);
}

/* Whoever has the most clients makes room: a flood of one user displaces nobody else. */
static void make_room(struct server *server)
{
	struct client *client, *other, *oldest = NULL;
	uint32_t count, most = 0;

	TAILQ_FOREACH (client, &server->clients, entry) {
		count = 0;
		TAILQ_FOREACH (other, &server->clients, entry)
			count += other->peer.uid == client->peer.uid;
		if (count > most) {
			most = count;
			oldest = client;
		}
	}
	server->refused++;
	drop(oldest);
}

static void server_ready(struct source *source, uint32_t events)
{
	struct server *server = SOURCE_OWNER(source, struct server, source);
	int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct client *client;

	(void)events;
	if (fd < 0)
		return;
	client = calloc(1, sizeof(*client));
	if (!client) {
		close(fd);
		return;
	}
	client->server = server;
	client->source.fd = fd;
	client->source.ready = client_ready;
	if (peer_read(fd, server->group, &client->peer) ||
		loop_add(server->loop, &client->source, EPOLLIN)) {
		close(fd);
		free(client);
		return;
	}
	TAILQ_INSERT_TAIL(&server->clients, client, entry);
	if (++server->count > SERVER_CLIENTS_MAX)
		make_room(server);
}

static int make_folder(const char *path)
{
	char folder[sizeof(((struct sockaddr_un *)0)->sun_path)];
	char *slash;

	strcpy(folder, path);
	slash = strrchr(folder, '/');
	if (slash == folder)
		return 0;
	*slash = '\0';
	return mkdir(folder, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

/* For everybody, from the start: by its name another file might be meant a moment later. */
static int bind_open(int fd, const struct sockaddr_un *address)
{
	mode_t mask = umask(0111);
	int err = bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0;

	umask(mask);
	return err;
}

static int start_turns(struct server *server)
{
	server->turn.ready = turn_ready;
	server->turn.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	return server->turn.fd < 0 ? -errno : loop_add(server->loop, &server->turn, EPOLLIN);
}

int server_init(struct server *server, struct loop *loop, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct stat st;
	int err;

	TAILQ_INIT(&server->clients);
	server->loop = loop;
	server->source.ready = server_ready;
	server->source.fd = server->turn.fd = -1;
	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	err = make_folder(path);
	if (err)
		return err;
	server->source.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (server->source.fd < 0)
		return -errno;
	if (connect(server->source.fd, (struct sockaddr *)&address, sizeof(address)) == 0) {
		err = -EADDRINUSE;
		goto fail;
	}
	if (errno == ECONNREFUSED && lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		unlink(path);
	err = bind_open(server->source.fd, &address);
	if (!err && listen(server->source.fd, SERVER_CLIENTS_MAX) < 0)
		err = -errno;
	if (err)
		goto fail;
	server->path = strdup(path);
	err = server->path ? start_turns(server) : -ENOMEM;
	if (!err)
		err = loop_add(loop, &server->source, EPOLLIN);
	if (!err)
		return 0;
fail:
	server_done(server);
	return err;
}

static void tell(struct client *client, const char *line)
{
	append(client, line);
	if (give_watcher(client))
		drop(client);
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
		if (client->is_watcher &&
			(client->peer.is_operator || (uid && client->peer.uid == *uid)))
			tell(client, line);
	}
}

void server_tell_lost(struct server *server, uint64_t count)
{
	struct client *client, *next;

	for (client = TAILQ_FIRST(&server->clients); client; client = next) {
		next = TAILQ_NEXT(client, entry);
		if (!client->is_watcher)
			continue;
		client->lost += count;
		server->untold += count;
		if (give_watcher(client))
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
	if (server->turn.fd >= 0)
		close(server->turn.fd);
	server->source.fd = server->turn.fd = -1;
}
