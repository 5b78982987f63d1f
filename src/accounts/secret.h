/*
 * accounts/secret.h: passwords and their hashes, by libcrypt.  Nothing that
 * a password was worked on in is left behind.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/sv.h"

#define SECRET_PASSWORD_MAX 511	/* libcrypt's own, without the NUL */
#define SECRET_HASH_MAX 384	/* with its NUL */

/* yescrypt's cost: each step is twice the time; from 6 on the memory too. */
#define SECRET_COST_LEAST 1
#define SECRET_COST_MOST 11
#define SECRET_COST_USUAL 5

/*
 * Works the password through the hash's method and settings and compares,
 * in time that does not depend on where they differ.  An empty password is
 * worked as well, and never right; nor is any for a hash that is none.
 * False also without memory.
 */
MUST_USE bool secret_matches(const char *password, const char *hash);

/* A yescrypt hash of it, with a salt of its own; false with errno set. */
MUST_USE bool secret_hash(const char *password, unsigned cost,
    char out[SECRET_HASH_MAX]);

/* 24 letters and digits that are not taken for each other: 120 bits. */
#define SECRET_MADE_LEN 24
MUST_USE bool secret_make(char out[SECRET_MADE_LEN + 1]);
