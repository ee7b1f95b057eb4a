/* SPDX-License-Identifier: MIT */
/* The network namespaces that the configuration names. */
#include "served.h"

#include "base/log.h"
#include "kernel/claim.h"
#include "kernel/inhabitants.h"
#include "kernel/netns.h"
#include "kernel/pm.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define NAMES_DIR "/run/netns" /* iproute2's */
#define OWN       "own"
#define ALL       "all"
#define BLANKS    " \t"

static void say(struct served_netns *netns, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void say(struct served_netns *netns, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(netns->why, sizeof(netns->why), format, args);
	va_end(args);
}

/* The words of the configuration for sets of namespaces; every other one is a pattern of names. */
static bool is_word(const char *text, size_t len, const char *word)
{
	return len == strlen(word) && !strncmp(text, word, len);
}

static bool is_own_wanted(const struct served *served)
{
	const char *text = served->wanted;
	size_t len;

	for (text += strspn(text, BLANKS); *text; text += len + strspn(text + len, BLANKS)) {
		len = strcspn(text, BLANKS);
		if (is_word(text, len, OWN) || is_word(text, len, ALL))
			return true;
	}
	return false;
}

bool served_wants_unnamed(const char *wanted)
{
	const char *text = wanted;
	size_t len;

	for (text += strspn(text, BLANKS); *text; text += len + strspn(text + len, BLANKS)) {
		len = strcspn(text, BLANKS);
		if (is_word(text, len, ALL))
			return true;
	}
	return false;
}

static bool is_wanted(const struct served *served, const char *name)
{
	const char *text = served->wanted;
	char pattern[NAME_MAX + 1];
	size_t len;

	for (text += strspn(text, BLANKS); *text; text += len + strspn(text + len, BLANKS)) {
		len = strcspn(text, BLANKS);
		if (is_word(text, len, ALL))
			return true;
		if (is_word(text, len, OWN))
			continue;
		snprintf(pattern, sizeof(pattern), "%.*s", (int)len, text);
		if (len < sizeof(pattern) && fnmatch(pattern, name, FNM_NOESCAPE) == 0)
			return true;
	}
	return false;
}

/* Whether somebody else manages the paths of the namespace that the thread is in. */
static bool is_taken(struct served *served, struct served_netns *netns)
{
	struct mnl_socket *socket;
	bool has = false;
	int err;

	err = genl_open(NETLINK_GENERIC, &socket);
	if (!err) {
		err = pm_has_endpoints(socket, &served->monitor->family, &has);
		mnl_socket_close(socket);
	}
	if (err) {
		say(netns, "its MPTCP endpoints cannot be read: %s", strerror(-err));
		return true;
	}
	if (has) {
		say(netns, "the in-kernel path manager has endpoints there; flush them (ip mptcp "
			   "endpoint flush) or set take_over = yes");
		return true;
	}
	err = monitor_has_rival(served->monitor, &has);
	if (err) {
		say(netns,
			"whether another path manager (mptcpd?) listens there is not known: %s; "
			"set take_over = yes if there is none",
			strerror(-err));
		return true;
	}
	if (has) {
		say(netns, "another path manager (mptcpd?) listens there; stop it or set take_over "
			   "= yes");
		return true;
	}
	return false;
}

/* Switches the namespace that the thread is in to the userspace path manager. */
static int switch_over(struct served *served, struct served_netns *netns)
{
	struct guardian_note *note = &netns->note;
	const char *sysctl, *userspace;
	int err;

	sysctl = netns_pm_sysctl(&userspace);
	if (!sysctl) {
		say(netns, "this kernel has no userspace path manager (net.mptcp.pm_type)");
		return -EOPNOTSUPP;
	}
	if (!served->take_over && is_taken(served, netns))
		return -EBUSY;
	err = netns_read_sysctl(sysctl, note->before, sizeof(note->before));
	if (err || !strcmp(note->before, userspace)) /* already: nothing to put back */
		return err;
	snprintf(note->path, sizeof(note->path), "%s", netns->path);
	snprintf(note->sysctl, sizeof(note->sysctl), "%s", sysctl);
	snprintf(note->ours, sizeof(note->ours), "%s", userspace);
	note->cookie = netns->cookie;
	note->inode = netns->inode;
	err = guardian_tell(served->guardian, note);
	if (!err)
		err = netns_write_sysctl(sysctl, userspace);
	if (err)
		*note->sysctl = '\0';
	return err;
}

static int claim(struct served *served, struct served_netns *netns)
{
	int err = served->claims_fd < 0 ? 0 : claim_take(served->claims_fd, netns->cookie);

	if (err == -EBUSY)
		say(netns,
			"another subflowd serves it; stop that one, or name the namespace to one "
			"of them only ([namespaces] serve)");
	return err;
}

/* Whether the thread is there: the number of a process may be another's by now. */
static bool is_inside(const struct served_netns *netns)
{
	struct stat st;

	return stat("/proc/thread-self/ns/net", &st) == 0 && st.st_ino == netns->inode;
}

static int begin(struct served *served, struct served_netns *netns)
{
	char enabled[8] = "1";
	int err = netns_enter(netns->path, 0);

	if (err)
		return err;
	if (netns->is_unnamed && !is_inside(netns)) {
		netns_leave();
		return -ENOENT;
	}
	err = netns_cookie(&netns->cookie);
	/* The id first: without one, nothing of a socket that is made after the switch is heard. */
	if (!err && *netns->path) {
		netns_leave();
		err = netns_assign_id(netns->path, &netns->nsid);
		if (!err)
			err = netns_enter(netns->path, netns->cookie);
		if (err)
			return err;
	}
	if (!err)
		err = claim(served, netns);
	if (!err)
		err = switch_over(served, netns);
	if (!err)
		err = netns_read_sysctl("mptcp/enabled", enabled, sizeof(enabled));
	served_leave(netns);
	if (err)
		return err;
	if (!strcmp(enabled, "0"))
		say(netns, "MPTCP is off there (sysctl net.mptcp.enabled=1)");
	return served->begun(served->owner, netns);
}

/* For good: nothing there is to be put back, and another daemon may have it. */
static void disown(struct served *served, struct served_netns *netns)
{
	if (*netns->note.sysctl) {
		*netns->note.sysctl = '\0';
		guardian_tell(served->guardian, &netns->note);
	}
	if (netns->cookie && served->claims_fd >= 0)
		claim_drop(served->claims_fd, netns->cookie);
}

/* What begin() has done before it failed. */
static void retreat(struct served *served, struct served_netns *netns)
{
	if (*netns->note.sysctl && netns_enter(netns->path, netns->cookie) == 0) {
		netns_write_sysctl(netns->note.sysctl, netns->note.before);
		served_leave(netns);
	}
	disown(served, netns);
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
	netns->inode = inode;
	netns->is_unnamed = is_unnamed;
	netns->nsid = MONITOR_HOME;
	netns->state = SERVED_ALONE;
	err = begin(served, netns);
	if (err)
		retreat(served, netns);
	/* Gone again, or not mounted yet; or the process is, and nothing would tell of the end. */
	if (err == -ENOENT || err == -EINVAL ||
		(err && is_unnamed && (err == -ESTALE || netns->nsid == MONITOR_HOME))) {
		free(netns);
		return;
	}
	TAILQ_INSERT_TAIL(&served->list, netns, entry);
	served->count++;
	if (!err) {
		netns->state = SERVED_YES;
		log_info("serving network namespace %s%s%s", name, *netns->why ? "; " : "",
			netns->why);
		served->serving(served->owner, netns);
		return;
	}
	if (!*netns->why)
		say(netns, "%s", strerror(-err));
	log_warning("leaving network namespace %s alone: %s", name, netns->why);
	served->left(served->owner, netns);
}

static void drop(struct served *served, struct served_netns *netns)
{
	TAILQ_REMOVE(&served->list, netns, entry);
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
		disown(served, netns);
		drop(served, netns);
		return;
	}
	/* RTM_DELNSID will tell of its end. */
	netns->state = SERVED_VANISHED;
	say(netns, "it has no name any more, so it cannot be entered");
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
	TAILQ_FOREACH (netns, &served->list, entry) {
		if (netns->inode == inode &&
			((netns->state != SERVED_VANISHED && !netns->is_unnamed) ||
				!take_name(served, netns, name, path, false)))
			return;
	}
	if (!is_wanted(served, name))
		return;
	if (inode == served->own)
		add(served, OWN, "", inode, false);
	else
		add(served, name, path, inode, false);
}

