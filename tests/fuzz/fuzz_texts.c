/*
 * tests/fuzz/fuzz_texts.c: a file of certificates, as it goes from the
 * warden to a process that speaks TLS.  Of any bytes, what is in no block of
 * a certificate stays behind (a private key may be in the same file), lines
 * keep their numbers, and what cannot be read is refused with a line that
 * there is.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "fuzz.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ipc/texts.h"
#include "tls/server.h"

#define NOW 1800000000	/* 2027: the corpus's certificate is in force */

static bool
sign_nothing(void *arg, uint32_t key, uint32_t scheme, const uint8_t *bytes,
    size_t n, uint8_t *out, size_t *out_len)
{
	(void)arg, (void)key, (void)scheme, (void)bytes, (void)n, (void)out;
	(void)out_len;
	return false;
}

static struct sv
take_line(struct sv *rest)
{
	const char *end = memchr(rest->ptr, '\n', rest->len);
	struct sv line = { rest->ptr, end == NULL ? rest->len :
	    (size_t)(end - rest->ptr) };

	*rest = sv_drop(*rest, line.len + (end == NULL ? 0 : 1));
	return line;
}

static bool
begins(struct sv line, const char *word)
{
	size_t n = strlen(word);

	return line.len >= n && memcmp(line.ptr, word, n) == 0;
}

/* The number of lines of `from`. */
static unsigned
check_kept(struct sv from, struct sv kept)
{
	bool in_block = false;
	unsigned lines = 0;

	for (; from.len > 0; lines++) {
		struct sv had = take_line(&from), has = take_line(&kept);

		assert(has.len == 0 || sv_eq(had, has));
		if (begins(had, "-----BEGIN "))
			in_block = begins(had, "-----BEGIN CERTIFICATE-----");
		assert(has.len == (in_block ? had.len : 0));
		if (begins(had, "-----END "))
			in_block = false;
	}
	assert(kept.len == 0);
	return lines;
}

static void
check_fault(const struct tls_server_fault *f, unsigned lines)
{
	assert(f->in != TLS_TEXT_NONE && f->line <= lines);
	assert(f->text[0] != '\0' && strlen(f->text) < sizeof(f->text));
	for (const char *c = f->text; *c != '\0'; c++)
		assert(*c >= ' ' && *c < 0x7f);
}

static void
check_texts(struct sv from, const struct texts_head *h)
{
	const struct tls_signer signer = { .sign = sign_nothing };
	struct tls_server_cert cert = { .chain = texts_part(h,
	    h->cert[0].chain_at, h->cert[0].chain_len) };
	struct tls_server_want want = { .certs = &cert, .certs_count = 1,
		.signer = &signer };
	unsigned lines = check_kept(from, cert.chain);
	struct tls_server_fault fault = { 0 };
	struct tls_server *s = tls_server_new(&want, NOW, &fault);

	if (s == NULL)
		check_fault(&fault, lines);
	tls_server_free(s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct conf c;
	struct texts_head *h;
	const char *which;
	int fd = memfd_create("chain", MFD_CLOEXEC), sealed;

	assert(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	c.tls_certificate.count = 1;
	snprintf(c.tls_certificate.at[0].chain, CONF_CERT_PATH_MAX,
	    "/proc/self/fd/%d", fd);
	sealed = texts_make(&c, NOW, &which);
	close(fd);
	if (size > TEXTS_FILE_MAX) {
		assert(sealed < 0);
		return 0;
	}
	assert(sealed >= 0 && (h = texts_take(sealed)) != NULL);
	close(sealed);
	check_texts((struct sv) { (const char *)data, size }, h);
	free(h);
	return 0;
}
