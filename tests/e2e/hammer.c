/* SPDX-License-Identifier: MIT */
/*
 * Drives both sockopt hooks through real sockets: random level, option, length and bytes from
 * many threads. Some sockets get our options only, and a model of them is kept: once all is
 * quiet, each must have the subflows that were accepted, those that get lists from the addresses
 * that were accepted. The others get whatever there is.
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
	N_OWN = 2,
	/* While some are on their way out, there may be more than the limit. */
	HARD_MAX = 64,
};

enum kind {
	KIND_ANY,     /* all calls; there is no model */
	KIND_NUMBERS, /* ADD and REMOVE of numbers, NDIFFPORTS */
	KIND_LISTS,   /* ADD and REMOVE of lists of two addresses */
};

struct subject {
	int fd;
	enum kind kind;
	bool is_late; /* connected after the storm */
	/* Shared by calls whose order makes no difference to the model; not used where there is
	 * none. */
	pthread_rwlock_t order;
	int total, ndiffports;    /* as NDIFFPORTS was set last; without, 1 and 0 */
	atomic_int adds, removes; /* since then */
	atomic_int from[N_OWN];   /* KIND_LISTS: wanted subflows from each address */
};

static struct subject subjects[SOCKETS_MAX];
static int n_subjects, max_subflows;
static struct sockaddr_in server4;
static struct sockaddr_in6 server6;
/* Of this host, both of which lead to the server; connect() takes the first one. */
static struct in_addr own4[N_OWN];
static uint64_t end_ns;
static atomic_ulong calls, accepted, adds, removes, backups, forecasts, list_adds, list_removes,
	totals, violations;
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

static struct subject *add_subject(int fd, enum kind kind)
{
	struct subject *subject = &subjects[n_subjects++];

	if (fd < 0 || n_subjects > SOCKETS_MAX)
		die("socket");
	fcntl(fd, F_SETFL, O_NONBLOCK);
	subject->fd = fd;
	subject->kind = kind;
	subject->total = 1;
	pthread_rwlock_init(&subject->order, NULL);
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

static void make_listed(void)
{
	int fd = connected(&server4, sizeof(server4), IPPROTO_MPTCP);
	struct sockaddr_in own;
	socklen_t len = sizeof(own);

	if (getsockname(fd, (struct sockaddr *)&own, &len) < 0)
		die("getsockname");
	own4[0] = own.sin_addr;
	add_subject(fd, KIND_LISTS)->from[0] = 1;
}

/* A socket of every kind that there is. */
static void make_subjects(void)
{
	struct sockaddr_in own;
	int listener, pair[2];

	for (int i = 0; i < 4; i++) {
		add_subject(connected(&server4, sizeof(server4), IPPROTO_MPTCP), KIND_NUMBERS);
		add_subject(connected(&server6, sizeof(server6), IPPROTO_MPTCP), KIND_NUMBERS);
		add_subject(
			socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP), KIND_NUMBERS)
			->is_late = true;
		make_listed();
	}
	for (int protocol = IPPROTO_TCP; protocol <= IPPROTO_MPTCP;
		protocol += IPPROTO_MPTCP - IPPROTO_TCP) {
		listener = listening(protocol, &own);
		add_subject(connected(&own, sizeof(own), protocol), KIND_ANY);
		add_subject(connected(&own, sizeof(own), IPPROTO_MPTCP), KIND_ANY);
		add_subject(accept(listener, NULL, NULL), KIND_ANY);
		add_subject(accept(listener, NULL, NULL), KIND_ANY);
		add_subject(listener, KIND_ANY);
		add_subject(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, protocol), KIND_ANY);
		/* It is refused, and closed with an error. */
		listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, protocol);
		own.sin_port = htons(1);
		if (connect(listener, (struct sockaddr *)&own, sizeof(own)) == 0)
			die("a connection that must be refused");
		add_subject(listener, KIND_ANY);
	}
	add_subject(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), KIND_ANY);
	add_subject(socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), KIND_ANY);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		die("socketpair");
	add_subject(pair[0], KIND_ANY);
	add_subject(pair[1], KIND_ANY);
}

struct call {
	bool is_set, is_null;
	int level, name;
	socklen_t len;
	unsigned char value[VALUE_MAX];
};

static bool is_add_or_remove(const struct call *call)
{
	return call->name == TCP_MULTIPATH_ADD || call->name == TCP_MULTIPATH_REMOVE;
}

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

