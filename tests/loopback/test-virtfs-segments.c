/*
 * Virtfs: segments of every kind, direct and described
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "attack-flip.h"
#include "virtfs-raw.h"

/* Rings of four pages: 1024 slots. */
#define LARGE 9

static Attack *up(void)
{
    Attack *a = attack_up();

    attack_connect(a, 1, LARGE);
    return a;
}

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
    Attack *a = up();
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
    Attack *a = up();
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
    Attack *a = up();
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
    Attack *a = up();
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
    Attack *a = up();
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
    Attack *a = up();
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
    Attack *a = up();
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
    Attack *a = up();
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

int main(int argc, char **argv)
{
    g_setenv("LOOP_PROTOCOL", "virtfs", TRUE);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/virtfs/chains", test_chains);
    g_test_add_func("/virtfs/write-chains", test_write_chains);
    g_test_add_func("/virtfs/header-split", test_header_split);
    g_test_add_func("/virtfs/overlap", test_overlap);
    g_test_add_func("/virtfs/indirect", test_indirect);
    g_test_add_func("/virtfs/bad-descriptors", test_bad_descriptors);
    g_test_add_func("/virtfs/too-many-segments", test_too_many_segments);
    g_test_add_func("/virtfs/changing-descriptors", test_changing_descriptors);
    return g_test_run();
}
