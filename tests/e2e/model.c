/* SPDX-License-Identifier: MIT */
/* What a socket must answer, and the subflows that must come of it. */
#include "model.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <subflow.h>

enum {
	PAIR = (int)sizeof(struct tcp_multipath_pair),
	ERRNO_MAX = 200,
	/* While some are on their way out, there may be more than the limit. */
	HARD_MAX = 64,
	/* Amid subflows that come and go the hook's sum may be off by so many (docs/ring.md). */
	OFF_MAX = 1,
};

static atomic_ulong accepted, adds, removes, backups, forecasts, list_adds, list_removes, totals,
	announced, dismissed, beyond, ports, violations;
/* Of this thread's subject, when its call began: others go on meanwhile. */
static _Thread_local struct {
	int adds, removes;
} before;
static atomic_ulong errors[2][LAST - FIRST + 1][ERRNO_MAX];

__attribute__((format(printf, 1, 2))) static void violate(const char *format, ...)
{
	va_list args;

	/* The first ones are enough to read. */
	if (atomic_fetch_add(&violations, 1) > 20)
		return;
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
}

void model_init(struct subject *subject, enum kind kind, int fd)
{
	subject->fd = fd;
	subject->kind = kind;
	subject->total = 1;
	pthread_rwlock_init(&subject->order, NULL);
}

static bool is_forecast(const struct call *call)
{
	return call->name == TCP_MULTIPATH_EXPECTED || call->name == TCP_MULTIPATH_INTENT;
}

/* Whether there is such an option in this direction. */
static bool is_defined(const struct call *call)
{
	if (call->is_set)
		return call->name != TCP_MULTIPATH_SUBFLOWS && call->name != TCP_MULTIPATH_CONNID;
	return !call_is_add_or_remove(call) && call->name != TCP_MULTIPATH_BACKUP;
}

/* A list is announced. */
static bool asks_for_subflows(const struct call *call)
{
	return call->name == TCP_MULTIPATH_NDIFFPORTS || is_forecast(call) ||
	       (call->name == TCP_MULTIPATH_ADD && call->len == sizeof(int));
}

/* A socket that has a model is MPTCP, has not fallen back, and its namespace is served. */
static bool may_lack_option(const struct subject *subject, const struct call *call)
{
	if (subject->kind == KIND_ANY || !is_defined(call))
		return true;
	if (!call->is_set)
		return false;
	return call->name == TCP_MULTIPATH_ENABLE ||
	       (subject->kind == KIND_ACCEPTED && asks_for_subflows(call));
}

/* Whether it is a number of subflows to be added or removed, for a socket that gets no lists. */
static bool is_number(const struct subject *subject, const struct call *call, int *ret_number)
{
	if (!call->is_set || call->is_null || subject->kind != KIND_NUMBERS ||
		!call_is_add_or_remove(call) || call->len != sizeof(*ret_number))
		return false;
	memcpy(ret_number, call->value, sizeof(*ret_number));
	return *ret_number >= 1;
}

/* A socket gets no lists but good ones, so that what else is as long as it must be is in order. */
static bool is_malformed(const struct subject *subject, const struct call *call)
{
	bool is_expected = call->name == TCP_MULTIPATH_EXPECTED;
	socklen_t len = is_expected ? sizeof(uint64_t) : sizeof(int);
	int number;

	if (subject->kind == KIND_ANY || call->is_null || call->name == TCP_MULTIPATH_BACKUP ||
		!is_defined(call))
		return true;
	if (!call->is_set)
		return call->len < len;
	if (call_is_add_or_remove(call) && call->len != len)
		return subject->kind == KIND_NUMBERS || subject->kind == KIND_PEER ||
		       call->len < sizeof(struct sockaddr_in) || call->value[0] == 0xff;
	if (call->len != len)
		return true;
	memcpy(&number, call->value, sizeof(number));
	if (call->name == TCP_MULTIPATH_ENABLE || call->name == TCP_MULTIPATH_INTENT)
		return number < 0 || number > (call->name == TCP_MULTIPATH_ENABLE ? 1 : 3);
	return !is_expected && number < 1;
}

/* Whether the limit forbids it, or nothing would be left, whatever of the others counts already. */
static bool is_out_of_bounds(
	const struct subject *subject, const struct call *call, int max_subflows, int error)
{
	int number;

	if (!is_number(subject, call, &number) || number >= HARD_MAX)
		return true;
	if (error == EDQUOT)
		return subject->total + subject->adds + subject->adding - before.removes + OFF_MAX >
		       max_subflows;
	return subject->total + before.adds - subject->removes - subject->removing - OFF_MAX < 1;
}

