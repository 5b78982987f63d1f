/*
 * ipc/inherit.h: what a child of the warden finds open when it starts.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

enum inherit_fd {
	INHERIT_CONF = 3,	/* struct conf, sealed (conf_from_fd) */
	INHERIT_WARDEN = 4,	/* channel to the warden */
	INHERIT_EVENTS = 5,	/* pipe, or /dev/null when nobody wants them */
	INHERIT_XFERLOG = 6,	/* likewise; workers only */
	INHERIT_ARCHIVE = 7,	/* the archive's root directory; workers only */
	INHERIT_GATE = 8,	/* channel to the gate; workers only */
	INHERIT_BOARD = 9,	/* what changes as we run (ipc/board.h) */
	INHERIT_STORE = 10,	/* known digests (hash_store.h); workers only */
	INHERIT_TEXTS = 11,	/* certificates (ipc/texts.h); solo workers only */
	INHERIT_SIGNER = 12,	/* channel to the signer; likewise */
	INHERIT_END = 13,	/* the gate: control listeners from here on */
	/* Workers have these there instead. */
	INHERIT_TOP = INHERIT_END, /* the directory that holds all archives */
	INHERIT_KEEPER,		/* channel to the keeper; solo workers only */
	INHERIT_NOTICES,	/* of uploads, to the warden (ipc/notice.h) */
	/* No channel is here or above: see SANDBOX_KTLS_LEAST. */
	INHERIT_ACCOUNTS_TOP,	/* accounts.root; solo workers only, closed */
	INHERIT_SITES,		/* root directories of the sites, in order */
	/* The keeper has these there instead, and nothing above. */
	INHERIT_ACCOUNTS = 6,	/* the account file, open to be read */
	INHERIT_ACCOUNTS_ROOT,	/* accounts.root */
	INHERIT_ACCOUNTS_QUOTA,	/* accounts.quota, or /dev/null */
	INHERIT_KEEPER_END,
	/* And portcullis-pam this one. */
	INHERIT_SYSTEM = 6,	/* channel to the keeper */
	INHERIT_SYSTEM_END,
};
