/*
 * audit/note.h: what is written down of a control connection: its transcript
 * (q->exchange), and the data addresses that were asked for, under the names
 * that the sensor gives them (q->asked).
 *
 * A note for which there is no memory is left out, and so is what a server
 * says without end: no answer hangs on it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "audit/link.h"
#include "policy/kinds.h"

/*
 * Bytes that are being sent, and what the sensor would say of the lines in
 * them: the same reading, the same verdict.  A password is written as ****.
 */
void note_sent(struct link *l, struct sv raw);

/* A reply; empty where none came. */
void note_received(const struct link *l, struct sv text);

/*
 * What was asked where the bytes alone do not tell it.
 *
 * line   the command that did it
 * asked  the address in question, or the stranger's; ADDR_NONE for none
 */
void note_kind(const struct link *l, enum bounce_kind kind, struct sv line,
    const struct addr *asked, uint16_t port);
