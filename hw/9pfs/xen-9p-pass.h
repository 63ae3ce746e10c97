/*
 * Xen 9P backend: passes over the rings of a connection
 *
 * When a transport does what there is to do: on an event, when requests have
 * ended. How much of it at once, how soon the frontend is told, and how long
 * it looks for more before it asks for an event.
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_9PFS_XEN_9P_PASS_H
#define HW_9PFS_XEN_9P_PASS_H

#include "hw/9pfs/xen-9p-flush.h"
#include "hw/9pfs/xen-9pfs.h"

/*
 * A pass takes no more requests of a ring than this, and ends with the first
 * one after so many nanoseconds: other devices may be in its event loop, and
 * replies are told when the pass over their ring ends.
 */
#define XEN_9P_PASS_REQUESTS    64
#define XEN_9P_PASS_NS          (100 * 1000)

typedef struct Xen9pPass Xen9pPass;

/*
 * What a transport does in the session's event loop, mostly for one of the
 * rings that it has given to xen_9p_pass_add().
 */
typedef struct Xen9pPassOps {
    /* resume: try again what could not be done before; NULL: nothing */
    void (*resume)(void *connection);

    /*
     * receive: take one request and hand it to the server, which may have
     * answered it by the time that this returns
     *
     * Returns: false if there is none, or none can be taken now.
     */
    bool (*receive)(void *ring);

    /* view: which requests the ring holds; xen-9p-flush.h */
    void (*view)(void *ring, Xen9pFlushView *view);

    /*
     * flush: hand a Tflush that was kept back, of this ring, to the server,
     * and take it over
     *
     * Returns: false if that cannot be done now.
     */
    bool (*flush)(void *ring, Xen9pFlush *flush);

    /* owing: whether replies wait that the frontend cannot have now */
    bool (*owing)(void *connection);

    /* forget: free a Tflush that was kept back, unanswered */
    void (*forget)(Xen9pFlush *flush);

    /* finish: tell the frontend of all that has been done, if there is any */
    void (*finish)(void *ring);

    /*
     * waiting: whether there is something for receive(), as far as a look
     * tells
     */
    bool (*waiting)(void *ring);

    /*
     * rest: ask for an event with the frontend's next request. Last: until
     * here its notifications cost it little, and us nothing.
     *
     * Returns: true if there is a request already, and no event may come.
     */
    bool (*rest)(void *ring);
} Xen9pPassOps;

struct Xen9pPass {
    Xen9pfsSession *session;
    const Xen9pPassOps *ops;
    void *connection;           /* the transport's, for @ops */
    unsigned num_rings;
    void *rings[XEN_9PFS_MAX_RINGS]; /* the transport's, for @ops */
    unsigned first;             /* ring to begin with: each in turn */
    int64_t end;                /* of the present pass */
    int current;                /* its replies are told later; -1: of none */
    Xen9pFlushes flushes;       /* kept back */
    struct {
        bool seen;              /* a ring's next request is a Tversion, ... */
        uint32_t upto[XEN_9PFS_MAX_RINGS]; /* ... which comes after these */
    } versions[XEN_9PFS_MAX_RINGS];
    struct {
        uint32_t upto;          /* what a ring holds up to there ... */
        int64_t since;          /* ... was there at this time */
    } seen[XEN_9PFS_MAX_RINGS];
    const Xen9pFlush *flush;    /* that was kept back, and is handed on now */
    QEMUBH *bh;                 /* a pass over all rings */
    unsigned in_flight;         /* requests that the server has */
    bool scheduled;             /* xen_9p_pass_run() is to run */
    bool stalled;               /* something waits for another request's end */
    bool delayed;               /* something is tried again, in some time */
    bool progress;              /* since xen_9p_pass_run() began */
    bool quiesced;
    bool served;                /* a request, within a pass */
    bool staying;               /* a stay goes on with the next pass */
    int64_t idle;               /* when there was nothing left, 0: never yet */
};

/**
 * xen_9p_pass_init: have passes over the rings of a connection
 * @pass: to fill in, with no ring yet
 * @session: the session
 * @ops: what the transport does
 * @connection: for @ops
 */
