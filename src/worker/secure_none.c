/*
 * worker/secure_none.c: no TLS, in the worker that sessions share.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "worker/secure.h"

const struct secure_ops *const secure = NULL;
