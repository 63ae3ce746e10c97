/*
 * Unit tests of hw/9pfs/xen-9p-slots.c
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "hw/9pfs/xen-9p-slots.h"

#define SIZE XEN_VIRTFSIF_RING_SLOTS(0)

#define M XEN_VIRTFSF_MORE
#define W XEN_VIRTFSF_WRITE
#define I XEN_VIRTFSF_INDIRECT
#define P XEN_VIRTFSF_PERSISTENT

/* The beginning, the middle, and over the end of 32 bits. */
static const uint32_t starts[] = {
    0, 1, SIZE - 1, SIZE, 1000003, UINT32_MAX - SIZE, UINT32_MAX - 1,
    UINT32_MAX,
};

typedef struct Fixture {
    union {
        struct xen_virtfsif_sring ring;
        uint8_t bytes[XEN_VIRTFSIF_PAGE_SIZE];
    } page;
    uint32_t prod;              /* the frontend's */
    Xen9pSlots slots;
} Fixture;

static void fixture_init(Fixture *f, uint32_t start)
{
    memset(&f->page, 0, sizeof(f->page));
    f->page.ring.req_prod = f->page.ring.rsp_prod = f->prod = start;
    f->page.ring.req_event = f->page.ring.rsp_event = start + 1;
    xen_9p_slots_init(&f->slots, &f->page.ring, SIZE);
}

static union xen_virtfsif_sring_entry *entry(Fixture *f, uint32_t index)
{
    union xen_virtfsif_sring_entry *first = f->page.ring.ring;

    return first + (index & (SIZE - 1));
}

static void put(Fixture *f, uint16_t flags, uint16_t id)
{
    entry(f, f->prod++)->req = (struct xen_virtfsif_request) {
        .gref = id, .flags = flags, .id = id, .size = 1,
    };
}

static void publish(Fixture *f)
{
    f->page.ring.req_prod = f->prod;
}

/* A transaction of @num slots of the id. */
static void put_all(Fixture *f, uint32_t num, uint16_t id)
{
    while (--num > 0) {
        put(f, M, id);
    }
    put(f, 0, id);
}

static void expect_whole(Fixture *f, uint32_t expected, uint16_t id)
{
    uint32_t num = 0;

    g_assert_cmpint(xen_9p_slots_take(&f->slots, &num), ==,
                    XEN_9P_SLOTS_WHOLE);
    g_assert_cmpuint(num, ==, expected);
    for (uint32_t i = 0; i < num; i++) {
        g_assert_cmpuint(f->slots.slot[i].id, ==, id);
    }
}

static void expect(Fixture *f, Xen9pSlotsResult result)
{
    uint32_t num;

    g_assert_cmpint(xen_9p_slots_take(&f->slots, &num), ==, result);
}

static void answer(Fixture *f, uint32_t num, uint16_t id, int16_t status)
{
    uint32_t from = f->slots.answered;
    struct xen_virtfsif_request slot[SIZE];

    for (uint32_t i = 0; i < num; i++) {
        slot[i].id = id;
    }
    xen_9p_slots_respond(&f->slots, slot, num, status);
    g_assert_cmpuint(f->page.ring.rsp_prod, ==, f->slots.published);
    xen_9p_slots_publish(&f->slots);
    g_assert_cmpuint(f->page.ring.rsp_prod, ==, from + num);
    for (uint32_t i = 0; i < num; i++) {
        const struct xen_virtfsif_response *rsp = &entry(f, from + i)->rsp;

        g_assert_cmpuint(rsp->id, ==, id);
        g_assert_cmpint(rsp->status, ==, status);
    }
}

/* Every length, from starts on either side of overflow. */
static void test_lengths(void)
{
    Fixture f;

    for (unsigned s = 0; s < G_N_ELEMENTS(starts); s++) {
        for (uint32_t num = 1; num <= SIZE; num++) {
            fixture_init(&f, starts[s]);
            put_all(&f, num, num);
            expect(&f, XEN_9P_SLOTS_NONE);
            publish(&f);
            expect_whole(&f, num, num);
            expect(&f, XEN_9P_SLOTS_NONE);
            answer(&f, num, num, -2);
            xen_9p_slots_fini(&f.slots);
            xen_9p_slots_fini(&f.slots);
        }
    }
}

