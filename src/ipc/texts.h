/*
 * ipc/texts.h: certificates and staples, as a process that speaks TLS inherits
 * them: bytes in a sealed unnamed file, as it can open none itself.
 *
 * The warden copies and does not understand.  It knows one thing of PEM: what
 * is in no block of a certificate stays behind, since a file may hold the
 * private key as well, and that is for the signer alone.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "conf/conf.h"

#define TEXTS_VERSION 2
#define TEXTS_FILE_MAX 65536	/* bytes of a chain, or of a staple */
#define TEXTS_CLIENTS_MAX 1048576 /* of authorities, or of lists of revoked */

struct texts_cert {
	uint32_t chain_at, chain_len;	/* in the file */
	uint32_t ocsp_at, ocsp_len;	/* 0: none */
};

/* Certificate i is conf.tls_certificate.at[i], and so is the signer's key. */
struct texts_head {
	uint32_t version, count;
	/* When they were found good: one that runs out later is still served,
	 * since who comes can tell, and would otherwise find nobody. */
	int64_t checked_s;
	struct texts_cert cert[CONF_CERTS_MAX];
	uint32_t ca_at, ca_len;		/* 0: no client is asked for one */
	uint32_t crl_at, crl_len;	/* crl_at 0: there is no list */
};

/*
 * Reads what c names.  The descriptor (close-on-exec), or -1 with *which, the
 * path of the file that is at fault or NULL, and errno; EFBIG: too long.
 */
MUST_USE int texts_make(const struct conf *c, int64_t now_s,
    const char **which);

/* All of it, the head first; the caller frees.  NULL: not of this build. */
MUST_USE struct texts_head *texts_take(int fd);
/* A part of what texts_take gave; empty where it is none. */
struct sv texts_part(const struct texts_head *h, uint32_t at, uint32_t len);
