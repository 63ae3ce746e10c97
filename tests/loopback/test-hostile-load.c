/*
 * Hostile: one device or one domain takes all it can get
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <pthread.h>
#include <string.h>

#include "attack.h"

#define STALL_MS 1000

/* How long the neighbour's slowest of some reads took, in ms. */
static unsigned slowest_read(Attack *a, unsigned for_ms)
{
    gint64 end = g_get_monotonic_time() + for_ms * 1000, slowest = 0;

    while (g_get_monotonic_time() < end && attack_neighbour(a)) {
        gint64 start = g_get_monotonic_time();

        g_usleep(1000);
        if (!attack_neighbour(a)) {
            break;
        }
        slowest = MAX(slowest, g_get_monotonic_time() - start);
    }
    return slowest / 1000;
}

/* The neighbour is served all the while, and in time. */
static void neighbour_served(Attack *a, unsigned for_ms)
{
    unsigned slowest = slowest_read(a, for_ms);

    g_test_message("the neighbour's slowest read took %u ms", slowest);
    if (slowest > STALL_MS) {
        attack_fail(a, "the neighbour waits %u ms", slowest);
    }
}

/* ---- A thread that does something all the time ---- */

typedef struct Worker {
    pthread_t thread;
    void (*work)(Fe *fe, unsigned i);
    Fe *fe;
    int stop;
} Worker;

static void *run_worker(void *opaque)
{
    Worker *worker = opaque;
    unsigned i;

    for (i = 0; !g_atomic_int_get(&worker->stop); i++) {
        worker->work(worker->fe, i);
    }
    return NULL;
}

static void start_worker(Worker *worker)
{
    g_atomic_int_set(&worker->stop, 0);
    g_assert_cmpint(pthread_create(&worker->thread, NULL, run_worker,
                                   worker), ==, 0);
}

static void stop_worker(Worker *worker)
{
    g_atomic_int_set(&worker->stop, 1);
    pthread_join(worker->thread, NULL);
}

static void only_kick(Fe *fe, unsigned i)
{
    fe_kick(fe, i % fe->nr_rings);
}

/* As many cheap requests as fit, answered and thrown away. */
static void keep_full(Fe *fe, unsigned i)
{
    attack_request(fe, i % fe->nr_rings, P9_TCLUNK, i, "d", 99u);
    attack_skip(fe, i % fe->nr_rings);
}

static void large_reads(Fe *fe, unsigned i)
{
    attack_request(fe, i % fe->nr_rings, P9_TREAD, i, "dqd", 1u, (uint64_t)0,
                   60000u);
    attack_skip(fe, i % fe->nr_rings);
}

static void run_load(void (*work)(Fe *fe, unsigned i))
{
    Attack *a = attack_up();
    Worker worker = { .work = work, .fe = a->bad };

    attack_connect(a, 2, 6);
    start_worker(&worker);
    neighbour_served(a, 1000);
    stop_worker(&worker);
    attack_down(a);
}

static void test_event_storm(void)
{
    run_load(only_kick);
}

static void test_request_storm(void)
{
    run_load(keep_full);
}

static void test_read_storm(void)
{
    run_load(large_reads);
}

/* ---- A frontend that does not read ---- */

/* Fill a ring with requests whose replies nobody reads. */
static unsigned choke(Attack *a, unsigned ring, uint32_t count)
{
    unsigned i, sent = 0, idle = 0;

    for (i = 0; i < 4000 && idle < 20; i++) {
        if (attack_request(a->bad, ring, P9_TREAD, i, "dqd", 1u, (uint64_t)0,
                           count)) {
            sent++;
            idle = 0;
        } else {
            idle++;
            g_usleep(2000);
        }
    }
    return sent;
}

/* Whether a Tclunk on this ring is answered, whatever the others do. */
static bool ring_answers(Attack *a, unsigned ring)
{
    int waited;

    attack_skip(a->bad, ring);
    attack_request(a->bad, ring, P9_TCLUNK, 999, "d", 99u);
    for (waited = 0; waited < ATTACK_ANSWER_MS; waited++) {
        if (attack_skip(a->bad, ring)) {
            return true;
        }
        g_usleep(1000);
    }
    return false;
}

static void test_one_ring_unread(void)
{
    Attack *a = attack_up();
    unsigned i, rss, sent;

    attack_connect(a, 2, 5);
    rss = attack_rss_kib(a);
    sent = choke(a, 0, 10000);
    g_test_message("%u requests were taken or wait", sent);
    for (i = 0; i < 50 && attack_lives(a); i++) {
        if (!ring_answers(a, 1)) {
            attack_fail(a, "the other ring stands still");
            break;
        }
    }
    attack_neighbour(a);
    if (attack_rss_kib(a) > rss + 16 * 1024) {
        attack_fail(a, "from %u to %u KiB", rss, attack_rss_kib(a));
    }
    attack_down(a);
}

/* All eight rings, of the largest order: what a device may cost at most. */
static void test_memory(void)
{
    Attack *a = attack_up();
    unsigned i, rss;

    attack_connect(a, 8, 9);
    rss = attack_rss_kib(a);
    for (i = 0; i < 8; i++) {
        choke(a, i, 60000);
    }
    g_test_message("from %u to %u KiB", rss, attack_rss_kib(a));
    if (attack_rss_kib(a) > rss + 96 * 1024) {
        attack_fail(a, "from %u to %u KiB", rss, attack_rss_kib(a));
    }
    attack_neighbour(a);
    attack_down(a);
}

