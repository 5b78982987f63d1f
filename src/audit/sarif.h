/*
 * audit/sarif.h: reports as SARIF 2.1.0, for code scanning and its viewers.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <jansson.h>
#include <stddef.h>

/*
 * One log with one run: every question is a rule; what is vulnerable or
 * accepts is a result of kind "fail", what is inconclusive one of kind
 * "open" without a level.  A target that could not be audited is a
 * notification, and the run then counts as not successful.
 *
 * A new reference; NULL when there is no memory for it.
 */
json_t *sarif_log(json_t *const *reports, size_t n);
