/*
 * Virtfs: access to grants, by every policy, when it works and when not
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "virtfs-raw.h"

#define LARGE 9

static const char *const policies[] = { "auto", "copy", "map", "cached" };

static Attack *up(const char *policy, unsigned order)
{
    const char *more[] = { "grant-policy", policy, NULL };
    Attack *a = attack_up_with(more);

    attack_connect(a, 1, order);
    return a;
}

/* ---- The same bytes whatever the policy ---- */

static void run_read(Attack *a, uint32_t count, uint32_t max, uint16_t flags)
{
    uint64_t offset = g_test_rand_int_range(0, ATTACK_FILE_SIZE - count + 1);
    Raw *raw = raw_new_read(a, flags, offset, count, max);

    raw_expect(raw, XEN_VIRTFSIF_RSP_OKAY);
    raw_check_read(raw, offset, count);
    if (flags & XEN_VIRTFSF_PERSISTENT) {
        /* They may be in use until the device closes. */
        raw_keep(raw);
    }
    raw_free(raw);
}

/* Its file is compared with the same bytes, and is open. */
static void change_neighbours(Attack *a, uint64_t offset, uint32_t count)
{
    g_autofree char *path = g_build_filename(a->f->share, "good", "data",
                                             NULL);
    int fd = open(path, O_WRONLY);

    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(pwrite(fd, a->data + offset, count, offset), ==, count);
    close(fd);
}

static void run_write(Attack *a, uint32_t count, uint32_t max, uint16_t flags)
{
    uint64_t offset = g_test_rand_int_range(0, ATTACK_FILE_SIZE - count + 1);
    uint8_t fill = g_test_rand_int();
    Raw *raw = raw_new_write(a, flags, offset, count, max, fill);
    g_autofree char *path = g_build_filename(a->f->share, "bad", "data", NULL);
    g_autofree char *found = NULL;
    gsize len;

    raw_expect(raw, XEN_VIRTFSIF_RSP_OKAY);
    memset(a->data + offset, fill, count);
    change_neighbours(a, offset, count);
    g_assert_true(g_file_get_contents(path, &found, &len, NULL));
    if (len != ATTACK_FILE_SIZE || memcmp(found, a->data, len)) {
        attack_fail(a, "the file is not what was written to it");
    }
    if (flags & XEN_VIRTFSF_PERSISTENT) {
        raw_keep(raw);
    }
    raw_free(raw);
}

static void test_same_bytes(gconstpointer data)
{
    static const uint32_t counts[] = {
        0, 1, 100, 4085, 4096, 5000, 20000, 65536,
    };
    static const uint32_t max[] = { 97, 512, 4095, 4096 };
    const uint16_t persistent = XEN_VIRTFSF_PERSISTENT;
    Attack *a = up(data, LARGE);
    unsigned c, m, turn = 0;

    for (c = 0; c < G_N_ELEMENTS(counts); c++) {
        for (m = 0; m < G_N_ELEMENTS(max) && attack_lives(a); m++) {
            run_read(a, counts[c], max[m], 0);
            run_read(a, counts[c], max[m], turn % 2 ? persistent : 0);
            run_write(a, counts[c], max[m], 0);
            run_write(a, counts[c], max[m], turn++ % 2 ? persistent : 0);
        }
    }
    raw_down_persistent(a);
}

/* Some segments of a buffer are persistent and some are not. */
static void test_mixed(gconstpointer data)
{
    const uint16_t persistent = XEN_VIRTFSF_PERSISTENT;
    Attack *a = up(data, LARGE);
    uint8_t message[RAW_READ_SIZE];
    unsigned round, i;

    for (round = 0; round < 200 && attack_lives(a); round++) {
        Raw *raw = raw_new(a);
        uint32_t total = 0;

        raw_read(message, round, 3000);
        raw_split(raw, RAW_READ, message, 10, 10);
        raw->flags = round & 1 ? persistent : 0;
        raw_split(raw, RAW_READ, message + 10, 13, 5);
        for (i = 0; total < 3011; i++) {
            uint32_t size = g_test_rand_int_range(1, 700);

            size = MIN(size, 3011 - total);
            raw->flags = g_test_rand_bit() ? persistent : 0;
            raw_segment(raw, RAW_WRITE, g_test_rand_int_range(0, 3000), size);
            total += size;
        }
        raw_expect(raw, XEN_VIRTFSIF_RSP_OKAY);
        raw_check_read(raw, round, 3000);
        raw_keep(raw);
        raw_free(raw);
    }
    raw_down_persistent(a);
}

