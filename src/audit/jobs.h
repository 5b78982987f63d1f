/*
 * audit/jobs.h: a process for each target, a few at a time.
 *
 * The process that reads the network hands over its report as JSON, and the
 * one that writes to the terminal and to files reads no network.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <jansson.h>

#include "audit/options.h"

#define JOBS_REPORT_MAX (16u << 20)	/* bytes of one report */

/*
 * Audits all targets, o->jobs at once, and calls told for each report in the
 * targets' order, as soon as its turn has come.  The report is the callee's,
 * and never NULL: of an audit that failed it says why.  Without memory for
 * that the program ends, with status 1.
 */
void jobs_run(const struct options *o,
    void (*told)(void *arg, json_t *report), void *arg);
