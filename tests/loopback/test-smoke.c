/*
 * Does the loopback work, and whatever backend is on it?
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <string.h>

#include "qmp.h"

#define PATTERN_SIZE (1024 * 1024)

/* Attach at fid 0 and open a file at fid 1, in the backend's dialect. */
static void open_file(Fixture *f, P9Client *fe, const char *name,
                      bool writable)
{
    tattach({.fe = fe, .version = fixture_version(f)});
    twalk({.fe = fe, .fid = 0, .newfid = 1, .path = name});
    if (fe->dotl) {
        tlopen({.fe = fe, .fid = 1,
                .flags = writable ? P9_DOTL_RDWR : P9_DOTL_RDONLY});
    } else {
        topen({.fe = fe, .fid = 1,
               .flags = writable ? P9_ORDWR : P9_OREAD});
    }
}

static void test_attach(void)
{
    Fixture *f = fixture_up();
    Fe *fe = fixture_connect(f, 1, 1);
    P9Qid qid;

    tattach({.fe = &fe->client, .version = fixture_version(f),
             .rqid = &qid});
    g_assert_cmpuint(qid.type & P9_QTDIR, ==, P9_QTDIR);
    fixture_close(f, fe);
    fixture_down(f);
}

/* Read, write, stat: what every backend can, each in its dialect. */
static void test_file(void)
{
    Fixture *f = fixture_up();
    Fe *front = fixture_connect(f, 2, 4);
    P9Client *fe = &front->client;
    char buffer[64] = "";
    uint32_t count;

    fixture_file(f, "dir/hello", "hello, world", 12);
    open_file(f, fe, "dir/hello", true);
    tread({.fe = fe, .fid = 1, .count = sizeof(buffer), .data = buffer,
           .rcount = &count});
    g_assert_cmpuint(count, ==, 12);
    g_assert_cmpstr(buffer, ==, "hello, world");
    twrite({.fe = fe, .fid = 1, .offset = 7, .count = 5, .data = "there",
            .rcount = &count});
    g_assert_cmpuint(count, ==, 5);
    tread({.fe = fe, .fid = 1, .count = sizeof(buffer), .data = buffer});
    g_assert_cmpstr(buffer, ==, "hello, there");
    if (fe->dotl) {
        P9Attr attr;

        tgetattr({.fe = fe, .fid = 1, .rattr = &attr});
        g_assert_cmpuint(attr.size, ==, 12);
    } else {
        P9Stat stat = { 0 };

        tstat({.fe = fe, .fid = 1, .rstat = &stat});
        g_assert_cmpuint(stat.length, ==, 12);
        g_assert_cmpstr(stat.name, ==, "hello");
        p9_stat_clear(&stat);
    }
    tclunk({.fe = fe, .fid = 1});
    twalk({.fe = fe, .fid = 0, .newfid = 2, .path = "nothing",
           .expect_err = ENOENT});
    fixture_close(f, front);
    fixture_down(f);
}

static gint compare_names(gconstpointer a, gconstpointer b)
{
    const P9Dirent *const *x = a, *const *y = b;

    return strcmp((*x)->name, (*y)->name);
}

static void test_readdir(void)
{
    Fixture *f = fixture_up();
    g_autoptr(GPtrArray) entries = p9_dirents_new();
    P9Client *fe;
    Fe *front;
    uint32_t count, i;
    uint64_t offset = 0;

    if (f->backend == BACKEND_XEN_9PFSD) {
        g_test_skip("xen-9pfsd has no Treaddir");
        fixture_down(f);
        return;
    }
    for (i = 0; i < 200; i++) {
        g_autofree char *name = g_strdup_printf("dir/file-%03u", i);

        fixture_file(f, name, "", 0);
    }
    front = fixture_connect(f, 1, 3);
    fe = &front->client;
    tattach({.fe = fe});
    twalk({.fe = fe, .fid = 0, .newfid = 1, .path = "dir"});
    tlopen({.fe = fe, .fid = 1, .flags = P9_DOTL_DIRECTORY});
    do {
        treaddir({.fe = fe, .fid = 1, .offset = offset, .count = 4000,
                  .entries = entries, .rcount = &count});
        if (entries->len) {
            P9Dirent *last = g_ptr_array_index(entries, entries->len - 1);

            offset = last->offset;
        }
    } while (count);
    g_assert_cmpuint(entries->len, ==, 202);
    g_ptr_array_sort(entries, compare_names);
    for (i = 0; i < 200; i++) {
        g_autofree char *name = g_strdup_printf("file-%03u", i);
        P9Dirent *entry = g_ptr_array_index(entries, i + 2);

        g_assert_cmpstr(entry->name, ==, name);
    }
    fixture_close(f, front);
    fixture_down(f);
}

