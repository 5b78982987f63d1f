/*
 * tls/sign_key.h: a private key, in the one process that has any.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/sv.h"
#include "tls/scheme.h"

#define SIGN_KEY_FAULTS(X) \
/*	name       meaning, behind the name of a file */ \
	X(OK,        "is good") \
	X(FILE,      "cannot be read") \
	X(NOT_FILE,  "is no regular file") \
	X(MODE,      "may be read or written by others; chmod o= and g-w") \
	X(SIZE,      "is empty, or too long for a key") \
	X(ENCRYPTED, "is encrypted; a server that starts by itself cannot " \
	    "ask for a password") \
	X(NOT_KEY,   "holds no private key in PEM form") \
	X(DAMAGED,   "holds a private key that is damaged") \
	X(KIND,      "holds a key that is not RSA, EC P-256 or P-384, or " \
	    "Ed25519") \
	X(WEAK,      "holds an RSA key of other than 2048 to 4096 bits") \
	X(NUMBER,    "has no place left among the keys") \
	X(MEMORY,    "did not fit into memory")

enum sign_key_fault {
#define X(NAME, meaning) SIGN_KEY_##NAME,
	SIGN_KEY_FAULTS(X)
#undef X
	SIGN_KEY_FAULT_COUNT
};

/* A constant; needs no library. */
const char *sign_key_fault_text(enum sign_key_fault fault);

struct sign_key;

/*
 * Once, before the first key is read: big numbers of keys go to memory that
 * is not swapped and not dumped, where the system grants some, and the
 * library loads all that it will ask for, since it will not find files later.
 * False when it cannot even do that.
 */
bool sign_key_prepare(void);

/*
 * Reads the first private key of a PEM text; what else is in it is passed
 * over.  out is written with SIGN_KEY_OK only; *line is where a key that is
 * refused begins, counted from 1, or 0.  The caller wipes the text.
 */
MUST_USE enum sign_key_fault sign_key_read(struct sv pem,
    struct sign_key **out, unsigned *line);
void sign_key_free(struct sign_key *k);

/*
 * Signs, by a scheme of the key's own kind, what has a form of ours.
 * False for all else.
 */
MUST_USE bool sign_key_sign(const struct sign_key *k, uint32_t scheme,
    const uint8_t *bytes, size_t n, uint8_t out[SIGN_OUTPUT_MAX],
    size_t *out_len);
