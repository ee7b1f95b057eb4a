/* SPDX-License-Identifier: MIT */
/* Real sockets on loopback, and what the tests of libsubflow look at in them. */
#ifndef TEST_SOCKETS_H
#define TEST_SOCKETS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/types.h>

/* cmocka.h wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* For Meson: the test was skipped. */
enum { EXIT_SKIP = 77 };

bool kernel_has_mptcp(void);

/* A stream socket; fails the test if it cannot be made. */
int open_stream(int domain, int protocol);

int protocol_of(int fd);

/* Tells sockets apart: a descriptor number stays, an inode is the socket's own. */
ino_t inode_of(int fd);

/* Descriptors that this process has open: to see leaks. */
int count_fds(void);

int get_int(int fd, int level, int name);
void set_int(int fd, int level, int name, int value);

/* Whether this kernel's sockets of that kind know an option: MPTCP sockets learn one by one. */
bool has_option(int domain, int protocol, int level, int name);

/* Binds to 127.0.0.1 or ::1 and returns the port, in host order. */
in_port_t bind_loopback(int fd, int domain, in_port_t port);

/* Whether somebody else may have that port of 127.0.0.1 or ::1: 0 or -errno. */
int try_bind(int domain, in_port_t port, bool is_reuse);

/* The other one of IPPROTO_TCP and IPPROTO_MPTCP. */
int other_protocol(int protocol);

/* subflow_enable() in the only direction that changes something. */
int swap_protocol(int fd);

/* Expects that the swap is refused with @error (negative), and @fd still is the same socket. */
void expect_refusal(int fd, int error);

#endif
