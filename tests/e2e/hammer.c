/* SPDX-License-Identifier: MIT */
/*
 * Drives both sockopt hooks through real sockets: random level, option, length and bytes from
 * many threads. Some sockets get our options only, and a model of them is kept: once all is
 * quiet, each must have the subflows that were accepted. The others get whatever there is.
 * Prints one JSON object; the exit status is 1 if something was not as it must be.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <subflow.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SOL_MPTCP 284
#define NS_PER_S  1000000000ull

enum {
	THREADS_MAX = 16,
	VALUE_MAX = 9000,
	SOCKETS_MAX = 64,
	FIRST = TCP_MULTIPATH_ENABLE,
	LAST = TCP_MULTIPATH_INTENT,
	PAIR = (int)sizeof(struct tcp_multipath_pair),
	SETTLE_S = 20,
	/* While some are on their way out, there may be more than the limit. */
	HARD_MAX = 64,
};

struct subject {
	int fd;
	bool is_modelled;
	bool is_late; /* connected after the storm */
	atomic_int adds, removes;
};

static struct subject subjects[SOCKETS_MAX];
static int n_subjects, max_subflows;
static struct sockaddr_in server4;
static struct sockaddr_in6 server6;
static uint64_t end_ns;
static atomic_ulong calls, accepted, backups, forecasts, violations;
static atomic_ulong errors[2][LAST - FIRST + 1][200];

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static void pause_briefly(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
}

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

__attribute__((noreturn)) static void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(2);
}

static struct subject *add_subject(int fd, bool is_modelled)
{
	struct subject *subject = &subjects[n_subjects++];

	if (fd < 0 || n_subjects > SOCKETS_MAX)
		die("socket");
	fcntl(fd, F_SETFL, O_NONBLOCK);
	subject->fd = fd;
	subject->is_modelled = is_modelled;
	return subject;
}

static void connect_to(int fd, const void *address, socklen_t len)
{
	if (connect(fd, address, len) < 0 || send(fd, "x", 1, MSG_NOSIGNAL) != 1)
		die("connect");
}

static int connected(const void *address, socklen_t len, int protocol)
{
	int fd = socket(((const struct sockaddr *)address)->sa_family, SOCK_STREAM | SOCK_CLOEXEC,
		protocol);

	if (fd < 0)
		die("socket");
	connect_to(fd, address, len);
	return fd;
}

static int listening(int protocol, struct sockaddr_in *ret_address)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, protocol);
	socklen_t len = sizeof(address);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) < 0 || listen(fd, 8) < 0 ||
		getsockname(fd, (struct sockaddr *)&address, &len) < 0)
		die("listen");
	*ret_address = address;
	return fd;
}

/* A socket of every kind that there is. */
static void make_subjects(void)
{
	struct sockaddr_in own;
	int listener, pair[2];

	for (int i = 0; i < 4; i++) {
		add_subject(connected(&server4, sizeof(server4), IPPROTO_MPTCP), true);
		add_subject(connected(&server6, sizeof(server6), IPPROTO_MPTCP), true);
		add_subject(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP), true)
			->is_late = true;
	}
	for (int protocol = IPPROTO_TCP; protocol <= IPPROTO_MPTCP;
		protocol += IPPROTO_MPTCP - IPPROTO_TCP) {
		listener = listening(protocol, &own);
		add_subject(connected(&own, sizeof(own), protocol), false);
		add_subject(connected(&own, sizeof(own), IPPROTO_MPTCP), false);
		add_subject(accept(listener, NULL, NULL), false);
		add_subject(accept(listener, NULL, NULL), false);
		add_subject(listener, false);
		add_subject(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, protocol), false);
		/* It is refused, and closed with an error. */
		listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, protocol);
		own.sin_port = htons(1);
		if (connect(listener, (struct sockaddr *)&own, sizeof(own)) == 0)
			die("a connection that must be refused");
		add_subject(listener, false);
	}
	add_subject(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), false);
	add_subject(socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), false);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		die("socketpair");
	add_subject(pair[0], false);
	add_subject(pair[1], false);
}

struct call {
	bool is_set, is_null;
	int level, name;
	socklen_t len;
	unsigned char value[VALUE_MAX];
};

static uint32_t draw(uint64_t *state, uint32_t below)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (*state >> 16) % below;
}

