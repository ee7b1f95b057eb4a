/* SPDX-License-Identifier: MIT */
/* Defaults, what each key sets, and what is refused. */
#include "settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "unit.h"

#define ERROR_MAX 512

static struct settings settings;
static char error[ERROR_MAX];

static int begin(void **state)
{
	(void)state;
	*error = '\0';
	return settings_init(&settings);
}

static int end(void **state)
{
	(void)state;
	settings_done(&settings);
	return 0;
}

static int read_text(const char *text)
{
	char path[FILE_PATH_MAX];
	int fd = file_make(text, strlen(text), path);
	int err = settings_read(&settings, path, error, sizeof(error));

	file_remove(fd);
	return err;
}

static void assert_defaults(void)
{
	assert_int_equal(settings.start_bytes, 100000000);
	assert_int_equal(settings.step_bytes, 50000000);
	assert_int_equal(settings.stop_bytes, 300000000);
	assert_int_equal(settings.unsent_bytes, 128000);
	assert_int_equal(settings.elephant_subflows, 4);
	assert_true(settings.downloads);
	assert_false(settings.single_path);
	assert_int_equal(settings_source(&settings), SOURCE_BPF);
	assert_false(settings.plain_tcp);
	assert_int_equal(settings.interval_ms, 500);
	assert_int_equal(settings.late_percent, 10);
	assert_int_equal(settings.ndiffports, 1);
	assert_false(settings.fullmesh);
	assert_int_equal(settings.refusals, 8);
	assert_int_equal(settings.hold_s, 600);
	assert_int_equal(settings.max_subflows, 8);
	assert_true(settings.applications);
	assert_int_equal(settings.calls_per_second, 100);
	assert_int_equal(settings.calls_per_second_of_user, 1000);
	assert_int_equal(settings.max_connections, 65536);
	assert_string_equal(settings.serve, "own");
	assert_false(settings.take_over);
	assert_string_equal(settings.cgroup, "");
	assert_int_equal(settings.ring_bytes, 262144);
	assert_string_equal(settings.socket, "/run/subflow/control");
	assert_string_equal(settings.group, "");
	assert_true(settings_group(&settings) == (gid_t)-1);
}

static void defaults_are_the_papers(void **state)
{
	(void)state;
	assert_defaults();
	assert_int_equal(read_text("#\n"), 0);
	assert_defaults();
	assert_int_equal(read_text(""), -ENODATA);
	assert_defaults();
}

static void every_key_is_read(void **state)
{
	(void)state;
	assert_int_equal(read_text("[elephant]\n"
				   "start = 1MB\n"
				   "step = 2MB\n"
				   "stop = 3MB\n"
				   "unsent = 64kB\n"
				   "max_subflows = 5\n"
				   "downloads = no\n"
				   "single_path = yes\n"
				   "[detect]\n"
				   "source = capture\n"
				   "interface = eth0 br-lan\n"
				   "plain_tcp = yes\n"
				   "interval_ms = 10\n"
				   "late_percent = 11\n"
				   "[policy]\n"
				   "ndiffports = 2\n"
				   "fullmesh = yes\n"
				   "[joins]\n"
				   "refusals = 0\n"
				   "hold_s = 9\n"
				   "[limits]\n"
				   "max_subflows = 6\n"
				   "applications = no\n"
				   "calls_per_second = 7\n"
				   "calls_per_second_of_user = 12\n"
				   "max_connections = 8\n"
				   "[namespaces]\n"
				   "serve = own a b\n"
				   "take_over = yes\n"
				   "[hooks]\n"
				   "ring_size = 8192\n"
				   "[control]\n"
				   "socket = /run/a\n"
				   "group = 4711\n"),
		0);
	assert_string_equal(error, "");
	assert_int_equal(settings.start_bytes, 1000000);
	assert_int_equal(settings.step_bytes, 2000000);
	assert_int_equal(settings.stop_bytes, 3000000);
	assert_int_equal(settings.unsent_bytes, 64000);
	assert_int_equal(settings.elephant_subflows, 5);
	assert_false(settings.downloads);
	assert_true(settings.single_path);
	assert_int_equal(settings_source(&settings), SOURCE_CAPTURE);
	assert_string_equal(settings.interfaces, "eth0 br-lan");
	assert_true(settings.plain_tcp);
	assert_int_equal(settings.interval_ms, 10);
	assert_int_equal(settings.late_percent, 11);
	assert_int_equal(settings.ndiffports, 2);
	assert_true(settings.fullmesh);
	assert_int_equal(settings.refusals, 0);
	assert_int_equal(settings.hold_s, 9);
	assert_int_equal(settings.max_subflows, 6);
	assert_false(settings.applications);
	assert_int_equal(settings.calls_per_second, 7);
	assert_int_equal(settings.calls_per_second_of_user, 12);
	assert_int_equal(settings.max_connections, 8);
	assert_string_equal(settings.serve, "own a b");
	assert_true(settings.take_over);
	assert_int_equal(settings.ring_bytes, 8192);
	assert_string_equal(settings.socket, "/run/a");
	assert_int_equal(settings_group(&settings), 4711);
}

