/* SPDX-License-Identifier: MIT */
/* The daemon's parts with a kernel that is played. */
#include "stage.h"

#include "ears.h"
#include "kernel/maps.h"
#include "kernel/ring.h"
#include "kernel/served_list.h"

#include <errno.h>
#include <string.h>

struct stage stage;

int __wrap_served_enter(struct served_netns *netns);
void __wrap_served_look(struct served *served);
void __wrap_served_look_again(struct served *served, struct served_netns *netns, uint64_t now_ns);
void __wrap_served_rescan(struct served *served);
int __wrap_diag_dump(void (*each)(void *arg, const struct diag_conn *conn), void *arg);
int __wrap_diag_walk_begin(struct diag_walk *walk);
void __wrap_diag_walk_end(struct diag_walk *walk);
int __wrap_diag_dump_subflows(
	void (*each)(void *arg, const struct diag_subflow *subflow), void *arg);
int __wrap_diag_find(uint32_t token, struct diag_conn *ret_conn);
int __wrap_diag_is_silent(const struct endpoint *local, const struct endpoint *remote,
	uint32_t least_ms, bool *ret_is_silent);
int __wrap_addresses_read(struct addresses *addresses);
int __wrap_locals_read(struct locals *locals, uint64_t netns);
int __wrap_genl_open(int protocol, struct mnl_socket **ret_socket);
int __wrap_netns_enter(const char *path, uint64_t cookie);
int __wrap_netns_cookie_of(int socket_fd, uint64_t *ret_cookie);
int __wrap_mnl_socket_close(struct mnl_socket *socket);
int __wrap_mnl_socket_get_fd(const struct mnl_socket *socket);
int __wrap_pm_create(struct mnl_socket *socket, const struct genl_family *family, uint32_t token,
	const struct endpoint *local, const struct endpoint *remote, uint8_t id, uint32_t device,
	bool is_backup);
int __wrap_pm_destroy(struct mnl_socket *socket, const struct genl_family *family, uint32_t token,
	const struct endpoint *local, const struct endpoint *remote);
int __wrap_pm_claim(struct mnl_socket *socket, const struct genl_family *family, uint32_t token,
	const struct endpoint *local, const struct endpoint *remote);
int __wrap_pm_announce(struct mnl_socket *socket, const struct genl_family *family, uint32_t token,
	const struct endpoint *local, uint8_t id);
int __wrap_pm_withdraw(
	struct mnl_socket *socket, const struct genl_family *family, uint32_t token, uint8_t id);

int __wrap_served_enter(struct served_netns *netns)
{
	(void)netns;
	stage.enters++;
	return stage.enter_error;
}

void __wrap_served_look(struct served *served)
{
	(void)served;
	stage.looks++;
}

void __wrap_served_look_again(struct served *served, struct served_netns *netns, uint64_t now_ns)
{
	(void)served;
	(void)now_ns;
	assert_int_equal(netns->state, SERVED_ALONE);
	stage.looks_again++;
}

void __wrap_served_rescan(struct served *served)
{
	(void)served;
	stage.rescans++;
}

int __wrap_diag_dump(void (*each)(void *arg, const struct diag_conn *conn), void *arg)
{
	for (size_t i = 0; i < stage.n_conns; i++)
		each(arg, &stage.conns[i]);
	return stage.dump_error;
}

int __wrap_diag_walk_begin(struct diag_walk *walk)
{
	walk->socket = (struct mnl_socket *)(void *)&stage;
	stage.listings++;
	return 0;
}

void __wrap_diag_walk_end(struct diag_walk *walk)
{
	stage.listings -= walk->socket != NULL;
	walk->socket = NULL;
}

int __wrap_diag_dump_subflows(
	void (*each)(void *arg, const struct diag_subflow *subflow), void *arg)
{
	for (size_t i = 0; i < stage.n_subflows; i++)
		each(arg, &stage.subflows[i]);
	return 0;
}

int __wrap_diag_find(uint32_t token, struct diag_conn *ret_conn)
{
	for (size_t i = 0; i < stage.n_conns; i++) {
		if (stage.conns[i].token == token)
			*ret_conn = stage.conns[i];
	}
	return stage.find_error;
}

int __wrap_diag_is_silent(const struct endpoint *local, const struct endpoint *remote,
	uint32_t least_ms, bool *ret_is_silent)
{
	(void)local;
	(void)remote;
	(void)least_ms;
	if (!stage.silence_error)
		*ret_is_silent = stage.is_silent;
	return stage.silence_error;
}

