/*
 * Xen 9P tests: rings that are full, and readers that are slow
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "xen-9p-flight.h"

/* How long a full ring stays full. */
#define LONG_US 300000

#define MOST 64

/* Ask for three times what the "in" array of a ring holds. */
static unsigned ask_too_much(Session *s, unsigned ring, P9Req **reqs,
                             uint32_t count)
{
    uint32_t size = s->front->rings[ring].size;
    unsigned number = MIN(MOST, 3 * size / count), i;

    for (i = 0; i < number; i++) {
        reqs[i] = flight_read(s, ring, i * 100, count);
    }
    return number;
}

static void expect_all(P9Req **reqs, unsigned number, uint32_t count,
                       const uint8_t *pattern)
{
    unsigned i;

    for (i = 0; i < number; i++) {
        flight_expect(reqs[i], pattern + i * 100, count);
    }
}

/* Replies that there is no room for wait, and none is lost or torn. */
void flight_in_full(Session *s)
{
    g_autofree uint8_t *pattern = flight_open(s);
    uint32_t count = MIN(session_chunk(s), s->front->rings[0].size / 4);
    P9Req *reqs[MOST];
    unsigned number, round;

    for (round = 0; round < 3; round++) {
        s->front->hold = true;
        number = ask_too_much(s, 0, reqs, count);
        g_usleep(LONG_US / 3);
        g_assert_cmpint(flex_ready(&s->front->rings[0]), >=, 0);
        s->front->hold = false;
        expect_all(reqs, number, count, pattern);
    }
}

/* A ring that nobody empties is no other ring's matter. */
void flight_in_full_other_ring(Session *s)
{
    g_autofree uint8_t *pattern = flight_open(s);
    uint32_t count = s->front->rings[0].size / 4;
    P9Req *reqs[MOST];
    unsigned number, i;
    Fe *fe = s->front;

    number = ask_too_much(s, 0, reqs, count);
    /* Only the other ring is looked at from here on. */
    for (i = 0; i < 50; i++) {
        P9Req *req = ask(s->fe, 1);
        int waited;

        fe->hold = true;
        for (waited = 0; waited < 5000 && !flex_ready(&fe->rings[1]);
             waited++) {
            g_usleep(1000);
        }
        g_assert_cmpint(flex_ready(&fe->rings[1]), >, 0);
        fe->hold = false;
        asked(req);
        if (i % 10 == 0) {
            expect_all(reqs, number, count, pattern);
            number = ask_too_much(s, 0, reqs, count);
        }
    }
    expect_all(reqs, number, count, pattern);
}

/* More than a backend should keep in memory for a guest that is slow. */
void flight_in_full_budget(Session *s)
{
    g_autofree uint8_t *pattern = flight_open(s);
    P9Req *reqs[170];
    unsigned i;

    s->front->hold = true;
    for (i = 0; i < G_N_ELEMENTS(reqs); i++) {
        reqs[i] = flight_read(s, 0, i, 3000);
    }
    g_usleep(LONG_US);
    s->front->hold = false;
    for (i = 0; i < G_N_ELEMENTS(reqs); i++) {
        flight_expect(reqs[i], pattern + i, 3000);
    }
}

/* Fill "out" to the last byte, with a last write that is as long as that. */
static unsigned fill_out(Session *s, P9Req **reqs, const uint8_t *pattern)
{
    Flex *ring = &s->front->rings[0];
    uint32_t most = MIN(session_chunk(s), ring->size / 4), at = 0, room;
    unsigned number = 0;

    while ((room = flex_room(ring)) >= 23) {
        uint32_t count = MIN(most, room - 23);

        /* Not so much that the next would have no room for its header. */
        if (room - 23 - count > 0 && room - 23 - count < 23) {
            count -= 23;
        }
        reqs[number++] = twrite({.fe = s->fe, .fid = 2, .offset = at,
                                 .count = count, .data = pattern + at,
                                 .ring = P9_RING(0),
                                 .tag = ring_tag(s->fe, 0),
                                 .request_only = true});
        at += count;
    }
    g_assert_cmpuint(flex_room(ring), ==, 0);
    return number;
}

