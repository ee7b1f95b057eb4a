/* SPDX-License-Identifier: MIT */
/* Gives a fresh socket all that was set on the socket it replaces, or says that it cannot. */
#include "carry.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Newer than the headers of Debian 12; the numbers are those of include/uapi/linux. */
#ifndef SO_RCVMARK
#define SO_RCVMARK 75
#endif
#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76
#endif
#ifndef SO_RCVPRIORITY
#define SO_RCVPRIORITY 82
#endif
#ifndef IP_LOCAL_PORT_RANGE
#define IP_LOCAL_PORT_RANGE 51
#endif
#ifndef IPV6_FLOWINFO
#define IPV6_FLOWINFO 11
#endif
#ifndef IPV6_FLOWINFO_SEND
#define IPV6_FLOWINFO_SEND 33
#endif
#ifndef IPV6_ROUTER_ALERT_ISOLATE
#define IPV6_ROUTER_ALERT_ISOLATE 30
#endif
#ifndef TCP_RTO_MAX_MS
#define TCP_RTO_MAX_MS 44
#endif
#ifndef TCP_RTO_MIN_US
#define TCP_RTO_MIN_US 45
#endif
#ifndef TCP_DELACK_MAX_US
#define TCP_DELACK_MAX_US 46
#endif

/* The order of the values of SO_MEMINFO: include/uapi/linux/sock_diag.h. */
enum { MEMINFO_OPTMEM = 6, MEMINFO_VARS = 9 };

struct option {
	int level;
	int name;
};

/*
 * Every option of a TCP socket that can be both read and set, in the order in
 * which they are set. Not here: what tells of a connection instead of a wish
 * (TCP_INFO, SO_ERROR, TCP_TIMESTAMP ...), TCP_ULP (only after connect), and
 * what the kernel takes only from raw, datagram or local sockets. A number that
 * the running kernel lacks reads as an error on every socket, and is passed by.
 */
