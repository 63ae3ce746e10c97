/*
 * Unit tests of hw/9pfs/xen-9p-ring.c
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "hw/9pfs/xen-9p-ring.h"

#define SIZE    16              /* small enough to try everything */
#define GUARD   0xee

/* Starting points: the beginning, the middle, and over the end of 32 bits. */
static const uint32_t starts[] = {
    0, 1, SIZE - 1, SIZE, 1000003, UINT32_MAX - SIZE, UINT32_MAX - 1,
    UINT32_MAX,
};

/* A ring between two guards, and the two indices of its shared page. */
typedef struct Fixture {
    uint8_t memory[SIZE * 3];
    uint32_t own;
    uint32_t peer;
    Xen9pRing ring;
} Fixture;

static uint8_t *ring_memory(Fixture *f)
{
    return f->memory + SIZE;
}

static void fixture_init(Fixture *f, uint32_t own, uint32_t peer)
{
    memset(f->memory, GUARD, sizeof(f->memory));
    memset(ring_memory(f), 0, SIZE);
    f->own = own;
    f->peer = peer;
    xen_9p_ring_init(&f->ring, ring_memory(f), SIZE, &f->own, &f->peer);
}

static void assert_guards(const Fixture *f)
{
    for (unsigned i = 0; i < SIZE; i++) {
        g_assert_cmphex(f->memory[i], ==, GUARD);
        g_assert_cmphex(f->memory[2 * SIZE + i], ==, GUARD);
    }
}

/* Every length from every offset, from starts on either side of overflow. */
static void test_wrap(void)
{
    uint8_t sent[SIZE], got[SIZE];
    Fixture f;

    for (unsigned i = 0; i < SIZE; i++) {
        sent[i] = i + 1;
    }
    for (unsigned s = 0; s < G_N_ELEMENTS(starts); s++) {
        for (uint32_t offset = 0; offset < SIZE; offset++) {
            for (uint32_t len = 0; len <= SIZE; len++) {
                uint32_t from = starts[s] + offset;

                fixture_init(&f, from, from);
                xen_9p_ring_write(&f.ring, sent, len);
                g_assert_cmpuint(f.ring.position, ==, from + len);
                for (uint32_t i = 0; i < len; i++) {
                    g_assert_cmpuint(ring_memory(&f)[(from + i) % SIZE],
                                     ==, sent[i]);
                }
                memset(got, 0, sizeof(got));
                xen_9p_ring_read(&f.ring, from, got, len);
                g_assert_cmpmem(got, len, sent, len);
                assert_guards(&f);
            }
        }
    }
}

/* As many elements as needed, all within the ring, as long as asked for. */
static void test_iov(void)
{
    Fixture f;

    fixture_init(&f, 0, 0);
    for (unsigned s = 0; s < G_N_ELEMENTS(starts); s++) {
        for (uint32_t offset = 0; offset < SIZE; offset++) {
            for (uint32_t len = 0; len <= SIZE; len++) {
                uint32_t from = starts[s] + offset;
                uint32_t at = from % SIZE;
                unsigned expected = !len ? 0 : at + len > SIZE ? 2 : 1;
                struct iovec iov[2];
                size_t total = 0;

                g_assert_cmpuint(xen_9p_ring_iov(&f.ring, from, len, iov),
                                 ==, expected);
                for (unsigned i = 0; i < expected; i++) {
                    uint8_t *base = iov[i].iov_base;

                    g_assert_true(base == ring_memory(&f) + (i ? 0 : at));
                    g_assert_cmpuint(iov[i].iov_len, >, 0);
                    g_assert_true(base + iov[i].iov_len <=
                                  ring_memory(&f) + SIZE);
                    total += iov[i].iov_len;
                }
                g_assert_cmpuint(total, ==, len);
            }
        }
    }
}

/* Equal indices are an empty ring, a ring's size apart is a full one. */
static void test_empty_and_full(void)
{
    Fixture f;
    uint32_t bytes;

    for (unsigned s = 0; s < G_N_ELEMENTS(starts); s++) {
        fixture_init(&f, starts[s], starts[s]);
        g_assert_true(xen_9p_ring_readable(&f.ring, &bytes));
        g_assert_cmpuint(bytes, ==, 0);
        g_assert_true(xen_9p_ring_writable(&f.ring, &bytes));
        g_assert_cmpuint(bytes, ==, SIZE);

        fixture_init(&f, starts[s], starts[s] + SIZE);
        g_assert_true(xen_9p_ring_readable(&f.ring, &bytes));
        g_assert_cmpuint(bytes, ==, SIZE);

        fixture_init(&f, starts[s], starts[s] - SIZE);
        g_assert_true(xen_9p_ring_writable(&f.ring, &bytes));
        g_assert_cmpuint(bytes, ==, 0);
    }
}

