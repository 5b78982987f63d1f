/*
 * proto/lenient.h: what a careless server may make of a line that ours
 * refuses.  For who reads the lines of others: an attacker spells an address
 * so that a firewall or sensor sees none, and the server sees one.
 * Pure: no I/O, no allocation, no globals.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/addr.h"
#include "base/sv.h"
#include "proto/command.h"
#include "proto/hostport.h"

#define LENIENT_READINGS 4
#define LENIENT_LINE_MAX 1024	/* longer lines are read so far */

/*
 * Looks for a command in a line that command_parse does not take as it
 * stands: blanks and control bytes before the verb, several of them behind
 * it, a NUL (left out, or ending the line), a bare CR (ending the line).
 *
 * room  LENIENT_LINE_MAX bytes; *arg points into it
 *
 * False when no such reading has a verb with a data address (PORT, EPRT,
 * LPRT).
 */
bool lenient_command(struct sv line, char room[LENIENT_LINE_MAX],
    enum ftp_verb *verb, struct sv *arg);

/*
 * The addresses that parsers are known to make of the argument of PORT, EPRT
 * or LPRT, each once; the one of the strict grammar, if it has one, first.
 * Numbers of any length, signed, octal, hexadecimal, each taken modulo 256
 * or summed up and cut to 16 bits; blanks anywhere; text behind the last one.
 *
 * form  HOSTPORT_PORT, HOSTPORT_EPRT or HOSTPORT_LPRT
 *
 * Returns how many were written to out.
 */
size_t lenient_addresses(enum hostport_form form, struct sv arg,
    struct addr out[LENIENT_READINGS]);
