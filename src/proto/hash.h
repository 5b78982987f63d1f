/*
 * proto/hash.h: the words of HASH (draft-ietf-ftpext2-hash-03 and its
 * successor draft-bryan-ftpext-hash-02) and of the older XSHA256, XMD5, XCRC,
 * which no document describes.  Pure: no I/O, no allocation.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/sv.h"
#include "proto/err.h"

/* The first one is what a session begins with. */
#define HASH_ALGORITHMS(X) \
	X(SHA256, "SHA-256", 32) \
	X(SHA512, "SHA-512", 64) \
	X(SHA1, "SHA-1", 20) \
	X(MD5, "MD5", 16) \
	X(CRC32, "CRC32", 4)

enum hash_algorithm {
#define X(id, ...) HASH_##id,
	HASH_ALGORITHMS(X)
#undef X
	HASH_COUNT,
};

#define HASH_BYTES_MAX 64
#define HASH_HEX_MAX (2 * HASH_BYTES_MAX + 1)

/* IANA's textual name, and the bytes of a digest. */
const char *hash_name(enum hash_algorithm a);
size_t hash_bytes(enum hash_algorithm a);

/* By its name in any case of letters; false, and *out untouched: none. */
MUST_USE bool hash_find(struct sv name, enum hash_algorithm *out);

/* FEAT's "SHA-256*;SHA-512;...", with its NUL; the star at `chosen`. */
#define HASH_FEAT_MAX 64
void hash_feat(enum hash_algorithm chosen, char out[HASH_FEAT_MAX]);

/* In hexadecimal digits and a NUL. */
void hash_hex(const uint8_t *digest, size_t n, bool upper,
    char out[HASH_HEX_MAX]);

/*
 * What an argument may mean besides a name as it stands.  Clients quote names
 * with blanks, and put a range behind them:
 *
 *	XCRC "a name.nc" 0 1024
 *
 * A name may look like that as well, so who asks tries the text as it stands
 * first, and this reading when there is no such file.
 */
struct hash_argument {
	struct sv name;
	bool ranged;
	uint64_t first;
	uint64_t end;	/* of the first byte behind it: ProFTPD's convention */
};

/*
 * arg         borrowed, as out->name is
 * with_range  two numbers may follow the name (not after HASH, whose range
 *             is RANG's)
 *
 * FTP_SYNTAX  there is no other reading
 * FTP_RANGE   numbers that are no range: above 2^63-1, or the end not behind
 *             the first
 */
MUST_USE enum ftp_err hash_argument_parse(struct sv arg, bool with_range,
    struct hash_argument *out);
