/* SPDX-License-Identifier: MIT */
/* Swaps the socket behind a descriptor for one of the other protocol, TCP or MPTCP. */
#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "carry.h"
#include "holder.h"
#include "subflow.h"

/* include/net/tcp_states.h; not in the kernel's public headers. */
enum { STATE_CLOSE = 7 };

struct identity {
	int domain;
	int protocol;
	ino_t ino;
};

static int get_number(int fd, int name, int *ret)
{
	socklen_t len = sizeof(*ret);

	return getsockopt(fd, SOL_SOCKET, name, ret, &len) < 0 ? -errno : 0;
}

static int identify(int fd, struct identity *ret)
{
	struct stat st;
	int type, r;

	r = get_number(fd, SO_TYPE, &type);
	if (r < 0)
		return r;
	r = get_number(fd, SO_DOMAIN, &ret->domain);
	if (r < 0)
		return r;
	r = get_number(fd, SO_PROTOCOL, &ret->protocol);
	if (r < 0)
		return r;
	if (type != SOCK_STREAM || (ret->domain != AF_INET && ret->domain != AF_INET6) ||
		(ret->protocol != IPPROTO_TCP && ret->protocol != IPPROTO_MPTCP))
		return -EINVAL;

	if (fstat(fd, &st) < 0)
		return -errno;
	ret->ino = st.st_ino;
	return 0;
}

static int check_unconnected(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN | POLLPRI | POLLRDHUP};
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	/* Of an MPTCP connection whose first subflow is gone it cannot be read. */
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0 ||
		info.tcpi_state != STATE_CLOSE)
		return -EISCONN;

	/* Closed, but a connection or an attempt left data, its end, or an error to be fetched. */
	if (poll(&poll_fd, 1, 0) < 0)
		return -errno;
	return poll_fd.revents & ~POLLHUP ? -EISCONN : 0;
}

/* The system call itself: the preload object turns libc's socket() into MPTCP. */
static int create(int domain, int protocol)
{
	int fd, got = 0, r;

	fd = (int)syscall(SYS_socket, domain, SOCK_STREAM | SOCK_CLOEXEC, protocol);
	if (fd < 0)
		return -errno;

	/* A BPF program may turn TCP into MPTCP at birth (net/mptcp: update_socket_protocol). */
	r = get_number(fd, SO_PROTOCOL, &got);
	if (r == 0 && got == protocol)
		return fd;
	close(fd);
	return r < 0 ? r : -EOPNOTSUPP;
}

static int carry(int old, int pristine, int fresh)
{
	int r;

	r = carry_options(old, pristine, fresh);
	if (r < 0)
		return r;
	r = carry_address(old, fresh);
	if (r < 0)
		return r;
	return carry_file(old, fresh);
}

/*
 * What no carrying can do before, because it belongs to the descriptor, and what
 * tells whether another thread went on using the old socket meanwhile.
 */
static int settle(int fd, int spare)
{
	int flags = fcntl(spare, F_GETFL);

	if (flags < 0 || (flags & O_ASYNC && fcntl(fd, F_SETFL, flags) < 0))
		return -errno;
	return check_unconnected(spare) < 0 ? -EBUSY : 0;
}

static int replace(int fd, struct holder *holder, int fresh)
{
	int spare, r;

	/* The old socket lives until all is done. */
	spare = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (spare < 0)
		return -errno;
	r = holder_move(holder, fresh, spare);
	if (r == 0) {
		r = settle(fd, spare);
		if (r < 0)
			holder_move_back(holder, spare);
	}
	close(spare);
	return r;
}

static int swap(int fd, const struct identity *id, struct holder *holder, int fresh)
{
	int pristine, r;

	pristine = create(id->domain, id->protocol);
	if (pristine < 0)
		return pristine;
	r = carry(fd, pristine, fresh);
	close(pristine);
	return r < 0 ? r : replace(fd, holder, fresh);
}

/* The signals of O_ASYNC name the descriptor on which it was set: of several, nobody knows which.
 */
static int check_owner(int fd, const struct holder *holder)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -errno;
	return flags & O_ASYNC && holder->n_descriptors > 1 ? -EBUSY : 0;
}

static int enable(int fd, int wanted)
{
	struct holder holder;
	struct identity id;
	int fresh, r;

	r = identify(fd, &id);
	if (r < 0)
		return r;
	if (id.protocol == wanted)
		return 0;

	r = check_unconnected(fd);
	if (r < 0)
		return r;
	r = holder_find(fd, id.ino, &holder);
	if (r < 0)
		return r;
	r = check_owner(fd, &holder);
	if (r < 0)
		return r;

	fresh = create(id.domain, wanted);
	if (fresh < 0)
		return fresh;
	r = swap(fd, &id, &holder, fresh);
	close(fresh);
	return r;
}

/* Two threads that swap one socket would each replace what the other has made. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void lock(void)
{
	pthread_mutex_lock(&mutex);
}

static void unlock(void)
{
	pthread_mutex_unlock(&mutex);
}

/* Or a child that is forked meanwhile would find it locked for ever. */
__attribute__((constructor)) static void guard_fork(void)
{
	pthread_atfork(lock, unlock, unlock);
}

int subflow_enable(int fd, bool on)
{
	int r;

	lock();
	r = enable(fd, on ? IPPROTO_MPTCP : IPPROTO_TCP);
	unlock();
	return r;
}