struct refusal {
	const char *text;
	const char *says; /* a part of the message */
};

static void assert_refused(const struct refusal *refusals, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(read_text(refusals[i].text), -EINVAL);
		if (!strstr(error, refusals[i].says))
			fail_msg("\"%s\" does not say \"%s\"", error, refusals[i].says);
	}
}

#define ASSERT_REFUSED(refusals) assert_refused(refusals, sizeof(refusals) / sizeof(*refusals))

static void ranges_are_kept(void **state)
{
	static const struct refusal refusals[] = {
		{"[elephant]\nstart = 0", ":2: start = 0: allowed is a number of bytes from 1"},
		{"[elephant]\nstep = 0", "step = 0: allowed is a number of bytes from 1"},
		{"[elephant]\nmax_subflows = 0", "allowed is a number from 1 to 64"},
		{"[elephant]\nmax_subflows = 65", "allowed is a number from 1 to 64"},
		{"[policy]\nndiffports = 0", "allowed is a number from 1 to 64"},
		{"[limits]\nmax_subflows = 65", "allowed is a number from 1 to 64"},
		{"[limits]\ncalls_per_second = 0", "allowed is a number from 1 to 1000000"},
		{"[limits]\ncalls_per_second_of_user = 0", "allowed is a number from 1 to 1000000"},
		{"[limits]\nmax_connections = 0", "allowed is a number from 1 to 10000000"},
		{"[detect]\nsource = kprobe", "source = kprobe: allowed is bpf, capture or diag"},
		{"[detect]\ninterface = ", "allowed is at most 8 names"},
		{"[detect]\ninterface = an-interface-name", "allowed is at most 8 names"},
		{"[detect]\ninterface = 1 2 3 4 5 6 7 8 9", "allowed is at most 8 names"},
		{"[hooks]\nring_size = 2048", "allowed is a number of bytes from 4096"},
	};

	(void)state;
	ASSERT_REFUSED(refusals);
	assert_defaults();
}

static void values_must_fit_together(void **state)
{
	static const struct refusal refusals[] = {
		{"[elephant]\nstart = 301MB", ":2: start = 301000000: allowed is up to stop (3"},
		{"[elephant]\nstop = 99MB", ":2: stop = 99000000: allowed is start (100000000) or"},
		{"[elephant]\nstart = 2\n\nstop = 1", ":4: stop = 1: allowed is start (2) or more"},
		{"[elephant]\nstop = 1\nstart = 2", ":3: start = 2: allowed is up to stop (1)"},
		{"[policy]\nndiffports = 9", ":2: ndiffports = 9: allowed is up to [limits] max_s"},
		{"[policy]\nndiffports = 3\n[limits]\nmax_subflows = 2",
			":4: max_subflows = 2: allowed is [policy] ndiffports (3) or more"},
		{"\n[hooks]\nring_size = 5000", ":3: ring_size = 5000: allowed is a power of two"},
		{"[detect]\nsource = capture", "it needs [detect] interface"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++) {
		end(NULL);
		begin(NULL);
		assert_refused(&refusals[i], 1);
	}
	end(NULL);
	begin(NULL);
	assert_int_equal(read_text("[elephant]\nstart = 300MB"), 0);
}

/* What waits to be sent is seen by the kernel's callbacks alone. */
static void a_backlog_needs_the_hooks(void **state)
{
	static const struct refusal refusals[] = {
		{"[elephant]\nbacklog = 1MB\n[detect]\nsource = diag",
			":2: backlog = 1000000: only [detect] source = bpf sees"},
		{"[detect]\nsource = diag\n[rule a]\nbacklog = 1MB",
			"[rule a]: only [detect] source = bpf sees a backlog"},
		{"[elephant]\nbacklog = 5GB", "allowed is a number of bytes from 0 to 4000000000"},
		{"[rule a]\nbacklog = 0", "allowed is a number of bytes from 1 to 4000000000"},
	};
	struct rule *rules;
	uint32_t count;

	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++) {
		end(NULL);
		begin(NULL);
		assert_refused(&refusals[i], 1);
	}
	end(NULL);
	begin(NULL);
	assert_int_equal(settings.backlog_bytes, 0);
	assert_int_equal(read_text("[elephant]\nbacklog = 4MB\n"
				   "[rule a]\nport = 1\n"
				   "[rule b]\nbacklog = 1MB\n"),
		0);
	assert_int_equal(settings.backlog_bytes, 4000000);
	assert_int_equal(settings_elephant(&settings).backlog_bytes, 4000000);
	assert_int_equal(settings_rules(&settings, &rules, &count), 0);
	assert_int_equal(rules[0].elephant.backlog_bytes, 4000000);
	assert_int_equal(rules[1].elephant.backlog_bytes, 1000000);
	free(rules);
}

