/*
 * Locks of guests that share a folder with each other and with the host
 *
 * Two devices of the same folder, and this process, which is one of the host.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "fixture.h"

#define SOON_MS 2000            /* what does not wait for anybody */
#define MORE_THAN_ANY 300       /* locks on one file */

typedef struct Locks {
    Fixture *f;
    Fe *front[2];
    P9Client *a, *b;            /* the guests */
    int host;                   /* the file "file", in this process */
} Locks;

static Fe *add(Locks *l, int devid, const char *locks, const char *readonly)
{
    const char *more[] = { "locks", locks, "readonly", readonly, NULL };
    g_autofree char *tag = g_strdup_printf("share-%d", devid);

    return fixture_device(l->f, &(DeviceOpts) {
        .path = l->f->share, .devid = devid, .tag = tag, .more = more,
    });
}

/* Fids 1 and 2 of a guest are the file, open. */
static void open_fids(P9Client *fe, uint32_t flags)
{
    tattach({.fe = fe});
    for (uint32_t fid = 1; fid <= 2; fid++) {
        twalk({.fe = fe, .fid = 0, .newfid = fid, .path = "file"});
        tlopen({.fe = fe, .fid = fid, .flags = flags});
    }
}

static bool locks_up(Locks *l, const char *locks, const char *readonly)
{
    g_autofree char *path = NULL;

    if (fixture_backend() != BACKEND_OURS) {
        g_test_skip("others have no locks");
        return false;
    }
    l->f = fixture_up();
    fixture_file(l->f, "file", "text", 4);
    path = g_build_filename(l->f->share, "file", NULL);
    l->host = open(path, O_RDWR);
    g_assert_cmpint(l->host, >=, 0);
    l->front[0] = add(l, 0, locks, "off");
    l->front[1] = add(l, 1, locks, readonly);
    fixture_start(l->f);
    for (unsigned i = 0; i < 2; i++) {
        g_assert_true(fe_connect(l->front[i], 2, 4));
    }
    l->a = &l->front[0]->client;
    l->b = &l->front[1]->client;
    open_fids(l->a, P9_DOTL_RDWR);
    open_fids(l->b, strcmp(readonly, "on") ? P9_DOTL_RDWR : P9_DOTL_RDONLY);
    return true;
}

static void locks_down(Locks *l)
{
    close(l->host);
    fixture_drop(l->f, l->front[1]);
    fixture_close(l->f, l->front[0]);
    fixture_down(l->f);
}

enum { READ = P9_LOCK_TYPE_RDLCK, WRITE = P9_LOCK_TYPE_WRLCK,
       FREE = P9_LOCK_TYPE_UNLCK };

/* What the server says of a process's wish. */
static uint8_t lock_by(P9Client *fe, uint32_t fid, uint32_t proc, uint8_t type,
                       uint64_t start, uint64_t length)
{
    uint8_t status = 0xff;

    tlock({.fe = fe, .fid = fid, .type = type, .start = start,
           .length = length, .proc_id = proc, .client_id = "guest",
           .rstatus = &status});
    return status;
}

static uint8_t lock(P9Client *fe, uint8_t type, uint64_t start,
                    uint64_t length)
{
    return lock_by(fe, 1, 10, type, start, length);
}

/* It waits. */
static P9Req *lock_later(P9Client *fe)
{
    P9Req *req = tlock({.fe = fe, .fid = 1, .type = WRITE, .proc_id = 10,
                        .flags = P9_LOCK_FLAGS_BLOCK, .client_id = "guest",
                        .request_only = true});

    g_assert_cmpint(p9_req_wait(req, 300), ==, P9_OVERDUE);
    return req;
}

static uint8_t status_of(P9Req *req)
{
    uint8_t status;

    g_assert_cmpint(p9_req_wait(req, SOON_MS), ==, P9_DONE);
    g_assert_true(p9_req_expect(req, 0));
    g_assert_true(p9_unpack(&req->rx, "b", &status));
    p9_req_free(req);
    return status;
}

