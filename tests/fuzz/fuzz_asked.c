/*
 * tests/fuzz/fuzz_asked.c: what a worker that was taken over may send to the
 * signer and to the keeper.  What is taken for sound is in range; what would
 * be signed is a handshake of a server's and nothing else.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "fuzz.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "ipc/keeper.h"
#include "ipc/sign.h"

#define FRONT_1_3 (64 + 34)	/* blanks; RFC 8446 §4.4.3's words, a NUL */
#define LONGEST (64 + 4 + 97)	/* two randoms, a curve, a point of P-384 */

static const char words[] = "TLS 1.3, server CertificateVerify";

/* Written from the RFCs, and not from the code. */
static bool
has_front(const uint8_t *bytes, size_t n)
{
	bool blank = n == FRONT_1_3 + 32 || n == FRONT_1_3 + 48;

	for (size_t i = 0; blank && i < 64; i++)
		blank = bytes[i] == ' ';
	return blank && memcmp(bytes + 64, words, sizeof(words)) == 0;
}

static bool
has_mark(const uint8_t *bytes, size_t n)
{
	return n > 68 && n <= LONGEST &&
	    memcmp(bytes + 56, "DOWNGRD\1", 8) == 0 && bytes[64] == 3 &&
	    bytes[65] == 0 && n == 68u + bytes[67];
}

static void
check_form(const struct sign_question *q)
{
	struct sign_how how = { .digest = "untouched" };
	bool known = sign_scheme_how(q->scheme, &how);
	bool ours = sign_form_is_ours(q->scheme, q->bytes, q->n);
	uint8_t changed[SIGN_INPUT_MAX];

	assert(known || strcmp(how.digest, "untouched") == 0);
	assert(!ours || known);
	if (!ours)
		return;
	assert(has_front(q->bytes, q->n) != has_mark(q->bytes, q->n));
	assert(!has_front(q->bytes, q->n) || how.kind != SIGN_KIND_RSA ||
	    how.pss);
	/* A byte less is another thing, and so is a client's signature. */
	assert(!sign_form_is_ours(q->scheme, q->bytes, q->n - 1u));
	memcpy(changed, q->bytes, sizeof(changed));
	if (has_front(q->bytes, q->n))
		memcpy(changed + 64 + 9, "client", 6);
	else
		changed[60]++;
	assert(!sign_form_is_ours(q->scheme, changed, q->n));
}

static void
check_question(const uint8_t *data, size_t size)
{
	struct sign_question q = { 0 };

	memcpy(&q, data, size < sizeof(q) ? size : sizeof(q));
	if (sign_question_is_sound(&q, size)) {
		assert(size == 16 + SIGN_INPUT_MAX);
		assert(q.n > 0 && q.n <= SIGN_INPUT_MAX);
		check_form(&q);
	}
	/* Most are not: the rest is looked at as well. */
	if (q.n > 0 && q.n <= SIGN_INPUT_MAX)
		check_form(&q);
}

static void
check_request(const uint8_t *data, size_t size)
{
	struct keeper_request r = { 0 };

	memcpy(&r, data, size < sizeof(r) ? size : sizeof(r));
	if (!keeper_request_is_sound(&r, size))
		return;
	assert(size == sizeof(r) && r.version == KEEPER_VERSION);
	assert(r.user_len <= sizeof(r.user) ||
	    r.user_len == KEEPER_TOO_LONG);
	assert(r.password_len < sizeof(r.password) ||
	    r.password_len == KEEPER_TOO_LONG);
	assert(r.common_name_len <= sizeof(r.common_name));
	/* Who needs no password has shown a certificate, under TLS. */
	assert((r.flags & KEEPER_CERTIFICATE_ALONE) == 0 ||
	    ((r.flags & KEEPER_HAS_CERTIFICATE) != 0 &&
	    (r.flags & KEEPER_UNDER_TLS) != 0 && r.password_len == 0));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_question(data, size);
	check_request(data, size);
	return 0;
}
