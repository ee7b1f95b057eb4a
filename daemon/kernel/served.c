/* SPDX-License-Identifier: MIT */
/* The network namespaces that the configuration names, as they come and go. */
#include "served.h"

#include "base/log.h"
#include "kernel/inhabitants.h"
#include "kernel/netns.h"
#include "kernel/served_list.h"
#include "kernel/takeover.h"
#include "kernel/wanted.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/vfs.h>
#include <unistd.h>

#define NAMES_DIR "/run/netns" /* iproute2's */
#define OWN       "own"

/* Another path manager that has gone may be back soon: it is being restarted, or its endpoints are
 * being replaced. */
#define LOOK_NS 5000000000ull

/* Of the time goes into looking for new ones: one part in so many. Whoever may make namespaces can
 * have them looked for. */
#define REST_TIMES 10

void served_say(struct served_netns *netns, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(netns->why, sizeof(netns->why), format, args);
	va_end(args);
}

static int begin(struct served *served, struct served_netns *netns)
{
	int err = takeover_begin(served, netns);

	if (!err)
		err = served->begun(served->owner, netns);
	if (err)
		takeover_undo(served, netns);
	if (err && !*netns->why)
		served_say(netns, "%s", strerror(-err));
	return err;
}

static void serve(struct served *served, struct served_netns *netns)
{
	netns->state = SERVED_YES;
	log_info("serving network namespace %s%s%s", netns->name, *netns->why ? "; " : "",
		netns->why);
	served->serving(served->owner, netns);
}

static void leave_alone(struct served *served, const struct served_netns *netns)
{
	log_warning("leaving network namespace %s alone: %s", netns->name, netns->why);
	served->left(served->owner, netns);
}

static void add(
	struct served *served, const char *name, const char *path, ino_t inode, bool is_unnamed)
{
	struct served_netns *netns = NULL;
	int err;

	if (served->count < SERVED_MAX)
		netns = calloc(1, sizeof(*netns));
	if (!netns) {
		served->refused++;
		return;
	}
	snprintf(netns->name, sizeof(netns->name), "%s", name);
	snprintf(netns->path, sizeof(netns->path), "%s", path);
	netns->served = served;
	netns->inode = inode;
	netns->is_unnamed = is_unnamed;
	netns->nsid = MONITOR_HOME;
	netns->state = SERVED_ALONE;
	err = begin(served, netns);
	/* Gone again, or not mounted yet; or the process is, and nothing would tell of the end. */
	if (err == -ENOENT || err == -EINVAL ||
		(err && is_unnamed && (err == -ESTALE || netns->nsid == MONITOR_HOME))) {
		free(netns);
		return;
	}
	served_list_insert(served, netns);
	served->count++;
	if (err)
		leave_alone(served, netns);
	else
		serve(served, netns);
}

static bool is_there(struct served_netns *netns)
{
	if (served_enter(netns))
		return false;
	served_leave(netns);
	return true;
}

/* One that was left alone: what was in the way may have gone. */
static void try_again(struct served *served, struct served_netns *netns)
{
	char why[SERVED_WHY_MAX];
	int err;

	/* Of one that could not even be entered it is not known which it is. */
	if (netns->cookie && !is_there(netns))
		return;
	snprintf(why, sizeof(why), "%s", netns->why);
	*netns->why = '\0';
	served_list_hide(netns);
	err = begin(served, netns);
	served_list_show(served, netns);
	if (!err)
		serve(served, netns);
	else if (strcmp(netns->why, why))
		leave_alone(served, netns);
}

static void drop(struct served *served, struct served_netns *netns)
{
	served_list_remove(served, netns);
	served->count--;
	if (netns->cookie)
		served->ended(served->owner, netns);
	free(netns);
}

/* The name is gone, or names another namespace now. */
static void lose_name(struct served *served, struct served_netns *netns)
{
	log_info("network namespace %s has lost its name", netns->name);
	if (netns->state == SERVED_ALONE || netns->nsid < 0) {
		takeover_forget(served, netns);
		drop(served, netns);
		return;
	}
	/* RTM_DELNSID will tell of its end. */
	netns->state = SERVED_VANISHED;
	served_say(netns, "it has no name any more, so it cannot be entered");
	served->vanished(served->owner, netns);
}

