/*
 * passwd/main.c: `portcullis passwd`, which keeps the account file.
 *
 * A password is asked for before the file is locked, so that nobody else has
 * to wait for somebody who went for a coffee; whether the account is there is
 * looked up before that and again after it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "passwd/main.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "passwd/ask.h"
#include "passwd/edit.h"
#include "passwd/options.h"

#define EXIT_FAILED 1

/* Shorter ones are guessed; it is for those that are set, not for old ones. */
#define PASSWORD_LEAST 8

/* A password lies here for a while: not for a core, nor for a debugger. */
static void
hide(void)
{
	const struct rlimit no_core = { 0, 0 };

	if (setrlimit(RLIMIT_CORE, &no_core) != 0 ||
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		passwd_say("cannot forbid a core: %s", strerror(errno));
}

static const struct accounts_entry *
find(const struct edit *e, const char *name)
{
	return accounts_find(&e->accounts, sv_of(name));
}

/* What the verb asks of the file; false: it said why. */
static bool
is_possible(const struct edit *e, const struct passwd_options *o)
{
	bool there = find(e, o->name) != NULL;

	if (there == (o->verb != PASSWD_ADD))
		return true;
	passwd_say("%s: %s \"%s\"", e->path, there ?
	    "there is already an account" : "there is no account", o->name);
	return false;
}

/* ---- the password, as a hash */

static bool
hash_of(const char *password, unsigned cost, char out[SECRET_HASH_MAX])
{
	if (strlen(password) < PASSWORD_LEAST) {
		passwd_say("a password has at least %d bytes", PASSWORD_LEAST);
		return false;
	}
	if (secret_hash(password, cost, out))
		return true;
	passwd_say("cannot make a hash: %s", strerror(errno));
	return false;
}

static bool
generate(unsigned cost, char out[SECRET_HASH_MAX])
{
	char password[ASK_ROOM];
	bool good = secret_make(password) && hash_of(password, cost, out);

	/* Said before the file is changed: a password nobody saw is lost. */
	good = good && puts(password) >= 0 && fflush(stdout) == 0;
	explicit_bzero(password, sizeof(password));
	return good;
}

static bool
ask(const struct passwd_options *o, char out[SECRET_HASH_MAX])
{
	char password[ASK_ROOM];
	bool good = o->source == PASSWD_UNSAID ?
	    ask_terminal(o->name, true, password) : ask_stdin(password);

	if (good && o->source == PASSWD_HASHED)
		good = snprintf(out, SECRET_HASH_MAX, "%s", password) <
		    SECRET_HASH_MAX;
	else if (good)
		good = hash_of(password, o->cost, out);
	explicit_bzero(password, sizeof(password));
	return good;
}

/* Empty: the one that is there stays. */
static bool
take_hash(const struct passwd_options *o, char out[SECRET_HASH_MAX])
{
	bool other = o->root != NULL || o->rights != NULL ||
	    o->options != NULL;

	out[0] = '\0';
	switch (o->source) {
	case PASSWD_NONE:
		snprintf(out, SECRET_HASH_MAX, "*");
		return true;
	case PASSWD_GENERATE:
		return generate(o->cost, out);
	case PASSWD_UNSAID:
		if (o->verb == PASSWD_CHANGE && other)
			return true;
		return ask(o, out);
	case PASSWD_STDIN:
	case PASSWD_HASHED:
		break;
	}
	return ask(o, out);
}

/* ---- what changes the file */

/* Given on the command line, or as it was, or what a new one has. */
static struct sv
pick(const char *given, const struct accounts_entry *old, struct sv was,
    const char *fresh)
{
	if (given != NULL)
		return sv_of(given);
	return old != NULL ? was : sv_of(fresh);
}

static bool
write_line(struct edit *e, const struct passwd_options *o, struct sv hash,
    bool keep)
{
	const struct accounts_entry *old = find(e, o->name);
	struct accounts_entry none = { 0 };
	const struct accounts_entry *was = old != NULL ? old : &none;
	char line[ACCOUNTS_LINE_MAX + 2], letters[ACCOUNTS_RIGHT_COUNT + 1];
	struct sv root = pick(o->root, old, was->root, o->name);
	struct sv rights = pick(o->rights, old,
	    sv_of(accounts_rights_text(was->rights, letters)), "lr");
	struct sv options = pick(o->options, old, was->options, "");
	int n;

	if (hash.len == 0)
		hash = was->hash;
	n = snprintf(line, sizeof(line), "%s:%.*s:%.*s:%.*s:%.*s", o->name,
	    (int)hash.len, hash.ptr, (int)root.len, root.ptr,
	    (int)rights.len, rights.ptr, (int)options.len, options.ptr);
	if (n < 0 || n > ACCOUNTS_LINE_MAX ||
	    memchr(line, '\n', (size_t)n) != NULL) {
		passwd_say("no line of the file can hold that");
		return false;
	}
	return keep ? edit_put(e, old, line) : edit_try(e, old, line);
}

static bool
lock(struct edit *e, const struct passwd_options *o)
{
	const struct accounts_entry *old = find(e, o->name);
	char hash[ACCOUNTS_HASH_MAX + 2];
	bool locked = old->hash.len > 0 && old->hash.ptr[0] == '!';

	if (o->verb == PASSWD_LOCK && locked)
		return true;
	if (o->verb == PASSWD_UNLOCK) {
		if (!locked || old->hash.len == 1) {
			passwd_say("%s has no password that was locked",
			    o->name);
			return false;
		}
		return write_line(e, o, sv_drop(old->hash, 1), true);
	}
	snprintf(hash, sizeof(hash), "!%.*s", (int)old->hash.len,
	    old->hash.ptr);
	return write_line(e, o, sv_of(hash), true);
}

static bool
apply(struct edit *e, const struct passwd_options *o, const char *hash)
{
	if (o->verb == PASSWD_DELETE)
		return edit_put(e, find(e, o->name), NULL);
	if (o->verb == PASSWD_LOCK || o->verb == PASSWD_UNLOCK)
		return lock(e, o);
	return write_line(e, o, sv_of(hash), true);
}

/* Before a password is asked for, or shown, that would be for nothing. */
static bool
is_line(struct edit *e, const struct passwd_options *o)
{
	return (o->verb != PASSWD_ADD && o->verb != PASSWD_CHANGE) ||
	    write_line(e, o, SV("*"), false);
}

static bool
change(const struct passwd_options *o)
{
	char hash[SECRET_HASH_MAX] = "";
	bool adds = o->verb == PASSWD_ADD, good;
	struct edit e;

	if (!edit_open(&e, o->file, false, adds))
		return false;
	good = is_possible(&e, o) && is_line(&e, o);
	edit_close(&e);
	if (!good || ((adds || o->verb == PASSWD_CHANGE) &&
	    !take_hash(o, hash)))
		return false;
	if (!edit_open(&e, o->file, true, adds))
		return false;
	good = is_possible(&e, o) && apply(&e, o, hash);
	edit_close(&e);
	return good;
}

/* ---- what only looks */

static const char *
state_of(const struct accounts_entry *e)
{
	if (accounts_is_open(e))
		return "open";
	if (accounts_needs_no_password(e))
		return "certificate";
	return e->hash.len > 1 && e->hash.ptr[0] == '!' ? "locked" : "none";
}

static int
by_line(const void *left, const void *right)
{
	const struct accounts_entry *a = left, *b = right;

	return a->line < b->line ? -1 : a->line > b->line;
}

static bool
list(const struct passwd_options *o)
{
	char letters[ACCOUNTS_RIGHT_COUNT + 1];
	struct edit e;

	if (!edit_open(&e, o->file, false, false))
		return false;
	if (e.accounts.count > 0)
		qsort(e.accounts.at, e.accounts.count, sizeof(*e.accounts.at),
		    by_line);
	for (size_t i = 0; i < e.accounts.count; i++) {
		const struct accounts_entry *a = &e.accounts.at[i];

		printf("%.*s\t%s\t%.*s\t%s\t%.*s\n", (int)a->name.len,
		    a->name.ptr, state_of(a), (int)a->root.len, a->root.ptr,
		    accounts_rights_text(a->rights, letters),
		    (int)a->options.len, a->options.ptr);
	}
	edit_close(&e);
	return fflush(stdout) == 0;
}

static bool
check_file(const struct edit *e)
{
	bool exposed = (e->st.st_mode & 07) != 0;

	if (exposed)
		passwd_say("%s: everybody may read or write it: chmod 0640",
		    e->path);
	printf("%s: %zu account%s\n", e->path, e->accounts.count,
	    e->accounts.count == 1 ? "" : "s");
	return fflush(stdout) == 0 && !exposed;
}

static bool
check_password(const struct edit *e, const struct passwd_options *o)
{
	const struct accounts_entry *a = find(e, o->name);
	char password[ASK_ROOM], hash[ACCOUNTS_HASH_MAX + 1];
	bool right;

	if (!(o->source == PASSWD_STDIN ? ask_stdin(password) :
	    ask_terminal(o->name, false, password)))
		return false;
	snprintf(hash, sizeof(hash), "%.*s", (int)a->hash.len, a->hash.ptr);
	right = secret_matches(password, hash);
	explicit_bzero(password, sizeof(password));
	printf("%s: %s\n", o->name, right ? "right" :
	    accounts_is_open(a) ? "wrong" : "wrong: there is no password");
	return fflush(stdout) == 0 && right;
}

static bool
check(const struct passwd_options *o)
{
	struct edit e;
	bool good;

	if (!edit_open(&e, o->file, false, false))
		return false;
	good = o->name == NULL ? check_file(&e) :
	    is_possible(&e, o) && check_password(&e, o);
	edit_close(&e);
	return good;
}

int
passwd_main(int argc, char **argv)
{
	struct passwd_options o;
	int status;
	bool good;

	if (!passwd_options_take(&o, argc, argv, &status))
		return status;
	hide();
	if (o.verb == PASSWD_LIST)
		good = list(&o);
	else
		good = o.verb == PASSWD_CHECK ? check(&o) : change(&o);
	return good ? 0 : EXIT_FAILED;
}
