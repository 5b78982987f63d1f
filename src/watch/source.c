/*
 * watch/source.c: see source.h.
 *
 * Files are merged by a heap of those that are open, by the time of each
 * one's next packet.  The others wait in order of their first packets, for
 * which each plain file is opened and closed once at the start: rotated files
 * then never share the heap, and a file that is alone in it costs nothing.
 *
 * libpcap gives out a packet in its own buffer, one for each file, so that
 * none is copied: a file is asked for its next packet only when the program
 * is done with the one before.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "watch/source.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "watch/input.h"

#define BUFFER (64u << 10)	/* twice that leaves a core's cache */
#define BUFFER_PEEK (4u << 10)	/* is enough for a first packet */
#define SNAPLEN 65535
#define WAIT_MS 100
#define NS_PER_S INT64_C(1000000000)
#define LAST_S INT64_C(9000000000)	/* in the year 2255; fits in int64_t */

struct stream {
	const char *name;
	pcap_t *pcap;		/* NULL: not open */
	struct input input;
	int64_t ts_ns;		/* of `data`, or of what will be read first */
	const uint8_t *data;	/* the next packet */
	uint32_t len, wire_len;
	uint32_t index;
	int link;
	int tick_ns;		/* of libpcap's tv_usec */
	bool is_plain;		/* can be opened twice */
	uint64_t good;		/* packets given out */
	uint64_t last;		/* the latest one's number in the whole run */
};

struct source {
	struct stream *stream;
	size_t count;
	size_t peeked;		/* those before it had their first look */
	struct stream **later;	/* by time of the first packet */
	size_t later_count, later_next;
	struct stream **heap;	/* open ones, by time of the next packet */
	size_t heap_count;
	struct stream *current;	/* whose packet the program has */
	uint64_t number;
	uint64_t bytes_done;	/* of files that are closed */
	uint64_t bytes_all;
	size_t failures;
	bool is_live;
	uint32_t last_recv, last_drop, last_ifdrop;	/* they wrap */
	struct source_drops drops;
	char error[SOURCE_ERROR_MAX];
};

enum step { STEP_PACKET, STEP_END, STEP_FAILED, STEP_IDLE };

/* ---- one file ---- */

static void
stream_close(struct source *s, struct stream *st)
{
	if (st->pcap == NULL)
		return;
	pcap_close(st->pcap);
	st->pcap = NULL;
	input_release(&st->input);
	s->bytes_done += st->input.bytes_read;
}

/* "x.pcap: is truncated after packet 17; 9 packets of it were good (why)" */
static enum step
stream_fail(struct source *s, struct stream *st, const char *what,
    const char *why)
{
	int n = snprintf(s->error, sizeof(s->error), "%s: %s", st->name, what);
	size_t at = n < 0 ? 0 : (size_t)n;

	if (st->good > 0 && at < sizeof(s->error))
		at += (size_t)snprintf(s->error + at, sizeof(s->error) - at,
		    " after packet %" PRIu64 "; %" PRIu64
		    " packet%s of it %s good", st->last, st->good,
		    st->good == 1 ? "" : "s", st->good == 1 ? "was" : "were");
	if (why != NULL && at < sizeof(s->error))
		snprintf(s->error + at, sizeof(s->error) - at, " (%s)", why);
	s->failures++;
	return STEP_FAILED;
}

static bool
begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* libpcap has no codes for these, only words. */
static enum step
fail_as_pcap_says(struct source *s, struct stream *st, const char *why)
{
	const char *what = "is corrupt";

	if (s->is_live)
		return stream_fail(s, st, "cannot be watched any more", why);
	if (st->input.why != NULL)
		return stream_fail(s, st, "cannot be read", st->input.why);
	if (begins(why, "truncated"))
		what = "is truncated";
	else if (begins(why, "unknown file format"))
		what = "is not a capture";
	else if (strstr(why, "of the first interface") != NULL)
		what = "has interfaces that differ, which is not read: "
		    "split it";
	return stream_fail(s, st, what, why);
}

static enum step
stream_open(struct source *s, struct stream *st, size_t buffer)
{
	char why[PCAP_ERRBUF_SIZE];
	FILE *file = input_open(&st->input, st->name, buffer);

	if (file == NULL)
		return stream_fail(s, st, "cannot be opened", strerror(errno));
	st->pcap = pcap_fopen_offline_with_tstamp_precision(file,
	    PCAP_TSTAMP_PRECISION_NANO, why);
	if (st->pcap != NULL) {
		st->link = pcap_datalink(st->pcap);
		st->tick_ns = 1;
		return STEP_PACKET;
	}
	if (st->input.bytes_read == 0 && st->input.why == NULL)
		stream_fail(s, st, "is empty", "not a capture");
	else
		fail_as_pcap_says(s, st, why);
	fclose(file);
	input_release(&st->input);
	s->bytes_done += st->input.bytes_read;
	return STEP_FAILED;
}

