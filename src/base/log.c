/*
 * base/log.c: diagnostics; see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char role_prefix[32];

void
log_open(const char *role)
{
	snprintf(role_prefix, sizeof(role_prefix), "%s", role);
}

static void emit(const char *format, va_list args)
    __attribute__((format(printf, 1, 0)));

static void
emit(const char *format, va_list args)
{
	char line[1024];
	int head, body;
	size_t len;

	head = snprintf(line, sizeof(line), "portcullisd: %s%s", role_prefix,
	    role_prefix[0] != '\0' ? ": " : "");
	body = vsnprintf(line + head, sizeof(line) - (size_t)head - 1, format,
	    args);
	if (body < 0)
		return;
	len = strlen(line);
	line[len++] = '\n';
	if (write(STDERR_FILENO, line, len) < 0)
		return; /* nowhere left to say it */
}

void
log_line(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	emit(format, args);
	va_end(args);
}

void
log_fatal(int status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	emit(format, args);
	va_end(args);
	exit(status);
}
