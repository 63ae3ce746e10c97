/*
 * The threads of one backend's devices
 *
 * What a call of the file system takes is set here, and what is compared is
 * who was served how often: nothing depends on how fast the machine is.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <poll.h>
#include <string.h>

#include "shares.h"

#define PEERS 15
#define FLOOD_DEPTH 24
#define FLOODS 30
#define TRIES       100
#define WAIT_MS 20000

#define BESIDE_REQUESTS 1000
#define BESIDE_S 60

/* A device with one more node of ours. */
static Fe *add_device(Fixture *f, int devid, const char *node,
                      const char *value)
{
    const char *more[] = { node, value, NULL };
    g_autofree char *tag = g_strdup_printf("share-%d", devid);

    return fixture_device(f, &(DeviceOpts) {
        .path = f->share, .devid = devid, .tag = tag,
        .more = f->backend == BACKEND_OURS ? more : NULL,
    });
}

static void attach(Fixture *f, Fe *fe)
{
    g_assert_true(fe_connect(fe, 1, 5));
    tattach({.fe = &fe->client, .version = fixture_version(f)});
}

static Fixture *up(Fe **fes, unsigned n)
{
    Fixture *f = fixture_up();
    unsigned i;

    fixture_file(f, "file", "text", 4);
    for (i = 0; i < n; i++) {
        /* All calls in place, whatever they take. */
        fes[i] = add_device(f, i, "dispatch", "inline");
    }
    fixture_start(f);
    for (i = 0; i < n; i++) {
        attach(f, fes[i]);
    }
    loop_fs_watch(f->loop, f->backend_pid);
    return f;
}

static void down(Fixture *f, Fe **fes, unsigned n)
{
    loop_fs_watch(f->loop, 0);
    while (n-- > 1) {
        fixture_drop(f, fes[n]);
    }
    fixture_close(f, fes[0]);
    fixture_down(f);
}

/* ---- A device with many requests, and many with one ---- */

static P9Req *begin_getattr(Fe *fe)
{
    P9Req *req = p9_req_new(&fe->client, P9_TGETATTR, -1, -1);

    p9_pack(&req->tx, "dq", 0, P9_GETATTR_BASIC);
    g_assert_true(p9_req_send(req));
    return req;
}

static P9Req *begin_read(Fe *fe)
{
    P9Req *req = p9_req_new(&fe->client, P9_TREAD, -1, -1);

    p9_pack(&req->tx, "dqd", 1, (uint64_t)0, 4);
    g_assert_true(p9_req_send(req));
    return req;
}

/* Take those replies that are there, and ask again; returns how many. */
static unsigned go_on(Fe *fe, P9Req **reqs, unsigned n, P9Req *(*begin)(Fe *))
{
    unsigned done = 0, i;

    g_assert_cmpint(fe_pump(fe, 0), >=, 0);
    for (i = 0; i < n; i++) {
        if (reqs[i] && reqs[i]->done) {
            g_assert_true(p9_req_expect(reqs[i], 0));
            p9_req_free(reqs[i]);
            reqs[i] = NULL;
            done++;
        }
        if (!reqs[i] && begin) {
            reqs[i] = begin(fe);
        }
    }
    return done;
}

/* Wait for the replies that are still to come. */
static void finish(Fe *fe, P9Req **reqs, unsigned n)
{
    while (fe->client.in_flight) {
        go_on(fe, reqs, n, NULL);
    }
    go_on(fe, reqs, n, NULL);
}

/*
 * In one thread, each of the others would get one request for each read, at the
 * most; in threads of their own they get many. Once is enough: where this
 * process does not run, the others have nothing to ask, and the reads go on.
 */
static bool others_get_many(Fe **fes, P9Req **flood, P9Req **peers)
{
    unsigned floods = 0, served = 0, i;

    while (floods < FLOODS) {
        floods += go_on(fes[0], flood, FLOOD_DEPTH, begin_read);
        for (i = 0; i < PEERS; i++) {
            served += go_on(fes[i + 1], &peers[i], 1, begin_getattr);
        }
    }
    g_test_message("%u requests of %u devices during %u reads", served, PEERS,
                   floods);
    return served > (PEERS + 1) * floods;
}

static void test_flooded(void)
{
    Fe *fes[PEERS + 1];
    Fixture *f = up(fes, PEERS + 1);
    P9Req *flood[FLOOD_DEPTH] = { NULL }, *peers[PEERS] = { NULL };
    unsigned tries = 0, i;

    twalk({.fe = &fes[0]->client, .newfid = 1, .path = "file"});
    tlopen({.fe = &fes[0]->client, .fid = 1});
    loop_fs_delay(f->loop, LOOP_FS_READ, 300, 0);
    while (!others_get_many(fes, flood, peers)) {
        g_assert_cmpuint(++tries, <, TRIES);
    }
    loop_fs_delay(f->loop, LOOP_FS_READ, 0, 0);
    for (i = 0; i < PEERS; i++) {
        finish(fes[i + 1], &peers[i], 1);
    }
    finish(fes[0], flood, FLOOD_DEPTH);
    down(f, fes, PEERS + 1);
}