static void test_unread_then_closing(void)
{
    Attack *a = attack_up();
    gint64 start;

    attack_connect(a, 2, 2);
    choke(a, 0, 4000);
    choke(a, 1, 4000);
    start = g_get_monotonic_time();
    fe_set_state(a->bad, XenbusStateClosing);
    attack_expect(a, ATTACK_CLOSES);
    if (g_get_monotonic_time() - start > STALL_MS * 1000) {
        attack_fail(a, "closing takes more than a second");
    }
    attack_down(a);
}

/* ---- A share that is slow ---- */

static const char *const throttled[] = {
    "throttling/bps-total", "16384", NULL,
};

/* Requests for some three seconds of the throttled share. */
static void slow_requests(Attack *a)
{
    attack_reads(a->bad, 12, 4096);
    g_usleep(20000);
}

static bool offers(Attack *a)
{
    return fe_state(a->bad) == XenbusStateInitWait;
}

static void check_unused(Attack *a, int timeout_ms)
{
    if (!attack_wait(a, attack_unused, timeout_ms)) {
        attack_fail(a, "grants of the old session are in use");
    }
}

/* Closing with requests that take longer than anybody would wait. */
static void test_slow_closing(void)
{
    Attack *a = attack_up_with(throttled);
    unsigned round, rss;

    attack_connect(a, 2, 4);
    rss = attack_rss_kib(a);
    slow_requests(a);
    for (round = 0; round < 6 && attack_lives(a); round++) {
        fe_set_state(a->bad, XenbusStateClosing);
        neighbour_served(a, 60);
        fe_set_state(a->bad, XenbusStateClosed);
        neighbour_served(a, 60);
        fe_set_state(a->bad, XenbusStateInitialising);
        neighbour_served(a, 60);
    }
    if (attack_rss_kib(a) > rss + 4096) {
        attack_fail(a, "from %u to %u KiB", rss, attack_rss_kib(a));
    }
    if (!attack_wait(a, offers, 15000)) {
        attack_fail(a, "it does not come back when its requests are done");
    }
    check_unused(a, 1000);
    attack_down(a);
}

/* The same, and the device is removed before they are done. */
static void test_slow_removed(void)
{
    Attack *a = attack_up_with(throttled);

    attack_connect(a, 2, 4);
    slow_requests(a);
    fixture_abandon(a->f, a->bad);
    neighbour_served(a, 300);
    check_unused(a, 15000);
    attack_down_fresh(a);
}

/* The same, by a violation of the protocol instead of by a state. */
static void test_slow_failing(void)
{
    Attack *a = attack_up_with(throttled);

    attack_connect(a, 2, 4);
    slow_requests(a);
    attack_corrupt(a->bad, 0);
    neighbour_served(a, 300);
    attack_expect(a, ATTACK_CLOSES);
    check_unused(a, 15000);
    attack_down(a);
}

/* ---- Two domains ---- */

/* Garbage, corrupt indices and reconnects, without a pause to speak of. */
static void rampage(Fe *fe, unsigned i)
{
    unsigned n;

    for (n = 0; n < 20; n++) {
        attack_request(fe, 0, P9_TCLUNK + n % 8, n, "dqd", 1u, (uint64_t)0,
                       UINT32_MAX);
        attack_skip(fe, 0);
        g_usleep(100);
    }
    if (i % 4 == 3) {
        attack_corrupt(fe, 0);
        fe_wait_state(fe, FE_STATE(Closing) | FE_STATE(Closed), 1000);
        if (fe_disconnect(fe) == 0) {
            fe_reset(fe);
            fe_connect(fe, 1, 3);
        }
    }
}

/* Reads of the neighbour in @ms, each correct. */
static unsigned count_reads(Attack *a, unsigned ms)
{
    gint64 end = g_get_monotonic_time() + ms * 1000;
    unsigned reads = 0;

    while (g_get_monotonic_time() < end && attack_neighbour(a)) {
        reads++;
    }
    return reads;
}

/*
 * The best of some tries: other load on the machine may take from either
 * count, but is unlikely to spare only the quiet ones.
 */
static void test_two_domains(void)
{
    Attack *a = attack_up();
    Fixture *g = fixture_beside(a->f);
    Fe *fe = fixture_connect(g, 1, 3);
    Worker worker = { .work = rampage, .fe = fe };
    unsigned try, best = 0;

    fe->timeout_ms = ATTACK_STATE_MS;
    for (try = 0; try < 4 && best < 50 && attack_lives(a); try++) {
        unsigned quiet = count_reads(a, 300), under;

        start_worker(&worker);
        under = count_reads(a, 300);
        stop_worker(&worker);
        g_test_message("%u reads when quiet, %u under attack", quiet, under);
        best = MAX(best, under * 100 / MAX(quiet, 1));
    }
    if (best < 50) {
        attack_fail(a, "its throughput falls to %u %%", best);
    }
    if (!fixture_alive(g)) {
        attack_fail(a, "the attacker's own backend has died");
    }
    fe_set_state(fe, XenbusStateClosed);
    g_usleep(20000);
    fixture_down(g);
    attack_down(a);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/hostile/load/event-storm", test_event_storm);
    g_test_add_func("/hostile/load/request-storm", test_request_storm);
    g_test_add_func("/hostile/load/read-storm", test_read_storm);
    g_test_add_func("/hostile/load/one-ring-unread", test_one_ring_unread);
    g_test_add_func("/hostile/load/memory", test_memory);
    g_test_add_func("/hostile/load/unread-then-closing",
                    test_unread_then_closing);
    g_test_add_func("/hostile/slow/closing", test_slow_closing);
    g_test_add_func("/hostile/slow/removed", test_slow_removed);
    g_test_add_func("/hostile/slow/failing", test_slow_failing);
    g_test_add_func("/hostile/load/two-domains", test_two_domains);
    return g_test_run();
}
