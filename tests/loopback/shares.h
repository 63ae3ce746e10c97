/*
 * Shares that -device xen-9pfs makes: what its tests have in common
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LOOPBACK_SHARES_H
#define LOOPBACK_SHARES_H

#include "fixture.h"
#include "qmp.h"

/*
 * shares_up: a fixture whose QEMU has the device; otherwise skips the test
 *     and returns NULL.
 * shares_start: start QEMU with more words, without spaces within one.
 * shares_count: how many devices of a type there are, seen from either end.
 * shares_use: be the guest that mounts device @devid, and read a file, with
 *     five requests.
 */
Fixture *shares_up(void);
void shares_start(Fixture *f, const char *words);
unsigned shares_count(Fixture *f, const char *type);
Fe *shares_use(Fixture *f, const char *protocol, int devid);

/*
 * shares_run: a QMP command, its arguments as the members of an object;
 *     returns the answer, to be freed.
 * shares_add: the same, a device_add with what is usual and @more.
 * shares_done: assert that an answer is no error, and free it.
 * shares_refused: assert that it is one with @why in it, and free it.
 */
char *shares_run(Qmp *qmp, const char *command, const char *fmt, ...)
    G_GNUC_PRINTF(3, 4);
char *shares_add(Fixture *f, Qmp *qmp, const char *id, const char *tag,
                 const char *more);
void shares_done(char *answer);
void shares_refused(char *answer, const char *why);

#endif
