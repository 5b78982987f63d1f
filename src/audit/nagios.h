/*
 * audit/nagios.h: one line for who polls: Nagios, Icinga and their kin.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>

/*
 * "FTP AUDIT WARNING - text | vulnerable=1 accepts=0 inconclusive=0 time=2.1s"
 *
 * status  the program's exit status, which the poller reads, too: 0 is OK,
 *         1 WARNING, 2 CRITICAL, all else UNKNOWN
 *
 * The counts are those of all reports together, the time is the longest.
 */
void nagios_print(FILE *out, json_t *const *reports, size_t n, int status);
