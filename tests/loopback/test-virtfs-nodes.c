/*
 * Virtfs: nodes, queues, and what they allow
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "fixture.h"

#define LARGE 9

/* @value of a node has to be refused, in a line that names it. */
static void refused(const char *node, const char *value, bool back)
{
    const char *more[] = { node, value, NULL };
    Fixture *f = fixture_up();
    Fe *fe = fixture_device(f, &(DeviceOpts) {
        .path = f->share, .more = back ? more : NULL
    });
    g_autofree char *why = NULL;

    fixture_start(f);
    if (!back) {
        g_assert_cmpint(fe_wait_state(fe, FE_STATE(InitWait), 5000), >=, 0);
        fe_alloc(fe, 2, LARGE);
        fe_publish(fe);
        fe_write(fe, node, value);
        fe_set_state(fe, XenbusStateInitialised);
    }
    g_assert_cmpint(fe_wait_state(fe, FE_STATE(Closing) | FE_STATE(Closed),
                                  5000), >=, 0);
    why = fixture_why(f, fe);
    if (!strstr(why, node)) {
        g_test_message("%s", why);
        g_test_fail();
    }
    fixture_abandon(f, fe);
    fixture_check(f);
    fixture_down(f);
}

static void test_nodes(void)
{
    static const struct {
        const char *node;
        const char *values[6];
        bool back;
    } cases[] = {
        { "grant-policy", { "", "both", "map|copy", "AUTO" }, true },
        { "multi-queue-num-queues", { "0", "9", "-1", "x", "" }, false },
        { "ring-page-order", { "5", "-1", "x", "" }, false },
        { "queue-0/ring-ref0", { "x", "-1", "" }, false },
        { "queue-1/ring-ref3", { "4294967296" }, false },
        { "queue-1/event-channel", { "x", "" }, false },
    };
    unsigned i, k;

    for (i = 0; i < G_N_ELEMENTS(cases); i++) {
        for (k = 0; cases[i].values[k]; k++) {
            refused(cases[i].node, cases[i].values[k], cases[i].back);
        }
    }
}

/* Every number of queues, every ring, of either form. */
static void test_queue_counts(void)
{
    Fixture *f = fixture_up();
    unsigned rings, order;

    fixture_file(f, "data", "hello", 5);
    for (rings = 1; rings <= 8; rings++) {
        for (order = 1; order <= 9; order += 4) {
            Fe *fe = fixture_connect(f, rings, order);
            char byte = 0;
            unsigned i;

            tattach({.fe = &fe->client, .msize = fe_msize(fe)});
            twalk({.fe = &fe->client, .fid = 0, .newfid = 1,
                   .path = "data"});
            tlopen({.fe = &fe->client, .fid = 1});
            for (i = 0; i < 2 * rings; i++) {
                tread({.fe = &fe->client, .fid = 1, .count = 1,
                       .offset = i % 5, .data = &byte,
                       .ring = P9_RING(i % rings)});
                g_assert_cmpint(byte, ==, "hello"[i % 5]);
            }
            fixture_drop(f, fe);
        }
    }
    fixture_check(f);
    fixture_down(f);
}

/* Each form has an msize of its own. */
static void test_msize(void)
{
    Fixture *f = fixture_up();
    Fe *fe = fixture_connect(f, 1, 1);
    uint32_t msize = 0;

    tversion({.fe = &fe->client, .msize = UINT32_MAX / 4, .rmsize = &msize});
    g_assert_cmpuint(msize, ==, 511 * 4096);
    fixture_drop(f, fe);
    fe = fixture_connect(f, 1, LARGE);
    tversion({.fe = &fe->client, .msize = UINT32_MAX / 4, .rmsize = &msize});
    g_assert_cmpuint(msize, ==, 1021 * 4096);
    fixture_close(f, fe);
    fixture_down(f);
}

int main(int argc, char **argv)
{
    g_setenv("LOOP_PROTOCOL", "virtfs", TRUE);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/virtfs/nodes", test_nodes);
    g_test_add_func("/virtfs/queue-counts", test_queue_counts);
    g_test_add_func("/virtfs/msize", test_msize);
    return g_test_run();
}
