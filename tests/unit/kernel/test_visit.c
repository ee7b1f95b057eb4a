/* SPDX-License-Identifier: MIT */
/* Every socket that something is kept of is walked, by whichever way the kernel leaves open. */
#include "kernel/visit.h"

#include "../unit.h"
#include "kept.h"

#include "record.h"
#include "subflow.skel.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/param.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define SOCKETS 200

/* More descriptors than a walk passes in two goes, the first of which finds ours: the children have
 * copies. */
#define CHILDREN 115
#define COPIES   18500

static struct {
	struct hooks_bpf *hooks;
	struct visitor visitor;
	int sockets[SOCKETS];
	unsigned int seen[SOCKETS + 1]; /* by generation */
	pid_t children[CHILDREN];
} stage;

/* @by_files: NULL = by what the kernel takes. */
static void load(const void *by_files)
{
	struct bpf_program *program;

	if (geteuid() != 0)
		skip();
	stage.hooks = hooks_bpf__open();
	assert_non_null(stage.hooks);
	bpf_object__for_each_program(program, stage.hooks->obj)
	{
		bpf_program__set_autoload(program, false);
	}
	stage.visitor = (struct visitor){.by_map = stage.hooks->progs.subflow_walk,
		.by_files = stage.hooks->progs.subflow_walk_files};
	bpf_program__set_autoload(stage.visitor.by_map, true);
	bpf_program__set_autoload(stage.visitor.by_files, true);
	kept_by_files = by_files != NULL;
	visit_choose(&stage.visitor);
	print_message("walked by %s\n",
		bpf_program__autoload(stage.visitor.by_map) ? "the map" : "open files");
	assert_int_equal(bpf_program__autoload(stage.visitor.by_map) +
				 bpf_program__autoload(stage.visitor.by_files),
		1);
	assert_int_equal(hooks_bpf__load(stage.hooks), 0);
}

static void end_children(void)
{
	for (size_t i = 0; i < CHILDREN; i++) {
		if (!stage.children[i])
			continue;
		kill(stage.children[i], SIGKILL);
		waitpid(stage.children[i], NULL, 0);
		stage.children[i] = 0;
	}
}

static int end(void **state)
{
	(void)state;
	end_children();
	for (size_t i = 0; i < SOCKETS; i++) {
		if (stage.sockets[i])
			close(stage.sockets[i]);
		stage.sockets[i] = 0;
	}
	if (stage.hooks)
		hooks_bpf__destroy(stage.hooks);
	stage.hooks = NULL;
	return 0;
}

static void keep(int fd, uint32_t generation)
{
	struct intent intent = {.generation = generation, .adds = generation + 1};

	assert_int_equal(bpf_map__update_elem(stage.hooks->maps.intents, &fd, sizeof(fd), &intent,
				 sizeof(intent), BPF_ANY),
		0);
}

static int take(void *arg, int fd)
{
	struct wide_record records[16];
	ssize_t n;

	(void)arg;
	while ((n = visit_read(fd, records, sizeof(records))) > 0) {
		for (size_t i = 0; i < n / sizeof(*records); i++) {
			uint32_t generation = records[i].record.generation;

			assert_in_range(generation, 1, SOCKETS);
			assert_int_equal(records[i].record.kind, RECORD_INTENT);
			assert_int_equal(records[i].record.adds, generation + 1);
			stage.seen[generation]++;
		}
	}
	return (int)n;
}

static void walk(void)
{
	for (size_t i = 0; i <= SOCKETS; i++)
		stage.seen[i] = 0;
	assert_int_equal(
		visit_kept(&stage.visitor, bpf_map__fd(stage.hooks->maps.intents), take, NULL), 0);
}

/* The last has nothing kept of it, and the first was never asked anything. */
static void open_all(void)
{
	for (uint32_t i = 0; i < SOCKETS; i++) {
		stage.sockets[i] = kept_socket();
		if (i < SOCKETS - 1)
			keep(stage.sockets[i], i);
	}
}

static void each_of_many_is_seen(void **state)
{
	load(*state);
	open_all();
	walk();
	for (size_t i = 1; i < SOCKETS - 1; i++)
		assert_int_equal(stage.seen[i], 1);
	assert_int_equal(stage.seen[SOCKETS - 1], 0);
	/* Whoever is gone is not. */
	close(stage.sockets[7]);
	stage.sockets[7] = 0;
	walk();
	assert_int_equal(stage.seen[7], 0);
	assert_int_equal(stage.seen[8], 1);
}

/* A process that has what we have, in another network namespace, until it is killed. */
static void copy_process(size_t which)
{
	int gate[2];
	char byte;

	assert_int_equal(pipe2(gate, O_CLOEXEC), 0);
	stage.children[which] = fork();
	assert_true(stage.children[which] >= 0);
	if (!stage.children[which]) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (!unshare(CLONE_NEWNET) && write(gate[1], "", 1) == 1)
			pause();
		_exit(1);
	}
	close(gate[1]);
	assert_int_equal(read(gate[0], &byte, 1), 1);
	close(gate[0]);
}

static void one_of_another_process_is_seen(void **state)
{
	load(*state);
	open_all();
	copy_process(0);
	close(stage.sockets[9]);
	stage.sockets[9] = 0;
	walk();
	assert_int_equal(stage.seen[9], 1);
	/* One that both have: the daemon hears of it at least once. */
	assert_in_range(stage.seen[10], 1, 2);
	end_children();
	walk();
	assert_int_equal(stage.seen[9], 0);
}

static void among_millions_of_descriptors_one_is_seen(void **state)
{
	struct rlimit before, many;
	int copies[COPIES];

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	many = before;
	many.rlim_cur = MIN(before.rlim_max, COPIES + 1000);
	if (geteuid() != 0 || many.rlim_cur < COPIES + 1000)
		skip();
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &many), 0);
	for (size_t i = 0; i < COPIES; i++) {
		copies[i] = dup(STDERR_FILENO);
		assert_true(copies[i] >= 0);
	}
	for (size_t i = 0; i < CHILDREN; i++)
		copy_process(i);
	for (size_t i = 0; i < COPIES; i++)
		close(copies[i]);
	load(*state);
	open_all();
	walk();
	for (size_t i = 1; i < SOCKETS - 1; i++)
		assert_int_equal(stage.seen[i], 1);
	setrlimit(RLIMIT_NOFILE, &before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		KEPT_TEST_TWICE(each_of_many_is_seen, end),
		KEPT_TEST_TWICE(one_of_another_process_is_seen, end),
		KEPT_TEST_TWICE(among_millions_of_descriptors_one_is_seen, end),
	};

	return cmocka_run_group_tests_name("visit", tests, NULL, NULL);
}
