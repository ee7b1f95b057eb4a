/* SPDX-License-Identifier: MIT */
/* What is set on a socket is carried to its replacement, or the replacement is refused. */
#include <errno.h>
#include <linux/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "sockets.h"
#include "subflow.h"

/* In one direction and the other, of both families. */
static const struct {
	int domain;
	int protocol;
} kinds[] = {
	{AF_INET, IPPROTO_TCP},
	{AF_INET, IPPROTO_MPTCP},
	{AF_INET6, IPPROTO_TCP},
	{AF_INET6, IPPROTO_MPTCP},
};

enum { N_KINDS = sizeof(kinds) / sizeof(kinds[0]), NOBODY = 65534 };

struct setting {
	int level;
	int name;
	int value;
};

struct reading {
	int error;
	socklen_t len;
	unsigned char bytes[64];
};

static struct reading read_option(int fd, int level, int name)
{
	struct reading r = {.len = sizeof(r.bytes)};

	if (getsockopt(fd, level, name, r.bytes, &r.len) < 0)
		return (struct reading){.error = errno};
	return r;
}

static bool is_same(const struct reading *a, const struct reading *b)
{
	return a->error == b->error && a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

/* Whatever reading does not tell a setting, but the moment or the connection. */
static bool is_no_setting(int level, int name)
{
	return (level == SOL_SOCKET && (name == SO_ERROR || name == SO_COOKIE)) ||
	       (level == IPPROTO_TCP && (name == TCP_INFO || name == TCP_TIMESTAMP));
}

static void check_one(size_t kind, const struct setting *s, int *ret_carried, int *ret_refused)
{
	int fd = open_stream(kinds[kind].domain, kinds[kind].protocol), r;
	struct reading before = read_option(fd, s->level, s->name), set, after;
	ino_t inode = inode_of(fd);

	if (setsockopt(fd, s->level, s->name, &s->value, sizeof(s->value)) < 0)
		goto out;
	set = read_option(fd, s->level, s->name);
	if (set.error || is_same(&before, &set))
		goto out;

	r = swap_protocol(fd);
	after = read_option(fd, s->level, s->name);
	if (!is_same(&after, &set))
		fail_msg("kind %zu: level %d option %d value %d is lost, result %d", kind, s->level,
			s->name, s->value, r);
	if (r == 0) {
		assert_int_equal(protocol_of(fd), other_protocol(kinds[kind].protocol));
		++*ret_carried;
	} else {
		assert_int_equal(r, -EOPNOTSUPP);
		assert_int_equal(inode_of(fd), inode);
		++*ret_refused;
	}
out:
	close(fd);
}

/* Knows nothing of the library's table: every number that a kernel might know is tried. */
static void every_option_is_carried_or_refused(void **state)
{
	static const int levels[] = {SOL_SOCKET, IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP};
	static const int values[] = {0, 1, 2, 3, 10, 512, 4096, 70000, 1000000};
	int carried = 0, refused = 0;

	(void)state;
	for (size_t kind = 0; kind < N_KINDS; kind++)
		for (size_t l = 0; l < 4; l++)
			for (int name = 0; name < 100; name++)
				for (size_t v = 0; v < sizeof(values) / sizeof(values[0]); v++)
					if (!is_no_setting(levels[l], name))
						check_one(kind,
							&(struct setting){
								levels[l], name, values[v]},
							&carried, &refused);
	print_message("%d settings carried, %d refused\n", carried, refused);
	assert_true(carried > 300);
	assert_true(refused > 100);
}

/* The other kind of socket cannot have this. */
static void check_refused(int domain, int protocol, const struct setting *s)
{
	int fd = open_stream(domain, protocol);

	print_message("level %d option %d cannot be carried on this kernel\n", s->level, s->name);
	set_int(fd, s->level, s->name, s->value);
	expect_refusal(fd, -EOPNOTSUPP);
	close(fd);
}

/* These must not be refused, where both kinds have them: programs really set them before they
 * connect or listen. */
static void common_options_are_carried(void **state)
{
	static const struct setting settings[] = {
		{IPPROTO_IP, IP_TOS, 0x10},
		{SOL_SOCKET, SO_REUSEADDR, 1},
		{SOL_SOCKET, SO_REUSEPORT, 1},
		{SOL_SOCKET, SO_KEEPALIVE, 1},
		{SOL_SOCKET, SO_SNDBUF, 65536},
		{SOL_SOCKET, SO_RCVBUF, 65536},
		{SOL_SOCKET, SO_PRIORITY, 3},
		{SOL_SOCKET, SO_RCVLOWAT, 100},
		{SOL_SOCKET, SO_INCOMING_CPU, 0},
		{IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1},
		{IPPROTO_TCP, TCP_NODELAY, 1},
		{IPPROTO_TCP, TCP_CORK, 1},
		{IPPROTO_TCP, TCP_KEEPIDLE, 11},
		{IPPROTO_TCP, TCP_KEEPINTVL, 12},
		{IPPROTO_TCP, TCP_KEEPCNT, 13},
		{IPPROTO_TCP, TCP_DEFER_ACCEPT, 3},
		{IPPROTO_TCP, TCP_FASTOPEN, 5},
		{IPPROTO_TCP, TCP_NOTSENT_LOWAT, 16384},
	};

	(void)state;
	for (size_t kind = 0; kind < N_KINDS; kind++) {
		int domain = kinds[kind].domain, protocol = kinds[kind].protocol;
		int fd = open_stream(domain, protocol);
		struct setting known[sizeof(settings) / sizeof(settings[0])];
		int was[sizeof(settings) / sizeof(settings[0])];
		size_t n = 0;

		for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
			const struct setting *s = &settings[i];

			if (!has_option(domain, protocol, s->level, s->name))
				continue;
			if (has_option(domain, other_protocol(protocol), s->level, s->name))
				known[n++] = *s;
			else
				check_refused(domain, protocol, s);
		}
		assert_true(n > 12);
		for (size_t i = 0; i < n; i++) {
			set_int(fd, known[i].level, known[i].name, known[i].value);
			was[i] = get_int(fd, known[i].level, known[i].name);
		}
		assert_int_equal(swap_protocol(fd), 0);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(get_int(fd, known[i].level, known[i].name), was[i]);
		close(fd);
	}
}

