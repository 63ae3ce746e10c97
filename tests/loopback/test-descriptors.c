/*
 * What becomes of open files where QEMU may have few descriptors
 *
 * Each file has a name of its own, so that what is open can be seen in the
 * backend's /proc/PID/fd.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fixture.h"

/* Of 300, the server takes 200 for the files of all its sessions. */
#define SCARCE  "prlimit --nofile=300:300"
#define SHARED  200

typedef struct Files {
    Fixture *f;
    Fe *fes[2];
    unsigned num;
} Files;

static bool files_up(Files *l, unsigned num, const char *wrap)
{
    g_autofree char *before = g_strdup(g_getenv("LOOP_WRAP"));

    if (fixture_backend() != BACKEND_OURS) {
        g_test_skip("others have the server as it is in QEMU");
        return false;
    }
    *l = (Files) { .f = fixture_up(), .num = num };
    for (unsigned i = 0; i < num; i++) {
        g_autofree char *tag = g_strdup_printf("share-%u", i);

        l->fes[i] = fixture_device(l->f, &(DeviceOpts) {
            .path = l->f->share, .devid = i, .tag = tag,
        });
    }
    g_setenv("LOOP_WRAP", wrap, TRUE);
    fixture_start(l->f);
    g_setenv("LOOP_WRAP", before ? before : "", TRUE);
    for (unsigned i = 0; i < num; i++) {
        g_assert_true(fe_connect(l->fes[i], 1, 5));
        tattach({.fe = &l->fes[i]->client, .version = "9P2000.L"});
    }
    return true;
}

static void files_down(Files *l)
{
    if (l->num > 1) {
        fixture_drop(l->f, l->fes[1]);
    }
    fixture_close(l->f, l->fes[0]);
    fixture_down(l->f);
}

static char *name_of(unsigned device, unsigned fid)
{
    return g_strdup_printf("d%u-%u", device, fid);
}

/* Make and open a file, which has its name in it. */
static void open_one(Files *l, unsigned device, unsigned fid)
{
    P9Client *fe = &l->fes[device]->client;
    g_autofree char *name = name_of(device, fid);

    fixture_file(l->f, name, name, strlen(name));
    twalk({.fe = fe, .fid = 0, .newfid = fid, .path = name});
    tlopen({.fe = fe, .fid = fid});
}

/* Those with numbers from @from to @to, both included. */
static void open_some(Files *l, unsigned device, unsigned from, unsigned to)
{
    for (unsigned fid = from; fid <= to; fid++) {
        open_one(l, device, fid);
    }
}

static void read_one(Files *l, unsigned device, unsigned fid)
{
    g_autofree char *name = name_of(device, fid);
    char data[32] = "";

    tread({.fe = &l->fes[device]->client, .fid = fid, .count = sizeof(data),
           .data = data});
    g_assert_cmpstr(data, ==, name);
}

/* Whether the backend has the file open. */
static bool is_open(Files *l, unsigned device, unsigned fid)
{
    g_autofree char *folder =
        g_strdup_printf("/proc/%d/fd", (int)l->f->backend_pid);
    g_autofree char *name = name_of(device, fid);
    g_autofree char *path = g_build_filename(l->f->share, name, NULL);
    GDir *dir = g_dir_open(folder, 0, NULL);
    const char *entry;
    bool found = false;

    g_assert_nonnull(dir);
    while (!found && (entry = g_dir_read_name(dir))) {
        g_autofree char *link = g_build_filename(folder, entry, NULL);
        g_autofree char *target = g_file_read_link(link, NULL);

        found = g_strcmp0(target, path) == 0;
    }
    g_dir_close(dir);
    return found;
}

static unsigned num_open(Files *l, unsigned device, unsigned from,
                         unsigned to)
{
    unsigned num = 0;

    for (unsigned fid = from; fid <= to; fid++) {
        num += is_open(l, device, fid);
    }
    return num;
}

/* The soft limit is of no account where there is a higher hard one. */
static void test_raised(void)
{
    Files l;

    if (!files_up(&l, 1, "prlimit --nofile=300:4096")) {
        return;
    }
    open_some(&l, 0, 1, 500);
    g_assert_cmpuint(num_open(&l, 0, 1, 500), ==, 500);
    files_down(&l);
}

/* Those that were not used for longest are closed; all can be read again. */
static void test_oldest(void)
{
    Files l;

    if (!files_up(&l, 1, SCARCE)) {
        return;
    }
    open_some(&l, 0, 1, SHARED - 10);
    read_one(&l, 0, 1);
    read_one(&l, 0, 2);
    open_some(&l, 0, SHARED - 9, SHARED + 10);
    g_assert_true(is_open(&l, 0, 1));
    g_assert_true(is_open(&l, 0, 2));
    g_assert_cmpuint(num_open(&l, 0, 3, 20), ==, 0);
    g_assert_cmpuint(num_open(&l, 0, SHARED - 20, SHARED + 10), ==, 31);
    for (unsigned fid = 1; fid <= SHARED + 10; fid++) {
        read_one(&l, 0, fid);
    }
    files_down(&l);
}

/* Another one's many files cost a session none of its few. */
static void test_share(void)
{
    Files l;

    if (!files_up(&l, 2, SCARCE)) {
        return;
    }
    open_some(&l, 0, 1, SHARED - 5);
    open_some(&l, 1, 1, 20);
    g_assert_cmpuint(num_open(&l, 1, 1, 20), ==, 20);
    /* The other one has more than its share. */
    open_one(&l, 0, SHARED);
    g_assert_cmpuint(num_open(&l, 0, 1, SHARED), <, SHARED / 2 + 10);
    files_down(&l);
}

/* Where there are none left, one's own are closed, and nothing fails. */
static void test_none_left(void)
{
    Files l;

    if (!files_up(&l, 2, "prlimit --nofile=260:260")) {
        return;
    }
    open_some(&l, 0, 1, 170);
    open_some(&l, 1, 1, 84);
    for (unsigned fid = 1; fid <= 84; fid++) {
        read_one(&l, 1, fid);
    }
    files_down(&l);
}

/* A file that has another one's name by now is not that one. */
static void test_stale(void)
{
    g_autofree char *first = name_of(0, 1), *second = name_of(0, 2);
    g_autofree char *from = NULL, *to = NULL;
    Files l;

    if (!files_up(&l, 1, SCARCE)) {
        return;
    }
    open_some(&l, 0, 1, SHARED + 20);
    g_assert_false(is_open(&l, 0, 1));
    from = g_build_filename(l.f->share, second, NULL);
    to = g_build_filename(l.f->share, first, NULL);
    g_assert_cmpint(rename(from, to), ==, 0);
    tread({.fe = &l.fes[0]->client, .fid = 1, .count = 10,
           .expect_err = ESTALE});
    tread({.fe = &l.fes[0]->client, .fid = 2, .count = 10,
           .expect_err = ENOENT});
    read_one(&l, 0, 3);
    tclunk({.fe = &l.fes[0]->client, .fid = 1});
    files_down(&l);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/descriptors/raised", test_raised);
    g_test_add_func("/descriptors/oldest", test_oldest);
    g_test_add_func("/descriptors/share", test_share);
    g_test_add_func("/descriptors/none-left", test_none_left);
    g_test_add_func("/descriptors/stale", test_stale);
    return g_test_run();
}
