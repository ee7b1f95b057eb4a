/* SPDX-License-Identifier: MIT */
/*
 * subflow.h - control of Multipath TCP subflows for applications.
 *
 * The only header an application needs. It holds
 *
 *  - the socket options of RFC 6897, answered inside setsockopt(2) and
 *    getsockopt(2) wherever subflowd serves the network namespace; no library
 *    is needed for them;
 *  - libsubflow: typed wrappers of these options, and subflow_enable(), the one
 *    operation that plain setsockopt(2) cannot do whole.
 *
 * Every option lives at level IPPROTO_TCP. Multi-byte fields are in host byte
 * order unless they stand inside a sockaddr.
 */
#ifndef SUBFLOW_H
#define SUBFLOW_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * TCP_MULTIPATH_ENABLE (get, set: int 0 or 1; RFC 6897 section 5.3.2)
 *
 * get: 1 while the connection really runs MPTCP, else 0 (plain TCP, not
 *      connected yet, or fallen back).
 * set: setting what the socket already is succeeds. The other direction is
 *      EOPNOTSUPP from setsockopt(2), because no kernel can change the protocol
 *      of an existing socket: use subflow_enable(), or the preload object of
 *      `subflow run`.
 * Errors: EINVAL (length is not 4, value is not 0 or 1), EOPNOTSUPP.
 */
#define TCP_MULTIPATH_ENABLE 10002

/*
 * TCP_MULTIPATH_ADD (set: int n, 1 or more; or local addresses)
 *
 * n: asks for n more subflows. Success means accepted: the subflows are opened
 * asynchronously, and TCP_MULTIPATH_SUBFLOWS lists each once it is established.
 * May be called before connect(2), while it is in progress, and later.
 *
 * Addresses: struct sockaddr_in (16 bytes) and struct sockaddr_in6 (28), packed
 * one after the other, in any mixture. A v4-mapped one is IPv4. Port 0: chosen
 * for you; any other: that port exactly. An address given k times counts k times.
 *  - Before connect(2): the restriction of RFC 6897 section 5.3.3. No subflow
 *    leaves from another address. The first one leaves from the first address of
 *    its family, and each further entry makes one more. A list that REMOVE has
 *    emptied restricts nothing: the route chooses, be it a removed address.
 *  - On a connection: one more subflow from each; a restriction is widened.
 *  - On an accepted connection: announced to the peer, whose client may join. Another
 *    port than the connection's own needs an MPTCP listener of the application's.
 *  - On a listener, or before listen(2): what connections that it accepts begin
 *    with.
 * A connection has at most TCP_MULTIPATH_ADDRESSES_MAX different ones.
 *
 * Errors: EINVAL (length, family, n < 1, an address of zeros, an IPv6 address on
 * an AF_INET socket), EOPNOTSUPP (not an MPTCP connection, fallen back, in the
 * hands of the in-kernel path manager; a number on a connection that was
 * accepted, or on a listener), ENOTCONN (the connection is closing, or gone),
 * EADDRNOTAVAIL (no address of this host, or link-local; before connect(2) also:
 * the socket is bound to an address that is not in the list), EACCES (a port
 * below the namespace's ip_unprivileged_port_start), EDQUOT (more subflows than
 * the administrator's limit for one connection), EAGAIN (more calls a second than
 * the administrator's limit for one socket or one user), EPERM (the administrator
 * lets no application ask), ENOBUFS (no memory, more than
 * TCP_MULTIPATH_ADDRESSES_MAX different addresses, or more connections than the
 * daemon has room for). A call that is refused changes nothing.
 */
#define TCP_MULTIPATH_ADD 10003

/*
 * TCP_MULTIPATH_REMOVE (set: int n, 1 or more; or local addresses)
 *
 * n: takes the n youngest subflows away; by as many as they are more than those
 * that were ADDed, the elephant rule may have fewer from then on. Addresses,
 * packed as above: takes every subflow of each away, tells the peer, and uses it
 * no more; a port narrows it to one subflow. If the last one would go, a subflow
 * from an address that was ADDed and has none is opened first. An accepted
 * connection may remove, and so may one whose peer has closed its end, which ADD
 * and NDIFFPORTS call ENOTCONN.
 * Errors: as TCP_MULTIPATH_ADD, EADDRNOTAVAIL (an address that the connection
 * neither has a subflow from nor was given) and EBUSY (no subflow would be left). ENOBUFS also:
 * TCP_MULTIPATH_ADDRESSES_MAX others are listed; one of them has to go first.
 */
