/*
 * tests/unit/storage/site.h: an archive to write to: "root" in a directory of
 * its own, "outside" beside it, which nothing may reach.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>

#include "storage/quota.h"
#include "storage/storage.h"

#include "unit.h"

#define OWNER 7

struct site {
	char base[64];
	int base_fd;
	int root;
	struct storage *st;
	struct quota *quota;
};

/* On the disk of TMPDIR; in memory where that is offered. */
int site_open(void **state);
int site_open_in_memory(void **state);
int site_close(void **state);

/* Another storage of the same root, with a quota file shared by all. */
struct storage *site_again(const struct site *s, uint64_t owner, bool durable,
    struct quota *quota);
struct quota *site_quota(const struct site *s, struct quota_amount limit,
    uint64_t boot);
void site_limit(struct site *s, uint64_t bytes, uint64_t files);

void site_put(int dir, const char *path, const char *text);

/* Fails unless the file has that text, by the plain system calls. */
void site_has(const struct site *s, const char *path, const char *text);
bool site_exists(const struct site *s, const char *path);
struct stat site_stat(const struct site *s, const char *path);

/* How many names a directory really has, and how many begin so. */
size_t site_names(const struct site *s, const char *dir, const char *prefix);

/* How many names a client sees in it. */
size_t site_listed(struct storage *st, const char *dir);

/* begin, copy, write: what is left is commit or abort. */
enum storage_err site_begin(struct storage *st, const char *path,
    struct storage_upload_how how, const char *text,
    struct storage_upload **out);

/* All of an upload. */
enum storage_err site_store(struct storage *st, const char *path,
    unsigned flags, const char *text);
