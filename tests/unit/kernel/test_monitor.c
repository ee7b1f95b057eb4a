/* SPDX-License-Identifier: MIT */
/* Ears: which namespace an event came from, what was lost, which namespace has ended. */
#include "kernel/monitor.h"

#include "../unit.h"
#include "answers.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/genetlink.h>
#include <linux/mptcp.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define FAMILY 33

struct scene {
	struct monitor monitor;
	unsigned int heard, lost, begun, ended;
	unsigned int heard_before; /* the loss was told */
	bool is_urgent;
	uint32_t known; /* token of a connection that something is known of */
	int nsid, begun_nsid, ended_nsid;
	struct event event;
};

static char buffers[6][2048];

int __wrap_mnl_socket_setsockopt(
	const struct mnl_socket *socket, int type, void *value, socklen_t len);

/* Listening to all namespaces takes a privilege. */
int __wrap_mnl_socket_setsockopt(
	const struct mnl_socket *socket, int type, void *value, socklen_t len)
{
	(void)socket;
	(void)type;
	(void)value;
	(void)len;
	return 0;
}

static void hear(void *owner, int nsid, struct event *event)
{
	struct scene *scene = owner;

	scene->heard++;
	scene->nsid = nsid;
	scene->event = *event;
}

static bool may_rest(void *owner)
{
	return !((struct scene *)owner)->is_urgent;
}

static bool may_skip(void *owner, int nsid, uint32_t token)
{
	(void)nsid;
	return token != ((struct scene *)owner)->known;
}

static void lose(void *owner)
{
	struct scene *scene = owner;

	scene->lost++;
	scene->heard_before = scene->heard;
}

static void begin(void *owner, int nsid)
{
	struct scene *scene = owner;

	scene->begun++;
	scene->begun_nsid = nsid;
}

static void end(void *owner, int nsid)
{
	struct scene *scene = owner;

	scene->ended++;
	scene->ended_nsid = nsid;
}

/* Without the sockets of monitor_init(), which need a kernel with MPTCP. */
static struct scene scene_of(struct scene *scene)
{
	answers_reset();
	*scene = (struct scene){.monitor = {.family = {.id = FAMILY, .events_group = 7},
					.owner = scene,
					.heard = hear,
					.may_rest = may_rest,
					.may_skip = may_skip,
					.rest = {.fd = -1},
					.lost = lose,
					.begun = begin,
					.ended = end}};
	assert_int_equal(genl_open(NETLINK_GENERIC, &scene->monitor.events_socket), 0);
	assert_int_equal(genl_open(NETLINK_ROUTE, &scene->monitor.namespaces_socket), 0);
	return *scene;
}

static struct nlmsghdr *event_message(char *buffer, uint16_t family, uint32_t token)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct genlmsghdr *genl = mnl_nlmsg_put_extra_header(message, sizeof(*genl));

	message->nlmsg_type = family;
	genl->cmd = MPTCP_EVENT_CLOSED;
	if (token)
		mnl_attr_put_u32(message, MPTCP_ATTR_TOKEN, token);
	return message;
}

static struct nlmsghdr *end_message(char *buffer, uint16_t type, int32_t nsid)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);

	message->nlmsg_type = type;
	mnl_nlmsg_put_extra_header(message, sizeof(struct rtgenmsg));
	mnl_attr_put_u32(message, NETNSA_NSID, (uint32_t)nsid);
	return message;
}

static void put(const struct nlmsghdr *message, int nsid)
{
	answers_put(message, message->nlmsg_len, nsid);
}

static void hears_events_of_every_namespace(void **state)
{
	struct scene scene;

	(void)state;
	scene_of(&scene);
	put(event_message(buffers[0], FAMILY, 11), 5);
	monitor_drain(&scene.monitor);
	assert_int_equal(scene.heard, 1);
	assert_int_equal(scene.nsid, 5);
	assert_int_equal(scene.event.kind, EVENT_CLOSED);
	assert_int_equal(scene.event.key.token, 11);
	put(event_message(buffers[0], FAMILY, 12), -1);
	monitor_drain(&scene.monitor);
	assert_int_equal(scene.nsid, MONITOR_HOME);
	monitor_done(&scene.monitor);
}