#define TCP_MULTIPATH_REMOVE 10004

/* Different addresses and ports, at most, that one connection is given by lists. */
#define TCP_MULTIPATH_ADDRESSES_MAX 8

/*
 * TCP_MULTIPATH_SUBFLOWS (get: array of struct tcp_multipath_pair)
 *
 * The established subflows, in the order in which they were opened. Pass room for 4096 bytes:
 * a buffer that is too small is ERANGE, and the kernel then reports no size.
 * Errors: ENOTCONN (not connected, a listener, or a connection whose last
 * subflow has gone, which CONNID still answers), EOPNOTSUPP (not MPTCP, or
 * fallen back), ERANGE.
 */
#define TCP_MULTIPATH_SUBFLOWS 10005

/*
 * TCP_MULTIPATH_CONNID (get: uint32_t)
 *
 * The local identifier of the connection: its MPTCP token, as MPTCP_INFO
 * reports it. Unique within the network namespace while the connection lives.
 * Errors: EINVAL (room for less than 4 bytes), ENOTCONN, EOPNOTSUPP.
 */
#define TCP_MULTIPATH_CONNID 10006

/*
 * TCP_MULTIPATH_NDIFFPORTS (get, set: int n, 1 or more)
 *
 * set: how many subflows there are to be in all; what TCP_MULTIPATH_ADD and
 *      REMOVE do later counts from there. May be called before connect(2), while
 *      it is in progress, and later. If there are more the youngest go.
 * get: what was set last; 0 if nothing was.
 * Errors: set: those of TCP_MULTIPATH_ADD with a number; get: EINVAL (room for
 * less than 4 bytes), EOPNOTSUPP (not MPTCP, or fallen back).
 */
#define TCP_MULTIPATH_NDIFFPORTS 10007

/*
 * TCP_MULTIPATH_BACKUP (set: struct tcp_multipath_backup; an extension to RFC 6897)
 *
 * Makes the subflows of a local address backups, which carry data only while no
 * other can, or makes them ordinary again, and tells the peer (MP_PRIO, RFC 8684
 * section 3.3.8).
 * Errors: EINVAL (length, family, backup is not 0 or 1), EADDRNOTAVAIL (no
 * established subflow has this local address and port), EOPNOTSUPP, ENOTCONN,
 * EAGAIN, EPERM, ENOBUFS (as TCP_MULTIPATH_ADD; or the daemon has fallen behind: call
 * again; of several subflows some may have been marked).
 */
#define TCP_MULTIPATH_BACKUP 10008

/*
 * TCP_MULTIPATH_EXPECTED (get, set: uint64_t; an extension, RFC 6897 appendix A, REQ9)
 *
 * set: how many bytes the connection is to carry in all, to the peer or from it, whichever is
 *      more; 0: that is not known any more. An elephant that is announced so is split at once:
 *      it is given as many subflows as the administrator's rule for elephants gives one of that
 *      size, as soon as the connection is up. May be called before connect(2), while it is in
 *      progress, and later. Nothing is taken away for a smaller number.
 * get: what was set last; 0 if nothing was.
 * Errors: set: EINVAL (length is not 8), EOPNOTSUPP (not an MPTCP connection, fallen back, in
 * the hands of the in-kernel path manager, accepted, a listener), ENOTCONN (the connection is
 * closing), EAGAIN, EPERM, ENOBUFS (as TCP_MULTIPATH_ADD); get: EINVAL (room for less than 8
 * bytes), EOPNOTSUPP (not MPTCP, or fallen back).
 */
#define TCP_MULTIPATH_EXPECTED 10009

/*
 * TCP_MULTIPATH_INTENT (get, set: int; an extension, RFC 6897 appendix A, REQ9 and REQ10)
 *
 * What the connection is for (enum tcp_multipath_intent), and so whether the administrator's
 * rule for elephants is to split it. What the application asks for itself it gets in any case.
 * May be called when TCP_MULTIPATH_EXPECTED may. Subflows that are there stay.
 * get: what was set last.
 * Errors: as TCP_MULTIPATH_EXPECTED, with a length of 4; EINVAL also for any other value.
 */