/* ---- Grants that cannot be accessed ---- */

/* Where we would write, the grant is read-only. */
static void test_readonly(gconstpointer data)
{
    static const uint32_t counts[] = { 100, 20000, 65536 };
    Attack *a = up(data, LARGE);
    unsigned i, flags;

    for (i = 0; i < 2 * G_N_ELEMENTS(counts) && attack_lives(a); i++) {
        uint32_t count = counts[i / 2];
        uint8_t message[RAW_READ_SIZE];
        Raw *raw = raw_new(a);

        flags = i % 2 ? XEN_VIRTFSF_PERSISTENT : 0;
        raw->flags = flags;
        raw_read(message, 0, count);
        raw_split(raw, RAW_READ, message, sizeof(message), 4096);
        raw_split(raw, RAW_WRITE, NULL, 11 + count - 50, 4096);
        raw_slot(raw, RAW_WRITE, raw_page(raw, true)->ref, 0, 50);
        raw_expect(raw, XEN_VIRTFSIF_RSP_BAD_GRANT);
        if (flags) {
            raw_keep(raw);
        }
        raw_free(raw);
        attack_neighbour(a);
    }
    attack_expect(a, ATTACK_SERVES);
    raw_down_persistent(a);
}

/* A request that is granted read-only is enough, also if called persistent. */
static void test_readonly_request(gconstpointer data)
{
    Attack *a = up(data, LARGE);
    uint8_t message[RAW_CLUNK_SIZE];
    unsigned i;

    raw_clunk(message);
    for (i = 0; i < 4; i++) {
        Raw *raw = raw_new(a);
        VPage *page = raw_page(raw, true);

        memcpy(page->data, message, sizeof(message));
        raw_slot(raw, i % 2 ? XEN_VIRTFSF_PERSISTENT : 0, page->ref, 0,
                 sizeof(message));
        raw_split(raw, RAW_WRITE, NULL, 64, 64);
        raw_expect(raw, XEN_VIRTFSIF_RSP_OKAY);
        raw_free(raw);
    }
    attack_down(a);
}

/* One of the grants is no more, at the beginning, the middle or the end. */
static void test_revoked(gconstpointer data)
{
    Attack *a = up(data, LARGE);
    unsigned i;

    for (i = 0; i < 8 && attack_lives(a); i++) {
        Raw *raw = i % 2 ? raw_new_write(a, 0, 0, 20000, 2000, 'x')
                         : raw_new_read(a, 0, 0, 20000, 2000);
        unsigned which = i / 2 * (raw->pages->len - 1) / 3;
        VPage *page = g_ptr_array_index(raw->pages, which);

        g_ptr_array_remove_index(raw->pages, which);
        g_assert_true(vring_page_free(raw->ring, page));
        raw_expect(raw, XEN_VIRTFSIF_RSP_BAD_GRANT);
        raw_free(raw);
        attack_neighbour(a);
    }
    attack_expect(a, ATTACK_SERVES);
    attack_down(a);
}

