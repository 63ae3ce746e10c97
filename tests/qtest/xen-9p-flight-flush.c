/*
 * Xen 9P tests: Tflush
 *
 * A request that is flushed is answered before its Rflush, or not at all:
 * after that its tag may be used for another.
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "xen-9p-flight.h"

static P9Req *flush_on(Session *s, unsigned ring, P9Req *old)
{
    return tflush({.fe = s->fe, .oldtag = old->tag, .ring = P9_RING(ring),
                   .tag = ring_tag(s->fe, ring), .request_only = true});
}

/*
 * Wait for Rflush, and forget the request that it is of. Returns whether
 * that was answered. A reply that comes later is a stray, which session_end()
 * does not let pass; @late_ms is how long to wait for one.
 */
static bool await_flush(Session *s, P9Req *flush, P9Req *old, int late_ms)
{
    bool answered;

    flight_wait(flush);
    /* What was sent before Rflush may be on a ring that was looked at. */
    fe_pump(s->front, 0);
    answered = old->done;
    if (!answered && late_ms) {
        g_assert_cmpint(p9_req_wait(old, late_ms), ==, P9_OVERDUE);
    }
    p9_req_free(old);
    return answered;
}

/* Of requests that are still in the ring, as 128 are with the server. */
void flight_flush_queued(Session *s)
{
    g_autofree uint8_t *pattern = flight_open(s);
    P9Req *reqs[180], *flush;
    unsigned i;

    backend_pause(s->f);
    for (i = 0; i < G_N_ELEMENTS(reqs); i++) {
        reqs[i] = flight_read(s, 0, i * 1000, 1000);
    }
    flush = flush_on(s, 0, reqs[170]);
    backend_resume(s->f);
    await_flush(s, flush, reqs[170], 0);
    for (i = 0; i < G_N_ELEMENTS(reqs); i++) {
        if (i != 170) {
            flight_expect(reqs[i], pattern + i * 1000, 1000);
        }
    }
}

void flight_flush_running(Session *s)
{
    g_autofree uint8_t *pattern = flight_open(s);
    P9Req *old, *flush;
    uint16_t tag;

    flight_expect(flight_read(s, 0, 0, 1000), pattern, 1000);
    old = flight_read(s, 0, 5000, 1000);
    tag = old->tag;
    tgetattr({.fe = s->fe, .fid = 0});
    g_assert_false(old->done);
    flush = flush_on(s, 0, old);
    await_flush(s, flush, old, 500);
    /* The tag is free. */
    tgetattr({.fe = s->fe, .fid = 0, .tag = P9_TAG(tag),
              .ring = P9_RING(0)});
}

/* Of a walk that is about to run, runs, or has just finished. */
void flight_flush_race(Session *s)
{
    unsigned round, cancelled = 0;

    host_file(s, "0/1/2/3/4/5/6/7/8/9/a/b/c/d/e/f", "");
    for (round = 0; round < 200; round++) {
        P9Req *old, *flush;

        old = twalk({.fe = s->fe, .fid = 0, .newfid = 100 + round,
                     .path = "0/1/2/3/4/5/6/7/8/9/a/b/c/d/e/f",
                     .ring = P9_RING(0), .tag = ring_tag(s->fe, 0),
                     .request_only = true});
        flush = flush_on(s, 0, old);
        cancelled += !await_flush(s, flush, old, 0);
    }
    g_test_message("%u of %u were cancelled", cancelled, round);
    tgetattr({.fe = s->fe, .fid = 0});
}

void flight_flush_finished(Session *s)
{
    unsigned i;

    for (i = 0; i < 100; i++) {
        unsigned ring = i % s->setup->rings;

        tgetattr({.fe = s->fe, .fid = 0, .tag = P9_TAG(7)});
        tflush({.fe = s->fe, .oldtag = 7, .ring = P9_RING(ring),
                .tag = P9_TAG(20 + ring)});
    }
}

/*
 * On another ring than the request, which was there first. Linux does this:
 * its ring is the tag's.
 */
static void flush_across(Session *s, unsigned from, unsigned to)
{
    P9Req *old, *flush;

    g_test_message("the request on ring %u, its Tflush on ring %u", from,
                   to);
    backend_pause(s->f);
    old = flight_read(s, from, 5000, 1000);
    flush = flush_on(s, to, old);
    backend_resume(s->f);
    await_flush(s, flush, old, 700);
}

void flight_flush_other_ring(Session *s)
{
    g_autofree uint8_t *pattern = flight_open(s);
    int round;

    flight_expect(flight_read(s, 0, 0, 1000), pattern, 1000);
    for (round = 0; round < 3; round++) {
        flush_across(s, 0, 1);
        flush_across(s, 1, 0);
    }
}

/*
 * The same, while the request cannot be taken from its ring, whose replies
 * nobody reads.
 */
void flight_flush_other_ring_stalled(Session *s)
{
    g_autofree uint8_t *pattern = flight_open(s);
    P9Req *reqs[60], *flush, *old = NULL;
    unsigned i;

    s->front->hold = true;
    for (i = 0; i < G_N_ELEMENTS(reqs); i++) {
        old = reqs[i] = flight_read(s, 0, i, 3000);
    }
    g_usleep(50000);
    flush = flush_on(s, 1, old);
    g_usleep(200000);
    s->front->hold = false;
    await_flush(s, flush, old, 700);
    for (i = 0; i < G_N_ELEMENTS(reqs) - 1; i++) {
        flight_expect(reqs[i], pattern + i, 3000);
    }
}

/* Two on two rings, each about the other, with no room for their replies. */
void flight_flush_each_other(Session *s)
{
    g_autofree uint8_t *pattern = flight_open(s);
    uint16_t tags[2] = { 1000, 1001 };
    P9Req *reqs[2][8], *flush[2];
    unsigned ring, i;

    s->front->hold = true;
    for (i = 0; i < G_N_ELEMENTS(reqs[0]); i++) {
        for (ring = 0; ring < 2; ring++) {
            reqs[ring][i] = flight_read(s, ring, i, 3000);
        }
    }
    g_usleep(50000);
    for (ring = 0; ring < 2; ring++) {
        flush[ring] = tflush({.fe = s->fe, .oldtag = tags[!ring],
                              .ring = P9_RING(ring),
                              .tag = P9_TAG(tags[ring]),
                              .request_only = true});
    }
    g_usleep(50000);
    s->front->hold = false;
    for (i = 0; i < G_N_ELEMENTS(reqs[0]); i++) {
        for (ring = 0; ring < 2; ring++) {
            flight_expect(reqs[ring][i], pattern + i, 3000);
        }
    }
    flight_wait(flush[0]);
    flight_wait(flush[1]);
}
