/*
 * -device xen-9pfs: for a guest that keeps writing to its own nodes
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "shares.h"

/* What QMP takes for a device, whatever the guest does. */
#define ANSWER_S 3.0

/*
 * xenstored lets a guest write some two hundred times a second while others
 * have transactions. QEMU takes so long for one that there are several in it.
 */
#define COMMIT_US 30000

/* A node of a device of the guest's own, which it keeps writing. */
typedef struct Scribbler {
    Fixture *f;
    const char *path, *value;
    pthread_t thread;
    int stop;
    unsigned written;
} Scribbler;

static void *scribbler_run(void *opaque)
{
    Scribbler *s = opaque;

    s->written = gxs_storm(s->f->guest->xs, s->path, s->value, &s->stop);
    return NULL;
}

static void scribbler_start(Scribbler *s, Fixture *f)
{
    LoopFault slow = loop_fault_rule(LOOP_FAULT_XS_END, 0);

    slow.pid = f->backend_pid;
    slow.times = 0;
    slow.delay_us = COMMIT_US;
    loop_fault_set(f->loop, &slow);
    s->f = f;
    g_assert_cmpint(pthread_create(&s->thread, NULL, scribbler_run, s), ==,
                    0);
    g_usleep(20000);
}

static void scribbler_stop(Scribbler *s)
{
    g_atomic_int_set(&s->stop, 1);
    pthread_join(s->thread, NULL);
    loop_fault_clear(s->f->loop, -1);
    g_test_message("%u times written", s->written);
    g_assert_cmpuint(s->written, >, 100);
}

static double seconds_since(gint64 start)
{
    return (g_get_monotonic_time() - start) / 1e6;
}

/*
 * Device 0 is there, the guest keeps writing its tag: devices come and go
 * beside it, and it goes itself.
 */
static void test_add_and_del(void)
{
    Scribbler s = { .path = "device/9pfs/0/tag", .value = "tag0" };
    Fixture *f = shares_up();
    unsigned i;
    Qmp *qmp;

    if (!f) {
        return;
    }
    fixture_start(f);
    qmp = qmp_new(f);
    shares_done(shares_add(f, qmp, "zero", "tag0", ""));
    scribbler_start(&s, f);
    for (i = 0; i < 10; i++) {
        gint64 start = g_get_monotonic_time();

        shares_done(shares_add(f, qmp, "one", "tag1", ""));
        g_assert_cmpint(shares_count(f, "9pfs"), ==, 2);
        shares_refused(shares_add(f, qmp, "two", "tag0", ""),
                       "tag 'tag0' is taken");
        shares_done(shares_run(qmp, "device_del", "\"id\": \"one\""));
        shares_done(shares_run(qmp, "device_del", "\"id\": \"zero\""));
        g_assert_cmpint(shares_count(f, "9pfs"), ==, 0);
        shares_done(shares_add(f, qmp, "zero", "tag0", ""));
        g_assert_cmpint(shares_count(f, "9pfs"), ==, 1);
        g_assert_cmpfloat(seconds_since(start), <, ANSWER_S);
    }
    scribbler_stop(&s);
    shares_use(f, "9pfs", 0);
    qmp_free(qmp);
    fixture_down(f);
}

/* QEMU ends, and takes its devices with it. */
static void test_end(void)
{
    Scribbler s = { .path = "device/9pfs/0/tag", .value = "tag0" };
    Fixture *f = shares_up();
    gint64 start;
    Qmp *qmp;

    if (!f) {
        return;
    }
    fixture_start(f);
    qmp = qmp_new(f);
    shares_done(shares_add(f, qmp, "zero", "tag0", ""));
    qmp_free(qmp);
    scribbler_start(&s, f);
    start = g_get_monotonic_time();
    fixture_stop(f);
    g_assert_cmpfloat(seconds_since(start), <, ANSWER_S);
    scribbler_stop(&s);
    g_assert_cmpint(shares_count(f, "9pfs"), ==, 0);
    fixture_down(f);
}

/* Whoever it is that changes xenstore all the time. */
static void test_no_commit(void)
{
    LoopFault rule = loop_fault_rule(LOOP_FAULT_XS_END, EAGAIN);
    Fixture *f = shares_up();
    gint64 start;
    Qmp *qmp;

    if (!f) {
        return;
    }
    fixture_start(f);
    qmp = qmp_new(f);
    shares_done(shares_add(f, qmp, "zero", "tag0", ""));
    rule.pid = f->backend_pid;
    rule.times = 0;
    loop_fault_set(f->loop, &rule);
    start = g_get_monotonic_time();
    shares_refused(shares_add(f, qmp, "one", "tag1", ""),
                   "nodes of domain 7 change all the time, pause the domain");
    g_assert_cmpint(shares_count(f, "9pfs"), ==, 1);
    shares_done(shares_run(qmp, "device_del", "\"id\": \"zero\""));
    g_assert_cmpint(shares_count(f, "9pfs"), ==, 0);
    g_assert_cmpfloat(seconds_since(start), <, ANSWER_S);
    loop_fault_clear(f->loop, -1);
    shares_done(shares_add(f, qmp, "one", "tag1", ""));
    shares_use(f, "9pfs", 0);
    qmp_free(qmp);
    fixture_down(f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/device/busy/add-and-del", test_add_and_del);
    g_test_add_func("/device/busy/end", test_end);
    g_test_add_func("/device/busy/no-commit", test_no_commit);
    return g_test_run();
}
