/*
 * base/landlock.c: see the header.
 *
 * Debian 12's <linux/landlock.h> is older than the kernels we meet, so what
 * it lacks is named here; a kernel that lacks it too is never asked for it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/landlock.h"

#include <errno.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* struct landlock_ruleset_attr as of version 6. */
struct ruleset {
	uint64_t files;
	uint64_t tcp;
	uint64_t scoped;
};

#define FILES_V1 ((1ull << 13) - 1)	/* EXECUTE to MAKE_SYM */
#define FILE_REFER (1ull << 13)		/* version 2 */
#define FILE_TRUNCATE (1ull << 14)	/* version 3 */
#define FILE_IOCTL_DEV (1ull << 15)	/* version 5 */
#define TCP_BOTH 3ull			/* bind, connect; version 4 */
#define TCP_CONNECT 2ull
#define RULE_NET_PORT 2
#define SCOPE_BOTH 3ull			/* abstract sockets, signals; 6 */

int
landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, (size_t)0,
	    LANDLOCK_CREATE_RULESET_VERSION);

	/* Not built, off at boot, or behind a container's filter: none. */
	return abi < 0 ? 0 : (int)abi;
}

static uint64_t
files_of(int abi)
{
	uint64_t files = FILES_V1;

	if (abi >= 2)
		files |= FILE_REFER;
	if (abi >= 3)
		files |= FILE_TRUNCATE;
	if (abi >= 5)
		files |= FILE_IOCTL_DEV;
	return files;
}

/* An older kernel refuses a struct that is longer than its own. */
static int
ruleset_new(const struct ruleset *r, int abi)
{
	size_t size = sizeof(r->files);

	if (abi >= 4)
		size += sizeof(r->tcp);
	if (abi >= 6)
		size += sizeof(r->scoped);
	return (int)syscall(SYS_landlock_create_ruleset, r, size, 0U);
}

static bool
enforce(int ruleset_fd)
{
	long error = syscall(SYS_landlock_restrict_self, ruleset_fd, 0U);
	int saved = errno;

	close(ruleset_fd);
	errno = saved;
	return error == 0;
}

#define FILES_REMOVE (LANDLOCK_ACCESS_FS_REMOVE_FILE | \
    LANDLOCK_ACCESS_FS_REMOVE_DIR)
#define FILES_MAKE (LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR)

/* Who replaces a file takes the old one away. */
static const struct {
	unsigned right;
	uint64_t access;
} rights[] = {
	{ LANDLOCK_READ, LANDLOCK_ACCESS_FS_READ_FILE |
	    LANDLOCK_ACCESS_FS_READ_DIR },
	{ LANDLOCK_LOOK, LANDLOCK_ACCESS_FS_READ_DIR },
	{ LANDLOCK_STORE, LANDLOCK_ACCESS_FS_READ_FILE |
	    LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG |
	    LANDLOCK_ACCESS_FS_REMOVE_FILE | FILE_TRUNCATE },
	{ LANDLOCK_REMOVE, FILES_REMOVE },
	{ LANDLOCK_MAKE_DIR, LANDLOCK_ACCESS_FS_MAKE_DIR },
	{ LANDLOCK_RENAME, FILES_REMOVE | FILES_MAKE |
	    LANDLOCK_ACCESS_FS_MAKE_SYM | FILE_REFER },
};

static bool
allow_root(int ruleset_fd, const struct landlock_root *root, uint64_t known)
{
	struct landlock_path_beneath_attr beneath = { .parent_fd = root->fd };

	for (size_t i = 0; i < sizeof(rights) / sizeof(rights[0]); i++)
		if ((root->rights & rights[i].right) != 0)
			beneath.allowed_access |= rights[i].access & known;
	return syscall(SYS_landlock_add_rule, ruleset_fd,
	    LANDLOCK_RULE_PATH_BENEATH, &beneath, 0U) == 0;
}

static bool
allow_roots(int ruleset_fd, const struct landlock_root *roots, size_t n,
    uint64_t known)
{
	for (size_t i = 0; i < n; i++)
		if (!allow_root(ruleset_fd, &roots[i], known))
			return false;
	return true;
}

int
landlock_confine(const struct landlock_root *roots, size_t n)
{
	int abi = landlock_abi(), walls = LANDLOCK_FILES, fd;
	struct ruleset r = { .files = files_of(abi) };

	if (abi == 0)
		return 0;
	if (abi >= 4) {
		r.tcp = TCP_BOTH;
		walls |= LANDLOCK_TCP;
	}
	if (abi >= 6) {
		r.scoped = SCOPE_BOTH;
		walls |= LANDLOCK_SCOPE;
	}
	if ((fd = ruleset_new(&r, abi)) < 0)
		return -1;
	if (!allow_roots(fd, roots, n, r.files)) {
		int saved = errno;

		close(fd);
		errno = saved;
		return -1;
	}
	return enforce(fd) ? walls : -1;
}

/* A file takes no right that is a directory's. */
static bool
allow_this(int ruleset_fd, int fd)
{
	struct stat st;
	struct landlock_path_beneath_attr beneath = {
		.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE,
		.parent_fd = fd,
	};

	if (fd < 0)
		return true;
	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
		beneath.allowed_access |= LANDLOCK_ACCESS_FS_READ_DIR;
	return syscall(SYS_landlock_add_rule, ruleset_fd,
	    LANDLOCK_RULE_PATH_BENEATH, &beneath, 0U) == 0;
}

static bool
allow_port(int ruleset_fd, uint16_t port)
{
	/* struct landlock_net_port_attr, of version 4 */
	struct {
		uint64_t allowed_access;
		uint64_t port;
	} rule = { TCP_CONNECT, port };

	return syscall(SYS_landlock_add_rule, ruleset_fd, RULE_NET_PORT,
	    &rule, 0U) == 0;
}

bool
landlock_read_these(const int *fds, size_t n, uint16_t tcp_port)
{
	int abi = landlock_abi(), ruleset;
	struct ruleset r = { .files = files_of(abi),
		.tcp = abi >= 4 ? TCP_BOTH : 0,
		.scoped = abi >= 6 ? SCOPE_BOTH : 0 };
	bool good = true;

	if (abi == 0 || (ruleset = ruleset_new(&r, abi)) < 0)
		return false;
	for (size_t i = 0; i < n; i++)
		good = good && allow_this(ruleset, fds[i]);
	if (abi >= 4)
		good = good && allow_port(ruleset, tcp_port);
	if (good)
		return enforce(ruleset);
	close(ruleset);
	return false;
}

static bool
forbid(uint64_t tcp)
{
	int abi = landlock_abi(), fd;
	struct ruleset r = { .files = files_of(abi),
		.tcp = abi >= 4 ? tcp : 0,
		.scoped = abi >= 6 ? SCOPE_BOTH : 0 };

	if (abi == 0 || (fd = ruleset_new(&r, abi)) < 0)
		return false;
	return enforce(fd);
}

bool
landlock_forbid_files(void)
{
	return forbid(0);
}

bool
landlock_forbid_all(void)
{
	return forbid(TCP_BOTH);
}