int __wrap_addresses_read(struct addresses *addresses)
{
	addresses->usable[0] = stage_local();
	addresses->usable[0].port = 0;
	addresses->n_usable = 1;
	return 0;
}

int __wrap_locals_read(struct locals *locals, uint64_t netns)
{
	(void)locals;
	(void)netns;
	return 0;
}

int __wrap_genl_open(int protocol, struct mnl_socket **ret_socket)
{
	(void)protocol;
	stage.opened++;
	*ret_socket = (struct mnl_socket *)(void *)&stage;
	return 0;
}

int __wrap_netns_enter(const char *path, uint64_t cookie)
{
	(void)path;
	(void)cookie;
	return stage.enter_error;
}

int __wrap_netns_cookie_of(int socket_fd, uint64_t *ret_cookie)
{
	(void)socket_fd;
	*ret_cookie = stage.cookie;
	return 0;
}

int __wrap_mnl_socket_close(struct mnl_socket *socket)
{
	(void)socket;
	stage.closed++;
	return 0;
}

int __wrap_mnl_socket_get_fd(const struct mnl_socket *socket)
{
	(void)socket;
	return -1;
}

int __wrap_pm_create(struct mnl_socket *socket, const struct genl_family *family, uint32_t token,
	const struct endpoint *local, const struct endpoint *remote, uint8_t id, uint32_t device,
	bool is_backup)
{
	(void)socket;
	(void)family;
	(void)token;
	(void)local;
	(void)remote;
	(void)id;
	(void)is_backup;
	stage.creates++;
	stage.device = device;
	return stage.create_error;
}

int __wrap_pm_destroy(struct mnl_socket *socket, const struct genl_family *family, uint32_t token,
	const struct endpoint *local, const struct endpoint *remote)
{
	(void)socket;
	(void)family;
	(void)token;
	(void)local;
	(void)remote;
	stage.destroys++;
	return 0;
}

int __wrap_pm_claim(struct mnl_socket *socket, const struct genl_family *family, uint32_t token,
	const struct endpoint *local, const struct endpoint *remote)
{
	(void)socket;
	(void)family;
	(void)token;
	(void)local;
	(void)remote;
	stage.claims++;
	return 0;
}

int __wrap_pm_announce(struct mnl_socket *socket, const struct genl_family *family, uint32_t token,
	const struct endpoint *local, uint8_t id)
{
	(void)socket;
	(void)family;
	(void)token;
	(void)local;
	(void)id;
	stage.announcements++;
	return stage.announce_error;
}

int __wrap_pm_withdraw(
	struct mnl_socket *socket, const struct genl_family *family, uint32_t token, uint8_t id)
{
	(void)socket;
	(void)family;
	(void)token;
	(void)id;
	stage.withdrawals++;
	return stage.withdraw_error;
}

/* The hooks need the BPF skeleton: here are none. */

unsigned int hooks_find_egress(
	struct hooks *hooks, const struct endpoint *local, const struct endpoint *remote)
{
	(void)hooks;
	(void)local;
	(void)remote;
	return 0;
}

struct hook_counters hooks_counters(const struct hooks *hooks)
{
	(void)hooks;
	return (struct hook_counters){};
}

struct maps_usage maps_usage(const struct hooks *hooks)
{
	(void)hooks;
	return (struct maps_usage){};
}

bool ring_is_read(const struct hooks *hooks)
{
	(void)hooks;
	return stage.record.kind == EVENT_NONE;
}

void ring_drain(struct hooks *hooks)
{
	if (stage.record.kind != EVENT_NONE)
		hooks->heard(hooks->owner, &stage.record);
	stage.record.kind = EVENT_NONE;
}

void hooks_set_config(struct hooks *hooks, const struct hook_config *config)
{
	(void)hooks;
	stage.configs++;
	stage.config = *config;
}

int hooks_visit_clients(
	struct hooks *hooks, void (*each)(void *arg, const struct client_record *client), void *arg)
{
	(void)hooks;
	stage.visits++;
	if (stage.client.token)
		each(arg, &stage.client);
	return stage.visit_error;
}

void hooks_set_full(struct hooks *hooks, bool is_full)
{
	(void)hooks;
	stage.fulls += is_full;
}

int maps_serve(struct hooks *hooks, uint64_t netns)
{
	(void)hooks;
	(void)netns;
	stage.serves++;
	return 0;
}

