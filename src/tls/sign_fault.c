/*
 * tls/sign_fault.c: words for what is wrong with a key, without the library:
 * the warden says them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tls/sign_key.h"

const char *
sign_key_fault_text(enum sign_key_fault fault)
{
	static const char *const texts[SIGN_KEY_FAULT_COUNT] = {
#define X(NAME, meaning) [SIGN_KEY_##NAME] = meaning,
		SIGN_KEY_FAULTS(X)
#undef X
	};

	return (unsigned)fault < SIGN_KEY_FAULT_COUNT ? texts[fault] : "?";
}
