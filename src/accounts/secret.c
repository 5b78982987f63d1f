/*
 * accounts/secret.c: passwords and their hashes; see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "accounts/secret.h"

#include <crypt.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

_Static_assert(SECRET_HASH_MAX >= CRYPT_OUTPUT_SIZE, "a hash fits");
_Static_assert(SECRET_PASSWORD_MAX < CRYPT_MAX_PASSPHRASE_SIZE, "it is taken");

static bool
same(const char *a, const char *b)
{
	size_t len = strlen(a);
	unsigned differ = 0;

	/* The length of a hash is its method's, and no secret. */
	if (strlen(b) != len)
		return false;
	for (size_t i = 0; i < len; i++)
		differ |= (unsigned)(a[i] ^ b[i]);
	return differ == 0;
}

static struct crypt_data *
room_new(void)
{
	return calloc(1, sizeof(struct crypt_data));
}

static void
room_free(struct crypt_data *room)
{
	explicit_bzero(room, sizeof(*room));
	free(room);
}

bool
secret_matches(const char *password, const char *hash)
{
	struct crypt_data *room = room_new();
	const char *made;
	bool right;

	if (room == NULL)
		return false;
	made = crypt_rn(password, hash, room, (int)sizeof(*room));
	right = made != NULL && made[0] == '$' && same(made, hash) &&
	    password[0] != '\0';
	room_free(room);
	return right;
}

bool
secret_hash(const char *password, unsigned cost, char out[SECRET_HASH_MAX])
{
	char setting[CRYPT_GENSALT_OUTPUT_SIZE];
	struct crypt_data *room;
	const char *made;

	/* No random bytes are given: it asks the kernel for its own. */
	if (crypt_gensalt_rn("$y$", cost, NULL, 0, setting,
	    (int)sizeof(setting)) == NULL)
		return false;
	if ((room = room_new()) == NULL)
		return false;
	made = crypt_rn(password, setting, room, (int)sizeof(*room));
	if (made != NULL)
		memcpy(out, made, strlen(made) + 1);
	room_free(room);
	return made != NULL;
}

bool
secret_make(char out[SECRET_MADE_LEN + 1])
{
	static const char letters[32 + 1] = "abcdefghijkmnpqrstuvwxyz23456789";
	unsigned char chance[SECRET_MADE_LEN];

	if (getrandom(chance, sizeof(chance), 0) != (ssize_t)sizeof(chance))
		return false;
	for (size_t i = 0; i < SECRET_MADE_LEN; i++)
		out[i] = letters[chance[i] % 32];
	out[SECRET_MADE_LEN] = '\0';
	explicit_bzero(chance, sizeof(chance));
	return true;
}
