/*
 * proto/glob.h: wildcards in the last component of LIST's and NLST's path,
 * which old clients' mget sends to the server.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/sv.h"

/* Whether text holds "*", "?" or "[": it may still be a plain name. */
bool glob_is_pattern(struct sv text);

/*
 * Whether the whole name fits the pattern: "*" any bytes, "?" one byte,
 * "[a-z]" one of them, "[!a-z]" one of the others; a "[" that is not closed
 * stands for itself.  No braces, no tilde, no escapes; bytes, whatever the
 * encoding.  A name that begins with a dot wants a pattern that does, too.
 * Work is at most 3 * name.len * pattern.len steps; nothing is recursive.
 */
bool glob_match(struct sv pattern, struct sv name);

/* The same, but a dot that the name begins with is a byte as any other. */
bool glob_fits(struct sv pattern, struct sv name);
