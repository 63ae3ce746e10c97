/*
 * Xen 9P backend: passes over the rings of a connection
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "block/aio.h"
#include "qemu/processor.h"
#include "qemu/timer.h"
#include "hw/9pfs/xen-9p-admit.h"
#include "hw/9pfs/xen-9p-pass.h"
#include "trace.h"

/* In xen_9p_pass_do(): not one ring, but each of them. */
#define ALL_RINGS   -1

/* Other devices' threads may need the CPU if they had passes this recently. */
#define ALONE_NS    (200 * 1000)

/* A stay ends by the clock; where that stands still, after so many looks. */
#define STAY_LOOKS  100000

/* The last pass of any device, whatever thread it is in; atomic. */
static struct {
    Xen9pPass *pass;
    int64_t since;              /* they have been this one's */
} last;

static void last_is(Xen9pPass *pass, int64_t now)
{
    if (qatomic_read(&last.pass) != pass) {
        qatomic_set(&last.since, now);
        qatomic_set(&last.pass, pass);
    }
}

/* Whether no other device has had anything to do for a while. */
static bool is_alone(const Xen9pPass *pass, int64_t now)
{
    return pass->session->thread.own && qatomic_read(&last.pass) == pass &&
        now - qatomic_read(&last.since) > ALONE_NS;
}

/* ---- A pass ---- */

/* By the time at which the last call of the file system began or ended. */
static bool pass_over(const Xen9pPass *pass)
{
    return pass->session->now >= pass->end;
}

/*
 * Everything that there is to do on a ring, until the pass is over. What the
 * frontend sends on being told of the replies, as one on this CPU does at
 * once, is taken without an event.
 *
 * Returns: true if there may be more to do.
 */
static bool pass_ring(Xen9pPass *pass, unsigned number)
{
    const Xen9pPassOps *ops = pass->ops;
    void *ring = pass->rings[number];
    bool more = pass_over(pass);
    unsigned taken = 0, before;

    pass->current = number;
    /* What has waited for the frontend, so that there is room for more. */
    ops->finish(ring);
    do {
        before = taken;
        while (!more && !xen_9p_pass_dead(pass) &&
               ops->receive(ring)) {
            more = ++taken == XEN_9P_PASS_REQUESTS || pass_over(pass);
        }
        ops->finish(ring);
    } while (!more && taken > before && !xen_9p_pass_dead(pass) &&
             ops->waiting(ring));
    pass->current = -1;
    return more;
}

static bool pass_rings(Xen9pPass *pass)
{
    bool more = false;

    for (unsigned i = 0; i < pass->num_rings; i++) {
        more |= pass_ring(pass, (pass->first + i) % pass->num_rings);
    }
    pass->first = (pass->first + 1) % pass->num_rings;
    return more;
}

static void view_rings(const Xen9pPass *pass, Xen9pFlushView *view)
{
    for (unsigned i = 0; i < pass->num_rings; i++) {
        pass->ops->view(pass->rings[i], &view[i]);
    }
}

/*
 * The same for Tflush. They do not wait for a ring whose next request is a
 * Tversion, for that waits for them.
 */
static void view_for_flush(const Xen9pPass *pass, Xen9pFlushView *view)
{
    view_rings(pass, view);
    for (unsigned i = 0; i < pass->num_rings; i++) {
        view[i].more &= !pass->versions[i].seen;
    }
}

/* Hand on the Tflush that were kept back, as far as their time has come. */
static void pass_flushes(Xen9pPass *pass)
{
    Xen9pFlushView view[XEN_9PFS_MAX_RINGS];
    bool done = true;

    while (pass->flushes.num && done && !xen_9p_pass_dead(pass)) {
        Xen9pFlush *flush;
        void *ring;

        view_for_flush(pass, view);
        flush = xen_9p_flush_next(&pass->flushes, view, pass->num_rings);
        if (!flush) {
            pass->stalled = true;
            return;
        }
        ring = pass->rings[flush->ring];
        pass->current = flush->ring;
        pass->flush = flush;
        xen_9p_flush_remove(&pass->flushes, flush);
        done = pass->ops->flush(ring, flush);
        pass->flush = NULL;
        if (!done) {
            xen_9p_flush_put_back(&pass->flushes, flush);
        }
        pass->ops->finish(ring);
        pass->current = -1;
    }
}

static bool any_waiting(const Xen9pPass *pass)
{
    for (unsigned i = 0; i < pass->num_rings; i++) {
        if (pass->ops->waiting(pass->rings[i])) {
            return true;
        }
    }
    return false;
}

