/*
 * Virtfs: slots in every order, what they can have wrong, corrupt rings
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "attack-flip.h"
#include "virtfs-raw.h"

static Attack *up(void)
{
    Attack *a = attack_up();

    attack_connect(a, 1, 1);
    return a;
}

/* ---- The order of slots ---- */

/* Bits of @writes say which slots are for the backend to write. */
static void run_order(Attack *a, unsigned num, unsigned writes)
{
    unsigned reads = num, i, left = RAW_CLUNK_SIZE;
    Raw *raw = raw_new(a);
    uint8_t message[RAW_CLUNK_SIZE], *next = message;
    bool good = true;

    raw_clunk(message);
    for (i = 0; i < num; i++) {
        reads -= writes >> i & 1;
        good &= i == 0 || (writes >> i & 1) >= (writes >> (i - 1) & 1);
    }
    good &= reads > 0 && reads < num;
    for (i = 0; i < num; i++) {
        if (writes >> i & 1) {
            raw_segment(raw, RAW_WRITE, 8, 11);
        } else {
            unsigned size = --reads ? 2 : left;

            memcpy(raw_segment(raw, RAW_READ, 8, size), next, size);
            next += size;
            left -= size;
        }
    }
    raw_expect(raw, good ? XEN_VIRTFSIF_RSP_OKAY : XEN_VIRTFSIF_RSP_ERROR);
    raw_free(raw);
}

static void test_orders(void)
{
    Attack *a = up();
    unsigned num, writes;

    for (num = 1; num <= 5; num++) {
        for (writes = 0; writes < 1u << num && attack_lives(a); writes++) {
            run_order(a, num, writes);
        }
    }
    attack_expect(a, ATTACK_SERVES);
    attack_down(a);
}

/* What a single slot can have wrong. */
static void test_bad_slots(void)
{
    static const struct xen_virtfsif_request bad[] = {
        { .size = 0 },
        { .size = 4097 },
        { .size = 65535 },
        { .offset = 1, .size = 4096 },
        { .offset = 4095, .size = 2 },
        { .offset = 4096, .size = 1 },
        { .offset = 65535, .size = 65535 },
        { .size = 64, .flags = 1 << 4 },
        { .size = 64, .flags = 1 << 15 },
        { .size = 64, .flags = 0xfff0 },
        { .size = 12, .flags = XEN_VIRTFSF_INDIRECT },
        { .offset = 4, .size = 8, .flags = XEN_VIRTFSF_INDIRECT },
        { .offset = 4096 - 8, .size = 16, .flags = XEN_VIRTFSF_INDIRECT },
    };
    Attack *a = up();
    uint8_t message[RAW_CLUNK_SIZE];
    unsigned i, where;

    raw_clunk(message);
    for (i = 0; i < 2 * G_N_ELEMENTS(bad) && attack_lives(a); i++) {
        const struct xen_virtfsif_request *slot = &bad[i / 2];
        Raw *raw = raw_new(a);

        where = i % 2 ? RAW_WRITE : RAW_READ;
        raw_split(raw, RAW_READ, message, sizeof(message), 4096);
        if (!where) {
            raw_slot(raw, slot->flags, raw_page(raw, true)->ref, slot->offset,
                     slot->size);
        }
        raw_split(raw, RAW_WRITE, NULL, 64, 64);
        if (where) {
            raw_slot(raw, slot->flags | RAW_WRITE, raw_page(raw, false)->ref,
                     slot->offset, slot->size);
        }
        raw_expect(raw, XEN_VIRTFSIF_RSP_ERROR);
        raw_free(raw);
    }
    attack_expect(a, ATTACK_SERVES);
    attack_down(a);
}