/* @count reads at once, each of its own part of the file. */
static void read_at_once(Fe *front, const uint8_t *pattern, unsigned count,
                         uint32_t size)
{
    P9Client *fe = &front->client;
    g_autofree P9Req **reqs = g_new0(P9Req *, count);
    unsigned i;

    for (i = 0; i < count; i++) {
        reqs[i] = tread({.fe = fe, .fid = 1, .offset = i * size,
                         .count = size, .request_only = true});
    }
    for (i = 0; i < count; i++) {
        const uint8_t *data;
        uint32_t got;

        p9_req_expect(reqs[i], 0);
        g_assert_true(p9_unpack(&reqs[i]->rx, "D", &got, &data));
        g_assert_cmpmem(data, got, pattern + i * size, size);
        g_assert_cmpuint(reqs[i]->came_on, ==, reqs[i]->ring);
        p9_req_free(reqs[i]);
    }
    g_assert_cmpuint(fe->in_flight, ==, 0);
    g_assert_cmpuint(fe->strays, ==, 0);
}

static void test_in_flight(gconstpointer data)
{
    static const unsigned counts[] = { 1, 2, 16, 64, 200 };
    unsigned rings = GPOINTER_TO_UINT(data);
    Fixture *f = fixture_up();
    g_autofree uint8_t *pattern = fixture_pattern(f, "pattern",
                                                   PATTERN_SIZE);
    Fe *front = fixture_connect(f, rings, 5);
    unsigned i;

    open_file(f, &front->client, "pattern", false);
    for (i = 0; i < G_N_ELEMENTS(counts); i++) {
        read_at_once(front, pattern, counts[i], 4096);
    }
    fixture_close(f, front);
    fixture_down(f);
}

/* A guest may write its own end of a device, and nothing of the other. */
static void test_permissions(void)
{
    Fixture *f = fixture_up();
    GuestXs *xs = f->guest->xs;
    g_autofree char *back = NULL, *node = NULL, *tag = NULL, *other = NULL;
    int error;
    g_autofree char *value = NULL;

    fixture_device(f, NULL);
    back = device_backend(f->type, f->domid, 0);
    tag = g_strdup_printf("device/%s/0/tag", f->type);
    other = g_strdup_printf("device/%s/1/state", f->type);
    node = g_strdup_printf("%s/path", back);
    value = gxs_read(xs, 0, node, &error);
    g_assert_cmpstr(value, ==, f->share);
    g_assert_cmpint(gxs_write(xs, 0, node, "/"), ==, -EACCES);
    g_assert_cmpint(gxs_rm(xs, 0, back), ==, -EACCES);
    g_assert_cmpint(gxs_write(xs, 0, other, "1"), ==, -EACCES);
    g_assert_cmpint(gxs_write(xs, 0, tag, "x"), ==, 0);
    fixture_down(f);
}

/* QEMU can be asked while it serves. */
static void test_qmp(void)
{
    Fixture *f = fixture_up();
    g_autofree char *status = NULL;
    Fe *fe;
    Qmp *qmp;

    if (f->backend == BACKEND_XEN_9PFSD) {
        g_test_skip("it is no QEMU");
        fixture_down(f);
        return;
    }
    fe = fixture_connect(f, 1, 1);
    qmp = qmp_new(f);
    status = qmp_run(qmp, "{\"execute\": \"query-status\"}");
    g_assert_nonnull(strstr(status, "\"return\""));
    qmp_free(qmp);
    fixture_close(f, fe);
    fixture_down(f);
}

/* Two guests, each with a backend and a folder of its own. */
static void test_two_guests(void)
{
    Fixture *f = fixture_up(), *g = fixture_beside(f);
    Fe *one = fixture_connect(f, 1, 2), *two = fixture_connect(g, 2, 2);
    char byte = 0;

    g_assert_cmpuint(f->domid, !=, g->domid);
    fixture_file(f, "file", "1", 1);
    fixture_file(g, "file", "2", 1);
    open_file(f, &one->client, "file", false);
    open_file(g, &two->client, "file", false);
    tread({.fe = &one->client, .fid = 1, .count = 1, .data = &byte});
    g_assert_cmpint(byte, ==, '1');
    tread({.fe = &two->client, .fid = 1, .count = 1, .data = &byte});
    g_assert_cmpint(byte, ==, '2');
    fixture_close(g, two);
    fixture_down(g);
    fixture_close(f, one);
    fixture_down(f);
}

/* Whether a Tversion is answered. */
static bool answers(Fe *fe)
{
    P9Req *req = tversion({.fe = &fe->client, .request_only = true});
    bool answered = p9_req_wait(req, 2000) == P9_DONE;

    p9_req_free(req);
    return answered;
}

/*
 * With any fault the backend may refuse the device, but not end, and it
 * keeps nothing once the device is gone.
 */
