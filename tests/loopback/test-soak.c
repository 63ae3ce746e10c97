/*
 * The same for a long time: nothing grows
 *
 * Devices connect, work, disconnect, and are removed and made again, round
 * after round. After each tenth of the time what the backend has is measured.
 *
 * Environment, beside that of fixture.h:
 *
 *     LOOP_SOAK_S    for so many seconds; [60]
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdlib.h>
#include <string.h>

#include "fixture.h"

#define SECONDS 60
#define PERIODS 10
/* Until then memory may grow: pools fill, and all has been used once. */
#define WARM 3
#define DEVICES 3
#define DEPTH 8
#define SIZE 60000
/* From the end of the warm-up to the end. */
#define GROWTH_KIB 2048

typedef struct Held {
    long kib;
    unsigned threads;
    int fds;
    uint32_t mapped, ports;
} Held;

static Held held_by(Fixture *f)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/status",
                                            (int)f->backend_pid);
    g_autofree char *text = NULL;
    LoopStats stats;
    Held held = { .fds = fixture_fds(f) };

    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    held.kib = atol(strstr(text, "\nRssAnon:") + strlen("\nRssAnon:"));
    held.threads = atoi(strstr(text, "\nThreads:") + strlen("\nThreads:"));
    loop_stats(f->loop, f->backend_pid, &stats);
    held.mapped = stats.mapped;
    held.ports = stats.ports;
    return held;
}

/* ---- Work ---- */

static void use_data(P9Client *fe)
{
    static uint8_t data[SIZE];
    P9Req *reqs[DEPTH];
    unsigned i;

    for (i = 0; i < DEPTH; i++) {
        uint32_t size = g_random_int_range(1, SIZE);
        uint64_t offset = g_random_int_range(0, 1000000);

        reqs[i] = i % 2 ?
            twrite({.fe = fe, .fid = 1, .offset = offset, .count = size,
                    .data = data, .request_only = true}) :
            tread({.fe = fe, .fid = 1, .offset = offset, .count = size,
                   .request_only = true});
    }
    for (i = 0; i < DEPTH; i++) {
        g_assert_true(p9_req_expect(reqs[i], 0));
        p9_req_free(reqs[i]);
    }
}

static void use_names(P9Client *fe)
{
    g_autofree char *name = g_strdup_printf("name-%d",
                                            g_random_int_range(0, 1000));
    GPtrArray *entries = p9_dirents_new();

    tmkdir({.fe = fe, .dfid = 0, .name = name, .mode = 0755});
    twalk({.fe = fe, .newfid = 2, .path = name});
    twalk({.fe = fe, .fid = 2, .newfid = 3});
    tlcreate({.fe = fe, .fid = 3, .name = "file", .mode = 0644,
              .flags = P9_DOTL_RDWR | P9_DOTL_CREATE});
    trenameat({.fe = fe, .dfid = 2, .name = "file", .newdfid = 2,
               .newname = "other"});
    twalk({.fe = fe, .fid = 2, .newfid = 4});
    tlopen({.fe = fe, .fid = 4});
    treaddir({.fe = fe, .fid = 4, .count = 8192, .entries = entries});
    g_assert_cmpint(entries->len, ==, 3);
    g_ptr_array_unref(entries);
    tunlinkat({.fe = fe, .dfid = 2, .name = "other"});
    tunlinkat({.fe = fe, .dfid = 0, .name = name,
               .flags = P9_DOTL_AT_REMOVEDIR});
    twalk({.fe = fe, .newfid = 5, .path = "none", .expect_err = ENOENT});
    tclunk({.fe = fe, .fid = 4});
    tclunk({.fe = fe, .fid = 3});
    tclunk({.fe = fe, .fid = 2});
}

static void attach(Fixture *f, Fe *front)
{
    P9Client *fe = &front->client;

    g_assert_true(fe_connect(front, 2, 6));
    tattach({.fe = fe, .version = fixture_version(f)});
    twalk({.fe = fe, .newfid = 1, .path = "file"});
    tlopen({.fe = fe, .fid = 1, .flags = P9_DOTL_RDWR});
}

