/*
 * Loopback Xen: the backend's own calls of the file system
 *
 * Below the server, in the backend's process: counted by the thread that
 * makes them, delayed, or held until a test lets them go. Slow storage that
 * takes as long as a test wants.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LOOPBACK_FS_H
#define LOOPBACK_FS_H

#include "loop.h"

typedef enum LoopFsCall {
    LOOP_FS_STAT,
    LOOP_FS_OPEN,
    LOOP_FS_READ,
    LOOP_FS_WRITE,
    LOOP_FS_SYNC,
    LOOP_FS_READDIR,
    LOOP_FS_CALLS
} LoopFsCall;

/*
 * loop_fs_watch: the process whose calls these are; 0: nobody's.
 * loop_fs_delay: each call of the kind takes so much longer, and one in ten
 *     takes @rare_us longer instead, if that is not 0.
 * loop_fs_hold: whether calls of the kind wait until they are let go.
 * loop_fs_waiting: how many do.
 * loop_fs_count: how many were begun, by the process's first thread, which
 *     in QEMU is the main loop's, or by others; since loop_fs_watch().
 */
void loop_fs_watch(Loop *loop, pid_t pid);
void loop_fs_delay(Loop *loop, LoopFsCall call, uint32_t delay_us,
                   uint32_t rare_us);
void loop_fs_hold(Loop *loop, LoopFsCall call, bool hold);
uint32_t loop_fs_waiting(Loop *loop, LoopFsCall call);
uint32_t loop_fs_count(Loop *loop, LoopFsCall call, bool first_thread);

/* For the shim: a thread of this process is about to make a call. */
void loop_fs_call(Loop *loop, LoopFsCall call);

#endif