/* From a file's own fields, which may say anything. */
static int64_t
time_ns(const struct timeval *tv, int tick_ns)
{
	int64_t s = tv->tv_sec, ns = tv->tv_usec;

	if (s < 0)
		s = 0;
	if (s > LAST_S)
		s = LAST_S;
	if (ns < 0 || ns >= NS_PER_S / tick_ns)
		ns = 0;
	return s * NS_PER_S + ns * tick_ns;
}

static enum step
stream_next(struct source *s, struct stream *st)
{
	struct pcap_pkthdr *header;
	int result = pcap_next_ex(st->pcap, &header, &st->data);

	if (result == 1) {
		st->ts_ns = time_ns(&header->ts, st->tick_ns);
		st->len = header->caplen;
		st->wire_len = header->len;
		return STEP_PACKET;
	}
	if (result == 0)
		return STEP_IDLE;
	if (result == PCAP_ERROR_BREAK)
		return STEP_END;
	return fail_as_pcap_says(s, st, pcap_geterr(st->pcap));
}

/* ---- several files ---- */

static bool
is_before(const struct stream *a, const struct stream *b)
{
	if (a->ts_ns != b->ts_ns)
		return a->ts_ns < b->ts_ns;
	return a->index < b->index;
}

static int
by_time(const void *a, const void *b)
{
	const struct stream *const *x = a, *const *y = b;

	return is_before(*x, *y) ? -1 : 1;
}

