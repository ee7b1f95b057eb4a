/* SPDX-License-Identifier: MIT */
/* Decodes TCP packets as a capture shows them: addresses, what they carry, MPTCP options. */
#include "packet.h"

#include <errno.h>
#include <string.h>

enum { ETHERNET_BYTES = 14, VLAN_BYTES = 4, VLANS_MAX = 2 };
enum { TYPE_IPV4 = 0x0800, TYPE_IPV6 = 0x86dd, TYPE_VLAN = 0x8100, TYPE_QINQ = 0x88a8 };
enum { IPV4_BYTES = 20, IPV6_BYTES = 40, TCP_BYTES = 20, EXTENSIONS_MAX = 8 };
enum { FLAG_FIN = 1, FLAG_SYN = 2, FLAG_RST = 4, FLAG_ACK = 16 };
/* RFC 8684 section 3; the lengths of MP_CAPABLE of the third packet, with data or without. */
enum { OPTION_END = 0, OPTION_NOP = 1, OPTION_MPTCP = 30 };
enum { MP_CAPABLE = 0, MP_JOIN = 1, VERSION = 1 };
enum { CAPABLE_BYTES = 20, CAPABLE_CHECKED_BYTES = 24, JOIN_SYN_BYTES = 12 };

/* What is left to be read of a packet. */
struct rest {
	const uint8_t *at;
	size_t captured, length;
};

static uint16_t get_u16(const uint8_t *at)
{
	return at[0] << 8 | at[1];
}

static uint32_t get_u32(const uint8_t *at)
{
	return (uint32_t)get_u16(at) << 16 | get_u16(at + 2);
}

static int skip(struct rest *rest, size_t n)
{
	if (rest->captured < n || rest->length < n)
		return -EBADMSG;
	rest->at += n;
	rest->captured -= n;
	rest->length -= n;
	return 0;
}

/* Padding of short frames is no data. 0: the header has no room for it, and the frame tells. */
static int trim(struct rest *rest, size_t length)
{
	if (!length)
		return 0;
	if (length > rest->length)
		return -EBADMSG;
	rest->length = length;
	if (rest->captured > length)
		rest->captured = length;
	return 0;
}

static int skip_ethernet(struct rest *rest, uint16_t *ret_type)
{
	const uint8_t *header = rest->at;
	int err = skip(rest, ETHERNET_BYTES);

	if (err)
		return err;
	*ret_type = get_u16(header + ETHERNET_BYTES - 2);
	for (int i = 0; i < VLANS_MAX && (*ret_type == TYPE_VLAN || *ret_type == TYPE_QINQ); i++) {
		header = rest->at;
		err = skip(rest, VLAN_BYTES);
		if (err)
			return err;
		*ret_type = get_u16(header + 2);
	}
	return 0;
}

static int read_ipv4(struct rest *rest, struct packet *packet)
{
	const uint8_t *header = rest->at;
	size_t header_bytes, length;

	if (rest->captured < IPV4_BYTES || header[0] >> 4 != 4)
		return -EBADMSG;
	header_bytes = (header[0] & 15) * 4;
	length = get_u16(header + 2);
	if (header_bytes < IPV4_BYTES || (length && length < header_bytes) || trim(rest, length))
		return -EBADMSG;
	if (header[9] != IPPROTO_TCP || get_u16(header + 6) & 0x1fff) /* not the first fragment */
		return -ENODATA;
	packet->source.family = packet->destination.family = AF_INET;
	memcpy(&packet->source.v4, header + 12, 4);
	memcpy(&packet->destination.v4, header + 16, 4);
	return skip(rest, header_bytes);
}

static bool is_extension(uint8_t next)
{
	return next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_DSTOPTS ||
	       next == IPPROTO_FRAGMENT;
}