void maps_unserve(struct hooks *hooks, uint64_t netns)
{
	(void)hooks;
	(void)netns;
	stage.unserves++;
}

int maps_put_local(struct hooks *hooks, const struct local_key *key, uint32_t is_local)
{
	(void)hooks;
	(void)is_local;
	(void)key;
	return 0;
}

void maps_drop_local(struct hooks *hooks, const struct local_key *key)
{
	(void)hooks;
	(void)key;
}

int maps_put_receipt(struct hooks *hooks, const struct conn_key *key, const struct receipt *receipt)
{
	(void)hooks;
	(void)key;
	(void)receipt;
	stage.receipts++;
	return 0;
}

int maps_get_receipt(struct hooks *hooks, const struct conn_key *key, struct receipt *ret_receipt)
{
	(void)hooks;
	(void)key;
	if (!stage.has_earlier_receipt)
		return -ENOENT;
	*ret_receipt = stage.earlier;
	return 0;
}

void maps_drop_receipt(struct hooks *hooks, const struct conn_key *key)
{
	(void)hooks;
	(void)key;
	stage.forgotten++;
}

void maps_sift_receipts(
	struct hooks *hooks, bool (*is_known)(void *arg, const struct conn_key *key), void *arg)
{
	if (stage.kept.token && !is_known(arg, &stage.kept))
		maps_drop_receipt(hooks, &stage.kept);
}

int ring_hear_all(struct hooks *hooks)
{
	(void)hooks;
	stage.walks++;
	return 0;
}

int maps_put_rule(struct hooks *hooks, const struct conn_key *key, const struct conn_rule *rule)
{
	(void)hooks;
	(void)key;
	(void)rule;
	return stage.rule_error;
}

void maps_drop_rule(struct hooks *hooks, const struct conn_key *key)
{
	(void)hooks;
	(void)key;
}

uint8_t maps_find_ttl(struct hooks *hooks, const struct peer_key *key)
{
	(void)hooks;
	(void)key;
	return 0;
}

int stage_begin(void **state)
{
	struct daemon *daemon = &stage.daemon;
	struct elephant_rule rule;

	(void)state;
	memset(&stage, 0, sizeof(stage));
	parts_init(daemon);
	stage.cookie = stage.netns.cookie = STAGE_COOKIE;
	stage.netns.nsid = MONITOR_HOME;
	strcpy(stage.netns.name, "own");
	served_list_insert(&daemon->served, &stage.netns);
	if (settings_init(&daemon->settings) || loop_init(&daemon->loop) || ears_begin(daemon))
		return -1;
	rule = settings_elephant(&daemon->settings);
	return plan_init(&daemon->plan, &rule, 8, 4);
}

int stage_end(void **state)
{
	struct daemon *daemon = &stage.daemon;

	(void)state;
	detector_done(&daemon->detector);
	ears_done(daemon);
	plan_done(&daemon->plan);
	scope_set(&daemon->inquiry.scope, NULL, 0);
	hands_done(&daemon->hands);
	loop_done(&daemon->loop);
	settings_done(&daemon->settings);
	return 0;
}

struct endpoint stage_local(void)
{
	return (struct endpoint){.family = AF_INET, .port = 4000, .v4.s_addr = htonl(0x0a000001)};
}

struct endpoint stage_remote(void)
{
	return (struct endpoint){.family = AF_INET, .port = 80, .v4.s_addr = htonl(0x0a000002)};
}

void stage_connect(void)
{
	struct event event = {
		.kind = EVENT_CREATED,
		.key = {.token = STAGE_TOKEN},
		.local = stage_local(),
		.remote = stage_remote(),
	};

	stage.daemon.monitor.heard(&stage.daemon, MONITOR_HOME, &event);
	event.kind = EVENT_ESTABLISHED;
	stage.daemon.monitor.heard(&stage.daemon, MONITOR_HOME, &event);
}

struct conn *stage_conn(void)
{
	struct conn_key key = {.netns = STAGE_COOKIE, .token = STAGE_TOKEN};

	return conn_find(&stage.daemon.plan.table, &key);
}

void stage_list(uint32_t token, uint32_t uid)
{
	stage.conns[stage.n_conns++] = (struct diag_conn){
		.token = token, .uid = uid, .local = stage_local(), .remote = stage_remote()};
	stage.subflows[stage.n_subflows++] = (struct diag_subflow){
		.token = token, .local = stage_local(), .remote = stage_remote()};
}
