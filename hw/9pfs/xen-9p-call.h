/*
 * One call of the file system by the 9p server
 *
 * scripts/integrate has hw/9pfs/coth.h include this: v9fs_co_run_in_worker()
 * asks the request's transport first. A transport that does not answer, as
 * virtio's, has its calls in workers, as before.
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_9PFS_XEN_9P_CALL_H
#define HW_9PFS_XEN_9P_CALL_H

#include "qemu/timer.h"
#include "hw/9pfs/9p.h"
#include "hw/9pfs/xen-9p-dispatch.h"
#include "hw/9pfs/xen-9p-usage.h"

/* Lives on the request's coroutine. */
struct V9fsCall {
    bool measured;              /* somebody wants to know how long it takes */
    int64_t begin;
    int64_t end;
    /* In a worker, before and after it; both or neither */
    void (*enter)(V9fsCall *call);
    void (*leave)(V9fsCall *call);
    /* The rest is of those who measure: xen-9p-call.c. */
    Xen9pDispatchCall dispatch;
    Xen9pUsage usage;           /* of the thread, when it began */
    unsigned *done;             /* where a worker counts it */
};

/* Returns: true if the call is to run in place, from now on. */
static inline bool v9fs_call_begin(V9fsPDU *pdu, V9fsCall *call)
{
    const V9fsTransport *t = pdu->s->transport;

    call->measured = false;
    call->enter = NULL;
    return t->call_begin && t->call_begin(pdu, call);
}

static inline void v9fs_call_stop(V9fsCall *call)
{
    if (call->measured) {
        call->end = get_clock();
    }
}

static inline void v9fs_call_enter(V9fsCall *call)
{
    if (call->enter) {
        call->enter(call);
    }
}

static inline void v9fs_call_leave(V9fsCall *call)
{
    if (call->enter) {
        call->leave(call);
    }
}

static inline void v9fs_call_end(V9fsPDU *pdu, V9fsCall *call)
{
    if (pdu->s->transport->call_end) {
        pdu->s->transport->call_end(pdu, call);
    }
}

/* What leaves the block with "break" goes on behind it. */
#define v9fs_co_block(code_block)                                       \
    do {                                                                \
        code_block;                                                     \
    } while (0)

/* v9fs_co_hop() is what QEMU has under the name of v9fs_co_run_in_worker(). */
#define v9fs_co_run_in_worker(code_block)                               \
    do {                                                                \
        V9fsCall co_call;                                               \
        if (v9fs_call_begin(pdu, &co_call)) {                           \
            v9fs_co_block(code_block);                                  \
            v9fs_call_stop(&co_call);                                   \
        } else {                                                        \
            v9fs_co_hop({                                               \
                v9fs_call_enter(&co_call);                              \
                v9fs_co_block(code_block);                              \
                v9fs_call_leave(&co_call);                               \
            });                                                         \
        }                                                               \
        v9fs_call_end(pdu, &co_call);                                   \
    } while (0)

#endif
