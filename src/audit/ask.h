/*
 * audit/ask.h: one audit of one server, and one question of it: what may
 * still be sent, what was said, and the answer.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <jansson.h>

#include "audit/form.h"
#include "audit/lore.h"
#include "audit/options.h"
#include "audit/place.h"
#include "audit/sock.h"

#define ASK_COMMANDS 64		/* of one question */
#define ASK_EVIDENCE 400	/* bytes of it, NUL included */
#define ASK_FILE_MAX 201	/* of a file's name, NUL included */

/* What one question learned and the next ones go by. */
struct facts {
	enum server_kind kind;
	bool no_login;		/* none was taken, the first time */
	bool login_tls;		/* it is taken within TLS alone */
	bool has_tls;		/* AUTH TLS was answered with 234, or 990 */
	bool early_known;	/* whether it connects at PORT: */
	bool dials_early;	/* it was seen to */
	char login_reply[ASK_EVIDENCE];	/* when there is no login */
	char file[ASK_FILE_MAX];	/* a plain one there; or empty */
};

/* A listener of a third party's that outlives its question. */
struct late {
	struct listener at;
	enum audit_question question;
	uint64_t since_ms;
};

#define AUDIT_LATE 96

struct audit {
	const struct options *options;
	const struct target *target;
	struct place place;
	struct facts facts;
	uint64_t started_ms;	/* of sock_now_ms's clock */
	uint64_t may_send_ms;	/* --rate: not before */
	uint64_t deadline_ms;	/* --max-time: nothing is waited for beyond */
	unsigned connections;	/* made so far: each has a number */
	json_t *report;
	unsigned silences;	/* in a row: no connection, or no reply */
	char stopped[ASK_EVIDENCE];	/* why nothing more is asked */
	struct late late[AUDIT_LATE];
	size_t lates;
};

struct ask {
	struct audit *audit;
	enum audit_question question;
	unsigned commands;	/* sent, of ASK_COMMANDS */
	enum verdict verdict;	/* set by ask_answer, as the next two are */
	bool answered;
	char evidence[ASK_EVIDENCE];	/* printable ASCII */
	json_t *exchange;	/* arrays, for the line of the report; see */
	json_t *asked;		/* audit/note.h */
};

/*
 * Gives the answer, once and for all; evidence as printf has it, in one line.
 * Bytes of the network in it are made printable.
 */
void ask_answer(struct ask *q, enum verdict verdict, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Something happened that is neither a command nor a reply. */
void ask_event(struct ask *q, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * Writes text into buf as printable ASCII, other bytes as \xNN, whole or cut
 * with "..." at its end.  Returns buf.
 */
const char *ask_printable(struct sv text, char *buf, size_t size);

/* A number that nobody has used before, for the names of users and files. */
unsigned ask_made_up(void);

/* Nothing more is asked of this server; the first reason stays. */
void audit_stop(struct audit *a, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * Audits one server from its first connection to its report.  What is told
 * of the progress goes to standard error, where a terminal is.
 *
 * A new reference; NULL when there is no memory for a report at all.
 */
MUST_USE json_t *audit_run(const struct options *o, const struct target *t);

/* A report that says only why there is none; NULL likewise. */
MUST_USE json_t *audit_failed(const struct target *t, const char *why);

/* --max-time is over.  Then nothing more is asked. */
MUST_USE bool audit_is_late(struct audit *a);

/*
 * Waits until --rate lets another command pass, and counts it.  False at
 * once when ASK_COMMANDS were sent, or --max-time is over.
 */
MUST_USE bool ask_may_send(struct ask *q);

/* ---- the questions, one function for each id; see questions.h */

#define X(test, id, level, title, gain) void ask_##id(struct ask *q);
AUDIT_QUESTIONS(X)
#undef X
