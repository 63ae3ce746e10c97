/*
 * Virtfs: grants that stay mapped
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "virtfs-raw.h"

/* What the backend says it keeps mapped of persistent grants. */
#define KEPT 2048

static Attack *up(void)
{
    Attack *a = attack_up();

    attack_connect(a, 1, 1);
    return a;
}

static uint32_t in_use(Attack *a)
{
    return loop_grants_in_use(a->f->loop, a->f->domid);
}

/* They stay mapped, and are mapped once. */
static void test_kept(void)
{
    Attack *a = up();
    uint32_t before = in_use(a);
    LoopStats first, last;
    unsigned i;
    Raw *raw = raw_new_read(a, XEN_VIRTFSF_PERSISTENT, 0, 3000, 4096);

    raw_expect(raw, 0);
    g_assert_cmpuint(in_use(a), ==, before + raw->pages->len);
    loop_stats(a->f->loop, a->f->backend_pid, &first);
    for (i = 0; i < 100; i++) {
        raw_expect(raw, 0);
        raw_check_read(raw, 0, 3000);
    }
    loop_stats(a->f->loop, a->f->backend_pid, &last);
    g_assert_cmpuint(last.calls[LOOP_CALL_GNT_MAP], ==,
                     first.calls[LOOP_CALL_GNT_MAP]);
    g_assert_cmpuint(last.calls[LOOP_CALL_GNT_COPY], ==,
                     first.calls[LOOP_CALL_GNT_COPY]);
    raw_keep(raw);
    raw_free(raw);
    raw_down_persistent(a);
}

/* More of them than are kept: all are served, and no more are mapped. */
static void test_beyond_cap(void)
{
    enum { NUM = 3000, EACH = 100 };
    Attack *a = up();
    g_autofree VPage **pages = g_new(VPage *, NUM);
    uint8_t message[RAW_READ_SIZE];
    uint32_t before, most = 0;
    unsigned i, k, round;

    for (i = 0; i < NUM; i++) {
        pages[i] = vring_page(&a->bad->vrings[0], false);
        g_assert_nonnull(pages[i]);
    }
    before = in_use(a);
    raw_read(message, 0, EACH * 300 - 11);
    for (round = 0; round < 4 && attack_lives(a); round++) {
        for (i = 0; i + EACH <= NUM; i += EACH) {
            Raw *raw = raw_new(a);
            g_autoptr(GByteArray) reply = g_byte_array_new();

            raw_split(raw, RAW_READ, message, sizeof(message), 4096);
            for (k = 0; k < EACH; k++) {
                raw_slot(raw, RAW_WRITE | XEN_VIRTFSF_PERSISTENT,
                         pages[i + k]->ref, i + k, 300);
            }
            raw_expect(raw, 0);
            for (k = 0; k < EACH; k++) {
                g_byte_array_append(reply, pages[i + k]->data + i + k, 300);
                memset(pages[i + k]->data, 0, 4096);
            }
            g_assert_cmpmem(reply->data + 11, reply->len - 11, a->data,
                            reply->len - 11);
            raw_free(raw);
            most = MAX(most, in_use(a) - before);
        }
        /* Those of the round before have not been used for a while. */
        g_usleep(round == 1 ? 300000 : 0);
    }
    g_test_message("at most %u were mapped", most);
    g_assert_cmpuint(most, ==, KEPT);
    g_free(g_steal_pointer(&pages));
    raw_down_persistent(a);
}

/* What is not used for some time is unmapped. */
static void test_idle(void)
{
    Attack *a = up();
    uint32_t before = in_use(a);
    Raw *raw = raw_new_read(a, XEN_VIRTFSF_PERSISTENT, 0, 3000, 500);
    int waited;

    raw_expect(raw, 0);
    g_assert_cmpuint(in_use(a), >, before);
    g_usleep(8000000);
    g_assert_cmpuint(in_use(a), >, before);
    for (waited = 0; waited < 100 && in_use(a) > before; waited++) {
        g_usleep(100000);
    }
    g_assert_cmpuint(in_use(a), ==, before);
    raw_expect(raw, 0);
    raw_check_read(raw, 0, 3000);
    raw_keep(raw);
    raw_free(raw);
    raw_down_persistent(a);
}

int main(int argc, char **argv)
{
    g_setenv("LOOP_PROTOCOL", "virtfs", TRUE);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/virtfs/persistent/kept", test_kept);
    g_test_add_func("/virtfs/persistent/beyond-cap", test_beyond_cap);
    g_test_add_func("/virtfs/persistent/idle", test_idle);
    return g_test_run();
}
