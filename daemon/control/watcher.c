/* SPDX-License-Identifier: MIT */
/* A client that is told what happens, and how much of it it misses. */
#include "watcher.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/param.h>
#include <sys/socket.h>

/* What waits for a watcher that is slow; some thousand events. */
#define BACKLOG_MAX (1 << 20)
/* A watcher may cost so much at once, and its user wait for it, before it misses something. */
#define TELLING_NS 1000000000

/* From when on a user's watchers are told again; 0 = at once. */
static uint64_t find_telling_ns(const struct client *client, uint64_t now_ns)
{
	uint64_t due_ns = client->peer.is_operator
				  ? 0
				  : turns_due_ns(&client->server->turns, client->peer.uid, now_ns);

	return due_ns > now_ns + TELLING_NS ? due_ns - TELLING_NS : 0;
}

/* Appends a line to what waits for it. */
static void append(struct client *client, const char *line)
{
	size_t len = strlen(line), waiting = client->answer_len - client->written;
	char *larger;

	if (client->lost || waiting + len > BACKLOG_MAX) {
		watcher_miss(client, 1);
		return;
	}
	memmove(client->answer, client->answer + client->written, waiting);
	client->written = 0;
	client->answer_len = waiting;
	larger = realloc(client->answer, waiting + len + 1);
	if (!larger) {
		watcher_miss(client, 1);
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

/* What it says is no matter; that it has ended is. */
static void hear(struct client *client)
{
	char bytes[REQUEST_BYTES_MAX];
	ssize_t n = recv(client->source.fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n == 0)
		client->is_deaf = true;
}

bool watcher_is_told(const struct client *client, const uint32_t *uid)
{
	return client->is_watcher &&
	       (client->peer.is_operator || (uid && client->peer.uid == *uid));
}

bool watcher_has_to_wait(const struct client *client, uint64_t now_ns)
{
	return find_telling_ns(client, now_ns);
}

uint64_t watcher_due_ns(const struct client *client, uint64_t now_ns)
{
	if (!client->lost || client->written < client->answer_len)
		return 0;
	return MAX(find_telling_ns(client, now_ns), now_ns);
}

void watcher_miss(struct client *client, uint64_t count)
{
	client->lost += count;
	client->server->untold += count;
}

int watcher_tell(struct client *client, const char *line)
{
	append(client, line);
	return watcher_give(client);
}

int watcher_give(struct client *client)
{
	uint32_t events = client->is_deaf ? 0 : EPOLLIN;
	int err = client_send(client);

	if (!err && client->lost) {
		append_lost(client);
		err = client_send(client);
	}
	if (err && err != -EAGAIN)
		return err;
	if (err)
		events |= EPOLLOUT;
	return loop_change(client->server->loop, &client->source, events);
}

int watcher_serve(struct client *client, uint32_t events)
{
	if (events & EPOLLIN)
		hear(client);
	return events & (EPOLLERR | EPOLLHUP) ? -ECONNRESET : watcher_give(client);
}
