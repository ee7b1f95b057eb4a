/* SPDX-License-Identifier: MIT */
/* What of a socket is carried to the one that replaces it. */
#ifndef SUBFLOW_CARRY_H
#define SUBFLOW_CARRY_H

/*
 * All take descriptors of unconnected stream sockets of one domain, leave @old
 * as it is, and return 0 or a negative errno: -EOPNOTSUPP when @fresh cannot
 * hold what @old holds.
 */

/*
 * Gives @fresh the socket options of @old. @pristine is an untouched socket of
 * the protocol of @old: it says what was never changed where @fresh has no such
 * option to compare with.
 */
int carry_options(int old, int pristine, int fresh);

/*
 * Binds @fresh where @old is bound, if it is; @old keeps its port meanwhile.
 * Comes after the options: bind(2) depends on them, and changes some
 * (IPV6_V6ONLY, SO_BINDTODEVICE) in ways that differ between TCP and MPTCP.
 */
int carry_address(int old, int fresh);

/*
 * Gives @fresh the owner and status flags of @old's open file. O_ASYNC is left
 * out: it belongs to a descriptor number (sigaction(2), si_fd), and can only be
 * set once @fresh has the number of @old.
 */
int carry_file(int old, int fresh);

#endif
