/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The callbacks that a client's subflow asks for until the rule's last threshold. */
#ifndef SUBFLOW_WATCH_H
#define SUBFLOW_WATCH_H

#include <linux/bpf.h>

#define SENDING  (BPF_SOCK_OPS_RTT_CB_FLAG | BPF_SOCK_OPS_RETRANS_CB_FLAG)
#define PROGRESS (SENDING | BPF_SOCK_OPS_PARSE_ALL_HDR_OPT_CB_FLAG)

#endif
