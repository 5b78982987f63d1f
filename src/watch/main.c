/*
 * watch/main.c: the sensor, from its input to its outputs.
 *
 * Everything is opened first; then the walls are raised, and only then is
 * the first packet looked at.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "watch/main.h"

#include <stdlib.h>
#include <sys/random.h>

#include "tls/digest.h"
#include "watch/decode.h"
#include "watch/live.h"
#include "watch/options.h"
#include "watch/progress.h"
#include "watch/sandbox.h"
#include "watch/summary.h"

#define EXIT_FINE 0
#define EXIT_FAILED 1

#define LATE_NS WATCH_S		/* a packet may lie in the ring so long */

struct job {
	struct options options;
	struct outputs *outputs;
	struct watch watch;
	struct decoder *decoder;
	struct source *source;
	struct progress progress;
	int64_t first_ns;
	bool reached;		/* --fail-on */
};

static void
finding_told(void *arg, const struct watch *w, const struct finding *f)
{
	struct job *job = arg;
	const struct options *o = &job->options;

	if (o->fail_on >= 0 && (int)f->level >= o->fail_on)
		job->reached = true;
	outputs_finding(job->outputs, w, f);
	if (o->interface != NULL && !o->outputs.json)
		summary_line(stdout, f, o->colour);
}

static void
packet(void *arg, const struct packet *p)
{
	struct job *job = arg;
	struct segment segment;

	if (job->first_ns == 0)
		job->first_ns = p->ts_ns;
	job->watch.counters.packets++;
	if (decode_packet(job->decoder, p, &segment) == DECODE_SEGMENT)
		watch_segment(&job->watch, &segment);
	job->watch.segment = NULL;
}

/* In quiet times, too, what is waited for comes to its end. */
static void
tick(void *arg, int64_t now_ns)
{
	struct job *job = arg;

	watch_tick(&job->watch, now_ns - LATE_NS);
}

/* Why there is no segment, one count each; in words, or by name. */
static size_t
coverage(const struct job *job, struct eve_count out[DECODE_COUNT],
    bool words)
{
	size_t n = 0;

	for (int i = 0; i < DECODE_COUNT; i++) {
		enum decode_result r = (enum decode_result)i;

		if (r == DECODE_SEGMENT || r == DECODE_NOT_TCP)
			continue;
		out[n++] = (struct eve_count) {
			words ? decode_words(r) : decode_name(r),
			job->decoder->count[i] };
	}
	return n;
}

/*
 * The kernel's drops are known; the interface's own stand in a file that a
 * sensor behind its walls cannot read.
 */
static void
note_drops(struct job *job)
{
	job->watch.counters.kernel_dropped =
	    source_dropped(job->source).no_room;
}

static void
write_stats(void *arg)
{
	struct job *job = arg;
	struct eve_count more[DECODE_COUNT];

	note_drops(job);
	outputs_stats(job->outputs, &job->watch, more,
	    coverage(job, more, false));
}

static void
print_summary(struct job *job, FILE *out)
{
	struct eve_count more[DECODE_COUNT];
	struct summary s = { .w = &job->watch, .first_ns = job->first_ns,
		.colour = job->options.colour && out == stdout,
		.all = job->options.all, .more = more };

	note_drops(job);
	s.more_count = coverage(job, more, true);
	summary_print(out, &s);
}

static void
summary_asked(void *arg)
{
	print_summary(arg, stderr);
}

static bool
open_source(struct job *job)
{
	const struct options *o = &job->options;
	char error[SOURCE_ERROR_MAX];

	if (o->interface == NULL) {
		job->source = source_open_files(o->files, o->file_count);
		if (job->source == NULL)
			perror("portcullis watch");
		return job->source != NULL;
	}
	job->source = source_open_live(o->interface, o->filter, o->buffer_mib,
	    error);
	if (job->source == NULL)
		fprintf(stderr, "portcullis watch: %s\n", error);
	return job->source != NULL;
}

