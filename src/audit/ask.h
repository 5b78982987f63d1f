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

#define ASK_COMMANDS 64		/* of one question */
#define ASK_EVIDENCE 400

/* What one question learned and the next ones go by. */
struct facts {
	enum server_kind kind;
	bool logged_in;		/* a login was taken */
	bool no_login;		/* none was, the first time */
	bool login_tls;		/* it is taken within TLS alone */
	bool has_tls;		/* AUTH TLS was answered with 234, or 990 */
	bool dials_early;	/* it connects at PORT */
	char login_reply[ASK_EVIDENCE];	/* when there is no login */
	char file[256];		/* a plain file of the directory; or empty */
};

struct audit {
	const struct options *options;
	const struct target *target;
	struct place place;
	struct facts facts;
	uint64_t started_ms;
	uint64_t may_send_ms;	/* --rate: not before */
	unsigned connections;
	json_t *report;
	unsigned silences;	/* in a row: no connection, or no reply */
	char stopped[ASK_EVIDENCE];	/* why nothing more is asked */
};

struct ask {
	struct audit *audit;
	enum audit_question question;
	unsigned commands;
	enum verdict verdict;
	bool answered;
	char evidence[ASK_EVIDENCE];
	json_t *exchange;
	json_t *asked;
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

/* Nothing more is asked of this server; the first reason stays. */
void audit_stop(struct audit *a, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * Audits one server from its first connection to its report; never NULL.
 * What is told of the progress goes to standard error, where a terminal is.
 */
json_t *audit_run(const struct options *o, const struct target *t);

/* A report that says only why there is none. */
json_t *audit_failed(const struct target *t, const char *why);

/* Waits until --rate lets another command pass, and counts it. */
MUST_USE bool ask_may_send(struct ask *q);

/* ---- the questions, one function for each id; see questions.h */

#define X(test, id, level, title, gain) void ask_##id(struct ask *q);
AUDIT_QUESTIONS(X)
#undef X
