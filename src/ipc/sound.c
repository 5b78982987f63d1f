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

bool
keeper_request_is_sound(const struct keeper_request *r, size_t len)
{
	return len == sizeof(*r) && r->version == KEEPER_VERSION &&
	    (r->user_len <= KEEPER_USER_MAX ||
	     r->user_len == KEEPER_TOO_LONG) &&
	    (r->password_len <= KEEPER_PASSWORD_MAX ||
	     r->password_len == KEEPER_TOO_LONG);
}
