/* SPDX-License-Identifier: MIT */
/* subflow doctor: runs every check and reports them, one line each. */
#include "doctor.h"
#include "cli.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <getopt.h>
#include <json-c/json.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct check *const tables[] = {kernel_checks, bpf_checks, host_checks};

enum { N_TABLES = sizeof(tables) / sizeof(tables[0]), N_STATES = STATE_UNKNOWN + 1 };

static const char *const state_words[N_STATES] = {"ok", "warn", "FAIL", "unknown"};
static const char *const state_keys[N_STATES] = {"ok", "warn", "fail", "unknown"};

void doctor_found(
	struct finding *ret_finding, enum state state, const char *remedy, const char *format, ...)
{
	va_list args;

	ret_finding->state = state;
	snprintf(ret_finding->remedy, sizeof(ret_finding->remedy), "%s", remedy ? remedy : "");
	va_start(args, format);
	vsnprintf(ret_finding->detail, sizeof(ret_finding->detail), format, args);
	va_end(args);
}

void doctor_unprivileged(struct finding *ret_finding)
{
	doctor_found(ret_finding, STATE_UNKNOWN, "run as root", "this user may not find out");
}

int doctor_read_word(const char *path, char *ret_word, size_t size)
{
	FILE *file = fopen(path, "re");

	if (!file)
		return -errno;
	if (!fgets(ret_word, (int)size, file)) {
		fclose(file);
		return -EIO;
	}
	fclose(file);
	ret_word[strcspn(ret_word, " \t\n")] = '\0';
	return 0;
}

/* Root of a user namespace has every capability there, and may load nothing. */
static bool is_initial_user_namespace(void)
{
	unsigned inside = 1, outside = 1, length = 0;
	FILE *file = fopen("/proc/self/uid_map", "re");

	if (!file)
		return true;
	if (fscanf(file, "%u %u %u", &inside, &outside, &length) != 3)
		length = 0;
	fclose(file);
	return inside == 0 && outside == 0 && length == UINT32_MAX;
}

static bool may_load_and_ask(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	uint64_t effective, wanted = UINT64_C(1) << CAP_NET_ADMIN | UINT64_C(1) << CAP_SYS_ADMIN;

	if (syscall(SYS_capget, &header, data) < 0)
		return false;
	effective = (uint64_t)data[1].effective << 32 | data[0].effective;
	return (effective & wanted) == wanted;
}

static void host_init(struct host *host)
{
	libbpf_set_print(NULL);
	*host = (struct host){
		.is_privileged = may_load_and_ask() && is_initial_user_namespace(),
		.btf = btf__load_vmlinux_btf(),
	};
	if (libbpf_get_error(host->btf))
		host->btf = NULL;
	host->pm_error = netlink_init(&host->pm);
}

static void host_done(struct host *host)
{
	netlink_done(&host->pm);
	btf__free(host->btf);
}

static void print_text(const struct finding *finding)
{
	printf("%-8s %-22s %s\n", state_words[finding->state], finding->check, finding->detail);
	if (*finding->remedy)
		printf("%-8s %-22s   -> %s\n", "", "", finding->remedy);
}

static void add_json(struct json_object *list, const struct finding *finding)
{
	struct json_object *item = json_object_new_object();

	json_object_object_add(item, "check", json_object_new_string(finding->check));
	json_object_object_add(item, "state", json_object_new_string(state_keys[finding->state]));
	json_object_object_add(item, "detail", json_object_new_string(finding->detail));
	json_object_object_add(
		item, "remedy", *finding->remedy ? json_object_new_string(finding->remedy) : NULL);
	json_object_array_add(list, item);
}

static void print_summary(const unsigned counts[N_STATES])
{
	if (counts[STATE_FAIL])
		printf("\nSubflow cannot work here: %u essential thing%s missing.\n",
			counts[STATE_FAIL], counts[STATE_FAIL] == 1 ? " is" : "s are");
	else if (counts[STATE_UNKNOWN])
		printf("\nNothing essential is known to be missing; %u checks need root.\n",
			counts[STATE_UNKNOWN]);
	else
		printf("\nSubflow can work here.\n");
}

static void print_json(struct json_object *list, bool can_work)
{
	struct json_object *root = json_object_new_object();

	json_object_object_add(root, "can_work", json_object_new_boolean(can_work));
	json_object_object_add(root, "checks", list);
	puts(json_object_to_json_string_ext(root, JSON_C_TO_STRING_PRETTY |
							  JSON_C_TO_STRING_SPACED |
							  JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(root);
}

static int examine(bool is_json)
{
	struct json_object *list = is_json ? json_object_new_array() : NULL;
	unsigned counts[N_STATES] = {0};
	struct host host;

	host_init(&host);
	for (size_t i = 0; i < N_TABLES; i++) {
		for (const struct check *check = tables[i]; check->name; check++) {
			struct finding finding = {.check = check->name, .state = STATE_UNKNOWN};

			check->probe(&host, &finding);
			counts[finding.state]++;
			if (is_json)
				add_json(list, &finding);
			else
				print_text(&finding);
		}
	}
	host_done(&host);
	if (is_json)
		print_json(list, !counts[STATE_FAIL]);
	else
		print_summary(counts);
	return cli_finish(&doctor_verb, counts[STATE_FAIL] ? 1 : 0);
}

static int doctor_main(int argc, char **argv)
{
	static const struct option long_options[] = {
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	bool is_json = false;
	int c;

	while ((c = getopt_long(argc, argv, "hj", long_options, NULL)) != -1) {
		switch (c) {
		case 'j':
			is_json = true;
			break;
		case 'h':
			return cli_help(&doctor_verb);
		default:
			return cli_misused(&doctor_verb);
		}
	}
	if (optind < argc) {
		fprintf(stderr, "subflow doctor: takes no arguments\n");
		return cli_misused(&doctor_verb);
	}
	return examine(is_json);
}

const struct verb doctor_verb = {
	.name = "doctor",
	.summary = "what this kernel and this host can do for Subflow",
	.help = "Usage: subflow doctor [--json]\n\n"
		"Tries out, feature by feature, what Subflow needs from this kernel, this host\n"
		"and this network namespace, and says how to mend what is missing. Changes\n"
		"nothing. Run it as root: many features cannot be tried by other users.\n\n"
		"  ok       there\n"
		"  warn     Subflow works, but not for everybody or not fully\n"
		"  FAIL     missing, and essential\n"
		"  unknown  this user may not find out\n\n"
		"  --json   the same as JSON\n\n"
		"Exit status: 0 nothing essential is missing; 1 something is; 2 wrong usage.\n",
	.run = doctor_main,
	.usage_status = 2,
};
