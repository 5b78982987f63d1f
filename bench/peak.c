/*
 * bench/peak.c: runs a program and writes to a file what it took: seconds of
 * the wall, of the user, of the system, and the peak of its resident memory
 * in KiB.
 *
 *	peak FILE PROGRAM [ARGUMENT...]
 *
 * A process of its own because a child's peak begins with its parent's: after
 * fork they share memory, and Linux counts that on (execve(2) keeps maxrss).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double
seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
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
	double began = now();
	struct rusage used;
	int status = 0;
	FILE *out;
	pid_t pid;

	if (argc < 3) {
		fputs("usage: peak FILE PROGRAM [ARGUMENT...]\n", stderr);
		return 2;
	}
	pid = fork();
	if (pid == 0) {
		execvp(argv[2], argv + 2);
		perror(argv[2]);
		_exit(127);
	}
	if (pid < 0 || wait4(pid, &status, 0, &used) != pid ||
	    (out = fopen(argv[1], "w")) == NULL) {
		perror("peak");
		return 125;
	}
	fprintf(out, "%.3f %.3f %.3f %ld\n", now() - began,
	    seconds(used.ru_utime), seconds(used.ru_stime), used.ru_maxrss);
	if (fclose(out) != 0)
		return 125;
	return WIFEXITED(status) ? WEXITSTATUS(status) :
	    128 + WTERMSIG(status);
}