static const struct option options[] = {
	{SOL_SOCKET, SO_DEBUG},
	{SOL_SOCKET, SO_REUSEADDR},
	{SOL_SOCKET, SO_REUSEPORT},
	{SOL_SOCKET, SO_BINDTOIFINDEX},
	{SOL_SOCKET, SO_DONTROUTE},
	{SOL_SOCKET, SO_BROADCAST},
	{SOL_SOCKET, SO_KEEPALIVE},
	{SOL_SOCKET, SO_OOBINLINE},
	{SOL_SOCKET, SO_NO_CHECK},
	{SOL_SOCKET, SO_LINGER},
	{SOL_SOCKET, SO_PASSCRED},
	{SOL_SOCKET, SO_PASSSEC},
	{SOL_SOCKET, SO_PASSPIDFD},
	{SOL_SOCKET, SO_SNDBUF},
	{SOL_SOCKET, SO_RCVBUF},
	/* May enlarge an unlocked receive buffer; so may setting a buffer lock it. */
	{SOL_SOCKET, SO_RCVLOWAT},
	{SOL_SOCKET, SO_BUF_LOCK},
	{SOL_SOCKET, SO_RCVTIMEO},
	{SOL_SOCKET, SO_SNDTIMEO},
	{SOL_SOCKET, SO_TIMESTAMP_OLD},
	{SOL_SOCKET, SO_TIMESTAMPNS_OLD},
	{SOL_SOCKET, SO_TIMESTAMP_NEW},
	{SOL_SOCKET, SO_TIMESTAMPNS_NEW},
	{SOL_SOCKET, SO_TIMESTAMPING_OLD},
	{SOL_SOCKET, SO_TIMESTAMPING_NEW},
	{SOL_SOCKET, SO_MARK},
	{SOL_SOCKET, SO_RXQ_OVFL},
	{SOL_SOCKET, SO_WIFI_STATUS},
	{SOL_SOCKET, SO_PEEK_OFF},
	{SOL_SOCKET, SO_NOFCS},
	{SOL_SOCKET, SO_LOCK_FILTER},
	{SOL_SOCKET, SO_SELECT_ERR_QUEUE},
	{SOL_SOCKET, SO_BUSY_POLL},
	{SOL_SOCKET, SO_PREFER_BUSY_POLL},
	{SOL_SOCKET, SO_MAX_PACING_RATE},
	{SOL_SOCKET, SO_INCOMING_CPU},
	{SOL_SOCKET, SO_ZEROCOPY},
	{SOL_SOCKET, SO_TXTIME},
	{SOL_SOCKET, SO_RESERVE_MEM},
	{SOL_SOCKET, SO_TXREHASH},
	{SOL_SOCKET, SO_RCVMARK},
	{SOL_SOCKET, SO_RCVPRIORITY},

	{IPPROTO_IP, IP_TOS},
	{IPPROTO_IP, IP_TTL},
	{IPPROTO_IP, IP_OPTIONS},
	{IPPROTO_IP, IP_RECVOPTS},
	{IPPROTO_IP, IP_RETOPTS},
	{IPPROTO_IP, IP_PKTINFO},
	{IPPROTO_IP, IP_MTU_DISCOVER},
	{IPPROTO_IP, IP_RECVERR},
	{IPPROTO_IP, IP_RECVERR_RFC4884},
	{IPPROTO_IP, IP_RECVTTL},
	{IPPROTO_IP, IP_RECVTOS},
	{IPPROTO_IP, IP_FREEBIND},
	{IPPROTO_IP, IP_PASSSEC},
	{IPPROTO_IP, IP_TRANSPARENT},
	{IPPROTO_IP, IP_RECVORIGDSTADDR},
	{IPPROTO_IP, IP_MINTTL},
	{IPPROTO_IP, IP_CHECKSUM},
	{IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT},
	{IPPROTO_IP, IP_MULTICAST_LOOP},
	{IPPROTO_IP, IP_MULTICAST_ALL},
	{IPPROTO_IP, IP_UNICAST_IF},
	{IPPROTO_IP, IP_LOCAL_PORT_RANGE},

	{IPPROTO_IPV6, IPV6_V6ONLY},
	{IPPROTO_IPV6, IPV6_TRANSPARENT},
	{IPPROTO_IPV6, IPV6_FREEBIND},
	{IPPROTO_IPV6, IPV6_TCLASS},
	{IPPROTO_IPV6, IPV6_UNICAST_HOPS},
	{IPPROTO_IPV6, IPV6_MINHOPCOUNT},
	{IPPROTO_IPV6, IPV6_MTU_DISCOVER},
	{IPPROTO_IPV6, IPV6_DONTFRAG},
	{IPPROTO_IPV6, IPV6_AUTOFLOWLABEL},
	{IPPROTO_IPV6, IPV6_FLOWINFO},
	{IPPROTO_IPV6, IPV6_FLOWINFO_SEND},
	{IPPROTO_IPV6, IPV6_ADDR_PREFERENCES},
	{IPPROTO_IPV6, IPV6_UNICAST_IF},
	{IPPROTO_IPV6, IPV6_MULTICAST_LOOP},
	{IPPROTO_IPV6, IPV6_MULTICAST_ALL},
	{IPPROTO_IPV6, IPV6_ROUTER_ALERT_ISOLATE},
	{IPPROTO_IPV6, IPV6_HOPOPTS},
	{IPPROTO_IPV6, IPV6_RTHDRDSTOPTS},
	{IPPROTO_IPV6, IPV6_RTHDR},
	{IPPROTO_IPV6, IPV6_DSTOPTS},
	{IPPROTO_IPV6, IPV6_RECVERR},
	{IPPROTO_IPV6, IPV6_RECVERR_RFC4884},
	{IPPROTO_IPV6, IPV6_RECVPKTINFO},
	{IPPROTO_IPV6, IPV6_RECVHOPLIMIT},
	{IPPROTO_IPV6, IPV6_RECVRTHDR},
	{IPPROTO_IPV6, IPV6_RECVHOPOPTS},
	{IPPROTO_IPV6, IPV6_RECVDSTOPTS},
	{IPPROTO_IPV6, IPV6_RECVTCLASS},
	{IPPROTO_IPV6, IPV6_RECVPATHMTU},
	{IPPROTO_IPV6, IPV6_RECVORIGDSTADDR},
	{IPPROTO_IPV6, IPV6_RECVFRAGSIZE},
	{IPPROTO_IPV6, IPV6_2292PKTINFO},
	{IPPROTO_IPV6, IPV6_2292HOPLIMIT},
	{IPPROTO_IPV6, IPV6_2292RTHDR},
	{IPPROTO_IPV6, IPV6_2292HOPOPTS},
	{IPPROTO_IPV6, IPV6_2292DSTOPTS},

	/* Follows the TOS and traffic class when these are set. */
	{SOL_SOCKET, SO_PRIORITY},

	{IPPROTO_TCP, TCP_NODELAY},
	{IPPROTO_TCP, TCP_MAXSEG},
	{IPPROTO_TCP, TCP_CORK},
	{IPPROTO_TCP, TCP_KEEPIDLE},
	{IPPROTO_TCP, TCP_KEEPINTVL},
	{IPPROTO_TCP, TCP_KEEPCNT},
	{IPPROTO_TCP, TCP_SYNCNT},
	{IPPROTO_TCP, TCP_LINGER2},
	{IPPROTO_TCP, TCP_DEFER_ACCEPT},
	{IPPROTO_TCP, TCP_WINDOW_CLAMP},
	{IPPROTO_TCP, TCP_QUICKACK},
	{IPPROTO_TCP, TCP_CONGESTION},
	{IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS},
	{IPPROTO_TCP, TCP_THIN_DUPACK},
	{IPPROTO_TCP, TCP_USER_TIMEOUT},
	{IPPROTO_TCP, TCP_REPAIR},
	{IPPROTO_TCP, TCP_FASTOPEN},
	{IPPROTO_TCP, TCP_FASTOPEN_CONNECT},
	{IPPROTO_TCP, TCP_FASTOPEN_KEY},
	{IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE},
	{IPPROTO_TCP, TCP_NOTSENT_LOWAT},
	{IPPROTO_TCP, TCP_SAVE_SYN},
	{IPPROTO_TCP, TCP_INQ},
	{IPPROTO_TCP, TCP_TX_DELAY},
	{IPPROTO_TCP, TCP_RTO_MAX_MS},
	{IPPROTO_TCP, TCP_RTO_MIN_US},
	{IPPROTO_TCP, TCP_DELACK_MAX_US},
};