static void test_fault(gconstpointer data)
{
    const char *text = data;
    Fixture *f = fixture_up();
    Fe *fe = fixture_device(f, NULL);
    bool connected;

    fe->timeout_ms = 1000;
    fixture_start(f);
    g_assert_cmpint(loop_fault_parse(f->loop, text), ==, 0);
    connected = fe_connect(fe, 2, 4);
    if (connected && fe->virtfs) {
        /* The fault may cost this one. */
        answers(fe);
    } else if (connected) {
        tattach({.fe = &fe->client, .version = fixture_version(f)});
    }
    g_test_message("%s: %s, %u hits", text,
                   connected ? "connected" : "refused",
                   loop_fault_hits(f->loop, 0));
    g_assert_true(fixture_alive(f) || f->backend != BACKEND_OURS);
    fixture_abandon(f, fe);
    fixture_check(f);
    fixture_down(f);
}

/* Devices come and go while the backend runs. */
static void test_hot_plug(void)
{
    Fixture *f = fixture_up();
    int i, round, first = 0;
    Fe *fes[3];

    if (f->backend == BACKEND_STOCK) {
        g_test_skip("hot plug ends it");
        fixture_down(f);
        return;
    }
    fixture_start(f);
    for (round = 0; round < 3; round++) {
        /* xen-9pfsd may miss that a number has gone and come back. */
        first += f->backend == BACKEND_XEN_9PFSD ? 3 : 0;
        for (i = 0; i < 3; i++) {
            fes[i] = fixture_device(f, &(DeviceOpts) {
                .path = f->share, .devid = first + i,
            });
            if (!fe_connect(fes[i], 1 + i, 3)) {
                g_autofree char *why = fixture_why(f, fes[i]);

                g_error("device %d, round %d: %s", i, round, why);
            }
            tattach({.fe = &fes[i]->client, .version = fixture_version(f)});
        }
        for (i = 0; i < 2; i++) {
            fixture_drop(f, fes[i]);
        }
        tattach({.fe = &fes[2]->client, .fid = 9});
        fixture_close(f, fes[2]);
    }
    fixture_down(f);
}

/* A frontend that comes back finds a backend that starts from nothing. */
static void test_reconnect(void)
{
    Fixture *f = fixture_up();
    Fe *fe;
    int i;

    if (f->backend != BACKEND_OURS) {
        g_test_skip("leaks, or worse, on the others");
        fixture_down(f);
        return;
    }
    fe = fixture_connect(f, 2, 2);
    for (i = 0; i < 20; i++) {
        tattach({.fe = &fe->client, .version = fixture_version(f)});
        g_assert_cmpint(fe_disconnect(fe), ==, 0);
        fe_reset(fe);
        g_assert_true(fe_connect(fe, 1 + i % 4, 1 + i % 9));
    }
    fixture_close(f, fe);
    fixture_down(f);
}

int main(int argc, char **argv)
{
    static const unsigned rings[] = { 1, 2, 4 };
    static const char *const faults[] = {
        "gntopen:error=24",
        "map:error=-9",
        "map:nth=2,op=1,error=-3",
        "map:nth=4,op=15,error=-13",
        "map:times=0,delay=5000",
        "unmap:times=0,delay=2000",
        "copy:error=-1",
        "mmap:nth=2,error=12",
        "evtopen:error=24",
        "bind@0:error=28",
        "bind@0:nth=2,error=28",
        "notify:times=0,repeat=3",
        "notify:times=0,delay=2000",
        "notify@0:times=0,delay=2000",
        "xsread:error=5",
        "xsread:nth=6,error=5",
        "xswrite:nth=1,error=5",
        "xswrite:nth=2,error=5",
        "xsend:error=11",
    };
    unsigned i;

    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/smoke/attach", test_attach);
    g_test_add_func("/smoke/file", test_file);
    g_test_add_func("/smoke/readdir", test_readdir);
    for (i = 0; i < G_N_ELEMENTS(rings); i++) {
        g_autofree char *name = g_strdup_printf("/smoke/in-flight/%u-rings",
                                                rings[i]);

        g_test_add_data_func(name, GUINT_TO_POINTER(rings[i]),
                             test_in_flight);
    }
    g_test_add_func("/smoke/permissions", test_permissions);
    g_test_add_func("/smoke/qmp", test_qmp);
    g_test_add_func("/smoke/two-guests", test_two_guests);
    g_test_add_func("/smoke/hot-plug", test_hot_plug);
    g_test_add_func("/smoke/reconnect", test_reconnect);
    for (i = 0; i < G_N_ELEMENTS(faults); i++) {
        g_autofree char *name = g_strdup_printf("/smoke/fault/%s",
                                                faults[i]);

        g_test_add_data_func(name, faults[i], test_fault);
    }
    return g_test_run();
}
