/* SPDX-License-Identifier: MIT */
/* The operator's window, with real clients on a Unix socket of its own. */
#include "control/server.h"

#include "../unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CLIENTS_MAX 32
#define LONG_BYTES  (4 << 20) /* more than a socket buffer holds */
#define SOMEBODY    65000     /* and the users after it are no operators */
#define MS          1000000ull

struct scene {
	char folder[64], path[80];
	struct loop loop;
	struct server server;
	char heard[256];
	struct peer heard_from;
	unsigned int heard_users; /* questions of those who are no operators */
};

/* A client of the test's, in the server's own loop: it stops the loop at the end of the answer. */
struct caller {
	struct source source;
	struct scene *scene;
	char *answer;
	size_t len;
};

static char *echo(void *owner, const struct peer *peer, const char *request, bool *ret_stays)
{
	struct scene *scene = owner;
	char *answer;

	snprintf(scene->heard, sizeof(scene->heard), "%s", request);
	scene->heard_from = *peer;
	scene->heard_users += !peer->is_operator;
	if (!strcmp(request, "nothing"))
		return NULL;
	*ret_stays = !strcmp(request, "watch");
	if (strcmp(request, "long"))
		return strdup(request);
	answer = malloc(LONG_BYTES + 1);
	memset(answer, 'a', LONG_BYTES);
	answer[LONG_BYTES] = '\0';
	return answer;
}

static char *say_lost(void *owner, uint64_t count)
{
	char *line;

	(void)owner;
	assert_true(asprintf(&line, "lost %llu\n", (unsigned long long)count) > 0);
	return line;
}

static int set_up(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));

	strcpy(scene->folder, "/tmp/subflow-server-XXXXXX");
	assert_non_null(mkdtemp(scene->folder));
	assert_int_equal(chmod(scene->folder, 0755), 0);
	snprintf(scene->path, sizeof(scene->path), "%s/in/control", scene->folder);
	assert_int_equal(loop_init(&scene->loop), 0);
	scene->server.owner = scene;
	scene->server.answer = echo;
	scene->server.tell_lost = say_lost;
	scene->server.group = PEER_NO_GROUP;
	assert_int_equal(server_init(&scene->server, &scene->loop, scene->path), 0);
	*state = scene;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *scene = *state;
	char folder[80];

	server_done(&scene->server);
	loop_done(&scene->loop);
	assert_int_equal(access(scene->path, F_OK), -1);
	snprintf(folder, sizeof(folder), "%s/in", scene->folder);
	assert_int_equal(rmdir(folder), 0);
	assert_int_equal(rmdir(scene->folder), 0);
	free(scene);
	return 0;
}

static int dial(const struct scene *scene)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, scene->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* As another user, who is no operator. */
static int dial_as(const struct scene *scene, uid_t uid)
{
	int fd;

	assert_int_equal(seteuid(uid), 0);
	fd = dial(scene);
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
		loop_stop(&caller->scene->loop);
		return;
	}
	caller->answer = realloc(caller->answer, caller->len + n + 1);
	memcpy(caller->answer + caller->len, chunk, n);
	caller->len += n;
	caller->answer[caller->len] = '\0';
}

static void call(struct scene *scene, struct caller *caller)
{
	*caller = (struct caller){
		.scene = scene, .source = {.fd = dial(scene), .ready = caller_ready}};
}

static void hang_up(struct caller *caller)
{
	close(caller->source.fd);
	free(caller->answer);
}

/* Serves until the server has hung up on this caller. */
static void serve(struct caller *caller)
{
	struct loop *loop = &caller->scene->loop;

	assert_int_equal(loop_add(loop, &caller->source, EPOLLIN), 0);
	assert_int_equal(loop_run(loop), 0);
	loop_remove(loop, &caller->source);
}