/* What a consumer makes of its own progress and of the peer's index. */
static const struct {
    uint32_t published, position, peer, own;
    bool valid;
    uint32_t bytes;
} readable[] = {
    /* nothing read yet */
    { 0, 0, 0, 0, true, 0 },
    { 0, 0, 5, 0, true, 5 },
    { 0, 0, SIZE, 0, true, SIZE },
    { 0, 0, SIZE + 1, 0, false, 0 },
    { 0, 0, 0x80000000, 0, false, 0 },
    { 0, 0, UINT32_MAX, 0, false, 0 },      /* moved backwards */
    /* read ahead of what was given back */
    { 0, 5, 5, 0, true, 0 },
    { 0, 5, 9, 0, true, 4 },
    { 0, 5, SIZE, 0, true, SIZE - 5 },
    { 0, 5, 4, 0, false, 0 },               /* back over what was read */
    { 0, 5, SIZE + 4, 0, false, 0 },        /* room that was not given */
    { 0, SIZE, SIZE, 0, true, 0 },
    { 0, SIZE, 0, 0, false, 0 },
    /* over the end of 32 bits */
    { UINT32_MAX, UINT32_MAX, 3, UINT32_MAX, true, 4 },
    { UINT32_MAX, 2, 3, UINT32_MAX, true, 1 },
    { UINT32_MAX, 2, 1, UINT32_MAX, false, 0 },
    { UINT32_MAX - 2, UINT32_MAX, SIZE - 3, UINT32_MAX - 2, true, SIZE - 2 },
    { UINT32_MAX - 2, UINT32_MAX, SIZE - 2, UINT32_MAX - 2, false, 0 },
    /* our own index was written to */
    { 0, 0, 5, 1, false, 0 },
    { 4, 4, 5, 0, false, 0 },
};

static void test_readable(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(readable); i++) {
        uint32_t bytes;
        Fixture f;

        fixture_init(&f, readable[i].published, readable[i].peer);
        f.ring.position = readable[i].position;
        f.own = readable[i].own;
        g_test_message("row %u", i);
        g_assert_cmpint(xen_9p_ring_readable(&f.ring, &bytes), ==,
                        readable[i].valid);
        if (readable[i].valid) {
            g_assert_cmpuint(bytes, ==, readable[i].bytes);
        }
    }
}

/* What a producer makes of them. */
static const struct {
    uint32_t position, peer, own;
    bool valid;
    uint32_t bytes;
} writable[] = {
    { 0, 0, 0, true, SIZE },
    { 5, 0, 5, true, SIZE - 5 },
    { SIZE, 0, SIZE, true, 0 },
    { SIZE + 1, 0, SIZE + 1, false, 0 },    /* more than a ring apart */
    { 0, 1, 0, false, 0 },                  /* read what is not written */
    { 0, UINT32_MAX, 0, true, SIZE - 1 },
    { 3, UINT32_MAX - 2, 3, true, SIZE - 6 },
    { 0, 0x80000000, 0, false, 0 },
    { 5, 0, 4, false, 0 },                  /* in_prod was written to */
    { 5, 0, 6, false, 0 },
};

static void test_writable(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(writable); i++) {
        uint32_t bytes;
        Fixture f;

        fixture_init(&f, writable[i].position, writable[i].peer);
        f.own = writable[i].own;
        g_test_message("row %u", i);
        g_assert_cmpint(xen_9p_ring_writable(&f.ring, &bytes), ==,
                        writable[i].valid);
        if (writable[i].valid) {
            g_assert_cmpuint(bytes, ==, writable[i].bytes);
        }
    }
}

/* A 9P header that runs over the ring's end, split after each of its bytes. */
static void test_header_split(void)
{
    static const uint8_t header[7] = { 7, 0, 0, 0, 100, 0x34, 0x12 };
    uint8_t got[sizeof(header)];
    Fixture f;

    for (uint32_t before = 1; before < sizeof(header); before++) {
        uint32_t from = UINT32_MAX - SIZE - before + 1;

        fixture_init(&f, from, from);
        xen_9p_ring_write(&f.ring, header, sizeof(header));
        g_assert_cmpmem(ring_memory(&f) + SIZE - before, before,
                        header, before);
        g_assert_cmpmem(ring_memory(&f), sizeof(header) - before,
                        header + before, sizeof(header) - before);
        xen_9p_ring_read(&f.ring, from, got, sizeof(got));
        g_assert_cmpmem(got, sizeof(got), header, sizeof(header));
        assert_guards(&f);
    }
}

/* The peer sees what is published, when it is, and not before. */
static void test_publish(void)
{
    Fixture f;
    uint32_t bytes;

    fixture_init(&f, UINT32_MAX, UINT32_MAX);
    xen_9p_ring_write(&f.ring, "abc", 3);
    g_assert_cmpuint(f.own, ==, UINT32_MAX);
    g_assert_true(xen_9p_ring_publish(&f.ring, f.ring.position));
    g_assert_cmpuint(f.own, ==, 2);
    g_assert_false(xen_9p_ring_publish(&f.ring, f.ring.position));
    g_assert_true(xen_9p_ring_writable(&f.ring, &bytes));
    g_assert_cmpuint(bytes, ==, SIZE - 3);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/xen-9p-ring/wrap", test_wrap);
    g_test_add_func("/xen-9p-ring/iov", test_iov);
    g_test_add_func("/xen-9p-ring/empty-and-full", test_empty_and_full);
    g_test_add_func("/xen-9p-ring/readable", test_readable);
    g_test_add_func("/xen-9p-ring/writable", test_writable);
    g_test_add_func("/xen-9p-ring/header-split", test_header_split);
    g_test_add_func("/xen-9p-ring/publish", test_publish);
    return g_test_run();
}