enum { N_OPTIONS = sizeof(options) / sizeof(options[0]) };

/* The largest whole value is TCP_FASTOPEN_KEY; of IPv6 extension headers the start is enough. */
struct value {
	int error;
	socklen_t len;
	union {
		unsigned char bytes[64];
		int number;
		struct linger linger;
	};
};

/* The segment size that the kernel reckons with, whoever chose it. */
static int segment_size(int fd)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0 ? 0 : (int)info.tcpi_snd_mss;
}

static void get(int fd, const struct option *o, struct value *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->len = sizeof(ret->bytes);
	if (getsockopt(fd, o->level, o->name, ret->bytes, &ret->len) < 0) {
		memset(ret, 0, sizeof(*ret));
		ret->error = errno;
		return;
	}
	/* The kernel keeps, and shows, the time of a linger that was switched off again. */
	if (o->level == SOL_SOCKET && o->name == SO_LINGER && !ret->linger.l_onoff)
		ret->linger.l_linger = 0;
	/* Nothing was set: shown is the default, or what an attempt to connect has left behind. */
	if (o->level == IPPROTO_TCP && o->name == TCP_MAXSEG && ret->number == segment_size(fd))
		ret->number = 0;
}

static bool is_equal(const struct value *a, const struct value *b)
{
	return a->error == b->error && a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

static int set_number(int fd, int level, int name, int number)
{
	return setsockopt(fd, level, name, &number, sizeof(number)) < 0 ? -errno : 0;
}

static bool is_buffer(const struct option *o)
{
	return o->level == SOL_SOCKET && (o->name == SO_SNDBUF || o->name == SO_RCVBUF);
}

/* Setting the size of a buffer, be it to what it is, also stops the kernel from tuning it. */
static bool is_locked(int fd, const struct option *buffer)
{
	const struct option lock_option = {SOL_SOCKET, SO_BUF_LOCK};
	struct value lock;

	get(fd, &lock_option, &lock);
	return lock.number & (buffer->name == SO_SNDBUF ? SOCK_SNDBUF_LOCK : SOCK_RCVBUF_LOCK);
}

/* MPTCP sockets cannot be unlocked: the size of an unlocked buffer is the kernel's own choice. */
static bool is_tuned(int fd, const struct option *o)
{
	int protocol = 0;
	socklen_t len = sizeof(protocol);

	if (!is_buffer(o) || is_locked(fd, o))
		return false;
	return getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) == 0 &&
	       protocol == IPPROTO_MPTCP;
}

