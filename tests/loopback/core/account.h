/*
 * Loopback Xen: what was called, and what is held
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LOOPBACK_ACCOUNT_H
#define LOOPBACK_ACCOUNT_H

#include "loop.h"

typedef enum LoopCall {
    LOOP_CALL_GNT_MAP,          /* hypercalls ... */
    LOOP_CALL_GNT_MAP_OPS,      /* ... and the operations in them */
    LOOP_CALL_GNT_UNMAP,
    LOOP_CALL_GNT_UNMAP_OPS,
    LOOP_CALL_GNT_COPY,
    LOOP_CALL_GNT_COPY_OPS,
    LOOP_CALL_GNT_COPY_BYTES,
    LOOP_CALL_GNT_FAILED,       /* operations with a bad status */
    LOOP_CALL_EVTCHN_BIND,
    LOOP_CALL_EVTCHN_UNBIND,
    LOOP_CALL_EVTCHN_NOTIFY,
    LOOP_CALL_EVTCHN_PENDING,
    LOOP_CALL_EVTCHN_UNMASK,
    LOOP_CALL_XS,               /* xenstore requests, where shimmed */
    LOOP_CALL_OTHER,
    LOOP_CALL_MAX
} LoopCall;

typedef struct LoopStats {
    uint64_t calls[LOOP_CALL_MAX];
    uint32_t mapped;            /* grants mapped now */
    uint32_t mapped_rw;         /* ... of them writable */
    uint32_t ports;             /* ports bound now */
    uint32_t handles[LOOP_HANDLE_KINDS];
} LoopStats;

/*
 * loop_stats: a snapshot of process @pid, or of all processes if it is 0.
 * loop_leftovers: a line that says what @pid holds beyond @before (NULL:
 *     beyond nothing), to be freed; NULL if there is nothing.
 * loop_call_name: for tables.
 */
void loop_stats(Loop *loop, pid_t pid, LoopStats *stats);
char *loop_leftovers(Loop *loop, pid_t pid, const LoopStats *before);
const char *loop_call_name(LoopCall call);

/* Count @n calls of this process: for the shims. */
void loop_count(Loop *loop, LoopCall call, uint64_t n);

#endif