/* What has come of a stay. */
typedef enum Stay {
    STAY_OVER,                  /* nothing, or there was none */
    STAY_CAUGHT,                /* a request */
    STAY_ON,                    /* nothing yet, the event loop goes first */
} Stay;

static Stay stay_end(Xen9pPass *pass, bool caught)
{
    pass->staying = false;
    xen_9p_poll_stayed(&pass->session->poll, caught);
    return caught ? STAY_CAUGHT : STAY_OVER;
}

static int64_t pass_clock(const Xen9pPass *pass)
{
    return pass->session->now = get_clock();
}

/* Look for a request until then. */
static Stay stay_until(const Xen9pPass *pass, int64_t until)
{
    int64_t end = MIN(until, pass->end);

    for (unsigned i = 0; i < STAY_LOOKS && pass_clock(pass) < end; i++) {
        if (any_waiting(pass)) {
            return STAY_CAUGHT;
        }
        if (xen_9pfs_call_ready(pass->session)) {
            return STAY_ON;
        }
        if (qatomic_read(&last.pass) != pass) {
            return STAY_OVER;
        }
        cpu_relax();
    }
    return until <= pass->end ? STAY_OVER : STAY_ON;
}

/*
 * With nothing left to do, wait for the next request where it is known to
 * come soon, and the event loop is this device's alone.
 */
static Stay pass_stay(Xen9pPass *pass)
{
    Xen9pfsSession *session = pass->session;
    /* Where workers have it all, what comes next may be theirs. */
    bool theirs = pass->in_flight && !pass->served && !pass->staying;
    bool waits = theirs || pass->stalled || pass->delayed;
    int64_t now, until;
    Stay stay;

    pass->served = false;
    if (session->poll.max == 0) {
        return STAY_OVER;
    }
    now = pass_clock(pass);
    if (!pass->staying) {
        pass->idle = now;
    }
    until = pass->idle + session->poll.ns;
    if (now >= until || waits || xen_9p_pass_dead(pass) ||
        !is_alone(pass, now)) {
        return pass->staying ? stay_end(pass, false) : STAY_OVER;
    }
    stay = stay_until(pass, until);
    if (stay == STAY_ON) {
        pass->staying = true;
        return STAY_ON;
    }
    return stay_end(pass, stay == STAY_CAUGHT);
}

/* A request has ended what is a sleep, or would have been one. */
static void pass_slept(Xen9pPass *pass)
{
    if (pass->idle) {
        xen_9p_poll_slept(&pass->session->poll, get_clock() - pass->idle);
    }
}

/* Returns: true if a request has come meanwhile. */
static bool pass_rest(Xen9pPass *pass)
{
    bool more = false;

    for (unsigned i = 0; i < pass->num_rings && !xen_9p_pass_dead(pass); i++) {
        more |= pass->ops->rest(pass->rings[i]);
    }
    if (more) {
        pass_slept(pass);
    }
    return more;
}

/* A pass over one ring, if there is more to do then over all of them. */
static void pass_do(Xen9pPass *pass, int ring)
{
    Xen9pfsSession *session = pass->session;
    bool all = ring == ALL_RINGS, more;
    Stay stay = STAY_CAUGHT;

    xen_9pfs_session_watch(session);
    pass->end = pass_clock(pass) + XEN_9P_PASS_NS;
    last_is(pass, session->now);
    if (all && pass->ops->resume) {
        pass->ops->resume(pass->connection);
    }
    more = all ? pass_rings(pass) : pass_ring(pass, ring);
    pass_flushes(pass);
    while (!more && (stay = pass_stay(pass)) == STAY_CAUGHT) {
        more = pass_rings(pass);
        pass_flushes(pass);
    }
    more |= stay == STAY_ON;
    /* One ring may have waited for what another one has just done. */
    if (more || (pass->stalled && (!all || pass->progress)) ||
        pass_rest(pass)) {
        xen_9p_pass_schedule(pass);
    }
}

/* ---- When there is one ---- */

void xen_9p_pass_run(Xen9pPass *pass)
{
    pass->scheduled = false;
    pass->stalled = false;
    pass->delayed = false;
    pass->progress = false;
    pass_do(pass, ALL_RINGS);
}

void xen_9p_pass_event(Xen9pPass *pass, unsigned ring)
{
    xen_9pfs_stat_add(&pass->session->stats.events, 1);
    if (pass->scheduled) {
        return;
    }
    pass_slept(pass);
    pass_do(pass, ring);
}

