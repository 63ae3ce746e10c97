/*
 * Xen 9P tests: the protocol's rings and their indices
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "xen-9p-protocol.h"

/* More than two pages, and no whole number of them. */
#define PATTERN_SIZE 9000

/* A file that is read and compared. */
static void read_pattern(Fixture *f, Fe *fe)
{
    P9Client *c = &fe->client;
    g_autofree uint8_t *data = fixture_pattern(f, "pattern", PATTERN_SIZE);
    g_autofree uint8_t *read = g_malloc(PATTERN_SIZE);
    uint32_t got, pos;

    c->msize = 0;
    tattach({.fe = c, .version = fixture_version(f),
             .msize = fe->rings[0].size});
    twalk({.fe = c, .fid = 0, .newfid = 1, .path = "pattern"});
    if (c->dotl) {
        tlopen({.fe = c, .fid = 1});
    } else {
        topen({.fe = c, .fid = 1});
    }
    for (pos = 0; pos < PATTERN_SIZE; pos += got) {
        tread({.fe = c, .fid = 1, .offset = pos, .rcount = &got,
               .count = MIN(c->msize - 24, PATTERN_SIZE - pos),
               .data = read + pos});
        g_assert_cmpuint(got, >, 0);
    }
    g_assert_cmpmem(read, PATTERN_SIZE, data, PATTERN_SIZE);
}

/* The rings are as the test wants them: now the backend serves them. */
static void publish_and_read(Fixture *f, Fe *fe)
{
    fe_publish(fe);
    g_assert_false(refused(fe));
    fe_set_state(fe, XenbusStateConnected);
    read_pattern(f, fe);
}

static void refuse_order(uint32_t order)
{
    Fixture *f = fixture_up();
    Fe *fe = offer(f, NULL);

    g_test_message("order %u", order);
    fe_alloc(fe, 1, 1);
    fe->rings[0].intf->ring_order = order;
    fe_publish(fe);
    g_assert_true(refused(fe));
    end_refused(f, fe);
}

void proto_ring_order_limits(void)
{
    refuse_order(0);
    refuse_order(10);
    refuse_order(32);
    refuse_order(~0u);
}

/* "ring_order changes from ring to ring". */
void proto_orders_differ(void)
{
    static const uint32_t orders[] = { 3, 1, 9, 5 };
    Fixture *f = fixture_up();
    Fe *fe = offer(f, NULL);
    unsigned i;

    fe_alloc(fe, G_N_ELEMENTS(orders), 1);
    for (i = 0; i < G_N_ELEMENTS(orders); i++) {
        g_assert_cmpuint(flex_fini(&fe->rings[i]), ==, 0);
        flex_init(&fe->rings[i], f->loop, f->domid, orders[i]);
    }
    publish_and_read(f, fe);
    for (i = 0; i < G_N_ELEMENTS(orders); i++) {
        tread({.fe = &fe->client, .fid = 1, .count = 4000,
               .ring = P9_RING(i), .tag = ring_tag(&fe->client, i)});
    }
    fixture_close(f, fe);
    fixture_down(f);
}

/* The pages are where ref[] says, whatever the references' numbers. */
void proto_refs_any_order(void)
{
    Fixture *f = fixture_up();
    Fe *fe = offer(f, NULL);
    Flex *ring = &fe->rings[0];
    int i, pages = 1 << 4;

    fe_alloc(fe, 1, 4);
    for (i = 0; i < pages; i++) {
        g_assert_cmpint(loop_grant_end(f->loop, f->domid, ring->refs[i]),
                        ==, 0);
    }
    for (i = pages - 1; i >= 0; i--) {
        int at = (i * 7) % pages;

        ring->refs[at] = loop_grant(f->loop, f->domid, 0,
                                    ring->data_gfn + at, false);
        ring->intf->ref[at] = ring->refs[at];
    }
    publish_and_read(f, fe);
    fixture_close(f, fe);
    fixture_down(f);
}

void proto_largest_ring(void)
{
    Fixture *f = fixture_up();
    Fe *fe = fixture_connect(f, 1, 9);

    g_assert_cmpuint(fe->rings[0].size, ==, 1 << 20);
    read_pattern(f, fe);
    fixture_close(f, fe);
    fixture_down(f);
}

/* Each end moves its own indices, and by what it has moved of the data. */
void proto_own_indices(void)
{
    Fixture *f = fixture_up();
    Fe *fe = fixture_connect(f, 1, 2);
    Flex *ring = &fe->rings[0];
    FlexIntf *intf = ring->intf;
    int waited;

    read_pattern(f, fe);
    for (waited = 0; waited < 1000 && intf->out_cons != ring->out_prod;
         waited++) {
        g_usleep(1000);
    }
    g_assert_cmpuint(intf->out_cons, ==, ring->out_prod);
    g_assert_cmpuint(intf->out_prod, ==, ring->out_prod);
    g_assert_cmpuint(intf->in_cons, ==, ring->in_cons);
    g_assert_cmpuint(intf->in_prod, ==, ring->in_cons);
    fixture_close(f, fe);
    fixture_down(f);
}