/* Returns an errno. */
static int host_lock(Locks *l, int type, off_t start, off_t length)
{
    struct flock f = {
        .l_type = type, .l_whence = SEEK_SET, .l_start = start,
        .l_len = length,
    };

    return fcntl(l->host, F_SETLK, &f) < 0 ? errno : 0;
}

static void test_guests(void)
{
    uint8_t type;
    Locks l;

    if (!locks_up(&l, "on", "off")) {
        return;
    }
    g_assert_cmpuint(lock(l.a, WRITE, 0, 10), ==, P9_LOCK_SUCCESS);
    g_assert_cmpuint(lock(l.b, WRITE, 9, 1), ==, P9_LOCK_BLOCKED);
    g_assert_cmpuint(lock(l.b, READ, 0, 0), ==, P9_LOCK_BLOCKED);
    g_assert_cmpuint(lock(l.b, WRITE, 10, 0), ==, P9_LOCK_SUCCESS);
    tgetlock({.fe = l.a, .fid = 1, .type = WRITE, .start = 0, .length = 0,
              .rtype = &type});
    g_assert_cmpuint(type, ==, WRITE);
    tgetlock({.fe = l.a, .fid = 1, .type = WRITE, .start = 0, .length = 10,
              .rtype = &type});
    g_assert_cmpuint(type, ==, FREE);
    /* To be read by both, then by one. */
    g_assert_cmpuint(lock(l.a, READ, 0, 10), ==, P9_LOCK_SUCCESS);
    g_assert_cmpuint(lock(l.b, READ, 0, 10), ==, P9_LOCK_SUCCESS);
    g_assert_cmpuint(lock(l.a, WRITE, 0, 1), ==, P9_LOCK_BLOCKED);
    /* It still has what it had. */
    g_assert_cmpuint(lock(l.b, WRITE, 0, 1), ==, P9_LOCK_BLOCKED);
    g_assert_cmpuint(lock(l.b, FREE, 0, 0), ==, P9_LOCK_SUCCESS);
    g_assert_cmpuint(lock(l.a, WRITE, 0, 0), ==, P9_LOCK_SUCCESS);
    g_assert_cmpuint(lock(l.a, FREE, 2, 3), ==, P9_LOCK_SUCCESS);
    g_assert_cmpuint(lock(l.b, WRITE, 2, 3), ==, P9_LOCK_SUCCESS);
    g_assert_cmpuint(lock(l.b, WRITE, 1, 1), ==, P9_LOCK_BLOCKED);
    locks_down(&l);
}

static void test_host(void)
{
    uint8_t type;
    Locks l;

    if (!locks_up(&l, "on", "off")) {
        return;
    }
    g_assert_cmpint(host_lock(&l, F_WRLCK, 5, 5), ==, 0);
    g_assert_cmpuint(lock(l.a, READ, 0, 0), ==, P9_LOCK_BLOCKED);
    g_assert_cmpuint(lock(l.a, WRITE, 0, 5), ==, P9_LOCK_SUCCESS);
    tgetlock({.fe = l.b, .fid = 1, .type = READ, .start = 5, .length = 0,
              .rtype = &type});
    g_assert_cmpuint(type, ==, WRITE);
    g_assert_cmpint(host_lock(&l, F_RDLCK, 0, 1), ==, EAGAIN);
    g_assert_cmpuint(lock(l.a, FREE, 0, 0), ==, P9_LOCK_SUCCESS);
    g_assert_cmpint(host_lock(&l, F_RDLCK, 0, 1), ==, 0);
    locks_down(&l);
}