/* qemu_bh_schedule() makes a system call even if it is scheduled already. */
void xen_9p_pass_schedule(Xen9pPass *pass)
{
    if (!pass->scheduled) {
        pass->scheduled = true;
        qemu_bh_schedule(pass->bh);
    }
}

/* ---- Requests ---- */

bool xen_9p_pass_stall(Xen9pPass *pass, unsigned ring, const char *what)
{
    trace_xen_9pfs_stall(pass->session->name, ring, what);
    pass->stalled = true;
    return false;
}

bool xen_9p_pass_keeps(const Xen9pPass *pass, unsigned ring)
{
    Xen9pFlushView view[XEN_9PFS_MAX_RINGS];

    view_for_flush(pass, view);
    return !xen_9p_flush_free_to_go(&pass->flushes, view, pass->num_rings,
                                    ring);
}

void xen_9p_pass_keep(Xen9pPass *pass, Xen9pFlush *flush)
{
    trace_xen_9pfs_keep_flush(pass->session->name, flush->ring, flush->tag,
                              flush->oldtag);
    flush->since = pass->session->now;
    xen_9p_flush_keep(&pass->flushes, flush);
    pass->progress = true;
}

/*
 * Whether the other rings still hold what they held when a Tversion was first
 * seen: these requests are of the session that it ends.
 */
static bool version_is_early(Xen9pPass *pass, unsigned ring)
{
    Xen9pFlushView view[XEN_9PFS_MAX_RINGS];
    uint32_t *upto = pass->versions[ring].upto;
    bool early = false;

    view_rings(pass, view);
    for (unsigned i = 0; i < pass->num_rings; i++) {
        if (!pass->versions[ring].seen) {
            upto[i] = view[i].sent;
        }
        /* Two Tversion do not wait for each other. */
        early |= i != ring && !pass->versions[i].seen && view[i].more &&
            (int32_t)(upto[i] - view[i].taken) > 0;
    }
    pass->versions[ring].seen = true;
    return early;
}

bool xen_9p_pass_admit(Xen9pPass *pass, unsigned ring, const uint8_t *msg,
                       uint32_t len, Xen9pAdmission *admission)
{
    bool behind = false, owing = false;

    pass->versions[ring].seen &= msg[4] == P9_TVERSION;
    if (msg[4] == P9_TVERSION) {
        behind = version_is_early(pass, ring) || pass->flushes.num;
        owing = pass->ops->owing(pass->connection);
    }
    admission->since = pass->flush ? pass->flush->since
                                   : pass->seen[ring].since;
    return xen_9pfs_admit(pass->session, ring, msg, len, behind, owing,
                          admission);
}

void xen_9p_pass_taken(Xen9pPass *pass, unsigned ring)
{
    pass->versions[ring].seen = false;
    if (pass->staying) {
        /* It has come between two passes. */
        stay_end(pass, true);
    }
    pass->in_flight++;
    pass->progress = true;
}

void xen_9p_pass_ended(Xen9pPass *pass, unsigned ring)
{
    pass->in_flight--;
    if (pass->quiesced) {
        xen_9pfs_session_drained(pass->session);
    } else if (pass->current == (int)ring) {
        /* At the end of the pass. */
        pass->served = true;
    } else if (pass->in_flight || pass->stalled || pass->current >= 0) {
        xen_9p_pass_schedule(pass);
    } else {
        pass->ops->finish(pass->rings[ring]);
    }
}

/* ---- Life ---- */

static void pass_bh(void *opaque)
{
    xen_9p_pass_run(opaque);
}

void xen_9p_pass_init(Xen9pPass *pass, Xen9pfsSession *session,
                      const Xen9pPassOps *ops, void *connection)
{
    *pass = (Xen9pPass) {
        .session = session,
        .ops = ops,
        .connection = connection,
        .current = -1,
        .bh = aio_bh_new(session->ctx, pass_bh, pass),
    };
    xen_9p_flush_init(&pass->flushes);
}

unsigned xen_9p_pass_add(Xen9pPass *pass, void *ring)
{
    assert(pass->num_rings < ARRAY_SIZE(pass->rings));
    pass->rings[pass->num_rings] = ring;
    pass->seen[pass->num_rings].since = pass_clock(pass);
    return pass->num_rings++;
}

void xen_9p_pass_quiesce(Xen9pPass *pass)
{
    Xen9pFlush *flush;

    pass->quiesced = true;
    qemu_bh_delete(pass->bh);
    while ((flush = xen_9p_flush_any(&pass->flushes))) {
        xen_9p_flush_remove(&pass->flushes, flush);
        pass->ops->forget(flush);
    }
}