/* Addresses as an application packs them, now and then with a mistake. */
static socklen_t fill_list(uint64_t *seed, unsigned char *value)
{
	static const char *const addresses[] = {"10.0.1.1", "127.0.0.1", "0.0.0.0", "192.0.2.1"};
	socklen_t len = 0;

	for (uint32_t n = draw(seed, 5); n; n--) {
		struct sockaddr_in v4 = {.sin_family = draw(seed, 9) ? AF_INET : AF_UNIX};
		struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};

		inet_pton(AF_INET, addresses[draw(seed, 4)], &v4.sin_addr);
		v4.sin_port = draw(seed, 3) ? 0 : htons(draw(seed, 65536));
		if (draw(seed, 3)) {
			memcpy(value + len, &v4, sizeof(v4));
			len += sizeof(v4);
		} else {
			memcpy(value + len, &v6, sizeof(v6));
			len += sizeof(v6);
		}
	}
	return draw(seed, 8) ? len : len + draw(seed, 16);
}

static void fill(uint64_t *seed, struct call *call)
{
	static const socklen_t lengths[] = {
		0, 1, 3, 5, 8, 16, 28, 44, 56, 112, 1024, 4095, 4096, 4097, VALUE_MAX};
	int number;

	call->len = sizeof(number);
	switch (draw(seed, 6)) {
	case 0: /* any bytes of any length */
		call->len = draw(seed, 3) ? lengths[draw(seed, 15)] : draw(seed, VALUE_MAX + 1);
		for (socklen_t i = 0; i < call->len; i++)
			call->value[i] = draw(seed, 256);
		return;
	case 1:
		call->len = fill_list(seed, call->value);
		return;
	case 2:
		number = (int)draw(seed, UINT32_MAX);
		break;
	default:
		number = (int)draw(seed, 6) - 1;
	}
	memcpy(call->value, &number, sizeof(number));
}

/* BACKUP of the first subflow, or of all from its address, now and then with a mistake. */
static void fill_backup(uint64_t *seed, const struct subject *subject, struct call *call)
{
	struct tcp_multipath_backup backup = {.backup = draw(seed, 3)};
	socklen_t len = sizeof(backup.local);

	getsockname(subject->fd, &backup.local.sa, &len);
	/* At one place in both families. */
	if (draw(seed, 2))
		backup.local.sin.sin_port = draw(seed, 4) ? 0 : htons(draw(seed, 65536));
	memcpy(call->value, &backup, sizeof(backup));
	call->len = sizeof(backup) - !draw(seed, 8);
}

static void choose(uint64_t *seed, const struct subject *subject, struct call *call)
{
	static const int levels[] = {
		SOL_SOCKET, IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP, SOL_MPTCP, IPPROTO_UDP};

	call->is_set = draw(seed, 3);
	call->is_null = !draw(seed, 50);
	fill(seed, call);
	call->level = IPPROTO_TCP;
	call->name = FIRST + (int)draw(seed, LAST - FIRST + 1);
	if (call->is_set && call->name == TCP_MULTIPATH_BACKUP && draw(seed, 4)) {
		fill_backup(seed, subject, call);
		return;
	}
	if (call->name == TCP_MULTIPATH_EXPECTED && draw(seed, 4))
		call->len = sizeof(uint64_t);
	if (subject->is_modelled && call->is_set) {
		/* The model has numbers only. */
		if (call->name == TCP_MULTIPATH_NDIFFPORTS || call->name == TCP_MULTIPATH_EXPECTED)
			call->name = TCP_MULTIPATH_ADD;
		if (call->name == TCP_MULTIPATH_INTENT)
			call->value[0] = draw(seed, 2) ? TCP_MULTIPATH_INTENT_OFF
						       : TCP_MULTIPATH_INTENT_DEFAULT;
		if (call->len >= sizeof(struct sockaddr_in))
			memset(call->value, 0xff, sizeof(sa_family_t));
		return;
	}
	if (draw(seed, 3))
		return;
	/* Somebody else's options. */
	call->level = draw(seed, 9) ? levels[draw(seed, 6)] : (int)draw(seed, UINT32_MAX);
	call->name = draw(seed, 4) ? (int)draw(seed, 100) : (int)draw(seed, UINT32_MAX);
	if (!draw(seed, 3))
		call->name = FIRST - 3 + (int)draw(seed, 12);
}

static bool is_forecast(const struct call *call)
{
	return call->name == TCP_MULTIPATH_EXPECTED || call->name == TCP_MULTIPATH_INTENT;
}

static bool is_ours(const struct call *call)
{
	return call->level == IPPROTO_TCP && call->name >= FIRST && call->name <= LAST;
}

