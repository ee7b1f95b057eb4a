/* SPDX-License-Identifier: MIT */
/*
 * Which bit of mptcp_sock.flags says that a connection fell back to TCP. It is
 * a #define in the kernel, absent from BTF, and has moved between versions, so
 * one healthy connection is compared with one that fell back.
 */
#ifndef SUBFLOW_CALIBRATION_H
#define SUBFLOW_CALIBRATION_H

#include "kernel/hooks.h"

/* The intents of its two sockets: this, and one more. */
#define CALIBRATION_MARK 0xfffffff0

/*
 * Makes both connections in a network namespace of its own, which is gone when
 * this returns, and reads their flags with the hooks' walk. -EPROTONOSUPPORT: no
 * MPTCP here; -EUSERS: new connections fall back here, time and again; -ENODATA: the two look the
 * same.
 */
int calibration_run(struct hooks *hooks, uint64_t *ret_mask);

#endif
