/*
 * Hostile: states in every order, devices that come and go
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "attack.h"

#define NR_STATES 9

/* Between two states: the backend sees most of them one by one. */
#define STEP_US 250

static void write_state(Attack *a, unsigned state, unsigned pause_us)
{
    if (fe_write_int(a->bad, "state", state) < 0) {
        attack_fail(a, "the guest cannot write its state");
    }
    if (pause_us) {
        g_usleep(pause_us);
    }
}

/* Rings are there throughout, so that it can connect at any time. */
static Attack *up_with_rings(void)
{
    Attack *a = attack_up();

    fe_alloc(a->bad, 1, 1);
    fe_publish(a->bad);
    return a;
}

/* ---- Sequences ---- */

/*
 * A de Bruijn sequence over the states, by the standard recursion: every
 * sequence of @length is somewhere in it, after everything that came before.
 */
typedef struct Sequence {
    Attack *a;
    unsigned length;
    unsigned pause_us;
    uint8_t word[8];
} Sequence;

static void walk(Sequence *s, unsigned t, unsigned period)
{
    unsigned i, state;

    if (s->a->over || g_test_failed()) {
        return;
    }
    if (t > s->length) {
        for (i = 1; s->length % period == 0 && i <= period; i++) {
            write_state(s->a, s->word[i], s->pause_us);
        }
        if (s->word[1] % 2 == 0 && s->word[2] == 0 && s->word[3] == 0) {
            attack_neighbour(s->a);
        }
        return;
    }
    s->word[t] = s->word[t - period];
    walk(s, t + 1, period);
    for (state = s->word[t - period] + 1; state < NR_STATES; state++) {
        s->word[t] = state;
        walk(s, t + 1, t);
    }
}

static void test_sequences(gconstpointer data)
{
    Sequence s = {
        .length = GPOINTER_TO_UINT(data), .pause_us = STEP_US,
        .a = up_with_rings(),
    };

    walk(&s, 1, 1);
    attack_down(s.a);
}

/* All pairs, each from a device that serves. */
static void test_from_connected(void)
{
    Attack *a = attack_up();
    unsigned first, second;

    attack_connect(a, 1, 2);
    for (first = 0; first < NR_STATES; first++) {
        for (second = 0; second < NR_STATES; second++) {
            attack_request(a->bad, 0, P9_TREAD, 900, "dqd", 1u, (uint64_t)0,
                           4000u);
            write_state(a, first, STEP_US);
            write_state(a, second, STEP_US);
            if (!attack_again(a, 1, 2)) {
                attack_fail(a, "after states %u and %u", first, second);
                goto out;
            }
            attack_open(a, a->bad);
        }
    }
out:
    attack_down(a);
}

/* As fast as it goes: the backend sees whatever is there when it looks. */
static void test_storm(void)
{
    Attack *a = up_with_rings();
    unsigned i;

    for (i = 0; i < 4000 && attack_lives(a); i++) {
        write_state(a, g_random_int_range(0, NR_STATES), 0);
        if (i % 500 == 0) {
            attack_neighbour(a);
        }
    }
    attack_down(a);
}

/* Closing and coming back at once, with requests in flight. */
static void test_quick_return(void)
{
    static const unsigned ways[][4] = {
        { 5, 6, 1 }, { 6, 1 }, { 5, 1 }, { 1 }, { 0, 1 }, { 6, 5, 6, 1 },
    };
    Attack *a = attack_up();
    unsigned round, i;

    attack_connect(a, 1, 4);
    for (round = 0; round < 5 * G_N_ELEMENTS(ways); round++) {
        const unsigned *way = ways[round % G_N_ELEMENTS(ways)];

        for (i = 0; i < 8; i++) {
            attack_request(a->bad, 0, P9_TREAD, 900 + i, "dqd", 1u,
                           (uint64_t)0, 4000u);
        }
        for (i = 0; i < 4 && (way[i] || !i); i++) {
            write_state(a, way[i], round % 3 ? STEP_US : 0);
        }
        if (!attack_again(a, 1, 4) || !attack_open(a, a->bad)) {
            attack_fail(a, "way %u", round % (unsigned)G_N_ELEMENTS(ways));
            break;
        }
    }
    attack_down(a);
}