/* A grant is ended, as far as Xen lets, while its request is running. */
static void test_revoked_running(gconstpointer data)
{
    const char *more[] = {
        "grant-policy", data, "throttling/bps-total", "65536", NULL
    };
    Attack *a = attack_up_with(more);
    unsigned i, which;
    int status;

    attack_connect(a, 1, LARGE);
    for (i = 0; i < 3 && attack_lives(a); i++) {
        Raw *raw = raw_new_read(a, 0, 0, 20000, 4096);
        VPage *page;

        raw_send(raw);
        g_usleep(20000);
        which = raw->pages->len - 1 - i;
        page = g_ptr_array_index(raw->pages, which);
        if (loop_grant_end(a->f->loop, a->f->domid, page->ref) == 0) {
            loop_pages_free(a->f->loop, a->f->domid, page->gfn, 1);
            g_free(g_ptr_array_remove_index(raw->pages, which));
            raw->ring->pages--;
        }
        status = raw_wait(raw, RAW_MS);
        if (status != XEN_VIRTFSIF_RSP_OKAY &&
            status != XEN_VIRTFSIF_RSP_BAD_GRANT) {
            attack_fail(a, "the status is %d", status);
        }
        raw_free(raw);
    }
    attack_expect(a, ATTACK_SERVES);
    attack_down(a);
}

/* ---- Faults ---- */

static const struct {
    LoopFaultPoint point;
    const char *name;
    int error;
} points[] = {
    { LOOP_FAULT_GNT_MAP, "map", GNTST_no_space },
    { LOOP_FAULT_GNT_MAP, "map-again", GNTST_eagain },
    { LOOP_FAULT_GNT_COPY, "copy", GNTST_general_error },
    { LOOP_FAULT_GNT_COPY_CALL, "copycall", ENOMEM },
    { LOOP_FAULT_GNT_MMAP, "mmap", ENOMEM },
    /* Last: what it hits stays mapped. */
    { LOOP_FAULT_GNT_UNMAP, "unmap", GNTST_general_error },
};

/* Transactions of several kinds, each of which is done or says it is not. */
static void run_several(Attack *a, const char *fault)
{
    Raw *raws[] = {
        raw_new_read(a, 0, 0, 3000, 500),
        raw_new_read(a, XEN_VIRTFSF_PERSISTENT, 9, 9000, 4096),
        raw_new_write(a, 0, 0, 9000, 4000, 'x'),
        raw_new_read(a, 0, 0, 60000, 4096),
    };
    unsigned i;

    raw_describe(raws[3], 4);
    for (i = 0; i < G_N_ELEMENTS(raws); i++) {
        int status = raw_run(raws[i]);

        if (status != XEN_VIRTFSIF_RSP_OKAY &&
            status != XEN_VIRTFSIF_RSP_BAD_GRANT) {
            attack_fail(a, "%s: the status is %d", fault, status);
        }
    }
    for (i = 0; i < G_N_ELEMENTS(raws); i++) {
        if (i == 1 || a->leaks) {
            raw_keep(raws[i]);
        }
        raw_free(raws[i]);
    }
}

/* The @nth call of a kind fails; returns whether there was one. */
static bool run_fault(Attack *a, unsigned point, unsigned nth)
{
    LoopFault rule = loop_fault_rule(points[point].point,
                                     points[point].error);
    uint64_t offset = 10000 + nth;
    bool hit;
    Raw *raw;
    int rule_nr;

    rule.pid = a->f->backend_pid;
    rule.nth = nth;
    rule.op = nth % 2 ? -1 : 0;
    rule_nr = loop_fault_set(a->f->loop, &rule);
    run_several(a, points[point].name);
    hit = loop_fault_hits(a->f->loop, rule_nr);
    loop_fault_clear(a->f->loop, rule_nr);

    /* Not where the write was, which may have been refused. */
    raw = raw_new_read(a, 0, offset, 100, 100);
    raw_expect(raw, XEN_VIRTFSIF_RSP_OKAY);
    raw_check_read(raw, offset, 100);
    raw_free(raw);
    return hit;
}

/* What was not unmapped stays so: it lives, and serves its neighbour. */
static void down_leaking(Attack *a)
{
    attack_neighbour(a);
    fixture_stop(a->f);
    raw_end_all(a);
    fixture_down(a->f);
    g_free(a->data);
    g_free(a);
}

