/*
 * Loopback Xen: the backend's own calls of the file system
 *
 * Below the server, in the backend's process: counted by the kind of thread
 * that makes them, delayed, or held until a test lets them go. Slow storage
 * that takes as long as a test wants.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LOOPBACK_FS_H
#define LOOPBACK_FS_H

#include <sys/types.h>

#include "loop.h"

typedef enum LoopFsCall {
    LOOP_FS_STAT,
    LOOP_FS_OPEN,
    LOOP_FS_READ,
    LOOP_FS_WRITE,
    LOOP_FS_SYNC,
    LOOP_FS_READDIR,
    LOOP_FS_CLOSE,
    LOOP_FS_STATFS,
    LOOP_FS_UNLINK,
    LOOP_FS_RENAME,
    LOOP_FS_MKDIR,
    LOOP_FS_ROOT,               /* stat() and access() of the share itself */
    LOOP_FS_CALLS
} LoopFsCall;

/* Who makes them: stock backends have no thread for a device. */
typedef enum LoopFsThread {
    LOOP_FS_MAIN,               /* the process's first thread */
    LOOP_FS_DEVICE,             /* named after a device */
    LOOP_FS_WORKER,             /* all others */
    LOOP_FS_THREADS
} LoopFsThread;

/*
 * loop_fs_watch: the process whose calls these are; 0: nobody's, LOOP_FS_ANY:
 *     of every process of the loopback.
 * loop_fs_delay: each call of the kind takes so much longer, and one in ten
 *     takes @rare_us longer instead, if that is not 0.
 * loop_fs_hold: whether calls of the kind wait until they are let go.
 * loop_fs_only: delay and hold them on that file system alone; 0: on all.
 * loop_fs_waiting: how many are held.
 * loop_fs_count: how many were begun by such threads since loop_fs_watch().
 */
#define LOOP_FS_ANY ((pid_t)-1)

void loop_fs_watch(Loop *loop, pid_t pid);
void loop_fs_delay(Loop *loop, LoopFsCall call, uint32_t delay_us,
                   uint32_t rare_us);
void loop_fs_hold(Loop *loop, LoopFsCall call, bool hold);
void loop_fs_only(Loop *loop, dev_t dev);
uint32_t loop_fs_waiting(Loop *loop, LoopFsCall call);
uint32_t loop_fs_count(Loop *loop, LoopFsCall call, LoopFsThread thread);

/*
 * For the shim: a thread of this process is about to make a call, on the file
 * system @dev; whether anybody wants to know which, or that there is one.
 */
void loop_fs_call(Loop *loop, LoopFsCall call, dev_t dev);
bool loop_fs_asks(Loop *loop);
bool loop_fs_watched(Loop *loop);

#endif