/* Each slot is copied once: what it says later does not count. */
static void test_parts(void)
{
    Fixture f;

    fixture_init(&f, UINT32_MAX - 2);
    for (uint32_t i = 0; i < 5; i++) {
        put(&f, M, i);
        publish(&f);
        expect(&f, XEN_9P_SLOTS_NONE);
        entry(&f, f.prod - 1)->req.id = 99;
    }
    put(&f, 0, 5);
    put_all(&f, 1, 6);
    publish(&f);
    {
        uint32_t num;

        g_assert_cmpint(xen_9p_slots_take(&f.slots, &num), ==,
                        XEN_9P_SLOTS_WHOLE);
        g_assert_cmpuint(num, ==, 6);
        for (uint32_t i = 0; i < num; i++) {
            g_assert_cmpuint(f.slots.slot[i].id, ==, i);
        }
    }
    expect_whole(&f, 1, 6);
    xen_9p_slots_fini(&f.slots);
}

/* Every index that a frontend can write, at some fills of the ring. */
static void test_corrupt(void)
{
    static const uint32_t offsets[] = {
        0, 1, 2, SIZE - 1, SIZE, SIZE + 1, 1U << 31, UINT32_MAX - 1,
        UINT32_MAX,
    };
    Fixture f;

    for (unsigned s = 0; s < G_N_ELEMENTS(starts); s++) {
        for (unsigned o = 0; o < G_N_ELEMENTS(offsets); o++) {
            /* Three taken, one of them answered. */
            uint32_t prod = starts[s] + offsets[o], used = offsets[o] - 1;

            fixture_init(&f, starts[s]);
            for (uint32_t i = 0; i < 3; i++) {
                put_all(&f, 1, i);
            }
            publish(&f);
            for (uint32_t i = 0; i < 3; i++) {
                expect_whole(&f, 1, i);
            }
            answer(&f, 1, 0, 0);
            f.page.ring.req_prod = prod;
            if (used > SIZE || used < 2) {
                expect(&f, XEN_9P_SLOTS_CORRUPT);
            } else {
                uint32_t num;

                g_assert_cmpint(xen_9p_slots_take(&f.slots, &num), !=,
                                XEN_9P_SLOTS_CORRUPT);
            }
            xen_9p_slots_fini(&f.slots);
        }
    }
}

static void test_endless(void)
{
    Fixture f;

    fixture_init(&f, 7);
    put_all(&f, 2, 1);
    for (uint32_t i = 0; i < SIZE - 2; i++) {
        put(&f, M, 2);
    }
    publish(&f);
    expect_whole(&f, 2, 1);
    /* The ring is full, but it will not be when the first is answered. */
    expect(&f, XEN_9P_SLOTS_NONE);
    answer(&f, 2, 1, 0);
    put(&f, M, 2);
    put(&f, M, 2);
    publish(&f);
    expect(&f, XEN_9P_SLOTS_ENDLESS);
    xen_9p_slots_fini(&f.slots);

    fixture_init(&f, 7);
    for (uint32_t i = 0; i < SIZE - 1; i++) {
        put(&f, M, 2);
    }
    put(&f, 0, 2);
    publish(&f);
    expect_whole(&f, SIZE, 2);
    xen_9p_slots_fini(&f.slots);
}

