/* SPDX-License-Identifier: MIT */
/* All parts of the daemon, for the files that tie them together. */
#ifndef SUBFLOW_PARTS_H
#define SUBFLOW_PARTS_H

#include "base/loop.h"
#include "control/listing.h"
#include "control/server.h"
#include "core/plan.h"
#include "core/requests.h"
#include "detector.h"
#include "hands.h"
#include "inquiry.h"
#include "kernel/addresses.h"
#include "kernel/genl.h"
#include "kernel/guardian.h"
#include "kernel/hooks.h"
#include "kernel/ledger.h"
#include "kernel/locals.h"
#include "kernel/monitor.h"
#include "kernel/scout.h"
#include "kernel/served.h"
#include "recorder.h"
#include "settings.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

struct daemon {
	struct settings settings;
	const char *config_path;
	char root[PATH_MAX];   /* of cgroup2 */
	char cgroup[PATH_MAX]; /* where the socket options are answered */
	int lock_fd;
	struct loop loop;
	struct source signals, guardian_end, turn;
	struct ledger ledger;
	struct guardian guardian;
	struct genl_family family;
	struct hooks hooks;
	struct monitor monitor;
	struct addresses_watch addresses;
	struct locals locals;
	struct served served;
	struct requests requests; /* carried out at @turn */
	struct plan plan;
	struct recorder recorder;
	struct inquiry inquiry;
	struct hands hands;
	struct scout scout;
	struct reach reach;
	struct detector detector;
	struct server server;
	struct listings listings; /* that its clients are being answered with */
	uint64_t started_ns;
	bool is_made; /* the parts are to be put away */
	bool has_begun;
};

/* None of them has begun yet, and each knows whom it works with. */
void parts_init(struct daemon *daemon);

#endif