static void hears_each_message_of_a_datagram(void **state)
{
	struct nlmsghdr *first, *second;
	struct scene scene;

	(void)state;
	scene_of(&scene);
	first = event_message(buffers[0], FAMILY, 11);
	second = event_message(buffers[0] + NLMSG_ALIGN(first->nlmsg_len), FAMILY, 12);
	answers_put(buffers[0], NLMSG_ALIGN(first->nlmsg_len) + second->nlmsg_len, 5);
	monitor_drain(&scene.monitor);
	assert_int_equal(scene.heard, 2);
	assert_int_equal(scene.event.key.token, 12);
	monitor_done(&scene.monitor);
}

static void counts_what_is_not_of_the_form(void **state)
{
	struct scene scene;

	(void)state;
	scene_of(&scene);
	put(event_message(buffers[0], FAMILY + 1, 11), -1);
	put(event_message(buffers[1], FAMILY, 0), -1);
	answers_put("abc", 3, -1); /* no header */
	monitor_drain(&scene.monitor);
	assert_int_equal(scene.monitor.malformed, 3);
	assert_int_equal(scene.heard, 0);
	monitor_done(&scene.monitor);
}

static struct nlmsghdr *begin_message(char *buffer, uint8_t command, uint32_t token)
{
	struct nlmsghdr *message = event_message(buffer, FAMILY, token);
	struct genlmsghdr *genl = mnl_nlmsg_get_payload(message);

	genl->cmd = command;
	mnl_attr_put_u32(message, MPTCP_ATTR_SADDR4, 1);
	mnl_attr_put_u16(message, MPTCP_ATTR_SPORT, 1);
	mnl_attr_put_u32(message, MPTCP_ATTR_DADDR4, 2);
	mnl_attr_put_u16(message, MPTCP_ATTR_DPORT, 2);
	return message;
}

static void nobody_hears_of_a_mouse_that_has_come_and_gone(void **state)
{
	struct scene scene;

	(void)state;
	scene_of(&scene);
	put(begin_message(buffers[0], MPTCP_EVENT_CREATED, 11), 5);
	put(begin_message(buffers[1], MPTCP_EVENT_CREATED, 12), 5);
	put(begin_message(buffers[2], MPTCP_EVENT_ESTABLISHED, 11), 5);
	put(event_message(buffers[3], FAMILY, 11), 5);
	monitor_drain(&scene.monitor);
	assert_int_equal(scene.heard, 1);
	assert_int_equal(scene.event.key.token, 12);

	/* Its beginning was heard before. */
	put(event_message(buffers[3], FAMILY, 12), 5);
	monitor_drain(&scene.monitor);
	assert_int_equal(scene.heard, 2);
	assert_int_equal(scene.event.kind, EVENT_CLOSED);
	monitor_done(&scene.monitor);
}

static void a_mouse_that_something_is_known_of_is_heard(void **state)
{
	struct scene scene;

	(void)state;
	scene_of(&scene);
	scene.known = 11;
	put(begin_message(buffers[0], MPTCP_EVENT_CREATED, 11), 5);
	put(begin_message(buffers[1], MPTCP_EVENT_ESTABLISHED, 11), 5);
	put(event_message(buffers[2], FAMILY, 11), 5);
	monitor_drain(&scene.monitor);
	assert_int_equal(scene.heard, 3);
	monitor_done(&scene.monitor);
}

