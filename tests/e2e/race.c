/* SPDX-License-Identifier: MIT */
/*
 * Threads that call setsockopt() of one inherited socket at the same time, in rounds: all
 * begin a round at once, and make a burst of calls in it, each drawn from those that are given.
 * Prints one JSON object.
 */
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <subflow.h>
#include <sys/socket.h>
#include <time.h>

enum { THREADS_MAX = 16, CALLS_MAX = 16, VALUE_MAX = 1024, ERRNO_MAX = 200 };

struct call {
	int option;
	socklen_t len;
	unsigned char value[VALUE_MAX];
};

static struct call calls[CALLS_MAX];
static int n_calls, n_threads, n_rounds, n_burst, pause_us, fd;
static atomic_int n_arrived, n_inside, n_overlaps;
static atomic_int answers[CALLS_MAX][ERRNO_MAX];
static atomic_int least = INT32_MAX, most;

static void die(const char *what)
{
	perror(what);
	exit(2);
}

/* Who is woken one after the other does not race: they wait on their processors. */
static void wait_for_all(int round)
{
	atomic_fetch_add(&n_arrived, 1);
	while (atomic_load(&n_arrived) < (round + 1) * n_threads)
		sched_yield();
}

static void ask(int i)
{
	int error = 0;

	if (atomic_fetch_add(&n_inside, 1))
		atomic_fetch_add(&n_overlaps, 1);
	if (setsockopt(fd, IPPROTO_TCP, calls[i].option, calls[i].value, calls[i].len) < 0)
		error = errno;
	atomic_fetch_sub(&n_inside, 1);
	if (error >= ERRNO_MAX)
		die("an errno that is none");
	atomic_fetch_add(&answers[i][error], 1);
}

static void note_count(void)
{
	struct tcp_multipath_pair pairs[4096 / sizeof(struct tcp_multipath_pair)];
	socklen_t len = sizeof(pairs);
	int count, known;

	if (getsockopt(fd, IPPROTO_TCP, TCP_MULTIPATH_SUBFLOWS, pairs, &len) < 0)
		die("SUBFLOWS");
	count = (int)(len / sizeof(pairs[0]));
	for (known = least; count < known && !atomic_compare_exchange_weak(&least, &known, count);)
		;
	for (known = most; count > known && !atomic_compare_exchange_weak(&most, &known, count);)
		;
}

static void *run(void *arg)
{
	unsigned seed = (unsigned)(size_t)arg;

	for (int round = 0; round < n_rounds; round++) {
		wait_for_all(round);
		for (int i = 0; i < n_burst; i++)
			ask(rand_r(&seed) % n_calls);
		if (pause_us)
			nanosleep(&(struct timespec){.tv_nsec = rand_r(&seed) % pause_us * 1000},
				NULL);
		note_count();
	}
	return NULL;
}

/* OPTION:BYTES, in hexadecimal digits. */
static void read_call(const char *text)
{
	struct call *call = &calls[n_calls++];
	const char *digits = strchr(text, ':');

	if (!digits || n_calls > CALLS_MAX || strlen(digits) > 2 * VALUE_MAX)
		die(text);
	call->option = atoi(text);
	for (digits++; sscanf(digits, "%2hhx", &call->value[call->len]) == 1; digits += 2)
		call->len++;
}

static void report(void)
{
	const char *comma = "";

	printf("{\"answers\": [");
	for (int i = 0; i < n_calls; i++)
		for (int error = 0; error < ERRNO_MAX; error++)
			if (answers[i][error]) {
				printf("%s[%d, %d, %d]", comma, i, error, answers[i][error]);
				comma = ", ";
			}
	printf("], \"least\": %d, \"most\": %d, \"overlaps\": %d}\n", least, most, n_overlaps);
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS_MAX];

	if (argc < 7 || atoi(argv[2]) > THREADS_MAX) {
		fprintf(stderr, "race FD THREADS ROUNDS BURST PAUSE_US OPTION:BYTES...\n");
		return 2;
	}
	fd = atoi(argv[1]);
	n_threads = atoi(argv[2]);
	n_rounds = atoi(argv[3]);
	n_burst = atoi(argv[4]);
	pause_us = atoi(argv[5]);
	for (int i = 6; i < argc; i++)
		read_call(argv[i]);
	for (int i = 0; i < n_threads; i++)
		if (pthread_create(&threads[i], NULL, run, (void *)(size_t)(i + 1)))
			die("pthread_create");
	for (int i = 0; i < n_threads; i++)
		pthread_join(threads[i], NULL);
	report();
	return 0;
}