static void v6only_is_carried(void **state)
{
	int fd;

	(void)state;
	for (int protocol = IPPROTO_TCP;; protocol = IPPROTO_MPTCP) {
		fd = open_stream(AF_INET6, protocol);
		set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
		bind_loopback(fd, AF_INET6, 0);
		assert_int_equal(swap_protocol(fd), 0);
		assert_int_equal(get_int(fd, IPPROTO_IPV6, IPV6_V6ONLY), 1);
		close(fd);
		if (protocol == IPPROTO_MPTCP)
			break;
	}
}

static void structured_options_are_carried(void **state)
{
	(void)state;
	for (size_t kind = 0; kind < N_KINDS; kind++) {
		int fd = open_stream(kinds[kind].domain, kinds[kind].protocol);
		struct timeval receive = {.tv_sec = 7,
				       /* Whole at any HZ. */ .tv_usec = 500000},
			       send = {.tv_sec = 9}, is;
		struct linger linger = {.l_onoff = 1, .l_linger = 5}, linger_is;
		socklen_t len;

		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &receive, sizeof(receive));
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &send, sizeof(send));
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
		assert_int_equal(swap_protocol(fd), 0);

		len = sizeof(is);
		assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &is, &len), 0);
		assert_memory_equal(&is, &receive, sizeof(is));
		assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &is, &len), 0);
		assert_memory_equal(&is, &send, sizeof(is));
		len = sizeof(linger_is);
		assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger_is, &len), 0);
		assert_memory_equal(&linger_is, &linger, sizeof(linger));
		close(fd);
	}
}

/* Off again, but the kernel still shows the seconds: no reason to refuse. */
static void linger_switched_off_is_carried(void **state)
{
	(void)state;
	for (size_t kind = 0; kind < N_KINDS; kind++) {
		int fd = open_stream(kinds[kind].domain, kinds[kind].protocol);
		struct linger linger = {.l_onoff = 1, .l_linger = 5};
		socklen_t len = sizeof(linger);

		setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
		linger.l_onoff = 0;
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
		assert_int_equal(swap_protocol(fd), 0);
		assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &len), 0);
		assert_int_equal(linger.l_onoff, 0);
		close(fd);
	}
}

