/* SPDX-License-Identifier: MIT */
/* What the checks of `subflow doctor` know, and how they say what they found. */
#ifndef DOCTOR_H
#define DOCTOR_H

#include "netlink.h"

#include <stdbool.h>
#include <stddef.h>

struct btf;

enum state { STATE_OK, STATE_WARN, STATE_FAIL, STATE_UNKNOWN };

struct finding {
	const char *check; /* the name of the check */
	enum state state;
	char detail[320];
	char remedy[320]; /* empty: nothing to do */
};

/* Found out once, before the checks run. */
struct host {
	bool is_privileged; /* may load BPF programs and ask everything */
	int pm_error;       /* 0: @pm can be asked */
	struct netlink pm;
	struct btf *btf; /* of the kernel; NULL: it shows none */
};

struct check {
	const char *name;
	void (*probe)(struct host *host, struct finding *ret_finding);
};

/* Tables end with a NULL name. No check changes anything, or leaves anything behind. */
extern const struct check kernel_checks[];
extern const struct check bpf_checks[];
extern const struct check host_checks[];

/* @remedy may be NULL. */
__attribute__((format(printf, 4, 5))) void doctor_found(
	struct finding *ret_finding, enum state state, const char *remedy, const char *format, ...);

/* "unknown: run as root", when the caller may not find out. */
void doctor_unprivileged(struct finding *ret_finding);

/* The first word of the file at @path, without the newline. 0 or -errno. */
int doctor_read_word(const char *path, char *ret_word, size_t size);

#endif