/* Its packet is a later one than before; the earliest comes to the top. */
static void
heap_sink(struct source *s, size_t at)
{
	struct stream **heap = s->heap, *moved = heap[at];
	size_t child;

	while ((child = 2 * at + 1) < s->heap_count) {
		if (child + 1 < s->heap_count &&
		    is_before(heap[child + 1], heap[child]))
			child++;
		if (is_before(moved, heap[child]))
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = moved;
}

static void
heap_add(struct source *s, struct stream *st)
{
	size_t at = s->heap_count++, parent;

	for (; at > 0; at = parent) {
		parent = (at - 1) / 2;
		if (is_before(s->heap[parent], st))
			break;
		s->heap[at] = s->heap[parent];
	}
	s->heap[at] = st;
}

static void
heap_remove_top(struct source *s)
{
	s->heap[0] = s->heap[--s->heap_count];
	if (s->heap_count > 0)
		heap_sink(s, 0);
}

/* Opens it and reads a packet; closed again unless there is one. */
static enum step
begin(struct source *s, struct stream *st, size_t buffer)
{
	enum step step = stream_open(s, st, buffer);

	if (step == STEP_PACKET && (step = stream_next(s, st)) != STEP_PACKET)
		stream_close(s, st);
	return step;
}

/* When does it begin?  A lone file, or a pipe, just begins. */
static enum step
peek(struct source *s, struct stream *st)
{
	bool stays = s->count == 1 || !st->is_plain;
	enum step step = begin(s, st, stays ? BUFFER : BUFFER_PEEK);

	if (step != STEP_PACKET)
		return step;
	if (stays) {
		heap_add(s, st);
		return step;
	}
	stream_close(s, st);
	s->bytes_done -= st->input.bytes_read;	/* will be read again */
	s->later[s->later_count++] = st;
	return step;
}

static enum step
peek_all(struct source *s)
{
	while (s->peeked < s->count)
		if (peek(s, &s->stream[s->peeked++]) == STEP_FAILED)
			return STEP_FAILED;
	if (s->later_count > 1)
		qsort(s->later, s->later_count, sizeof(s->later[0]), by_time);
	return STEP_END;
}

/* Files whose first packet is not behind the earliest one that is open. */
static enum step
open_due(struct source *s)
{
	struct stream *st;

	while (s->later_next < s->later_count) {
		st = s->later[s->later_next];
		if (s->heap_count > 0 && is_before(s->heap[0], st))
			return STEP_END;
		s->later_next++;
		switch (begin(s, st, BUFFER)) {
		case STEP_PACKET:
			heap_add(s, st);
			break;
		case STEP_FAILED:
			return STEP_FAILED;
		case STEP_END:
		case STEP_IDLE:
			break;
		}
	}
	return STEP_END;
}

/* The program is done with the packet: the same file's next one. */
static enum step
advance(struct source *s)
{
	struct stream *st = s->current;
	enum step step;

	s->current = NULL;
	if (st == NULL)
		return STEP_END;
	step = stream_next(s, st);
	if (step == STEP_PACKET) {
		heap_sink(s, 0);
		return step;
	}
	heap_remove_top(s);
	stream_close(s, st);
	return step;
}

static enum source_result
give(struct source *s, struct stream *st, struct packet *out)
{
	st->good++;
	st->last = ++s->number;
	s->current = st;
	*out = (struct packet) {
		.number = st->last, .ts_ns = st->ts_ns, .data = st->data,
		.len = st->len, .wire_len = st->wire_len, .file = st->index,
		.link = st->link,
	};
	return SOURCE_PACKET;
}

static enum source_result
next_of_files(struct source *s, struct packet *out)
{
	if (advance(s) == STEP_FAILED)
		return SOURCE_FAILED;
	if (s->peeked < s->count && peek_all(s) == STEP_FAILED)
		return SOURCE_FAILED;
	if (s->later_next < s->later_count && open_due(s) == STEP_FAILED)
		return SOURCE_FAILED;
	if (s->heap_count == 0)
		return SOURCE_END;
	return give(s, s->heap[0], out);
}

/* ---- an interface ---- */

/* "eth0: why (more)": libpcap has a code, and sometimes words. */
static void
say_live(char error[SOURCE_ERROR_MAX], const char *interface, pcap_t *pcap,
    int status)
{
	const char *more = pcap != NULL ? pcap_geterr(pcap) : "";
	const char *why = pcap_statustostr(status);

	if (status == PCAP_ERROR)
		snprintf(error, SOURCE_ERROR_MAX, "%s: %s", interface, more);
	else if (more[0] == '\0')
		snprintf(error, SOURCE_ERROR_MAX, "%s: %s", interface, why);
	else
		snprintf(error, SOURCE_ERROR_MAX, "%s: %s (%s)", interface,
		    why, more);
}

/* 0, or a status of libpcap's; warnings (no promiscuous mode, say) are 0. */
static int
activate(pcap_t *pcap, unsigned buffer_mib)
{
	int status;

	pcap_set_snaplen(pcap, SNAPLEN);
	pcap_set_promisc(pcap, 1);
	pcap_set_timeout(pcap, WAIT_MS);
	pcap_set_immediate_mode(pcap, 0);
	/* Fails where only microseconds are to be had: tick_ns. */
	pcap_set_tstamp_precision(pcap, PCAP_TSTAMP_PRECISION_NANO);
	if (buffer_mib > 2047)
		buffer_mib = 2047;	/* it is an int of bytes */
	if (buffer_mib > 0)
		pcap_set_buffer_size(pcap, (int)(buffer_mib << 20));
	status = pcap_activate(pcap);
	return status < 0 ? status : 0;
}

static int
set_filter(pcap_t *pcap, const char *filter)
{
	struct bpf_program program;
	int status;

	if (filter == NULL)
		return 0;
	status = pcap_compile(pcap, &program, filter, 1, PCAP_NETMASK_UNKNOWN);
	if (status < 0)
		return status;
	status = pcap_setfilter(pcap, &program);
	pcap_freecode(&program);
	return status;
}

static pcap_t *
open_interface(const char *interface, const char *filter, unsigned buffer_mib,
    char error[SOURCE_ERROR_MAX])
{
	char why[PCAP_ERRBUF_SIZE] = "";
	pcap_t *pcap = pcap_create(interface, why);
	int status;

	if (pcap == NULL) {
		snprintf(error, SOURCE_ERROR_MAX, "%s: %s", interface, why);
		return NULL;
	}
	if ((status = activate(pcap, buffer_mib)) < 0 ||
	    (status = set_filter(pcap, filter)) < 0)
		say_live(error, interface, pcap, status);
	else if ((status = pcap_setnonblock(pcap, 1, why)) < 0)
		snprintf(error, SOURCE_ERROR_MAX, "%s: %s", interface, why);
	if (status == 0)
		return pcap;
	pcap_close(pcap);
	return NULL;
}

/*
 * libpcap waits for it to come up again.  A sensor that sees nothing says so
 * instead, and whoever keeps it running starts it again.  ("any" has no flags
 * to ask for, and is never down.)
 */
static bool
is_down(const struct stream *st)
{
	struct ifreq ask = { 0 };

	snprintf(ask.ifr_name, sizeof(ask.ifr_name), "%s", st->name);
	return ioctl(pcap_fileno(st->pcap), SIOCGIFFLAGS, &ask) == 0 &&
	    (ask.ifr_flags & IFF_UP) == 0;
}

static enum source_result
next_of_interface(struct source *s, struct packet *out)
{
	struct stream *st = &s->stream[0];
	enum step step;

	if (st->pcap == NULL)
		return SOURCE_END;
	step = stream_next(s, st);
	if (step == STEP_IDLE && is_down(st))
		step = stream_fail(s, st, "went down", NULL);
	switch (step) {
	case STEP_PACKET:
		return give(s, st, out);
	case STEP_IDLE:
		return SOURCE_IDLE;
	case STEP_FAILED:
		source_dropped(s);	/* while the kernel still knows */
		stream_close(s, st);
		return SOURCE_FAILED;
	case STEP_END:
		break;
	}
	return SOURCE_END;
}

/* ---- both ---- */

static struct source *
source_new(size_t n)
{
	struct source *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->count = n;
	s->stream = calloc(n + 1, sizeof(s->stream[0]));
	s->later = calloc(n + 1, sizeof(s->later[0]));
	s->heap = calloc(n + 1, sizeof(s->heap[0]));
	if (s->stream == NULL || s->later == NULL || s->heap == NULL) {
		source_free(s);
		return NULL;
	}
	return s;
}

void
source_free(struct source *s)
{
	if (s == NULL)
		return;
	if (s->stream != NULL)
		for (size_t i = 0; i < s->count; i++)
			stream_close(s, &s->stream[i]);
	free(s->stream);
	free(s->later);
	free(s->heap);
	free(s);
}

struct source *
source_open_files(const char *const *names, size_t n)
{
	struct source *s = source_new(n);
	bool all_plain = true;
	struct stat st;

	if (s == NULL)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		s->stream[i].name = names[i];
		s->stream[i].index = (uint32_t)i;
		s->stream[i].is_plain = strcmp(names[i], "-") != 0 &&
		    stat(names[i], &st) == 0 && S_ISREG(st.st_mode);
		if (s->stream[i].is_plain)
			s->bytes_all += (uint64_t)st.st_size;
		else
			all_plain = false;
	}
	if (!all_plain)
		s->bytes_all = 0;
	return s;
}