/* Whether subflow.h allows this errno. */
static bool is_allowed(
	const struct subject *subject, const struct call *call, int max_subflows, int error)
{
	static const int of_list[] = {EADDRNOTAVAIL, EACCES, ENOBUFS};
	static const int of_backup[] = {ENOTCONN, EADDRNOTAVAIL, ENOBUFS};
	bool is_backup = call->is_set && call->name == TCP_MULTIPATH_BACKUP;
	bool is_request = call->is_set && call->name != TCP_MULTIPATH_ENABLE && !is_backup;
	bool is_connected = subject->kind != KIND_ANY && !subject->is_late;

	if (error == EINVAL)
		return is_malformed(subject, call);
	if (error == EOPNOTSUPP || error == ENOPROTOOPT)
		return may_lack_option(subject, call);
	if (error == EFAULT)
		return call->is_null;
	if (error == ENOTCONN && is_connected)
		return false;
	if (call->is_set && is_forecast(call))
		return error == ENOTCONN;
	for (size_t i = 0; is_backup && i < sizeof(of_backup) / sizeof(*of_backup); i++)
		if (error == of_backup[i])
			return true;
	if (is_request && (error == EDQUOT || error == EBUSY))
		return (error == EBUSY) == (call->name == TCP_MULTIPATH_REMOVE) &&
		       is_out_of_bounds(subject, call, max_subflows, error);
	if (is_request && error == ENOTCONN)
		return true;
	/* The daemon lets each ask as often as it likes, and has room for all. */
	for (size_t i = 0; is_request && i < sizeof(of_list) / sizeof(*of_list); i++)
		if (error == of_list[i])
			return call_is_add_or_remove(call) && call->len > sizeof(int);
	if (error == ERANGE)
		return !call->is_set && call->name == TCP_MULTIPATH_SUBFLOWS;
	return error == ENOTCONN && !call->is_set &&
	       (call->name == TCP_MULTIPATH_SUBFLOWS || call->name == TCP_MULTIPATH_CONNID);
}

static void note_error(
	const struct subject *subject, const struct call *call, int max_subflows, int error)
{
	if (error < ERRNO_MAX)
		atomic_fetch_add(&errors[call->is_set][call->name - FIRST][error], 1);
	if (!is_allowed(subject, call, max_subflows, error))
		violate("%s of option %d with %u bytes: %s\n", call->is_set ? "set" : "get",
			call->name, call->len, strerror(error));
}

static void check_answer(const struct subject *subject, const struct call *call, socklen_t len)
{
	uint64_t expected;
	int number;

	if (call->name == TCP_MULTIPATH_SUBFLOWS) {
		if (!len || len % PAIR || (subject->kind != KIND_ANY && (int)len > HARD_MAX * PAIR))
			violate("%u bytes of pairs\n", len);
		return;
	}
	if (call->name == TCP_MULTIPATH_EXPECTED) {
		if (len != sizeof(uint64_t))
			violate("%u bytes of a size\n", len);
		memcpy(&expected, call->value, sizeof(expected));
		if (subject->kind != KIND_ANY && expected != subject->expected)
			violate("EXPECTED is %llu, not %llu\n", (unsigned long long)expected,
				(unsigned long long)subject->expected);
		return;
	}
	memcpy(&number, call->value, sizeof(number));
	if (len != sizeof(number) ||
		(call->name == TCP_MULTIPATH_INTENT &&
			(number < 0 || number > TCP_MULTIPATH_INTENT_OFF)) ||
		(call->name == TCP_MULTIPATH_ENABLE && number != 0 && number != 1))
		violate("option %d: %u bytes, %d\n", call->name, len, number);
	if (call->name == TCP_MULTIPATH_NDIFFPORTS && subject->kind != KIND_ANY &&
		number != subject->ndiffports)
		violate("NDIFFPORTS is %d, not %d\n", number, subject->ndiffports);
	if (call->name == TCP_MULTIPATH_INTENT && subject->kind != KIND_ANY &&
		number != subject->intent)
		violate("INTENT is %d, not %d\n", number, subject->intent);
}

