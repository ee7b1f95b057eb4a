/* SPDX-License-Identifier: MIT */
/* Decodes TCP packets as a capture shows them: addresses, what they carry, MPTCP options. */
#ifndef SUBFLOW_PACKET_H
#define SUBFLOW_PACKET_H

#include "core/endpoint.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* So much of a packet has all that is looked at: two VLAN tags, IPv6 with some options, TCP. */
#define PACKET_SNAP_BYTES 192

enum packet_link {
	PACKET_ETHERNET,
	PACKET_IP, /* nothing before the IP header */
};

struct packet {
	struct endpoint source, destination;
	uint32_t sequence;            /* of its first byte of data; of the SYN, if it has one */
	uint32_t bytes;               /* of data */
	bool is_syn, is_ack, is_over; /* FIN or RST */
	bool is_multipath;            /* it has an MPTCP option */
	/* MP_CAPABLE of version 1, the third packet of the handshake: as on the wire. */
	bool has_keys;
	uint8_t sender_key[8], receiver_key[8];
	/* MP_JOIN, the first one: 0 = none. */
	uint32_t join_token; /* the receiver's */
};

/*
 * Decodes the first @captured bytes of a packet of @length. -ENODATA: no TCP header;
 * -EBADMSG: it contradicts itself, or is cut before the end of its TCP header's fixed part.
 * Options that are cut off are not seen.
 */
int packet_decode(enum packet_link link, const void *bytes, size_t captured, size_t length,
	struct packet *ret_packet);

#endif