/* Tells whether there was a privilege to drop. */
static bool drop_privilege(void)
{
	return geteuid() == 0 && seteuid(NOBODY) == 0;
}

/*
 * Setting the size that it has anyway still stops the kernel from tuning the
 * buffer. Without privilege: no SO_SNDBUFFORCE comes to the rescue.
 */
static void buffer_locks_are_carried(void **state)
{
	bool is_dropped = drop_privilege();

	(void)state;
	for (size_t kind = 0; kind < N_KINDS; kind++) {
		int fd = open_stream(kinds[kind].domain, kinds[kind].protocol);
		int size = get_int(fd, SOL_SOCKET, SO_SNDBUF);

		set_int(fd, SOL_SOCKET, SO_SNDBUF, size / 2);
		assert_int_equal(get_int(fd, SOL_SOCKET, SO_SNDBUF), size);
		assert_int_equal(get_int(fd, SOL_SOCKET, SO_BUF_LOCK), SOCK_SNDBUF_LOCK);
		assert_int_equal(swap_protocol(fd), 0);
		assert_int_equal(get_int(fd, SOL_SOCKET, SO_SNDBUF), size);
		assert_int_equal(get_int(fd, SOL_SOCKET, SO_BUF_LOCK), SOCK_SNDBUF_LOCK);
		close(fd);
	}
	if (is_dropped)
		assert_int_equal(seteuid(0), 0);
}

static void buffers_above_the_limit_are_carried_or_refused(void **state)
{
	int fd, size, r;

	(void)state;
	for (size_t kind = 0; kind < N_KINDS; kind++) {
		fd = open_stream(kinds[kind].domain, kinds[kind].protocol);
		size = 64 << 20;
		if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0) {
			close(fd);
			skip();
		}
		size = get_int(fd, SOL_SOCKET, SO_SNDBUF);
		r = swap_protocol(fd);
		assert_int_equal(r, 0);
		assert_int_equal(get_int(fd, SOL_SOCKET, SO_SNDBUF), size);

		/* Now without the privilege, on a socket of that user. */
		assert_int_equal(fchown(fd, NOBODY, (gid_t)-1), 0);
		assert_int_equal(seteuid(NOBODY), 0);
		expect_refusal(fd, -EOPNOTSUPP);
		assert_int_equal(seteuid(0), 0);
		close(fd);
	}
}

/* IP_TOS sets the priority too: the one that the program set last counts. */
static void priority_survives_the_type_of_service(void **state)
{
	(void)state;
	for (size_t kind = 0; kind < N_KINDS; kind++) {
		int fd = open_stream(kinds[kind].domain, kinds[kind].protocol);

		set_int(fd, IPPROTO_IP, IP_TOS, 0x10);
		set_int(fd, SOL_SOCKET, SO_PRIORITY, 0);
		assert_int_equal(swap_protocol(fd), 0);
		assert_int_equal(get_int(fd, IPPROTO_IP, IP_TOS), 0x10);
		assert_int_equal(get_int(fd, SOL_SOCKET, SO_PRIORITY), 0);
		close(fd);
	}
}

static void congestion_control_is_carried(void **state)
{
	static const char name[] = "reno";

	(void)state;
	for (size_t kind = 0; kind < N_KINDS; kind++) {
		int fd = open_stream(kinds[kind].domain, kinds[kind].protocol);
		char is[16];
		socklen_t len = sizeof(is);

		assert_int_equal(
			setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, sizeof(name)), 0);
		assert_int_equal(swap_protocol(fd), 0);
		assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, is, &len), 0);
		assert_string_equal(is, name);
		close(fd);
	}
}

static void bound_device_is_carried(void **state)
{
	(void)state;
	for (size_t kind = 0; kind < N_KINDS; kind++) {
		int fd = open_stream(kinds[kind].domain, kinds[kind].protocol);
		char is[16];
		socklen_t len = sizeof(is);

		assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3), 0);
		bind_loopback(fd, kinds[kind].domain, 0);
		assert_int_equal(swap_protocol(fd), 0);
		assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, is, &len), 0);
		assert_string_equal(is, "lo");
		close(fd);
	}
}

