/*
 * Xen 9P backend: what a session is, and what its transports offer to it
 *
 * The glue (xen-9p-backend.c) owns xenstore, states and configuration, and
 * runs in QEMU's main thread. A session (xen-9p-session.c) has a transport
 * (xen-9p-flex.c, xen-9p-virtfs.c), which owns rings, grants, event channels
 * and requests, never sees xenstore, and runs in the session's event loop.
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_9PFS_XEN_9PFS_H
#define HW_9PFS_XEN_9PFS_H

#include "block/aio.h"
#include "qemu/coroutine.h"
#include "qemu/queue.h"
#include "hw/9pfs/9p.h"
#include "hw/9pfs/xen-9p-dispatch.h"
#include "hw/9pfs/xen-9p-usage.h"
#include "hw/9pfs/xen-9p-iounit.h"
#include "hw/9pfs/xen-9p-limit.h"
#include "hw/9pfs/xen-9p-mounts.h"
#include "hw/9pfs/xen-9p-order.h"
#include "hw/9pfs/xen-9p-poll.h"
#include "hw/9pfs/xen-9p-stats.h"
#include "hw/9pfs/xen-9p-thread.h"
#include "hw/xen/xen-legacy-backend.h"

typedef struct Xen9pfsDevice Xen9pfsDevice;
typedef struct Xen9pfsSession Xen9pfsSession;
typedef struct Xen9pfsTransport Xen9pfsTransport;

#define XEN_9PFS_MAX_RINGS 8
#define XEN_9PFS_MAX_RING_ORDER 4
#define XEN_9PFS_MAX_RING_PAGES (1 << XEN_9PFS_MAX_RING_ORDER)

/*
 * One ring as the frontend offers it. Any value may be hostile, but for
 * num_refs, which is a power of two.
 */
typedef struct Xen9pfsRingConf {
    uint32_t ref[XEN_9PFS_MAX_RING_PAGES]; /* grants of its shared pages */
    unsigned num_refs;
    uint32_t port;              /* the frontend's event-channel port */
} Xen9pfsRingConf;

/* What a request was admitted with, or refused for. See xen-9p-admit.h. */
typedef struct Xen9pAdmission {
    Xen9pOrderKey key;
    Xen9pClaim claim;
    int err;                    /* an errno: it is refused */
    int64_t since;              /* when it was first seen */
} Xen9pAdmission;

/* What the main thread wants of a session: it moves forward only. */
typedef enum Xen9pfsWant {
    XEN_9PFS_WANT_OPEN,
    XEN_9PFS_WANT_CONNECT,
    XEN_9PFS_WANT_CLOSE,
} Xen9pfsWant;

/* How far its event loop has followed. */
typedef enum Xen9pfsPhase {
    XEN_9PFS_OPENING,
    XEN_9PFS_OPEN,              /* it may be offered to the frontend */
    XEN_9PFS_CONNECTED,
    XEN_9PFS_RELEASING,         /* no call needs it, it is being unmapped */
    XEN_9PFS_RELEASED,          /* it uses nothing of the frontend any more */
} Xen9pfsPhase;

/*
 * A 9P session: one server state with its fids, one fsdev and, once the
 * frontend has connected, one transport. Made when the backend offers itself
 * to the frontend, never used for a second connection.
 *
 * The main thread makes it, tells it what it wants and frees it at its end.
 * All else happens in the event loop @ctx, which the main thread never waits
 * for: what is there of the share can take for ever.
 */
struct Xen9pfsSession {
    /* The main thread's */
    Xen9pfsDevice *dev;         /* NULL: removed while this was busy */
    void (*report)(Xen9pfsSession *session);
    void (*gone)(Xen9pfsSession *session);
    QEMUBH *report_bh;

    /* Set before the event loop runs */
    V9fsState state;
    const Xen9pfsTransport *transport;
    Xen9pThread thread;         /* a reference of its own */
    AioContext *ctx;
    char *thread_name;          /* as top shows it */
    char *name;                 /* for messages, outlives the device */
    char *path;                 /* of the share, ... */
    char *path_node;            /* ... as this node has it */
    domid_t domid;              /* the frontend's domain */
    int grant_policy;           /* a Xen9pGrantPolicy */
    char *fsdev_id;             /* this session's own entry, or NULL */
    QEMUBH *step;               /* looks at what is wanted */

    /* Of both, atomic */
    Xen9pfsWant want;           /* the main thread sets it */
    Xen9pfsPhase phase;         /* the event loop sets it */
    Error *failure;             /* why it has to end, NULL while all is well */
    QemuSemaphore opened;       /* posted when it is no longer OPENING */
    bool watched;               /* the main thread looks at these two: ... */
    unsigned passes;            /* ... that have begun, ... */
    unsigned calls_here;        /* ... odd while a call is in place */
    Xen9pfsStats stats;

