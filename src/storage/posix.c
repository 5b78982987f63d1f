/*
 * storage/posix.c: an archive in a directory tree.
 *
 * A path becomes a descriptor by openat2(2) beneath the root's descriptor,
 * and all that is said or sent about it comes from that descriptor: there is
 * no name left to swap for a link.  Links are followed as long as they stay
 * inside; RESOLVE_IN_ROOT was rejected, since it gives an absolute link
 * another meaning than the one that its maker saw.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "storage/posix.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "storage/hidden.h"

#define RACES 64	/* renames that may cross one resolution */

#define BENEATH (RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS)
/*
 * Linux 5.12: answers from the name cache, or EAGAIN.  NO_XDEV, because what
 * is mounted inside may be slower than the root's file system.
 */
#ifndef RESOLVE_CACHED
#define RESOLVE_CACHED 0x20
#endif
#define IN_MEMORY (RESOLVE_CACHED | RESOLVE_NO_XDEV)

const char *
storage_err_text(enum storage_err err)
{
	switch (err) {
	case STORAGE_OK:
		return "Done";
	case STORAGE_LATER:
		return "Later";
	case STORAGE_NOT_FOUND:
		return "No such file or directory";
	case STORAGE_DENIED:
		return "Permission denied";
	case STORAGE_NOT_DIR:
		return "Not a directory";
	case STORAGE_NOT_FILE:
		return "Not a plain file";
	case STORAGE_TOO_LONG:
		return "Path too long";
	case STORAGE_TOO_MANY:
		return "Too many entries to sort";
	case STORAGE_BUSY:
		return "Out of resources, try again later";
	case STORAGE_IO:
		return "Reading failed on the server";
	case STORAGE_EXISTS:
		return "It exists already";
	case STORAGE_BAD_NAME:
		return "No such name is allowed";
	case STORAGE_NOT_EMPTY:
		return "Directory not empty";
	case STORAGE_OTHER_DISK:
		return "Not on the same file system";
	case STORAGE_BAD_OFFSET:
		return "Behind the end of the file";
	case STORAGE_CHANGED:
		return "The file was changed meanwhile";
	case STORAGE_NO_SPACE:
		return "No space left on the server";
	case STORAGE_OVER_QUOTA:
		return "Over quota";
	case STORAGE_TOO_LARGE:
		return "File too large";
	case STORAGE_WRITE:
		return "Writing failed on the server";
	}
	return "Failed";
}

enum storage_err
posix_err_of(int error)
{
	switch (error) {
	case ENOENT:
	case ESTALE: /* removed on a file server */
	case EXDEV:  /* a link that leads outside */
	case ELOOP:  /* also: a magic link */
		return STORAGE_NOT_FOUND;
	case EACCES:
	case EPERM:
		return STORAGE_DENIED;
	case ENOTDIR:
		return STORAGE_NOT_DIR;
	case ENXIO: /* a socket */
	case ENODEV:
		return STORAGE_NOT_FILE;
	case ENAMETOOLONG:
		return STORAGE_TOO_LONG;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case EAGAIN: /* renames without end, or another program's lease */
		return STORAGE_BUSY;
	default:
		return STORAGE_IO;
	}
}

void
posix_stat_of(const struct stat *from, struct storage_stat *to)
{
	*to = (struct storage_stat) {
		.mode = from->st_mode,
		.size = (uint64_t)from->st_size,
		.mtime = from->st_mtim.tv_sec,
		.dev = from->st_dev,
		.ino = from->st_ino,
		.links = from->st_nlink,
		.ctime = from->st_ctim.tv_sec,
		.mtime_ns = (uint32_t)from->st_mtim.tv_nsec,
		.ctime_ns = (uint32_t)from->st_ctim.tv_nsec,
	};
}

/*
 * The root is ".".  A NUL would cut the path: no such name can exist; nor do
 * those of uploads that are not done.
 */
static enum storage_err
c_path(struct sv path, char out[PATH_MAX])
{
	if (path.len == 0)
		path = SV(".");
	if (path.len >= PATH_MAX)
		return STORAGE_TOO_LONG;
	if (memchr(path.ptr, '\0', path.len) != NULL || hidden_in(path))
		return STORAGE_NOT_FOUND;
	memcpy(out, path.ptr, path.len);
	out[path.len] = '\0';
	return STORAGE_OK;
}

