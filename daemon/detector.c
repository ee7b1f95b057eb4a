/* SPDX-License-Identifier: MIT */
/* What finds elephants beside the hooks, or in their place. */
#include "detector.h"

#include "base/log.h"
#include "base/loop.h"
#include "core/sighting.h"

#include <errno.h>
#include <sys/random.h>

/* Of the time goes into looking for whose the flows on the wire are: one part in so many. */
#define REST_TIMES 10

#define STRANGERS_TOLD 10 /* in a second */

static void hear_threshold(void *owner, const struct event *event)
{
	struct detector *detector = owner;

	plan_hear(detector->plan, event);
}

/* Whoever can put packets on the wire can invent some: the log is not theirs to fill. */
static void tell_of_stranger(struct detector *detector, const struct wire_flow *flow)
{
	char from[ENDPOINT_TEXT_MAX], to[ENDPOINT_TEXT_MAX];

	if (detector->strangers++ < STRANGERS_TOLD)
		log_info("an elephant that cannot be treated passes by: %s and %s",
			endpoint_text(&flow->ends[0], from), endpoint_text(&flow->ends[1], to));
	else if (detector->strangers == STRANGERS_TOLD + 1)
		log_info("more elephants pass by: `subflow status` shows them");
}

static void judge(struct detector *detector, struct wire_flow *flow, uint64_t now_ns)
{
	struct sighting sighting = sighting_hear(detector->plan, &detector->wire, flow);

	if (sighting.kind == SIGHTING_STRANGER)
		tell_of_stranger(detector, flow);
	if (sighting.kind != SIGHTING_OURS)
		return;
	census_look(&detector->census, sighting.conn, now_ns);
	sighting_looked(detector->plan, &sighting, detector->settings->downloads);
	hands_act(detector->hands);
}

static void hear_packet(void *owner, const struct packet *packet)
{
	struct detector *detector = owner;
	uint64_t now_ns = loop_now_ns(), cpu_ns;
	struct wire_flow *flow = wire_hear(&detector->wire, packet, now_ns);

	/* The next packet of a flow that waits tells of it again. */
	if (!flow || now_ns < detector->rest_ns)
		return;
	cpu_ns = loop_cpu_ns();
	judge(detector, flow, now_ns);
	detector->rest_ns = now_ns + REST_TIMES * (loop_cpu_ns() - cpu_ns);
}

static void look_at_wire(void *owner)
{
	struct detector *detector = owner;

	detector->strangers = 0;
	sighting_tick(detector->plan, &detector->wire, &detector->flows, loop_now_ns());
}

static void act(void *owner)
{
	struct detector *detector = owner;

	hands_act(detector->hands);
}

static int begin_roster(struct detector *detector, bool is_on_call)
{
	detector->roster.is_on_call = is_on_call;
	detector->roster.loop = detector->loop;
	detector->roster.served = detector->served;
	detector->roster.flows = &detector->flows;
	detector->roster.rule = &detector->plan->rule;
	return roster_init(&detector->roster);
}

static void prepare_census(struct detector *detector)
{
	detector->census.loop = detector->loop;
	detector->census.served = detector->served;
	detector->census.plan = detector->plan;
	detector->census.is_for_all = settings_source(detector->settings) != SOURCE_BPF;
	detector->census.owner = detector;
	detector->census.heard = hear_threshold;
	detector->census.looked = act;
}

/* @is_alone: nothing else finds elephants. */
static int begin_asking(struct detector *detector, bool is_alone)
{
	int err;

	prepare_census(detector);
	err = census_init(&detector->census);
	return err ? err : begin_roster(detector, !is_alone);
}

static int begin_capture(struct detector *detector)
{
	uint64_t seed;
	int err;

	prepare_census(detector);
	if (getrandom(&seed, sizeof(seed), 0) < 0)
		return -errno;
	err = wire_init(
		&detector->wire, WIRE_MAX, seed, rules_earliest(detector->plan)->start_bytes);
	if (err)
		return err;
	detector->capture.loop = detector->loop;
	detector->capture.owner = detector;
	detector->capture.heard = hear_packet;
	detector->capture.tick = look_at_wire;
	return capture_init(&detector->capture, detector->settings->interfaces);
}

int detector_init(struct detector *detector)
{
	switch (settings_source(detector->settings)) {
	case SOURCE_BPF: /* the hooks' part, but for what they cannot tell */
		return begin_asking(detector, false);
	case SOURCE_CAPTURE:
		return begin_capture(detector);
	case SOURCE_DIAG:
		return begin_asking(detector, true);
	}
	return -EINVAL;
}

void detector_tune(struct detector *detector)
{
	const struct settings *settings = detector->settings;

	detector->census.downloads = settings->downloads;
	detector->census.care = (struct progress_care){
		.late_bytes = settings->step_bytes / 100 * settings->late_percent,
		.most_ns = settings->interval_ms * 1000000ull};
}

void detector_renew(struct detector *detector)
{
	census_renew(&detector->census);
	sighting_renew(detector->plan, &detector->wire);
}

void detector_done(struct detector *detector)
{
	capture_done(&detector->capture);
	wire_done(&detector->wire);
	roster_done(&detector->roster);
	census_done(&detector->census);
	flows_done(&detector->flows);
}