void flight_out_full(Session *s)
{
    g_autofree uint8_t *pattern = flight_open(s);
    P9Req *reqs[MOST];
    unsigned number, round, i;

    create_at(s, 2, "written");
    for (round = 0; round < 20; round++) {
        uint32_t total = 0;

        backend_pause(s->f);
        number = fill_out(s, reqs, pattern);
        if (round == 0) {
            g_usleep(LONG_US);
        }
        backend_resume(s->f);
        for (i = 0; i < number; i++) {
            uint32_t got;

            g_assert_true(p9_req_expect(reqs[i], 0));
            g_assert_true(p9_unpack(&reqs[i]->rx, "d", &got));
            total += got;
            p9_req_free(reqs[i]);
        }
        host_expect(s, "written", pattern, total);
        /* The next round begins elsewhere in the ring. */
        asked(ask(s->fe, 0));
    }
}

/* Take @count bytes, and hand on what is whole by then. */
static void sip(Session *s, GByteArray *stream, uint32_t count)
{
    Flex *ring = &s->front->rings[0];
    uint32_t size;

    count = MIN(count, (uint32_t)MAX(flex_ready(ring), 0));
    g_byte_array_set_size(stream, stream->len + count);
    flex_get(ring, stream->data + stream->len - count, count);
    flex_consume(ring, count);
    fe_kick(s->front, 0);
    while (stream->len >= P9_HEADER_SIZE) {
        GByteArray *whole;

        memcpy(&size, stream->data, sizeof(size));
        g_assert_cmpuint(size, >=, P9_HEADER_SIZE);
        if (size > stream->len) {
            break;
        }
        whole = p9_client_buffer(s->fe);
        g_byte_array_append(whole, stream->data, size);
        g_byte_array_remove_range(stream, 0, size);
        p9_client_input(s->fe, 0, whole);
    }
}

/* Sip until all is answered; what never comes is noticed. */
static void sip_all(Session *s, GByteArray *stream, uint32_t count)
{
    gint64 deadline = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;

    while (s->fe->in_flight) {
        g_assert_true(fixture_alive(s->f));
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
        sip(s, stream, count);
        g_usleep(200);
    }
    g_assert_cmpuint(stream->len, ==, 0);
}

/* A few bytes at a time, of more than the ring holds. */
void flight_slow_reader(Session *s)
{
    g_autofree uint8_t *pattern = flight_open(s);
    g_autoptr(GByteArray) stream = g_byte_array_new();
    uint32_t size = s->front->rings[0].size, count = size / 4;
    P9Req *reqs[MOST];
    unsigned number;

    s->front->hold = true;
    number = ask_too_much(s, 0, reqs, count);
    sip_all(s, stream, size / 97);
    s->front->hold = false;
    expect_all(reqs, number, count, pattern);
}

/*
 * A reply that does not fit now, and a small one behind it: room comes byte
 * by byte, and both are whole in the end.
 */
void flight_reply_larger_than_room(Session *s)
{
    g_autofree uint8_t *pattern = flight_open(s);
    g_autoptr(GByteArray) stream = g_byte_array_new();
    uint32_t size = s->front->rings[0].size, half = size / 2 + 100;
    P9Req *first, *second, *small;
    unsigned i;

    s->front->hold = true;
    first = flight_read(s, 0, 0, half);
    second = flight_read(s, 0, 777, half);
    g_usleep(20000);
    small = ask(s->fe, 0);
    g_usleep(20000);
    for (i = 0; i < 300; i++) {
        sip(s, stream, 1);
    }
    sip_all(s, stream, 1000);
    s->front->hold = false;
    flight_expect(first, pattern, half);
    flight_expect(second, pattern + 777, half);
    asked(small);
}