/* What the 9P header can have wrong, and buffers that are too small. */
static void test_bad_messages(void)
{
    static const struct {
        uint32_t claims, len, room;
        int status;
    } cases[] = {
        { 11, 11, 11, 0 }, { 11, 11, 4096, 0 }, { 11, 4096, 11, 0 },
        { 11, 11, 10, -1 }, { 11, 11, 1, -1 },
        { 11, 10, 64, -1 }, { 11, 6, 64, -1 }, { 11, 1, 64, -1 },
        { 0, 11, 64, -1 }, { 6, 11, 64, -1 }, { 12, 11, 64, -1 },
        { 7, 11, 64, 0 }, { 7, 7, 64, 0 },
        { 1u << 31, 11, 64, -1 }, { UINT32_MAX, 11, 64, -1 },
        { UINT32_MAX, 4096, 64, -1 },
    };
    Attack *a = up();
    unsigned i;

    for (i = 0; i < G_N_ELEMENTS(cases) && attack_lives(a); i++) {
        uint8_t message[4096] = { 0 };
        Raw *raw = raw_new(a);

        raw_clunk(message);
        attack_header(message, cases[i].claims, P9_TCLUNK, 5);
        raw_split(raw, RAW_READ, message, cases[i].len, 4096);
        raw_split(raw, RAW_WRITE, NULL, cases[i].room, 4096);
        raw_expect(raw, cases[i].status);
        raw_free(raw);
    }
    attack_expect(a, ATTACK_SERVES);
    attack_down(a);
}

/* A reply that has no room becomes an error that has. */
static void test_small_room(void)
{
    Attack *a = up();
    uint8_t message[19];
    uint32_t room;

    attack_header(message, sizeof(message), P9_TGETATTR, 5);
    memset(message + 7, 0, 12);
    message[11] = 0xff;
    for (room = 11; room < 200 && attack_lives(a); room += 9) {
        Raw *raw = raw_new(a);
        GByteArray *reply;

        raw_split(raw, RAW_READ, message, sizeof(message), 4096);
        raw_split(raw, RAW_WRITE, NULL, room, 7);
        raw_expect(raw, XEN_VIRTFSIF_RSP_OKAY);
        reply = raw_gather(raw);
        g_assert_cmpuint(reply->data[0], ==, room < 160 ? 11 : 160);
        g_assert_cmpuint(reply->data[4], ==,
                         room < 160 ? P9_RLERROR : P9_TGETATTR + 1);
        g_byte_array_unref(reply);
        raw_free(raw);
    }
    attack_down(a);
}

/*
 * In 9P2000.u, where an error with its text has no room: what was in the
 * backend's memory must not get out instead.
 */
static void test_small_room_dotu(void)
{
    Attack *a = attack_up();
    P9Client *c = &a->bad->client;
    unsigned type, room, k;

    g_assert_true(fe_connect(a->bad, 1, 1));
    tattach({.fe = c, .msize = 4096, .version = "9P2000.u"});
    for (type = 0; type < 256 && attack_lives(a); type++) {
        if (type == P9_TVERSION || type == P9_TCLUNK) {
            continue;
        }
        for (room = 11; room < 40; room += 3) {
            uint8_t message[300] = { 0 };
            Raw *raw = raw_new(a);
            GByteArray *reply;
            int status;

            attack_header(message, sizeof(message), type, 5);
            memset(message + 7, 0xff, sizeof(message) - 7);
            raw_split(raw, RAW_READ, message, sizeof(message), 4096);
            raw_split(raw, RAW_WRITE, NULL, room, 4096);
            status = raw_run(raw);
            reply = raw_gather(raw);
            if (status == XEN_VIRTFSIF_RSP_OKAY) {
                g_assert_cmpuint(reply->data[0], <=, room);
                g_assert_cmpuint(reply->data[1], ==, 0);
                g_assert_true(reply->data[4] == P9_RERROR ||
                              reply->data[4] == type + 1);
                for (k = reply->data[0]; k < room; k++) {
                    g_assert_cmpuint(reply->data[k], ==, 0);
                }
            } else {
                g_assert_cmpint(status, ==, XEN_VIRTFSIF_RSP_ERROR);
                g_assert_cmpuint(room, <, 13);
            }
            g_byte_array_unref(reply);
            raw_free(raw);
        }
    }
    attack_down(a);
}

/* ---- The ring ---- */

