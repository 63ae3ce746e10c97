/*
 * A xenstore in the fuzzer's own process: what the host needs of libxenstore,
 * and for the fuzzer the same calls without a handle
 *
 * One owner for everything, no permissions, no transactions: those are the
 * real xenstored's, which the suites of tests/loopback use.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef FUZZ_STORE_H
#define FUZZ_STORE_H

/*
 * store_write: a node, as the toolstack or the guest.
 * store_remove: a node and what is below.
 * store_read_int: the number in a node, or -1.
 * store_fail: let the host's @nth next write fail, if it is not of a state:
 *     what its framework does then is no concern of a backend. 0: none.
 */
void store_write(const char *path, const char *value);
void store_remove(const char *path);
int store_read_int(const char *path);
void store_fail(unsigned nth);

#endif
