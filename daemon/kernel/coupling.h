/* SPDX-License-Identifier: MIT */
/* The coupled congestion control: known to the kernel while somebody wants it. */
#ifndef SUBFLOW_COUPLING_H
#define SUBFLOW_COUPLING_H

#include <stdbool.h>

struct coupled_bpf;

struct coupling {
	struct coupled_bpf *skeleton; /* NULL: the kernel does not know it by us */
	int fd;                       /* of the link, with which it goes */
};

/*
 * Makes the kernel know it, or no more. Those subflows that have it keep it until they end. That it
 * cannot be had is logged: without it subflows keep the congestion control that they have.
 */
void coupling_set(struct coupling *coupling, bool is_wanted);

#endif