/* Slots change while they are read. */
static void test_changing_slots(void)
{
    static const uint32_t words[] = {
        0x00010000, 0x00000000, 0x00030000, 0xffff0001, 0x00020fff,
        0x00050000, 0x00090000,
    };
    Attack *a = up();
    VRing *ring = &a->bad->vrings[0];
    uint8_t message[RAW_CLUNK_SIZE];
    unsigned i;
    Flip *flip;

    raw_clunk(message);
    flip = flip_start(&(FlipRule) {
        .at = &ring->shared->ring[8].req.offset, .values = words,
        .nr_values = G_N_ELEMENTS(words),
    }, NULL);
    for (i = 0; i < 2000 && attack_lives(a) && fe_state(a->bad) ==
         XenbusStateConnected; i++) {
        Raw *raw = raw_new(a);

        raw_split(raw, RAW_READ, message, sizeof(message), 6);
        raw_split(raw, RAW_WRITE, NULL, 64, 32);
        raw_send(raw);
        raw_wait(raw, 20);
        /* Answers may be shifted by now: take what there is. */
        ring->rsp_cons = ring->req_prod;
        raw->slots->len = 0;
        raw_free(raw);
    }
    flip_stop(flip);
    attack_down(a);
}

/* Ids are the frontend's business. */
static void test_same_id(void)
{
    Attack *a = up();
    uint8_t message[RAW_CLUNK_SIZE];
    Raw *raws[20];
    unsigned i;

    raw_clunk(message);
    for (i = 0; i < G_N_ELEMENTS(raws); i++) {
        raws[i] = raw_new(a);
        raws[i]->id = 77;
        raw_split(raws[i], RAW_READ, message, sizeof(message), 6);
        raw_split(raws[i], RAW_WRITE, NULL, 64, 64);
        raw_put(raws[i]);
    }
    vring_publish(raws[0]->ring);
    fe_kick(a->bad, 0);
    for (i = 0; i < G_N_ELEMENTS(raws); i++) {
        g_assert_cmpint(raw_wait(raws[i], RAW_MS), ==, 0);
    }
    for (i = 0; i < G_N_ELEMENTS(raws); i++) {
        raw_free(raws[i]);
    }
    attack_down(a);
}

/* What is published slot by slot is answered when it is whole. */
static void test_slot_by_slot(void)
{
    Attack *a = up();
    uint8_t message[RAW_CLUNK_SIZE];
    Raw *raw = raw_new(a);
    unsigned i;

    raw_clunk(message);
    raw_split(raw, RAW_READ, message, sizeof(message), 3);
    raw_split(raw, RAW_WRITE, NULL, 64, 20);
    raw_put(raw);
    raw->ring->put = 0;
    for (i = 0; i < raw->slots->len; i++) {
        g_assert_cmpuint(raw->ring->shared->rsp_prod, ==,
                         raw->ring->rsp_cons);
        raw->ring->put = 1;
        vring_publish(raw->ring);
        fe_kick(a->bad, 0);
        g_usleep(5000);
    }
    g_assert_cmpint(raw_wait(raw, RAW_MS), ==, 0);
    raw_free(raw);
    attack_down(a);
}

static void test_index(gconstpointer data)
{
    Attack *a = up();

    a->bad->vrings[0].shared->req_prod += GPOINTER_TO_INT(data);
    fe_kick(a->bad, 0);
    attack_expect(a, ATTACK_CLOSES);
    attack_down(a);
}

/* 256 slots, none of which is the last. */
static void test_endless(void)
{
    Attack *a = up();
    Raw *raw = raw_new(a);
    unsigned i;

    for (i = 0; i < 256; i++) {
        struct xen_virtfsif_request slot = {
            .gref = raw->ring->refs[0], .size = 8, .flags = XEN_VIRTFSF_MORE,
        };

        vring_put(raw->ring, &slot);
    }
    vring_publish(raw->ring);
    fe_kick(a->bad, 0);
    attack_expect(a, ATTACK_CLOSES);
    raw_free(raw);
    attack_down(a);
}

