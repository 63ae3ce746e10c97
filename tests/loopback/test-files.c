/*
 * A file of a share behaves as one of a local file system does
 *
 * What is open is the open file, whoever has its name by now.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"

#define OTHERS (P9_SETATTR_MODE | P9_SETATTR_UID | P9_SETATTR_GID |      \
                P9_SETATTR_MTIME | P9_SETATTR_MTIME_SET)

typedef struct Files {
    Fixture *f;
    Fe *front;
    P9Client *fe;
} Files;

static bool files_up(Files *l, const char *model, const char *version)
{
    if (fixture_backend() != BACKEND_OURS) {
        g_test_skip("others have the server as it is in QEMU");
        return false;
    }
    l->f = fixture_up();
    l->front = fixture_connect_as(l->f, &(DeviceOpts) {
        .path = l->f->share, .security_model = model,
    }, 1, 5);
    l->fe = &l->front->client;
    tattach({.fe = l->fe, .version = version});
    return true;
}

static void files_down(Files *l)
{
    fixture_close(l->f, l->front);
    fixture_down(l->f);
}

/* A file of the guest's with its name in it; @fid has it open if asked to. */
static void make(Files *l, uint32_t fid, const char *name, bool open)
{
    twalk({.fe = l->fe, .fid = 0, .newfid = fid});
    tlcreate({.fe = l->fe, .fid = fid, .name = name, .mode = 0600, .gid = 1,
              .flags = P9_DOTL_RDWR | P9_DOTL_CREATE});
    twrite({.fe = l->fe, .fid = fid, .count = strlen(name), .data = name});
    if (!open) {
        tclunk({.fe = l->fe, .fid = fid});
    }
}

static void host_rename(Files *l, const char *from, const char *to)
{
    g_autofree char *a = g_build_filename(l->f->share, from, NULL);
    g_autofree char *b = g_build_filename(l->f->share, to, NULL);

    g_assert_cmpint(rename(a, b), ==, 0);
}

/* What make() has made of a file is what it still is. */
static void assert_untouched(Files *l, const char *name, uint64_t size)
{
    P9Attr attr;

    twalk({.fe = l->fe, .fid = 0, .newfid = 20, .path = name});
    tgetattr({.fe = l->fe, .fid = 20, .rattr = &attr});
    g_assert_cmpuint(attr.mode & 07777, ==, 0600);
    g_assert_cmpuint(attr.uid, ==, 0);
    g_assert_cmpuint(attr.gid, ==, 1);
    g_assert_cmpuint(attr.size, ==, size);
    g_assert_cmpuint(attr.mtime_sec, >, 1000);
    tclunk({.fe = l->fe, .fid = 20});
}

/* All that can be set is set, and seen, by a fid. */
static void change(Files *l, uint32_t fid, unsigned value)
{
    P9Statfs fs;
    P9Attr attr;

    tsetattr({.fe = l->fe, .fid = fid, .valid = P9_SETATTR_SIZE,
              .size = value});
    tsetattr({.fe = l->fe, .fid = fid, .valid = OTHERS, .mtime_sec = value,
              .mode = S_IFREG | value, .uid = value, .gid = value + 1});
    tgetattr({.fe = l->fe, .fid = fid, .rattr = &attr});
    g_assert_cmpuint(attr.mode, ==, S_IFREG | value);
    g_assert_cmpuint(attr.uid, ==, value);
    g_assert_cmpuint(attr.gid, ==, value + 1);
    g_assert_cmpuint(attr.size, ==, value);
    g_assert_cmpuint(attr.mtime_sec, ==, value);
    tstatfs({.fe = l->fe, .fid = fid, .rstatfs = &fs});
    g_assert_cmpuint(fs.namelen, ==, 255);
}

