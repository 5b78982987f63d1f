/*
 * base/log.h: diagnostics, one line each on standard error.
 *
 * A line is "portcullisd: gate: text key=value ..."; the keys are the same
 * everywhere (sess=, peer=, verb=, err=).  Bytes from the network never come
 * here: they belong in events, where they are escaped.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

/* Who is speaking: "gate", "worker 2"; copied, at most 31 bytes. */
void log_open(const char *role);

/* One line, whole in one write, so that processes do not mix theirs. */
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* log_line, then exit with status. */
_Noreturn void log_fatal(int status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
