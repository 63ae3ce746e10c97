/*
 * Xen 9P tests: the protocol's notifications and its workflow
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "xen-9p-protocol.h"

/* As long as what ask() sends can be. */
#define ASK_SIZE 19

static void attach(Fixture *f, Fe *fe)
{
    tattach({.fe = &fe->client, .version = fixture_version(f),
             .msize = fe->rings[0].size});
}

/* A file at fid 1. */
static void open_file(Fixture *f, Fe *fe)
{
    fixture_file(f, "file", "x", 1);
    twalk({.fe = &fe->client, .fid = 0, .newfid = 1, .path = "file"});
    if (fe->client.dotl) {
        tlopen({.fe = &fe->client, .fid = 1});
    } else {
        topen({.fe = &fe->client, .fid = 1});
    }
}

/* Take in what is there, and every event that tells of it. */
static void settle(Fe *fe)
{
    while (fe_pump(fe, 0) > 0 || fe_wait_event(fe, 50)) {
        continue;
    }
}

/* One event at least for each reply, after it is in the ring. */
void proto_event_of_reply(void)
{
    Fixture *f = fixture_up();
    Fe *fe = fixture_connect(f, 1, 2);
    int i;

    attach(f, fe);
    for (i = 0; i < 50; i++) {
        P9Req *req;

        settle(fe);
        req = ask(&fe->client, 0);
        while (flex_ready(&fe->rings[0]) == 0) {
            g_assert_true(fe_wait_event(fe, DO_MS));
        }
        asked(req);
    }
    fixture_close(f, fe);
    fixture_down(f);
}

/*
 * A frontend that found no room in "out" is told when there is some, even
 * while no reply of the requests there can be delivered.
 */
void proto_event_of_room(void)
{
    Fixture *f = fixture_up();
    Fe *fe = fixture_connect(f, 1, 1);
    g_autoptr(GPtrArray) reqs = g_ptr_array_new();
    Flex *ring = &fe->rings[0];
    unsigned i;

    attach(f, fe);
    settle(fe);
    fe->hold = true;
    backend_pause(f);
    while (flex_room(ring) >= ASK_SIZE) {
        g_ptr_array_add(reqs, ask(&fe->client, 0));
    }
    backend_resume(f);
    while (flex_room(ring) < ASK_SIZE) {
        g_assert_true(fe_wait_event(fe, DO_MS));
    }
    fe->hold = false;
    for (i = 0; i < reqs->len; i++) {
        asked(g_ptr_array_index(reqs, i));
    }
    fixture_close(f, fe);
    fixture_down(f);
}

/* Each ring has its event channel: no other is needed, or used. */
void proto_event_of_its_ring(void)
{
    Fixture *f = fixture_up();
    Fe *fe = fixture_connect(f, 4, 2);
    unsigned i;

    attach(f, fe);
    for (i = 0; i < 4; i++) {
        P9Req *req;
        int port, waited;

        settle(fe);
        req = ask(&fe->client, i);
        for (waited = 0; waited < DO_MS; waited++) {
            port = loop_evtchn_pending(f->loop, fe->handle);
            if (port > 0) {
                break;
            }
            g_usleep(1000);
        }
        g_assert_cmpint(port, ==, fe->ports[i]);
        loop_evtchn_unmask(f->loop, fe->handle, port);
        asked(req);
    }
    fixture_close(f, fe);
    fixture_down(f);
}

/* "The client chooses one of the available rings"; the reply is there too. */
void proto_any_ring(void)
{
    Fixture *f = fixture_up();
    Fe *fe = fixture_connect(f, 3, 2);
    unsigned ring, tag;

    attach(f, fe);
    open_file(f, fe);
    for (ring = 0; ring < 3; ring++) {
        for (tag = 0; tag < 8; tag++) {
            P9Req *req = tread({
                .fe = &fe->client, .fid = 1, .count = 1,
                .ring = P9_RING(ring), .tag = P9_TAG(tag),
                .request_only = true,
            });

            g_assert_true(p9_req_expect(req, 0));
            g_assert_cmpuint(req->came_on, ==, ring);
            p9_req_free(req);
        }
    }
    fixture_close(f, fe);
    fixture_down(f);
}