/* ---- Whose thread it is ---- */

static bool threads_have(Qmp *qmp, const char *name)
{
    g_autofree char *answer = shares_run(qmp, "query-iothreads", " ");
    g_autofree char *id = g_strdup_printf("\"%s\"", name);

    return strstr(answer, id);
}

static char *own_name(Fixture *f, int devid)
{
    return g_strdup_printf("xen-%s-%d", f->type, devid);
}

/* Each device has one, and takes it along. */
static void test_own(void)
{
    g_autofree char *first = NULL, *second = NULL;
    Fe *fes[2];
    Fixture *f = up(fes, 2);
    Qmp *qmp = qmp_new(f);

    first = own_name(f, 0);
    second = own_name(f, 1);
    g_assert_true(threads_have(qmp, first));
    g_assert_true(threads_have(qmp, second));
    tgetattr({.fe = &fes[1]->client, .fid = 0});
    /* In place, by the device's thread, and by nobody else. */
    g_assert_cmpuint(loop_fs_count(f->loop, LOOP_FS_STAT, LOOP_FS_MAIN), ==,
                     0);
    g_assert_cmpuint(loop_fs_count(f->loop, LOOP_FS_STAT, LOOP_FS_DEVICE), >,
                     0);
    fixture_drop(f, fes[1]);
    for (unsigned i = 0; threads_have(qmp, second); i++) {
        g_assert_cmpuint(i, <, WAIT_MS);
        g_usleep(1000);
    }
    g_assert_true(threads_have(qmp, first));
    qmp_free(qmp);
    down(f, fes, 1);
}

/* Two in one that the operator has made, which outlives them. */
static void test_shared(void)
{
    Fixture *f = fixture_up();
    g_autofree char *own = NULL;
    Fe *fes[2];
    Qmp *qmp;

    own = own_name(f, 0);
    fixture_start(f);
    qmp = qmp_new(f);
    shares_done(shares_run(qmp, "object-add", "\"qom-type\": \"iothread\", "
                           "\"id\": \"shared\""));
    for (unsigned i = 0; i < 2; i++) {
        fes[i] = add_device(f, i, "iothread", "shared");
        attach(f, fes[i]);
    }
    g_assert_false(threads_have(qmp, own));
    for (unsigned i = 0; i < 1000; i++) {
        tgetattr({.fe = &fes[i % 2]->client, .fid = 0});
    }
    fixture_drop(f, fes[1]);
    tgetattr({.fe = &fes[0]->client, .fid = 0});
    fixture_drop(f, fes[0]);
    g_assert_true(threads_have(qmp, "shared"));
    shares_done(shares_run(qmp, "object-del", "\"id\": \"shared\""));
    qmp_free(qmp);
    fixture_check(f);
    fixture_down(f);
}

static void test_none(void)
{
    Fixture *f = fixture_up();
    g_autofree char *why = NULL;
    Fe *fe = add_device(f, 0, "iothread", "nobody");

    fixture_start(f);
    g_assert_false(fe_connect(fe, 1, 5));
    why = fixture_why(f, fe);
    g_assert_nonnull(strstr(why, "iothread: there is no thread 'nobody', use "
                            "-object iothread,id=nobody"));
    fixture_abandon(f, fe);
    fixture_down(f);
}

/* ---- A guest on a CPU of its own ---- */

/* How many events requests take, each at once after the last one's reply. */
static uint64_t events_of(Fixture *f, Fe *fe, unsigned requests)
{
    LoopStats before, after;
    uint64_t events;

    loop_stats(f->loop, f->backend_pid, &before);
    while (requests--) {
        P9Req *req = begin_getattr(fe);

        while (!req->done) {
            g_assert_cmpint(fe_pump(fe, 0), >=, 0);
        }
        g_assert_true(p9_req_expect(req, 0));
        p9_req_free(req);
    }
    loop_stats(f->loop, f->backend_pid, &after);
    events = after.calls[LOOP_CALL_EVTCHN_PENDING] -
        before.calls[LOOP_CALL_EVTCHN_PENDING];
    g_test_message("%u events", (unsigned)events);
    return events;
}

/*
 * The backend looks for its next request before it goes to sleep. Once is
 * enough: while the machine does something else, both may be on one CPU.
 */
static void test_beside(void)
{
    gint64 end = g_get_monotonic_time() + BESIDE_S * G_USEC_PER_SEC;
    Fe *fes[1];
    Fixture *f;

    if (fixture_backend() != BACKEND_OURS) {
        g_test_skip("only ours looks for requests without an event");
        return;
    }
    if (g_get_num_processors() < 2) {
        g_test_skip("on one CPU no guest runs beside the backend");
        return;
    }
    f = up(fes, 1);
    while (events_of(f, fes[0], BESIDE_REQUESTS) > BESIDE_REQUESTS / 2) {
        g_assert_cmpint(g_get_monotonic_time(), <, end);
        g_usleep(20 * 1000);
    }
    down(f, fes, 1);
}