/* One that has lost its name has another one. The inode number may be a younger namespace's. */
static int take_name(struct served *served, struct served_netns *netns, const char *name,
	const char *path, bool is_unnamed)
{
	struct guardian_note note = netns->note;
	int err = netns_enter(path, netns->cookie);

	if (err)
		return err;
	netns_leave();
	snprintf(note.path, sizeof(note.path), "%s", path);
	if (*note.sysctl) {
		err = guardian_tell(served->guardian, &note);
		if (err)
			return err;
	}
	log_info("network namespace %s is %s now", netns->name, name);
	snprintf(netns->name, sizeof(netns->name), "%s", name);
	snprintf(netns->path, sizeof(netns->path), "%s", path);
	netns->is_unnamed = is_unnamed;
	netns->note = note;
	netns->state = SERVED_YES;
	*netns->why = '\0';
	return 0;
}

static int stat_name(const char *name, char path[GUARDIAN_PATH_MAX], ino_t *ret_inode)
{
	struct statfs fs;
	struct stat st;

	snprintf(path, GUARDIAN_PATH_MAX, "%s/%s", NAMES_DIR, name);
	if (stat(path, &st) < 0 || statfs(path, &fs) < 0)
		return -ENOENT;
	if (fs.f_type != NSFS_MAGIC)
		return -EINVAL;
	*ret_inode = st.st_ino;
	return 0;
}

/* What is served stays so under any name; what is not has to be wanted by this one. */
static void consider(struct served *served, const char *name)
{
	struct served_netns *netns;
	char path[GUARDIAN_PATH_MAX];
	ino_t inode;

	if (stat_name(name, path, &inode))
		return;
	LIST_FOREACH (netns, served_list_of_inode(served, inode), by_inode) {
		if (netns->inode == inode &&
			((netns->state != SERVED_VANISHED && !netns->is_unnamed) ||
				!take_name(served, netns, name, path, false)))
			return;
	}
	if (!wanted_has_name(served->wanted, name))
		return;
	if (inode == served->own)
		add(served, OWN, "", inode, false);
	else
		add(served, name, path, inode, false);
}

static int read_inhabitants(struct served *served, struct inhabitants *ret_inhabitants)
{
	int err = inhabitants_read(served->own, ret_inhabitants);

	if (err) {
		log_warning("/proc: %s; namespaces without a name are not found", strerror(-err));
	} else if (ret_inhabitants->hidden && !served->has_said_hidden) {
		served->has_said_hidden = true;
		log_warning("%u processes may not be looked at: namespaces that have no name and "
			    "no other process are not found; grant CAP_SYS_PTRACE",
			ret_inhabitants->hidden);
	}
	return err;
}

static void name_by_inode(char name[SERVED_NAME_MAX], ino_t inode)
{
	snprintf(name, SERVED_NAME_MAX, "net:[%llu]", (unsigned long long)inode);
}

/* Those of the list that somebody is in; the process by which they were found may have gone. */
static void mark_known(struct served *served, const struct inhabitants *inhabitants)
{
	struct served_netns *netns;
	struct inhabited *inhabited;
	char name[SERVED_NAME_MAX];

	TAILQ_FOREACH (netns, &served->list, entry) {
		inhabited = inhabitants_of(inhabitants, netns->inode);
		if (!inhabited)
			continue;
		if (netns->state == SERVED_VANISHED) {
			name_by_inode(name, netns->inode);
			inhabited->is_known |=
				!take_name(served, netns, name, inhabited->path, true);
			continue;
		}
		inhabited->is_known = true;
		if (netns->is_unnamed)
			snprintf(netns->path, sizeof(netns->path), "%s", inhabited->path);
	}
}

/* Those without a name, by all processes that there are. */
static void look_at_processes(struct served *served)
{
	struct inhabitants inhabitants;
	char name[SERVED_NAME_MAX];

	if (!wanted_has_unnamed(served->wanted) || read_inhabitants(served, &inhabitants))
		return;
	mark_known(served, &inhabitants);
	for (size_t i = 0; i < inhabitants.n; i++) {
		const struct inhabited *inhabited = &inhabitants.list[i];

		name_by_inode(name, inhabited->inode);
		if (!inhabited->is_known)
			add(served, name, inhabited->path, inhabited->inode, true);
	}
	inhabitants_done(&inhabitants);
}

