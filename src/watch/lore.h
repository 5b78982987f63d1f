/*
 * watch/lore.h: `portcullis watch --explain ID`: what a variant is.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "policy/kinds.h"

/*
 * id  the name of a variant ("third_party"), or of a row of the project's
 *     list of variants ("BO14")
 *
 * False, and all names listed on err, when there is no such thing.
 */
bool lore_explain(FILE *out, FILE *err, const char *id);

/* Whether there is something to say about it; for a test. */
bool lore_knows(enum bounce_kind kind);
