/*
 * worker/cmd_hash.c: HASH, OPTS HASH, and the older XSHA256, XSHA1, XSHA512,
 * XMD5 and XCRC.
 *
 * Codes are the draft's (draft-bryan-ftpext-hash-02 §3.5): 450 busy, 550 not
 * there, 553 no file, 556 too large.  The older ones answer as ProFTPD 1.3.8
 * does, which many clients were tried with: 250 and capital digits; their
 * range ends before its second number.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "worker/hash.h"

static void opened(struct sess *s, struct lookup *l);

/* What the client gave as a name, control bytes as in a 257. */
static void
reply_with_name(struct sess *s, const struct hash *h, const char *hex)
{
	char name[LINE_MAX_BYTES];
	size_t n = h->name.len;

	for (size_t i = 0; i < n; i++) {
		char c = h->name.ptr[i];

		name[i] = (unsigned char)c < ' ' || c == 0x7f ? '?' : c;
	}
	reply_named(s, 213, (struct sv) { name, n }, "%s %llu-%llu %s ",
	    hash_name(h->algorithm), (unsigned long long)h->first,
	    (unsigned long long)(h->end > h->first ? h->end - 1 : h->first),
	    hex);
}

static void
reply_digest(struct sess *s, const struct hash *h)
{
	char hex[HASH_HEX_MAX];

	hash_hex(h->out, hash_bytes(h->algorithm), !h->by_hash, hex);
	if (h->by_hash)
		reply_with_name(s, h, hex);
	else
		reply(s, 250, hex);
}

void
hash_answer(struct sess *s, const struct hash *h)
{
	switch (h->step) {
	case HASH_COMPUTED:
	case HASH_KNOWN:
	case HASH_FROM_SUMS:
		reply_digest(s, h);
		return;
	case HASH_UNKNOWN:
		reply(s, 450, "Not known here, and this server computes none.");
		return;
	case HASH_TOO_LARGE:
		reply(s, 556, "Too large to be read for a digest.");
		return;
	case HASH_CHANGED:
		reply(s, 450, "The file changes; try again later.");
		return;
	case HASH_BUSY:
		reply(s, 450, "Too many digests are asked for now; "
		    "try again later.");
		return;
	case HASH_FAILED:
	case HASH_GOES_ON:
		reply(s, 451, "The digest could not be computed.");
		return;
	}
}

static void
drop(struct sess *s, int code, const char *text)
{
	hash_abandon(s);
	reply(s, code, text);
}

static void
find_file(struct sess *s)
{
	char room[PATH_MAX];
	struct sv path;

	if (sess_path(s, s->hash->name, room, &path))
		lookup_start(s, LOOKUP_OPEN, path, opened);
	else
		hash_abandon(s);
}

/* There is no such name: perhaps it is in quotes, or a range is behind it. */
static bool
try_other_reading(struct sess *s, struct hash *h)
{
	struct hash_argument other;
	enum ftp_err err;

	if (h->other_tried)
		return false;
	h->other_tried = true;
	err = hash_argument_parse(h->arg, !h->by_hash, &other);
	if (err == FTP_SYNTAX)
		return false;
	if (err != FTP_OK) {
		drop(s, 501, "That is no range.");
		return true;
	}
	h->name = other.name;
	if (other.ranged) {
		h->ranged = true;
		h->first = other.first;
		h->end = other.end;
	}
	find_file(s);
	return true;
}

static void
refuse(struct sess *s, const struct hash *h, enum storage_err err)
{
	bool no_file = err == STORAGE_NOT_FILE && h->by_hash;

	hash_abandon(s);
	if (no_file)
		reply(s, 553, "Only plain files have digests.");
	else
		reply_storage_error(s, err);
}

static void
opened(struct sess *s, struct lookup *l)
{
	struct hash *h = s->hash;

	if (h == NULL)
		return; /* the session ends */
	if (l->err == STORAGE_NOT_FOUND && try_other_reading(s, h))
		return;
	if (l->err != STORAGE_OK) {
		refuse(s, h, l->err);
		return;
	}
	if (!h->ranged)
		h->end = l->stat.size;
	if (h->end > l->stat.size) {
		drop(s, 554, "The range goes beyond the file.");
		return;
	}
	/* Behind the argument, where hash_new left room for it. */
	h->path = (struct sv) { h->arg.ptr + h->arg.len, l->path.len };
	memcpy((char *)(h + 1) + h->arg.len, l->path.ptr, l->path.len);
	h->stat = l->stat;
	h->at_once = l->at_once;
	h->fd = l->fd;
	l->fd = -1;
	hash_begin(s, h);
}

static enum hash_algorithm
algorithm_of(const struct sess *s)
{
	switch ((unsigned)s->verb) {
	case V_XSHA256:
		return HASH_SHA256;
	case V_XSHA512:
		return HASH_SHA512;
	case V_XSHA1:
		return HASH_SHA1;
	case V_XMD5:
		return HASH_MD5;
	case V_XCRC:
		return HASH_CRC32;
	default:
		return s->algorithm;
	}
}

void
cmd_hash(struct sess *s, struct sv arg)
{
	if (s->w->hash_desk == NULL) {
		restart_forget(s);
		reply(s, 502, "Command not implemented.");
		return;
	}
	s->hash = hash_new(s, algorithm_of(s), arg);
	if (s->hash == NULL) {
		reply_storage_error(s, STORAGE_BUSY);
		return;
	}
	s->hash->by_hash = s->verb == V_HASH;
	if (s->hash->by_hash && s->ranged) {
		s->hash->ranged = true;
		s->hash->first = s->range_first;
		s->hash->end = s->range_last + 1;
	}
	restart_forget(s);
	find_file(s);
}

void
hash_opts(struct sess *s, struct sv algorithm)
{
	if (s->w->hash_desk == NULL)
		reply(s, 501, "No such option.");
	else if (algorithm.len > 0 && !hash_find(algorithm, &s->algorithm))
		reply(s, 501, "No such algorithm; FEAT lists them.");
	else
		reply(s, 200, hash_name(s->algorithm));
}

void
hash_feat_line(struct sess *s)
{
	char line[5 + HASH_FEAT_MAX] = "HASH ";

	if (s->w->hash_desk == NULL)
		return;
	hash_feat(s->algorithm, line + 5);
	reply_line(s, sv_of(line));
}

void
hash_feat_others(struct sess *s)
{
	if (s->w->hash_desk == NULL)
		return;
	reply_line(s, SV("XCRC"));
	reply_line(s, SV("XMD5"));
	reply_line(s, SV("XSHA1"));
	reply_line(s, SV("XSHA256"));
	reply_line(s, SV("XSHA512"));
}