static Fe *add(Fixture *f, int devid)
{
    g_autofree char *tag = g_strdup_printf("share-%d", devid);
    Fe *front = fixture_device(f, &(DeviceOpts) {
        .path = f->share, .devid = devid, .tag = tag,
    });

    attach(f, front);
    return front;
}

/* ---- Rounds ---- */

/* One device stays, one reconnects, one is removed and made again. */
static void run_round(Fixture *f, Fe **fes)
{
    unsigned i;

    for (i = 0; i < DEVICES; i++) {
        use_data(&fes[i]->client);
        use_names(&fes[i]->client);
    }
    g_assert_cmpint(fe_disconnect(fes[1]), ==, 0);
    fe_reset(fes[1]);
    fes[1]->client.msize = 0;
    attach(f, fes[1]);
    fixture_drop(f, fes[2]);
    fes[2] = add(f, 2);
}

/* What a thread or a descriptor's end takes. */
static Held settled(Fixture *f, const Held *warm)
{
    Held held = held_by(f);
    unsigned tries;

    for (tries = 0; warm && tries < 150 && (held.fds > warm->fds ||
                                            held.threads > warm->threads);
         tries++) {
        g_usleep(100 * 1000);
        held = held_by(f);
    }
    return held;
}

static void test_soak(void)
{
    const char *given = g_getenv("LOOP_SOAK_S");
    unsigned seconds = given ? atoi(given) : SECONDS, period, i;
    gint64 begin = g_get_monotonic_time();
    uint64_t rounds = 0;
    Held warm = { 0 }, now;
    Fe *fes[DEVICES];
    Fixture *f;

    if (fixture_backend() != BACKEND_OURS) {
        g_test_skip("stock backends leak");
        return;
    }
    /* With one for each thread, these fill one after another, for minutes. */
    g_setenv("MALLOC_ARENA_MAX", "1", TRUE);
    f = fixture_up();
    g_free(fixture_pattern(f, "file", 1000000 + SIZE));
    fixture_start(f);
    for (i = 0; i < DEVICES; i++) {
        fes[i] = add(f, i);
    }
    for (period = 1; period <= PERIODS; period++) {
        gint64 end = begin + period * (gint64)seconds * G_USEC_PER_SEC /
            PERIODS;

        do {
            run_round(f, fes);
            rounds++;
        } while (g_get_monotonic_time() < end);
        now = settled(f, period > WARM ? &warm : NULL);
        g_test_message("%u of %u s, %" G_GUINT64_FORMAT " rounds: %ld KiB, "
                       "%u threads, %d descriptors, %u pages, %u ports",
                       seconds * period / PERIODS, seconds, (guint64)rounds,
                       now.kib, now.threads, now.fds, now.mapped, now.ports);
        if (period <= WARM) {
            warm.kib = MAX(warm.kib, now.kib);
            warm.threads = MAX(warm.threads, now.threads);
            warm.fds = MAX(warm.fds, now.fds);
            warm.mapped = MAX(warm.mapped, now.mapped);
            warm.ports = MAX(warm.ports, now.ports);
        }
    }
    g_assert_cmpint(now.threads, <=, warm.threads);
    g_assert_cmpint(now.fds, <=, warm.fds);
    /* Over virtfs what is kept mapped is as much as was used of late. */
    if (!fixture_virtfs()) {
        g_assert_cmpint(now.mapped, <=, warm.mapped);
    }
    g_assert_cmpint(now.ports, <=, warm.ports);
    if (!g_getenv("LOOP_SANITIZED")) {
        g_assert_cmpint(now.kib, <, warm.kib + GROWTH_KIB);
    }
    for (i = DEVICES - 1; i > 0; i--) {
        fixture_drop(f, fes[i]);
    }
    fixture_close(f, fes[0]);
    fixture_down(f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/soak", test_soak);
    return g_test_run();
}
