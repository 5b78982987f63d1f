/*
 * conf/conf.c: reading the file and the command line, and printing it all.
 *
 * inih splits the lines into section, name and value.  By itself it would
 * cut a long line in two and read the rest as another key, end a value at
 * " ;", join an indented line to the one above, ignore what follows "]",
 * and tell only the first bad line's number.  An access policy must not be
 * read otherwise than it was written, so the lines reach inih one by one
 * through read_line(), which counts and checks them, and its settings are
 * switched off in settle_inih().
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "conf/conf_key.h"

#include <assert.h>
#include <errno.h>
#include <ini.h>

/* Two paths in one line would fit; more is a file of another kind. */
#define LINE_MAX_BYTES 8192

/* inih silently cuts a section's name behind 49 bytes. */
#define SECTION_MAX 40

struct reader {
	FILE *in;
	struct conf *conf;
	struct conf_where where;
	int problems;
	bool unanswered; /* inih has a line and has not named its key */
	unsigned first[CONF_KEY_COUNT]; /* line where a key was given */
};

static void *
field_of(struct conf *c, const struct conf_key *k)
{
	return (char *)c + k->offset;
}

void
conf_init(struct conf *c)
{
	struct conf_where w = { .err = stderr };

	memset(c, 0, sizeof(*c));
	c->version = CONF_VERSION;
	for (size_t i = 0; i < CONF_KEY_COUNT; i++) {
		const struct conf_key *k = &conf_keys[i];
		bool good = k->type->read(k, sv_of(k->value), false,
		    field_of(c, k), &w);

		assert(good);	/* a default that is not allowed */
		(void)good;
	}
}

/* The key that a name in a file stands for: "ports" in [passive]. */
static void
report_unknown(struct reader *r, const char *section, const char *name,
    const char *full)
{
	const struct conf_key *near = conf_key_nearest(sv_of(full));
	char quoted[CONF_QUOTE_MAX];

	r->problems++;
	conf_quote(sv_of(full), quoted);
	if (*section != '\0' && conf_key_find(sv_of(name)) != NULL)
		conf_problem(&r->where, NULL,
		    "%s: no such key; move it above the first [section]",
		    quoted);
	else if (near != NULL)
		conf_problem(&r->where, NULL,
		    "%s: no such key; did you mean %s?", quoted, near->name);
	else
		conf_problem(&r->where, NULL,
		    "%s: no such key; portcullisd --print-config lists them",
		    quoted);
}

static void
take_value(struct reader *r, const struct conf_key *k, const char *value)
{
	unsigned *first = &r->first[k - conf_keys];
	bool again = *first > 0;

	if (again && !k->type->is_list) {
		r->problems++;
		conf_problem(&r->where, k->name,
		    "given again; it is already in line %u", *first);
		return;
	}
	if (!again)
		*first = r->where.line;
	if (!k->type->read(k, sv_of(value), again, field_of(r->conf, k),
	    &r->where))
		r->problems++;
}

/* inih's handler; 1 is "go on", whatever was wrong. */
static int
on_key(void *user, const char *section, const char *name, const char *value)
{
	struct reader *r = user;
	char full[LINE_MAX_BYTES + SECTION_MAX];
	const struct conf_key *k;

	r->unanswered = false;
	snprintf(full, sizeof(full), "%s%s%s", section,
	    *section != '\0' ? "." : "", name);
	k = conf_key_find(sv_of(full));
	if (k == NULL)
		report_unknown(r, section, name, full);
	else
		take_value(r, k, value);
	return 1;
}

enum line {
	LINE_END,
	LINE_GOOD,
	LINE_BAD,
};

/*
 * Reads one line of at most max bytes into buf, without its newline.
 * Longer lines are read to their end and reported, as are NUL bytes.
 */
static enum line
get_line(struct reader *r, char *buf, size_t max, size_t *len)
{
	size_t n = 0;
	bool nul = false;
	int c;

	while ((c = getc(r->in)) != EOF && c != '\n') {
		nul = nul || c == '\0';
		if (n < max)
			buf[n] = (char)c;
		n++;
	}
	if (c == EOF && n == 0)
		return LINE_END;
	r->where.line++;
	*len = n;
	if (n <= max && !nul)
		return LINE_GOOD;
	r->problems++;
	if (nul)
		conf_problem(&r->where, NULL, "the line holds a NUL byte");
	else
		conf_problem(&r->where, NULL,
		    "the line has %zu bytes; at most %zu are read", n, max);
	return LINE_BAD;
}

static struct sv
trim(struct sv v)
{
	static const char blanks[] = " \t\r\v\f";
	size_t count = sizeof(blanks) - 1;

	while (v.len > 0 && memchr(blanks, v.ptr[0], count) != NULL)
		v = sv_drop(v, 1);
	while (v.len > 0 && memchr(blanks, v.ptr[v.len - 1], count) != NULL)
		v.len--;
	return v;
}

