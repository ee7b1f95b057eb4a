/* SPDX-License-Identifier: MIT */
/* A router's answer among those of strangers. */
#include "kernel/reach.h"

#include "kernel/probe.h"

#include "../unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/epoll.h>

#define NETNS   7
#define NOW_NS  100000000000ull
#define ENDLESS 100000

static struct served_netns inside;
static struct source *asked; /* what the loop watches */
static struct probe_packet sent;
static unsigned int strangers; /* that come first */
static bool is_answered;
static unsigned int reads, heard;

uint64_t __wrap_loop_now_ns(void);
int __wrap_loop_add(struct loop *loop, struct source *source, uint32_t events);
void __wrap_loop_remove(struct loop *loop, struct source *source);
struct served_netns *__wrap_served_find_live(struct served *served, uint64_t cookie);
int __wrap_served_enter(struct served_netns *netns);
void __wrap_served_leave(const struct served_netns *netns);
int __wrap_probe_open(struct probe *probe, int family, uint16_t id);
int __wrap_probe_send(const struct probe *probe, const struct probe_packet *packet);
int __wrap_probe_receive(const struct probe *probe, struct icmp_answer *ret_answer);

uint64_t __wrap_loop_now_ns(void)
{
	return NOW_NS;
}

int __wrap_loop_add(struct loop *loop, struct source *source, uint32_t events)
{
	(void)loop;
	(void)events;
	asked = source;
	return 0;
}

void __wrap_loop_remove(struct loop *loop, struct source *source)
{
	(void)loop;
	(void)source;
}

struct served_netns *__wrap_served_find_live(struct served *served, uint64_t cookie)
{
	(void)served;
	return cookie == NETNS ? &inside : NULL;
}

int __wrap_served_enter(struct served_netns *netns)
{
	(void)netns;
	return 0;
}

void __wrap_served_leave(const struct served_netns *netns)
{
	(void)netns;
}

int __wrap_probe_open(struct probe *probe, int family, uint16_t id)
{
	*probe = (struct probe){.send_fd = -1, .receive_fd = -1, .family = family, .id = id};
	return 0;
}

int __wrap_probe_send(const struct probe *probe, const struct probe_packet *packet)
{
	(void)probe;
	sent = *packet;
	return 0;
}

/* Every other one is no ICMP that can be read. */
int __wrap_probe_receive(const struct probe *probe, struct icmp_answer *ret_answer)
{
	(void)probe;
	reads++;
	*ret_answer = (struct icmp_answer){
		.local = sent.local, .remote = sent.remote, .sequence = sent.sequence + 1};
	if (strangers)
		return strangers-- % 2 ? 1 : -EBADMSG;
	ret_answer->sequence = sent.sequence;
	return is_answered;
}

static struct path_table paths;

static void hear(void *owner, const struct event *event)
{
	(void)owner;
	assert_int_equal(event->kind, EVENT_REACHED);
	assert_int_equal(event->error, 0);
	heard++;
}

static void begin(struct reach *reach, struct scout *scout)
{
	struct action action = {.kind = ACTION_REACH,
		.key = {.netns = NETNS, .token = 1},
		.local = {.family = AF_INET, .port = 40000, .v4.s_addr = htonl(0x0a000001)},
		.remote = {.family = AF_INET, .port = 80, .v4.s_addr = htonl(0x0a000101)},
		.ttl = 2};

	path_table_init(&paths);
	*scout = (struct scout){.paths = &paths,
		.probes_per_second = 1000,
		.random = 1,
		.quota = {.per_second = 1000},
		.bucket = {.saved_ns = 1000000000ull, .filled_ns = NOW_NS}};
	assert_int_equal(prefixes_read("private", &scout->prefixes), 0);
	*reach = (struct reach){.scout = scout, .timer.fd = -1, .heard = hear};
	TAILQ_INIT(&reach->questions);
	reads = heard = 0;
	assert_int_equal(reach_ask(reach, &action), 0);
	assert_int_equal(reach->n_questions, 1);
}

static void end(struct reach *reach, struct scout *scout)
{
	reach_done(reach);
	quota_done(&scout->quota);
	path_table_done(&paths);
}

/* Others wait for the loop: so many are read at once, and the answer is found behind them. */
static void a_flood_is_read_a_few_at_a_time(void **state)
{
	struct scout scout;
	struct reach reach;

	(void)state;
	strangers = ENDLESS;
	is_answered = true;
	begin(&reach, &scout);
	asked->ready(asked, EPOLLIN);
	assert_int_equal(reads, PROBE_READS_MAX);
	assert_int_equal(heard, 0);
	strangers = PROBE_READS_MAX;
	asked->ready(asked, EPOLLIN);
	assert_int_equal(heard, 0);
	asked->ready(asked, EPOLLIN);
	assert_int_equal(heard, 1);
	assert_int_equal(reach.n_questions, 0);
	end(&reach, &scout);
}

static void what_is_read_to_its_end_is_not_read_on(void **state)
{
	struct scout scout;
	struct reach reach;

	(void)state;
	strangers = 3;
	is_answered = false;
	begin(&reach, &scout);
	asked->ready(asked, EPOLLIN);
	assert_int_equal(reads, 4);
	assert_int_equal(heard, 0);
	end(&reach, &scout);
	assert_int_equal(reach.n_questions, 0);
}

static void one_too_many_is_refused_and_counted(void **state)
{
	struct reach reach = {.n_questions = REACH_QUESTIONS_MAX};
	const struct action action = {.kind = ACTION_REACH};

	(void)state;
	assert_int_equal(reach_ask(&reach, &action), -EBUSY);
	assert_int_equal(reach.refused, 1);
	assert_int_equal(reach.n_questions, REACH_QUESTIONS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flood_is_read_a_few_at_a_time),
		cmocka_unit_test(what_is_read_to_its_end_is_not_read_on),
		cmocka_unit_test(one_too_many_is_refused_and_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