static int read_ipv6(struct rest *rest, struct packet *packet)
{
	const uint8_t *header = rest->at;
	uint8_t next;
	int err;

	if (rest->captured < IPV6_BYTES || header[0] >> 4 != 6)
		return -EBADMSG;
	next = header[6];
	packet->source.family = packet->destination.family = AF_INET6;
	memcpy(&packet->source.v6, header + 8, 16);
	memcpy(&packet->destination.v6, header + 24, 16);
	err = skip(rest, IPV6_BYTES);
	if (!err)
		err = trim(rest, get_u16(header + 4));
	for (int i = 0; !err && i < EXTENSIONS_MAX && is_extension(next); i++) {
		header = rest->at;
		if (rest->captured < 8)
			return -EBADMSG;
		if (next == IPPROTO_FRAGMENT && get_u16(header + 2) & 0xfff8)
			return -ENODATA;
		err = skip(rest, next == IPPROTO_FRAGMENT ? 8 : (header[1] + 1) * 8);
		next = header[0];
	}
	if (!err && next != IPPROTO_TCP)
		err = -ENODATA;
	return err;
}

static void read_multipath(const uint8_t *option, size_t len, struct packet *packet)
{
	uint8_t subtype = option[2] >> 4;

	packet->is_multipath = true;
	if (subtype == MP_CAPABLE && (option[2] & 15) == VERSION && len >= CAPABLE_BYTES &&
		len <= CAPABLE_CHECKED_BYTES && !packet->is_syn) {
		packet->has_keys = true;
		memcpy(packet->sender_key, option + 4, 8);
		memcpy(packet->receiver_key, option + 12, 8);
	}
	if (subtype == MP_JOIN && len == JOIN_SYN_BYTES && packet->is_syn && !packet->is_ack)
		packet->join_token = get_u32(option + 4);
}

static void read_options(const uint8_t *at, size_t len, struct packet *packet)
{
	while (len && *at != OPTION_END) {
		size_t option_bytes = 1;

		if (*at != OPTION_NOP) {
			if (len < 2 || at[1] < 2 || at[1] > len)
				return;
			option_bytes = at[1];
			if (*at == OPTION_MPTCP && option_bytes >= 3)
				read_multipath(at, option_bytes, packet);
		}
		at += option_bytes;
		len -= option_bytes;
	}
}

static int read_tcp(struct rest *rest, struct packet *packet)
{
	const uint8_t *header = rest->at;
	size_t header_bytes, seen;

	if (rest->captured < TCP_BYTES)
		return -EBADMSG;
	header_bytes = (header[12] >> 4) * 4;
	if (header_bytes < TCP_BYTES || header_bytes > rest->length)
		return -EBADMSG;
	packet->source.port = get_u16(header);
	packet->destination.port = get_u16(header + 2);
	packet->sequence = get_u32(header + 4);
	packet->is_syn = header[13] & FLAG_SYN;
	packet->is_ack = header[13] & FLAG_ACK;
	packet->is_over = header[13] & (FLAG_FIN | FLAG_RST);
	packet->bytes = rest->length - header_bytes;
	seen = rest->captured < header_bytes ? rest->captured : header_bytes;
	read_options(header + TCP_BYTES, seen - TCP_BYTES, packet);
	return 0;
}

int packet_decode(enum packet_link link, const void *bytes, size_t captured, size_t length,
	struct packet *ret_packet)
{
	struct rest rest = {
		.at = bytes, .captured = captured < length ? captured : length, .length = length};
	struct packet packet = {};
	uint16_t type = 0;
	int err = 0;

	if (link == PACKET_ETHERNET)
		err = skip_ethernet(&rest, &type);
	else if (!rest.captured)
		err = -EBADMSG;
	else
		type = *rest.at >> 4 == 4 ? TYPE_IPV4 : *rest.at >> 4 == 6 ? TYPE_IPV6 : 0;
	if (err)
		return err;
	if (type == TYPE_IPV4)
		err = read_ipv4(&rest, &packet);
	else
		err = type == TYPE_IPV6 ? read_ipv6(&rest, &packet) : -ENODATA;
	if (!err)
		err = read_tcp(&rest, &packet);
	if (!err)
		*ret_packet = packet;
	return err;
}
