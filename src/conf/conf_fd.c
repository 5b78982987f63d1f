/*
 * conf/conf_fd.c: the configuration as bytes in a sealed unnamed file.
 *
 * The gate and the workers inherit it so and parse nothing; this file needs
 * libc alone, because the gate links nothing else.  The seals say that what
 * was checked at start is what every process has: one that was taken over
 * cannot change the limits of its sisters.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "conf/conf_limit.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U /* Linux 6.3; libc's headers are older */
#endif

#define SEALS (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/*
 * A kernel may be told (vm.memfd_noexec) to want the flag that says no
 * program is meant; one before 6.3 does not know it.
 */
static int
unnamed_file(void)
{
	unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd = memfd_create("portcullis.conf", flags | MFD_NOEXEC_SEAL);

	if (fd == -1 && errno == EINVAL)
		fd = memfd_create("portcullis.conf", flags);
	return fd;
}

static bool
write_all(int fd, const void *bytes, size_t len)
{
	const char *from = bytes;

	while (len > 0) {
		ssize_t n = write(fd, from, len);

		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		from += n;
		len -= (size_t)n;
	}
	return true;
}

int
conf_to_fd(const struct conf *c)
{
	int fd = unnamed_file(), saved;

	if (fd == -1)
		return -1;
	if (write_all(fd, c, sizeof(*c)) &&
	    fcntl(fd, F_ADD_SEALS, SEALS) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static bool
pread_all(int fd, void *bytes, size_t len)
{
	char *to = bytes;
	off_t at = 0;

	while (len > 0) {
		ssize_t n = pread(fd, to + at, len, at);

		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += n;
		len -= (size_t)n;
	}
	return true;
}

bool
conf_from_fd(struct conf *c, int fd)
{
	uint32_t version;
	struct stat st;

	static_assert(offsetof(struct conf, version) == 0, "read by itself");
	if (fstat(fd, &st) == -1 || st.st_size != (off_t)sizeof(*c) ||
	    !pread_all(fd, &version, sizeof(version)) ||
	    version != CONF_VERSION)
		return false;
	/* Not by way of the stack: it has some 100 KB. */
	return pread_all(fd, c, sizeof(*c));
}

bool
conf_has_tls(const struct conf *c)
{
	return c->tls_certificate.count > 0 &&
	    (c->accounts_file[0] != '\0' || conf_uses(c, LIMIT_tls_control));
}

bool
conf_moves(const struct conf *c)
{
	return c->accounts_file[0] != '\0' || conf_has_tls(c);
}
