/*
 * Virtfs: slots in every order, segments of every kind, corrupt rings
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "attack-flip.h"
#include "virtfs-raw.h"

/* Rings of four pages: 1024 slots. */
#define LARGE 9

static Attack *up(unsigned order)
{
    Attack *a = attack_up();

    attack_connect(a, 1, order);
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
    Attack *a = up(1);
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
    Attack *a = up(1);
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
    Attack *a = up(1);
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
    Attack *a = up(1);
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

/* ---- Segments ---- */

/* One read whose reply is in @num segments, its request in up to 23. */
static void run_chain(Attack *a, unsigned num)
{
    uint32_t size = 1 + num % 11, count = MAX(num * size, 11) - 11;
    uint8_t message[RAW_READ_SIZE];
    Raw *raw = raw_new(a);
    unsigned i;

    raw_read(message, num * 7, count);
    raw_split(raw, RAW_READ, message, sizeof(message), 1 + num % 23);
    for (i = 0; i < num; i++) {
        raw_segment(raw, RAW_WRITE, (num * 13 + i * 7) % 4000, size);
    }
    if (num * size < 11) {
        raw_expect(raw, XEN_VIRTFSIF_RSP_ERROR);
    } else {
        raw_expect(raw, XEN_VIRTFSIF_RSP_OKAY);
        raw_check_read(raw, num * 7, count);
    }
    raw_free(raw);
}

static void test_chains(void)
{
    Attack *a = up(LARGE);
    unsigned num;

    for (num = 1; num <= 600 && attack_lives(a) && !g_test_failed(); num++) {
        run_chain(a, num);
    }
    attack_expect(a, ATTACK_SERVES);
    attack_down(a);
}

/* A write whose request is in @num segments gets to the file as it is. */
static void test_write_chains(void)
{
    static const unsigned nums[] = { 1, 2, 3, 23, 24, 100, 255, 600, 999 };
    Attack *a = up(LARGE);
    g_autofree char *path = g_build_filename(a->f->share, "bad", "data", NULL);
    unsigned i;

    for (i = 0; i < G_N_ELEMENTS(nums) && attack_lives(a); i++) {
        uint32_t count = nums[i] * 60, len = 23 + count;
        g_autofree uint8_t *message = g_malloc(len);
        g_autofree char *found = NULL;
        Raw *raw = raw_new(a);
        gsize size;

        attack_header(message, len, P9_TWRITE, 5);
        memset(message + 7, 0, 16);
        message[7] = 1;
        memcpy(message + 19, &count, 4);
        memset(message + 23, 'a' + i, count);
        raw_split(raw, RAW_READ, message, len, (len + nums[i] - 1) / nums[i]);
        raw_split(raw, RAW_WRITE, NULL, 64, 64);
        raw_expect(raw, XEN_VIRTFSIF_RSP_OKAY);
        raw_free(raw);
        g_assert_true(g_file_get_contents(path, &found, &size, NULL));
        g_assert_cmpmem(found, count, message + 23, count);
    }
    attack_down(a);
}

/* The header of either message is split at every byte. */
static void test_header_split(void)
{
    Attack *a = up(LARGE);
    unsigned at;

    for (at = 1; at < RAW_READ_SIZE && attack_lives(a); at++) {
        uint8_t message[RAW_READ_SIZE];
        Raw *raw = raw_new(a);

        raw_read(message, at, 1000);
        memcpy(raw_segment(raw, RAW_READ, 4096 - at, at), message, at);
        memcpy(raw_segment(raw, RAW_READ, 0, RAW_READ_SIZE - at),
               message + at, RAW_READ_SIZE - at);
        raw_segment(raw, RAW_WRITE, 4096 - at, at);
        raw_segment(raw, RAW_WRITE, 1, 1011 - at);
        raw_expect(raw, XEN_VIRTFSIF_RSP_OKAY);
        raw_check_read(raw, at, 1000);
        raw_free(raw);
    }
    attack_down(a);
}

/* One page many times, in both directions, over itself. */
static void test_overlap(void)
{
    Attack *a = up(LARGE);
    uint8_t message[RAW_READ_SIZE];
    unsigned round, i;

    for (round = 0; round < 50 && attack_lives(a); round++) {
        Raw *raw = raw_new(a);
        VPage *page = raw_page(raw, false);

        raw_read(message, 0, 300 * round);
        memcpy(page->data, message, sizeof(message));
        raw_slot(raw, RAW_READ, page->ref, 0, sizeof(message));
        for (i = 0; i < 1 + round * 10; i++) {
            raw_slot(raw, RAW_WRITE, page->ref, i * round % 2000,
                     30 + i % 2000);
        }
        raw_expect(raw, XEN_VIRTFSIF_RSP_OKAY);
        raw_free(raw);
    }
    attack_expect(a, ATTACK_SERVES);
    attack_down(a);
}

/* ---- Descriptors ---- */

/* Direct and indirect slots mixed, one to three pages of descriptors. */
static void test_indirect(void)
{
    static const uint32_t max[] = { 3, 40, 100, 4096 };
    Attack *a = up(LARGE);
    unsigned i, from;

    for (i = 0; i < 4 * G_N_ELEMENTS(max) && attack_lives(a); i++) {
        uint32_t size = max[i / 4], count = MIN(size * 500, 60000);
        uint8_t message[RAW_READ_SIZE];
        Raw *raw = raw_new(a);

        raw_read(message, 3, count);
        raw_split(raw, RAW_READ, message, sizeof(message), 5);
        if (i & 1) {
            raw_describe(raw, 2);
        }
        raw_split(raw, RAW_WRITE, NULL, 11, 4);
        from = raw->slots->len;
        raw_split(raw, RAW_WRITE, NULL, count / 2, size);
        raw_describe(raw, from);
        if (i & 2) {
            from = raw->slots->len;
        }
        raw_split(raw, RAW_WRITE, NULL, count - count / 2, size);
        if (i & 2) {
            raw_describe(raw, from);
        }
        raw_expect(raw, XEN_VIRTFSIF_RSP_OKAY);
        raw_check_read(raw, 3, count);
        raw_free(raw);
    }
    attack_down(a);
}

/* What a descriptor can have wrong, at the first and the last place. */
static void test_bad_descriptors(void)
{
    static const struct {
        struct xen_virtfsif_segment seg;
        int status;
    } cases[] = {
        { { .offset = 0, .size = 0 }, XEN_VIRTFSIF_RSP_ERROR },
        { { .offset = 0, .size = 4097 }, XEN_VIRTFSIF_RSP_ERROR },
        { { .offset = 4096, .size = 1 }, XEN_VIRTFSIF_RSP_ERROR },
        { { .offset = 65535, .size = 65535 }, XEN_VIRTFSIF_RSP_ERROR },
        { { .gref = UINT32_MAX, .size = 11 }, XEN_VIRTFSIF_RSP_BAD_GRANT },
        { { .gref = 20000, .size = 11 }, XEN_VIRTFSIF_RSP_BAD_GRANT },
    };
    Attack *a = up(LARGE);
    unsigned i;

    for (i = 0; i < 2 * G_N_ELEMENTS(cases) && attack_lives(a); i++) {
        uint8_t message[RAW_READ_SIZE];
        Raw *raw = raw_new(a);
        struct xen_virtfsif_segment *desc;

        raw_read(message, 0, 1000);
        raw_split(raw, RAW_READ, message, sizeof(message), 4096);
        raw_split(raw, RAW_WRITE, NULL, 1011, 4);
        desc = (void *)raw_describe(raw, 1)->data;
        desc[i % 2 ? 252 : 0] = cases[i / 2].seg;
        raw_expect(raw, cases[i / 2].status);
        raw_free(raw);
    }
    attack_expect(a, ATTACK_SERVES);
    attack_down(a);
}

/* 1024 segments of a buffer are possible, 1025 are not. */
static void test_too_many_segments(void)
{
    static const struct {
        unsigned num;
        int status;
    } cases[] = {
        { 1023, 0 }, { 1024, 0 }, { 1025, -1 }, { 4096, -1 },
    };
    Attack *a = up(LARGE);
    unsigned i, n, left;

    for (i = 0; i < G_N_ELEMENTS(cases) && attack_lives(a); i++) {
        uint8_t message[RAW_READ_SIZE];
        Raw *raw = raw_new(a);
        VPage *page = raw_page(raw, false);

        raw_read(message, 0, cases[i].num - 11);
        raw_split(raw, RAW_READ, message, sizeof(message), 4096);
        for (left = cases[i].num; left; left -= n) {
            unsigned from = raw->slots->len, k;

            n = MIN(left, 512);
            for (k = 0; k < n; k++) {
                raw_slot(raw, RAW_WRITE, page->ref, k, 1);
            }
            raw_describe(raw, from);
        }
        raw_expect(raw, cases[i].status);
        raw_free(raw);
    }
    attack_expect(a, ATTACK_SERVES);
    attack_down(a);
}

/* A descriptor changes while it is read: any answer, but no harm. */
static void test_changing_descriptors(void)
{
    static const uint32_t shapes[] = {
        4 << 16, 0, 0xffffffff, 4096 | 4 << 16, 0xffff0000, 4096u << 16,
        1 << 16, 4000 | 96 << 16,
    };
    Attack *a = up(LARGE);
    uint8_t message[RAW_READ_SIZE];
    Raw *raw = raw_new(a);
    unsigned i, seen[3] = { 0 };
    Flip *flip;
    VPage *page;

    raw_read(message, 0, 1000);
    raw_split(raw, RAW_READ, message, sizeof(message), 4096);
    raw_split(raw, RAW_WRITE, NULL, 1012, 4);
    page = raw_describe(raw, 1);
    flip = flip_start(&(FlipRule) {
        .at = page->data + 100 * 8 + 4, .values = shapes,
        .nr_values = G_N_ELEMENTS(shapes),
    }, NULL);
    for (i = 0; i < 3000 && attack_lives(a); i++) {
        int status = raw_run(raw);

        if (status > 0 || status < -2) {
            attack_fail(a, "the status is %d", status);
            break;
        }
        seen[-status]++;
    }
    flip_stop(flip);
    g_test_message("okay %u, error %u, bad grant %u", seen[0], seen[1],
                   seen[2]);
    raw_free(raw);
    attack_expect(a, ATTACK_SERVES);
    attack_down(a);
}

/* The same for the slots, which the ring's next round writes over. */
static void test_changing_slots(void)
{
    static const uint32_t words[] = {
        0x00010000, 0x00000000, 0x00030000, 0xffff0001, 0x00020fff,
        0x00050000, 0x00090000,
    };
    Attack *a = up(1);
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

/* ---- The ring ---- */

/* Ids are the frontend's business. */
static void test_same_id(void)
{
    Attack *a = up(1);
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

/* A transaction that is published slot by slot is answered when it is whole. */
static void test_slot_by_slot(void)
{
    Attack *a = up(1);
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
    Attack *a = up(1);

    a->bad->vrings[0].shared->req_prod += GPOINTER_TO_INT(data);
    fe_kick(a->bad, 0);
    attack_expect(a, ATTACK_CLOSES);
    attack_down(a);
}

/* 256 slots, none of which is the last. */
static void test_endless(void)
{
    Attack *a = up(1);
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
    Attack *a = up(1);
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
    g_test_add_func("/virtfs/chains", test_chains);
    g_test_add_func("/virtfs/write-chains", test_write_chains);
    g_test_add_func("/virtfs/header-split", test_header_split);
    g_test_add_func("/virtfs/overlap", test_overlap);
    g_test_add_func("/virtfs/indirect", test_indirect);
    g_test_add_func("/virtfs/bad-descriptors", test_bad_descriptors);
    g_test_add_func("/virtfs/too-many-segments", test_too_many_segments);
    g_test_add_func("/virtfs/changing-descriptors",
                    test_changing_descriptors);
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