static int
openat2_mode(int dir_fd, const char *name, int flags, mode_t mode,
    uint64_t resolve)
{
	struct open_how how = { .flags = (unsigned)(flags | O_CLOEXEC),
		.mode = mode, .resolve = resolve };

	return (int)syscall(SYS_openat2, dir_fd, name, &how, sizeof(how));
}

static int
openat2_fd(int dir_fd, const char *name, int flags, uint64_t resolve)
{
	return openat2_mode(dir_fd, name, flags, 0, resolve);
}

/* No way leads out of one component: nothing can cross it, as in EAGAIN. */
int
posix_openat(int dir_fd, const char *name, int flags, mode_t mode)
{
	return openat2_mode(dir_fd, name, flags, mode,
	    BENEATH | RESOLVE_NO_SYMLINKS);
}

/* EAGAIN: a rename anywhere crossed a ".." in a link. */
static int
openat2_again(int dir_fd, const char *name, int flags, uint64_t resolve)
{
	int fd = -1;

	for (int i = 0; i < RACES && fd < 0; i++) {
		fd = openat2_fd(dir_fd, name, flags, resolve);
		if (fd < 0 && errno != EAGAIN)
			break;
	}
	return fd;
}

enum storage_err
posix_open_unlinked(int dir_fd, struct sv path, int flags, int *fd)
{
	char name[PATH_MAX];
	enum storage_err err = c_path(path, name);
	int got;

	if (err != STORAGE_OK)
		return err;
	got = openat2_again(dir_fd, name, flags,
	    BENEATH | RESOLVE_NO_SYMLINKS);
	if (got < 0)
		return posix_err_of(errno);
	*fd = got;
	return STORAGE_OK;
}

enum storage_err
posix_open_beneath(const struct posix *p, struct sv path, int flags,
    enum storage_when when, int *fd)
{
	char name[PATH_MAX];
	enum storage_err err = c_path(path, name);
	int got = -1;

	if (err != STORAGE_OK)
		return err;
	if (when == STORAGE_NOW) {
		if (!p->can_now)
			return STORAGE_LATER;
		got = openat2_fd(p->root_fd, name, flags, BENEATH | IN_MEMORY);
		/* EXDEV is a way outside or a mount: the disk thread sees. */
		if (got < 0 && (errno == EAGAIN || errno == EXDEV))
			return STORAGE_LATER;
	} else {
		got = openat2_again(p->root_fd, name, flags, BENEATH);
	}
	if (got < 0)
		return posix_err_of(errno);
	*fd = got;
	return STORAGE_OK;
}

/* Opens, and says what was opened; on success *fd is open. */
static enum storage_err
open_and_stat(struct storage *st, struct sv path, int flags,
    enum storage_when when, int *fd, struct storage_stat *out)
{
	const struct posix *p = (const struct posix *)st;
	enum storage_err err;
	struct stat stat;
	int got = -1;

	err = posix_open_beneath(p, path, flags, when, &got);
	if (err != STORAGE_OK)
		return err;
	if (fstat(got, &stat) != 0) {
		err = posix_err_of(errno);
		close(got);
		return err;
	}
	posix_stat_of(&stat, out);
	*fd = got;
	return STORAGE_OK;
}

static enum storage_err
posix_stat(struct storage *st, struct sv path, enum storage_when when,
    struct storage_stat *out)
{
	int fd = -1;
	enum storage_err err = open_and_stat(st, path, O_PATH, when, &fd, out);

	if (fd >= 0)
		close(fd);
	return err;
}

/*
 * O_NONBLOCK keeps a FIFO from hanging us; what was opened is judged by its
 * own descriptor.  Looking at the name first was tried and rejected: a device
 * would not notice it, but the path would be resolved twice, and each small
 * file would cost three system calls more.  A device in an archive was made
 * by root, who has other means.
 */
static enum storage_err
posix_open(struct storage *st, struct sv path, enum storage_when when, int *fd,
    struct storage_stat *out)
{
	struct storage_stat stat;
	enum storage_err err;
	int got = -1;

	err = open_and_stat(st, path,
	    O_RDONLY | O_NONBLOCK | O_NOCTTY | O_LARGEFILE, when, &got, &stat);
	if (err != STORAGE_OK)
		return err;
	if (!S_ISREG(stat.mode)) {
		close(got);
		return STORAGE_NOT_FILE;
	}
	*fd = got;
	*out = stat;
	return STORAGE_OK;
}