static void scan(struct served *served)
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
	served_look(served);
}

/* As consider(), of the namespace that a process is in. */
static bool visit(void *arg, const char *path, ino_t inode)
{
	struct served *served = arg;
	struct served_netns *netns;
	char name[SERVED_NAME_MAX];

	if (inode == served->own)
		return true;
	snprintf(name, sizeof(name), "net:[%llu]", (unsigned long long)inode);
	TAILQ_FOREACH (netns, &served->list, entry) {
		if (netns->inode == inode && (netns->state != SERVED_VANISHED ||
						     !take_name(served, netns, name, path, true)))
			return true;
	}
	add(served, name, path, inode, true);
	return true;
}

void served_look(struct served *served)
{
	uint32_t hidden;
	int err;

	if (!served_wants_unnamed(served->wanted))
		return;
	err = inhabitants_each(visit, served, &hidden);
	if (err) {
		log_warning("/proc: %s; namespaces without a name are not found", strerror(-err));
	} else if (hidden && !served->has_said_hidden) {
		served->has_said_hidden = true;
		log_warning("%u processes may not be looked at: namespaces that have no name and "
			    "no other process are not found; grant CAP_SYS_PTRACE",
			hidden);
	}
}

int served_enter(struct served_netns *netns)
{
	char path[INHABITANTS_PATH_MAX];
	int err = netns_enter(netns->path, netns->cookie);

	if (!err || !netns->is_unnamed || inhabitants_find(netns->inode, path))
		return err;
	err = netns_enter(path, netns->cookie);
	if (!err)
		snprintf(netns->path, sizeof(netns->path), "%s", path);
	return err;
}

