/*
 * 9P requests from a fuzzer's input, by grammar
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef FUZZ_REQUEST_H
#define FUZZ_REQUEST_H

#include <glib.h>

#include "input.h"

/* A request's @tag where the input does not choose it: one of few. */
#define REQUEST_TAGS 16

/*
 * request_read: a request that the grammar allows, with fields mostly of
 *     values that mean something, to be freed.
 * request_version, request_attach: what a session begins with.
 */
GByteArray *request_read(Input *in);
GByteArray *request_version(const char *version, uint32_t msize);
GByteArray *request_attach(void);

#endif