/* Its extended attributes are made, seen and removed by a fid. */
static void change_xattr(Files *l, uint32_t fid)
{
    static const char name[] = "user.x", value[] = "value";
    char data[sizeof(value)];
    uint64_t size;

    twalk({.fe = l->fe, .fid = fid, .newfid = 21});
    txattrcreate({.fe = l->fe, .fid = 21, .name = name, .size = sizeof(value)});
    twrite({.fe = l->fe, .fid = 21, .count = sizeof(value), .data = value});
    tclunk({.fe = l->fe, .fid = 21});

    txattrwalk({.fe = l->fe, .fid = fid, .newfid = 21, .name = name,
                .rsize = &size});
    g_assert_cmpuint(size, ==, sizeof(value));
    tread({.fe = l->fe, .fid = 21, .count = size, .data = data});
    g_assert_cmpstr(data, ==, value);
    tclunk({.fe = l->fe, .fid = 21});
    txattrwalk({.fe = l->fe, .fid = fid, .newfid = 21, .name = "",
                .rsize = &size});
    g_assert_cmpuint(size, ==, sizeof(name));
    tclunk({.fe = l->fe, .fid = 21});

    twalk({.fe = l->fe, .fid = fid, .newfid = 21});
    txattrcreate({.fe = l->fe, .fid = 21, .name = name});
    tclunk({.fe = l->fe, .fid = 21});
    txattrwalk({.fe = l->fe, .fid = fid, .newfid = 21, .name = name,
                .rsize = &size, .expect_err = ENODATA});
}

/* ---- The name of an open file is taken away ---- */

typedef enum Way {
    UNLINKED,
    REMADE,                     /* and another file has its name */
    RENAMED_OVER,
    REPLACED,                   /* the same, by the host */
} Way;

static const char *const ways[] = {
    "unlinked", "remade", "renamed-over", "replaced",
};

static void take_name(Files *l, Way way)
{
    switch (way) {
    case UNLINKED:
        tunlinkat({.fe = l->fe, .dfid = 0, .name = "a"});
        break;
    case REMADE:
        tunlinkat({.fe = l->fe, .dfid = 0, .name = "a"});
        make(l, 9, "a", false);
        break;
    case RENAMED_OVER:
        trenameat({.fe = l->fe, .dfid = 0, .name = "bb", .newdfid = 0,
                   .newname = "a"});
        break;
    case REPLACED:
        host_rename(l, "bb", "a");
        break;
    }
}

typedef struct Case {
    const char *model;
    Way way;
} Case;

static void test_open(gconstpointer opaque)
{
    const Case *c = opaque;
    char data[8];
    uint32_t count;
    Files l;

    if (!files_up(&l, c->model, "9P2000.L")) {
        return;
    }
    make(&l, 1, "a", true);
    make(&l, 9, "bb", false);
    /* Another one that is open, for reading alone, and two that are not. */
    twalk({.fe = l.fe, .fid = 0, .newfid = 2, .path = "a"});
    tlopen({.fe = l.fe, .fid = 2, .flags = P9_DOTL_RDONLY});
    twalk({.fe = l.fe, .fid = 0, .newfid = 3, .path = "a"});
    twalk({.fe = l.fe, .fid = 0, .newfid = 4, .path = "bb"});
    take_name(&l, c->way);
    if (c->way == REPLACED && g_str_equal(c->model, "mapped-file")) {
        /* There the host has given one file's owner to the other. */
        tsetattr({.fe = l.fe, .fid = 1, .valid = P9_SETATTR_MODE,
                  .mode = S_IFREG | 0640, .expect_err = ESTALE});
        tsetattr({.fe = l.fe, .fid = 1, .valid = P9_SETATTR_SIZE, .size = 0});
        assert_untouched(&l, "a", 2);
        files_down(&l);
        return;
    }
    change(&l, 1, 0640);
    change(&l, 2, 0604);
    if (c->way != REPLACED) {
        /* Those that are not open are as good as those that are. */
        change_xattr(&l, 1);
        change_xattr(&l, 3);
        change(&l, 3, 0444);
        twalk({.fe = l.fe, .fid = 3, .newfid = 5});
        change(&l, 5, 0440);
        tclunk({.fe = l.fe, .fid = 5});
    }
    /* What is written there is read there. */
    twrite({.fe = l.fe, .fid = 1, .count = 3, .data = "xyz"});
    tread({.fe = l.fe, .fid = 2, .count = 3, .data = data, .rcount = &count});
    g_assert_cmpuint(count, ==, 3);
    g_assert_cmpint(memcmp(data, "xyz", 3), ==, 0);
    if (c->way != UNLINKED) {
        assert_untouched(&l, "a", c->way == REMADE ? 1 : 2);
    }
    if (c->way == RENAMED_OVER) {
        change(&l, 4, 0622);
    }
    /* With none of them open there is nothing to be had. */
    tclunk({.fe = l.fe, .fid = 1});
    tclunk({.fe = l.fe, .fid = 2});
    if (c->way != REPLACED) {
        twalk({.fe = l.fe, .fid = 3, .newfid = 5});
        txattrcreate({.fe = l.fe, .fid = 5, .name = "user.x"});
        tclunk({.fe = l.fe, .fid = 5, .expect_err = ENOENT});
        tgetattr({.fe = l.fe, .fid = 3, .expect_err = ENOENT});
        tsetattr({.fe = l.fe, .fid = 3, .valid = P9_SETATTR_MODE,
                  .mode = 0, .expect_err = ENOENT});
    }
    files_down(&l);
}

