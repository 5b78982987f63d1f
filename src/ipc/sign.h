/*
 * ipc/sign.h: the channel between a process that speaks TLS and the signer: a
 * SOCK_SEQPACKET pair, one question and its answer at a time.  Fixed sizes,
 * no descriptors, no text.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/sv.h"
#include "tls/scheme.h"

#define SIGN_VERSION 1
#define SIGN_PATIENCE_MS 10000	/* for an answer */

enum sign_status {
	SIGN_STATUS_OK,
	SIGN_STATUS_REFUSED,	/* no such key, another kind, another form */
};

struct sign_question {
	uint8_t version, reserved;
	uint16_t n;
	uint32_t number;	/* the answer has it too */
	uint32_t key;
	uint32_t scheme;
	uint8_t bytes[SIGN_INPUT_MAX];
};

struct sign_answer {
	uint8_t version, status;
	uint16_t n;
	uint32_t number;
	uint8_t bytes[SIGN_OUTPUT_MAX];
};

_Static_assert(sizeof(struct sign_question) == 16 + SIGN_INPUT_MAX &&
    sizeof(struct sign_answer) == 8 + SIGN_OUTPUT_MAX, "no gaps");

/*
 * What was received is a question: len bytes of its packet, the first
 * sizeof(*q) of them in q.
 */
bool sign_question_is_sound(const struct sign_question *q, size_t len);

struct sign_channel {
	int fd;			/* the caller's */
	uint32_t number;	/* of the last question */
};

/*
 * struct tls_signer's function (tls/remote_key.h); channel is a struct
 * sign_channel.  Waits for SIGN_PATIENCE_MS at most, by poll(2); uses send(2)
 * and recv(2) alone.  False too when the signer is gone.
 */
bool sign_ask(void *channel, uint32_t key, uint32_t scheme,
    const uint8_t *bytes, size_t n, uint8_t out[SIGN_OUTPUT_MAX],
    size_t *out_len);
