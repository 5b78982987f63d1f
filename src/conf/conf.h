/*
 * conf/conf.h: the site's configuration, one table with many uses.
 *
 * The warden reads the file and the command line into one flat struct
 * without pointers; the gate and the workers inherit it as bytes in an
 * unnamed file and parse nothing.  The same table makes --check,
 * --print-config and (held to it by a test) portcullis.conf(5).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <limits.h>
#include <stdio.h>

#include "base/addr.h"
#include "base/sv.h"

#define CONF_TEXT_MAX 512
#define CONF_USER_MAX 64
#define CONF_LISTEN_MAX 16
#define CONF_NETS_MAX 64
#define CONF_CLASSES_MAX 16
#define CONF_CLASS_NETS_MAX 16
#define CONF_CLASS_NAME_MAX 32
#define CONF_STEPS_MAX 112	/* each limit for each class */

/* Bumped when struct conf changes: a helper of another build refuses it. */
#define CONF_VERSION 2

struct conf_range {
	uint32_t low;
	uint32_t high;
};

struct conf_listen {
	uint32_t count;
	struct addr at[CONF_LISTEN_MAX];
};

struct conf_nets {
	uint32_t count;
	struct addr_net at[CONF_NETS_MAX];
};

/* A named list of networks; a client belongs to the first that holds it. */
struct conf_class {
	char name[CONF_CLASS_NAME_MAX];
	uint32_t count;
	struct addr_net net[CONF_CLASS_NETS_MAX];
};

struct conf_classes {
	uint32_t count;
	struct conf_class at[CONF_CLASSES_MAX];
};

/* A value for one of the limits (conf_limit.h), for some clients or times. */
struct conf_step {
	char class_name[CONF_CLASS_NAME_MAX];	/* empty: everyone */
	uint32_t minute;	/* of the day at which it begins to hold */
	uint32_t limit;		/* enum conf_limit */
	uint64_t value;
};

struct conf_steps {
	uint32_t count;
	struct conf_step at[CONF_STEPS_MAX];
};

enum conf_sandbox {
	SANDBOX_REQUIRE, /* refuse to start when a wall is missing */
	SANDBOX_BEST,	 /* use what the kernel has, say what is missing */
};

/*
 * Every key: name in the file, type, field, unit, least, most, default as it
 * would be written, meaning.  Types: number, duration (seconds; "90", "90s",
 * "5m", "1h"), rate (bytes a second; "500K", "10M", "1G"), range ("LOW-HIGH"), text, path, user, listen and nets
 * (a list separated by blanks; the key may be given again), classes, limits
 * and steps (one class or moment; the key may be given again), choice (one of
 * the words in its unit, kept as the word's place from 0).
 *
 * Least and most are limits of the value for numbers, times and both ends of
 * a range; of the count for lists; of the length in bytes for text, path and
 * user; of the word's place for a choice.  A rate may be 0, which is none,
 * and its most is in thousands of bytes.
 */
