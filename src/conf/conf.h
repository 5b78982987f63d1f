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
#include "policy/passive.h"

#define CONF_TEXT_MAX 512
#define CONF_USER_MAX 64
#define CONF_LISTEN_MAX 16
#define CONF_NETS_MAX 64
#define CONF_SITES_MAX 16
#define CONF_SITE_NAMES_MAX 512
#define CONF_SITE_ROOT_MAX 1024
#define CONF_NAME_MAX 64
#define CONF_FILE_MAX 4096  /* bytes of a text that is shown */
#define CONF_FILE_LINES 64
#define CONF_HIDE_MAX 64
#define CONF_PASSIVE_MAX 16 /* addresses of passive.address */
#define CONF_CLASSES_MAX 16
#define CONF_CLASS_NETS_MAX 16
#define CONF_CLASS_NAME_MAX 32
#define CONF_STEPS_MAX 144	/* each limit for each class */
#define CONF_CERTS_MAX 16
#define CONF_CERT_PATH_MAX 1024
#define CONF_CERT_SITE_MAX 254	/* a host's name, and a NUL */
#define CONF_RULES_MAX 16
#define CONF_RULE_DIRECTORY_MAX 1024
#define CONF_RULE_RIGHTS_MAX 16
#define CONF_RULE_OPTIONS_MAX 512

/* Bumped when struct conf changes: a helper of another build refuses it. */
#define CONF_VERSION 5

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

/* A site beside the first: what HOST (RFC 7151) chooses by its name. */
struct conf_site {
	char names[CONF_SITE_NAMES_MAX]; /* small letters, commas between */
	char root[CONF_SITE_ROOT_MAX];
	char banner[CONF_TEXT_MAX];	 /* empty: the first site's */
};

struct conf_sites {
	uint32_t count;
	struct conf_site at[CONF_SITES_MAX];
};

/* A file's path, and what conf_load found in it. */
struct conf_file {
	char path[PATH_MAX];
	uint32_t len;
	char bytes[CONF_FILE_MAX];
};

struct conf_patterns {
	uint32_t count;
	char at[CONF_HIDE_MAX][CONF_NAME_MAX];
};

struct conf_passive {
	uint32_t count;
	struct passive_entry at[CONF_PASSIVE_MAX];
};

struct conf_ports_at {
	uint32_t count;
	struct passive_ports at[CONF_LISTEN_MAX];
};

