/*
 * audit/main.h: `portcullis audit`, the auditor.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

/* Exit status: 0 safe, 1 vulnerable or failed, 2 usage, 3 inconclusive. */
int audit_main(int argc, char **argv);
