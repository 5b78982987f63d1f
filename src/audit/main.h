/*
 * audit/main.h: `portcullis audit`, the auditor.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

/* Returns an enum audit_exit (audit/options.h). */
int audit_main(int argc, char **argv);