/* ---- Nothing is open ---- */

/* Another file's name is not taken for the one that a fid had. */
static void test_named(gconstpointer model)
{
    uint64_t size;
    Files l;

    if (!files_up(&l, model, "9P2000.L")) {
        return;
    }
    for (unsigned i = 0; i < 3; i++) {
        make(&l, 9, "a", false);
        twalk({.fe = l.fe, .fid = 0, .newfid = 1, .path = "a"});
        twalk({.fe = l.fe, .fid = 0, .newfid = 2, .path = "a"});
        if (i == 0) {
            take_name(&l, REMADE);
        } else if (i == 1) {
            make(&l, 9, "bb", false);
            take_name(&l, RENAMED_OVER);
        } else {
            tremove({.fe = l.fe, .fid = 2});
            make(&l, 9, "a", false);
            twalk({.fe = l.fe, .fid = 0, .newfid = 2, .path = "a"});
        }
        tgetattr({.fe = l.fe, .fid = 1, .expect_err = ENOENT});
        tsetattr({.fe = l.fe, .fid = 1, .valid = OTHERS,
                  .expect_err = ENOENT});
        tstatfs({.fe = l.fe, .fid = 1, .expect_err = ENOENT});
        tlopen({.fe = l.fe, .fid = 1, .expect_err = ENOENT});
        txattrwalk({.fe = l.fe, .fid = 1, .newfid = 3, .name = "user.x",
                    .rsize = &size, .expect_err = ENOENT});
        tlink({.fe = l.fe, .dfid = 0, .fid = 1, .name = "c",
               .expect_err = ENOENT});
        twalk({.fe = l.fe, .fid = 1, .newfid = 3, .path = "x",
               .expect_err = ENOENT});
        trename({.fe = l.fe, .fid = 1, .dfid = 0, .name = "c",
                 .expect_err = ENOENT});
        tremove({.fe = l.fe, .fid = 1, .expect_err = ENOENT});
        assert_untouched(&l, "a", i == 1 ? 2 : 1);
        tunlinkat({.fe = l.fe, .dfid = 0, .name = "a"});
        tclunk({.fe = l.fe, .fid = 2});
    }
    files_down(&l);
}

/* What did not lose its name is as it was. */
static void test_kept(gconstpointer model)
{
    P9Attr attr;
    Files l;

    if (!files_up(&l, model, "9P2000.L")) {
        return;
    }
    make(&l, 1, "a", true);
    twalk({.fe = l.fe, .fid = 0, .newfid = 2, .path = "a"});
    tlink({.fe = l.fe, .dfid = 0, .fid = 2, .name = "b"});
    twalk({.fe = l.fe, .fid = 0, .newfid = 3, .path = "b"});
    /* Names of one file: this does nothing, and is no error. */
    trenameat({.fe = l.fe, .dfid = 0, .name = "a", .newdfid = 0,
               .newname = "b"});
    change(&l, 3, 0640);
    trenameat({.fe = l.fe, .dfid = 0, .name = "b", .newdfid = 0,
               .newname = "b"});
    change(&l, 3, 0604);
    /* The other name of a file that loses one. */
    tunlinkat({.fe = l.fe, .dfid = 0, .name = "a"});
    change(&l, 3, 0622);
    tgetattr({.fe = l.fe, .fid = 1, .rattr = &attr});
    g_assert_cmpuint(attr.nlink, ==, 1);
    /* What can not be removed. */
    tmkdir({.fe = l.fe, .dfid = 0, .name = "d", .mode = 0700});
    twalk({.fe = l.fe, .fid = 0, .newfid = 4, .path = "d"});
    twalk({.fe = l.fe, .fid = 0, .newfid = 5, .path = "d"});
    tmkdir({.fe = l.fe, .dfid = 4, .name = "e", .mode = 0700});
    tunlinkat({.fe = l.fe, .dfid = 0, .name = "d",
               .flags = P9_DOTL_AT_REMOVEDIR, .expect_err = ENOTEMPTY});
    trenameat({.fe = l.fe, .dfid = 0, .name = "b", .newdfid = 0,
               .newname = "d", .expect_err = EISDIR});
    tgetattr({.fe = l.fe, .fid = 5});
    twalk({.fe = l.fe, .fid = 5, .newfid = 6, .path = "e"});
    /* A folder that is open, and then another one of its name. */
    tlopen({.fe = l.fe, .fid = 6});
    tunlinkat({.fe = l.fe, .dfid = 4, .name = "e",
               .flags = P9_DOTL_AT_REMOVEDIR});
    tmkdir({.fe = l.fe, .dfid = 4, .name = "e", .mode = 0700});
    tsetattr({.fe = l.fe, .fid = 6, .valid = P9_SETATTR_MODE,
              .mode = S_IFDIR | 0711});
    tgetattr({.fe = l.fe, .fid = 6, .rattr = &attr});
    g_assert_cmpuint(attr.mode, ==, S_IFDIR | 0711);
    twalk({.fe = l.fe, .fid = 4, .newfid = 7, .path = "e"});
    tgetattr({.fe = l.fe, .fid = 7, .rattr = &attr});
    g_assert_cmpuint(attr.mode, ==, S_IFDIR | 0700);
    files_down(&l);
}

