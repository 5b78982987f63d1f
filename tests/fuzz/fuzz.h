/*
 * tests/fuzz/fuzz.h: what a fuzz target is.  It checks a property of whatever
 * bytes it is given, and aborts when the property does not hold.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
