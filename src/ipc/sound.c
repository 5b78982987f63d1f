/*
 * ipc/sound.c: what the signer and the keeper take from workers at all.  Of a
 * fixed size, and no number out of range: whoever sends another is not one of
 * ours any more.  Pure, so that it is fuzzed.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ipc/keeper.h"
#include "ipc/sign.h"

bool
sign_question_is_sound(const struct sign_question *q, size_t len)
{
	return len == sizeof(*q) && q->version == SIGN_VERSION &&
	    q->reserved == 0 && q->n > 0 && q->n <= sizeof(q->bytes);
}

/* There is no certificate without TLS, and none that is asked about alone. */
static bool
has_sound_flags(const struct keeper_request *r)
{
	unsigned alone = KEEPER_CERTIFICATE_ALONE, tls = KEEPER_UNDER_TLS;

	return ((r->flags & KEEPER_HAS_CERTIFICATE) == 0 ||
	    (r->flags & tls) != 0) &&
	    ((r->flags & alone) == 0 ||
	    ((r->flags & KEEPER_HAS_CERTIFICATE) != 0 &&
	    r->password_len == 0));
}

bool
keeper_request_is_sound(const struct keeper_request *r, size_t len)
{
	return len == sizeof(*r) && r->version == KEEPER_VERSION &&
	    (r->user_len <= KEEPER_USER_MAX ||
	     r->user_len == KEEPER_TOO_LONG) &&
	    (r->password_len <= KEEPER_PASSWORD_MAX ||
	     r->password_len == KEEPER_TOO_LONG) &&
	    r->common_name_len <= KEEPER_USER_MAX && has_sound_flags(r);
}