/* Whether subflow.h allows this errno. */
static bool is_allowed(const struct subject *subject, const struct call *call, int error)
{
	static const int any[] = {EINVAL, EOPNOTSUPP, ENOPROTOOPT};
	static const int of_request[] = {
		ENOTCONN, EADDRNOTAVAIL, EACCES, EDQUOT, EAGAIN, EPERM, EBUSY, ENOBUFS};
	static const int of_backup[] = {ENOTCONN, EADDRNOTAVAIL, EAGAIN, ENOBUFS};
	bool is_backup = call->is_set && call->name == TCP_MULTIPATH_BACKUP;
	bool is_request = call->is_set && call->name != TCP_MULTIPATH_ENABLE && !is_backup;
	bool is_connected = subject->is_modelled && !subject->is_late;

	for (size_t i = 0; i < sizeof(any) / sizeof(*any); i++)
		if (error == any[i])
			return true;
	if (error == EFAULT)
		return call->is_null;
	if (error == ENOTCONN && is_connected)
		return false;
	if (call->is_set && is_forecast(call))
		return error == ENOTCONN || error == EAGAIN || error == ENOBUFS;
	for (size_t i = 0; is_backup && i < sizeof(of_backup) / sizeof(*of_backup); i++)
		if (error == of_backup[i])
			return true;
	if (error == EBUSY)
		return is_request && call->name == TCP_MULTIPATH_REMOVE;
	for (size_t i = 0; is_request && i < sizeof(of_request) / sizeof(*of_request); i++)
		if (error == of_request[i])
			return true;
	if (error == ERANGE)
		return !call->is_set && call->name == TCP_MULTIPATH_SUBFLOWS;
	return error == ENOTCONN && !call->is_set &&
	       (call->name == TCP_MULTIPATH_SUBFLOWS || call->name == TCP_MULTIPATH_CONNID);
}

static void note_error(const struct subject *subject, const struct call *call, int error)
{
	if (error < 200)
		atomic_fetch_add(&errors[call->is_set][call->name - FIRST][error], 1);
	if (!is_allowed(subject, call, error))
		violate("%s of option %d with %u bytes: %s\n", call->is_set ? "set" : "get",
			call->name, call->len, strerror(error));
}

static void check_answer(const struct subject *subject, const struct call *call, socklen_t len)
{
	int number;

	if (call->name == TCP_MULTIPATH_SUBFLOWS) {
		if (!len || len % PAIR || (subject->is_modelled && (int)len > HARD_MAX * PAIR))
			violate("%u bytes of pairs\n", len);
		return;
	}
	if (call->name == TCP_MULTIPATH_EXPECTED) {
		if (len != sizeof(uint64_t))
			violate("%u bytes of a size\n", len);
		return;
	}
	memcpy(&number, call->value, sizeof(number));
	if (len != sizeof(number) ||
		(call->name == TCP_MULTIPATH_INTENT &&
			(number < 0 || number > TCP_MULTIPATH_INTENT_OFF)) ||
		(call->name == TCP_MULTIPATH_ENABLE && number != 0 && number != 1))
		violate("option %d: %u bytes, %d\n", call->name, len, number);
}

static void note_success(struct subject *subject, const struct call *call, socklen_t len)
{
	int number;

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
	if (is_forecast(call)) {
		atomic_fetch_add(&forecasts, 1);
		if (call->len != (call->name == TCP_MULTIPATH_EXPECTED ? 8 : 4))
			violate("option %d took %u bytes\n", call->name, call->len);
		return;
	}
	if (!subject->is_modelled || call->name == TCP_MULTIPATH_ENABLE)
		return;
	memcpy(&number, call->value, sizeof(number));
	if (call->len != sizeof(number) || number < 1)
		violate("option %d took %u bytes, %d\n", call->name, call->len, number);
	if (call->name == TCP_MULTIPATH_ADD)
		atomic_fetch_add(&subject->adds, number);
	else if (call->name == TCP_MULTIPATH_REMOVE)
		atomic_fetch_add(&subject->removes, number);
	else
		violate("set of option %d succeeds\n", call->name);
}

static void *storm(void *arg)
{
	uint64_t seed = *(uint64_t *)arg;
	struct call *call = calloc(1, sizeof(*call));
	struct subject *subject;
	socklen_t len;
	int r;

	if (!call)
		die("calloc");
	while (now_ns() < end_ns) {
		subject = &subjects[draw(&seed, n_subjects)];
		choose(&seed, subject, call);
		len = call->len;
		errno = 0;
		if (call->is_set)
			r = setsockopt(subject->fd, call->level, call->name,
				call->is_null ? NULL : call->value, call->len);
		else
			r = getsockopt(subject->fd, call->level, call->name,
				call->is_null ? NULL : call->value, &len);
		atomic_fetch_add(&calls, 1);
		if (!is_ours(call))
			continue;
		if (r < 0)
			note_error(subject, call, errno);
		else if (!call->is_null)
			note_success(subject, call, len);
		/* __cgroup_bpf_run_filter_getsockopt() takes NULL for "do not copy". */
		else if (call->is_set)
			violate("option %d is set without a value\n", call->name);
	}
	free(call);
	return NULL;
}