/* The events that ring.h defines. */
static void test_events(void)
{
    Fixture f;

    for (unsigned s = 0; s < G_N_ELEMENTS(starts); s++) {
        const struct xen_virtfsif_request slot[3] = { { .id = 1 } };

        fixture_init(&f, starts[s]);
        g_assert_false(xen_9p_slots_publish(&f.slots));
        put_all(&f, 3, 1);
        publish(&f);
        expect_whole(&f, 3, 1);
        g_assert_false(xen_9p_slots_arm(&f.slots));
        g_assert_cmpuint(f.page.ring.req_event, ==, starts[s] + 4);
        put_all(&f, 3, 1);
        publish(&f);
        g_assert_true(xen_9p_slots_arm(&f.slots));
        expect_whole(&f, 3, 1);
        g_assert_false(xen_9p_slots_arm(&f.slots));

        xen_9p_slots_respond(&f.slots, slot, 3, 0);
        g_assert_true(xen_9p_slots_publish(&f.slots));
        g_assert_false(xen_9p_slots_publish(&f.slots));
        /* It has not asked again. */
        xen_9p_slots_respond(&f.slots, slot, 3, 0);
        g_assert_false(xen_9p_slots_publish(&f.slots));
        xen_9p_slots_fini(&f.slots);
    }
}

/* A slot of one byte, unless a case says otherwise. */
typedef struct Check {
    struct xen_virtfsif_request slot[4];
    uint32_t num;
    const char *why;
} Check;

#define SLOT(f, ...) { .flags = (f), .size = 1, ##__VA_ARGS__ }
#define OUTSIDE "a slot is not within its page"
#define ALIGN "descriptors are not aligned"

static void test_check(void)
{
    static const Check checks[] = {
        { { SLOT(M), SLOT(W) }, 2, NULL },
        { { SLOT(M), SLOT(M | P), SLOT(M | W), SLOT(W | P) }, 4, NULL },
        { { SLOT(0) }, 1, "there is no response slot" },
        { { SLOT(W) }, 1, "there is no request slot" },
        { { SLOT(M | W), SLOT(W) }, 2, "there is no request slot" },
        { { SLOT(M), SLOT(0) }, 2, "there is no response slot" },
        { { SLOT(M), SLOT(M | W), SLOT(M), SLOT(W) }, 4,
          "a request slot follows response slots" },
        { { SLOT(M), SLOT(M | W), SLOT(0) }, 3,
          "a request slot follows response slots" },
        { { SLOT(M | 0x10), SLOT(W) }, 2, "a flag is unknown" },
        { { SLOT(M), SLOT(W | 0x8000) }, 2, "a flag is unknown" },
        { { { .flags = M }, SLOT(W) }, 2, OUTSIDE },
        { { { .flags = M, .size = 4096 }, SLOT(W) }, 2, NULL },
        { { { .flags = M, .size = 4097 }, SLOT(W) }, 2, OUTSIDE },
        { { { .flags = M, .size = 4096, .offset = 1 }, SLOT(W) }, 2,
          OUTSIDE },
        { { { .flags = M, .size = 1, .offset = 4095 }, SLOT(W) }, 2, NULL },
        { { { .flags = M, .size = 1, .offset = 4096 }, SLOT(W) }, 2,
          OUTSIDE },
        { { { .flags = M, .size = 65535, .offset = 65535 }, SLOT(W) }, 2,
          OUTSIDE },
        { { { .flags = M | I, .size = 8, .offset = 8 }, SLOT(W) }, 2, NULL },
        { { { .flags = M | I, .size = 8, .offset = 4 }, SLOT(W) }, 2,
          ALIGN },
        { { { .flags = M | I, .size = 12, .offset = 8 }, SLOT(W) }, 2,
          ALIGN },
        { { SLOT(M), { .flags = W | I, .size = 4096 } }, 2, NULL },
        { { SLOT(M), { .flags = W | I, .size = 7 } }, 2, ALIGN },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(checks); i++) {
        g_assert_cmpstr(xen_9p_slots_check(checks[i].slot, checks[i].num), ==,
                        checks[i].why);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/slots/lengths", test_lengths);
    g_test_add_func("/slots/parts", test_parts);
    g_test_add_func("/slots/corrupt", test_corrupt);
    g_test_add_func("/slots/endless", test_endless);
    g_test_add_func("/slots/events", test_events);
    g_test_add_func("/slots/check", test_check);
    return g_test_run();
}