static void say(const struct caller *caller, const char *text)
{
	assert_int_equal(send(caller->source.fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Serves until everybody who has dialled was let in: the last one asks, and is answered. */
static void serve_all(struct scene *scene)
{
	struct caller caller;

	call(scene, &caller);
	say(&caller, "status\n");
	serve(&caller);
	hang_up(&caller);
}

static void answers_and_hangs_up(void **state)
{
	struct scene *scene = *state;
	struct caller caller;

	call(scene, &caller);
	say(&caller, "status\n");
	serve(&caller);
	assert_string_equal(caller.answer, "status");
	assert_string_equal(scene->heard, "status");
	assert_int_equal(scene->heard_from.uid, geteuid());
	assert_int_equal(scene->server.count, 0);
	hang_up(&caller);
}

/* More than fits the socket's buffer: the rest waits for room, and nobody for it. */
static void gives_a_long_answer_as_it_is_read(void **state)
{
	struct scene *scene = *state;
	struct caller caller;

	call(scene, &caller);
	say(&caller, "long\n");
	serve(&caller);
	assert_int_equal(caller.len, LONG_BYTES);
	hang_up(&caller);
}

static void hangs_up_on_what_is_no_request(void **state)
{
	struct scene *scene = *state;
	struct caller caller;
	char line[600];

	memset(line, 'a', sizeof(line));
	line[sizeof(line) - 1] = '\0';
	call(scene, &caller);
	say(&caller, line);
	serve(&caller);
	assert_null(caller.answer);
	assert_string_equal(scene->heard, "");
	hang_up(&caller);

	call(scene, &caller); /* no memory for an answer */
	say(&caller, "nothing\n");
	serve(&caller);
	assert_null(caller.answer);
	assert_int_equal(scene->server.count, 0);
	hang_up(&caller);
}

static void the_oldest_of_too_many_gives_way(void **state)
{
	struct scene *scene = *state;
	int silent[CLIENTS_MAX];
	struct caller caller;
	char byte;

	for (int i = 0; i < CLIENTS_MAX; i++)
		silent[i] = dial(scene);
	call(scene, &caller);
	say(&caller, "status\n");
	serve(&caller);
	assert_string_equal(caller.answer, "status");
	assert_int_equal(scene->server.refused, 1);
	assert_int_equal(scene->server.count, CLIENTS_MAX - 1);
	assert_int_equal(recv(silent[0], &byte, 1, MSG_DONTWAIT), 0);
	assert_int_equal(recv(silent[1], &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
	for (int i = 0; i < CLIENTS_MAX; i++)
		close(silent[i]);
	hang_up(&caller);
}

static bool is_kept(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 0;
}

/* Who holds most gives way, though others are older. */
static void a_flood_of_one_user_displaces_nobody_else(void **state)
{
	struct scene *scene = *state;
	int other, flood[CLIENTS_MAX];

	if (geteuid() != 0)
		skip();
	other = dial_as(scene, SOMEBODY);
	for (int i = 0; i < CLIENTS_MAX; i++) {
		flood[i] = dial_as(scene, SOMEBODY + 1);
		serve_all(scene);
	}
	assert_true(scene->server.refused >= 1);
	assert_true(is_kept(other));
	assert_false(is_kept(flood[0]));
	close(other);
	for (int i = 0; i < CLIENTS_MAX; i++)
		close(flood[i]);
}

static void wait_for(const struct scene *scene, const uint32_t *count, uint32_t value)
{
	struct caller caller;

	while (*count != value) {
		call((struct scene *)scene, &caller);
		say(&caller, "status\n");
		serve(&caller);
		hang_up(&caller);
	}
}

static int watch(struct scene *scene)
{
	uint32_t before = scene->server.watchers;
	char first[6];
	int fd = dial(scene);

	assert_int_equal(send(fd, "watch\n", 6, 0), 6);
	wait_for(scene, &scene->server.watchers, before + 1);
	assert_int_equal(recv(fd, first, 5, MSG_WAITALL), 5);
	return fd;
}

static void hears(int fd, const char *line)
{
	char bytes[64] = "";

	assert_int_equal(recv(fd, bytes, strlen(line), MSG_WAITALL), strlen(line));
	assert_string_equal(bytes, line);
}

static void hears_nothing(int fd)
{
	char byte;

	assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
}

/* Not even many users end what an operator watches; and of those who wait, the idle give way. */
static void whoever_watches_is_not_displaced(void **state)
{
	struct scene *scene = *state;
	int operator, quiet, user, idle[2 * CLIENTS_MAX];

	if (geteuid() != 0)
		skip();
	operator= watch(scene);
	quiet = dial(scene); /* an operator, too */
	user = dial_as(scene, SOMEBODY);
	assert_int_equal(send(user, "watch\n", 6, 0), 6);
	wait_for(scene, &scene->server.user_watchers, 1);
	hears(user, "watch");
	for (int i = 0; i < 2 * CLIENTS_MAX; i++) {
		idle[i] = dial_as(scene, SOMEBODY + 1 + i);
		serve_all(scene);
	}
	assert_int_equal(scene->server.watchers, 2);
	assert_true(is_kept(operator) && is_kept(quiet) && is_kept(user));
	assert_false(is_kept(idle[0]));
	assert_true(is_kept(idle[2 * CLIENTS_MAX - 1]));
	for (int i = 0; i < 2 * CLIENTS_MAX; i++)
		close(idle[i]);
	close(operator);
	close(quiet);
	close(user);
}

static int ask_as(const struct scene *scene, uid_t uid)
{
	int fd = dial_as(scene, uid);

	assert_int_equal(send(fd, "long\n", 5, 0), 5);
	return fd;
}

/* Serves while one reads to the end of its answer; how long that was. */
static size_t read_all(struct scene *scene, int fd)
{
	static char bytes[LONG_BYTES];
	size_t len = 0;
	ssize_t n;

	while ((n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) != 0) {
		if (n > 0)
			len += n;
		else
			serve_all(scene);
	}
	close(fd);
	return len;
}

/* What it has not read is given up after a while. */
static void a_client_that_does_not_read_is_given_up(void **state)
{
	struct scene *scene = *state;
	int fd;

	if (geteuid() != 0)
		skip();
	fd = ask_as(scene, SOMEBODY);
	wait_for(scene, &scene->server.unread, 1);
	assert_int_equal(server_bytes(&scene->server), LONG_BYTES);
	assert_int_equal(scene->server.stalled, 0);
	/* For as long as it reads some, it is waited for. */
	assert_int_equal(read_all(scene, fd), LONG_BYTES);
	wait_for(scene, &scene->server.unread, 0);
	scene->server.patience_ns = MS;
	fd = ask_as(scene, SOMEBODY + 1);
	while (!scene->server.stalled)
		serve_all(scene);
	assert_int_equal(scene->server.unread, 0);
	assert_int_equal(server_bytes(&scene->server), 0);
	assert_in_range(read_all(scene, fd), 1, LONG_BYTES - 1);
}

static void nobody_is_answered_who_has_not_read_the_last_answer(void **state)
{
	struct scene *scene = *state;
	int first, second;

	if (geteuid() != 0)
		skip();
	first = ask_as(scene, SOMEBODY);
	wait_for(scene, &scene->server.unread, 1);
	scene->server.turns.count = 0;
	second = ask_as(scene, SOMEBODY);
	while (!scene->server.deferred)
		serve_all(scene);
	for (int i = 0; i < 10; i++)
		serve_all(scene);
	assert_int_equal(recv(second, &(char){0}, 1, MSG_DONTWAIT), -1);
	assert_int_equal(scene->server.unread, 1);
	assert_int_equal(read_all(scene, first), LONG_BYTES);
	assert_int_equal(read_all(scene, second), LONG_BYTES);
}

/* So many that are read by nobody are kept: operators' last. */
static void unread_answers_are_bounded(void **state)
{
	int users[SERVER_ANSWERS_MAX], operators[SERVER_ANSWERS_MAX + 1];
	struct scene *scene = *state;

	if (geteuid() != 0)
		skip();
	for (int i = 0; i < SERVER_ANSWERS_MAX; i++) {
		users[i] = ask_as(scene, SOMEBODY + i);
		wait_for(scene, &scene->server.unread, i + 1);
	}
	for (int i = 0; i <= SERVER_ANSWERS_MAX; i++) {
		operators[i] = ask_as(scene, 0);
		while (scene->server.displaced != (uint64_t)i + 1)
			serve_all(scene);
		assert_int_equal(scene->server.unread, SERVER_ANSWERS_MAX);
	}
	assert_true(read_all(scene, users[0]) < LONG_BYTES);
	assert_true(read_all(scene, operators[0]) < LONG_BYTES);
	assert_int_equal(read_all(scene, operators[1]), LONG_BYTES);
	for (int i = 1; i < SERVER_ANSWERS_MAX; i++)
		close(users[i]);
	for (int i = 2; i <= SERVER_ANSWERS_MAX; i++)
		close(operators[i]);
}

/* Whoever has come all the time is hung up on, for a while, and nobody else is. */
static void a_flood_at_the_door_is_not_let_in(void **state)
{
	struct scene *scene = *state;

	if (geteuid() != 0)
		skip();
	serve_all(scene);
	assert_int_equal(scene->server.door.count, 0);
	close(dial_as(scene, SOMEBODY));
	serve_all(scene);
	assert_int_equal(scene->server.shut_out, 0);
	assert_int_equal(scene->server.door.list[0].uid, SOMEBODY);
	assert_true(scene->server.door.list[0].until_ns);
	turns_spend(&scene->server.door, SOMEBODY, 10000 * MS, loop_now_ns());
	assert_int_equal(read_all(scene, ask_as(scene, SOMEBODY)), 0);
	assert_int_equal(scene->server.shut_out, 1);
	assert_int_equal(read_all(scene, ask_as(scene, SOMEBODY + 1)), LONG_BYTES);
	scene->server.door.list[0].until_ns = loop_now_ns();
	assert_int_equal(read_all(scene, ask_as(scene, SOMEBODY)), LONG_BYTES);
	assert_int_equal(scene->server.shut_out, 1);
}

static void nobody_is_answered_who_has_hung_up(void **state)
{
	struct scene *scene = *state;

	if (geteuid() != 0)
		skip();
	close(ask_as(scene, SOMEBODY));
	serve_all(scene);
	assert_int_equal(scene->heard_users, 0);
	wait_for(scene, &scene->server.count, 0);
	assert_int_equal(scene->server.turns.list[0].uid, SOMEBODY);
	assert_true(scene->server.turns.list[0].until_ns);
}

/* And is told how much it was, as soon as its user's turn has come. */
static void a_watcher_that_costs_too_much_misses_something(void **state)
{
	const uint32_t uid = SOMEBODY;
	struct scene *scene = *state;
	int operator, user;

	if (geteuid() != 0)
		skip();
	operator= watch(scene);
	user = dial_as(scene, uid);
	assert_int_equal(send(user, "watch\n", 6, 0), 6);
	wait_for(scene, &scene->server.user_watchers, 1);
	hears(user, "watch");
	scene->server.turns.count = 0;
	server_tell(&scene->server, &uid, "one\n");
	assert_true(scene->server.turns.list[0].until_ns);
	turns_spend(&scene->server.turns, uid, 1200 * MS / 9, loop_now_ns());
	server_tell(&scene->server, &uid, "two\n");
	server_tell(&scene->server, &uid, "three\n");
	assert_int_equal(scene->server.untold, 2);
	hears(user, "one\n");
	hears_nothing(user);
	hears(operator, "one\ntwo\nthree\n");
	while (recv(user, &(char){0}, 1, MSG_PEEK | MSG_DONTWAIT) < 0)
		serve_all(scene);
	hears(user, "lost 2\n");
	scene->server.turns.count = 0;
	server_tell(&scene->server, &uid, "four\n");
	hears(user, "four\n");
	assert_true(server_is_heard(&scene->server, NULL));
	close(operator);
	wait_for(scene, &scene->server.watchers, 1);
	assert_false(server_is_heard(&scene->server, NULL));
	assert_true(server_is_heard(&scene->server, &uid));
	close(user);
}

static void watchers_hear_what_is_for_them(void **state)
{
	const uint32_t ours = 65534, others = 65533;
	struct scene *scene = *state;
	int operator, user;

	if (geteuid() != 0)
		skip();
	operator= watch(scene);
	assert_int_equal(seteuid(65534), 0);
	user = dial(scene);
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(send(user, "watch\n", 6, 0), 6);
	wait_for(scene, &scene->server.user_watchers, 1);
	hears(user, "watch");
	server_tell_all(&scene->server, "all\n");
	server_tell(&scene->server, NULL, "nobody's\n");
	server_tell(&scene->server, &ours, "ours\n");
	server_tell(&scene->server, &others, "others\n");
	hears(operator, "all\nnobody's\nours\nothers\n");
	hears(user, "all\nours\n");
	hears_nothing(user);
	close(user);
	wait_for(scene, &scene->server.user_watchers, 0);
	assert_int_equal(scene->server.watchers, 1);
	/* To end one's own direction is not to hang up. */
	assert_int_equal(shutdown(operator, SHUT_WR), 0);
	server_tell_all(&scene->server, "more\n");
	hears(operator, "more\n");
	close(operator);
	wait_for(scene, &scene->server.watchers, 0);
}

/* It misses what is too much, is told how much that was, and hears what comes after. */
static void a_slow_watcher_is_told_what_it_missed(void **state)
{
	static char text[LONG_BYTES];
	struct scene *scene = *state;
	unsigned long told = 0, lost;
	size_t len = 0, heard;
	char line[1001];
	int fd = watch(scene);
	char *end;
	ssize_t n;

	memset(line, 'a', sizeof(line));
	line[sizeof(line) - 2] = '\n';
	line[sizeof(line) - 1] = '\0';
	while (scene->server.untold < 100) {
		server_tell_all(&scene->server, line);
		told++;
	}
	do {
		n = recv(fd, text + len, sizeof(text) - 1 - len, MSG_DONTWAIT);
		if (n > 0)
			len += n;
		else
			serve_all(scene);
		text[len] = '\0';
		end = strstr(text, "lost ");
	} while (!end || !strchr(end, '\n'));
	heard = (end - text) / strlen(line);
	assert_int_equal((end - text) % strlen(line), 0);
	assert_int_equal(sscanf(end, "lost %lu", &lost), 1);
	assert_int_equal(heard + lost, told);
	assert_int_equal(lost, scene->server.untold);
	server_tell_all(&scene->server, "again\n");
	hears(fd, "again\n");
	server_tell_lost(&scene->server, 7);
	hears(fd, "lost 7\n");
	close(fd);
	wait_for(scene, &scene->server.watchers, 0);
}

static void there_is_one_server_at_a_path(void **state)
{
	struct scene *scene = *state;
	struct server second = {.source.fd = -1};

	assert_int_equal(server_init(&second, &scene->loop, scene->path), -EADDRINUSE);
	assert_int_equal(second.source.fd, -1);
	/* The first one's file is still there. */
	close(dial(scene));
}

static void a_dead_socket_file_is_replaced(void **state)
{
	struct scene *scene = *state;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct server second = {.owner = scene, .answer = echo};
	int dead = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/dead", scene->folder);
	assert_int_equal(bind(dead, (struct sockaddr *)&address, sizeof(address)), 0);
	close(dead);
	assert_int_equal(server_init(&second, &scene->loop, address.sun_path), 0);
	server_done(&second);
	assert_int_equal(access(address.sun_path, F_OK), -1);
}

/* From the start, and not by its name: that may be another file's by then. */
static void everybody_may_reach_it(void **state)
{
	struct scene *scene = *state;
	struct server second = {.owner = scene, .answer = echo, .source.fd = -1};
	mode_t mask = umask(077);
	char path[80];
	struct stat st;

	snprintf(path, sizeof(path), "%s/second", scene->folder);
	assert_int_equal(server_init(&second, &scene->loop, path), 0);
	assert_int_equal(umask(mask), 077);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0666);
	server_done(&second);
}

/* Whatever else stands there is somebody's. */
static void another_file_is_left_alone(void **state)
{
	struct scene *scene = *state;
	struct server second = {.owner = scene, .answer = echo};
	char path[80];
	FILE *file;

	snprintf(path, sizeof(path), "%s/file", scene->folder);
	file = fopen(path, "we");
	fclose(file);
	assert_true(server_init(&second, &scene->loop, path) < 0);
	assert_int_equal(access(path, F_OK), 0);
	unlink(path);
}

static void refuses_a_path_that_is_too_long(void **state)
{
	struct scene *scene = *state;
	struct server second = {.source.fd = -1};
	char path[200];

	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(server_init(&second, &scene->loop, path), -ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(answers_and_hangs_up, set_up, tear_down),
		cmocka_unit_test_setup_teardown(everybody_may_reach_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			gives_a_long_answer_as_it_is_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(hangs_up_on_what_is_no_request, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			the_oldest_of_too_many_gives_way, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_flood_of_one_user_displaces_nobody_else, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			whoever_watches_is_not_displaced, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_client_that_does_not_read_is_given_up, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			nobody_is_answered_who_has_not_read_the_last_answer, set_up, tear_down),
		cmocka_unit_test_setup_teardown(unread_answers_are_bounded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_flood_at_the_door_is_not_let_in, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			nobody_is_answered_who_has_hung_up, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_watcher_that_costs_too_much_misses_something, set_up, tear_down),
		cmocka_unit_test_setup_teardown(watchers_hear_what_is_for_them, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_slow_watcher_is_told_what_it_missed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(there_is_one_server_at_a_path, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_dead_socket_file_is_replaced, set_up, tear_down),
		cmocka_unit_test_setup_teardown(another_file_is_left_alone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refuses_a_path_that_is_too_long, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