static ssize_t
posix_read_now(struct storage *st, int fd, const struct storage_stat *stat,
    void *buf, size_t n, uint64_t offset)
{
	const struct posix *p = (const struct posix *)st;
	struct iovec iov = { buf, n };
	ssize_t got;

	/* tmpfs knows no RWF_NOWAIT, nor anything to wait for. */
	if (p->is_memory && stat->dev == p->dev)
		got = pread(fd, buf, n, (off_t)offset);
	else
		got = preadv2(fd, &iov, 1, (off_t)offset, RWF_NOWAIT);
	return got == (ssize_t)n ? got : -1;
}

static enum storage_err
posix_open_dir(struct storage *st, struct sv path, enum storage_when when,
    struct storage_dir **out)
{
	const struct posix *p = (const struct posix *)st;
	struct storage_dir *d;
	enum storage_err err;
	int fd = -1;

	err = posix_open_beneath(p, path, O_RDONLY | O_DIRECTORY, when, &fd);
	if (err != STORAGE_OK)
		return err;
	if ((d = posix_dir_new(p, path, fd)) == NULL) {
		close(fd);
		return STORAGE_BUSY;
	}
	*out = d;
	return STORAGE_OK;
}

/* File systems whose open(2) waits for nothing that is in memory. */
static bool
is_local(int root_fd)
{
	struct statfs fs;

	if (fstatfs(root_fd, &fs) != 0)
		return false;
	switch ((unsigned long)fs.f_type) {
	case EXT4_SUPER_MAGIC: /* and ext2, ext3 */
	case XFS_SUPER_MAGIC:
	case BTRFS_SUPER_MAGIC:
	case TMPFS_MAGIC:
	case RAMFS_MAGIC:
	case OVERLAYFS_SUPER_MAGIC:
	case F2FS_SUPER_MAGIC:
	case 0x2fc12fc1: /* ZFS */
	case 0xca451a4e: /* bcachefs */
		return true;
	default:
		return false;
	}
}

static bool
is_memory(int root_fd)
{
	struct statfs fs;

	return fstatfs(root_fd, &fs) == 0 &&
	    (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
}

/* Tries a way of opening on the root itself; errno is set when it fails. */
static bool
can_resolve(int root_fd, uint64_t resolve)
{
	int fd = openat2_fd(root_fd, ".", O_PATH | O_DIRECTORY, resolve);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

struct storage *
storage_posix_new(int root_fd)
{
	static const struct storage_ops ops = {
		.stat = posix_stat,
		.open = posix_open,
		.read_now = posix_read_now,
		.open_dir = posix_open_dir,
		.next = posix_dir_next,
		.sort = posix_dir_sort,
		.open_dir_in = posix_dir_open_in,
		.stat_dir = posix_dir_stat,
		.close_dir = posix_dir_free,
		.upload_begin = posix_upload_begin,
		.upload_copy = posix_upload_copy,
		.upload_size = posix_upload_size,
		.upload_write = posix_upload_write,
		.upload_name = posix_upload_name,
	.upload_fd = posix_upload_fd,
		.upload_commit = posix_upload_commit,
		.upload_abort = posix_upload_abort,
		.partial_size = posix_partial_size,
		.remove = posix_remove,
		.make_dir = posix_make_dir,
		.remove_dir = posix_remove_dir,
		.rename = posix_rename,
		.set_mtime = posix_set_mtime,
		.chmod = posix_chmod,
	};
	struct stat root;
	struct posix *p;

	/* Without openat2 (Linux 5.6) there is no serving safely. */
	if (!can_resolve(root_fd, BENEATH) || fstat(root_fd, &root) != 0)
		return NULL;
	if ((p = calloc(1, sizeof(*p))) == NULL)
		return NULL;
	p->storage.ops = &ops;
	p->root_fd = root_fd;
	p->can_now = is_local(root_fd) &&
	    can_resolve(root_fd, BENEATH | IN_MEMORY);
	p->is_memory = is_memory(root_fd);
	p->dev = root.st_dev;
	return &p->storage;
}

bool
storage_posix_allow_writing(struct storage *st,
    const struct storage_writing *how)
{
	struct posix *p = (struct posix *)st;

	if (p->commit == NULL)
		p->commit = commit_new();
	p->writing = *how;
	return p->commit != NULL;
}

void
storage_posix_free(struct storage *st)
{
	struct posix *p = (struct posix *)st;

	if (p == NULL)
		return;
	commit_free(p->commit);
	close(p->root_fd);
	free(p);
}
