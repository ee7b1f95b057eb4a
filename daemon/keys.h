/* SPDX-License-Identifier: MIT */
/* The table of keys, and what the words mean that stand for values. */
#ifndef SUBFLOW_KEYS_H
#define SUBFLOW_KEYS_H

#include "base/config.h"

#include <sys/types.h>

#define KEYS_MAX 64

/* -EINVAL: there is no such; of enum settings_source, and of enum steer_mode. */
int keys_find_source(const char *value);
int keys_find_placement(const char *value);

/* A group or a user of this host, by name or number. -EINVAL: there is no such. */
int keys_find_group(const char *value, gid_t *ret_group);
int keys_find_user(const char *value, uid_t *ret_user);

extern const struct config_key keys_all[];  /* of struct settings */
extern const struct config_key keys_rule[]; /* of struct settings_rule */
extern const struct config_list keys_rules; /* [rule NAME], of struct settings */

#endif