/* Buffer sizes read as twice what was set (socket(7)). */
static int carry_buffer(int old, int fresh, const struct option *o, const struct value *was)
{
	struct value is;
	int r;

	get(fresh, o, &is);
	if (is_equal(&is, was) && !is_locked(old, o))
		return 0;

	r = set_number(fresh, SOL_SOCKET, o->name, was->number / 2);
	if (r < 0)
		return r;
	get(fresh, o, &is);
	if (is_equal(&is, was))
		return 0;
	/* Above net.core.[rw]mem_max: set by the administrator, and only by one again. */
	return set_number(fresh, SOL_SOCKET, o->name == SO_SNDBUF ? SO_SNDBUFFORCE : SO_RCVBUFFORCE,
		was->number / 2);
}

static int carry_option(int old, int pristine, int fresh, const struct option *o)
{
	struct value was, is;

	if (is_tuned(old, o))
		return 0;
	get(old, o, &was);
	get(fresh, o, &is);

	if (was.error || is.error) {
		struct value untouched;

		get(pristine, o, &untouched);
		return is_equal(&was, &untouched) ? 0 : -EOPNOTSUPP;
	}
	if (is_buffer(o))
		return carry_buffer(old, fresh, o, &was);
	if (is_equal(&was, &is))
		return 0;
	return setsockopt(fresh, o->level, o->name, was.bytes, was.len) < 0 ? -errno : 0;
}

static bool is_carried(int old, int fresh, const struct option *o)
{
	struct value was, is;

	get(old, o, &was);
	get(fresh, o, &is);
	return was.error || is.error || is_equal(&was, &is) || is_tuned(old, o);
}

/*
 * Bytes of option memory that the socket is charged for: classic and eBPF
 * filters, TCP-MD5 and TCP-AO keys, flow label leases, anycast memberships, and
 * BPF storage, in which the subflows asked for are remembered. Most of these
 * cannot be read back, but this tells that there is something.
 */
static unsigned int option_memory(int fd)
{
	unsigned int meminfo[MEMINFO_VARS] = {0};
	socklen_t len = sizeof(meminfo);

	if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, meminfo, &len) < 0)
		return 0;
	return meminfo[MEMINFO_OPTMEM];
}

/* A fresh socket is of the calling thread's namespace. Cannot be told before Linux 5.14. */
static bool is_same_namespace(int a, int b)
{
	uint64_t cookie_a = 0, cookie_b = 0;
	socklen_t len = sizeof(cookie_a);

	getsockopt(a, SOL_SOCKET, SO_NETNS_COOKIE, &cookie_a, &len);
	getsockopt(b, SOL_SOCKET, SO_NETNS_COOKIE, &cookie_b, &len);
	return cookie_a == cookie_b;
}

int carry_options(int old, int pristine, int fresh)
{
	if (!is_same_namespace(old, fresh))
		return -EOPNOTSUPP;
	if (option_memory(old) != option_memory(pristine))
		return -EOPNOTSUPP;

	for (size_t i = 0; i < N_OPTIONS; i++)
		if (carry_option(old, pristine, fresh, &options[i]) < 0)
			return -EOPNOTSUPP;
	/* Only now: setting one option may have changed another. */
	for (size_t i = 0; i < N_OPTIONS; i++)
		if (!is_carried(old, fresh, &options[i]))
			return -EOPNOTSUPP;
	return 0;
}

union address {
	struct sockaddr sa;
	struct sockaddr_in sin;
	struct sockaddr_in6 sin6;
};

static int get_address(int fd, union address *ret, socklen_t *ret_len)
{
	memset(ret, 0, sizeof(*ret));
	*ret_len = sizeof(*ret);
	return getsockname(fd, &ret->sa, ret_len) < 0 ? -errno : 0;
}

static in_port_t port_be_of(const union address *a)
{
	return a->sa.sa_family == AF_INET ? a->sin.sin_port : a->sin6.sin6_port;
}

