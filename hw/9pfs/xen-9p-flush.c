/*
 * The order of Tflush across the rings of a connection
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "hw/9pfs/xen-9p-flush.h"

/* Tflush that are about each other do not wait for ever. */
#define PUT_OFF_MAX     8

void xen_9p_flush_init(Xen9pFlushes *flushes)
{
    flushes->num = 0;
    QSIMPLEQ_INIT(&flushes->batch);
    QSIMPLEQ_INIT(&flushes->later);
    bitmap_zero(flushes->tags, 1 << 16);
}

bool xen_9p_flush_free_to_go(const Xen9pFlushes *flushes,
                             const Xen9pFlushView *view, unsigned num_rings,
                             unsigned ring)
{
    for (unsigned i = 0; i < num_rings; i++) {
        if (i != ring && view[i].more) {
            return false;
        }
    }
    return flushes->num == 0;
}

void xen_9p_flush_keep(Xen9pFlushes *flushes, Xen9pFlush *flush)
{
    flush->put_off = 0;
    flushes->num++;
    set_bit(flush->tag, flushes->tags);
    QSIMPLEQ_INSERT_TAIL(&flushes->later, flush, next);
}

static bool rings_are_there(const Xen9pFlushes *flushes,
                            const Xen9pFlush *flush,
                            const Xen9pFlushView *view, unsigned num_rings)
{
    if (flushes->num > XEN_9P_FLUSH_MAX) {
        return true;
    }
    for (unsigned i = 0; i < num_rings; i++) {
        if (i != flush->ring && view[i].more &&
            (int32_t)(flushes->upto[i] - view[i].taken) > 0) {
            return false;
        }
    }
    return true;
}

/* Whether it is about another one that is kept. */
static bool is_about_another(const Xen9pFlushes *flushes,
                             const Xen9pFlush *flush)
{
    return flush->oldtag != flush->tag &&
        test_bit(flush->oldtag, flushes->tags);
}

Xen9pFlush *xen_9p_flush_next(Xen9pFlushes *flushes,
                              const Xen9pFlushView *view, unsigned num_rings)
{
    Xen9pFlush *flush;

    while (flushes->num) {
        if (QSIMPLEQ_EMPTY(&flushes->batch)) {
            QSIMPLEQ_CONCAT(&flushes->batch, &flushes->later);
            for (unsigned i = 0; i < num_rings; i++) {
                flushes->upto[i] = view[i].sent;
            }
        }
        flush = QSIMPLEQ_FIRST(&flushes->batch);
        if (!rings_are_there(flushes, flush, view, num_rings)) {
            return NULL;
        }
        if (!is_about_another(flushes, flush) ||
            flush->put_off == PUT_OFF_MAX) {
            return flush;
        }
        flush->put_off++;
        QSIMPLEQ_REMOVE_HEAD(&flushes->batch, next);
        QSIMPLEQ_INSERT_TAIL(&flushes->later, flush, next);
    }
    return NULL;
}

void xen_9p_flush_remove(Xen9pFlushes *flushes, Xen9pFlush *flush)
{
    Xen9pFlushQueue *queue = QSIMPLEQ_EMPTY(&flushes->batch) ?
        &flushes->later : &flushes->batch;

    /* The first: nothing else is ever handed out. */
    assert(QSIMPLEQ_FIRST(queue) == flush);
    QSIMPLEQ_REMOVE_HEAD(queue, next);
    clear_bit(flush->tag, flushes->tags);
    flushes->num--;
}

void xen_9p_flush_put_back(Xen9pFlushes *flushes, Xen9pFlush *flush)
{
    set_bit(flush->tag, flushes->tags);
    QSIMPLEQ_INSERT_HEAD(&flushes->batch, flush, next);
    flushes->num++;
}

Xen9pFlush *xen_9p_flush_any(Xen9pFlushes *flushes)
{
    return QSIMPLEQ_FIRST(QSIMPLEQ_EMPTY(&flushes->batch) ?
                          &flushes->later : &flushes->batch);
}