/* Each call of each kind fails once. */
static void test_faults(gconstpointer data)
{
    Attack *a = up(data, LARGE);
    unsigned p, nth;

    for (p = 0; p < G_N_ELEMENTS(points); p++) {
        a->leaks = points[p].point == LOOP_FAULT_GNT_UNMAP;
        for (nth = 1; nth <= 40 && attack_lives(a); nth++) {
            if (!run_fault(a, p, nth)) {
                break;
            }
        }
        g_test_message("%s: %u calls", points[p].name, nth - 1);
    }
    attack_expect(a, ATTACK_SERVES);
    down_leaking(a);
}

/* No mapping for a while: it waits, and others do not. */
static void test_exhausted(gconstpointer data)
{
    Attack *a = up("map", LARGE);
    bool ends = GPOINTER_TO_INT(data);
    LoopFault rule = loop_fault_rule(LOOP_FAULT_GNT_MAP, GNTST_no_space);
    Raw *raw = raw_new_read(a, 0, 5, 20000, 4096);
    gint64 start = g_get_monotonic_time(), took;
    unsigned reads = 0;
    int status = RAW_NONE;

    rule.times = ends ? 5 : 0;
    rule.pid = a->f->backend_pid;
    loop_fault_set(a->f->loop, &rule);
    raw_send(raw);
    while (status == RAW_NONE && attack_lives(a)) {
        attack_neighbour(a);
        reads++;
        status = raw_wait(raw, 0);
    }
    took = (g_get_monotonic_time() - start) / 1000;
    loop_fault_clear(a->f->loop, -1);
    g_test_message("after %d ms and %u reads of the neighbour: %d",
                   (int)took, reads, status);
    g_assert_cmpint(status, ==, ends ? XEN_VIRTFSIF_RSP_OKAY
                                     : XEN_VIRTFSIF_RSP_BAD_GRANT);
    g_assert_cmpint(took, <, 1000);
    g_assert_cmpint(took, >=, ends ? 30 : 150);
    if (ends) {
        raw_check_read(raw, 5, 20000);
    }
    raw_free(raw);
    attack_expect(a, ATTACK_SERVES);
    attack_down(a);
}

/* "auto" copies what cannot be mapped. */
static void test_auto_copies(void)
{
    Attack *a = up("auto", LARGE);
    LoopFault rule = loop_fault_rule(LOOP_FAULT_GNT_MAP, GNTST_no_space);
    Raw *raw;

    rule.times = 0;
    rule.pid = a->f->backend_pid;
    loop_fault_set(a->f->loop, &rule);
    raw = raw_new_read(a, 0, 0, ATTACK_FILE_SIZE, 4096);
    raw_expect(raw, XEN_VIRTFSIF_RSP_OKAY);
    raw_check_read(raw, 0, ATTACK_FILE_SIZE);
    raw_free(raw);
    raw = raw_new_read(a, XEN_VIRTFSF_PERSISTENT, 0, 9000, 4096);
    raw_expect(raw, XEN_VIRTFSIF_RSP_OKAY);
    raw_check_read(raw, 0, 9000);
    raw_free(raw);
    loop_fault_clear(a->f->loop, -1);
    attack_down(a);
}

static void add(const char *name, GTestDataFunc func)
{
    unsigned i;

    for (i = 0; i < G_N_ELEMENTS(policies); i++) {
        g_autofree char *path = g_strdup_printf("/virtfs/%s/%s", name,
                                                policies[i]);

        g_test_add_data_func(path, policies[i], func);
    }
}

int main(int argc, char **argv)
{
    g_setenv("LOOP_PROTOCOL", "virtfs", TRUE);
    g_test_init(&argc, &argv, NULL);
    add("same-bytes", test_same_bytes);
    add("mixed", test_mixed);
    add("readonly", test_readonly);
    add("readonly-request", test_readonly_request);
    add("revoked", test_revoked);
    add("revoked-running", test_revoked_running);
    add("faults", test_faults);
    g_test_add_data_func("/virtfs/exhausted/for-a-while", GINT_TO_POINTER(1),
                         test_exhausted);
    g_test_add_data_func("/virtfs/exhausted/for-ever", GINT_TO_POINTER(0),
                         test_exhausted);
    g_test_add_func("/virtfs/auto-copies", test_auto_copies);
    return g_test_run();
}