/* ---- The nodes go away ---- */

static void test_state_deleted(void)
{
    Attack *a = attack_up();
    GuestXs *xs = a->f->guest->xs;
    g_autofree char *state = g_strdup_printf("device/%s/0/state", a->f->type);
    unsigned i;

    for (i = 0; i < 20 && attack_lives(a); i++) {
        if (i ? !attack_again(a, 1, 2) : !fe_connect(a->bad, 1, 2)) {
            break;
        }
        attack_open(a, a->bad);
        attack_request(a->bad, 0, P9_TREAD, 900, "dqd", 1u, (uint64_t)0,
                       4000u);
        gxs_rm(xs, 0, state);
        g_usleep(i % 2 ? 2000 : 0);
        write_state(a, i % NR_STATES, i % 3 ? 1000 : 0);
    }
    attack_down(a);
}

/* The frontend's folder is removed, and made again as it was. */
static void test_folder_removed(void)
{
    Attack *a = attack_up();
    g_autofree char *front = device_frontend(a->f->type, a->f->domid, 0);
    g_autofree char *back = device_backend(a->f->type, a->f->domid, 0);
    struct xs_permissions perms[2] = {
        { .id = a->f->domid, .perms = XS_PERM_NONE },
        { .id = 0, .perms = XS_PERM_READ },
    };
    unsigned i;

    for (i = 0; i < 10 && attack_lives(a); i++) {
        if (i ? !attack_again(a, 1, 2) : !fe_connect(a->bad, 1, 2)) {
            break;
        }
        attack_open(a, a->bad);
        attack_request(a->bad, 0, P9_TREAD, 900, "dqd", 1u, (uint64_t)0,
                       4000u);
        xs_rm(a->f->xsh, XBT_NULL, front);
        g_usleep(i % 2 ? 3000 : 0);
        xs_write(a->f->xsh, XBT_NULL, front, "", 0);
        xs_set_permissions(a->f->xsh, XBT_NULL, front, perms, 2);
        fe_write(a->bad, "backend", back);
        fe_write(a->bad, "backend-id", "0");
        fe_write(a->bad, "tag", "share");
        write_state(a, XenbusStateInitialising, 1000);
    }
    attack_down(a);
}

/* ---- Devices come and go ---- */

/* Of 2,000 connections, with requests in flight at each end, nothing stays. */
static void test_reconnects(void)
{
    unsigned rounds = 2000, i, rss = 0;
    Attack *a = attack_up();
    LoopStats before, after;
    int fds = 0;

    attack_connect(a, 2, 3);
    for (i = 0; i < rounds; i++) {
        if (!attack_again(a, 1 + i % 2, 1 + i % 5) ||
            (i % 8 == 0 && !attack_open(a, a->bad))) {
            attack_fail(a, "round %u", i);
            break;
        }
        attack_request(a->bad, 0, P9_TREAD, 900, "dqd", 1u, (uint64_t)0,
                       1000u);
        if (i == 40) {
            loop_stats(a->f->loop, a->f->backend_pid, &before);
            rss = attack_rss_kib(a);
            fds = fixture_fds(a->f);
        }
    }
    loop_stats(a->f->loop, a->f->backend_pid, &after);
    if (attack_rss_kib(a) > rss + 8 * 1024) {
        attack_fail(a, "%u rounds: from %u to %u KiB", rounds, rss,
                    attack_rss_kib(a));
    }
    if (fixture_fds(a->f) > fds + 8 ||
        after.handles[LOOP_HANDLE_EVTCHN] >
        before.handles[LOOP_HANDLE_EVTCHN] + 2) {
        attack_fail(a, "%u rounds: descriptors or handles are left", rounds);
    }
    attack_down(a);
}

static void load(Attack *a)
{
    unsigned i;

    for (i = 0; i < 16; i++) {
        attack_request(a->bad, i % 2, P9_TREAD, 900 + i, "dqd", 1u,
                       (uint64_t)0, 4000u);
    }
}

