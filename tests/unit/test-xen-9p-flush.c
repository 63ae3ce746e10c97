/*
 * Unit tests of hw/9pfs/xen-9p-flush.c
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "hw/9pfs/xen-9p-flush.h"

#define RINGS 3

typedef struct Fixture {
    Xen9pFlushes flushes;
    Xen9pFlushView view[RINGS];
    Xen9pFlush flush[2 * XEN_9P_FLUSH_MAX];
} Fixture;

static Fixture *fixture_new(uint32_t start)
{
    Fixture *f = g_new0(Fixture, 1);

    xen_9p_flush_init(&f->flushes);
    for (unsigned i = 0; i < RINGS; i++) {
        f->view[i].taken = f->view[i].sent = start;
    }
    return f;
}

static void send(Fixture *f, unsigned ring, uint32_t bytes)
{
    f->view[ring].sent += bytes;
    f->view[ring].more = true;
}

static void take(Fixture *f, unsigned ring, uint32_t bytes)
{
    f->view[ring].taken += bytes;
    f->view[ring].more = f->view[ring].taken != f->view[ring].sent;
}

static Xen9pFlush *keep(Fixture *f, unsigned number, unsigned ring,
                        uint16_t tag, uint16_t oldtag)
{
    f->flush[number] = (Xen9pFlush) {
        .ring = ring, .tag = tag, .oldtag = oldtag,
    };
    xen_9p_flush_keep(&f->flushes, &f->flush[number]);
    return &f->flush[number];
}

static Xen9pFlush *next(Fixture *f)
{
    return xen_9p_flush_next(&f->flushes, f->view, RINGS);
}

static bool free_to_go(Fixture *f, unsigned ring)
{
    return xen_9p_flush_free_to_go(&f->flushes, f->view, RINGS, ring);
}

static const uint32_t starts[] = { 0, 1000, UINT32_MAX - 5, UINT32_MAX };

/* It waits for what other rings held then, and for nothing that came later. */
static void test_waits(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(starts); i++) {
        Fixture *f = fixture_new(starts[i]);
        Xen9pFlush *flush;

        g_assert_true(free_to_go(f, 0));
        g_assert_null(next(f));
        send(f, 0, 20);
        g_assert_true(free_to_go(f, 0));
        send(f, 1, 10);
        g_assert_false(free_to_go(f, 0));
        flush = keep(f, 0, 0, 1, 2);
        g_assert_null(next(f));
        send(f, 1, 100);
        take(f, 1, 9);
        g_assert_null(next(f));
        take(f, 1, 1);
        g_assert_true(next(f) == flush);
        g_assert_false(free_to_go(f, 0));
        xen_9p_flush_remove(&f->flushes, flush);
        g_assert_null(next(f));
        g_free(f);
    }
}

/* Part of a request, whose rest may never come. */
static void test_part(void)
{
    Fixture *f = fixture_new(0);
    Xen9pFlush *flush;

    send(f, 1, 10);
    flush = keep(f, 0, 0, 1, 2);
    g_assert_null(next(f));
    f->view[1].more = false;
    g_assert_true(next(f) == flush);
    g_free(f);
}

/* Those that come while others wait have their turn after these. */
static void test_in_order(void)
{
    Fixture *f = fixture_new(0);
    Xen9pFlush *a, *b, *c;

    send(f, 1, 10);
    a = keep(f, 0, 0, 1, 100);
    g_assert_null(next(f));
    b = keep(f, 1, 2, 2, 101);
    c = keep(f, 2, 0, 3, 102);
    send(f, 1, 10);
    take(f, 1, 10);
    g_assert_true(next(f) == a);
    xen_9p_flush_remove(&f->flushes, a);
    /* These saw more. */
    g_assert_null(next(f));
    take(f, 1, 10);
    g_assert_true(next(f) == b);
    /* It could not be handed on, and stays the next one. */
    xen_9p_flush_remove(&f->flushes, b);
    xen_9p_flush_put_back(&f->flushes, b);
    g_assert_true(next(f) == b);
    xen_9p_flush_remove(&f->flushes, b);
    g_assert_true(next(f) == c);
    xen_9p_flush_remove(&f->flushes, c);
    g_assert_null(xen_9p_flush_any(&f->flushes));
    g_free(f);
}

/* A Tflush of a Tflush that came later comes after it. */
static void test_of_another(void)
{
    Fixture *f = fixture_new(0);
    Xen9pFlush *about, *first;

    send(f, 2, 1);
    about = keep(f, 0, 0, 10, 11);
    first = keep(f, 1, 1, 11, 99);
    take(f, 2, 1);
    g_assert_true(next(f) == first);
    xen_9p_flush_remove(&f->flushes, first);
    g_assert_true(next(f) == about);
    g_free(f);
}

/* About each other, or itself: no order is right, but all are handed out. */
static void test_circle(void)
{
    Fixture *f = fixture_new(0);
    Xen9pFlush *flush;
    unsigned handed_out = 0;

    send(f, 2, 1);
    for (unsigned i = 0; i < 50; i++) {
        keep(f, i, i % 2, i, (i + 1) % 50);
    }
    keep(f, 50, 0, 60, 60);
    take(f, 2, 1);
    while ((flush = next(f))) {
        xen_9p_flush_remove(&f->flushes, flush);
        handed_out++;
    }
    g_assert_cmpuint(handed_out, ==, 51);
    g_free(f);
}

/* More than may be kept wait for nothing. */
static void test_too_many(void)
{
    Fixture *f = fixture_new(0);
    Xen9pFlush *flush;
    unsigned handed_out = 0;

    send(f, 1, 1);
    for (unsigned i = 0; i < XEN_9P_FLUSH_MAX + 7; i++) {
        keep(f, i, 0, i, 50000);
    }
    while ((flush = next(f))) {
        xen_9p_flush_remove(&f->flushes, flush);
        handed_out++;
    }
    g_assert_cmpuint(handed_out, ==, 7);
    while ((flush = xen_9p_flush_any(&f->flushes))) {
        xen_9p_flush_remove(&f->flushes, flush);
        handed_out++;
    }
    g_assert_cmpuint(handed_out, ==, XEN_9P_FLUSH_MAX + 7);
    g_free(f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/flush/waits", test_waits);
    g_test_add_func("/flush/part", test_part);
    g_test_add_func("/flush/in-order", test_in_order);
    g_test_add_func("/flush/of-another", test_of_another);
    g_test_add_func("/flush/circle", test_circle);
    g_test_add_func("/flush/too-many", test_too_many);
    return g_test_run();
}
