/* SPDX-License-Identifier: MIT */
/* Lists the TCP sockets of the served namespaces now and then: elephants that are plain TCP. */
#include "roster.h"

#include "base/timer.h"
#include "kernel/diag.h"
#include "kernel/served_list.h"

#include <errno.h>

#define PERIOD_NS 2000000000ull  /* of one namespace; nobody acts on what is found */
#define IDLE_NS   10000000000ull /* of one without such sockets */
#define BATCH     32             /* namespaces in one go: the loop has other things to do */

struct listing {
	struct roster *roster;
	uint64_t netns, now_ns;
	bool has_sockets;
};

static void arm(struct roster *roster, uint64_t when_ns)
{
	roster->armed_ns = when_ns;
	timer_arm(&roster->timer, when_ns);
}

static void found(void *arg, const struct diag_flow *seen)
{
	struct listing *listing = arg;
	uint64_t start_bytes = listing->roster->rule->start_bytes;

	listing->has_sockets = true;
	if (seen->bytes_acked < start_bytes && seen->bytes_received < start_bytes)
		return;
	flows_note(listing->roster->flows, &(struct flow){.key = {.netns = listing->netns,
								  .local = seen->local,
								  .remote = seen->remote},
						   .bytes_sent = seen->bytes_acked,
						   .bytes_received = seen->bytes_received,
						   .noted_ns = listing->now_ns,
						   .has_uid = true,
						   .uid = seen->uid});
}

static void list(struct roster *roster, struct served_netns *netns, uint64_t now_ns)
{
	struct listing listing = {.roster = roster, .netns = netns->cookie, .now_ns = now_ns};

	if (!served_enter(netns)) {
		diag_dump_flows(found, &listing);
		served_leave(netns);
	}
	flows_expire(roster->flows, netns->cookie, now_ns);
	if (roster->is_on_call && !flows_has(roster->flows, netns->cookie))
		netns->list_ns = 0;
	else
		netns->list_ns = now_ns + (listing.has_sockets ? PERIOD_NS : IDLE_NS);
}

static void timer_ready(struct source *source, uint32_t events)
{
	struct roster *roster = SOURCE_OWNER(source, struct roster, timer);
	uint64_t now_ns = loop_now_ns(), next_ns = 0;
	struct served_netns *netns;
	int left = BATCH;

	(void)events;
	if (!timer_has_expired(source))
		return;
	TAILQ_FOREACH (netns, &roster->served->list, entry) {
		if (netns->state != SERVED_YES || (roster->is_on_call && !netns->list_ns))
			continue;
		if (netns->list_ns <= now_ns && left-- > 0)
			list(roster, netns, now_ns);
		if (!next_ns || netns->list_ns < next_ns)
			next_ns = netns->list_ns ? netns->list_ns : 1;
	}
	arm(roster, next_ns);
}

void roster_ask(struct roster *roster, uint64_t cookie)
{
	struct served_netns *netns = served_find(roster->served, cookie);

	/* Those that are listed anyway wait for that: many may ask at once. */
	if (!netns || roster->timer.fd < 0 || netns->list_ns)
		return;
	netns->list_ns = loop_now_ns();
	if (!roster->armed_ns || netns->list_ns < roster->armed_ns)
		arm(roster, netns->list_ns);
}

void roster_expect(struct roster *roster)
{
	uint64_t when_ns;

	if (roster->timer.fd < 0 || roster->is_on_call)
		return;
	when_ns = loop_now_ns() + PERIOD_NS;
	if (!roster->armed_ns || when_ns < roster->armed_ns)
		arm(roster, when_ns);
}

int roster_init(struct roster *roster)
{
	roster->timer.ready = timer_ready;
	return timer_open(&roster->timer, roster->loop);
}

void roster_done(struct roster *roster)
{
	timer_close(&roster->timer);
}