/* What one process gives back another one of the guest still has. */
static void test_union(void)
{
    Locks l;

    if (!locks_up(&l, "on", "off")) {
        return;
    }
    g_assert_cmpuint(lock_by(l.a, 1, 10, READ, 0, 100), ==, P9_LOCK_SUCCESS);
    g_assert_cmpuint(lock_by(l.a, 2, 11, READ, 50, 100), ==, P9_LOCK_SUCCESS);
    g_assert_cmpuint(lock_by(l.a, 1, 10, FREE, 0, 0), ==, P9_LOCK_SUCCESS);
    g_assert_cmpuint(lock(l.b, WRITE, 0, 50), ==, P9_LOCK_SUCCESS);
    g_assert_cmpuint(lock(l.b, WRITE, 50, 1), ==, P9_LOCK_BLOCKED);
    /* A child with the same file open ends: that is not its parent's. */
    g_assert_cmpuint(lock_by(l.a, 2, 12, FREE, 0, 0), ==, P9_LOCK_SUCCESS);
    g_assert_cmpuint(lock(l.b, WRITE, 50, 1), ==, P9_LOCK_BLOCKED);
    tclunk({.fe = l.a, .fid = 1});
    g_assert_cmpuint(lock(l.b, WRITE, 50, 1), ==, P9_LOCK_BLOCKED);
    tclunk({.fe = l.a, .fid = 2});
    g_assert_cmpuint(lock(l.b, WRITE, 50, 100), ==, P9_LOCK_SUCCESS);
    locks_down(&l);
}

/* One process, which has the file open twice: fcntl(), then flock(). */
static void test_two_fids(void)
{
    Locks l;

    if (!locks_up(&l, "on", "off")) {
        return;
    }
    g_assert_cmpuint(lock_by(l.a, 1, 10, WRITE, 5, 5), ==, P9_LOCK_SUCCESS);
    g_assert_cmpuint(lock_by(l.a, 2, 10, WRITE, 8, 5), ==, P9_LOCK_SUCCESS);
    g_assert_cmpuint(lock_by(l.a, 2, 10, FREE, 0, 0), ==, P9_LOCK_SUCCESS);
    g_assert_cmpuint(lock(l.b, WRITE, 0, 0), ==, P9_LOCK_SUCCESS);
    g_assert_cmpuint(lock(l.b, FREE, 0, 0), ==, P9_LOCK_SUCCESS);

    g_assert_cmpuint(lock_by(l.a, 1, 10, WRITE, 0, 0), ==, P9_LOCK_SUCCESS);
    g_assert_cmpuint(lock_by(l.a, 2, 10, FREE, 0, 0), ==, P9_LOCK_SUCCESS);
    g_assert_cmpuint(lock(l.b, WRITE, 0, 0), ==, P9_LOCK_BLOCKED);
    g_assert_cmpuint(lock_by(l.a, 1, 10, FREE, 0, 0), ==, P9_LOCK_SUCCESS);
    g_assert_cmpuint(lock(l.b, WRITE, 0, 0), ==, P9_LOCK_SUCCESS);
    locks_down(&l);
}

/* The file counts, not its name. */
static void test_names(void)
{
    Locks l;

    if (!locks_up(&l, "on", "off")) {
        return;
    }
    trenameat({.fe = l.a, .dfid = 0, .name = "file", .newdfid = 0,
               .newname = "other"});
    fixture_file(l.f, "file", "new", 3);
    g_assert_cmpuint(lock(l.a, WRITE, 0, 0), ==, P9_LOCK_SUCCESS);
    twalk({.fe = l.b, .fid = 0, .newfid = 3, .path = "other"});
    tlopen({.fe = l.b, .fid = 3, .flags = P9_DOTL_RDWR});
    twalk({.fe = l.b, .fid = 0, .newfid = 4, .path = "file"});
    tlopen({.fe = l.b, .fid = 4, .flags = P9_DOTL_RDWR});
    g_assert_cmpuint(lock_by(l.b, 3, 1, WRITE, 0, 0), ==, P9_LOCK_BLOCKED);
    g_assert_cmpuint(lock_by(l.b, 4, 1, WRITE, 0, 0), ==, P9_LOCK_SUCCESS);
    tunlinkat({.fe = l.b, .dfid = 0, .name = "other"});
    g_assert_cmpuint(lock_by(l.b, 3, 1, WRITE, 0, 0), ==, P9_LOCK_BLOCKED);
    locks_down(&l);
}