static void look_at_names(struct served *served)
{
	struct served_netns *netns, *next;
	char path[GUARDIAN_PATH_MAX];
	struct dirent *entry;
	ino_t inode;
	DIR *dir;

	for (netns = TAILQ_FIRST(&served->list); netns; netns = next) {
		next = TAILQ_NEXT(netns, entry);
		if (!*netns->path || netns->is_unnamed || netns->state == SERVED_VANISHED)
			continue;
		if (stat_name(netns->name, path, &inode) || inode != netns->inode)
			lose_name(served, netns);
	}
	dir = opendir(NAMES_DIR);
	while (dir && (entry = readdir(dir))) {
		if (*entry->d_name != '.')
			consider(served, entry->d_name);
	}
	if (dir)
		closedir(dir);
}

/* For what is due first. */
static void wait_for_rest(struct served *served)
{
	const struct served_rest *names = &served->names, *first = &served->processes;
	struct itimerspec when = {};

	if (names->is_due && (!first->is_due || names->until_ns < first->until_ns))
		first = names;
	if (!first->is_due)
		return;
	when.it_value.tv_sec = first->until_ns / 1000000000;
	when.it_value.tv_nsec = first->until_ns % 1000000000;
	timerfd_settime(served->rest.fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void rest_from(struct served_rest *rest, uint64_t cpu_ns)
{
	rest->until_ns = loop_now_ns() + REST_TIMES * (loop_cpu_ns() - cpu_ns);
}

static void look_if_due(
	struct served *served, struct served_rest *rest, void (*look)(struct served *served))
{
	uint64_t cpu_ns;

	if (!rest->is_due || loop_now_ns() < rest->until_ns)
		return;
	rest->is_due = false;
	cpu_ns = loop_cpu_ns();
	look(served);
	rest_from(rest, cpu_ns);
}

/* What has to wait is not forgotten. */
static void look(struct served *served)
{
	look_if_due(served, &served->names, look_at_names);
	look_if_due(served, &served->processes, look_at_processes);
	wait_for_rest(served);
}

static void rest_over(struct source *source, uint32_t events)
{
	struct served *served = SOURCE_OWNER(source, struct served, rest);
	uint64_t expirations;

	(void)events;
	if (read(source->fd, &expirations, sizeof(expirations)) > 0)
		look(served);
}

void served_look(struct served *served)
{
	served->processes.is_due = true;
	look(served);
}

/* Adds none, and drops none: whoever enters one may be going through the list. */
static int find_ways(struct served *served)
{
	struct inhabitants inhabitants;
	uint64_t cpu_ns;
	int err;

	if (loop_now_ns() < served->processes.until_ns) {
		served->processes.is_due = true;
		wait_for_rest(served);
		return -EAGAIN;
	}
	cpu_ns = loop_cpu_ns();
	err = read_inhabitants(served, &inhabitants);
	if (!err) {
		mark_known(served, &inhabitants);
		inhabitants_done(&inhabitants);
	}
	rest_from(&served->processes, cpu_ns);
	return err;
}

int served_enter(struct served_netns *netns)
{
	int err = netns_enter(netns->path, netns->cookie);

	if (!err || !netns->is_unnamed)
		return err;
	err = find_ways(netns->served);
	return err ? err : netns_enter(netns->path, netns->cookie);
}

void served_leave(const struct served_netns *netns)
{
	if (*netns->path)
		netns_leave();
}

static void mounts_changed(struct source *source, uint32_t events)
{
	struct served *served = SOURCE_OWNER(source, struct served, mounts);

	(void)events;
	served->names.is_due = true;
	served_look(served);
}

static void look_for_all(struct served *served)
{
	if (wanted_has_own(served->wanted) && !served_find_id(served, MONITOR_HOME))
		add(served, OWN, "", served->own, false);
	look_at_names(served);
	look_at_processes(served);
}

int served_init(struct served *served, struct loop *loop)
{
	struct stat own;
	int err;

	TAILQ_INIT(&served->list);
	served->loop = loop;
	served->mounts.ready = mounts_changed;
	served->mounts.fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	if (served->mounts.fd < 0)
		return -errno;
	served->rest.ready = rest_over;
	served->rest.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (served->rest.fd < 0)
		return -errno;
	err = loop_add(loop, &served->mounts, EPOLLPRI);
	if (!err)
		err = loop_add(loop, &served->rest, EPOLLIN);
	if (err)
		return err;
	if (stat("/proc/self/ns/net", &own) < 0)
		return -errno;
	served->own = own.st_ino;
	look_for_all(served);
	return 0;
}

/* By a name that the daemon's own namespace has as well. */
static bool has_wanted_name(const struct served *served)
{
	char path[GUARDIAN_PATH_MAX];
	struct dirent *entry;
	bool has = false;
	ino_t inode;
	DIR *dir;

	dir = opendir(NAMES_DIR);
	while (dir && !has && (entry = readdir(dir)))
		has = wanted_has_name(served->wanted, entry->d_name) &&
		      !stat_name(entry->d_name, path, &inode) && inode == served->own;
	if (dir)
		closedir(dir);
	return has;
}

static bool is_wanted(const struct served *served, const struct served_netns *netns)
{
	if (!*netns->path)
		return wanted_has_own(served->wanted) || has_wanted_name(served);
	return netns->is_unnamed ? wanted_has_unnamed(served->wanted)
				 : wanted_has_name(served->wanted, netns->name);
}

void served_rescan(struct served *served)
{
	struct served_netns *netns, *next;

	served->processes.until_ns = 0; /* an operator does not wait */
	for (netns = TAILQ_FIRST(&served->list); netns; netns = next) {
		next = TAILQ_NEXT(netns, entry);
		if (netns->state == SERVED_ALONE && is_wanted(served, netns))
			try_again(served, netns);
	}
	look_for_all(served);
}

void served_look_again(struct served *served, struct served_netns *netns, uint64_t now_ns)
{
	bool was_free = netns->is_free;

	if (!netns->is_taken || now_ns - netns->looked_ns < LOOK_NS)
		return;
	netns->looked_ns = now_ns;
	netns->is_free = takeover_is_free(served, netns);
	if (netns->is_free && was_free)
		try_again(served, netns);
}

void served_done(struct served *served)
{
	struct served_netns *netns;

	/* The guardian has the claims too, until it has put everything back. */
	while ((netns = TAILQ_FIRST(&served->list)))
		drop(served, netns);
	if (served->mounts.fd >= 0)
		close(served->mounts.fd);
	if (served->rest.fd >= 0)
		close(served->rest.fd);
	if (served->claims_fd >= 0)
		close(served->claims_fd);
	served->mounts.fd = served->rest.fd = served->claims_fd = -1;
}

/*
 * The id of one that has ended may be another's already when that is told: of one that is later in
 * the list, or of any. Where nobody has it, nobody is looked for.
 */
static bool has_ended(struct served_netns *netns)
{
	struct served_netns *later = netns;
	int err = netns_enter(netns->path, netns->cookie);

	if (!err) {
		served_leave(netns);
		return false;
	}
	while ((later = TAILQ_NEXT(later, entry))) {
		if (later->nsid == netns->nsid)
			return true;
	}
	if (!netns_has_id(netns->nsid))
		return true;
	err = served_enter(netns);
	if (!err)
		served_leave(netns);
	return err && err != -EAGAIN;
}

void served_end(struct served *served, int nsid)
{
	struct served_netns *netns = served_find_id(served, nsid);
	char name[SERVED_NAME_MAX];
	bool is_unnamed;

	if (!netns || !has_ended(netns))
		return;
	is_unnamed = netns->is_unnamed;
	log_info("network namespace %s has ended", netns->name);
	snprintf(name, sizeof(name), "%s", netns->name);
	takeover_forget(served, netns);
	drop(served, netns);
	/* Another one may have its name, and its inode number, and so have been taken for it. */
	if (is_unnamed)
		served_look(served);
	else
		consider(served, name);
}

int served_tell_all(struct served *served)
{
	struct served_netns *netns;
	int err = 0;

	TAILQ_FOREACH (netns, &served->list, entry) {
		if (*netns->note.sysctl && !err)
			err = guardian_tell(served->guardian, &netns->note);
	}
	return err;
}