struct source *
source_open_live(const char *interface, const char *filter,
    unsigned buffer_mib, char error[SOURCE_ERROR_MAX])
{
	struct source *s = source_new(1);

	if (s == NULL) {
		snprintf(error, SOURCE_ERROR_MAX, "%s: %s", interface,
		    strerror(ENOMEM));
		return NULL;
	}
	s->is_live = true;
	s->stream[0].name = interface;
	s->stream[0].pcap = open_interface(interface, filter, buffer_mib,
	    error);
	if (s->stream[0].pcap == NULL) {
		source_free(s);
		return NULL;
	}
	s->stream[0].link = pcap_datalink(s->stream[0].pcap);
	s->stream[0].tick_ns = pcap_get_tstamp_precision(s->stream[0].pcap) ==
	    PCAP_TSTAMP_PRECISION_NANO ? 1 : 1000;
	return s;
}

enum source_result
source_next(struct source *s, struct packet *out)
{
	if (s->is_live)
		return next_of_interface(s, out);
	return next_of_files(s, out);
}

const char *
source_error(const struct source *s)
{
	return s->error;
}

size_t
source_failures(const struct source *s)
{
	return s->failures;
}

const char *
source_name(const struct source *s, uint32_t file)
{
	assert(file < s->count);
	return s->stream[file].name;
}

int
source_fd(const struct source *s)
{
	if (!s->is_live || s->stream[0].pcap == NULL)
		return -1;
	return pcap_get_selectable_fd(s->stream[0].pcap);
}

struct source_drops
source_dropped(struct source *s)
{
	struct pcap_stat now;

	if (!s->is_live || s->stream[0].pcap == NULL ||
	    pcap_stats(s->stream[0].pcap, &now) != 0)
		return s->drops;
	s->drops.received += (uint32_t)(now.ps_recv - s->last_recv);
	s->drops.no_room += (uint32_t)(now.ps_drop - s->last_drop);
	s->drops.interface += (uint32_t)(now.ps_ifdrop - s->last_ifdrop);
	s->last_recv = now.ps_recv;
	s->last_drop = now.ps_drop;
	s->last_ifdrop = now.ps_ifdrop;
	return s->drops;
}

struct source_progress
source_progress(const struct source *s)
{
	struct source_progress p = { s->bytes_done, s->bytes_all };

	for (size_t i = 0; i < s->heap_count; i++)
		p.bytes += s->heap[i]->input.bytes_read;
	return p;
}
