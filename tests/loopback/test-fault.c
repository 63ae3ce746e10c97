/*
 * Faults: every call of the backend fails once, at every step, one by one
 *
 * A rule hits the nth call of a kind that the backend makes in a step of a
 * device's life; n goes up until the step has no such call. After each, the
 * backend lives, its other device is served, and the device can be used
 * again; at the end nothing is left.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <string.h>

#include "attack.h"

/* More calls of a kind than any step has. */
#define MAX_NTH 80

/* How long a step may take that has been hit. */
#define STEP_MS 400
#define SETTLE_US (20 * 1000)

/* Of each unmapping: all together more than calls that hang are waited for. */
#define UNMAP_US (300 * 1000)

typedef struct Kind {
    const char *name;
    LoopFault rule;
    bool lost;                  /* may cost the device, see restore() */
    bool leaks;                 /* what is not unmapped stays mapped */
} Kind;

#define RULE(kind, which, ...) \
    { .point = LOOP_FAULT_##kind, .domid = -1, .op = which, __VA_ARGS__ }

static const Kind kinds[] = {
    { "gntopen", RULE(GNT_OPEN, -1, .error = EMFILE), false, false },
    { "map", RULE(GNT_MAP, -1, .error = GNTST_general_error), false, false },
    { "map-first", RULE(GNT_MAP, 0, .error = GNTST_bad_gntref), false, false },
    { "map-third", RULE(GNT_MAP, 2, .error = GNTST_eagain), false, false },
    { "map-late", RULE(GNT_MAP, -1, .delay_us = 20000), false, false },
    { "unmap", RULE(GNT_UNMAP, -1, .error = GNTST_general_error), false, true },
    { "unmap-late", RULE(GNT_UNMAP, -1, .delay_us = 20000), false, false },
    { "mmap", RULE(GNT_MMAP, -1, .error = ENOMEM), false, false },
    { "copy", RULE(GNT_COPY, -1, .error = GNTST_general_error), false, false },
    { "evtopen", RULE(EVTCHN_OPEN, -1, .error = EMFILE), true, false },
    { "bind", RULE(EVTCHN_BIND, -1, .error = ENOSPC), false, false },
    { "notify-lost", RULE(EVTCHN_NOTIFY, -1, .lose = true), false, false },
    { "notify-late", RULE(EVTCHN_NOTIFY, -1, .delay_us = 20000), false, false },
    { "notify-thrice", RULE(EVTCHN_NOTIFY, -1, .repeat = 3), false, false },
    { "xsread", RULE(XS_READ, -1, .error = EIO), true, false },
    { "xswrite", RULE(XS_WRITE, -1, .error = EIO), true, false },
    { "xsend", RULE(XS_END, -1, .error = EAGAIN), true, false },
};

/* ---- Steps ---- */

/* Where a step begins. */
typedef enum From {
    FROM_NOTHING,
    FROM_OFFERED,
    FROM_CONNECTED
} From;

typedef struct Step {
    const char *name;
    From from;
    void (*run)(Attack *a);
} Step;

static void add(Attack *a)
{
    g_autofree char *bad = g_build_filename(a->f->share, "bad", NULL);

    a->bad = fixture_device(a->f, &(DeviceOpts) { .path = bad });
    a->bad->timeout_ms = ATTACK_STATE_MS;
}

static void run_add(Attack *a)
{
    add(a);
    fe_wait_state(a->bad, FE_STATE(InitWait) | FE_STATE(Closing), STEP_MS);
}

static void run_connect(Attack *a)
{
    Fe *fe = a->bad;

    fe_alloc(fe, 2, 2);
    fe_publish(fe);
    fe_set_state(fe, XenbusStateInitialised);
    if (fe_wait_state(fe, FE_STATE(Connected) | FE_STATE(Closing), STEP_MS) ==
        XenbusStateConnected) {
        fe_set_state(fe, XenbusStateConnected);
    }
}

/*
 * Whether all reads have their replies of @got bytes. On virtfs a fault may
 * cost a reply, but never a response.
 */
static bool answered(Fe *fe, unsigned got)
{
    return fe->virtfs ? !attack_unread(fe, 0) && !attack_unread(fe, 1)
                      : got >= 8 * (11 + 900);
}

/* An event may be lost or late: a frontend that wants its reply asks again. */
static void run_request(Attack *a)
{
    Fe *fe = a->bad;
    unsigned got = 0, waited, i;

    for (i = 0; i < 8; i++) {
        attack_request(fe, i % 2, P9_TREAD, 900 + i, "dqd", 1u, (uint64_t)0,
                       900u);
    }
    for (waited = 0; waited < STEP_MS && !answered(fe, got); waited++) {
        for (i = 0; i < 2; i++) {
            got += attack_skip(fe, i);
            if (waited % 50 == 49) {
                fe_kick(fe, i);
            }
        }
        g_usleep(1000);
    }
    if (!answered(fe, got)) {
        attack_fail(a, "%u bytes of replies to eight reads", got);
    }
}

static void run_disconnect(Attack *a)
{
    Fe *fe = a->bad;
    unsigned i;

    for (i = 0; i < 8; i++) {
        attack_request(fe, i % 2, P9_TREAD, 900 + i, "dqd", 1u, (uint64_t)0,
                       900u);
    }
    fe_set_state(fe, XenbusStateClosing);
    fe_wait_state(fe, FE_STATE(Closing), STEP_MS);
    fe_set_state(fe, XenbusStateClosed);
    fe_wait_state(fe, FE_STATE(Closed), STEP_MS);
}

static bool unused(Attack *a)
{
    return a->leaks || attack_unused(a);
}

static void run_remove(Attack *a)
{
    device_remove(a->f->guest, a->f->type, 0);
    attack_wait(a, unused, STEP_MS);
}

static const Step steps[] = {
    { "add", FROM_NOTHING, run_add },
    { "connect", FROM_OFFERED, run_connect },
    { "request", FROM_CONNECTED, run_request },
    { "disconnect", FROM_CONNECTED, run_disconnect },
    { "remove", FROM_CONNECTED, run_remove },
};

/* ---- Between them ---- */

/* Go on with a new frontend: the old one's grants stay in use. */
static void replace_frontend(Attack *a)
{
    Fe *old = a->bad;

    a->bad = fe_new(a->f->guest, old->type, old->devid);
    a->bad->alive = old->alive;
    a->bad->alive_opaque = old->alive_opaque;
    g_ptr_array_add(a->f->fes, a->bad);
}

static bool close_and_reset(Attack *a, int timeout_ms)
{
    Fe *fe = a->bad;

    fe_set_state(fe, XenbusStateClosing);
    if (fe_wait_state(fe, FE_STATE(Closing) | FE_STATE(Closed),
                      timeout_ms) < 0) {
        return false;
    }
    fe_set_state(fe, XenbusStateClosed);
    if (fe_wait_state(fe, FE_STATE(Closed), timeout_ms) < 0) {
        return false;
    }
    if (a->leaks) {
        replace_frontend(a);
    } else {
        fe_drop(fe);
    }
    fe_set_state(fe, XenbusStateInitialising);
    return fe_wait_state(fe, FE_STATE(InitWait), timeout_ms) >= 0;
}

/* Remove the device, and forget its frontend. */
static bool discard(Attack *a)
{
    fixture_abandon(a->f, a->bad);
    if (!attack_wait(a, unused, ATTACK_STATE_MS)) {
        attack_fail(a, "the grants of a removed device are in use");
        return false;
    }
    if (!a->leaks) {
        g_ptr_array_remove(a->f->fes, a->bad);
        fe_free(a->bad);
    }
    return true;
}

/*
 * Bring the device to InitWait. QEMU's framework (xen-legacy-backend.c) drops
 * a device when it cannot read from xenstore or open its event channels, so
 * that the toolstack has to remove it and add it again; @lost says that this
 * may be so, and is not worth a long wait.
 */
static bool restore(Attack *a, bool again, bool lost)
{
    if (!again && close_and_reset(a, lost ? STEP_MS : ATTACK_STATE_MS)) {
        return true;
    }
    if (!discard(a)) {
        return false;
    }
    add(a);
    if (fe_wait_state(a->bad, FE_STATE(InitWait), ATTACK_STATE_MS) < 0) {
        attack_fail(a, "the device does not come back");
        return false;
    }
    return again;
}

static bool prepare(Attack *a, From from)
{
    switch (from) {
    case FROM_NOTHING:
        return discard(a);
    case FROM_CONNECTED:
        return fe_connect(a->bad, 2, 2) && attack_open(a, a->bad);
    default:
        return true;
    }
}

typedef struct Test {
    const Kind *kind;
    const Step *step;
} Test;

/* Run the step with a rule; returns whether that was hit. */
static bool run_round(Attack *a, const Test *test, uint32_t nth,
                      uint32_t times)
{
    LoopFault rule = test->kind->rule;
    unsigned hits, before = attack_log(a);
    int number;

    if (!prepare(a, test->step->from)) {
        attack_fail(a, "call %u: it does not get ready", nth);
        return false;
    }
    if (test->kind->lost && test->step->from == FROM_CONNECTED) {
        /* A late look at the last change of state is not this step's. */
        g_usleep(SETTLE_US);
    }
    rule.pid = a->f->backend_pid;
    rule.nth = nth;
    rule.times = times;
    number = loop_fault_set(a->f->loop, &rule);
    test->step->run(a);
    if (!times && !rule.lose) {
        attack_neighbour(a);
    }
    hits = loop_fault_hits(a->f->loop, number);
    loop_fault_clear(a->f->loop, number);
    attack_neighbour(a);
    if (attack_lives(a) && !restore(a, test->step->run == run_remove,
                                     test->kind->lost)) {
        g_test_message("call %u: it had to be removed and added again", nth);
        if (!test->kind->lost) {
            attack_fail(a, "call %u has cost the device", nth);
        }
    }
    /* Lines of faults that are not the guest's doing are no flood. */
    a->log_lines += attack_log(a) - before;
    return hits;
}

/*
 * Faults that QEMU's framework does not survive, whatever a backend does:
 * xen_be_check_state() goes on for ever while a state cannot be written, and
 * a second xen_be_try_setup() leaves the watch of the first behind. With
 * LOOP_KNOWN set they are tried.
 */
static bool is_known(const Test *test)
{
    return test->kind->rule.point == LOOP_FAULT_XS_WRITE &&
        (test->step->run == run_add || test->step->run == run_connect) &&
        !g_getenv("LOOP_KNOWN");
}

/* One call at a time. */
static void test_each(gconstpointer data)
{
    const Test *test = data;
    Attack *a = attack_up();
    unsigned nth = is_known(test) && test->step->run == run_add ? 1 : 0;

    a->leaks = test->kind->leaks;
    do {
        nth++;
    } while (run_round(a, test, nth, 1) && nth < MAX_NTH &&
             !g_test_failed());
    g_test_message("%u calls were hit", nth - 1);
    attack_down(a);
}

/* All calls, from the first of the step on. */
static void test_all(gconstpointer data)
{
    const Test *test = data;
    Attack *a;

    if (is_known(test)) {
        g_test_incomplete("QEMU's framework does not survive it");
        return;
    }
    a = attack_up();
    a->leaks = test->kind->leaks;
    run_round(a, test, 1, 0);
    attack_down(a);
}

/* Every round begins with a frontend that starts again. */
static void skip(gconstpointer data G_GNUC_UNUSED)
{
    g_test_skip("it serves no frontend a second time");
}

/*
 * Unmapping that takes its time is no call that hangs: Closed comes after it,
 * and the log says nothing.
 */
static void test_unmap_slow(gconstpointer data G_GNUC_UNUSED)
{
    LoopFault rule = loop_fault_rule(LOOP_FAULT_GNT_UNMAP, 0);
    Attack *a = attack_up();
    unsigned before;

    attack_connect(a, 2, 2);
    before = attack_log(a);
    rule.pid = a->f->backend_pid;
    rule.times = 0;
    rule.delay_us = UNMAP_US;
    loop_fault_set(a->f->loop, &rule);
    attack_again(a, 2, 2);
    loop_fault_clear(a->f->loop, -1);
    g_assert_cmpuint(attack_log(a), ==, before);
    attack_down(a);
}

int main(int argc, char **argv)
{
    bool again = fixture_backend() != BACKEND_XEN_9PFSD;
    static Test tests[G_N_ELEMENTS(kinds)][G_N_ELEMENTS(steps)];
    unsigned i, n;

    g_test_init(&argc, &argv, NULL);
    for (i = 0; i < G_N_ELEMENTS(kinds); i++) {
        for (n = 0; n < G_N_ELEMENTS(steps); n++) {
            g_autofree char *each = g_strdup_printf(
                "/fault/each/%s/%s", steps[n].name, kinds[i].name);
            g_autofree char *all = g_strdup_printf(
                "/fault/all/%s/%s", steps[n].name, kinds[i].name);

            tests[i][n] = (Test) { &kinds[i], &steps[n] };
            g_test_add_data_func(each, &tests[i][n],
                                 again ? test_each : skip);
            if (fixture_virtfs() && kinds[i].rule.point ==
                LOOP_FAULT_GNT_COPY) {
                /* The neighbour would have none either. */
                continue;
            }
            g_test_add_data_func(all, &tests[i][n],
                                 again ? test_all : skip);
        }
    }
    g_test_add_data_func("/fault/unmap-slow", NULL,
                         again ? test_unmap_slow : skip);
    return g_test_run();
}