    /* The event loop's, all that follows */
    Xen9pfsRingConf conf[XEN_9PFS_MAX_RINGS]; /* set before CONNECT */
    unsigned num_rings;
    Coroutine *life;            /* follows what is wanted */
    bool waiting;               /* that does, for step */
    void *connection;           /* the transport's own, NULL: not connected */
    Xen9pPoll poll;             /* for its next request */
    Xen9pOrder order;           /* of its requests */
    Xen9pLimit limit;
    Xen9pAdmission admitted[MAX_REQ]; /* by PDU */
    Xen9pfsStatsFlight flights[MAX_REQ]; /* likewise */
    Xen9pIounit iounit;         /* of files that are open for writing */
    Xen9pDispatch dispatch;     /* of its calls of the file system */
    Xen9pMounts mounts;         /* below its root */
    unsigned calls_done;        /* that workers have made; atomic */
    unsigned calls_ended;       /* those of them that the loop knows of */
    V9fsPDU *pinned;            /* its calls run in place, or NULL */
    int64_t now;                /* when the clock was last looked at */
    Xen9pUsage usage;           /* of its thread, when last asked */
};

/* What a transport offers to a session. All run in its event loop. */
struct Xen9pfsTransport {
    V9fsTransport ops;          /* for the generic 9p server */
    bool has_grant_policy;      /* session->grant_policy means something */

    /*
     * connect: map and bind what @conf names, be ready for requests
     *
     * Returns: 0 with session->connection set, or -errno with @errp set and
     * nothing kept.
     */
    int (*connect)(Xen9pfsSession *session, const Xen9pfsRingConf *conf,
                   unsigned num_rings, Error **errp);

    /*
     * quiesce: take no more requests and events, drop replies from now on
     *
     * Requests in flight still reach their memory. May be called again.
     */
    void (*quiesce)(Xen9pfsSession *session);

    /*
     * disconnect: unmap and free everything, session->connection included
     *
     * Only after quiesce() and when no request is in flight.
     */
    void (*disconnect)(Xen9pfsSession *session);
};

extern const Xen9pfsTransport xen_9pfs_flex_transport;
extern const Xen9pfsTransport xen_9pfs_virtfs_transport;

/**
 * xen_9pfs_session_fail: the frontend broke the protocol, end the session
 * @session: the session
 * @err: why; taken over. Only a session's first failure is reported.
 *
 * In the session's event loop, also inside a request: the end comes from a
 * bottom half. The transport must treat the session as dead from here on.
 */
void xen_9pfs_session_fail(Xen9pfsSession *session, Error *err);

/* A pass begins: have the main thread see that the event loop goes on. */
static inline void xen_9pfs_session_watch(Xen9pfsSession *session)
{
    qatomic_set(&session->passes, session->passes + 1);
    /* Who stops to watch looks at that after the other one. */
    smp_mb();
    if (!qatomic_read(&session->watched)) {
        qatomic_set(&session->watched, true);
        qemu_bh_schedule(session->report_bh);
    }
}

/**
 * xen_9pfs_session_hurry: no request in flight waits any more for what others
 * have to do first, such as to give back a lock
 * @session: the session
 */
void xen_9pfs_session_hurry(Xen9pfsSession *session);

/**
 * xen_9pfs_session_drained: a request ended on a session that is quiesced
 * @session: the session
 *
 * The session goes on with its end when that was the last one.
 */
void xen_9pfs_session_drained(Xen9pfsSession *session);

/**
 * xen_9pfs_call_init: decide how a session's calls of the file system run
 * @session: a session whose share is open, with dispatch.mode as configured
 *
 * Calls of the file system itself: it may take for ever.
 */
void xen_9pfs_call_init(Xen9pfsSession *session);

/**
 * xen_9pfs_call_pin: whether a request can be finished inside pdu_submit()
 * @session: the session
 * @pdu: of a request that is about to be submitted
 * @type: P9_TREAD or P9_TWRITE
 * @fid: what it reads or writes
 * @count: how much
 *
 * If so, session->pinned is set to @pdu, and no call of it goes to a worker:
 * it may use a ring where nothing else may wait for it. That ends with
 * xen_9pfs_submit(), or where the caller clears session->pinned.
 *
 * Returns: true if it is pinned.
 */
bool xen_9pfs_call_pin(Xen9pfsSession *session, V9fsPDU *pdu, uint8_t type,
                       uint32_t fid, uint32_t count);

/**
 * xen_9pfs_call_ready: whether the event loop is to go on with a request
 * @session: the session
 *
 * Returns: true if a worker has made a call that the event loop does not
 * know of yet.
 */
bool xen_9pfs_call_ready(const Xen9pfsSession *session);

/*
 * What every transport has for V9fsTransport's operations of these names,
 * which scripts/integrate adds. See xen-9p-call.h, xen-9p-limit.h.
 */
bool xen_9pfs_call_begin(V9fsPDU *pdu, V9fsCall *call);
void xen_9pfs_call_end(V9fsPDU *pdu, V9fsCall *call);
void xen_9pfs_fid_freed(V9fsState *s, V9fsFidState *f);

#endif
