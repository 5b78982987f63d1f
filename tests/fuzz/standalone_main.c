/*
 * tests/fuzz/standalone_main.c: runs a fuzz target without a fuzzer: all files
 * of a corpus, then N inputs made of them by a pseudo-random generator that
 * starts the same each time, so that a failure comes again.
 *
 * It finds less than libFuzzer, which sees what the code does; but it runs
 * with every compiler, as one of the tests.
 *
 *	fuzz_hostport N CORPUS-DIRECTORY
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

#define SEEDS_MAX 256
#define INPUT_MAX 4096

struct input {
	uint8_t bytes[INPUT_MAX];
	size_t len;
};

static struct input *seeds[SEEDS_MAX];
static size_t seed_count;

static uint64_t random_state = 88172645463325252u;

static uint32_t
random_below(uint32_t bound)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 32) % bound;
}

/* From a block of just its size, so that a sanitizer sees a byte too far. */
static void
run(const struct input *in)
{
	uint8_t *exact = malloc(in->len > 0 ? in->len : 1);

	if (exact == NULL)
		err(1, NULL);
	memcpy(exact, in->bytes, in->len);
	LLVMFuzzerTestOneInput(exact, in->len);
	free(exact);
}

static struct input *
input_new(void)
{
	struct input *in = calloc(1, sizeof(*in));

	if (in == NULL)
		err(1, NULL);
	return in;
}

static void
load_seed(const char *dir, const char *name)
{
	struct input *in = input_new();
	char path[4096];
	FILE *file;

	if (seed_count == SEEDS_MAX)
		errx(1, "more than %d files in the corpus", SEEDS_MAX);
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if ((file = fopen(path, "rb")) == NULL)
		err(1, "%s", path);
	in->len = fread(in->bytes, 1, sizeof(in->bytes), file);
	fclose(file);
	seeds[seed_count++] = in;
}

static int
by_content(const void *a, const void *b)
{
	const struct input *const *x = a, *const *y = b;

	return memcmp((*x)->bytes, (*y)->bytes, INPUT_MAX);
}

/* Sorted, because a directory has no order and the run must repeat. */
static void
load_corpus(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	if (dir == NULL)
		err(1, "%s", path);
	while ((entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.')
			load_seed(path, entry->d_name);
	closedir(dir);
	if (seed_count == 0)
		errx(1, "%s: no files", path);
	qsort(seeds, seed_count, sizeof(seeds[0]), by_content);
}

/* Bytes that parsers of this project turn at. */
static uint8_t
random_byte(void)
{
	static const uint8_t telling[] = "\0\t\r\n ,|()%.:019aAfF-+\xf0\xf2"
					 "\xf4\xfa\xfb\xfd\xff";

	if (random_below(4) == 0)
		return (uint8_t)random_below(256);
	return telling[random_below(sizeof(telling) - 1)];
}

static void
insert(struct input *in, size_t at, const uint8_t *bytes, size_t len)
{
	if (len > INPUT_MAX - in->len)
		return;
	memmove(in->bytes + at + len, in->bytes + at, in->len - at);
	memcpy(in->bytes + at, bytes, len);
	in->len += len;
}

/* A piece of any seed, this one's own included. */
static void
insert_piece(struct input *in, size_t at)
{
	const struct input *from = seeds[random_below((uint32_t)seed_count)];
	size_t start, len;

	if (from->len == 0)
		return;
	start = random_below((uint32_t)from->len);
	len = 1 + random_below((uint32_t)(from->len - start));
	insert(in, at, from->bytes + start, len);
}

static void
mutate(struct input *in)
{
	size_t at = random_below((uint32_t)in->len + 1);
	size_t cut = in->len - at;
	uint8_t byte = random_byte();

	switch (random_below(4)) {
	case 0:
		if (at < in->len)
			in->bytes[at] = byte;
		break;
	case 1:
		insert(in, at, &byte, 1);
		break;
	case 2:
		if (cut > 0)
			cut = 1 + random_below(cut < 8 ? (uint32_t)cut : 8);
		memmove(in->bytes + at, in->bytes + at + cut,
		    in->len - at - cut);
		in->len -= cut;
		break;
	default:
		insert_piece(in, at);
		break;
	}
}

int
main(int argc, char **argv)
{
	struct input *in = input_new();
	unsigned long runs;

	if (argc != 3)
		errx(2, "usage: %s N CORPUS-DIRECTORY", argv[0]);
	runs = strtoul(argv[1], NULL, 10);
	load_corpus(argv[2]);

	for (size_t i = 0; i < seed_count; i++)
		run(seeds[i]);
	while (runs-- > 0) {
		*in = *seeds[random_below((uint32_t)seed_count)];
		for (uint32_t n = 1 + random_below(8); n > 0; n--)
			mutate(in);
		run(in);
	}

	printf("%zu files, %s inputs made of them\n", seed_count, argv[1]);
	for (size_t i = 0; i < seed_count; i++)
		free(seeds[i]);
	free(in);
	return 0;
}
