/*
 * A share's limits, for a guest that does what it can to begin anew
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"

/* How long a guest tries, and the size of the file that it uses. */
#define TRY_US 1500000
#define FILE_SIZE (256 * 1024)

typedef struct ThrottleCase {
    const char *name;
    const char *nodes[7];       /* name, value, ...; NULL */
    bool write;
    uint32_t size;              /* of a request */
    uint32_t units;             /* what one counts */
    double rate, burst;         /* how many a second, and at once */
} ThrottleCase;

static const ThrottleCase cases[] = {
    { "bps-total", { "throttling/bps-total", "65536" }, false, 8192, 8192,
      65536, 6554 },
    { "bps-read", { "throttling/bps-read", "65536" }, false, 8192, 8192,
      65536, 6554 },
    { "bps-write", { "throttling/bps-write", "65536" }, true, 8192, 8192,
      65536, 6554 },
    { "iops-read", { "throttling/iops-read", "20" }, false, 16, 1, 20, 2 },
    { "iops-write", { "throttling/iops-write", "20" }, true, 16, 1, 20, 2 },
    { "burst", { "throttling/bps-total", "32768",
                 "throttling/bps-total-max", "65536",
                 "throttling/bps-total-max-length", "2" }, false, 8192, 8192,
      32768, 131072 },
};

/* A fixture with one device that has @nodes; NULL where the test is skipped. */
static Fixture *throttle_up(const char *const *nodes, Fe **fe)
{
    g_autofree char *data = g_malloc0(FILE_SIZE);
    Fixture *f = fixture_up();

    if (f->backend != BACKEND_OURS) {
        g_test_skip("only ours has limits");
        fixture_down(f);
        return NULL;
    }
    fixture_file(f, "file", data, FILE_SIZE);
    *fe = fixture_device(f, &(DeviceOpts) { .path = f->share, .more = nodes });
    fixture_start(f);
    g_assert_true(fe_connect(*fe, 1, 6));
    return f;
}

static void open_file(Fe *fe)
{
    tattach({.fe = &fe->client});
    twalk({.fe = &fe->client, .fid = 0, .newfid = 1, .path = "file"});
    tlopen({.fe = &fe->client, .fid = 1, .flags = P9_DOTL_RDWR});
}

static void use_file(Fe *fe, bool write, uint32_t size)
{
    static char data[FILE_SIZE];

    if (write) {
        twrite({.fe = &fe->client, .fid = 1, .count = size, .data = data});
    } else {
        tread({.fe = &fe->client, .fid = 1, .count = size, .data = data});
    }
}

static void connect_again(Fe *fe)
{
    g_assert_cmpint(fe_disconnect(fe), ==, 0);
    fe_reset(fe);
    g_assert_true(fe_connect(fe, 1, 6));
}

static void begin_session(Fe *fe)
{
    tversion({.fe = &fe->client});
}

static double seconds_since(gint64 start)
{
    return (g_get_monotonic_time() - start) / 1e6;
}

/* Neither more than the limit lets through, nor nothing. */
static void assert_bounded(const ThrottleCase *test, double used, double took)
{
    double most = test->rate * took + test->burst + test->units;

    g_test_message("%.0f in %.2f s, at most %.0f are allowed", used, took,
                   most);
    g_assert_cmpfloat(used, <=, most);
    g_assert_cmpfloat(used, >=, test->rate * took / 4);
}

/* Requests, each after @again(). */
static void use_again(const ThrottleCase *test, void (*again)(Fe *fe))
{
    double used = 0;
    gint64 start;
    Fixture *f;
    Fe *fe;

    f = throttle_up(test->nodes, &fe);
    if (!f) {
        return;
    }
    start = g_get_monotonic_time();
    while (g_get_monotonic_time() - start < TRY_US) {
        open_file(fe);
        use_file(fe, test->write, test->size);
        used += test->units;
        again(fe);
    }
    assert_bounded(test, used, seconds_since(start));
    fixture_close(f, fe);
    fixture_down(f);
}

static void test_reconnect(gconstpointer data)
{
    use_again(data, connect_again);
}

static void test_version(void)
{
    use_again(&cases[0], begin_session);
}