/* MPTCP has none of these: the socket stays TCP with all that it has. */
static void what_mptcp_lacks_is_refused(void **state)
{
	static const struct setting settings[] = {
		{IPPROTO_TCP, TCP_USER_TIMEOUT, 5000},
		{IPPROTO_TCP, TCP_SYNCNT, 3},
		{IPPROTO_TCP, TCP_LINGER2, 5},
		{IPPROTO_TCP, TCP_QUICKACK, 0},
		{IPPROTO_TCP, TCP_SAVE_SYN, 1},
		{IPPROTO_IP, IP_TTL, 3},
		{IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO},
		{SOL_SOCKET, SO_OOBINLINE, 1},
		{SOL_SOCKET, SO_MAX_PACING_RATE, 1000000},
		{SOL_SOCKET, SO_ZEROCOPY, 1},
		/* MPTCP takes it and does nothing: reading it back tells. */
		{SOL_SOCKET, SO_DONTROUTE, 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		int fd = open_stream(AF_INET, IPPROTO_TCP), was;

		set_int(fd, settings[i].level, settings[i].name, settings[i].value);
		was = get_int(fd, settings[i].level, settings[i].name);
		expect_refusal(fd, -EOPNOTSUPP);
		assert_int_equal(get_int(fd, settings[i].level, settings[i].name), was);
		close(fd);
	}
}

static void user_is_carried_or_refused(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	for (size_t kind = 0; kind < N_KINDS; kind++) {
		int fd = open_stream(kinds[kind].domain, kinds[kind].protocol);
		struct stat st;

		assert_int_equal(fchown(fd, NOBODY, NOBODY - 1), 0);
		assert_int_equal(swap_protocol(fd), 0);
		assert_int_equal(fstat(fd, &st), 0);
		assert_int_equal(st.st_uid, NOBODY);
		assert_int_equal(st.st_gid, NOBODY - 1);

		assert_int_equal(seteuid(NOBODY - 2), 0);
		expect_refusal(fd, -EOPNOTSUPP);
		assert_int_equal(seteuid(0), 0);
		close(fd);
	}
}

struct instruction {
	uint16_t code;
	uint8_t jump_true, jump_false;
	uint32_t k;
};

static void filters_are_refused(void **state)
{
	/* BPF_RET | BPF_K: accept all. */
	struct instruction accept_all = {.code = 6, .k = 0xffff};
	struct {
		unsigned short len;
		struct instruction *filter;
	} program = {1, &accept_all};
	int fd = open_stream(AF_INET, IPPROTO_TCP);

	(void)state;
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0) {
		close(fd);
		skip();
	}
	expect_refusal(fd, -EOPNOTSUPP);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &program.len, 4), 0);
	assert_int_equal(swap_protocol(fd), 0);
	close(fd);
}

/* The key cannot be read back; only the memory that it takes betrays it. */
static void keys_that_cannot_be_read_are_refused(void **state)
{
	struct tcp_md5sig md5 = {.tcpm_keylen = 3, .tcpm_key = "abc"};
	struct sockaddr_in peer = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = open_stream(AF_INET, IPPROTO_TCP);

	(void)state;
	memcpy(&md5.tcpm_addr, &peer, sizeof(peer));
	if (setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG, &md5, sizeof(md5)) < 0) {
		close(fd);
		skip();
	}
	expect_refusal(fd, -EOPNOTSUPP);
	close(fd);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_option_is_carried_or_refused),
		cmocka_unit_test(common_options_are_carried),
		cmocka_unit_test(v6only_is_carried),
		cmocka_unit_test(structured_options_are_carried),
		cmocka_unit_test(linger_switched_off_is_carried),
		cmocka_unit_test(buffer_locks_are_carried),
		cmocka_unit_test(buffers_above_the_limit_are_carried_or_refused),
		cmocka_unit_test(priority_survives_the_type_of_service),
		cmocka_unit_test(congestion_control_is_carried),
		cmocka_unit_test(bound_device_is_carried),
		cmocka_unit_test(what_mptcp_lacks_is_refused),
		cmocka_unit_test(user_is_carried_or_refused),
		cmocka_unit_test(filters_are_refused),
		cmocka_unit_test(keys_that_cannot_be_read_are_refused),
	};

	if (!kernel_has_mptcp())
		return EXIT_SKIP;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