/* A token is that of one namespace, and may be given again. */
static void ends_are_those_of_their_own_beginning(void **state)
{
	struct scene scene;

	(void)state;
	scene_of(&scene);
	put(begin_message(buffers[0], MPTCP_EVENT_CREATED, 11), 5);
	put(event_message(buffers[1], FAMILY, 11), 6);
	put(event_message(buffers[2], FAMILY, 11), 5);
	put(begin_message(buffers[3], MPTCP_EVENT_CREATED, 11), 5);
	monitor_drain(&scene.monitor);
	assert_int_equal(scene.heard, 2);
	assert_int_equal(scene.nsid, 5);
	assert_int_equal(scene.event.kind, EVENT_CREATED);
	monitor_done(&scene.monitor);
}

/* More than are read at once, by one call or out of one datagram. */
static void hears_all_that_is_there(void **state)
{
	static char many[GENL_DATAGRAM_BYTES];
	struct nlmsghdr *message;
	struct scene scene;
	size_t len = 0;
	unsigned int i, n = 0;

	(void)state;
	scene_of(&scene);
	while (len + 100 < sizeof(many)) {
		message = event_message(many + len, FAMILY, 100 + n++);
		len += NLMSG_ALIGN(message->nlmsg_len);
	}
	for (i = 0; i < ANSWERS_MAX; i++)
		answers_put(many, len, 5);
	assert_true(ANSWERS_MAX * n > 5 * GENL_MANY);
	monitor_drain(&scene.monitor);
	assert_int_equal(scene.heard, ANSWERS_MAX * n);
	assert_int_equal(scene.event.key.token, 100 + n - 1);
	monitor_done(&scene.monitor);
}

/* When all that waited is heard: it is older than what is listed then. */
static void tells_of_losses(void **state)
{
	struct scene scene;

	(void)state;
	scene_of(&scene);
	answers_put_error(ENOBUFS);
	put(event_message(buffers[0], FAMILY, 11), -1);
	put(event_message(buffers[1], FAMILY, 12), -1);
	monitor_drain(&scene.monitor);
	assert_int_equal(scene.lost, 1);
	assert_int_equal(scene.monitor.overruns, 1);
	assert_int_equal(scene.heard_before, 2);
	monitor_done(&scene.monitor);
}

static void a_datagram_cut_off_is_not_read(void **state)
{
	static char large[20000];
	struct scene scene;

	(void)state;
	scene_of(&scene);
	event_message(large, FAMILY, 11);
	answers_put(large, sizeof(large), -1);
	monitor_drain(&scene.monitor);
	assert_int_equal(scene.heard, 0);
	monitor_done(&scene.monitor);
}

/* The last events of a namespace come first. */
static void tells_of_the_end_of_a_namespace(void **state)
{
	struct loop loop;
	struct scene scene;

	(void)state;
	assert_int_equal(loop_init(&loop), 0);
	scene_of(&scene);
	monitor_done(&scene.monitor);
	assert_int_equal(monitor_init(&scene.monitor, &loop, &scene.monitor.family), 0);
	put(end_message(buffers[0], RTM_NEWNSID, 6), -1);
	put(end_message(buffers[1], RTM_DELNSID, 5), -1);
	put(event_message(buffers[2], FAMILY, 11), 5);
	scene.monitor.namespaces.ready(&scene.monitor.namespaces, 0);
	assert_int_equal(scene.heard, 1);
	assert_int_equal(scene.begun, 1);
	assert_int_equal(scene.begun_nsid, 6);
	assert_int_equal(scene.ended, 1);
	assert_int_equal(scene.ended_nsid, 5);

	answers_reset();
	put(end_message(buffers[0], RTM_DELNSID, -1), -1); /* it never had an id */
	scene.monitor.namespaces.ready(&scene.monitor.namespaces, 0);
	assert_int_equal(scene.ended, 1);
	monitor_done(&scene.monitor);
	loop_done(&loop);
}

/* What the loop waits for on a descriptor. */
static uint32_t waits_for(const struct loop *loop, int fd)
{
	char path[64], line[128];
	uint32_t events, found = 0;
	FILE *file;
	int tfd;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", loop->epoll_fd);
	file = fopen(path, "re");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "tfd: %d events: %" SCNx32, &tfd, &events) == 2 && tfd == fd)
			found = events & EPOLLIN;
	}
	fclose(file);
	return found;
}