/* The toolstack removes the device while requests are in flight. */
static void test_removed(void)
{
    Attack *a = attack_up();
    g_autofree char *bad = g_build_filename(a->f->share, "bad", NULL);
    unsigned i;

    attack_connect(a, 2, 4);
    for (i = 0; i < 10 && attack_lives(a); i++) {
        load(a);
        if (i % 2) {
            fixture_abandon(a->f, a->bad);
        } else {
            device_remove(a->f->guest, a->f->type, 0);
        }
        if (!attack_wait(a, attack_unused, ATTACK_STATE_MS)) {
            attack_fail(a, "round %u: its grants stay in use", i);
            break;
        }
        attack_neighbour(a);
        fe_drop(a->bad);
        a->bad = fixture_device(a->f, &(DeviceOpts) { .path = bad });
        if (!attack_try(a->bad, 2, 4) || !attack_open(a, a->bad)) {
            attack_fail(a, "round %u: a new device does not connect", i);
            break;
        }
    }
    attack_down(a);
}

/* Offline, the device serves on until it is closed, and then stays so. */
static void test_offline(void)
{
    Attack *a = attack_up();
    g_autofree char *back = device_backend(a->f->type, a->f->domid, 0);
    g_autofree char *online = g_strdup_printf("%s/online", back);

    attack_connect(a, 2, 4);
    load(a);
    xs_write(a->f->xsh, XBT_NULL, online, "0", 1);
    g_usleep(5000);
    attack_skip(a->bad, 0);
    attack_skip(a->bad, 1);
    attack_expect(a, ATTACK_SERVES);
    if (fe_disconnect(a->bad) != 0) {
        attack_fail(a, "it does not close");
    }
    fe_set_state(a->bad, XenbusStateInitialising);
    g_usleep(20000);
    if (fe_state(a->bad) == XenbusStateInitWait) {
        attack_fail(a, "it offers itself again while offline");
    }
    xs_write(a->f->xsh, XBT_NULL, online, "1", 1);
    attack_down(a);
}

/* The domain dies, and the toolstack drops its nodes, under load. */
static void test_domain_dies(void)
{
    Attack *a = attack_up();
    Fixture *f = a->f;
    g_autofree char *dir = g_strdup_printf("/local/domain/%u", f->domid);
    int waited;

    attack_connect(a, 2, 4);
    load(a);
    loop_domain_shutdown(f->loop, f->domid);
    xs_release_domain(f->xsh, f->domid);
    xs_rm(f->xsh, XBT_NULL, dir);
    load(a);
    device_remove(f->guest, f->type, 0);
    device_remove(f->guest, f->type, 1);
    for (waited = 0; waited < ATTACK_STATE_MS && attack_lives(a) &&
         loop_grants_in_use(f->loop, f->domid); waited++) {
        g_usleep(1000);
    }
    if (loop_grants_in_use(f->loop, f->domid)) {
        attack_fail(a, "its grants stay in use");
    }
    if (attack_lives(a)) {
        fixture_check(f);
    }
    fixture_down(f);
    g_free(a->data);
    g_free(a);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/hostile/state/sequences-of-2",
                         GUINT_TO_POINTER(2), test_sequences);
    g_test_add_data_func("/hostile/state/sequences-of-3",
                         GUINT_TO_POINTER(3), test_sequences);
    g_test_add_data_func("/hostile/state/sequences-of-4",
                         GUINT_TO_POINTER(4), test_sequences);
    g_test_add_func("/hostile/state/from-connected", test_from_connected);
    g_test_add_func("/hostile/state/storm", test_storm);
    g_test_add_func("/hostile/state/quick-return", test_quick_return);
    g_test_add_func("/hostile/state/deleted", test_state_deleted);
    g_test_add_func("/hostile/state/folder-removed", test_folder_removed);
    g_test_add_func("/hostile/device/reconnects", test_reconnects);
    g_test_add_func("/hostile/device/removed", test_removed);
    g_test_add_func("/hostile/device/offline", test_offline);
    g_test_add_func("/hostile/device/domain-dies", test_domain_dies);
    return g_test_run();
}
