/*
 * Unit tests of hw/9pfs/xen-9p-turn.c
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "hw/9pfs/xen-9p-turn.h"

#define US 1000
#define MS (1000 * US)

/* What the loop itself takes, each time round. */
#define LOOP (2 * US)

typedef struct Device {
    Xen9pTurn turn;
    int64_t one;                /* how long one thing takes it */
    bool greedy;                /* there is always more to do */
    int64_t got;
} Device;

static void join(Device *devices, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        xen_9p_turn_join(&devices[i].turn);
    }
}

static void leave(Device *devices, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        xen_9p_turn_leave(&devices[i].turn);
    }
}

/* One time round the main loop; returns when it is over. */
static int64_t go_round(Device *devices, unsigned n, int64_t now)
{
    for (unsigned i = 0; i < n; i++) {
        Device *d = &devices[i];
        int64_t begin = now;

        if (!d->one || xen_9p_turn_begin(&d->turn, now) > 0) {
            continue;
        }
        do {
            now += d->one;
        } while (d->greedy && now < d->turn.end);
        xen_9p_turn_end(&d->turn, now, d->greedy);
        d->got += now - begin;
    }
    return now + LOOP;
}

static void run(Device *devices, unsigned n, int64_t from, int64_t time)
{
    for (int64_t now = from; now < from + time;) {
        now = go_round(devices, n, now);
    }
}

static void test_alone(void)
{
    Device d = { .one = 30 * US, .greedy = true };
    int64_t now = 5 * MS;

    join(&d, 1);
    for (unsigned i = 0; i < 10; i++) {
        int64_t end = go_round(&d, 1, now);

        g_assert_cmpint(end - now, ==, 120 * US + LOOP);
        now = end;
    }
    leave(&d, 1);
}

/* Fifteen devices with little to do keep most of what they had. */
static void test_greedy(gconstpointer one)
{
    Device devices[16];
    int64_t had, kept;

    memset(devices, 0, sizeof(devices));
    for (unsigned i = 1; i < G_N_ELEMENTS(devices); i++) {
        devices[i].one = 8 * US;
    }
    join(devices, G_N_ELEMENTS(devices));
    run(devices, G_N_ELEMENTS(devices), 0, 500 * MS);
    had = devices[7].got;
    devices[0].one = GPOINTER_TO_INT(one);
    devices[0].greedy = true;
    run(devices, G_N_ELEMENTS(devices), 1000 * MS, 500 * MS);
    kept = devices[7].got - had;
    g_assert_cmpint(kept * 100, >, had * 90);
    /* It gets something, too. */
    g_assert_cmpint(devices[0].got * 100, >, kept * 30);
    leave(devices, G_N_ELEMENTS(devices));
}

/* Where all have more to do than they can, none holds the others down. */
static void test_all_greedy(void)
{
    Device devices[4];

    memset(devices, 0, sizeof(devices));
    for (unsigned i = 0; i < G_N_ELEMENTS(devices); i++) {
        devices[i].one = 10 * US;
        devices[i].greedy = true;
    }
    join(devices, G_N_ELEMENTS(devices));
    run(devices, G_N_ELEMENTS(devices), 0, 10 * MS);
    for (unsigned i = 0; i < G_N_ELEMENTS(devices); i++) {
        g_assert_cmpint(devices[i].turn.used, ==, XEN_9P_TURN_MAX);
    }
    leave(devices, G_N_ELEMENTS(devices));
}

/* One that has nothing to do any more is not to be reckoned with. */
static void test_gone_quiet(void)
{
    Device devices[2] = {
        { .one = 10 * US, .greedy = true }, { .one = 5 * US },
    };

    join(devices, 2);
    run(devices, 2, 0, 10 * MS);
    g_assert_cmpint(devices[0].turn.used, <, 20 * US);
    devices[1].one = 0;
    run(devices, 2, 10 * MS, 10 * MS);
    g_assert_cmpint(devices[0].turn.used, ==, XEN_9P_TURN_MAX);
    leave(devices, 2);
}

/* However long one thing takes, the wait for it is limited. */
static void test_debt(void)
{
    Device devices[2] = {
        { .one = 1000 * MS, .greedy = true }, { .one = 5 * US },
    };
    int64_t now, got;

    join(devices, 2);
    now = go_round(devices, 2, 0);
    now = go_round(devices, 2, now);
    got = devices[0].got;
    devices[0].one = 5 * US;
    g_assert_cmpint(xen_9p_turn_begin(&devices[0].turn, now), >, 900 * US);
    run(devices, 2, now, 2 * XEN_9P_TURN_DEBT * XEN_9P_TURN_WAIT);
    g_assert_cmpint(devices[0].got, >, got);
    leave(devices, 2);
}

/* A device that has nothing more to do does not wait for what it took. */
static void test_content(void)
{
    Device devices[2] = {
        { .one = 5 * MS }, { .one = 5 * US },
    };
    int64_t now;

    join(devices, 2);
    now = go_round(devices, 2, 0);
    g_assert_cmpint(xen_9p_turn_begin(&devices[0].turn, now), ==, 0);
    leave(devices, 2);
}

/* Whether a device may hold the main loop with nothing to do. */
static void test_nobody_waits(void)
{
    Device devices[2] = {
        { .one = 5 * US }, { .one = 5 * US },
    };
    const Xen9pTurn *turn = &devices[0].turn;
    int64_t now;

    join(devices, 1);
    now = go_round(devices, 1, 0);
    g_assert_true(xen_9p_turn_alone(turn, now));
    join(&devices[1], 1);
    g_assert_true(xen_9p_turn_alone(turn, now));
    now = go_round(devices, 2, now);
    g_assert_false(xen_9p_turn_alone(turn, now));
    g_assert_true(xen_9p_turn_alone(turn, now + XEN_9P_TURN_RECENT));
    /* However long ago that was: it waits for its turn. */
    devices[1].greedy = true;
    now = go_round(devices, 2, now);
    g_assert_false(xen_9p_turn_alone(turn, now + XEN_9P_TURN_RECENT));
    leave(&devices[1], 1);
    g_assert_true(xen_9p_turn_alone(turn, now));
    leave(devices, 1);
}

static void test_leave(void)
{
    Device devices[2] = {
        { .one = 10 * US, .greedy = true }, { .one = 5 * US },
    };

    join(devices, 2);
    run(devices, 2, 0, 1 * MS);
    leave(&devices[1], 1);
    leave(&devices[1], 1);
    g_assert_cmpint(devices[1].turn.end, ==, INT64_MAX);
    run(devices, 1, 2 * MS, 1 * MS);
    g_assert_cmpint(devices[0].turn.used, ==, XEN_9P_TURN_MAX);
    leave(devices, 1);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/turn/alone", test_alone);
    g_test_add_data_func("/turn/greedy/short", GINT_TO_POINTER(2 * US),
                         test_greedy);
    g_test_add_data_func("/turn/greedy/usual", GINT_TO_POINTER(8 * US),
                         test_greedy);
    g_test_add_data_func("/turn/greedy/long", GINT_TO_POINTER(300 * US),
                         test_greedy);
    g_test_add_func("/turn/all-greedy", test_all_greedy);
    g_test_add_func("/turn/gone-quiet", test_gone_quiet);
    g_test_add_func("/turn/debt", test_debt);
    g_test_add_func("/turn/content", test_content);
    g_test_add_func("/turn/nobody-waits", test_nobody_waits);
    g_test_add_func("/turn/leave", test_leave);
    return g_test_run();
}