/* The ring's own pages as buffers. */
static void test_ring_as_buffer(void)
{
    Attack *a = up();
    uint8_t message[RAW_READ_SIZE];
    Raw *raw = raw_new(a);

    raw_read(message, 0, 4000);
    raw_split(raw, RAW_READ, message, sizeof(message), 4096);
    raw_slot(raw, RAW_WRITE, raw->ring->refs[0], 0, 4096);
    raw_send(raw);
    raw_wait(raw, 100);
    raw_free(raw);
    attack_down(a);
}

/* The worked example of docs/specs/xen-virtfs.rst, byte by byte. */
static void test_example(void)
{
    static const uint8_t message[] = {
        0x15, 0, 0, 0, 0x64, 0xff, 0xff, 0, 0x20, 0, 0, 8, 0, '9', 'P', '2',
        '0', '0', '0', '.', 'L',
    };
    static const uint8_t slots[24] = {
        0, 0, 0, 0, 0, 0, 1, 0, 7, 0, 0x15, 0,
        0, 0, 0, 0, 0, 0, 2, 0, 7, 0, 0, 0x10,
    };
    static const uint8_t after[16] = {
        2, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0,
    };
    Attack *a = attack_up();
    uint8_t *ring;
    Raw *raw;
    VPage *out, *in;

    g_assert_true(fe_connect(a->bad, 1, 1));
    raw = raw_new(a);
    out = raw_page(raw, true);
    in = raw_page(raw, false);
    ring = (uint8_t *)raw->ring->shared;
    memcpy(out->data, message, sizeof(message));
    memcpy(ring + 64, slots, sizeof(slots));
    memcpy(ring + 64, &out->ref, 4);
    memcpy(ring + 76, &in->ref, 4);
    ring[0] = 2;
    fe_kick(a->bad, 0);
    raw->ring->req_prod = 2;
    raw->id = 7;
    raw_slot(raw, 0, 0, 0, 0);
    raw_slot(raw, 0, 0, 0, 0);
    g_assert_cmpint(raw_wait(raw, RAW_MS), ==, 0);
    g_usleep(10000);
    g_assert_cmpmem(ring, 16, after, 16);
    g_assert_cmpmem(ring + 64, 4, "\7\0\0\0", 4);
    g_assert_cmpmem(ring + 68, 8, slots + 4, 8);
    g_assert_cmpmem(ring + 76, 4, "\7\0\0\0", 4);
    g_assert_cmpint(in->data[4], ==, 0x65);
    g_assert_cmpmem(in->data, 4, message, 4);
    g_assert_cmpmem(in->data + 5, 16, message + 5, 16);
    raw_free(raw);
    attack_down(a);
}

int main(int argc, char **argv)
{
    static const int moves[] = { -1, -2, 257, 1000, G_MININT, G_MAXINT };
    unsigned i;

    g_setenv("LOOP_PROTOCOL", "virtfs", TRUE);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/virtfs/orders", test_orders);
    g_test_add_func("/virtfs/bad-slots", test_bad_slots);
    g_test_add_func("/virtfs/bad-messages", test_bad_messages);
    g_test_add_func("/virtfs/small-room", test_small_room);
    g_test_add_func("/virtfs/small-room/dotu", test_small_room_dotu);
    g_test_add_func("/virtfs/changing-slots", test_changing_slots);
    g_test_add_func("/virtfs/same-id", test_same_id);
    g_test_add_func("/virtfs/slot-by-slot", test_slot_by_slot);
    for (i = 0; i < G_N_ELEMENTS(moves); i++) {
        g_autofree char *name = g_strdup_printf("/virtfs/index/%d", moves[i]);

        g_test_add_data_func(name, GINT_TO_POINTER(moves[i]), test_index);
    }
    g_test_add_func("/virtfs/endless", test_endless);
    g_test_add_func("/virtfs/ring-as-buffer", test_ring_as_buffer);
    g_test_add_func("/virtfs/example", test_example);
    return g_test_run();
}