static void test_wait(void)
{
    P9Req *later;
    Locks l;

    if (!locks_up(&l, "on", "off")) {
        return;
    }
    g_assert_cmpuint(lock(l.a, READ, 3, 1), ==, P9_LOCK_SUCCESS);
    later = lock_later(l.b);
    /* Meanwhile that guest has what it asks for. */
    tgetattr({.fe = l.b, .fid = 1});
    g_assert_cmpuint(lock(l.a, FREE, 0, 0), ==, P9_LOCK_SUCCESS);
    g_assert_cmpuint(status_of(later), ==, P9_LOCK_SUCCESS);
    g_assert_cmpuint(lock(l.a, READ, 3, 1), ==, P9_LOCK_BLOCKED);
    locks_down(&l);
}

static void test_flush(void)
{
    P9Req *later, *flush;
    Locks l;

    if (!locks_up(&l, "on", "off")) {
        return;
    }
    g_assert_cmpuint(lock(l.a, WRITE, 0, 0), ==, P9_LOCK_SUCCESS);
    later = lock_later(l.b);
    flush = tflush({.fe = l.b, .oldtag = later->tag,
                    .ring = P9_RING(later->ring), .request_only = true});
    g_assert_cmpint(p9_req_wait(flush, SOON_MS), ==, P9_DONE);
    p9_req_free(flush);
    g_assert_false(later->done);
    p9_req_free(later);
    g_assert_cmpuint(lock(l.a, FREE, 0, 0), ==, P9_LOCK_SUCCESS);
    g_usleep(200 * 1000);
    g_assert_cmpint(host_lock(&l, F_WRLCK, 0, 0), ==, 0);
    locks_down(&l);
}

/* The fid of one that waits is given up. */
static void test_clunk(void)
{
    P9Req *later;
    Locks l;

    if (!locks_up(&l, "on", "off")) {
        return;
    }
    g_assert_cmpuint(lock(l.a, WRITE, 0, 0), ==, P9_LOCK_SUCCESS);
    later = lock_later(l.b);
    tclunk({.fe = l.b, .fid = 1});
    g_assert_cmpint(p9_req_wait(later, SOON_MS), ==, P9_DONE);
    p9_req_free(later);
    g_assert_cmpuint(lock(l.a, FREE, 0, 0), ==, P9_LOCK_SUCCESS);
    g_usleep(200 * 1000);
    g_assert_cmpint(host_lock(&l, F_WRLCK, 0, 0), ==, 0);
    locks_down(&l);
}

/* A session ends, by Tversion, while it has locks and waits for another. */
static void test_version(void)
{
    P9Req *later, *version;
    Locks l;

    if (!locks_up(&l, "on", "off")) {
        return;
    }
    g_assert_cmpuint(lock(l.a, WRITE, 0, 1), ==, P9_LOCK_SUCCESS);
    g_assert_cmpuint(lock_by(l.b, 2, 10, WRITE, 5, 1), ==, P9_LOCK_SUCCESS);
    later = lock_later(l.b);
    version = tversion({.fe = l.b, .request_only = true});
    g_assert_cmpint(p9_req_wait(version, SOON_MS), ==, P9_DONE);
    p9_req_free(version);
    p9_req_free(later);
    g_assert_cmpuint(lock(l.a, WRITE, 0, 0), ==, P9_LOCK_SUCCESS);
    locks_down(&l);
}