static bool
is_section(struct sv line)
{
	return line.len > 2 && line.len - 2 <= SECTION_MAX &&
	    memchr(line.ptr, ']', line.len) == line.ptr + line.len - 1;
}

/* Whether inih is to see the line; what it could misread is reported. */
static bool
admit(struct reader *r, struct sv line)
{
	char quoted[CONF_QUOTE_MAX];

	if (line.len == 0 || line.ptr[0] == '#' || line.ptr[0] == ';')
		return false;
	if (line.ptr[0] != '[') {
		r->unanswered = true;
		return true;
	}
	if (is_section(line))
		return true;
	r->problems++;
	conf_problem(&r->where, NULL, "%s is not a section; write [name] alone",
	    conf_quote(line, quoted));
	return false;
}

/* A line that inih passed over has neither "=" nor ":". */
static void
report_unanswered(struct reader *r)
{
	if (!r->unanswered)
		return;
	r->unanswered = false;
	r->problems++;
	conf_problem(&r->where, NULL,
	    "not understood; write key = value, [section] or # comment");
}

/* inih's reader, in the manner of fgets. */
static char *
read_line(char *buf, int size, void *stream)
{
	struct reader *r = stream;
	size_t max = size > 1 ? (size_t)size - 1 : 0, len;
	enum line got;

	report_unanswered(r);
	while ((got = get_line(r, buf, max, &len)) != LINE_END) {
		struct sv line = { buf, len };

		if (got == LINE_BAD)
			continue;
		if (r->where.line == 1 && len >= 3 &&
		    memcmp(buf, "\xef\xbb\xbf", 3) == 0)
			line = sv_drop(line, 3); /* byte order mark */
		line = trim(line);
		if (!admit(r, line))
			continue;
		memmove(buf, line.ptr, line.len);
		buf[line.len] = '\0';
		return buf;
	}
	return NULL;
}

/*
 * These are the library's own global settings: set before every run, since
 * nothing else here uses it.  A comment behind a value would make "a ; b"
 * mean "a"; as it is, it is part of the value, and most types refuse it.
 */
static void
settle_inih(void)
{
	ini_allow_inline_comments = false;
	ini_allow_multiline = false;
	ini_allow_no_value = false;
	ini_stop_on_first_error = false;
	ini_use_stack = false;
	ini_allow_realloc = false;
	ini_initial_alloc = LINE_MAX_BYTES;
	ini_max_line = LINE_MAX_BYTES;
}

static void
read_stream(struct reader *r)
{
	int rc;

	settle_inih();
	errno = 0;
	/* Its one number, the first bad line, has been reported by now. */
	rc = ini_parse_stream(read_line, r, on_key, r);
	if (ferror(r->in)) {
		r->problems++;
		r->where.line = 0;
		conf_problem(&r->where, NULL, "cannot read: %s",
		    strerror(errno));
	} else if (rc < 0 || (rc > 0 && r->problems == 0)) {
		r->problems++;
		r->where.line = 0;
		conf_problem(&r->where, NULL, "cannot be understood: %s",
		    rc < 0 ? "no memory" : "inih gave up");
	}
}

int
conf_read_file(struct conf *c, const char *path, bool may_be_missing,
    FILE *err)
{
	struct reader r = {
		.conf = c,
		.where = { .source = path, .err = err },
	};

	r.in = fopen(path, "re");
	if (r.in == NULL && errno == ENOENT && may_be_missing)
		return 0;
	if (r.in == NULL) {
		conf_problem(&r.where, NULL, "cannot open: %s",
		    strerror(errno));
		return 1;
	}
	read_stream(&r);
	fclose(r.in);
	return r.problems;
}

int
conf_set(struct conf *c, const char *key, const char *value,
    const char *option, bool again, FILE *err)
{
	struct conf_where w = { .source = option, .err = err };
	const struct conf_key *k = conf_key_find(sv_of(key));
	char quoted[CONF_QUOTE_MAX];

	if (k == NULL) {
		conf_problem(&w, NULL, "%s: no such key",
		    conf_quote(sv_of(key), quoted));
		return 1;
	}
	return k->type->read(k, sv_of(value), again, field_of(c, k), &w) ?
	    0 : 1;
}

void
conf_print(const struct conf *c, FILE *out)
{
	for (size_t i = 0; i < CONF_KEY_COUNT; i++) {
		const struct conf_key *k = &conf_keys[i];

		if (i > 0)
			fputc('\n', out);
		fprintf(out, "# %s\n# Allowed: ", k->meaning);
		k->type->allowed(k, out);
		fprintf(out, ".\n# Default: %s\n%s =",
		    *k->value != '\0' ? k->value : "empty", k->name);
		k->type->write((const char *)c + k->offset, k, out);
		fputc('\n', out);
	}
}