/* Classes of commands, as events.commands names them. */
enum conf_commands {
	COMMANDS_LOGIN = 1 << 0,
	COMMANDS_TRANSFER = 1 << 1,
	COMMANDS_LIST = 1 << 2,
	COMMANDS_CHANGE = 1 << 3,
	COMMANDS_DATA = 1 << 4,
	COMMANDS_INFO = 1 << 5,
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

/* A certificate: its chain, its key, a staple, and whose it is. */
struct conf_cert {
	char chain[CONF_CERT_PATH_MAX];
	char key[CONF_CERT_PATH_MAX];	/* empty: in the chain's file */
	char ocsp[CONF_CERT_PATH_MAX];	/* empty: none */
	char site[CONF_CERT_SITE_MAX];	/* a name of a site; empty: the first */
};

struct conf_certs {
	uint32_t count;
	struct conf_cert at[CONF_CERTS_MAX];
};

/* What a system's users have here whom PAM finds good. */
struct conf_rule {
	char group[CONF_NAME_MAX];	/* of the system; "*": all */
	char directory[CONF_RULE_DIRECTORY_MAX];
	char rights[CONF_RULE_RIGHTS_MAX];
	char options[CONF_RULE_OPTIONS_MAX];
};

struct conf_rules {
	uint32_t count;
	struct conf_rule at[CONF_RULES_MAX];
};

/* Of tls.control and tls.data. */
enum conf_tls {
	CONF_TLS_OFF,
	CONF_TLS_ALLOWED,
	CONF_TLS_REQUIRED,
};

/* Of accounts.certificate_only. */
enum conf_certificate_only {
	CONF_CERTIFICATE_NEVER,
	CONF_CERTIFICATE_FINGERPRINT,	/* not by its name alone */
	CONF_CERTIFICATE_ANY,
};

/* Of accounts.tls: may a password be said in clear? */
enum conf_accounts_tls {
	CONF_ACCOUNTS_TLS_REQUIRED,
	CONF_ACCOUNTS_TLS_OPTIONAL,	/* by those accounts that may */
};

/* Must a data connection resume the control connection's session? */
enum conf_resume {
	CONF_RESUME_REQUIRE,
	CONF_RESUME_LEARN,	/* who has once in this session */
	CONF_RESUME_OFF,
};

enum conf_sandbox {
	SANDBOX_REQUIRE, /* refuse to start when a wall is missing */
	SANDBOX_BEST,	 /* use what the kernel has, say what is missing */
};

enum conf_hash {
	CONF_HASH_OFF,
	CONF_HASH_KNOWN,	/* what is in the store or in a sum file */
	CONF_HASH_COMPUTE,	/* and what has to be read */
};

/* Whether an upload is held to the NAME.sha256 beside it. */
enum conf_checksum {
	CONF_CHECKSUM_OFF,
	CONF_CHECKSUM_OPTIONAL,	/* where there is one */
	CONF_CHECKSUM_REQUIRED,
};

#define CONF_NOTIFY_UNIX "unix:"	/* before a socket's path */

enum conf_links {
	CONF_LINKS_FOLLOW,
	CONF_LINKS_SHOW,
};

/*
 * Every key: name in the file, type, field, unit, least, most, default as it
 * would be written, meaning.  Types: number, duration (seconds; "90", "90s",
 * "5m", "1h"), rate (bytes a second; "500K", "10M", "1G"), range
 * ("LOW-HIGH"), text, path, user, name (of a file, or of who owns one: no
 * blank, no slash), file (the path of a text that is read as well), listen,
 * nets, patterns, passive and ports_at (lists separated by blanks; the key may
 * be given again), site, certs, rules, classes, limits and steps (one item of a
 * list; the key may be given again), choice (one of the words in its unit, kept
 * as the word's place from 0), set (a list of such words, kept as bits; the first
 * word is none of them and the last is all).
 *
 * Least and most are limits of the value for numbers, times and both ends of
 * a range; of the count for lists; of the length in bytes for text, path, user,
 * name and file's path; of the word's place for a choice or a set.  A rate may
 * be 0, which is none, and its most is in thousands of bytes.
 */
#define CONF_KEYS(X) \
	X("listen", listen, listen, "address:port", 1, CONF_LISTEN_MAX, \
	    "0.0.0.0:21 [::]:21", \
	    "Where control connections are accepted.") \
	X("archive", path, archive, "directory", 0, PATH_MAX - 1, "", \
	    "The directory that is served; nothing above it can be reached.") \
	X("events", path, events, "file", 0, PATH_MAX - 1, "", \
	    "Events as JSON lines; - is standard output, empty is none.") \
	X("events.commands", set, events_commands, \
	    "none|login|transfer|list|change|data|info|all", 0, 7, "none", \
	    "Classes of commands that become events when they are answered.") \
	X("xferlog", path, xferlog, "file", 0, PATH_MAX - 1, "", \
	    "One line per transfer for statistics tools; empty is none.") \
	X("banner", text, banner, "text", 0, CONF_TEXT_MAX - 1, \
	    "FTP server ready.", \
	    "The text of the greeting, after 220.") \
	X("site", site, sites, "NAME[,NAME...] DIRECTORY [BANNER]", 0, \
	    CONF_SITES_MAX, "", \
	    "A site that HOST chooses by name; archive is the first one.") \
	X("welcome", file, welcome, "text file", 0, PATH_MAX - 1, "", \
	    "A text that is shown at login; empty is none.") \
	X("goodbye", file, goodbye, "text file", 0, PATH_MAX - 1, "", \
	    "A text that is shown at QUIT; empty is none.") \
	X("contact", text, contact, "text", 0, 127, "", \
	    "Whom to ask: shown at login, by HELP and where we refuse.") \
	X("message", name, message, "file", 0, CONF_NAME_MAX - 1, \
	    ".message", \
	    "A directory's file that is shown at CWD, once; empty is none.") \
	X("hide", patterns, hide, "patterns", 0, CONF_HIDE_MAX, "", \
	    "Names that fit one of these are not there, for any command.") \
	X("list.owner", name, list_owner, "owner", 1, 32, "ftp", \
	    "Whom listings show as the owner of everything.") \
	X("list.group", name, list_group, "group", 1, 32, "ftp", \
	    "Which group listings show for everything.") \
	X("downtime", path, downtime, "file", 0, PATH_MAX - 1, "", \
	    "While this file exists, its text refuses new logins.") \
	X("sandbox", choice, sandbox, "require|best", 0, 1, "require", \
	    "Whether to refuse to start where the kernel lacks a wall.") \
	X("gate.user", user, gate_user, "user", 1, CONF_USER_MAX - 1, \
	    "portcullis-gate", \
	    "Whom the gate runs as when started by root: a name or a number.") \
	X("worker.user", user, worker_user, "user", 1, CONF_USER_MAX - 1, \
	    "portcullis-worker", \
	    "Whom the workers run as when started by root.") \
	X("accounts.file", path, accounts_file, "file", 0, PATH_MAX - 1, "", \
	    "Accounts, as portcullis passwd keeps them; empty is none.") \
	X("accounts.root", path, accounts_root, "directory", 0, \
	    PATH_MAX - 1, "", \
	    "The directory beneath which all accounts have theirs.") \
	X("accounts.quota", path, accounts_quota, "directory", 0, \
	    PATH_MAX - 1, "", \
	    "Where it is counted what each account with a quota has.") \
	X("accounts.pam", name, accounts_pam, "service", 0, \
	    CONF_NAME_MAX - 1, "", \
	    "A service of PAM that is asked about other names; empty is none.") \
	X("accounts.pam_rule", rules, accounts_pam_rules, \
	    "GROUP|* DIRECTORY RIGHTS [OPTION,...]", 0, CONF_RULES_MAX, "", \
	    "What a system account has here; the first that fits is its.") \
	X("accounts.pam_least_uid", number, accounts_pam_least_uid, "uid", 1, \
	    4294967294, "1000", \
	    "Users of the system with lower numbers are refused.") \
	X("accounts.pam_timeout", duration, accounts_pam_timeout_s, \
	    "seconds", 1, 60, "10", \
	    "How long PAM may take to answer before it counts for a no.") \
	X("accounts.pam_user", user, accounts_pam_user, "user", 0, \
	    CONF_USER_MAX - 1, "", \
	    "Whom PAM's modules run as when started by root; empty is root.") \
	X("accounts.certificate_only", choice, accounts_certificate_only, \
	    "no|fingerprint|yes", 0, 2, "no", \
	    "Whether a certificate may do without a password.") \
	X("accounts.tls", choice, accounts_tls, "required|optional", 0, 1, \
	    "required", \
	    "Whether no account at all may log in without TLS.") \
	X("upload.durable", choice, upload_durable, "on|off", 0, 1, "on", \
	    "Whether what is acknowledged has to be on the disk.") \
	X("upload.keep", duration, upload_keep_s, "seconds", 3600, \
	    31536000, "604800", \
	    "How long a part of an upload is kept to be gone on with.") \
	X("upload.checksum", choice, upload_checksum, \
	    "off|optional|required", 0, 2, "off", \
	    "Whether an upload must be what its NAME.sha256 says it is.") \
	X("upload.notify", path, upload_notify, "program or unix:socket", 0, \
	    PATH_MAX - 1, "", \
	    "Who is told of each upload, by a line of JSON; empty is nobody.") \
	X("upload.notify_user", user, upload_notify_user, "user", 1, \
	    CONF_USER_MAX - 1, "nobody", \
	    "Whom that program runs as when started by root.") \
	X("upload.notify_jobs", number, upload_notify_jobs, "programs", 1, \
	    64, "4", \
	    "How many of them run at the same time.") \
	X("upload.notify_timeout", duration, upload_notify_timeout_s, \
	    "seconds", 1, 3600, "60", \
	    "How long one may take before it is ended.") \
	X("anonymous.upload", path, anonymous_upload, "directory", 0, 1023, \
	    "", \
	    "A directory of the archive where everyone may leave files.") \
	X("anonymous.upload_largest", rate, anonymous_upload_largest, \
	    "bytes", 1, 2000000000, "1G", \
	    "The longest file that is taken there; 0 is no limit.") \
	X("anonymous.upload_rate", rate, anonymous_upload_rate, \
	    "bytes a second", 1000, 100000000, "0", \
	    "How fast one file is taken there at most; 0 is no limit.") \
	X("anonymous.upload_files", number, anonymous_upload_files, \
	    "files", 1, 100000, "1000", \
	    "Files that may lie there at once.") \
	X("anonymous.upload_bytes", rate, anonymous_upload_bytes, \
	    "bytes", 1, 2000000000, "10G", \
	    "Bytes that may lie there, all told; 0 is no limit.") \
	X("anonymous.upload_keep", duration, anonymous_upload_keep_s, \
	    "seconds", 0, 31536000, "0", \
	    "After how long a file that nobody has moved goes; 0 is never.") \
	X("keeper.user", user, keeper_user, "user", 1, CONF_USER_MAX - 1, \
	    "portcullis-keeper", \
	    "Whom the keeper runs as when started by root.") \
	X("keeper.jobs", number, keeper_jobs, "passwords", 1, 64, "2", \
	    "Passwords that are worked at at the same time.") \
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
	    "A limit (sessions, transfers, rate, TLS) for clients of a class.") \
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
	X("list.recursive", number, list_recursive, "entries", 0, 10000000, \
	    "100000", \
	    "Entries that LIST -R gives before it ends with 451; 0 refuses it.") \
	X("list.depth", number, list_depth, "directories", 1, 64, "32", \
	    "How many directories deep LIST -R goes.") \
	X("mlsd.links", choice, mlsd_links, "follow|show", 0, 1, "follow", \
	    "Whether MLSD tells what links lead to, or that they are links.") \
	X("stop.timeout", duration, stop_timeout_s, "seconds", 0, 86400, \
	    "60", \
	    "How long running transfers are waited for at a stop.") \
	X("passive.ports", range, passive_ports, "LOW-HIGH", 1024, 65535, \
	    "50000-59999", \
	    "Ports for passive data connections, both ends included.") \
	X("passive.ports_at", ports_at, passive_ports_at, \
	    "address:port=LOW-HIGH", 0, CONF_LISTEN_MAX, "", \
	    "Other ports for the clients of one listener.") \
	X("passive.address", passive, passive_address, \
	    "addresses, names or local, each alone or as NETWORK=", 0, \
	    CONF_PASSIVE_MAX, "", \
	    "The address that PASV tells, where it is not this host's own.") \
	X("passive.resolve", duration, passive_resolve_s, "seconds", 10, \
	    86400, "60", \
	    "How often the names in passive.address are resolved.") \
	X("passive.timeout", duration, passive_timeout_s, "seconds", 1, 60, \
	    "60", \
	    "How long a passive port waits for its client.") \
	X("tls.certificate", certs, tls_certificate, \
	    "FILE [key=FILE] [ocsp=FILE] [site=NAME]", 0, CONF_CERTS_MAX, "", \
	    "A certificate for TLS, with its key; empty is none: no TLS.") \
	X("tls.control", choice, tls_control, "off|allowed|required", 0, 2, \
	    "allowed", \
	    "Whether anonymous users may, or must, have TLS for commands.") \
	X("tls.data", choice, tls_data, "off|allowed|required", 0, 2, \
	    "allowed", \
	    "Whether anonymous users may, or must, have TLS for data.") \
	X("tls.data_resume", choice, tls_data_resume, "require|learn|off", 0, \
	    2, "learn", \
	    "Who must resume the control connection's session for data.") \
	X("tls.kernel", choice, tls_kernel, "off|auto", 0, 1, "auto", \
	    "Whether the kernel encrypts files, where it can (kTLS).") \
	X("tls.listen", listen, tls_listen, "address:port", 0, \
	    CONF_LISTEN_MAX, "", \
	    "Where control connections begin with TLS; port 990 is usual.") \
	X("tls.sni", choice, tls_sni, "lenient|strict", 0, 1, "lenient", \
	    "What becomes of a client that names a host which we are not.") \
	X("tls.client_ca", path, tls_client_ca, "file", 0, PATH_MAX - 1, "", \
	    "Authorities of clients' certificates; empty: none is asked for.") \
	X("tls.client_crl", path, tls_client_crl, "file", 0, PATH_MAX - 1, \
	    "", \
	    "Their lists of revoked ones; without one in force, no client.") \
	X("tls.warn", number, tls_warn, "days", 0, 365, "14", \
	    "How long before its end a certificate is warned of; 0 is never.") \
	X("signer.user", user, signer_user, "user", 1, CONF_USER_MAX - 1, \
	    "portcullis-signer", \
	    "Whom the process with the private keys runs as.") \
	X("solo.spare", number, solo_spare, "processes", 1, 64, "2", \
	    "Processes that wait for sessions which need one of their own.") \
	X("solo.max", number, solo_max, "processes", 1, 65536, "512", \
	    "Sessions with a process of their own; the next one is told 421.") \
	X("solo.per_address", number, solo_per_address, "sessions a minute", \
	    0, 60000, "600", \
	    "Sessions from one address that get such a process; 0: all.") \
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
	    "Refused data addresses before the session is ended with 421.") \
	X("hash", choice, hash, "off|known|compute", 0, 2, "off", \
	    "Whether HASH and its like answer, and may read files for it.") \
	X("hash.store", path, hash_store, "file", 0, PATH_MAX - 1, "", \
	    "Where digests are kept over a restart; empty is in memory.") \
	X("hash.entries", number, hash_entries, "digests", 1024, 16777216, \
	    "65536", \
	    "Digests that are kept.") \
	X("hash.jobs", number, hash_jobs, "files", 1, 64, "2", \
	    "Files that a worker reads at once for digests.") \
	X("hash.rate", number, hash_rate_MiBps, "MiB/s", 1, 100000, "100", \
	    "What a worker reads for digests, at most.") \
	X("hash.largest", number, hash_largest_MiB, "MiB", 1, 1073741824, \
	    "65536", \
	    "Longer files (or parts) are not read for a digest.")

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
#define CONF_FIELD_name(f) char f[CONF_NAME_MAX]
#define CONF_FIELD_file(f) struct conf_file f
#define CONF_FIELD_patterns(f) struct conf_patterns f
#define CONF_FIELD_listen(f) struct conf_listen f
#define CONF_FIELD_nets(f) struct conf_nets f
#define CONF_FIELD_site(f) struct conf_sites f
#define CONF_FIELD_passive(f) struct conf_passive f
#define CONF_FIELD_ports_at(f) struct conf_ports_at f
#define CONF_FIELD_set(f) uint32_t f
#define CONF_FIELD_certs(f) struct conf_certs f
#define CONF_FIELD_rules(f) struct conf_rules f

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
 * Reads the files of all keys of type file into c: regular ones, at most
 * CONF_FILE_MAX bytes in CONF_FILE_LINES lines.  A longer one is a problem
 * and not cut: its end may be what matters.
 */
MUST_USE int conf_load(struct conf *c, FILE *err);

/*
 * What no key can know alone: an archive that is not named, missing, no
 * directory or unreadable, or a site's; two equal listeners; a passive range
 * that holds a listener's port or fewer than 16 ports, or is one of no
 * listener; a log or the store of digests in an archive, or a downtime file,
 * which an uploader could make; an account file where accounts reach it, or
 * without their directory; one of TLS that cannot be read, or is in an
 * archive; TLS that is required and not there.
 */
MUST_USE int conf_check(const struct conf *c, FILE *err);

/* Every key with its value, unit, limits and meaning, as a file that
 * conf_read_file reads back to the same struct. */
void conf_print(const struct conf *c, FILE *out);

/*
 * How a process inherits it: writes c into a sealed unnamed file and returns
 * its descriptor (close-on-exec), or -1 with errno set; and reads it back,
 * which is false, and c untouched, for a file of another build.
 */
MUST_USE int conf_to_fd(const struct conf *c);
MUST_USE bool conf_from_fd(struct conf *c, int fd);

/* Something in it has sessions moved into processes of their own. */
bool conf_moves(const struct conf *c);
/* AUTH is answered, to some clients at least. */
bool conf_has_tls(const struct conf *c);