void served_leave(const struct served_netns *netns)
{
	if (*netns->path)
		netns_leave();
}

static void mounts_changed(struct source *source, uint32_t events)
{
	(void)events;
	scan(SOURCE_OWNER(source, struct served, mounts));
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
	err = loop_add(loop, &served->mounts, EPOLLPRI);
	if (err)
		return err;
	if (stat("/proc/self/ns/net", &own) < 0)
		return -errno;
	served->own = own.st_ino;
	served_rescan(served);
	return 0;
}

void served_rescan(struct served *served)
{
	if (is_own_wanted(served) && !served_find_id(served, MONITOR_HOME))
		add(served, OWN, "", served->own, false);
	scan(served);
}

void served_done(struct served *served)
{
	struct served_netns *netns;

	/* The guardian has the claims too, until it has put everything back. */
	while ((netns = TAILQ_FIRST(&served->list)))
		drop(served, netns);
	if (served->mounts.fd >= 0)
		close(served->mounts.fd);
	if (served->claims_fd >= 0)
		close(served->claims_fd);
	served->mounts.fd = served->claims_fd = -1;
}

struct served_netns *served_find(struct served *served, uint64_t cookie)
{
	struct served_netns *netns;

	TAILQ_FOREACH (netns, &served->list, entry) {
		if (netns->cookie == cookie)
			return netns;
	}
	return NULL;
}

struct served_netns *served_find_live(struct served *served, uint64_t cookie)
{
	struct served_netns *netns = served_find(served, cookie);

	return netns && netns->state == SERVED_YES ? netns : NULL;
}

struct served_netns *served_find_id(struct served *served, int nsid)
{
	struct served_netns *netns;

	TAILQ_FOREACH (netns, &served->list, entry) {
		if (netns->nsid == nsid && (nsid != MONITOR_HOME || !*netns->path))
			return netns;
	}
	return NULL;
}

/* The id of one that has ended may be another's already when that is told. */
static bool is_there(struct served_netns *netns)
{
	if (!netns->cookie || served_enter(netns))
		return false;
	served_leave(netns);
	return true;
}

void served_end(struct served *served, int nsid)
{
	struct served_netns *netns = served_find_id(served, nsid);
	char name[SERVED_NAME_MAX];
	bool is_unnamed;

	if (!netns || is_there(netns))
		return;
	is_unnamed = netns->is_unnamed;
	log_info("network namespace %s has ended", netns->name);
	snprintf(name, sizeof(name), "%s", netns->name);
	disown(served, netns);
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