void proto_padding(void)
{
    Fixture *f = fixture_up();
    Fe *fe = offer(f, NULL);
    FlexIntf *intf;
    unsigned i;

    fe_alloc(fe, 1, 2);
    intf = fe->rings[0].intf;
    memset(intf->pad1, 0xa5, sizeof(intf->pad1));
    memset(intf->pad2, 0x5a, sizeof(intf->pad2));
    publish_and_read(f, fe);
    for (i = 0; i < sizeof(intf->pad1); i++) {
        g_assert_cmpuint(intf->pad1[i], ==, 0xa5);
        g_assert_cmpuint(intf->pad2[i], ==, 0x5a);
    }
    fixture_close(f, fe);
    fixture_down(f);
}

/* "out -> frontend to backend only". */
void proto_out_is_read_only(void)
{
    Fixture *f = fixture_up();
    Fe *fe = fixture_connect(f, 1, 1);
    Flex *ring = &fe->rings[0];
    g_autofree uint8_t *copy = g_malloc(ring->size);
    uint32_t i;

    for (i = 0; i < ring->size; i++) {
        ring->out[i] = i * 7;
    }
    read_pattern(f, fe);
    memcpy(copy, ring->out, ring->size);
    tread({.fe = &fe->client, .fid = 1, .count = 4000});
    /* All but that request is as it was. */
    for (i = 0; i < ring->size; i++) {
        uint32_t age = (ring->out_prod - 1 - i) & (ring->size - 1);

        g_assert_true(age < 23 || ring->out[i] == copy[i]);
    }
    fixture_close(f, fe);
    fixture_down(f);
}

/* Indices are 32 bits wide and start where the shared page says. */
void proto_index_range(void)
{
    Fixture *f = fixture_up();
    Fe *fe = offer(f, NULL);
    Flex *ring = &fe->rings[0];
    uint32_t start = 0u - 5000;

    fe_alloc(fe, 1, 2);
    ring->out_prod = ring->in_cons = start;
    ring->intf->out_prod = ring->intf->out_cons = start;
    ring->intf->in_prod = ring->intf->in_cons = start;
    publish_and_read(f, fe);
    while (ring->out_prod >= start) {
        asked(ask(&fe->client, 0));
    }
    read_pattern(f, fe);
    fixture_close(f, fe);
    fixture_down(f);
}

/* "verify prod against local copy (consumer shouldn't change it)". */
void proto_in_prod_verified(void)
{
    Fixture *f = fixture_up();
    Fe *fe = fixture_connect(f, 1, 2);

    read_pattern(f, fe);
    fe->hold = true;
    fe->rings[0].intf->in_prod += 64;
    p9_req_free(tclunk({.fe = &fe->client, .fid = 1, .request_only = true}));
    g_assert_true(closes(fe));
    end_refused(f, fe);
}

/* "verify cons against local copy (producer shouldn't change it)". */
void proto_out_cons_verified(void)
{
    Fixture *f = fixture_up();
    Fe *fe = fixture_connect(f, 1, 2);

    read_pattern(f, fe);
    fe->hold = true;
    fe->rings[0].intf->out_cons -= 64;
    p9_req_free(tclunk({.fe = &fe->client, .fid = 1, .request_only = true}));
    g_assert_true(closes(fe));
    end_refused(f, fe);
}

/* Bytes past out_prod are not read, whatever they look like. */
void proto_no_more_than_sent(void)
{
    Fixture *f = fixture_up();
    Fe *fe = fixture_connect(f, 1, 1);
    Flex *ring = &fe->rings[0];
    P9Req *req = make_version(fe);
    uint32_t len = req->tx.bytes->len;

    flex_put(ring, 0, req->tx.bytes->data, len);
    fe_kick(fe, 0);
    g_assert_cmpint(p9_req_wait(req, DO_NOT_MS), ==, P9_OVERDUE);
    flex_publish(ring, len - 1);
    fe_kick(fe, 0);
    g_assert_cmpint(p9_req_wait(req, DO_NOT_MS), ==, P9_OVERDUE);
    g_assert_cmpuint(ring->intf->out_cons, <=, ring->out_prod);
    flex_publish(ring, 1);
    fe_kick(fe, 0);
    await(req);
    fixture_close(f, fe);
    fixture_down(f);
}

/* Nothing is written past in_cons: what was not read stays as it is. */
void proto_no_more_than_fits(void)
{
    Fixture *f = fixture_up();
    Fe *fe = fixture_connect(f, 1, 1);
    P9Client *c = &fe->client;
    Flex *ring = &fe->rings[0];
    P9Req *reqs[5];
    g_autofree uint8_t *pattern = NULL;
    unsigned i;

    read_pattern(f, fe);
    pattern = fixture_pattern(f, "pattern", PATTERN_SIZE);
    fe->hold = true;
    for (i = 0; i < G_N_ELEMENTS(reqs); i++) {
        reqs[i] = tread({.fe = c, .fid = 1, .offset = i * 100,
                         .count = 1500, .request_only = true});
    }
    g_usleep(DO_NOT_MS * 1000);
    g_assert_cmpuint(ring->intf->in_prod - ring->in_cons, <=, ring->size);
    fe->hold = false;
    for (i = 0; i < G_N_ELEMENTS(reqs); i++) {
        const uint8_t *data;
        uint32_t got;

        g_assert_true(p9_req_expect(reqs[i], 0));
        g_assert_true(p9_unpack(&reqs[i]->rx, "D", &got, &data));
        g_assert_cmpmem(data, got, pattern + i * 100, 1500);
        p9_req_free(reqs[i]);
    }
    fixture_close(f, fe);
    fixture_down(f);
}
