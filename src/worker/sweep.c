/*
 * worker/sweep.c: see the header.
 *
 * What an account has is not counted here: its parts count on until it logs
 * in the next time and is counted anew.  So the number may be too large, as
 * after a kill, and never too small.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "worker/sweep.h"

#include <errno.h>
#include <sys/resource.h>
#include <time.h>

#include "base/log.h"
#include "ipc/inherit.h"
#include "worker/box.h"

static struct storage *
open_accounts(void)
{
	struct storage_writing how = { .durable = false };
	struct storage *st = storage_posix_new(INHERIT_ACCOUNTS_TOP);

	if (st == NULL || !storage_posix_allow_writing(st, &how))
		log_fatal(1, "cannot sweep err=%d", errno);
	return st;
}

void
sweep_prepare(struct worker *w)
{
	w->sweeps = true;
	/* Whoever waits for a disk comes first. */
	(void)setpriority(PRIO_PROCESS, 0, 19);
	if (w->conf.accounts_file[0] != '\0')
		w->storage = open_accounts();
	box_start(w);
}

void
sweep(struct worker *w)
{
	struct storage_survey found = { 0 };
	enum storage_err err = w->storage == NULL ? STORAGE_OK :
	    storage_posix_survey(w->storage,
	    time(NULL) - (int64_t)w->conf.upload_keep_s, &found);

	if (err != STORAGE_OK)
		log_line("sweep: not everywhere beneath accounts.root: %s",
		    storage_err_text(err));
	if (w->box != NULL)
		box_sweep(w, &found.removed);
	if (found.removed > 0)
		log_line("sweep: removed=%llu",
		    (unsigned long long)found.removed);
}