void xen_9p_pass_init(Xen9pPass *pass, Xen9pfsSession *session,
                      const Xen9pPassOps *ops, void *connection);

/**
 * xen_9p_pass_add: a ring that passes are to go over
 * @pass: the connection's, before its first pass
 * @ring: for @ops; XEN_9PFS_MAX_RINGS at the most
 *
 * Returns: its number, by which all else here knows it.
 */
unsigned xen_9p_pass_add(Xen9pPass *pass, void *ring);

/**
 * xen_9p_pass_quiesce: there are no more passes
 * @pass: the connection's, once
 */
void xen_9p_pass_quiesce(Xen9pPass *pass);

/**
 * xen_9p_pass_schedule: a pass over all rings, when the event loop gets to it
 * @pass: the connection's
 */
void xen_9p_pass_schedule(Xen9pPass *pass);

/**
 * xen_9p_pass_run: a pass over all rings, now
 * @pass: the connection's
 */
void xen_9p_pass_run(Xen9pPass *pass);

/**
 * xen_9p_pass_event: an event has come for a ring: a pass over it, unless
 * there is to be one over all
 * @pass: the connection's
 * @ring: the ring, whose events are masked until its rest()
 */
void xen_9p_pass_event(Xen9pPass *pass, unsigned ring);

/**
 * xen_9p_pass_see: what a ring holds, before its next request is taken
 * @pass: the connection's
 * @ring: the ring
 * @taken: up to where requests were taken
 * @sent: up to where the frontend has produced
 *
 * For how long a request has waited there, as far as looks tell.
 */
static inline void xen_9p_pass_see(Xen9pPass *pass, unsigned ring,
                                   uint32_t taken, uint32_t sent)
{
    /* Unless the next request was seen before. */
    if (pass->seen[ring].upto - taken - 1 >= sent - taken) {
        pass->seen[ring].upto = sent;
        pass->seen[ring].since = pass->session->now;
    }
}

/**
 * xen_9p_pass_stall: the next request of a ring can only be taken when
 * another request ends
 * @pass: the connection's
 * @ring: the ring
 * @what: what it waits for
 *
 * Returns: false, for receive() to return.
 */
bool xen_9p_pass_stall(Xen9pPass *pass, unsigned ring, const char *what);

/**
 * xen_9p_pass_keeps: whether a Tflush has to be kept back
 * @pass: the connection's
 * @ring: where it is the next request
 *
 * Returns: false if the server may have it before what is behind it.
 */
bool xen_9p_pass_keeps(const Xen9pPass *pass, unsigned ring);

/**
 * xen_9p_pass_keep: keep it back, out of its ring
 * @pass: the connection's
 * @flush: as for xen_9p_flush_keep(), until ops->flush() or ops->forget()
 */
void xen_9p_pass_keep(Xen9pPass *pass, Xen9pFlush *flush);

/**
 * xen_9p_pass_admit: xen_9pfs_admit() for a connection with several rings
 * @pass: the connection's
 * @ring: as for xen_9pfs_admit(), like @msg, @len and @admission
 *
 * Returns: false if it has to wait until others have ended.
 */
bool xen_9p_pass_admit(Xen9pPass *pass, unsigned ring, const uint8_t *msg,
                       uint32_t len, Xen9pAdmission *admission);

/**
 * xen_9p_pass_taken: a request goes to the server now
 * @pass: the connection's
 * @ring: where it comes from
 */
void xen_9p_pass_taken(Xen9pPass *pass, unsigned ring);

/**
 * xen_9p_pass_ended: the server is done with a request
 * @pass: the connection's
 * @ring: where it came from; its reply is where finish() finds it
 *
 * Replies that become ready together are told to the frontend together; one
 * that is alone is told now.
 */
void xen_9p_pass_ended(Xen9pPass *pass, unsigned ring);

/* Nothing is to be done any more but to end what is in flight. */
static inline bool xen_9p_pass_dead(const Xen9pPass *pass)
{
    return pass->quiesced || pass->session->failure;
}

#endif