static void model_forecast(struct subject *subject, const struct call *call)
{
	bool is_expected = call->name == TCP_MULTIPATH_EXPECTED;
	socklen_t len = is_expected ? sizeof(subject->expected) : sizeof(subject->intent);

	atomic_fetch_add(&forecasts, 1);
	if (call->len != len)
		violate("option %d took %u bytes\n", call->name, call->len);
	/* Those without a model do not wait for one another. */
	else if (subject->kind != KIND_ANY)
		memcpy(is_expected ? (void *)&subject->expected : &subject->intent, call->value,
			len);
}

static void model_list(struct subject *subject, const struct call *call)
{
	const bool is_add = call->name == TCP_MULTIPATH_ADD;
	socklen_t at = 0;

	atomic_fetch_add(is_add ? &list_adds : &list_removes, 1);
	while (at < call->len) {
		union tcp_multipath_addr entry;
		struct in_addr address;
		int i;

		memcpy(&entry.sin, call->value + at, sizeof(entry.sin));
		address = entry.sin.sin_addr;
		at += sizeof(entry.sin);
		if (entry.sa.sa_family == AF_INET6) {
			at += sizeof(entry.sin6) - sizeof(entry.sin);
			memcpy(&address, call->value + at - 2 * sizeof(address), sizeof(address));
		}
		i = address.s_addr == call_own4[1].s_addr;
		/* At one place in both families. */
		if (entry.sin.sin_port)
			atomic_fetch_add(&ports, 1);
		if (is_add)
			atomic_fetch_add(&subject->from[i], 1);
		else
			atomic_store(&subject->from[i], 0);
	}
}

static void model_number(struct subject *subject, const struct call *call)
{
	int number;

	memcpy(&number, call->value, sizeof(number));
	if (call->len != sizeof(number) || number < 1)
		violate("option %d took %u bytes, %d\n", call->name, call->len, number);
	if (call->name == TCP_MULTIPATH_ADD) {
		atomic_fetch_add(&adds, number);
		atomic_fetch_add(&subject->adds, number);
	} else if (call->name == TCP_MULTIPATH_REMOVE) {
		atomic_fetch_add(&removes, number);
		atomic_fetch_add(&subject->removes, number);
	} else {
		atomic_fetch_add(&totals, 1);
		subject->total = subject->ndiffports = number;
		subject->adds = subject->removes = 0;
	}
}

/* Nothing comes of it but that there are fewer, or that the peer hears of an address. */
static void model_accepted(const struct call *call)
{
	if (asks_for_subflows(call))
		violate("option %d of an accepted connection takes %u bytes\n", call->name,
			call->len);
	else
		atomic_fetch_add(call->name == TCP_MULTIPATH_REMOVE ? &dismissed : &announced, 1);
}

static void note_success(struct subject *subject, const struct call *call, socklen_t len)
{
	atomic_fetch_add(&accepted, 1);
	if (!call->is_set) {
		check_answer(subject, call, len);
		return;
	}
	if (call->name == TCP_MULTIPATH_BACKUP) {
		atomic_fetch_add(&backups, 1);
		if (call->len != sizeof(struct tcp_multipath_backup))
			violate("BACKUP took %u bytes\n", call->len);
		return;
	}
	if (is_forecast(call) && subject->kind != KIND_ACCEPTED) {
		model_forecast(subject, call);
		return;
	}
	if (subject->kind == KIND_ANY || call->name == TCP_MULTIPATH_ENABLE)
		return;
	if (subject->kind == KIND_ACCEPTED)
		model_accepted(call);
	else if (!call_is_add_or_remove(call) && call->name != TCP_MULTIPATH_NDIFFPORTS)
		violate("set of option %d succeeds\n", call->name);
	else if (subject->kind == KIND_LISTS)
		model_list(subject, call);
	else
		model_number(subject, call);
}

void model_hear(struct subject *subject, const struct call *call, int max_subflows, int error,
	socklen_t len)
{
	if (error)
		note_error(subject, call, max_subflows, error);
	else if (!call->is_null)
		note_success(subject, call, len);
	/* __cgroup_bpf_run_filter_getsockopt() takes NULL for "do not copy". */
	else if (call->is_set)
		violate("option %d is set without a value\n", call->name);
}

bool model_needs_quiet(const struct subject *subject, const struct call *call)
{
	return subject->kind == KIND_LISTS && call->is_set && call->name == TCP_MULTIPATH_REMOVE &&
	       call->len >= sizeof(struct sockaddr_in);
}

/*
 * What REMOVE of an address or NDIFFPORTS leaves depends on what was there before, and of a
 * forecast the last one counts.
 */