/* ---- 9P2000.u ---- */

static void test_dotu(gconstpointer model)
{
    P9Stat none = {
        .type = -1, .dev = -1, .qid = { -1, -1, -1 }, .mode = -1,
        .atime = -1, .mtime = -1, .length = -1, .n_uid = -1, .n_gid = -1,
        .n_muid = -1, .name = (char *)"", .uid = (char *)"",
        .gid = (char *)"", .muid = (char *)"", .extension = (char *)"",
    };
    P9Stat changed = none, renamed = none, now;
    g_autofree char *path = NULL;
    struct stat st;
    Files l;

    if (!files_up(&l, model, "9P2000.u")) {
        return;
    }
    fixture_file(l.f, "bb", "bb", 2);
    twalk({.fe = l.fe, .fid = 0, .newfid = 1});
    tcreate({.fe = l.fe, .fid = 1, .name = "a", .mode = 0600,
             .flags = P9_ORDWR});
    twalk({.fe = l.fe, .fid = 0, .newfid = 2, .path = "bb"});
    renamed.name = (char *)"a";
    twstat({.fe = l.fe, .fid = 2, .stat = &renamed});
    changed.length = 77;
    twstat({.fe = l.fe, .fid = 1, .stat = &changed});
    changed.length = -1;
    changed.mode = 0640;
    changed.mtime = 78;
    changed.n_uid = 79;
    twstat({.fe = l.fe, .fid = 1, .stat = &changed});
    tstat({.fe = l.fe, .fid = 1, .rstat = &now});
    g_assert_cmpuint(now.mode, ==, 0640);
    g_assert_cmpuint(now.length, ==, 77);
    g_assert_cmpuint(now.mtime, ==, 78);
    g_assert_cmpuint(now.n_uid, ==, 79);
    p9_stat_clear(&now);
    path = g_build_filename(l.f->share, "a", NULL);
    g_assert_cmpint(stat(path, &st), ==, 0);
    g_assert_cmpint(st.st_size, ==, 2);
    g_assert_cmpint(st.st_mtime, >, 1000);
    tstat({.fe = l.fe, .fid = 2, .rstat = &now});
    g_assert_cmpuint(now.length, ==, 2);
    g_assert_cmpuint(now.n_uid, !=, 79);
    p9_stat_clear(&now);
    files_down(&l);
}

static void add(const char *group, const char *model, const char *more,
                gconstpointer data, GTestDataFunc test)
{
    g_autofree char *path = g_strjoin("/", "/files", group, model, more, NULL);

    g_test_add_data_func(path, data, test);
}

int main(int argc, char **argv)
{
    static Case cases[G_N_ELEMENTS(fixture_models) * G_N_ELEMENTS(ways)];
    Case *c = cases;

    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(fixture_models); i++) {
        for (size_t j = 0; j < G_N_ELEMENTS(ways); j++, c++) {
            *c = (Case) { fixture_models[i], j };
            add("open", fixture_models[i], ways[j], c, test_open);
        }
        add("named", fixture_models[i], NULL, fixture_models[i], test_named);
        add("kept", fixture_models[i], NULL, fixture_models[i], test_kept);
        add("dotu", fixture_models[i], NULL, fixture_models[i], test_dotu);
    }
    return g_test_run();
}
