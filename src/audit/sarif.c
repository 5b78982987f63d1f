/*
 * audit/sarif.c: see the header.
 *
 * A location is "host/21" and not "ftp://host:21": GitHub refuses a whole
 * file for one URI with another scheme than that of its checkout, and takes
 * "host:21" for a scheme.  The target as it was given is the logical
 * location.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "audit/sarif.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "audit/form.h"

#define SCHEMA "https://json.schemastore.org/sarif-2.1.0.json"

/* "security-severity": GitHub reads 9.0 and above as critical, and so on. */
static const struct {
	const char *level;
	const char *score;	/* NULL: none, it is a remark */
} gravities[LEVEL_COUNT] = {
	[LEVEL_INFO] = { "note", NULL },
	[LEVEL_LOW] = { "note", "3.0" },
	[LEVEL_MEDIUM] = { "warning", "5.5" },
	[LEVEL_HIGH] = { "error", "8.0" },
	[LEVEL_CRITICAL] = { "error", "9.5" },
};

/* Adds value, which is given away, to the array; false: no memory. */
static bool
append(json_t *array, json_t *value)
{
	return json_array_append_new(array, value) == 0;
}

static json_t *
help_of(const struct question *q)
{
	return json_pack("{s:o, s:o}",
	    "text", json_sprintf("The server %s. An attacker: %s. The result "
	    "tells how it is mended on that server.", q->title, q->gain),
	    "markdown", json_sprintf("The server %s.\n\n**An attacker**: %s."
	    "\n\nThe result tells how it is mended on that server.", q->title,
	    q->gain));
}

static json_t *
rule_of(const struct question *q)
{
	json_t *properties = json_pack("{s:[s, s, s], s:s}",
	    "tags", "security", "ftp", q->test, "precision", "very-high");

	if (properties != NULL && gravities[q->level].score != NULL &&
	    json_object_set_new(properties, "security-severity",
	    json_string(gravities[q->level].score)) != 0) {
		json_decref(properties);
		return NULL;
	}
	return json_pack("{s:s, s:{s:s}, s:{s:o}, s:o, s:{s:s}, s:o}",
	    "id", q->id,
	    "shortDescription", "text", q->title,
	    "fullDescription", "text", json_sprintf("The server %s: an "
	    "attacker %s.", q->title, q->gain),
	    "help", help_of(q),
	    "defaultConfiguration", "level", gravities[q->level].level,
	    "properties", properties);
}

static json_t *
driver(void)
{
	json_t *rules = json_array();

	for (size_t q = 0; q < ASK_COUNT; q++)
		if (!append(rules, rule_of(&audit_questions[q]))) {
			json_decref(rules);
			return NULL;
		}
	return json_pack("{s:s, s:s, s:s, s:s, s:o}",
	    "name", "portcullis audit", "version", PORTCULLIS_VERSION,
	    "semanticVersion", PORTCULLIS_VERSION,
	    "organization", "Portcullis", "rules", rules);
}

static bool
is_unreserved(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	    (c >= 'A' && c <= 'Z') || c == '-' || c == '.' || c == '_' ||
	    c == '~';
}

static const char *
host_of(const json_t *report)
{
	const char *host = form_text(report, "host");

	if (host[0] == '\0')
		host = form_text(report, "address");
	return host[0] != '\0' ? host : form_target(report);
}

/* "host/21", percent-encoded: RFC 3986 has no colon in a first segment. */
static json_t *
uri_of(const json_t *report)
{
	const char *host = host_of(report);
	json_t *uri = NULL;
	char *text = NULL;
	size_t len;
	FILE *out;

	if ((out = open_memstream(&text, &len)) == NULL)
		return NULL;
	for (; *host != '\0'; host++) {
		if (is_unreserved(*host))
			putc(*host, out);
		else
			fprintf(out, "%%%02X", (unsigned char)*host);
	}
	fprintf(out, "/%" PRId64, form_number(report, "port"));
	if (fclose(out) == 0)
		uri = json_string(text);
	free(text);
	return uri;
}

/* FNV-1a: the same in every run and on every machine; no secret is in it. */
static uint64_t
hash(const char *text)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (; *text != '\0'; text++) {
		h ^= (unsigned char)*text;
		h *= UINT64_C(0x100000001b3);
	}
	return h;
}

/*
 * Two results are one when target and question are the same.  GitHub reads
 * primaryLocationLineHash alone, and would look for a source file without.
 */
