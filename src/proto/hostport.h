/*
 * proto/hostport.h: every way in which FTP names the address of a data
 * connection.  Commands: PORT (RFC 959), EPRT (RFC 2428), LPRT (RFC 1639);
 * replies: 227 (RFC 959), 229 (RFC 2428), 228 (RFC 1639).
 * Pure: no I/O, no allocation, no globals.
 *
 * A well-formed address is not yet a permitted one: ask policy/bounce.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/addr.h"
#include "base/sv.h"
#include "proto/err.h"

/* The longest text that a *_format function writes, NUL included. */
#define HOSTPORT_TEXT_MAX 160

/*
 * Reads the whole of text as "h1,h2,h3,h4,p1,p2", six decimal bytes of one
 * to three digits (RFC 959 §5.3.2).  Leading zeros stay decimal: read as
 * octal, "010" would be another host.
 *
 * text  what follows the SP, CRLF already cut off; borrowed for the call
 * out   written on success only, family ADDR_V4; port 0 is well-formed
 *
 * FTP_SYNTAX  not exactly six comma-separated numbers; blanks, signs, text
 *             behind the last one
 * FTP_RANGE   a number above 255
 */
MUST_USE enum ftp_err hostport_parse(struct sv text, struct addr *out);

/*
 * Reads the whole of text as EPRT's "<d>net-prt<d>net-addr<d>tcp-port<d>"
 * (RFC 2428 §2), d any one character from "!" to "~".
 *
 * An IPv6 zone ("fe80::1%eth0") is read and marked (out->zoned) so that the
 * policy can refuse it as what it is, rather than as a spelling mistake.
 * The address must be of the family that net-prt names.
 *
 * FTP_SYNTAX  not of that form, or not an address of that family
 * FTP_RANGE   a port above 65535
 * FTP_FAMILY  net-prt is a number, but neither 1 nor 2
 */
MUST_USE enum ftp_err eprt_parse(struct sv text, struct addr *out);

/*
 * Reads the whole of text as LPRT's "af,hal,h1,...,pal,p1,..." (RFC 1639 §2):
 * af 4 with four and af 6 with sixteen address bytes, two port bytes.
 *
 * FTP_FAMILY  af is a number, but neither 4 nor 6
 */
MUST_USE enum ftp_err lprt_parse(struct sv text, struct addr *out);

/*
 * Reads the text of a reply, after its code and SP.
 *
 * 227  RFC 959 does not say where in the text the six numbers stand, nor
 *      whether brackets surround them: the first list of exactly six numbers
 *      that forms a host-port is taken (RFC 1123 §4.1.2.6)
 * 229  "(<d><d><d>port<d>)"; the address is empty, as RFC 2428 §3 wants
 *      (family ADDR_NONE), or is given when a server put one there
 * 228  "(4,4,...)" as LPRT, found as 227's numbers are
 */
MUST_USE enum ftp_err pasv_reply_parse(struct sv text, struct addr *out);
MUST_USE enum ftp_err epsv_reply_parse(struct sv text, struct addr *out);
MUST_USE enum ftp_err lpsv_reply_parse(struct sv text, struct addr *out);

/*
 * The same six grammars by name, and where a text leaves them: for a caret
 * beneath what a person typed.  The functions above are this one.
 *
 * fault  may be NULL; written on failure only
 */
enum hostport_form {
	HOSTPORT_PORT,
	HOSTPORT_EPRT,
	HOSTPORT_LPRT,
	HOSTPORT_227,
	HOSTPORT_228,
	HOSTPORT_229,
	HOSTPORT_FORM_COUNT
};

struct hostport_fault {
	size_t at;	      /* bytes of text before the fault */
	const char *expected; /* what should have stood there; a constant */
};

MUST_USE enum ftp_err hostport_parse_form(enum hostport_form form,
    struct sv text, struct addr *out, struct hostport_fault *fault);

/*
 * EPSV's argument (RFC 2428 §3): none, a protocol number, or "ALL".
 *
 * FTP_SYNTAX  something else
 * FTP_FAMILY  a number that is neither 1 nor 2
 */
enum epsv_wish {
	EPSV_ANY,
	EPSV_V4,
	EPSV_V6,
	EPSV_ALL,
};
MUST_USE enum ftp_err epsv_parse(struct sv text, enum epsv_wish *out);

/*
 * The way back, each NUL-terminated; returns the length without the NUL.
 * hostport_format needs an ADDR_V4 address, the others one of either family;
 * a zone is not written.
 */
size_t hostport_format(const struct addr *a, char buf[HOSTPORT_TEXT_MAX]);
size_t eprt_format(const struct addr *a, char buf[HOSTPORT_TEXT_MAX]);
size_t lprt_format(const struct addr *a, char buf[HOSTPORT_TEXT_MAX]);