static bool
prepare_watch(struct job *job)
{
	const struct options *o = &job->options;
	uint64_t seed[2];

	if (getrandom(seed, sizeof(seed), 0) != sizeof(seed))
		return false;
	job->decoder = decoder_new(seed[0]);
	if (job->decoder == NULL ||
	    !watch_init(&job->watch, o->memory_mib << 20, seed[1])) {
		fputs("portcullis watch: out of memory\n", stderr);
		return false;
	}
	job->watch.report.finding = finding_told;
	job->watch.report.arg = job;
	outputs_hook(job->outputs, &job->watch.report);
	job->watch.interface = o->interface;
	job->watch.groups = o->group;
	job->watch.group_count = o->groups;
	return true;
}

static bool
raise_walls(const struct job *job)
{
	const struct options *o = &job->options;
	bool live = o->interface != NULL;

	digest_prepare();
	if (live && !sandbox_drop_privileges(o->user))
		return false;
	if (o->sandbox)
		return sandbox_enter(live ? SANDBOX_LIVE : SANDBOX_FILES,
		    source_fd(job->source));
	sandbox_forgo();
	return true;
}

static void
complain(struct job *job)
{
	progress_end(&job->progress);
	fprintf(stderr, "portcullis watch: %s\n", source_error(job->source));
}

/* Until the end; a file that fails is told, and the others go on. */
static void
read_files(struct job *job)
{
	struct packet p;

	progress_begin(&job->progress, job->options.outputs.json);
	for (;;)
		switch (source_next(job->source, &p)) {
		case SOURCE_PACKET:
			packet(job, &p);
			progress_show(&job->progress, job->source,
			    job->watch.counters.packets);
			break;
		case SOURCE_FAILED:
			complain(job);
			break;
		case SOURCE_IDLE:
		case SOURCE_END:
			progress_end(&job->progress);
			return;
		}
}

static void
read_interface(struct job *job, int signal_fd)
{
	struct live live = { .source = job->source, .packet = packet,
		.tick = tick, .minute = write_stats, .asked = summary_asked,
		.arg = job };

	fprintf(stderr, "portcullis watch: watching %s\n",
	    job->options.interface);
	if (!live_run(&live, signal_fd))
		complain(job);
}

static void
report(struct job *job)
{
	watch_finish(&job->watch);
	write_stats(job);
	if (!job->options.outputs.json)
		print_summary(job, stdout);
}

static int
run(struct job *job)
{
	bool live = job->options.interface != NULL, failed;
	int signal_fd = live ? live_signals() : -1;

	job->outputs = outputs_open(&job->options.outputs);
	if (job->outputs == NULL || !open_source(job) ||
	    !prepare_watch(job) || !raise_walls(job))
		return EXIT_FAILED;
	if (live)
		read_interface(job, signal_fd);
	else
		read_files(job);
	report(job);
	failed = source_failures(job->source) > 0;
	failed = !outputs_close(job->outputs) || failed;
	job->outputs = NULL;
	/* Of events, outputs_close has said it. */
	if (!job->options.outputs.json &&
	    (fflush(stdout) != 0 || ferror(stdout))) {
		perror("portcullis watch: standard output");
		failed = true;
	}
	return failed || job->reached ? EXIT_FAILED : EXIT_FINE;
}

int
watch_main(int argc, char **argv)
{
	static struct job job;
	int status;

	job.options.files = calloc((size_t)argc + 1,
	    sizeof(*job.options.files));
	if (job.options.files == NULL) {
		perror("portcullis watch");
		return EXIT_FAILED;
	}
	status = options_take(&job.options, argc, argv);
	if (status < 0)
		status = run(&job);
	outputs_close(job.outputs);
	source_free(job.source);
	decoder_free(job.decoder);
	watch_free(&job.watch);
	free(job.options.files);
	return status;
}
