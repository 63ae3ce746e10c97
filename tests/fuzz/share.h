/*
 * The folder that the fuzzed device serves
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef FUZZ_SHARE_H
#define FUZZ_SHARE_H

/* Make @path a folder with what request.c has names of, and nothing else. */
void share_reset(const char *path);

/* Remove @path and all that is in it. */
void share_remove(const char *path);

#endif