static void note_under_way(struct subject *subject, const struct call *call, int sign)
{
	int number;

	if (is_number(subject, call, &number) && number < HARD_MAX)
		atomic_fetch_add(
			call->name == TCP_MULTIPATH_ADD ? &subject->adding : &subject->removing,
			sign * number);
}

void model_lock(struct subject *subject, const struct call *call)
{
	if (subject->kind == KIND_ANY)
		return;
	if (model_needs_quiet(subject, call) ||
		(call->is_set && (call->name == TCP_MULTIPATH_NDIFFPORTS || is_forecast(call))))
		pthread_rwlock_wrlock(&subject->order);
	else
		pthread_rwlock_rdlock(&subject->order);
	before.adds = subject->adds;
	before.removes = subject->removes;
	note_under_way(subject, call, 1);
}

void model_unlock(struct subject *subject, const struct call *call)
{
	note_under_way(subject, call, -1);
	if (subject->kind != KIND_ANY)
		pthread_rwlock_unlock(&subject->order);
}

/* How many there are, and of these how many from each of the two addresses. */
static int count_subflows(const struct subject *subject, int ret_from[N_OWN])
{
	struct tcp_multipath_pair pairs[4096 / PAIR];
	socklen_t len = sizeof(pairs);

	memset(ret_from, 0, N_OWN * sizeof(*ret_from));
	if (getsockopt(subject->fd, IPPROTO_TCP, TCP_MULTIPATH_SUBFLOWS, pairs, &len) < 0)
		return -errno;
	for (socklen_t i = 0; i < len / PAIR; i++)
		ret_from[pairs[i].local.sin.sin_addr.s_addr == call_own4[1].s_addr]++;
	return (int)len / PAIR;
}

static int count_wanted(struct subject *subject)
{
	int from[N_OWN];

	if (subject->kind == KIND_LISTS)
		return subject->from[0] + subject->from[1];
	if (subject->kind == KIND_ACCEPTED)
		return count_subflows(subject->peer, from);
	return subject->total + subject->adds - subject->removes;
}

bool model_is_met(struct subject *subject)
{
	int from[N_OWN];

	if (subject->kind == KIND_ANY || subject->kind == KIND_PEER)
		return true;
	if (count_subflows(subject, from) != count_wanted(subject))
		return false;
	return subject->kind != KIND_LISTS ||
	       (from[0] == subject->from[0] && from[1] == subject->from[1]);
}

void model_judge(struct subject *subject, int number, int max_subflows)
{
	int wanted = count_wanted(subject), from[N_OWN], count;

	if (subject->kind == KIND_ANY || subject->kind == KIND_PEER ||
		(model_is_met(subject) && wanted >= 1 && wanted <= max_subflows))
		return;
	count = count_subflows(subject, from);
	/* Amid addresses that come and go the hook's sum may be off (docs/ring.md); the daemon's is
	 * not. */
	if (subject->kind == KIND_LISTS && wanted > max_subflows) {
		atomic_fetch_add(&beyond, 1);
		if (count == max_subflows)
			return;
	}
	violate("socket %d%s: %d subflows (%d and %d), wanted %d", number,
		subject->is_late ? " (late)" : "", count, from[0], from[1], wanted);
	if (subject->kind == KIND_LISTS)
		violate(" (%d and %d)\n", subject->from[0], subject->from[1]);
	else
		violate(" (%d, %d added, %d removed)\n", subject->total, subject->adds,
			subject->removes);
}

unsigned long model_violations(void)
{
	return violations;
}

void model_print(void)
{
	const char *comma = "";

	printf("\"accepted\": %lu, \"adds\": %lu, \"removes\": %lu, "
	       "\"list_adds\": %lu, \"list_removes\": %lu, \"totals\": %lu, "
	       "\"backups\": %lu, \"forecasts\": %lu, \"announced\": %lu, "
	       "\"dismissed\": %lu, \"beyond\": %lu, \"ports\": %lu, \"violations\": %lu, "
	       "\"errors\": {",
		accepted, adds, removes, list_adds, list_removes, totals, backups, forecasts,
		announced, dismissed, beyond, ports, violations);
	for (int set = 0; set < 2; set++)
		for (int name = FIRST; name <= LAST; name++)
			for (int error = 0; error < ERRNO_MAX; error++)
				if (errors[set][name - FIRST][error]) {
					printf("%s\"%s %d %s\": %lu", comma, set ? "set" : "get",
						name, strerrorname_np(error),
						errors[set][name - FIRST][error]);
					comma = ", ";
				}
	printf("}");
}