/* One to three of the two addresses, one after the other. */
static void fill_own(uint64_t *seed, struct call *call)
{
	call->len = 0;
	for (uint32_t n = 1 + draw(seed, 3); n; n--) {
		struct in_addr own = own4[draw(seed, N_OWN)];
		struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr = own};
		struct sockaddr_in6 mapped = {.sin6_family = AF_INET6};

		mapped.sin6_addr.s6_addr32[2] = htonl(0xffff);
		mapped.sin6_addr.s6_addr32[3] = own.s_addr;
		if (draw(seed, 3)) {
			memcpy(call->value + call->len, &v4, sizeof(v4));
			call->len += sizeof(v4);
		} else {
			memcpy(call->value + call->len, &mapped, sizeof(mapped));
			call->len += sizeof(mapped);
		}
	}
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

/* Makes of a random call one that the model of the socket knows, or one that must be refused. */
static void keep_to_model(uint64_t *seed, const struct subject *subject, struct call *call)
{
	bool takes_lists = subject->kind == KIND_LISTS;

	if (call->name == TCP_MULTIPATH_EXPECTED ||
		(takes_lists && call->name == TCP_MULTIPATH_NDIFFPORTS))
		call->name = TCP_MULTIPATH_ADD;
	if (call->name == TCP_MULTIPATH_INTENT)
		call->value[0] =
			draw(seed, 2) ? TCP_MULTIPATH_INTENT_OFF : TCP_MULTIPATH_INTENT_DEFAULT;
	if (call->len >= sizeof(struct sockaddr_in))
		memset(call->value, 0xff, sizeof(sa_family_t));
	if (!takes_lists || !is_add_or_remove(call))
		return;
	if (draw(seed, 4))
		fill_own(seed, call);
	else if (call->len == sizeof(int))
		call->len--;
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
	if (subject->kind != KIND_ANY) {
		if (call->is_set)
			keep_to_model(seed, subject, call);
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
	bool is_connected = subject->kind != KIND_ANY && !subject->is_late;

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
		if (!len || len % PAIR || (subject->kind != KIND_ANY && (int)len > HARD_MAX * PAIR))
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
	if (call->name == TCP_MULTIPATH_NDIFFPORTS && subject->kind != KIND_ANY &&
		number != subject->ndiffports)
		violate("NDIFFPORTS is %d, not %d\n", number, subject->ndiffports);
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
		i = address.s_addr == own4[1].s_addr;
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
	if (is_forecast(call)) {
		atomic_fetch_add(&forecasts, 1);
		if (call->len != (call->name == TCP_MULTIPATH_EXPECTED ? 8 : 4))
			violate("option %d took %u bytes\n", call->name, call->len);
		return;
	}
	if (subject->kind == KIND_ANY || call->name == TCP_MULTIPATH_ENABLE)
		return;
	if (!is_add_or_remove(call) && call->name != TCP_MULTIPATH_NDIFFPORTS)
		violate("set of option %d succeeds\n", call->name);
	else if (subject->kind == KIND_LISTS)
		model_list(subject, call);
	else
		model_number(subject, call);
}

/*
 * REMOVE of addresses: the model has it only where all before it has come about, and nothing else
 * is asked of the socket until it has.
 */
static bool is_list_removal(const struct subject *subject, const struct call *call)
{
	return subject->kind == KIND_LISTS && call->is_set && call->name == TCP_MULTIPATH_REMOVE &&
	       call->len >= sizeof(struct sockaddr_in);
}

/* What REMOVE of an address or NDIFFPORTS leaves depends on what was there before. */
static void lock(struct subject *subject, const struct call *call)
{
	if (subject->kind == KIND_ANY)
		return;
	if (is_list_removal(subject, call) ||
		(call->is_set && call->name == TCP_MULTIPATH_NDIFFPORTS))
		pthread_rwlock_wrlock(&subject->order);
	else
		pthread_rwlock_rdlock(&subject->order);
}

static void unlock(struct subject *subject)
{
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
		ret_from[pairs[i].local.sin.sin_addr.s_addr == own4[1].s_addr]++;
	return (int)len / PAIR;
}

static int count_wanted(struct subject *subject)
{
	if (subject->kind == KIND_LISTS)
		return subject->from[0] + subject->from[1];
	return subject->total + subject->adds - subject->removes;
}

static bool is_as_wanted(struct subject *subject)
{
	int from[N_OWN];

	if (subject->kind == KIND_ANY)
		return true;
	if (count_subflows(subject, from) != count_wanted(subject))
		return false;
	return subject->kind == KIND_NUMBERS ||
	       (from[0] == subject->from[0] && from[1] == subject->from[1]);
}

/* Until the socket has what is wanted; what it lacks in the end, judge() finds. */
static void await_wanted(struct subject *subject)
{
	uint64_t deadline_ns = now_ns() + NS_PER_S;

	while (!is_as_wanted(subject) && now_ns() < deadline_ns && now_ns() < end_ns)
		pause_briefly();
}

static void make(struct subject *subject, struct call *call)
{
	void *value = call->is_null ? NULL : call->value;
	socklen_t len = call->len;
	int r;

	errno = 0;
	if (call->is_set)
		r = setsockopt(subject->fd, call->level, call->name, value, call->len);
	else
		r = getsockopt(subject->fd, call->level, call->name, value, &len);
	atomic_fetch_add(&calls, 1);
	if (!is_ours(call))
		return;
	if (r < 0)
		note_error(subject, call, errno);
	else if (!call->is_null)
		note_success(subject, call, len);
	/* __cgroup_bpf_run_filter_getsockopt() takes NULL for "do not copy". */
	else if (call->is_set)
		violate("option %d is set without a value\n", call->name);
}

static void *storm(void *arg)
{
	uint64_t seed = *(uint64_t *)arg;
	struct call *call = calloc(1, sizeof(*call));
	struct subject *subject;

	if (!call)
		die("calloc");
	while (now_ns() < end_ns) {
		subject = &subjects[draw(&seed, n_subjects)];
		choose(&seed, subject, call);
		lock(subject, call);
		if (is_list_removal(subject, call))
			await_wanted(subject);
		make(subject, call);
		if (is_list_removal(subject, call))
			await_wanted(subject);
		unlock(subject);
	}
	free(call);
	return NULL;
}

/* Whether every modelled socket has the subflows that were accepted. */
static bool is_settled(void)
{
	for (int i = 0; i < n_subjects; i++)
		if (!is_as_wanted(&subjects[i]))
			return false;
	return true;
}

static void judge(int i)
{
	struct subject *subject = &subjects[i];
	int wanted = count_wanted(subject), from[N_OWN], count;

	if (subject->kind == KIND_ANY ||
		(is_as_wanted(subject) && wanted >= 1 && wanted <= max_subflows))
		return;
	count = count_subflows(subject, from);
	violate("socket %d%s: %d subflows (%d and %d), wanted %d", i,
		subject->is_late ? " (late)" : "", count, from[0], from[1], wanted);
	if (subject->kind == KIND_LISTS)
		violate(" (%d and %d)\n", subject->from[0], subject->from[1]);
	else
		violate(" (%d, %d added, %d removed)\n", subject->total, subject->adds,
			subject->removes);
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
	for (int i = 0; i < n_subjects; i++)
		judge(i);
}

static void report(void)
{
	const char *comma = "";

	printf("{\"calls\": %lu, \"accepted\": %lu, \"adds\": %lu, \"removes\": %lu, "
	       "\"list_adds\": %lu, \"list_removes\": %lu, \"totals\": %lu, "
	       "\"backups\": %lu, \"forecasts\": %lu, \"violations\": %lu, \"errors\": {",
		calls, accepted, adds, removes, list_adds, list_removes, totals, backups, forecasts,
		violations);
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

	if (argc != 9) {
		fprintf(stderr,
			"hammer ADDRESS4 ADDRESS6 OWN4 PORT MAX_SUBFLOWS SECONDS THREADS SEED\n");
		return 2;
	}
	server4.sin_family = AF_INET;
	server6.sin6_family = AF_INET6;
	server4.sin_port = server6.sin6_port = htons(atoi(argv[4]));
	if (inet_pton(AF_INET, argv[1], &server4.sin_addr) != 1 ||
		inet_pton(AF_INET6, argv[2], &server6.sin6_addr) != 1 ||
		inet_pton(AF_INET, argv[3], &own4[1]) != 1)
		return 2;
	max_subflows = atoi(argv[5]);
	n_threads = atoi(argv[7]) < THREADS_MAX ? atoi(argv[7]) : THREADS_MAX;
	make_subjects();
	end_ns = now_ns() + atoi(argv[6]) * NS_PER_S;
	for (int i = 0; i < n_threads; i++) {
		seeds[i] = strtoull(argv[8], NULL, 10) * 0x9e3779b97f4a7c15ull + i + 1;
		if (pthread_create(&threads[i], NULL, storm, &seeds[i]))
			die("pthread_create");
	}
	for (int i = 0; i < n_threads; i++)
		pthread_join(threads[i], NULL);
	settle();
	report();
	return violations ? 1 : 0;
}
