/* SPDX-License-Identifier: MIT */
/* What is read of a captured packet, and what is refused. */
#include "core/packet.h"

#include "../unit.h"
#include "core/token.h"
#include "frame.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

static const uint8_t capable_syn[] = {30, 4, 0x01, 0x01};
static const uint8_t capable_ack[] = {
	30, 20, 0x01, 0x01, 1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 14, 15, 16, 17, 18};
static const uint8_t join_syn[] = {1, 3, 3, 7, 30, 12, 0x10, 5, 0xde, 0xad, 0xbe, 0xef, 0, 0, 0, 9};
static const uint8_t dss[] = {30, 8, 0x20, 1, 0, 0, 0, 7};

static struct packet decode(const struct frame_plan *plan)
{
	struct frame frame = frame_make(plan);
	struct packet packet = {};

	assert_int_equal(
		packet_decode(PACKET_ETHERNET, frame.bytes, frame.captured, frame.length, &packet),
		0);
	return packet;
}

static void reads_ipv4(void **state)
{
	struct packet packet = decode(&(struct frame_plan){
		.flags = FRAME_ACK, .sequence = 0xfffffff0, .data_bytes = 60000});

	(void)state;
	assert_int_equal(packet.source.family, AF_INET);
	assert_int_equal(packet.source.v4.s_addr, htonl(0x0a000001));
	assert_int_equal(packet.source.port, 40000);
	assert_int_equal(packet.destination.v4.s_addr, htonl(0x0a000002));
	assert_int_equal(packet.destination.port, 80);
	assert_int_equal(packet.sequence, 0xfffffff0);
	assert_int_equal(packet.bytes, 60000);
	assert_true(packet.is_ack);
	assert_false(packet.is_syn || packet.is_over || packet.is_multipath);
}

static void reads_ipv6_behind_tags_and_extensions(void **state)
{
	(void)state;
	for (unsigned int vlans = 0; vlans <= 2; vlans++) {
		for (unsigned int extensions = 0; extensions <= 8; extensions++) {
			struct packet packet = decode(&(struct frame_plan){.is_ipv6 = true,
				.flags = FRAME_FIN,
				.vlans = vlans,
				.extensions = extensions,
				.data_bytes = 1000});

			assert_int_equal(packet.source.family, AF_INET6);
			assert_int_equal(packet.source.v6.s6_addr[15], 1);
			assert_int_equal(packet.destination.v6.s6_addr[15], 2);
			assert_int_equal(packet.bytes, 1000);
			assert_true(packet.is_over);
		}
	}
}

static void reads_options_of_mptcp(void **state)
{
	struct packet packet = decode(&(struct frame_plan){
		.flags = FRAME_SYN, .options = capable_syn, .options_bytes = sizeof(capable_syn)});

	(void)state;
	assert_true(packet.is_multipath && packet.is_syn);
	assert_false(packet.has_keys);
	packet = decode(&(struct frame_plan){
		.flags = FRAME_ACK, .options = capable_ack, .options_bytes = sizeof(capable_ack)});
	assert_true(packet.has_keys);
	assert_memory_equal(packet.sender_key, capable_ack + 4, 8);
	assert_memory_equal(packet.receiver_key, capable_ack + 12, 8);
	packet = decode(&(struct frame_plan){
		.flags = FRAME_SYN, .options = join_syn, .options_bytes = sizeof(join_syn)});
	assert_int_equal(packet.join_token, 0xdeadbeef);
	packet = decode(&(struct frame_plan){
		.flags = FRAME_ACK, .options = dss, .options_bytes = sizeof(dss)});
	assert_true(packet.is_multipath);
	assert_false(packet.has_keys || packet.join_token);
}

static void keys_stand_in_no_syn_and_tokens_in_no_answer(void **state)
{
	struct packet packet = decode(&(struct frame_plan){
		.flags = FRAME_SYN, .options = capable_ack, .options_bytes = sizeof(capable_ack)});

	(void)state;
	assert_false(packet.has_keys);
	packet = decode(&(struct frame_plan){.flags = FRAME_SYN | FRAME_ACK,
		.options = join_syn,
		.options_bytes = sizeof(join_syn)});
	assert_int_equal(packet.join_token, 0);
}