#define TCP_MULTIPATH_INTENT 10010

/* The values of TCP_MULTIPATH_INTENT. */
enum tcp_multipath_intent {
	TCP_MULTIPATH_INTENT_DEFAULT = 0,     /* by what it carries, and TCP_MULTIPATH_EXPECTED */
	TCP_MULTIPATH_INTENT_BULK = 1,        /* an elephant from its start, however large */
	TCP_MULTIPATH_INTENT_INTERACTIVE = 2, /* delay is what counts: it is not split */
	TCP_MULTIPATH_INTENT_OFF = 3          /* it is not split */
};

/* One end of a subflow. Addresses and ports are in network byte order. */
union tcp_multipath_addr {
	struct sockaddr sa;
	struct sockaddr_in sin;
	struct sockaddr_in6 sin6;
};

/*
 * One subflow. The family is that of the socket, as getsockname(2) gives it:
 * an IPv4 subflow of an AF_INET6 socket is v4-mapped.
 */
struct tcp_multipath_pair {
	union tcp_multipath_addr local;
	union tcp_multipath_addr remote;
};

/* The value of TCP_MULTIPATH_BACKUP. */
struct tcp_multipath_backup {
	union tcp_multipath_addr local; /* port 0: every subflow from this address */
	uint32_t backup;                /* 1 = backup, 0 = ordinary */
};

/* Room for the pairs of the largest connection that fits an option. */
#define TCP_MULTIPATH_PAIRS_MAX (4096 / sizeof(struct tcp_multipath_pair))

/*
 * libsubflow. All functions return 0 or a negative errno, keep no state, own no
 * descriptor after they return, print nothing, and may be called from any
 * thread. The errno values of the option of the same name apply.
 */

/*
 * Makes @fd an MPTCP socket (on = true) or a plain TCP socket (on = false), in
 * place: a fresh socket takes over the descriptor's number, those of its
 * duplicates in this process, and their registrations in epoll sets. Call it
 * before connect(2) or listen(2). On any error all is as it was.
 *
 * Threads may call it at once for one socket; the first does it. A connect(2)
 * by another thread meanwhile is noticed, and makes it -EBUSY. No other thread
 * may close or set options of these descriptors meanwhile: no system call swaps
 * several at one stroke. A thread in epoll_wait(2) may see the hang-up of the
 * unconnected socket once more.
 *
 * Carried over: every socket option that can be read, the bound address (the
 * port stays taken meanwhile), O_NONBLOCK and the other status flags, O_ASYNC
 * with its owner and signal, FD_CLOEXEC, the socket's user and group. What
 * cannot be carried is refused, never dropped. On a socket that is MPTCP or TCP
 * already, connected or not, nothing is done, and that is success.
 *
 * Not kept, because they are the socket's own: its inode and SO_COOKIE. The kernel
 * shows nobody, so they are lost unseen: a TCP_MAXSEG of 536, which is the default,
 * SO_ATTACH_REUSEPORT_CBPF and _EBPF, SO_BUSY_POLL_BUDGET, IP_XFRM_POLICY, BPF
 * sockmaps, and who else than this process holds the socket (other processes,
 * messages in flight, io_uring), which also keeps the old registrations in epoll
 * sets alive; with on = false, on kernels that lack the fixes of 2025,
 * IPV6_V6ONLY, IP_FREEBIND and IP_TRANSPARENT.
 *
 * -EBADF, -ENOTSOCK     @fd is no socket
 * -EINVAL               @fd is no TCP or MPTCP stream socket
 * -EISCONN              it is connected, connecting or listening, or a connection
 *                       that ended left data or an error to be fetched
 * -EBUSY                a registration in an epoll set cannot be made again: its
 *                       EPOLLONESHOT has fired, its descriptor was closed; there
 *                       are more than 16 descriptors or registrations of the
 *                       socket; it has O_ASYNC and several descriptors; another
 *                       thread used or replaced it meanwhile
 * -EOPNOTSUPP           a setting of the socket cannot be carried over: the other
 *                       protocol has no such option (TCP_USER_TIMEOUT, IP_TTL ...),
 *                       it needs a privilege, a filter or key is attached, the
 *                       socket is of another network namespace, subflows were
 *                       asked for on it (on = false: TCP has no place for them)
 * -EPROTONOSUPPORT, -ENOPROTOOPT   this kernel has no MPTCP, or it is off
 * others                from socket(2), bind(2), dup3(2), fcntl(2), epoll_ctl(2),
 *                       or from reading /proc/thread-self, which must be mounted
 */
