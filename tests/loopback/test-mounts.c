/*
 * A share that is mounted while it is mounted, as Linux allows over Xen
 *
 * Its second mount sends Tversion on the rings of the first and begins to
 * count tags anew. What the first had is forgotten in the guest: its files
 * without a Tclunk, and its requests, to which replies may still come.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <signal.h>
#include <string.h>

#include "fixture.h"

/* With the root as many as xen-9pfsd has at once. */
#define FILES 4
#define REQUESTS 60
/* The replies to half of them fit into a ring. */
#define SIZE 4096
#define MOUNTS 10

typedef struct Mounts {
    Fixture *f;
    Fe *front;
    uint8_t *pattern;
} Mounts;

static void mounts_up(Mounts *m)
{
    m->f = fixture_up();
    m->pattern = fixture_pattern(m->f, "pattern", REQUESTS * SIZE);
    m->front = fixture_connect(m->f, 2, 6);
}

static void mounts_down(Mounts *m)
{
    fixture_close(m->f, m->front);
    fixture_down(m->f);
    g_free(m->pattern);
}

static void open_file(P9Client *fe, uint32_t fid)
{
    twalk({.fe = fe, .fid = 0, .newfid = fid, .path = "pattern"});
    if (fe->dotl) {
        tlopen({.fe = fe, .fid = fid});
    } else {
        topen({.fe = fe, .fid = fid});
    }
}

static void mount(Mounts *m)
{
    P9Client *fe = &m->front->client;

    fe->msize = 0;
    fe->next_tag = 0;
    tattach({.fe = fe, .version = fixture_version(m->f)});
}

static void open_files(Mounts *m)
{
    uint32_t fid;

    for (fid = 1; fid <= FILES; fid++) {
        open_file(&m->front->client, fid);
    }
}

/* Requests that nobody waits for; @ring is P9_RING(n), or 0. */
static void request_and_forget(Mounts *m, unsigned ring)
{
    P9Client *fe = &m->front->client;
    P9Req *reqs[REQUESTS];
    unsigned i;

    /* Those that come after the next mount have the same tags. */
    fe->next_tag = 0;
    for (i = 0; i < REQUESTS; i++) {
        reqs[i] = tread({.fe = fe, .fid = 1 + i % FILES, .offset = i * SIZE,
                         .count = SIZE, .ring = ring, .request_only = true});
    }
    for (i = 0; i < REQUESTS; i++) {
        p9_req_free(reqs[i]);
    }
}

/*
 * The second mount goes on after Rversion. A reply to the first mount that
 * comes later would be taken for one to the second.
 */
static void attach(Mounts *m)
{
    P9Client *fe = &m->front->client;

    while (fe_pump(m->front, 0) > 0) {
        /* What was in the other ring by then. */
    }
    fe->strays = 0;
    fe->next_tag = 0;
    tattach({.fe = fe});
}

static void mount_again(Mounts *m)
{
    tversion({.fe = &m->front->client, .version = fixture_version(m->f)});
    attach(m);
}

/* All that the share is for, and nothing of what was before. */
static void use(Mounts *m)
{
    P9Client *fe = &m->front->client;
    g_autofree uint8_t *data = g_malloc(SIZE);
    uint32_t len, error, fid;
    unsigned i;

    for (fid = 1; fid <= FILES; fid++) {
        twalk({.fe = fe, .fid = fid, .newfid = 99, .rerror = &error});
        g_assert_cmpuint(error, !=, 0);
    }
    open_file(fe, 1);
    for (i = 0; i < REQUESTS; i++) {
        tread({.fe = fe, .fid = 1, .offset = i * SIZE, .count = SIZE,
               .data = data, .rcount = &len});
        g_assert_cmpmem(data, len, m->pattern + i * SIZE, SIZE);
    }
    tclunk({.fe = fe, .fid = 1});
}

static void test_again(void)
{
    Mounts m;
    int i, fds;

    mounts_up(&m);
    mount(&m);
    use(&m);
    fds = fixture_fds(m.f);
    for (i = 0; i < MOUNTS; i++) {
        open_files(&m);
        request_and_forget(&m, 0);
        mount_again(&m);
        use(&m);
        g_assert_cmpuint(m.front->client.strays, ==, 0);
    }
    for (i = 0; fixture_fds(m.f) > fds && i < 1000; i++) {
        g_usleep(1000);
    }
    g_assert_cmpint(fixture_fds(m.f), <=, fds);
    mounts_down(&m);
}

/* Requests of the first mount that are not done when the second comes. */
static void test_slow(void)
{
    Mounts m;

    mounts_up(&m);
    mount(&m);
    open_files(&m);
    loop_fs_watch(m.f->loop, m.f->backend_pid);
    loop_fs_delay(m.f->loop, LOOP_FS_READ, 20000, 0);
    request_and_forget(&m, 0);
    mount_again(&m);
    g_usleep(300000);
    use(&m);
    g_assert_cmpuint(m.front->client.strays, ==, 0);
    loop_fs_watch(m.f->loop, 0);
    mounts_down(&m);
}

/* Those that the backend has not seen yet, when it sees the Tversion. */
static void test_unread(gconstpointer data)
{
    unsigned ring = GPOINTER_TO_UINT(data);
    P9Req *version;
    Mounts m;

    mounts_up(&m);
    mount(&m);
    open_files(&m);
    kill(m.f->backend_pid, SIGSTOP);
    request_and_forget(&m, P9_RING(!ring));
    version = tversion({.fe = &m.front->client, .ring = P9_RING(ring),
                        .version = fixture_version(m.f),
                        .request_only = true});
    kill(m.f->backend_pid, SIGCONT);
    p9_req_expect(version, 0);
    p9_req_free(version);
    attach(&m);
    use(&m);
    g_assert_cmpuint(m.front->client.strays, ==, 0);
    mounts_down(&m);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/mount/again", test_again);
    g_test_add_func("/mount/slow", test_slow);
    g_test_add_data_func("/mount/unread/ring-0", GUINT_TO_POINTER(0),
                         test_unread);
    g_test_add_data_func("/mount/unread/ring-1", GUINT_TO_POINTER(1),
                         test_unread);
    return g_test_run();
}