/* Every cut: never more than is there, and the fixed part of the header or nothing. */
static void a_cut_packet_is_read_as_far_as_it_goes(void **state)
{
	struct frame frame = frame_make(&(struct frame_plan){.flags = FRAME_ACK,
		.data_bytes = 100,
		.options = capable_ack,
		.options_bytes = sizeof(capable_ack)});
	struct packet packet;

	(void)state;
	for (size_t captured = 0; captured <= frame.captured; captured++) {
		int err = packet_decode(
			PACKET_ETHERNET, frame.bytes, captured, frame.length, &packet);

		assert_int_equal(err, captured < 14 + 20 + 20 ? -EBADMSG : 0);
		if (!err)
			assert_int_equal(packet.has_keys, captured == frame.captured);
	}
}

static void padding_of_short_frames_is_no_data(void **state)
{
	struct frame frame = frame_make(&(struct frame_plan){.flags = FRAME_ACK});
	struct packet packet;

	(void)state;
	assert_int_equal(packet_decode(PACKET_ETHERNET, frame.bytes, 60, 60, &packet), 0);
	assert_int_equal(packet.bytes, 0);
}

static void what_contradicts_itself_is_refused(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
		int err;
	} cases[] = {
		{12, 0x06, -ENODATA},              /* no IP */
		{14, 0x44, -EBADMSG},              /* header of 16 bytes */
		{14, 0x65, -EBADMSG},              /* another version than the frame says */
		{17, 19, -EBADMSG},                /* shorter than its header */
		{17, 255, -EBADMSG},               /* longer than the frame */
		{21, 1, -ENODATA},                 /* not the first fragment */
		{23, 17, -ENODATA},                /* UDP */
		{14 + 20 + 12, 4 << 4, -EBADMSG},  /* TCP header of 16 bytes */
		{14 + 20 + 12, 15 << 4, -EBADMSG}, /* TCP header longer than the packet */
	};
	struct packet packet = {.bytes = 77};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct frame frame = frame_make(&(struct frame_plan){.data_bytes = 8});

		frame.bytes[cases[i].at] = cases[i].value;
		assert_int_equal(packet_decode(PACKET_ETHERNET, frame.bytes, frame.captured,
					 frame.length, &packet),
			cases[i].err);
	}
	assert_int_equal(packet.bytes, 77);
}

static void options_that_run_out_end(void **state)
{
	static const uint8_t options[][4] = {
		{30, 0, 0, 0}, {30, 1, 0, 0}, {30, 8, 0, 0}, {2, 5, 0, 0}, {1, 1, 1, 30}};

	(void)state;
	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++) {
		struct packet packet = decode(&(struct frame_plan){
			.flags = FRAME_ACK, .options = options[i], .options_bytes = 4});

		assert_false(packet.is_multipath);
	}
}

static void bare_ip_is_read_too(void **state)
{
	struct frame frame = frame_make(&(struct frame_plan){.is_ipv6 = true, .data_bytes = 5});
	struct packet packet;

	(void)state;
	assert_int_equal(packet_decode(PACKET_IP, frame.bytes + 14, frame.captured - 14,
				 frame.length - 14, &packet),
		0);
	assert_int_equal(packet.bytes, 5);
	assert_int_equal(packet_decode(PACKET_IP, frame.bytes, 0, 0, &packet), -EBADMSG);
}

static void a_token_is_a_part_of_the_hash_of_the_key(void **state)
{
	static const uint8_t one[8] = {0, 1, 2, 3, 4, 5, 6, 7};
	static const uint8_t other[8] = {0xff, 0xee, 0xdd, 0xcc, 0xbb, 0xaa, 0x99, 0x88};

	(void)state;
	assert_int_equal(token_of_key(one), 0x8a851ff8);
	assert_int_equal(token_of_key(other), 0x48426deb);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_ipv4),
		cmocka_unit_test(reads_ipv6_behind_tags_and_extensions),
		cmocka_unit_test(reads_options_of_mptcp),
		cmocka_unit_test(keys_stand_in_no_syn_and_tokens_in_no_answer),
		cmocka_unit_test(a_cut_packet_is_read_as_far_as_it_goes),
		cmocka_unit_test(padding_of_short_frames_is_no_data),
		cmocka_unit_test(what_contradicts_itself_is_refused),
		cmocka_unit_test(options_that_run_out_end),
		cmocka_unit_test(bare_ip_is_read_too),
		cmocka_unit_test(a_token_is_a_part_of_the_hash_of_the_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