static json_t *
fingerprints_of(const json_t *report, const char *id)
{
	json_t *whole = json_sprintf("%s:%" JSON_INTEGER_FORMAT "/%s",
	    host_of(report), (json_int_t)form_number(report, "port"), id);

	if (whole == NULL)
		return NULL;
	return json_pack("{s:o, s:o}", "primaryLocationLineHash",
	    json_sprintf("%016" PRIx64 ":1", hash(json_string_value(whole))),
	    "portcullisTarget/v1", whole);
}

static json_t *
locations_of(const json_t *report)
{
	return json_pack("[{s:{s:{s:o}, s:{s:i}}, s:[{s:s, s:s}]}]",
	    "physicalLocation", "artifactLocation", "uri", uri_of(report),
	    "region", "startLine", 1,
	    "logicalLocations", "fullyQualifiedName", form_target(report),
	    "kind", "resource");
}

/*
 * In a message "[text](URI)" is a link and "{0}" an argument (SARIF 2.1.0
 * §3.11.5, §3.11.6), and the server may write either into its replies: a blank
 * makes plain text of the one, other braces of the other.  `text` is given
 * away.
 */
static json_t *
plain(json_t *text)
{
	const char *from = json_string_value(text);
	json_t *made = NULL;
	char *safe = NULL;
	size_t len;
	FILE *out;

	if (from == NULL || (out = open_memstream(&safe, &len)) == NULL) {
		json_decref(text);
		return NULL;
	}
	for (; *from != '\0'; from++) {
		putc(*from == '{' ? '(' : *from == '}' ? ')' : *from, out);
		if (*from == ']' && (from[1] == '(' || from[1] == '{'))
			putc(' ', out);
	}
	if (fclose(out) == 0)
		made = json_string(safe);
	free(safe);
	json_decref(text);
	return made;
}

/* What, how it was seen, how it is mended. */
static json_t *
message_of(const json_t *report, const struct form_line *l)
{
	const char *target = form_target(report);

	if (!form_line_is_defect(l))
		return plain(json_sprintf("%s: it could not be told whether "
		    "the server %s: %s", target, l->title, l->evidence));
	return plain(json_sprintf("%s: the server %s: %s\nMend: %s", target,
	    l->title, l->evidence, l->mend[0] != '\0' ? l->mend :
	    "see the rule"));
}

static json_t *
result_of(const json_t *report, const struct form_line *l)
{
	bool defect = form_line_is_defect(l);
	enum audit_question q = audit_question_find(l->id);

	return json_pack("{s:s, s:i, s:s, s:s, s:{s:o}, s:o, s:o, s:{s:s}}",
	    "ruleId", l->id, "ruleIndex", (int)q,
	    "kind", defect ? "fail" : "open",
	    "level", defect ? gravities[l->level].level : "none",
	    "message", "text", message_of(report, l),
	    "locations", locations_of(report),
	    "partialFingerprints", fingerprints_of(report, l->id),
	    "properties", "verdict", verdict_name(l->verdict));
}

/* A line of a question that this program does not know has no rule. */
static bool
add_results(json_t *results, const json_t *report)
{
	const json_t *question;
	size_t i;

	json_array_foreach(json_object_get(report, "questions"), i, question) {
		struct form_line l = form_line(question);

		if (l.verdict == VERDICT_safe ||
		    l.verdict == VERDICT_not_asked ||
		    audit_question_find(l.id) == ASK_COUNT)
			continue;
		if (!append(results, result_of(report, &l)))
			return false;
	}
	return true;
}

/* What could not be audited at all. */
static json_t *
invocation(json_t *const *reports, size_t n)
{
	json_t *errors = json_array();
	bool all = true;

	for (size_t i = 0; i < n; i++) {
		const char *error = form_text(reports[i], "error");

		if (error[0] == '\0')
			continue;
		all = false;
		if (append(errors, json_pack("{s:s, s:{s:o}, s:o}",
		    "level", "error", "message", "text",
		    plain(json_sprintf("%s: %s", form_target(reports[i]),
		    error)),
		    "locations", locations_of(reports[i]))))
			continue;
		json_decref(errors);
		return NULL;
	}
	return json_pack("{s:b, s:o}", "executionSuccessful", all,
	    "toolExecutionNotifications", errors);
}

json_t *
sarif_log(json_t *const *reports, size_t n)
{
	json_t *results = json_array();

	for (size_t i = 0; i < n; i++)
		if (!add_results(results, reports[i])) {
			json_decref(results);
			return NULL;
		}
	return json_pack("{s:s, s:s, s:[{s:{s:o}, s:{s:s}, s:[o], s:s, s:o}]}",
	    "$schema", SCHEMA, "version", "2.1.0",
	    "runs", "tool", "driver", driver(),
	    "automationDetails", "id", "portcullis-audit/",
	    "invocations", invocation(reports, n),
	    "columnKind", "unicodeCodePoints", "results", results);
}