#define CONF_KEYS(X) \
	X("listen", listen, listen, "address:port", 1, CONF_LISTEN_MAX, \
	    "0.0.0.0:21 [::]:21", \
	    "Where control connections are accepted.") \
	X("archive", path, archive, "directory", 0, PATH_MAX - 1, "", \
	    "The directory that is served; nothing above it can be reached.") \
	X("events", path, events, "file", 0, PATH_MAX - 1, "", \
	    "Events as JSON lines; - is standard output, empty is none.") \
	X("xferlog", path, xferlog, "file", 0, PATH_MAX - 1, "", \
	    "One line per transfer for statistics tools; empty is none.") \
	X("banner", text, banner, "text", 0, CONF_TEXT_MAX - 1, \
	    "FTP server ready.", \
	    "The text of the greeting, after 220.") \
	X("sandbox", choice, sandbox, "require|best", 0, 1, "require", \
	    "Whether to refuse to start where the kernel lacks a wall.") \
	X("gate.user", user, gate_user, "user", 1, CONF_USER_MAX - 1, \
	    "portcullis-gate", \
	    "Whom the gate runs as when started by root: a name or a number.") \
	X("worker.user", user, worker_user, "user", 1, CONF_USER_MAX - 1, \
	    "portcullis-worker", \
	    "Whom the workers run as when started by root.") \
	X("worker.count", number, worker_count, "processes", 0, 256, "0", \
	    "Workers started at once; 0 is one for each processor.") \
	X("worker.sessions", number, worker_sessions, "sessions", 1, 4096, \
	    "512", \
	    "Sessions that share one worker; beyond them another is started.") \
	X("worker.threads", number, worker_threads, "threads", 1, 256, "32", \
	    "Disk threads that a worker may have at once.") \
	X("sessions.max", number, sessions_max, "sessions", 1, 1000000, \
	    "4096", \
	    "Control connections at once; the next one is told 421.") \
	X("sessions.per_address", number, sessions_per_address, "sessions", 1, \
	    1000000, "64", \
	    "Control connections at once from one address (IPv6: one /64).") \
	X("transfers.max", number, transfers_max, "transfers", 0, 1000000, \
	    "0", \
	    "Transfers at once; the next one is told 425; 0 is no limit.") \
	X("transfers.per_address", number, transfers_per_address, \
	    "transfers", 0, 1000000, "0", \
	    "Transfers at once to one address (IPv6: one /64); 0 is no limit.") \
	X("rate.session", rate, rate_session, "bytes a second", 2000, \
	    100000000, "0", \
	    "What one session is sent at most; 0 is no limit.") \
	X("rate.address", rate, rate_address, "bytes a second", 2000, \
	    100000000, "0", \
	    "What all sessions of one address (IPv6: one /64) share.") \
	X("rate.all", rate, rate_all, "bytes a second", 2000, 100000000, \
	    "0", \
	    "What all clients share, each address alike; 0 is no limit.") \
	X("rate.least", rate, rate_least, "bytes a second", 1, 1000000, "0", \
	    "Who takes less during a data.timeout is told 426; 0 is no limit.") \
	X("class", classes, classes, "NAME NETWORK...", 0, CONF_CLASSES_MAX, \
	    "", \
	    "Clients that have limits of their own, by their networks.") \
	X("class.limit", limits, class_limits, "CLASS KEY VALUE...", 0, \
	    CONF_STEPS_MAX, "", \
	    "A limit (sessions, transfers or rate) for the clients of a class.") \
	X("at", steps, steps, "HH:MM [CLASS] KEY VALUE...", 0, 64, "", \
	    "A limit that holds from this local time of the day on.") \
	X("login.timeout", duration, login_timeout_s, "seconds", 1, 3600, \
	    "60", \
	    "How long a session may take to log in, all told.") \
	X("login.attempts", number, login_attempts, "attempts", 1, 5, "3", \
	    "Refused logins before the session is ended with 421.") \
	X("idle.timeout", duration, idle_timeout_s, "seconds", 1, 86400, \
	    "300", \
	    "How long a session may be silent between commands.") \
	X("data.timeout", duration, data_timeout_s, "seconds", 1, 3600, "60", \
	    "How long a transfer may stand still, or wait for its client.") \
	X("stop.timeout", duration, stop_timeout_s, "seconds", 0, 86400, \
	    "60", \
	    "How long running transfers are waited for at a stop.") \
	X("passive.ports", range, passive_ports, "LOW-HIGH", 1024, 65535, \
	    "50000-59999", \
	    "Ports for passive data connections, both ends included.") \
	X("passive.timeout", duration, passive_timeout_s, "seconds", 1, 60, \
	    "60", \
	    "How long a passive port waits for its client.") \
	X("active.source_port", number, active_source_port, "port", 0, 65535, \
	    "0", \
	    "Source port of active data connections; 0 is any, 20 the RFC's.") \
	X("active.timeout", duration, active_timeout_s, "seconds", 1, 60, \
	    "20", \
	    "How long an active data connection may take to be made.") \
	X("active.deny", nets, active_deny, "networks", 0, CONF_NETS_MAX, "", \
	    "Clients in these networks get no active data connection.") \
	X("active.failures", number, active_failures, "connects", 1, 1000, \
	    "10", \
	    "Failed active connects a minute to a client before it waits.") \
	X("abuse.refusals", number, abuse_refusals, "commands", 1, 1000, "16", \
	    "Refused data addresses before the session is ended with 421.")

/* The C type that holds each type of key. */
#define CONF_FIELD_number(f) uint32_t f
#define CONF_FIELD_duration(f) uint32_t f
#define CONF_FIELD_rate(f) uint64_t f
#define CONF_FIELD_classes(f) struct conf_classes f
#define CONF_FIELD_limits(f) struct conf_steps f
#define CONF_FIELD_steps(f) struct conf_steps f
#define CONF_FIELD_choice(f) uint32_t f
#define CONF_FIELD_range(f) struct conf_range f
#define CONF_FIELD_text(f) char f[CONF_TEXT_MAX]
#define CONF_FIELD_path(f) char f[PATH_MAX]
#define CONF_FIELD_user(f) char f[CONF_USER_MAX]
#define CONF_FIELD_listen(f) struct conf_listen f
#define CONF_FIELD_nets(f) struct conf_nets f

struct conf {
	uint32_t version;
#define X(key, type, field, ...) CONF_FIELD_##type(field);
	CONF_KEYS(X)
#undef X
};

/* Every key at its default. */
void conf_init(struct conf *c);

/*
 * Reads a file over c.  Each problem is one line on err, with file, line and
 * key, what was found and what is allowed; reading goes on, so that one run
 * shows them all.  A list key in the file replaces the default list, and
 * adds when it is given again in the same file.
 *
 * Returns the number of problems; 0 is a good file.  A file that cannot be
 * opened is one problem, unless it does not exist and may_be_missing is set.
 */
MUST_USE int conf_read_file(struct conf *c, const char *path,
    bool may_be_missing, FILE *err);

/*
 * Sets one key from the command line: `option` is how the user wrote it
 * ("--listen") and is what the problem's line names.  `again` is set when
 * the same list key was given before on this command line.
 * Returns the number of problems, as above.
 */
MUST_USE int conf_set(struct conf *c, const char *key, const char *value,
    const char *option, bool again, FILE *err);

/*
 * What no key can know alone: an archive that is not named, missing, no
 * directory or unreadable; two equal listeners; a passive range that holds a
 * listener's port or fewer than 16 ports; an events file in the archive.
 */
MUST_USE int conf_check(const struct conf *c, FILE *err);

/* Every key with its value, unit, limits and meaning, as a file that
 * conf_read_file reads back to the same struct. */
void conf_print(const struct conf *c, FILE *out);

/*
 * How a process inherits it: writes c into a sealed unnamed file and returns
 * its descriptor (close-on-exec), or -1 with errno set; and reads it back.
 */
MUST_USE int conf_to_fd(const struct conf *c);
MUST_USE bool conf_from_fd(struct conf *c, int fd);