/* However the bytes come: all that size says, and no more than that. */
void proto_size_tells(void)
{
    Fixture *f = fixture_up();
    Fe *fe = fixture_connect(f, 1, 1);
    Flex *ring = &fe->rings[0];
    P9Req *req = make_version(fe), *more[3];
    uint32_t len = req->tx.bytes->len, i;

    for (i = 0; i < len; i++) {
        flex_put(ring, 0, req->tx.bytes->data + i, 1);
        flex_publish(ring, 1);
        fe_kick(fe, 0);
        g_usleep(500);
    }
    await(req);
    attach(f, fe);
    /* Three with one event. */
    backend_pause(f);
    for (i = 0; i < 3; i++) {
        more[i] = ask(&fe->client, 0);
    }
    backend_resume(f);
    for (i = 0; i < 3; i++) {
        asked(more[i]);
    }
    fixture_close(f, fe);
    fixture_down(f);
}

static void refuse_size(uint32_t size)
{
    Fixture *f = fixture_up();
    Fe *fe = fixture_connect(f, 1, 1);
    uint8_t header[P9_HEADER_SIZE] = {
        size, size >> 8, size >> 16, size >> 24, P9_TCLUNK, 1, 0,
    };

    g_test_message("size %u", size);
    attach(f, fe);
    g_assert_true(flex_send(&fe->rings[0], header, sizeof(header)));
    fe_kick(fe, 0);
    g_assert_true(closes(fe));
    end_refused(f, fe);
}

/* No request is smaller than its header, or larger than the ring. */
void proto_size_impossible(void)
{
    refuse_size(0);
    refuse_size(6);
    refuse_size(4097);
    refuse_size(0x80000000u);
    refuse_size(~0u);
}

void proto_tag_echoed(void)
{
    static const uint16_t tags[] = { 0, 1, 2, 255, 256, 0x7fff, 0xfffe };
    Fixture *f = fixture_up();
    Fe *fe = fixture_connect(f, 2, 2);
    unsigned i;

    attach(f, fe);
    open_file(f, fe);
    for (i = 0; i < G_N_ELEMENTS(tags); i++) {
        tread({.fe = &fe->client, .fid = 1, .count = 1,
               .tag = P9_TAG(tags[i])});
    }
    g_assert_cmpuint(fe->client.strays, ==, 0);
    fixture_close(f, fe);
    fixture_down(f);
}

void proto_many_in_flight(void)
{
    Fixture *f = fixture_up();
    Fe *fe = fixture_connect(f, 1, 5);
    P9Req *reqs[100];
    unsigned i;

    attach(f, fe);
    backend_pause(f);
    for (i = 0; i < G_N_ELEMENTS(reqs); i++) {
        reqs[i] = ask(&fe->client, 0);
    }
    g_assert_cmpuint(fe->client.in_flight, ==, G_N_ELEMENTS(reqs));
    backend_resume(f);
    for (i = 0; i < G_N_ELEMENTS(reqs); i++) {
        asked(reqs[i]);
    }
    fixture_close(f, fe);
    fixture_down(f);
}

/* A larger msize than a ring is lowered: its replies would never fit. */
void proto_reply_fits_ring(void)
{
    Fixture *f = fixture_up();
    Fe *fe = fixture_connect(f, 2, 2);
    uint32_t msize = 0;

    tversion({.fe = &fe->client, .msize = 1 << 20, .rmsize = &msize,
              .version = fixture_version(f)});
    g_assert_cmpuint(msize, <=, fe->rings[0].size);
    tattach({.fe = &fe->client});
    fixture_close(f, fe);
    fixture_down(f);
}
