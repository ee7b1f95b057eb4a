/* SPDX-License-Identifier: MIT */
/* Frames of TCP over Ethernet, byte by byte, for the tests of what a capture reads. */
#include "frame.h"

#include <netinet/in.h>
#include <string.h>

static void put_u16(struct frame *frame, uint16_t value)
{
	frame->bytes[frame->captured++] = value >> 8;
	frame->bytes[frame->captured++] = value;
}

static void put_u32(struct frame *frame, uint32_t value)
{
	put_u16(frame, value >> 16);
	put_u16(frame, value);
}

static void put_zeros(struct frame *frame, size_t n)
{
	frame->captured += n;
}

static void put_ip(struct frame *frame, const struct frame_plan *plan, size_t payload)
{
	uint8_t last[2] = {plan->is_turned ? 2 : 1, plan->is_turned ? 1 : 2};

	if (!plan->is_ipv6) {
		put_u16(frame, 0x4500);
		put_u16(frame, 20 + payload);
		put_u32(frame, 0);
		put_u16(frame, 64 << 8 | IPPROTO_TCP);
		put_u16(frame, 0);
		put_u32(frame, 0x0a000000 | last[0]);
		put_u32(frame, 0x0a000000 | last[1]);
		return;
	}
	put_u32(frame, 6u << 28);
	put_u16(frame, 8 * plan->extensions + payload);
	put_u16(frame, (plan->extensions ? IPPROTO_DSTOPTS : IPPROTO_TCP) << 8 | 64);
	for (int i = 0; i < 2; i++) {
		put_u16(frame, 0xfd00);
		put_zeros(frame, 13);
		frame->bytes[frame->captured++] = last[i];
	}
	for (unsigned int i = 0; i < plan->extensions; i++) {
		put_u16(frame, (i + 1 < plan->extensions ? IPPROTO_DSTOPTS : IPPROTO_TCP) << 8);
		put_zeros(frame, 6);
	}
}

struct frame frame_make(const struct frame_plan *plan)
{
	size_t payload = 20 + plan->options_bytes + plan->data_bytes;
	uint16_t client = plan->port ? plan->port : 40000;
	struct frame frame = {};

	put_zeros(&frame, 12);
	for (unsigned int i = 0; i < plan->vlans; i++)
		put_u32(&frame, 0x81000007);
	put_u16(&frame, plan->is_ipv6 ? 0x86dd : 0x0800);
	put_ip(&frame, plan, payload);
	put_u16(&frame, plan->is_turned ? 80 : client);
	put_u16(&frame, plan->is_turned ? client : 80);
	put_u32(&frame, plan->sequence);
	put_u32(&frame, 0);
	put_u16(&frame, (20 + plan->options_bytes) / 4 << 12 | plan->flags);
	put_zeros(&frame, 6);
	if (plan->options_bytes)
		memcpy(frame.bytes + frame.captured, plan->options, plan->options_bytes);
	frame.captured += plan->options_bytes;
	frame.length = frame.captured + plan->data_bytes;
	return frame;
}
