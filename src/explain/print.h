/*
 * explain/print.h: a reading and its verdict, for people and for programs.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdio.h>

#include "explain/judge.h"
#include "explain/reading.h"

/* verdict is NULL for a text that is not well-formed. */
void print_text(FILE *out, const struct reading *r, const struct verdict *v);

/* One JSON object and an LF (INTERFACE of explain --json). */
void print_json(FILE *out, const struct reading *r, const struct verdict *v);