static int count_subflows(const struct subject *subject)
{
	unsigned char pairs[4096];
	socklen_t len = sizeof(pairs);

	if (getsockopt(subject->fd, IPPROTO_TCP, TCP_MULTIPATH_SUBFLOWS, pairs, &len) < 0)
		return -errno;
	return len / PAIR;
}

static int count_wanted(struct subject *subject)
{
	return 1 + atomic_load(&subject->adds) - atomic_load(&subject->removes);
}

/* Whether every modelled socket has as many subflows as were accepted. */
static bool is_settled(void)
{
	for (int i = 0; i < n_subjects; i++)
		if (subjects[i].is_modelled &&
			count_subflows(&subjects[i]) != count_wanted(&subjects[i]))
			return false;
	return true;
}

static void settle(void)
{
	uint64_t deadline_ns = now_ns() + SETTLE_S * NS_PER_S;
	struct subject *subject;

	for (int i = 0; i < n_subjects; i++) {
		subject = &subjects[i];
		if (!subject->is_late)
			continue;
		fcntl(subject->fd, F_SETFL, 0);
		connect_to(subject->fd, &server4, sizeof(server4));
	}
	while (!is_settled() && now_ns() < deadline_ns)
		pause_briefly();
	for (int i = 0; i < n_subjects; i++) {
		subject = &subjects[i];
		if (subject->is_modelled &&
			(count_subflows(subject) != count_wanted(subject) ||
				count_wanted(subject) < 1 || count_wanted(subject) > max_subflows))
			violate("socket %d%s: %d subflows, wanted %d (%d added, %d removed)\n", i,
				subject->is_late ? " (late)" : "", count_subflows(subject),
				count_wanted(subject), subject->adds, subject->removes);
	}
}

static void report(void)
{
	const char *comma = "";
	int adds = 0, removes = 0;

	for (int i = 0; i < n_subjects; i++) {
		adds += subjects[i].adds;
		removes += subjects[i].removes;
	}
	printf("{\"calls\": %lu, \"accepted\": %lu, \"adds\": %d, \"removes\": %d, "
	       "\"backups\": %lu, \"forecasts\": %lu, \"violations\": %lu, \"errors\": {",
		calls, accepted, adds, removes, backups, forecasts, violations);
	for (int set = 0; set < 2; set++)
		for (int name = FIRST; name <= LAST; name++)
			for (int error = 0; error < 200; error++)
				if (errors[set][name - FIRST][error]) {
					printf("%s\"%s %d %s\": %lu", comma, set ? "set" : "get",
						name, strerrorname_np(error),
						errors[set][name - FIRST][error]);
					comma = ", ";
				}
	printf("}}\n");
}

int main(int argc, char **argv)
{
	uint64_t seeds[THREADS_MAX];
	pthread_t threads[THREADS_MAX];
	int n_threads;

	if (argc != 8) {
		fprintf(stderr,
			"hammer ADDRESS4 ADDRESS6 PORT MAX_SUBFLOWS SECONDS THREADS SEED\n");
		return 2;
	}
	server4.sin_family = AF_INET;
	server6.sin6_family = AF_INET6;
	server4.sin_port = server6.sin6_port = htons(atoi(argv[3]));
	if (inet_pton(AF_INET, argv[1], &server4.sin_addr) != 1 ||
		inet_pton(AF_INET6, argv[2], &server6.sin6_addr) != 1)
		return 2;
	max_subflows = atoi(argv[4]);
	n_threads = atoi(argv[6]) < THREADS_MAX ? atoi(argv[6]) : THREADS_MAX;
	make_subjects();
	end_ns = now_ns() + atoi(argv[5]) * NS_PER_S;
	for (int i = 0; i < n_threads; i++) {
		seeds[i] = strtoull(argv[7], NULL, 10) * 0x9e3779b97f4a7c15ull + i + 1;
		if (pthread_create(&threads[i], NULL, storm, &seeds[i]))
			die("pthread_create");
	}
	for (int i = 0; i < n_threads; i++)
		pthread_join(threads[i], NULL);
	settle();
	report();
	return violations ? 1 : 0;
}
