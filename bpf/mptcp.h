/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The few kernel types that the programs read. libbpf relocates every access
 * to the running kernel's layout (CO-RE), so only names and types matter here.
 */
#ifndef SUBFLOW_MPTCP_H
#define SUBFLOW_MPTCP_H

#include <linux/types.h>
#include <stdbool.h>

#define AF_INET       2
#define AF_INET6      10
#define IPPROTO_TCP   6
#define IPPROTO_MPTCP 262

/* net/mptcp/protocol.h: enum mptcp_pm_type */
#define PM_TYPE_USERSPACE 1

/* include/net/sock.h */
#define SOCK_BINDADDR_LOCK 4

/* include/net/sock.h: of sock.sk_shutdown */
#define SHUTDOWN_MASK 3

/* include/net/tcp.h: of tcp_skb_cb.sacked */
#define TCPCB_EVER_RETRANS 0x80

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct list_head {
	struct list_head *next;
};

struct netns_ipv4 {
	int sysctl_ip_prot_sock; /* ip_unprivileged_port_start, of IPv6 too */
};

struct net {
	__u64 net_cookie;
	struct netns_ipv4 ipv4;
};

typedef struct {
	struct net *net;
} possible_net_t;

typedef struct {
	__u32 val;
} kuid_t;

struct in6_addr {
	union {
		__u8 u6_addr8[16];
		__be32 u6_addr32[4];
	} in6_u;
};

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	__u64 skc_addrpair; /* skc_daddr and skc_rcv_saddr */
	__u32 skc_portpair; /* skc_dport and skc_num */
	unsigned short skc_family;
	volatile unsigned char skc_state;
	int skc_bound_dev_if;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	possible_net_t skc_net;
};

struct net_device {
	int ifindex;
};

struct dst_entry {
	struct net_device *dev;
};

struct rb_node {
	struct rb_node *rb_right;
};

struct rb_root {
	struct rb_node *rb_node;
};

struct sk_buff {
	struct rb_node rbnode;
	char cb[48];
	unsigned char *head;
	__u16 network_header; /* where the IP header is, from @head */
};

/* What sk_buff.cb holds of a packet that TCP sends. */
struct tcp_skb_cb {
	__u8 sacked;
};

struct sock {
	struct sock_common __sk_common;
	struct rb_root tcp_rtx_queue; /* sent and not acknowledged, by sequence number */
	__u16 sk_protocol;
	__u8 sk_shutdown;
	__u8 sk_userlocks : 4;
	struct dst_entry *sk_dst_cache;
	kuid_t sk_uid; /* its owner, as the initial user namespace numbers it */
};

struct inet_connection_sock {
	void *icsk_ulp_data; /* of a subflow: its struct mptcp_subflow_context */
	__u8 icsk_retransmits;
};

struct tcp_sock {
	__u32 write_seq;
	__u32 snd_nxt;
	__u32 packets_out;
	__u32 sacked_out;
	__u32 rcv_tstamp; /* of the last acknowledgement, jiffies */
	__u32 snd_cwnd, snd_ssthresh;
	__u32 srtt_us; /* times 8 */
	__u8 is_cwnd_limited : 1;
	__u8 is_mptcp : 1;
	__u8 bpf_sock_ops_cb_flags;
};

struct mptcp_pm_data {
	bool server_side;
	bool remote_deny_join_id0; /* RFC 8684 section 3.1, C flag of the peer */
	__u8 pm_type;
};

struct mptcp_sock {
	__u64 bytes_sent, bytes_received; /* kernels from 6.5 */
	__u64 write_seq, snd_nxt, ack_seq;
	__u32 token;
	unsigned long flags;
	struct list_head conn_list;
	struct sock *first;
	struct mptcp_pm_data pm;
};

struct mptcp_subflow_context {
	struct list_head node;
	__u64 idsn;
	struct sock *tcp_sock, *conn;
};

/* include/linux/filter.h: what a sockopt program's context really is */
struct bpf_sockopt_kern {
	struct sock *sk;
};

/* The same of a sockops program. */
struct bpf_sock_ops_kern {
	struct sk_buff *skb;
};

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__tcp {
	struct bpf_iter_meta *meta;
	struct sock_common *sk_common;
};

struct bpf_iter__bpf_sk_storage_map {
	struct bpf_iter_meta *meta;
	struct sock *sk;
	void *value;
};

struct file;

struct socket {
	struct sock *sk;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct file *file;
};

#pragma clang attribute pop

#endif
