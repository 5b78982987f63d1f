/*
 * bench/store.c: uploads through storage alone, without a server around it.
 * SPDX-License-Identifier: Apache-2.0
 *
 *	cc -O2 -D_GNU_SOURCE -Isrc -o build/bench/store bench/store.c \
 *	    build/src/storage/libstorage.a build/src/base/libbase.a -pthread
 *
 *	store DIR small THREADS FILES shared|own|off
 *	store DIR large MIB on|off
 *
 * small: files of 4 KiB into one directory, by so many threads; the fsyncs of
 * the directory shared among them, of each one's own, or none at all.
 * large: one file, 256 KiB a write.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "storage/storage.h"

enum { THREADS_MAX = 256, SMALL = 4096, PIECE = 256 * 1024 };

static const char *dir;
static char bytes[PIECE];
static atomic_long next_file;
static long files;

static struct storage *
open_store(bool durable)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct storage *st = storage_posix_new(fd);
	struct storage_writing how = { .durable = durable };

	if (st == NULL || !storage_posix_allow_writing(st, &how)) {
		perror(dir);
		exit(1);
	}
	return st;
}

static void
upload(struct storage *st, const char *name, uint64_t size)
{
	struct storage_upload_how how = { .flags = STORAGE_REPLACE,
		.mode = 0644 };
	struct storage_upload *u;
	enum storage_err err;

	err = st->ops->upload_begin(st, sv_of(name), &how, &u);
	for (uint64_t at = 0; err == STORAGE_OK && at < size; at += PIECE)
		err = st->ops->upload_write(u, bytes,
		    size - at < PIECE ? size - at : PIECE, at);
	if (err == STORAGE_OK)
		err = st->ops->upload_commit(u);
	if (err != STORAGE_OK) {
		fprintf(stderr, "%s: %s\n", name, storage_err_text(err));
		exit(1);
	}
}

static void *
upload_small(void *st)
{
	char name[32];
	long i;

	while ((i = atomic_fetch_add(&next_file, 1)) < files) {
		snprintf(name, sizeof(name), "small-%ld", i);
		upload(st, name, SMALL);
	}
	return NULL;
}

static void
run_small(int threads, const char *how)
{
	struct storage *st[THREADS_MAX];
	pthread_t thread[THREADS_MAX];

	for (int i = 0; i < threads; i++)
		st[i] = i == 0 || strcmp(how, "own") == 0 ?
		    open_store(strcmp(how, "off") != 0) : st[0];
	for (int i = 0; i < threads; i++)
		if (pthread_create(&thread[i], NULL, upload_small, st[i]) != 0)
			exit(1);
	for (int i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int
main(int argc, char **argv)
{
	double from, took;

	if (argc < 5)
		return 2;
	dir = argv[1];
	memset(bytes, 'x', sizeof(bytes));
	from = now();
	if (strcmp(argv[2], "small") == 0 && argc == 6) {
		int threads = (int)strtol(argv[3], NULL, 10);

		files = strtol(argv[4], NULL, 10);
		run_small(threads > THREADS_MAX ? THREADS_MAX : threads,
		    argv[5]);
		took = now() - from;
		printf("%ld files, %d threads, %s: %.2f s, %.0f files/s\n",
		    files, threads, argv[5], took, (double)files / took);
	} else {
		uint64_t mib = strtoull(argv[3], NULL, 10);

		upload(open_store(strcmp(argv[4], "on") == 0), "large",
		    mib << 20);
		took = now() - from;
		printf("%llu MiB, durable %s: %.2f s, %.0f MiB/s\n",
		    (unsigned long long)mib, argv[4], took,
		    (double)mib / took);
	}
	return 0;
}
