/*
 * passwd/ask.h: passwords from a terminal, which does not show them, or from
 * standard input.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>

#include "accounts/secret.h"

/* With its NUL; the caller wipes it. */
#define ASK_ROOM (SECRET_PASSWORD_MAX + 1)

/*
 * Asks on the terminal; where it is a new one, twice.  False: it said why,
 * and out holds nothing.
 */
bool ask_terminal(const char *name, bool is_new, char out[ASK_ROOM]);

/* Standard input: one line, and nothing behind it.  False as above. */
bool ask_stdin(char out[ASK_ROOM]);
