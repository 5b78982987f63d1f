/*
 * tests/unit/audit/samples.h: small reports for the tests of every form.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

#define QUESTION(test, id, level, verdict, evidence) \
	"{'test': '" test "', 'id': '" id "', 'level': '" level "'," \
	" 'title': 'title of " id "', 'gain': 'gain of " id "'," \
	" 'mend': 'mend of " id "', 'verdict': '" verdict "'," \
	" 'evidence': '" evidence "'," \
	" 'exchange': [{'connection': 3, 'at_ms': 1012, 'send': 'PASV " id \
	"'}, {'connection': 3, 'at_ms': 1013, 'receive': '227 " id "'}," \
	" {'at_ms': 1020, 'event': 'connected " id "'}]}"

#define REPORT(target, verdict, grade, questions) \
	"{'portcullis_audit': 1, 'version': '0.1.0'," \
	" 'target': '" target "', 'host': 'ftp.example.org', 'port': 21," \
	" 'address': '192.0.2.21', 'from': '198.51.100.7'," \
	" 'listen': ['198.51.100.8', '2001:db8::8']," \
	" 'contact': 'noc@example.org', 'started': '2026-11-25T03:00:00Z'," \
	" 'duration_ms': 20311, 'server': {'kind': 'vsftpd'," \
	" 'name': 'vsftpd', 'version': '3.0.3'," \
	" 'banner': '220 (vsFTPd 3.0.3)'}, 'verdict': '" verdict "'," \
	" 'grade': '" grade "', 'notes': ['a note']," \
	" 'questions': [" questions "]}"

#define TARGET "ftp://ftp.example.org:21"

/* With ' in the place of ", which C would want escaped. */
static inline char *
json_text(const char *text)
{
	char *copy = strdup(text);

	assert_non_null(copy);
	for (char *c = copy; *c != '\0'; c++)
		if (*c == '\'')
			*c = '"';
	return copy;
}

static inline json_t *
report_of(const char *text)
{
	char *copy = json_text(text);
	json_error_t error;
	json_t *report = json_loads(copy, JSON_REJECT_DUPLICATES, &error);

	if (report == NULL)
		fail_msg("%s in %s", error.text, copy);
	free(copy);
	return report;
}