static bool is_bound(const union address *a)
{
	if (port_be_of(a))
		return true;
	if (a->sa.sa_family == AF_INET)
		return a->sin.sin_addr.s_addr != htonl(INADDR_ANY);
	return !IN6_IS_ADDR_UNSPECIFIED(&a->sin6.sin6_addr);
}

/* Sets an int option for a moment. *@ret_was is what it was. */
static int lend(int fd, int level, int name, int number, int *ret_was)
{
	socklen_t len = sizeof(*ret_was);

	if (getsockopt(fd, level, name, ret_was, &len) < 0)
		return -errno;
	return *ret_was == number ? 0 : set_number(fd, level, name, number);
}

static int give_back(int fd, int level, int name, int number)
{
	int now;

	return lend(fd, level, name, number, &now);
}

static int bind_without_port(int fresh, const union address *a, socklen_t len)
{
	int was, r, back;

	/* Else a port would be chosen now. */
	r = lend(fresh, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1, &was);
	if (r < 0)
		return -EOPNOTSUPP;
	r = bind(fresh, &a->sa, len) < 0 ? -errno : 0;
	back = give_back(fresh, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, was);
	return r < 0 ? r : back;
}

/* @old holds the port until the end, so that nobody else can take it. */
static int bind_beside(int old, int fresh, const union address *a, socklen_t len)
{
	int old_was, fresh_was, r, back;

	r = lend(old, SOL_SOCKET, SO_REUSEADDR, 1, &old_was);
	if (r < 0)
		return r;
	r = lend(fresh, SOL_SOCKET, SO_REUSEADDR, 1, &fresh_was);
	if (r == 0) {
		r = bind(fresh, &a->sa, len) < 0 ? -errno : 0;
		back = give_back(fresh, SOL_SOCKET, SO_REUSEADDR, fresh_was);
		r = r < 0 ? r : back;
	}
	back = give_back(old, SOL_SOCKET, SO_REUSEADDR, old_was);
	return r < 0 ? r : back;
}

int carry_address(int old, int fresh)
{
	union address was, is;
	socklen_t len_was, len_is;
	int r;

	r = get_address(old, &was, &len_was);
	if (r < 0)
		return r;
	if (!is_bound(&was))
		return 0;

	if (port_be_of(&was))
		r = bind_beside(old, fresh, &was, len_was);
	else
		r = bind_without_port(fresh, &was, len_was);
	if (r < 0)
		/* It was valid once; that it is no more is none of the caller's arguments. */
		return r == -EINVAL ? -EOPNOTSUPP : r;

	r = get_address(fresh, &is, &len_is);
	if (r < 0)
		return r;
	return len_was == len_is && memcmp(&was, &is, len_was) == 0 ? 0 : -EOPNOTSUPP;
}

static int carry_owner(int old, int fresh)
{
	struct f_owner_ex owner = {0};
	int sig;

	if (fcntl(old, F_GETOWN_EX, &owner) < 0)
		return -errno;
	if (owner.pid != 0 && fcntl(fresh, F_SETOWN_EX, &owner) < 0)
		return -EOPNOTSUPP;

	sig = fcntl(old, F_GETSIG);
	if (sig < 0)
		return -errno;
	if (sig != 0 && fcntl(fresh, F_SETSIG, sig) < 0)
		return -EOPNOTSUPP;
	return 0;
}

/* The user of a socket takes part in SO_REUSEPORT, routing rules and packet filters. */
static int carry_user(int old, int fresh)
{
	struct stat was, is;

	if (fstat(old, &was) < 0 || fstat(fresh, &is) < 0)
		return -errno;
	if (was.st_uid == is.st_uid && was.st_gid == is.st_gid)
		return 0;
	return fchown(fresh, was.st_uid, was.st_gid) < 0 ? -EOPNOTSUPP : 0;
}

int carry_file(int old, int fresh)
{
	int flags, r;

	r = carry_user(old, fresh);
	if (r < 0)
		return r;
	r = carry_owner(old, fresh);
	if (r < 0)
		return r;

	flags = fcntl(old, F_GETFL);
	if (flags < 0)
		return -errno;
	flags &= ~O_ASYNC;
	if (fcntl(fresh, F_SETFL, flags) < 0 || fcntl(fresh, F_GETFL) != flags)
		return -EOPNOTSUPP;
	return 0;
}
