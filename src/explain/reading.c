/*
 * explain/reading.c: what a pasted text is; see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "explain/reading.h"

#include "proto/hostport.h"
#include "proto/reply.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct form {
	enum hostport_form grammar;
	enum reading_kind kind;
	const char *name;
	int code; /* of a reply */
};

static const struct form forms[] = {
	{ HOSTPORT_PORT, READING_COMMAND, "PORT", 0 },
	{ HOSTPORT_EPRT, READING_COMMAND, "EPRT", 0 },
	{ HOSTPORT_LPRT, READING_COMMAND, "LPRT", 0 },
	{ HOSTPORT_227, READING_REPLY, "227", 227 },
	{ HOSTPORT_228, READING_REPLY, "228", 228 },
	{ HOSTPORT_229, READING_REPLY, "229", 229 },
};

enum {
	FORM_PORT,
	FORM_EPRT,
	FORM_LPRT,
	FORM_227,
	FORM_228,
	FORM_229,
};

/* What captures and clients put before a line of the control connection. */
static const char *const marks[] = {
	"C:", "S:", ">", "<", "->", "<-", "--->", "<---", ">>>", "<<<", "ftp>",
	"Command:", "Response:", "Request:",
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct sv
skip_blanks(struct sv text)
{
	while (text.len > 0 && is_blank(text.ptr[0]))
		text = sv_drop(text, 1);
	return text;
}

/* Up to the first blank. */
static struct sv
first_word(struct sv text)
{
	struct sv word = { text.ptr, 0 };

	while (word.len < text.len && !is_blank(text.ptr[word.len]))
		word.len++;
	return word;
}

static struct sv
cut_marks(struct sv line)
{
	struct sv text, word;

	while (line.len > 0 && line.ptr[line.len - 1] == '\r')
		line.len--;
	text = skip_blanks(line);
	word = first_word(text);
	for (size_t i = 0; i < COUNT(marks); i++)
		if (sv_eq_nocase(word, sv_of(marks[i])))
			return skip_blanks(sv_drop(text, word.len));
	return text;
}

static void
refuse(struct reading *r, enum ftp_err err, size_t at, const char *expected)
{
	r->err = err;
	r->at = at;
	r->expected = expected;
}

/* Reads what begins at `start` of the text as the given form. */
static void
read_form(struct reading *r, const struct form *form, size_t start)
{
	struct hostport_fault fault = { 0, NULL };

	r->kind = form->kind;
	r->form = form->name;
	r->grammar = form->grammar;
	r->err = hostport_parse_form(form->grammar, sv_drop(r->text, start),
	    &r->addr, &fault);
	r->at = start + fault.at;
	r->expected = fault.expected;
}

/* "PORT 1,2,3,4,5,6", any case; false when it is no such verb. */
static bool
read_command(struct reading *r)
{
	struct sv verb = first_word(r->text);

	for (size_t i = 0; i < COUNT(forms); i++) {
		if (!sv_eq_nocase(verb, sv_of(forms[i].name)) ||
		    forms[i].kind != READING_COMMAND)
			continue;
		if (r->text.len > verb.len && r->text.ptr[verb.len] == ' ') {
			read_form(r, &forms[i], verb.len + 1);
			return true;
		}
		r->kind = READING_COMMAND;
		r->form = forms[i].name;
		r->grammar = forms[i].grammar;
		refuse(r, r->text.len > verb.len ? FTP_UNKNOWN : FTP_SYNTAX,
		    verb.len, "one blank and the address");
		return true;
	}
	return false;
}

static bool
read_reply(struct reading *r)
{
	struct reply_line reply;

	if (reply_parse(r->text, &reply) != FTP_OK)
		return false;
	for (size_t i = 0; i < COUNT(forms); i++)
		if (forms[i].code == reply.code) {
			read_form(r, &forms[i], r->text.len - reply.text.len);
			return true;
		}
	return false;
}

static size_t
count(struct sv text, char c)
{
	size_t n = 0;

	for (size_t i = 0; i < text.len; i++)
		n += text.ptr[i] == c;
	return n;
}

static bool
begins(struct sv text, struct sv with)
{
	return text.len >= with.len &&
	    memcmp(text.ptr, with.ptr, with.len) == 0;
}

/* "4,4,1,2,3,4" has six numbers and is a host-port; LPRT has nine or more. */
static bool
looks_like_lprt(struct sv text)
{
	return count(text, ',') > 5 &&
	    (begins(text, SV("4,4,")) || begins(text, SV("6,16,")));
}

/* EPRT allows any, but here only those that begin nothing else. */
static bool
is_delimiter(char c)
{
	bool letter = sv_upper(c) >= 'A' && sv_upper(c) <= 'Z';

	return c >= '!' && c <= '~' && !letter && !sv_digit(c) && c != '[' &&
	    c != ':';
}

/* The numbers alone, without the verb or the code. */
static bool
read_bare(struct reading *r)
{
	char first = r->text.ptr[0];

	if (sv_digit(first) && count(r->text, ',') > 0) {
		read_form(r, &forms[looks_like_lprt(r->text) ? FORM_LPRT :
		    FORM_PORT], 0);
		return true;
	}
	if (first == '(') {
		char second = r->text.len > 1 ? r->text.ptr[1] : ')';

		if (!sv_digit(second))
			read_form(r, &forms[FORM_229], 0);
		else
			read_form(r, &forms[looks_like_lprt(sv_drop(r->text,
			    1)) ? FORM_228 : FORM_227], 0);
		return true;
	}
	if (is_delimiter(first) && count(r->text, first) >= 3) {
		read_form(r, &forms[FORM_EPRT], 0);
		return true;
	}
	return false;
}

#define WANT_ENDPOINT "an address and a port, as 192.0.2.1:4251 or " \
	"[2001:db8::1]:4251"

/* ADDRESS:PORT; where the address is right, the fault is in the port. */
static bool
read_endpoint(struct reading *r)
{
	const char *colon = memrchr(r->text.ptr, ':', r->text.len);
	struct sv ip = r->text;
	struct addr ignored;

	r->kind = READING_ENDPOINT;
	r->err = FTP_OK;
	if (addr_parse_ip_port(r->text, &r->addr))
		return true;
	if (addr_parse_ip(r->text, &ignored)) {
		bool v6 = ignored.family == ADDR_V6;

		refuse(r, FTP_SYNTAX, v6 ? 0 : r->text.len, v6 ?
		    "brackets and a port, as [2001:db8::1]:4251" :
		    "a colon and a port");
		return true;
	}
	if (colon == NULL)
		return false;
	ip.len = (size_t)(colon - ip.ptr);
	if (ip.len >= 2 && ip.ptr[0] == '[' && ip.ptr[ip.len - 1] == ']')
		ip = (struct sv) { ip.ptr + 1, ip.len - 2 };
	if (addr_parse_ip(ip, &ignored))
		refuse(r, FTP_SYNTAX, (size_t)(colon - r->text.ptr) + 1,
		    "a port number from 0 to 65535");
	else if (sv_digit(r->text.ptr[0]) || r->text.ptr[0] == '[')
		refuse(r, FTP_SYNTAX, 0, WANT_ENDPOINT);
	else
		return false;
	return true;
}

struct reading
reading_of(struct sv line)
{
	struct reading r = { .text = cut_marks(line) };

	if (r.text.len > 0 && (read_command(&r) || read_reply(&r) ||
	    read_bare(&r) || read_endpoint(&r)))
		return r;
	r.kind = READING_UNKNOWN;
	refuse(&r, FTP_UNKNOWN, 0,
	    "PORT, EPRT, LPRT, a 227, 228 or 229 reply, or ADDRESS:PORT");
	return r;
}
