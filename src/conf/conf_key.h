/*
 * conf/conf_key.h: the table's rows and the types of their values.  Only
 * conf/ and its tests include this; everyone else reads struct conf.
 *
 * A type is two functions: one reads the text of the file into the field,
 * one writes the field back as such text.  They are inverse.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "conf/conf.h"

struct conf_key;

/* Where a value was given, for the one line that says what is wrong. */
struct conf_where {
	const char *source; /* a file's name, an option, or NULL */
	unsigned line;	    /* from 1; 0 where the source has no lines */
	FILE *err;
};

struct conf_type {
	/*
	 * Reads the whole of text.  `add` appends to a list that holds
	 * something already; other types ignore it.  On failure it says why
	 * on w and leaves the field alone.
	 */
	bool (*read)(const struct conf_key *k, struct sv text, bool add,
	    void *field, const struct conf_where *w);
	/* Writes that text with a blank before each item: nothing if empty. */
	void (*write)(const void *field, const struct conf_key *k, FILE *out);
	/* What may be written, with the limits: "1 to 4096 (sessions)". */
	void (*allowed)(const struct conf_key *k, FILE *out);
	bool is_list;
};

struct conf_key {
	const char *name;
	const struct conf_type *type;
	size_t offset; /* of the field in struct conf */
	const char *unit;
	uint32_t least;
	uint32_t most;
	const char *value; /* the default, as it would be written */
	const char *meaning;
};

enum conf_key_index {
#define X(name, type, field, ...) CONF_KEY_##field,
	CONF_KEYS(X)
#undef X
	CONF_KEY_COUNT
};

extern const struct conf_key conf_keys[CONF_KEY_COUNT];

extern const struct conf_type conf_type_number;
extern const struct conf_type conf_type_duration;
extern const struct conf_type conf_type_rate;
extern const struct conf_type conf_type_classes;
extern const struct conf_type conf_type_limits;
extern const struct conf_type conf_type_steps;
extern const struct conf_type conf_type_choice;
extern const struct conf_type conf_type_range;
extern const struct conf_type conf_type_text;
extern const struct conf_type conf_type_path;
extern const struct conf_type conf_type_user;
extern const struct conf_type conf_type_name;
extern const struct conf_type conf_type_file;
extern const struct conf_type conf_type_patterns;
extern const struct conf_type conf_type_listen;
extern const struct conf_type conf_type_nets;
extern const struct conf_type conf_type_site;
extern const struct conf_type conf_type_passive;
extern const struct conf_type conf_type_ports_at;
extern const struct conf_type conf_type_set;
extern const struct conf_type conf_type_certs;
extern const struct conf_type conf_type_rules;

/* Parts that types are made of. */

bool conf_is_blank(char c);
/* The next item of a list, between blanks; empty when there is none. */
struct sv conf_take_item(struct sv *list);
/* Reads one item behind those that the list has; false: it said why. */
typedef bool conf_item_read(const struct conf_key *k, struct sv item,
    void *list, const struct conf_where *w);
/*
 * Reads a list into `list`, of so many bytes and with its count in front,
 * behind the `old` one where that is not NULL; and then into the field.
 */
MUST_USE bool conf_read_list(const struct conf_key *k, struct sv text,
    const void *old, void *list, size_t size, conf_item_read *read,
    void *field, const struct conf_where *w);
/* One component of a path: printable, without blank or slash, and no dots. */
bool conf_is_name(struct sv text);
/* A network without bits behind its length; false: it said why. */
MUST_USE bool conf_read_net(const struct conf_key *k, struct sv item,
    struct addr_net *out, const struct conf_where *w);
/* "LOW-HIGH"; NULL, or what is wrong with it. */
MUST_USE const char *conf_read_range(struct sv text, uint32_t least,
    uint32_t most, struct conf_range *out);

/* What classes and steps say about each other; the number of problems. */
MUST_USE int conf_check_limits(const struct conf *c,
    const struct conf_where *w);

/* NULL when there is no such key. */
const struct conf_key *conf_key_find(struct sv name);

/* The key that name was perhaps meant to be, or NULL. */
const struct conf_key *conf_key_nearest(struct sv name);

/* "portcullisd: FILE:LINE: KEY: ": the rest of the line is the caller's. */
void conf_problem_start(const struct conf_where *w, const char *key);

/* A line about a value of k: "TEXT WHAT; write ALLOWED".  Always false. */
bool conf_refuse(const struct conf_key *k, struct sv text, const char *what,
    const struct conf_where *w);

/* No control byte, and no 0xff, which is Telnet's IAC. */
bool conf_is_printable(struct sv text);

/* A whole line about a problem; key may be NULL. */
__attribute__((format(printf, 3, 4))) void conf_problem(
    const struct conf_where *w, const char *key, const char *format, ...);

/*
 * Text from a file on its way to a terminal: in quotes, odd bytes as \xNN,
 * cut with "..." where it is long.  Returns buf.
 */
#define CONF_QUOTE_MAX 320
const char *conf_quote(struct sv text, char buf[CONF_QUOTE_MAX]);
