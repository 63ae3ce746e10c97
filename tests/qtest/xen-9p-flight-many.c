/*
 * Xen 9P tests: how many are in flight, and in which order they are answered
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "xen-9p-flight.h"

#define MOST 200

/* @count reads that are all in the rings before the first is taken. */
static void read_at_once(Session *s, const uint8_t *pattern, unsigned count)
{
    P9Req *reqs[MOST];
    unsigned i;

    backend_pause(s->f);
    for (i = 0; i < count; i++) {
        reqs[i] = flight_read(s, i % s->setup->rings, i * 1000, 4096);
    }
    g_assert_cmpuint(s->fe->in_flight, ==, count);
    backend_resume(s->f);
    for (i = 0; i < count; i++) {
        flight_expect(reqs[i], pattern + i * 1000, 4096);
    }
}

/* To the server's own limit of 128, and past it. */
void flight_counts(Session *s)
{
    static const unsigned counts[] = { 1, 2, 16, 64, 127, 128, 129, MOST };
    g_autofree uint8_t *pattern = flight_open(s);
    unsigned i;

    for (i = 0; i < G_N_ELEMENTS(counts); i++) {
        read_at_once(s, pattern, counts[i]);
    }
}

typedef struct Flying {
    P9Req *req;
    uint32_t offset;
    bool is_read;
} Flying;

static void launch(Session *s, Flying *flying, unsigned serial)
{
    unsigned ring = g_test_rand_int_range(0, s->setup->rings);

    flying->offset = g_test_rand_int_range(0, FLIGHT_SIZE - 2000);
    flying->is_read = false;
    switch (g_test_rand_int_range(0, 4)) {
    case 0:
        flying->req = tgetattr({.fe = s->fe, .fid = 1,
                                .ring = P9_RING(ring),
                                .request_only = true});
        break;
    case 1:
        flying->req = twalk({.fe = s->fe, .fid = 0, .newfid = 1000 + serial,
                             .path = FLIGHT_FILE, .ring = P9_RING(ring),
                             .request_only = true});
        break;
    case 2:
        flying->req = twrite({.fe = s->fe, .fid = 2, .offset = serial * 4,
                              .count = 4, .data = &serial,
                              .ring = P9_RING(ring), .request_only = true});
        break;
    default:
        flying->is_read = true;
        flying->req = tread({.fe = s->fe, .fid = 1, .count = 2000,
                             .offset = flying->offset,
                             .ring = P9_RING(ring), .request_only = true});
        break;
    }
}

static void land(Flying *flying, const uint8_t *pattern)
{
    if (flying->is_read) {
        flight_expect(flying->req, pattern + flying->offset, 2000);
    } else {
        flight_wait(flying->req);
    }
}

/*
 * A hundred at any time, of four kinds, on rings that are drawn by lot,
 * whatever their tags.
 */
void flight_mixed(Session *s)
{
    g_autofree uint8_t *pattern = flight_open(s);
    Flying flying[100];
    unsigned serial, slot;

    create_at(s, 2, "written");
    for (serial = 0; serial < 2000; serial++) {
        slot = serial % G_N_ELEMENTS(flying);
        if (serial >= G_N_ELEMENTS(flying)) {
            land(&flying[slot], pattern);
        }
        launch(s, &flying[slot], serial);
    }
    for (slot = 0; slot < G_N_ELEMENTS(flying); slot++) {
        land(&flying[slot], pattern);
    }
}

/*
 * A large read, and behind it on the same ring something that takes no time:
 * that is answered first. It is enough that it happens.
 */
void flight_overtaken(Session *s)
{
    uint32_t count = session_chunk(s);
    g_autofree uint8_t *pattern = flight_open(s);
    unsigned overtaken = 0, round;

    if (g_strcmp0(g_getenv("LOOP_DISPATCH"), "inline") == 0) {
        g_test_skip("nothing overtakes what the device's thread does itself");
        return;
    }
    for (round = 0; round < 20; round++) {
        P9Req *large, *small;

        twalk({.fe = s->fe, .fid = 0, .newfid = 2});
        backend_pause(s->f);
        large = flight_read(s, 0, 0, count);
        small = tclunk({.fe = s->fe, .fid = 2, .ring = P9_RING(0),
                        .tag = ring_tag(s->fe, 0), .request_only = true});
        backend_resume(s->f);
        g_assert_cmpint(p9_req_wait(small, 10000), ==, P9_DONE);
        g_assert_cmpint(p9_req_wait(large, 10000), ==, P9_DONE);
        overtaken += small->done_us < large->done_us;
        flight_wait(small);
        flight_expect(large, pattern, count);
    }
    g_test_message("overtaken in %u of %u rounds", overtaken, round);
    g_assert_cmpuint(overtaken, >, 0);
}

/* Use up what the throttled share allows at once. */
static void use_up(Session *s, const uint8_t *pattern)
{
    flight_expect(flight_read(s, 0, 0, 1000), pattern, 1000);
}

void flight_overtaken_long(Session *s)
{
    g_autofree uint8_t *pattern = flight_open(s);
    P9Req *slow;
    int i;

    use_up(s, pattern);
    slow = flight_read(s, 0, 5000, 1000);
    for (i = 0; i < 20; i++) {
        asked(ask(s->fe, 0));
    }
    g_assert_false(slow->done);
    flight_expect(slow, pattern + 5000, 1000);
}

void flight_ring_not_held_up(Session *s)
{
    g_autofree uint8_t *pattern = flight_open(s);
    P9Req *slow[4];
    unsigned i;

    use_up(s, pattern);
    for (i = 0; i < G_N_ELEMENTS(slow); i++) {
        slow[i] = flight_read(s, 0, i * 1000, 1000);
    }
    for (i = 0; i < 20; i++) {
        asked(ask(s->fe, 1));
    }
    g_assert_false(slow[0]->done);
    for (i = 0; i < G_N_ELEMENTS(slow); i++) {
        flight_expect(slow[i], pattern + i * 1000, 1000);
    }
}