/* Nobody waits for the reply: what counts is what reaches the file. */
static void test_hasty(void)
{
    const ThrottleCase *test = &cases[2];
    static char data[8192];
    uint64_t sent = 0;
    g_autofree char *path = NULL;
    struct stat st;
    gint64 start;
    Fixture *f;
    Fe *fe;

    f = throttle_up(test->nodes, &fe);
    if (!f) {
        return;
    }
    path = g_build_filename(f->share, "file", NULL);
    g_assert_cmpint(truncate(path, 0), ==, 0);
    start = g_get_monotonic_time();
    while (g_get_monotonic_time() - start < TRY_US) {
        P9Req *req;

        open_file(fe);
        req = twrite({.fe = &fe->client, .fid = 1, .offset = sent,
                      .count = sizeof(data), .data = data,
                      .request_only = true});
        p9_req_free(req);
        sent += sizeof(data);
        g_usleep(2000);
        connect_again(fe);
    }
    g_assert_cmpint(stat(path, &st), ==, 0);
    assert_bounded(test, st.st_size, seconds_since(start));
    fixture_close(f, fe);
    fixture_down(f);
}

/* A large request passes when a small one would, and counts in full. */
static void test_large(void)
{
    const uint32_t size = 120 * 1024;
    gint64 start;
    Fixture *f;
    Fe *fe;

    f = throttle_up(cases[0].nodes, &fe);
    if (!f) {
        return;
    }
    start = g_get_monotonic_time();
    open_file(fe);
    use_file(fe, false, size);
    g_assert_cmpfloat(seconds_since(start), <, size / cases[0].rate / 2);
    connect_again(fe);
    open_file(fe);
    use_file(fe, false, 1);
    g_assert_cmpfloat(seconds_since(start), >=,
                      (size - cases[0].burst) / cases[0].rate);
    fixture_close(f, fe);
    fixture_down(f);
}

/* What an operator changes holds for the next connection, from nothing on. */
static void test_changed(void)
{
    static const char *const nodes[] = { "throttling/bps-total", "1024",
                                         NULL };
    g_autofree char *back = NULL, *path = NULL;
    gint64 start;
    Fixture *f;
    Fe *fe;

    f = throttle_up(nodes, &fe);
    if (!f) {
        return;
    }
    open_file(fe);
    use_file(fe, false, 64 * 1024);
    back = device_backend(fe->type, f->domid, 0);
    path = g_strdup_printf("%s/throttling/bps-total", back);
    xs_write(f->xsh, XBT_NULL, path, "10000000", 8);
    connect_again(fe);
    start = g_get_monotonic_time();
    open_file(fe);
    use_file(fe, false, 64 * 1024);
    use_file(fe, false, 64 * 1024);
    g_assert_cmpfloat(seconds_since(start), <, 5);
    fixture_close(f, fe);
    fixture_down(f);
}

/* The device goes away while its session still has a request that waits. */
static void test_removed(void)
{
    static const char *const nodes[] = { "throttling/bps-total", "65536",
                                         NULL };
    Fixture *f;
    P9Req *req;
    Fe *fe;

    f = throttle_up(nodes, &fe);
    if (!f) {
        return;
    }
    open_file(fe);
    use_file(fe, false, 48 * 1024);
    req = tread({.fe = &fe->client, .fid = 1, .count = 4096,
                 .request_only = true});
    g_assert_cmpint(p9_req_wait(req, 50), ==, P9_OVERDUE);
    p9_req_free(req);
    fixture_abandon(f, fe);
    g_usleep(300000);
    fe = fixture_device(f, &(DeviceOpts) { .path = f->share, .more = nodes });
    g_assert_true(fe_connect(fe, 1, 6));
    open_file(fe);
    use_file(fe, false, 4096);
    fixture_close(f, fe);
    fixture_down(f);
}

int main(int argc, char **argv)
{
    unsigned i;

    g_test_init(&argc, &argv, NULL);
    for (i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_strdup_printf("/throttle/reconnect/%s",
                                                cases[i].name);

        g_test_add_data_func(path, &cases[i], test_reconnect);
    }
    g_test_add_func("/throttle/version", test_version);
    g_test_add_func("/throttle/hasty", test_hasty);
    g_test_add_func("/throttle/large", test_large);
    g_test_add_func("/throttle/changed", test_changed);
    g_test_add_func("/throttle/removed", test_removed);
    return g_test_run();
}
