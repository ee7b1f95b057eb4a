/* SPDX-License-Identifier: MIT */
/* The paper's ears: TCP packets of interfaces in promiscuous mode, by libpcap. */
#include "capture.h"

#include "base/log.h"
#include "base/timer.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#define BUFFER_BYTES (4 << 20)
#define WAIT_MS      20         /* packets are heard of together; a threshold so much later */
#define PERIOD_NS    1000000000 /* an interface that cannot be listened on is tried again */
#define PORTION      512        /* packets in one go: the loop has other things to do */
#define FILTER                                                                                     \
	"tcp or ip6 proto 0 or ip6 proto 43 or ip6 proto 44 or ip6 proto 60 or (vlan and tcp)"

static int open_interface(struct capture_interface *interface, char *error, size_t size)
{
	struct bpf_program filter;
	int err, link;

	interface->pcap = pcap_create(interface->name, error);
	if (!interface->pcap)
		return -ENOMEM;
	pcap_set_snaplen(interface->pcap, PACKET_SNAP_BYTES);
	pcap_set_promisc(interface->pcap, 1);
	pcap_set_timeout(interface->pcap, WAIT_MS);
	pcap_set_buffer_size(interface->pcap, BUFFER_BYTES);
	err = pcap_activate(interface->pcap);
	if (err < 0) {
		snprintf(error, size, "%s",
			*pcap_geterr(interface->pcap) ? pcap_geterr(interface->pcap)
						      : pcap_statustostr(err));
		return -EIO;
	}
	link = pcap_datalink(interface->pcap);
	if (link != DLT_EN10MB && link != DLT_RAW && link != DLT_IPV4 && link != DLT_IPV6) {
		snprintf(error, size, "it carries neither Ethernet nor bare IP, but %s",
			pcap_datalink_val_to_name(link) ? pcap_datalink_val_to_name(link) : "?");
		return -EPROTO;
	}
	interface->link = link == DLT_EN10MB ? PACKET_ETHERNET : PACKET_IP;
	err = pcap_compile(interface->pcap, &filter,
		interface->link == PACKET_ETHERNET ? FILTER : "", 1, PCAP_NETMASK_UNKNOWN);
	if (!err) {
		err = pcap_setfilter(interface->pcap, &filter);
		pcap_freecode(&filter);
	}
	if (err || pcap_setnonblock(interface->pcap, 1, error)) {
		snprintf(error, size, "%s", pcap_geterr(interface->pcap));
		return -EIO;
	}
	interface->source.fd = pcap_get_selectable_fd(interface->pcap);
	return loop_add(interface->capture->loop, &interface->source, EPOLLIN);
}

static uint64_t count_dropped(const struct capture_interface *interface)
{
	struct pcap_stat stat;

	return interface->pcap && !pcap_stats(interface->pcap, &stat) ? stat.ps_drop : 0;
}

static void close_interface(struct capture_interface *interface)
{
	if (!interface->pcap)
		return;
	interface->capture->dropped += count_dropped(interface);
	if (interface->source.fd >= 0)
		loop_remove(interface->capture->loop, &interface->source);
	interface->source.fd = -1;
	pcap_close(interface->pcap);
	interface->pcap = NULL;
}

/* Says so once, until it works again. */
static void try_interface(struct capture_interface *interface)
{
	char error[PCAP_ERRBUF_SIZE] = "";
	int err = open_interface(interface, error, sizeof(error));

	if (!err) {
		log_info("listening on %s, in promiscuous mode", interface->name);
		interface->has_complained = false;
		return;
	}
	close_interface(interface);
	if (!interface->has_complained)
		log_warning("[detect] interface = %s cannot be listened on: %s; it is tried again "
			    "every second",
			interface->name, *error ? error : strerror(-err));
	interface->has_complained = true;
}

static void hear(u_char *user, const struct pcap_pkthdr *header, const u_char *bytes)
{
	struct capture_interface *interface = (struct capture_interface *)(void *)user;
	struct capture *capture = interface->capture;
	struct packet packet;
	int err = packet_decode(interface->link, bytes, header->caplen, header->len, &packet);

	if (err == -EBADMSG)
		capture->malformed++;
	if (err)
		return;
	capture->packets++;
	capture->heard(capture->owner, &packet);
}

static void interface_ready(struct source *source, uint32_t events)
{
	struct capture_interface *interface =
		SOURCE_OWNER(source, struct capture_interface, source);
	int n = pcap_dispatch(interface->pcap, PORTION, hear, (u_char *)interface);

	(void)events;
	if (n >= 0)
		return;
	log_warning("%s cannot be listened on any more: %s; it is tried again every second",
		interface->name, pcap_geterr(interface->pcap));
	interface->has_complained = true;
	close_interface(interface);
}

static void timer_ready(struct source *source, uint32_t events)
{
	struct capture *capture = SOURCE_OWNER(source, struct capture, timer);

	(void)events;
	if (!timer_has_expired(source))
		return;
	for (size_t i = 0; i < capture->n_interfaces; i++) {
		if (!capture->interfaces[i].pcap)
			try_interface(&capture->interfaces[i]);
	}
	capture->tick(capture->owner);
}

/* The next name; its length is 0 after the last. */
static size_t next_name(const char **names)
{
	*names += strspn(*names, " \t");
	return strcspn(*names, " \t");
}

int capture_check(const char *names)
{
	size_t n = 0, len;

	for (; (len = next_name(&names)); names += len) {
		if (len >= IFNAMSIZ || ++n > CAPTURE_INTERFACES_MAX || memchr(names, '/', len))
			return -EINVAL;
	}
	return n ? 0 : -EINVAL;
}

static int start_timer(struct capture *capture)
{
	int err;

	capture->timer.ready = timer_ready;
	err = timer_open(&capture->timer, capture->loop);
	return err ? err : timer_repeat(&capture->timer, PERIOD_NS);
}

int capture_init(struct capture *capture, const char *names)
{
	struct capture_interface *interface;
	size_t len;
	int err = start_timer(capture);

	if (err)
		return err;
	for (; (len = next_name(&names)) && capture->n_interfaces < CAPTURE_INTERFACES_MAX;
		names += len) {
		interface = &capture->interfaces[capture->n_interfaces++];
		interface->capture = capture;
		interface->source.fd = -1;
		interface->source.ready = interface_ready;
		memcpy(interface->name, names, len < IFNAMSIZ ? len : IFNAMSIZ - 1);
		try_interface(interface);
	}
	return 0;
}

void capture_done(struct capture *capture)
{
	for (size_t i = 0; i < capture->n_interfaces; i++)
		close_interface(&capture->interfaces[i]);
	timer_close(&capture->timer);
}

uint64_t capture_count_dropped(const struct capture *capture)
{
	uint64_t dropped = capture->dropped;

	for (size_t i = 0; i < capture->n_interfaces; i++)
		dropped += count_dropped(&capture->interfaces[i]);
	return dropped;
}
