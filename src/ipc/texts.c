/*
 * ipc/texts.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ipc/texts.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U /* Linux 6.3; libc's headers are older */
#endif

#define SEALS (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
#define ALL_MAX (sizeof(struct texts_head) + \
	2 * CONF_CERTS_MAX * (size_t)TEXTS_FILE_MAX + \
	2 * (size_t)TEXTS_CLIENTS_MAX)

/* One read; -1 with errno.  Regular files alone: they do not block. */
static ssize_t
read_file(const char *path, size_t most, char *out)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	size_t got = 0;
	ssize_t n = -1;
	struct stat st;

	if (fd == -1)
		return -1;
	errno = EINVAL;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		do {
			n = read(fd, out + got, most + 1 - got);
			got += n > 0 ? (size_t)n : 0;
		} while (n > 0);
	close(fd);
	if (got > most)
		errno = EFBIG;
	return n < 0 || got > most ? -1 : (ssize_t)got;
}

static bool
begins_with(struct sv line, struct sv word)
{
	return line.len >= word.len &&
	    memcmp(line.ptr, word.ptr, word.len) == 0;
}

/* Of other lines the end alone is kept, so that faults have their number. */
static size_t
keep_blocks(const char *text, size_t n, struct sv kind, char *out)
{
	struct sv rest = { text, n };
	bool inside = false;
	size_t len = 0;

	while (rest.len > 0) {
		const char *end = memchr(rest.ptr, '\n', rest.len);
		struct sv line = { rest.ptr, end == NULL ? rest.len :
		    (size_t)(end - rest.ptr) + 1 };

		if (begins_with(line, SV("-----BEGIN ")))
			inside = begins_with(line, kind);
		if (inside) {
			memcpy(out + len, line.ptr, line.len);
			len += line.len;
		} else if (end != NULL) {
			out[len++] = '\n';
		}
		if (begins_with(line, SV("-----END ")))
			inside = false;
		rest = sv_drop(rest, line.len);
	}
	return len;
}

struct gathered {
	struct texts_head head;
	char *bytes;		/* ALL_MAX of them, and a file more */
	size_t len;
};

#define CERTIFICATES SV("-----BEGIN CERTIFICATE-----")
#define LISTS SV("-----BEGIN X509 CRL-----")

/* kind: which blocks of PEM are kept; empty: all of the file. */
static bool
gather(struct gathered *g, const char *path, size_t most, struct sv kind,
    uint32_t *at, uint32_t *len)
{
	char *room = g->bytes + ALL_MAX;
	ssize_t n = read_file(path, most, room);
	size_t kept = n > 0 ? (size_t)n : 0;

	if (n >= 0) {
		*at = (uint32_t)g->len;
		if (kind.len > 0)
			kept = keep_blocks(room, kept, kind,
			    g->bytes + g->len);
		else
			memcpy(g->bytes + g->len, room, kept);
		*len = (uint32_t)kept;
		g->len += kept;
	}
	explicit_bzero(room, most + 1);
	return n >= 0;
}

static bool
gather_clients(struct gathered *g, const struct conf *c, const char **which)
{
	struct texts_head *h = &g->head;

	*which = c->tls_client_ca;
	if (c->tls_client_ca[0] != '\0' && !gather(g, c->tls_client_ca,
	    TEXTS_CLIENTS_MAX, CERTIFICATES, &h->ca_at, &h->ca_len))
		return false;
	*which = c->tls_client_crl;
	return c->tls_client_crl[0] == '\0' || gather(g, c->tls_client_crl,
	    TEXTS_CLIENTS_MAX, LISTS, &h->crl_at, &h->crl_len);
}

static bool
gather_all(struct gathered *g, const struct conf *conf, const char **which)
{
	const struct conf_certs *certs = &conf->tls_certificate;

	g->len = sizeof(g->head);
	g->head.count = certs->count;
	for (uint32_t i = 0; i < certs->count; i++) {
		const struct conf_cert *c = &certs->at[i];
		struct texts_cert *t = &g->head.cert[i];

		*which = c->chain;
		if (!gather(g, c->chain, TEXTS_FILE_MAX, CERTIFICATES,
		    &t->chain_at, &t->chain_len))
			return false;
		*which = c->ocsp;
		if (c->ocsp[0] != '\0' && !gather(g, c->ocsp, TEXTS_FILE_MAX,
		    SV(""), &t->ocsp_at, &t->ocsp_len))
			return false;
	}
	if (!gather_clients(g, conf, which))
		return false;
	*which = NULL;
	memcpy(g->bytes, &g->head, sizeof(g->head));
	return true;
}

static int
seal(const char *bytes, size_t len)
{
	unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd = memfd_create("portcullis.texts", flags | MFD_NOEXEC_SEAL);

	if (fd == -1 && errno == EINVAL)
		fd = memfd_create("portcullis.texts", flags);
	if (fd == -1)
		return -1;
	if (write(fd, bytes, len) == (ssize_t)len &&
	    fcntl(fd, F_ADD_SEALS, SEALS) == 0)
		return fd;
	close(fd);
	return -1;
}

int
texts_make(const struct conf *c, int64_t now_s, const char **which)
{
	struct gathered g = { .head = { .version = TEXTS_VERSION,
		.checked_s = now_s } };
	int fd = -1, saved;

	*which = NULL;
	/* Pages that nothing is written to are none. */
	if ((g.bytes = malloc(ALL_MAX + TEXTS_CLIENTS_MAX + 1)) == NULL)
		return -1;
	if (gather_all(&g, c, which))
		fd = seal(g.bytes, g.len);
	saved = errno;
	free(g.bytes);
	errno = saved;
	return fd;
}

struct texts_head *
texts_take(int fd)
{
	struct texts_head *h;
	struct stat st;
	size_t n;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) ||
	    st.st_size < (off_t)sizeof(*h) || st.st_size > (off_t)ALL_MAX)
		return NULL;
	n = (size_t)st.st_size;
	if ((h = malloc(n)) == NULL)
		return NULL;
	if (pread(fd, h, n, 0) == (ssize_t)n && h->version == TEXTS_VERSION &&
	    h->count > 0 && h->count <= CONF_CERTS_MAX)
		return h;
	free(h);
	return NULL;
}

/* The file is sealed, and the warden's: a part is where it says. */
struct sv
texts_part(const struct texts_head *h, uint32_t at, uint32_t len)
{
	return (struct sv) { (const char *)h + at, len };
}
