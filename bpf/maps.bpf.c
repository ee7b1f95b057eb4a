/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The state that the programs and the daemon share. */
#include "maps.h"

struct ring_map ring SEC(".maps");
struct intents_map intents SEC(".maps");
struct wishes_map all_wishes SEC(".maps");
struct befores_map befores SEC(".maps");
struct elephants_map elephants SEC(".maps");
struct served_map served SEC(".maps");
struct locals_map locals SEC(".maps");
struct receipts_map receipts SEC(".maps");
struct rules_map rules SEC(".maps");
struct users_map users SEC(".maps");
struct peers_map peers SEC(".maps");

volatile struct hook_config config SEC(".data");
struct hook_counters counters SEC(".bss");

char _license[] SEC("license") = "Dual MIT/GPL";
