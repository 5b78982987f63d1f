/*
 * proto/host.h: the argument of HOST (RFC 7151 §3.1).  Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/addr.h"
#include "base/sv.h"
#include "proto/err.h"

/* A name, or the address that stands in its place. */
struct host {
	struct sv name;		/* empty: it is an address */
	struct addr ip;		/* without a port */
};

/*
 * Reads the whole of text as a domain name, "192.0.2.1" or "[2001:db8::1]".
 *
 * text  what follows the SP; borrowed, as out->name is
 * out   written on success only
 *
 * One dot at the end of a name is left out: it is the same name.  A port is
 * not of this grammar, since no client can reach another one by saying so.
 *
 * FTP_SYNTAX  neither; so are an IPv6 address without brackets, a zone, and
 *             letters that are not ASCII (a client sends the A-label)
 */
MUST_USE enum ftp_err host_parse(struct sv text, struct host *out);
