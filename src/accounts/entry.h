/*
 * accounts/entry.h: one line of the account file, and what it permits now.
 * Pure: no I/O, no clock, no allocation.
 *
 *     name:hash:root:rights[:option,...]
 *
 * name    1 to 64 bytes, none of them a blank or a colon, not beginning with
 *         "#"; neither "anonymous" nor "ftp", which have no password
 * hash    as crypt(3) writes it: $y$, $gy$, $2a$, $2b$, $2y$, $6$ or $5$.
 *         Empty, or behind a "!" or "*", no password is right.  "*" alone,
 *         with the option certificate, asks for no password
 * root    a directory beneath accounts.root: a relative path without "..",
 *         or "." for accounts.root itself
 * rights  a set of letters, each once (ACCOUNTS_RIGHTS); "-" is none
 * option  key=value (ACCOUNTS_OPTIONS); the colons in it are its own
 *
 * There are no blanks to be guessed about: whatever is not as above is a
 * mistake.  Entries are views of the line that they were read from.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/addr.h"
#include "base/sv.h"

#define ACCOUNTS_LINE_MAX 4096
#define ACCOUNTS_NAME_MAX 64
#define ACCOUNTS_HASH_MAX 255
#define ACCOUNTS_ROOT_MAX 1023
#define ACCOUNTS_NETWORKS_MAX 16
#define ACCOUNTS_SPANS_MAX 8
#define ACCOUNTS_CERTIFICATES_MAX 8
#define ACCOUNTS_WHY_MAX 256

#define ACCOUNTS_RIGHTS(X) \
/*	letter name       meaning */ \
	X('l', LIST,      "list directories") \
	X('r', READ,      "fetch files") \
	X('w', WRITE,     "store new files") \
	X('o', OVERWRITE, "replace files, append to them, set their times") \
	X('d', DELETE,    "delete files and empty directories") \
	X('n', RENAME,    "rename files and directories") \
	X('m', MAKE,      "make directories")

enum accounts_right_place {
#define X(letter, name, meaning) ACCOUNTS_PLACE_##name,
	ACCOUNTS_RIGHTS(X)
#undef X
	ACCOUNTS_RIGHT_COUNT
};

/* A set of rights is these, or-ed. */
enum accounts_right {
#define X(letter, name, meaning) \
	ACCOUNTS_##name = 1 << ACCOUNTS_PLACE_##name,
	ACCOUNTS_RIGHTS(X)
#undef X
};

#define ACCOUNTS_OPTIONS(X) \
/*	key           reader    meaning */ \
	X("quota.bytes", bytes,    quota_bytes,    "bytes it may hold") \
	X("quota.files", count,    quota_files,    "files it may hold") \
	X("networks",    networks, networks,       "whence it may log in") \
	X("hours",       hours,    hours,          "when it may log in") \
	X("tls",         tls,      tls,            "required, login or optional") \
	X("uploads",     uploads,  drop_box,       "visible or dropbox") \
	X("sessions",    number,   sessions,       "logged in at once") \
	X("rate",        bytes,    rate,           "bytes/s of a session") \
	X("certificate", certificates, certificates, "what it must have")

enum accounts_tls {
	ACCOUNTS_TLS_REQUIRED,	/* for the login and for data */
	ACCOUNTS_TLS_LOGIN,	/* for the login; data may be in clear */
	ACCOUNTS_TLS_OPTIONAL,
};

struct accounts_entry {
	struct sv name, hash, root;
	struct sv options;	/* as they are written */
	uint32_t rights;	/* set of enum accounts_right */
	uint32_t line;		/* in its file, from 1 */
	/* All of these are 0 or empty where nothing is said: no limit. */
	uint64_t quota_bytes, quota_files;
	uint64_t rate;
	uint32_t sessions;
	struct sv networks;	/* "NETWORK+NETWORK", checked */
	struct sv hours;	/* "mon-fri/08:00-18:00+sat/9:00-..", checked */
	struct sv certificates;	/* "SHA256+SHA256+cn", checked */
	enum accounts_tls tls;
	bool drop_box;		/* what it stores, it does not see again */
};

/*
 * Reads a line without its end.
 *
 * out  written on success only; views of line; its number stays 0
 * why  on failure, one line of what is wrong, fit to be shown
 */
MUST_USE bool accounts_parse_line(struct sv line, struct accounts_entry *out,
    char why[ACCOUNTS_WHY_MAX]);

/* The letters of a set of rights, or "-"; returns out. */
const char *accounts_rights_text(uint32_t rights,
    char out[ACCOUNTS_RIGHT_COUNT + 1]);

/* A name that no account can have, for any of the reasons above. */
bool accounts_name_is_good(struct sv name);

/* The hash is one that a password can be right for. */
bool accounts_is_open(const struct accounts_entry *e);

/*
 * What of a hash says how much work it is: "$y$j9T$", "$2b$12$", "$6$",
 * "$6$rounds=9000$".  Empty for none.
 */
struct sv accounts_hash_cost(struct sv hash);

bool accounts_network_allows(const struct accounts_entry *e,
    const struct addr *peer);

/* weekday  from 0, Sunday; minute  of that day: local time */
bool accounts_hours_allow(const struct accounts_entry *e, unsigned weekday,
    unsigned minute);

/* A client's certificate, which somebody has verified. */
struct accounts_certificate {
	uint8_t sha256[32];
	struct sv common_name;	/* empty: none that can be compared */
};

enum accounts_match {
	ACCOUNTS_MATCH_NONE,
	ACCOUNTS_MATCH_NAME,		/* its name is the account's */
	ACCOUNTS_MATCH_FINGERPRINT,
};

/* The strongest of what the account's list has of it. */
enum accounts_match accounts_match_certificate(
    const struct accounts_entry *e, const struct accounts_certificate *c);

/* It has one of its certificates for a password. */
bool accounts_needs_no_password(const struct accounts_entry *e);