static void begin_loop(struct scene *scene, struct loop *loop)
{
	assert_int_equal(loop_init(loop), 0);
	scene_of(scene);
	monitor_done(&scene->monitor);
	assert_int_equal(monitor_init(&scene->monitor, loop, &scene->monitor.family), 0);
}

static void hear_one(struct scene *scene, uint32_t token)
{
	answers_reset();
	put(event_message(buffers[0], FAMILY, token), -1);
	scene->monitor.events.ready(&scene->monitor.events, EPOLLIN);
	assert_int_equal(scene->event.key.token, token);
}

static void rests_after_what_is_not_urgent(void **state)
{
	struct monitor *monitor;
	struct pollfd timer;
	struct loop loop;
	struct scene scene;

	(void)state;
	begin_loop(&scene, &loop);
	monitor = &scene.monitor;
	hear_one(&scene, 11);
	assert_int_equal(waits_for(&loop, monitor->events.fd), 0);
	timer = (struct pollfd){.fd = monitor->rest.fd, .events = POLLIN};
	assert_int_equal(poll(&timer, 1, 10000), 1);
	monitor->rest.ready(&monitor->rest, EPOLLIN);
	assert_int_equal(waits_for(&loop, monitor->events.fd), EPOLLIN);

	scene.is_urgent = true;
	hear_one(&scene, 12);
	assert_int_equal(waits_for(&loop, monitor->events.fd), EPOLLIN);
	monitor_done(monitor);
	loop_done(&loop);
}

static void is_roused_from_a_rest(void **state)
{
	struct loop loop;
	struct scene scene;

	(void)state;
	begin_loop(&scene, &loop);
	hear_one(&scene, 11);
	put(event_message(buffers[1], FAMILY, 12), -1);
	monitor_rouse(&scene.monitor);
	assert_int_equal(scene.event.key.token, 12);
	assert_int_equal(waits_for(&loop, scene.monitor.events.fd), EPOLLIN);

	/* Who does not rest reads when the loop says so. */
	put(event_message(buffers[2], FAMILY, 13), -1);
	monitor_rouse(&scene.monitor);
	assert_int_equal(scene.event.key.token, 12);
	monitor_done(&scene.monitor);
	loop_done(&loop);
}

static void knows_a_listener_by_its_line(void **state)
{
	static const char line[] = "0000000000000000 16  1234       00000040 0        0        0   "
				   "     2        0        98765\n";
	uint64_t inode = 0;

	(void)state;
	assert_true(monitor_is_listener(line, 7, &inode));
	assert_int_equal(inode, 98765);
	assert_false(monitor_is_listener(line, 6, &inode));
	assert_false(monitor_is_listener(line, 32, &inode));
	assert_false(monitor_is_listener("sk               Eth Pid        Groups   Rmem     Wmem   "
					 "  Dump  Locks    Drops    Inode\n",
		7, &inode));
	assert_false(monitor_is_listener("", 1, &inode));
	assert_false(monitor_is_listener("0 0 1234 00000040 0 0 0 2 0 98765", 7, &inode));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hears_events_of_every_namespace),
		cmocka_unit_test(hears_each_message_of_a_datagram),
		cmocka_unit_test(counts_what_is_not_of_the_form),
		cmocka_unit_test(nobody_hears_of_a_mouse_that_has_come_and_gone),
		cmocka_unit_test(a_mouse_that_something_is_known_of_is_heard),
		cmocka_unit_test(ends_are_those_of_their_own_beginning),
		cmocka_unit_test(hears_all_that_is_there),
		cmocka_unit_test(tells_of_losses),
		cmocka_unit_test(a_datagram_cut_off_is_not_read),
		cmocka_unit_test(tells_of_the_end_of_a_namespace),
		cmocka_unit_test(rests_after_what_is_not_urgent),
		cmocka_unit_test(is_roused_from_a_rest),
		cmocka_unit_test(knows_a_listener_by_its_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
