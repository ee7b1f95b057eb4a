/* SPDX-License-Identifier: MIT */
/* A server with a socket of its own, and real clients that come to it. */
#include "desk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char *write_long(void)
{
	char *text = malloc(LONG_BYTES + 1);

	memset(text, 'a', LONG_BYTES);
	text[LONG_BYTES] = '\0';
	return text;
}

static struct server_answer echo(void *owner, const struct peer *peer, const char *request)
{
	struct server_answer answer = {};
	struct desk *desk = owner;

	snprintf(desk->heard, sizeof(desk->heard), "%s", request);
	desk->heard_from = *peer;
	desk->heard_users += !peer->is_operator;
	if (!strcmp(request, "nothing"))
		return answer;
	answer.stays = !strcmp(request, "watch");
	answer.text = strcmp(request, "long") ? strdup(request) : write_long();
	if (!strcmp(request, "parts")) {
		answer.rest = desk;
		desk->stories++;
		desk->parts = 0;
	}
	return answer;
}

/* Some parts are empty; without memory there is none. */
static char *go_on(void *rest, bool *ret_is_last)
{
	struct desk *desk = rest;
	char *text;

	if (desk->is_short)
		return NULL;
	*ret_is_last = ++desk->parts == PARTS;
	text = malloc(PART_BYTES + 1);
	memset(text, 'b', PART_BYTES);
	text[desk->parts % 2 ? PART_BYTES : 0] = '\0';
	return text;
}

static void give_up(void *rest)
{
	((struct desk *)rest)->stories--;
}

static char *say_lost(void *owner, uint64_t count)
{
	char *line;

	(void)owner;
	assert_true(asprintf(&line, "lost %llu\n", (unsigned long long)count) > 0);
	return line;
}

int desk_begin(void **state)
{
	struct desk *desk = calloc(1, sizeof(*desk));

	strcpy(desk->folder, "/tmp/subflow-server-XXXXXX");
	assert_non_null(mkdtemp(desk->folder));
	assert_int_equal(chmod(desk->folder, 0755), 0);
	snprintf(desk->path, sizeof(desk->path), "%s/in/control", desk->folder);
	assert_int_equal(loop_init(&desk->loop), 0);
	desk->server.owner = desk;
	desk->server.answer = echo;
	desk->server.go_on = go_on;
	desk->server.give_up = give_up;
	desk->server.tell_lost = say_lost;
	desk->server.group = PEER_NO_GROUP;
	assert_int_equal(server_init(&desk->server, &desk->loop, desk->path), 0);
	*state = desk;
	return 0;
}

int desk_end(void **state)
{
	struct desk *desk = *state;
	char folder[80];

	server_done(&desk->server);
	assert_int_equal(desk->stories, 0);
	loop_done(&desk->loop);
	assert_int_equal(access(desk->path, F_OK), -1);
	snprintf(folder, sizeof(folder), "%s/in", desk->folder);
	assert_int_equal(rmdir(folder), 0);
	assert_int_equal(rmdir(desk->folder), 0);
	free(desk);
	return 0;
}

int desk_dial(const struct desk *desk)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, desk->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

int desk_dial_as(const struct desk *desk, uid_t uid)
{
	int fd;

	assert_int_equal(seteuid(uid), 0);
	fd = desk_dial(desk);
	assert_int_equal(seteuid(0), 0);
	return fd;
}

static void caller_ready(struct source *source, uint32_t events)
{
	struct caller *caller = SOURCE_OWNER(source, struct caller, source);
	char chunk[4096];
	ssize_t n = recv(source->fd, chunk, sizeof(chunk), 0);

	(void)events;
	if (n <= 0) {
		loop_stop(&caller->desk->loop);
		return;
	}
	caller->answer = realloc(caller->answer, caller->len + n + 1);
	memcpy(caller->answer + caller->len, chunk, n);
	caller->len += n;
	caller->answer[caller->len] = '\0';
}

void desk_call(struct desk *desk, struct caller *caller)
{
	*caller = (struct caller){
		.desk = desk, .source = {.fd = desk_dial(desk), .ready = caller_ready}};
}

void desk_hang_up(struct caller *caller)
{
	close(caller->source.fd);
	free(caller->answer);
}

void desk_serve(struct caller *caller)
{
	struct loop *loop = &caller->desk->loop;

	assert_int_equal(loop_add(loop, &caller->source, EPOLLIN), 0);
	assert_int_equal(loop_run(loop), 0);
	loop_remove(loop, &caller->source);
}

void desk_say(const struct caller *caller, const char *text)
{
	assert_int_equal(send(caller->source.fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

void desk_serve_all(struct desk *desk)
{
	struct caller caller;

	desk_call(desk, &caller);
	desk_say(&caller, "status\n");
	desk_serve(&caller);
	desk_hang_up(&caller);
}

bool desk_is_kept(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 0;
}

void desk_wait_for(const struct desk *desk, const uint32_t *count, uint32_t value)
{
	struct caller caller;

	while (*count != value) {
		desk_call((struct desk *)desk, &caller);
		desk_say(&caller, "status\n");
		desk_serve(&caller);
		desk_hang_up(&caller);
	}
}