static void one_value_is_set(void **state)
{
	struct settings copy;

	(void)state;
	assert_int_equal(settings_set(&settings, "elephant.start", "5MB", error, sizeof(error)), 0);
	assert_int_equal(settings.start_bytes, 5000000);
	assert_int_equal(
		settings_set(&settings, "namespaces.serve", "a b*", error, sizeof(error)), 0);
	assert_string_equal(settings.serve, "a b*");
	assert_int_equal(settings_copy(&settings, &copy), 0);
	assert_int_equal(settings_set(&settings, "namespaces.serve", "c", error, sizeof(error)), 0);
	assert_string_equal(copy.serve, "a b*");
	assert_int_equal(copy.start_bytes, 5000000);
	settings_done(&copy);
}

static void a_value_that_is_wrong_changes_nothing(void **state)
{
	static const struct {
		const char *name, *value, *says;
	} wrong[] = {
		{"elephant.start", "0", "start = 0: allowed is a number of bytes from 1"},
		{"elephant.start", "400MB", "start = 400000000: allowed is up to stop (300000000)"},
		{"elephant.stop", "1MB", "stop = 1000000: allowed is start (100000000) or more"},
		{"policy.ndiffports", "9",
			"ndiffports = 9: allowed is up to [limits] max_subflows"},
		{"control.group", "no-such-group", "allowed is a group of this host"},
		{"elephant", "1", "no key elephant: it is SECTION.KEY"},
		{"rule", "1", "no key rule: it is SECTION.KEY"},
		{"rules.bulk.start", "1", "no key rules.bulk.start: it is SECTION.KEY"},
		{"rule.bulk.start", "1",
			"no key rule.bulk.start: rules are changed in the file, and by `subflow "
			"reload`"},
		{"rule bulk.start", "1", "no key rule bulk.start: rules are changed in the file"},
		{"elephant.", "1", "no key elephant."},
		{"elephant.startx", "1", "no key"},
		{".start", "1", "no key"},
		{"", "1", "no key"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		assert_int_equal(settings_set(&settings, wrong[i].name, wrong[i].value, error,
					 sizeof(error)),
			-EINVAL);
		if (!strstr(error, wrong[i].says))
			fail_msg("\"%s\" does not say \"%s\"", error, wrong[i].says);
	}
	assert_defaults();
}

static void some_values_stay_while_the_daemon_runs(void **state)
{
	struct settings now;
	char text[128];

	(void)state;
	assert_int_equal(settings_copy(&settings, &now), 0);
	assert_int_equal(settings_keep_fixed(&now, &settings, text, sizeof(text)), 0);
	assert_string_equal(text, "");
	free(now.cgroup); /* a file can only name one that is there */
	now.cgroup = strdup("/a");
	assert_int_equal(read_text("[elephant]\nstart = 1MB\n"
				   "[detect]\nsource = diag\n"
				   "[hooks]\nring_size = 8192\n"
				   "[control]\nsocket = /b\n"
				   "[limits]\nmax_connections = 100000\n"),
		0);
	assert_int_equal(settings_keep_fixed(&now, &settings, text, sizeof(text)), 0);
	assert_string_equal(text,
		"[detect] source, [hooks] cgroup, [control] socket, [hooks] ring_size, [limits] "
		"max_connections");
	assert_string_equal(settings.cgroup, "/a");
	assert_string_equal(settings.socket, now.socket);
	assert_int_equal(settings.ring_bytes, 262144);
	assert_int_equal(settings.max_connections, 65536);
	assert_int_equal(settings.start_bytes, 1000000);
	settings_done(&now);
}

static void rules_are_read_in_order(void **state)
{
	struct settings copy;
	struct rule *rules;
	uint32_t count;

	(void)state;
	assert_int_equal(settings_rules(&settings, &rules, &count), 0);
	assert_int_equal(count, 0);
	assert_null(rules);
	assert_int_equal(read_text("[rule bulk]\n"
				   "cgroup = /sys/fs/cgroup/a\n"
				   "uid = root\n"
				   "local = 10.0.0.0/8 fd00::/8\n"
				   "remote = private\n"
				   "port = 443\n"
				   "interface = eth0\n"
				   "namespace = work-*\n"
				   "start = 1MB\n"
				   "step = 2MB\n"
				   "stop = 3MB\n"
				   "max_subflows = 5\n"
				   "[elephant]\n"
				   "step = 7MB\n"
				   "[rule never.1]\n"
				   "split = never\n"
				   "[rule bulk]\n"
				   "split = yes\n"),
		0);
	assert_int_equal(settings_copy(&settings, &copy), 0);
	settings_done(&settings);
	assert_int_equal(settings_rules(&copy, &rules, &count), 0);
	assert_int_equal(count, 2);
	assert_string_equal(rules[0].name, "bulk");
	assert_string_equal(copy.rules[0].cgroup, "/sys/fs/cgroup/a");
	assert_string_equal(copy.rules[0].interface, "eth0");
	assert_string_equal(copy.rules[0].netns, "work-*");
	assert_true(rules[0].has_uid && rules[0].uid == 0);
	assert_int_equal(rules[0].local.count, 2);
	assert_true(rules[0].has_remote);
	assert_int_equal(rules[0].port, 443);
	assert_false(rules[0].is_never);
	assert_int_equal(rules[0].elephant.start_bytes, 1000000);
	assert_int_equal(rules[0].elephant.step_bytes, 2000000);
	assert_int_equal(rules[0].elephant.stop_bytes, 3000000);
	assert_int_equal(rules[0].elephant.max_subflows, 5);
	/* What it does not say is as in [elephant]. */
	assert_string_equal(rules[1].name, "never.1");
	assert_true(rules[1].is_never);
	assert_false(rules[1].has_uid || rules[1].has_local || rules[1].has_remote);
	assert_int_equal(rules[1].elephant.start_bytes, 100000000);
	assert_int_equal(rules[1].elephant.step_bytes, 7000000);
	assert_int_equal(rules[1].elephant.max_subflows, 4);
	free(rules);
	settings_done(&copy);
	settings_init(&settings);
}

static void rules_that_are_wrong_are_refused(void **state)
{
	static const struct refusal refusals[] = {
		{"[rule a]\nport = 0", ":2: port = 0: allowed is a number from 1 to 65535"},
		{"[rule a]\nuid = no-such-user", "allowed is a user of this host"},
		{"[rule a]\nremote = 10.0.0.0/33", "allowed is prefixes"},
		{"[rule a]\nsplit = no", "allowed is yes or never"},
		{"[rule a]\ninterface = a/b", "allowed is the name of a network device"},
		{"[rule a]\ninterface = aaaaaaaaaaaaaaaa", "allowed is the name of a network"},
		{"[rule a]\nnamespace = a b", "allowed is own, or a name"},
		{"[rule a]\ncgroup = a", "allowed is the absolute path"},
		{"[rule a]\nstart = 0", "allowed is a number of bytes"},
		{"[rule a]\nstart = 1GB", "[rule a]"},
		{"[rule a]\nweight = 1", ":2: no key weight in [rule]; there are cgroup uid"},
		{"[rule ]\nport = 1", "allowed is a name of letters"},
		{"[rule a b]\nport = 1", "allowed is a name of letters"},
		{"[rule aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]\nport = 1", "at most 32 bytes"},
		{"[rule aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]\nport = 1",
			"at most 32 bytes"},
		{"[rule a]\nport = 1\n[rule a]\nport = 2", "allowed is one line, and there is"},
		{"[rules]\nport = 1", "no section [rules]; there are [elephant]"},
		{"[rule]\nport = 1", "[rule NAME]"},
	};
	char text[65 * 32], *end = text;

	(void)state;
	ASSERT_REFUSED(refusals);
	settings_done(&settings);
	assert_int_equal(settings_init(&settings), 0);
	for (int i = 0; i < 64; i++)
		end += sprintf(end, "[rule r%d]\nport = 1\n", i);
	assert_int_equal(read_text(text), 0);
	assert_int_equal(settings.n_rules, 64);
	sprintf(end, "[rule more]\nport = 1\n");
	assert_int_equal(read_text(text), -EINVAL);
	assert_non_null(strstr(error, "at most 64"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(defaults_are_the_papers),
		TEST(every_key_is_read),
		TEST(ranges_are_kept),
		TEST(values_must_fit_together),
		TEST(a_backlog_needs_the_hooks),
		TEST(one_value_is_set),
		TEST(a_value_that_is_wrong_changes_nothing),
		TEST(some_values_stay_while_the_daemon_runs),
		TEST(rules_are_read_in_order),
		TEST(rules_that_are_wrong_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
