/*
 * How many system calls the backend makes of the file system
 *
 * Of one thread of it, as ptrace() sees them: for a device whose calls are all
 * made in place (dispatch=inline), that is all there are.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LOOPBACK_SYSCALLS_H
#define LOOPBACK_SYSCALLS_H

#include "fixture.h"

typedef struct Syscalls Syscalls;

/*
 * syscalls_begin: look at the thread of the backend's one device from now on.
 *     NULL, and the test skipped, where ptrace() is not permitted.
 * syscalls_end: how many there were; @names, which may be NULL, gets their
 *     numbers as text, to be freed.
 */
Syscalls *syscalls_begin(Fixture *f);
unsigned syscalls_end(Syscalls *calls, char **names);

#endif
