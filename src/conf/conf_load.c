/*
 * conf/conf_load.c: the texts that a configuration names, read once into it,
 * because a worker can open nothing but the archive.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "conf/conf_key.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

/* What it holds, and one byte more where there is more; -1 with errno. */
static ssize_t
read_start(const char *path, char *out, size_t size)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	size_t got = 0;
	ssize_t n = -1;
	struct stat st;

	if (fd == -1)
		return -1;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		do {
			n = read(fd, out + got, size - got);
			got += n > 0 ? (size_t)n : 0;
		} while (n > 0 || (n == -1 && errno == EINTR));
	} else {
		errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
	}
	close(fd);
	return n == -1 ? -1 : (ssize_t)got;
}

static int
load(struct conf_file *f, const struct conf_key *k, const struct conf_where *w)
{
	char room[CONF_FILE_MAX + 1], quoted[CONF_QUOTE_MAX];
	struct sv rest = { room, 0 }, line;
	unsigned lines = 0;
	ssize_t n;

	if (f->path[0] == '\0')
		return 0;
	conf_quote(sv_of(f->path), quoted);
	if ((n = read_start(f->path, room, sizeof(room))) == -1) {
		conf_problem(w, k->name, "cannot read %s: %s", quoted,
		    strerror(errno));
		return 1;
	}
	rest.len = (size_t)n;
	while (text_take_line(&rest, &line))
		lines++;
	if (n > CONF_FILE_MAX || lines > CONF_FILE_LINES) {
		conf_problem(w, k->name,
		    "%s is too long; %d bytes and %d lines are shown", quoted,
		    CONF_FILE_MAX, CONF_FILE_LINES);
		return 1;
	}
	f->len = (uint32_t)n;
	memcpy(f->bytes, room, f->len);
	return 0;
}

int
conf_load(struct conf *c, FILE *err)
{
	struct conf_where w = { .err = err };
	int problems = 0;

	for (size_t i = 0; i < CONF_KEY_COUNT; i++) {
		const struct conf_key *k = &conf_keys[i];

		if (k->type == &conf_type_file)
			problems += load((void *)((char *)c + k->offset), k,
			    &w);
	}
	return problems;
}