/* ---- Both protocols ---- */

#define BOTH_DEPTH 8
#define BOTH_SIZE 60000
#define BOTH_ROUNDS 20000

static P9Req *begin_any(Fe *fe)
{
    static uint8_t data[BOTH_SIZE];
    uint32_t size = g_random_int_range(1, BOTH_SIZE);
    uint64_t offset = g_random_int_range(0, 1000000);
    unsigned kind = g_random_int_range(0, 3);
    P9Req *req;

    if (kind == 0) {
        return begin_getattr(fe);
    }
    req = p9_req_new(&fe->client, kind == 1 ? P9_TREAD : P9_TWRITE, -1, -1);
    if (kind == 1) {
        p9_pack(&req->tx, "dqd", 1, offset, size);
    } else {
        p9_pack(&req->tx, "dqD", 1, offset, size, data);
    }
    g_assert_true(p9_req_send(req));
    return req;
}

/* One device of each; how many requests each of them has in flight. */
static const unsigned both_depths[][2] = {
    { BOTH_DEPTH, BOTH_DEPTH }, { BOTH_DEPTH, 1 }, { 1, BOTH_DEPTH },
};

static void both(const unsigned depth[2])
{
    static const char *const types[] = { "9pfs", "virtfs" };
    Fixture *f = fixture_up();
    P9Req *reqs[2][BOTH_DEPTH] = { { NULL } };
    struct pollfd fds[2];
    unsigned done[2] = { 0 }, i;
    Fe *fes[2];

    fixture_file(f, "file", "text", 4);
    for (i = 0; i < 2; i++) {
        fes[i] = fixture_device(f, &(DeviceOpts) {
            .type = types[i], .path = f->share, .devid = i,
        });
    }
    fixture_start(f);
    for (i = 0; i < 2; i++) {
        g_assert_true(fe_connect(fes[i], 2, 9));
        tattach({.fe = &fes[i]->client, .msize = 512 * 1024,
                 .version = fixture_version(f)});
        twalk({.fe = &fes[i]->client, .newfid = 1, .path = "file"});
        tlopen({.fe = &fes[i]->client, .fid = 1, .flags = P9_DOTL_RDWR});
    }
    for (i = 0; i < 2; i++) {
        go_on(fes[i], reqs[i], depth[i], begin_any);
        fds[i] = (struct pollfd) {
            .fd = loop_evtchn_fd(f->loop, fes[i]->handle), .events = POLLIN,
        };
    }
    /* By events alone, as a guest: none may be missing. */
    while (done[0] + done[1] < BOTH_ROUNDS || !done[0] || !done[1]) {
        g_assert_cmpint(poll(fds, 2, WAIT_MS), >, 0);
        for (i = 0; i < 2; i++) {
            if (fds[i].revents) {
                fe_wait_event(fes[i], 0);
                done[i] += go_on(fes[i], reqs[i], depth[i], begin_any);
            }
        }
    }
    for (i = 0; i < 2; i++) {
        finish(fes[i], reqs[i], BOTH_DEPTH);
    }
    fixture_drop(f, fes[1]);
    fixture_close(f, fes[0]);
    fixture_down(f);
}

static void test_both(void)
{
    unsigned i;

    for (i = 0; i < G_N_ELEMENTS(both_depths); i++) {
        both(both_depths[i]);
    }
}

/* Devices without requests cost no processor; the rest is QEMU's timers. */
static void test_idle(void)
{
    Fe *fes[PEERS + 1];
    Fixture *f = up(fes, PEERS + 1);
    double before, used;
    unsigned i;

    for (i = 0; i <= PEERS; i++) {
        tgetattr({.fe = &fes[i]->client, .fid = 0});
    }
    g_usleep(200 * 1000);
    before = fixture_cpu_ms(f);
    g_usleep(1000 * 1000);
    used = fixture_cpu_ms(f) - before;
    g_test_message("%.1f ms of a second", used);
    g_assert_cmpfloat(used, <, 10);
    down(f, fes, PEERS + 1);
}

static void run(gconstpointer test)
{
    if (fixture_backend() == BACKEND_XEN_9PFSD) {
        g_test_skip("xen-9pfsd has only 9P2000.u");
    } else {
        ((GTestFunc)test)();
    }
}

static void add(const char *path, GTestFunc test)
{
    g_test_add_data_func(path, test, run);
}

static void run_ours(gconstpointer test)
{
    if (fixture_backend() == BACKEND_OURS) {
        ((GTestFunc)test)();
    } else {
        g_test_skip("only ours has a thread for each device");
    }
}

static void add_ours(const char *path, GTestFunc test)
{
    g_test_add_data_func(path, test, run_ours);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    add_ours("/threads/own", test_own);
    add_ours("/threads/shared", test_shared);
    add_ours("/threads/none", test_none);
    add("/threads/flooded", test_flooded);
    add("/threads/idle", test_idle);
    add("/threads/beside", test_beside);
    add("/threads/both", test_both);
    return g_test_run();
}
