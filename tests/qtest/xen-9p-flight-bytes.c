/*
 * Xen 9P tests: messages that come in pieces, or lie across a ring's end
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "xen-9p-flight.h"

/* A Twrite that waits for its reply already, and is sent by the caller. */
static P9Req *make_write(Session *s, unsigned ring, uint64_t offset,
                         uint32_t count, const uint8_t *data)
{
    P9Req *req = p9_req_new(s->fe, P9_TWRITE, ring_tag(s->fe, ring) - 1,
                            ring);

    p9_pack(&req->tx, "dqD", 2u, offset, count, data);
    p9_msg_end(&req->tx);
    s->fe->by_tag[req->tag] = req;
    s->fe->in_flight++;
    return req;
}

/* Send @len more bytes of the request. */
static void send_part(Session *s, P9Req *req, uint32_t *sent, uint32_t len)
{
    Flex *ring = &s->front->rings[req->ring];

    flex_put(ring, 0, req->tx.bytes->data + *sent, len);
    flex_publish(ring, len);
    *sent += len;
    fe_kick(s->front, req->ring);
}

/* On every ring at once, so that each has a part of a request. */
void flight_byte_by_byte(Session *s)
{
    g_autofree uint8_t *pattern = flight_open(s);
    P9Req *reqs[FE_MAX_RINGS];
    uint32_t sent[FE_MAX_RINGS] = { 0 }, len = 0, i;
    unsigned ring;

    create_at(s, 2, "written");
    for (ring = 0; ring < s->setup->rings; ring++) {
        reqs[ring] = make_write(s, ring, ring * 300, 300,
                                pattern + ring * 300);
        len = reqs[ring]->tx.bytes->len;
    }
    for (i = 0; i < len; i++) {
        for (ring = 0; ring < s->setup->rings; ring++) {
            g_assert_false(reqs[ring]->done);
            send_part(s, reqs[ring], &sent[ring], 1);
        }
        fe_pump(s->front, 0);
        g_usleep(100);
    }
    for (ring = 0; ring < s->setup->rings; ring++) {
        flight_wait(reqs[ring]);
    }
    host_expect(s, "written", pattern, 300 * s->setup->rings);
}

/* In two parts, for every place where one can end. */
void flight_split_anywhere(Session *s)
{
    g_autofree uint8_t *pattern = flight_open(s);
    uint32_t at, len = 64;

    create_at(s, 2, "written");
    for (at = 1; at < len; at++) {
        P9Req *req = make_write(s, 0, 0, len - 23, pattern + at);
        uint32_t sent = 0;

        g_assert_cmpuint(req->tx.bytes->len, ==, len);
        send_part(s, req, &sent, at);
        g_usleep(1000);
        send_part(s, req, &sent, len - at);
        flight_wait(req);
        host_expect(s, "written", pattern + at, len - 23);
    }
}

/*
 * Write and read @count bytes @rounds times. Where the sizes have no factor
 * in common with the ring's, both ends of it are passed at every offset.
 */
static void write_and_read(Session *s, const uint8_t *pattern,
                           uint32_t count, unsigned rounds)
{
    g_autofree uint8_t *read = g_malloc(count);
    unsigned round;

    for (round = 0; round < rounds; round++) {
        const uint8_t *data = pattern + round % 60000;
        uint32_t got;

        twrite({.fe = s->fe, .fid = 2, .count = count, .data = data,
                .ring = P9_RING(0), .tag = ring_tag(s->fe, 0),
                .rcount = &got});
        g_assert_cmpuint(got, ==, count);
        tread({.fe = s->fe, .fid = 2, .count = count, .data = read,
               .ring = P9_RING(0), .tag = ring_tag(s->fe, 0),
               .rcount = &got});
        g_assert_cmpmem(read, got, data, count);
    }
}

/* 2071 bytes out and 2059 in each time: every offset of 4096 once. */
void flight_wrap_anywhere(Session *s)
{
    g_autofree uint8_t *pattern = flight_open(s);
    uint32_t out;

    create_at(s, 2, "written");
    out = s->front->rings[0].out_prod;
    write_and_read(s, pattern, 2025, 4096);
    g_assert_cmpuint(s->front->rings[0].out_prod - out, ==, 4096 * 2071);
}

/* Large enough for a backend to leave it where it is in the ring. */
void flight_wrap_large(Session *s)
{
    g_autofree uint8_t *pattern = flight_open(s);

    create_at(s, 2, "written");
    write_and_read(s, pattern, 20011, 500);
}