/* Or with its device. */
static void test_device_goes(void)
{
    gint64 begin = g_get_monotonic_time();
    P9Req *later;
    Locks l;

    if (!locks_up(&l, "on", "off")) {
        return;
    }
    g_assert_cmpuint(lock(l.a, WRITE, 0, 1), ==, P9_LOCK_SUCCESS);
    g_assert_cmpuint(lock_by(l.b, 2, 10, WRITE, 5, 1), ==, P9_LOCK_SUCCESS);
    later = lock_later(l.b);
    p9_req_free(later);
    fixture_drop(l.f, l.front[1]);
    g_assert_cmpint(g_get_monotonic_time() - begin, <, 10 * G_USEC_PER_SEC);
    g_assert_cmpuint(lock(l.a, WRITE, 0, 0), ==, P9_LOCK_SUCCESS);
    close(l.host);
    fixture_close(l.f, l.front[0]);
    fixture_down(l.f);
}

static void test_readonly(void)
{
    Locks l;

    if (!locks_up(&l, "on", "on")) {
        return;
    }
    g_assert_cmpuint(lock(l.b, WRITE, 0, 0), ==, P9_LOCK_ERROR);
    g_assert_cmpuint(lock(l.b, READ, 0, 0), ==, P9_LOCK_SUCCESS);
    g_assert_cmpuint(lock(l.a, READ, 0, 0), ==, P9_LOCK_SUCCESS);
    g_assert_cmpuint(lock(l.a, WRITE, 0, 0), ==, P9_LOCK_BLOCKED);
    locks_down(&l);
}

/* What is beyond the bounds is refused, and costs nobody anything. */
static void test_bounds(void)
{
    unsigned had = 0;
    Locks l;

    if (!locks_up(&l, "on", "off")) {
        return;
    }
    for (unsigned i = 0; i < MORE_THAN_ANY; i++) {
        had += lock(l.b, WRITE, i * 2, 1) == P9_LOCK_SUCCESS;
    }
    g_assert_cmpuint(had, ==, 256);
    g_assert_cmpuint(lock(l.a, WRITE, had * 2, 1), ==, P9_LOCK_SUCCESS);
    g_assert_cmpuint(lock(l.a, WRITE, had * 2 - 2, 1), ==, P9_LOCK_BLOCKED);
    g_assert_cmpuint(lock(l.b, FREE, 0, 0), ==, P9_LOCK_SUCCESS);
    g_assert_cmpuint(lock(l.b, WRITE, 0, 1), ==, P9_LOCK_SUCCESS);
    tlock({.fe = l.b, .fid = 1, .type = WRITE, .start = UINT64_MAX,
           .expect_err = EINVAL});
    tlock({.fe = l.b, .fid = 1, .type = 9, .expect_err = EINVAL});
    locks_down(&l);
}

static void test_off(void)
{
    Locks l;

    if (!locks_up(&l, "off", "off")) {
        return;
    }
    g_assert_cmpint(host_lock(&l, F_WRLCK, 0, 0), ==, 0);
    g_assert_cmpuint(lock(l.a, WRITE, 0, 0), ==, P9_LOCK_SUCCESS);
    g_assert_cmpuint(lock(l.b, WRITE, 0, 0), ==, P9_LOCK_SUCCESS);
    locks_down(&l);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/locks/guests", test_guests);
    g_test_add_func("/locks/host", test_host);
    g_test_add_func("/locks/union", test_union);
    g_test_add_func("/locks/two-fids", test_two_fids);
    g_test_add_func("/locks/names", test_names);
    g_test_add_func("/locks/wait", test_wait);
    g_test_add_func("/locks/flush", test_flush);
    g_test_add_func("/locks/clunk", test_clunk);
    g_test_add_func("/locks/version", test_version);
    g_test_add_func("/locks/device-goes", test_device_goes);
    g_test_add_func("/locks/readonly", test_readonly);
    g_test_add_func("/locks/bounds", test_bounds);
    g_test_add_func("/locks/off", test_off);
    return g_test_run();
}