int subflow_enable(int fd, bool on);

/* 1 in *@ret_on while the connection really runs MPTCP (RFC 6897 section 5.3.2). */
int subflow_enabled(int fd, bool *ret_on);

/* Asks for @n more subflows. */
int subflow_add(int fd, int n);

/* Takes the @n youngest subflows away. */
int subflow_remove(int fd, int n);

/*
 * TCP_MULTIPATH_ADD and TCP_MULTIPATH_REMOVE of a list of local addresses:
 * struct sockaddr_in and struct sockaddr_in6 one after the other without gaps,
 * as sctp_bindx(3) takes them; @len is their length in bytes. @addrs is only
 * read, and need not be aligned.
 */
int subflow_add_addrs(int fd, const struct sockaddr *addrs, socklen_t len);

/* Takes the subflows of a list of local addresses away. */
int subflow_remove_addrs(int fd, const struct sockaddr *addrs, socklen_t len);

/* Asks for @n subflows in all, the first included. */
int subflow_set_ndiffports(int fd, int n);

/* What subflow_set_ndiffports() asked for last, 0 if nothing, in *@ret_n. */
int subflow_get_ndiffports(int fd, int *ret_n);

/* Says how many bytes the connection is to carry in all; 0 = not known any more. */
int subflow_set_expected(int fd, uint64_t bytes);

/* What subflow_set_expected() said last, 0 if nothing, in *@ret_bytes. */
int subflow_get_expected(int fd, uint64_t *ret_bytes);

/* Says what the connection is for. */
int subflow_set_intent(int fd, enum tcp_multipath_intent intent);

/* What subflow_set_intent() said last, in *@ret_intent. */
int subflow_get_intent(int fd, enum tcp_multipath_intent *ret_intent);

/*
 * Makes the subflows of the local address @local backups (@backup = true) or
 * ordinary ones again. @len is the size of @local, a whole struct sockaddr_in or
 * struct sockaddr_in6; a port other than 0 narrows it to one subflow.
 */
int subflow_set_backup(int fd, const struct sockaddr *local, socklen_t len, bool backup);

/*
 * Writes up to @len established subflows into @pairs, which the caller owns,
 * and how many into *@ret_n. -ERANGE if @len is too small.
 */
int subflow_list(int fd, struct tcp_multipath_pair *pairs, size_t len, size_t *ret_n);

/*
 * Walks over the pairs of subflow_list():
 *
 *	struct tcp_multipath_pair pairs[TCP_MULTIPATH_PAIRS_MAX], *pair;
 *	size_t n;
 *
 *	if (subflow_list(fd, pairs, TCP_MULTIPATH_PAIRS_MAX, &n) == 0)
 *		subflow_for_each(pair, pairs, n)
 *			use(&pair->local, &pair->remote);
 */
#define subflow_for_each(pair, pairs, n) for ((pair) = (pairs); (pair) < (pairs) + (n); (pair)++)

/* The connection's local identifier. */
int subflow_connid(int fd, uint32_t *ret_connid);

/*
 * Waits until the connection has @n established subflows or more, at most
 * @timeout_ms milliseconds; without limit if that is negative.
 *
 * The kernel tells processes without privilege nothing of subflows, so this
 * looks, and sleeps longer each time: from 1 ms doubling to 50 ms. While a
 * connection has no subflow at all, since its last one is being replaced, it
 * is waited for as well. No subflow comes before the peer has acknowledged
 * a byte.
 *
 * -ETIMEDOUT   there were fewer until the end
 * -EINTR       a signal handler ran
 * others       at once, those of TCP_MULTIPATH_SUBFLOWS: the connection is gone
 *              or not there yet (-ENOTCONN), or has fallen back (-EOPNOTSUPP)
 */
int subflow_wait(int fd, int n, int timeout_ms);

#ifdef __cplusplus
}
#endif

#endif
