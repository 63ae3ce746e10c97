/*
 * Xen 9P tests: renames beside other requests, and long paths
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "xen-9p-pair.h"

/* A name of @len times a letter. */
static char *long_name(char letter, unsigned len)
{
    char *name = g_malloc(len + 1);

    memset(name, letter, len);
    name[len] = '\0';
    return name;
}

/*
 * A Tlcreate changes the path of its fid, which Twalk copies meanwhile. A long
 * one, so that each takes its time.
 */
#define CREATES 1000

static char *deep_folder(void)
{
    char *names[16] = { NULL };
    g_autofree char *name = long_name('d', 250);

    for (unsigned i = 0; i < G_N_ELEMENTS(names) - 1; i++) {
        names[i] = name;
    }
    return g_strjoinv("/", names);
}

static void create_beside_walks(Session *s, const char *folder, unsigned round)
{
    g_autofree char *name = g_strdup_printf("%u", round);
    P9Req *walks[40], *create = NULL;
    unsigned i;

    twalk({.fe = s->fe, .fid = 0, .newfid = 1, .path = folder});
    for (i = 0; i < G_N_ELEMENTS(walks); i++) {
        if (i == 4) {
            create = tlcreate({.fe = s->fe, .fid = 1, .name = name,
                               .mode = 0644, .flags = P9_DOTL_RDWR,
                               .request_only = true});
        }
        walks[i] = twalk({.fe = s->fe, .fid = 1, .newfid = 100 + i,
                          .request_only = true});
    }
    g_assert_cmpuint(pair_wait(create), ==, 0);
    for (i = 0; i < G_N_ELEMENTS(walks); i++) {
        g_assert_cmpuint(pair_wait(walks[i]), ==, 0);
    }
}

void pair_create_walk(Session *s)
{
    g_autofree char *folder = deep_folder();
    g_autofree char *file = g_build_filename(folder, "file", NULL);

    host_file(s, file, "");
    for (unsigned round = 0; round < CREATES; round++) {
        create_beside_walks(s, folder, round);
        pair_session(s);
    }
}

static P9Req *rename_folder(Session *s)
{
    return trenameat({.fe = s->fe, .dfid = 0, .name = "folder",
                      .newdfid = 0, .newname = "renamed",
                      .request_only = true});
}

/* @held waits in a worker, where nothing is locked or all of it should be. */
static void rename_beside(Session *s, P9Req *held)
{
    P9Req *rename;

    fixture_await_call(s->f, LOOP_FS_STAT);
    rename = rename_folder(s);
    /* So that it is done by now, if nothing keeps it. */
    p9_req_wait(rename, 100);
    pair_hold(s, LOOP_FS_STAT, false);
    g_assert_cmpuint(pair_wait(held), ==, 0);
    g_assert_cmpuint(pair_wait(rename), ==, 0);
}

void pair_walk_rename(Session *s)
{
    host_file(s, "folder/file", "text");
    pair_hold(s, LOOP_FS_STAT, true);
    rename_beside(s, twalk({.fe = s->fe, .fid = 0, .newfid = 1,
                            .path = "folder/file", .request_only = true}));
    tgetattr({.fe = s->fe, .fid = 1});
}

void pair_walk_itself_rename(Session *s)
{
    host_file(s, "folder/file", "text");
    twalk({.fe = s->fe, .fid = 0, .newfid = 1, .path = "folder"});
    pair_hold(s, LOOP_FS_STAT, true);
    rename_beside(s, twalk({.fe = s->fe, .fid = 1, .newfid = 1,
                            .path = "file", .request_only = true}));
    tlopen({.fe = s->fe, .fid = 1, .flags = P9_DOTL_RDWR});
}

/* Tcreate goes to the folder that it makes, whatever that is below by then. */
void pair_create_rename(Session *s)
{
    host_file(s, "folder/file", "text");
    twalk({.fe = s->fe, .fid = 0, .newfid = 1, .path = "folder"});
    pair_hold(s, LOOP_FS_STAT, true);
    rename_beside(s, tcreate({.fe = s->fe, .fid = 1, .name = "new",
                              .mode = P9_DMDIR | 0755,
                              .request_only = true}));
    tstat({.fe = s->fe, .fid = 1});
}

/* All fids below what is renamed, wherever they are in the server's table. */
void pair_rename_all(Session *s)
{
    static const uint32_t fids[] = { 1, 20, 90, 1000 };
    const char *name = "folder";
    unsigned i, j;

    host_file(s, "folder/file", "text");
    for (i = 0; i < 64; i++) {
        twalk({.fe = s->fe, .fid = 0, .newfid = 100 + i,
               .path = "folder/file"});
        twalk({.fe = s->fe, .fid = 0, .newfid = 30 + i, .path = "folder"});
    }
    twalk({.fe = s->fe, .fid = 0, .newfid = 1, .path = "folder"});
    for (i = 1; i < G_N_ELEMENTS(fids); i++) {
        if (fids[i] < 30 || fids[i] > 200) {
            twalk({.fe = s->fe, .fid = 1, .newfid = fids[i]});
        }
    }
    for (i = 0; i < G_N_ELEMENTS(fids); i++) {
        name = i % 2 ? "folder" : "other";
        trename({.fe = s->fe, .fid = fids[i], .dfid = 0, .name = name});
        for (j = 0; j < 64; j++) {
            tgetattr({.fe = s->fe, .fid = 100 + j});
            tgetattr({.fe = s->fe, .fid = 30 + j});
        }
    }
}

/* ---- Long paths ---- */

#define NAME_LEN 100

/* @count folders in each other, of which @fid and the next ones are. */
static void dig(Session *s, uint32_t fid, char letter, unsigned count)
{
    g_autofree char *name = long_name(letter, NAME_LEN);
    uint32_t in = 0;

    for (unsigned i = 0; i < count; i++) {
        tmkdir({.fe = s->fe, .dfid = in, .name = name, .mode = 0755});
        twalk({.fe = s->fe, .fid = in, .newfid = fid + i, .path = name});
        in = fid + i;
    }
}

/* Their end, from within; a test's own files there are gone. */
static void fill_in(Session *s, uint32_t fid, char letter, unsigned count)
{
    g_autofree char *name = long_name(letter, NAME_LEN);

    while (count--) {
        tunlinkat({.fe = s->fe, .dfid = count ? fid + count - 1 : 0,
                   .name = name, .flags = P9_DOTL_AT_REMOVEDIR});
        tclunk({.fe = s->fe, .fid = fid + count});
    }
}

/* The last one of 40 names of 100 bytes: "." and 40 times 101 are 4041. */
void pair_path_longest(Session *s)
{
    const uint32_t last = 100 + 39;
    g_autofree char *long_one = long_name('x', 54);
    g_autofree char *fits = long_name('x', 53);

    dig(s, 100, 'd', 40);
    host_file(s, "file", "text");
    twalk({.fe = s->fe, .fid = 0, .newfid = 1, .path = "file"});
    tmkdir({.fe = s->fe, .dfid = last, .name = long_one, .mode = 0755,
            .expect_err = ENAMETOOLONG});
    tmknod({.fe = s->fe, .dfid = last, .name = long_one,
            .mode = S_IFREG | 0644, .expect_err = ENAMETOOLONG});
    tsymlink({.fe = s->fe, .dfid = last, .name = long_one, .target = "t",
              .expect_err = ENAMETOOLONG});
    tlink({.fe = s->fe, .dfid = last, .name = long_one, .fid = 1,
           .expect_err = ENAMETOOLONG});
    trenameat({.fe = s->fe, .dfid = 0, .name = "file", .newdfid = last,
               .newname = long_one, .expect_err = ENAMETOOLONG});
    trename({.fe = s->fe, .fid = 1, .dfid = last, .name = long_one,
             .expect_err = ENAMETOOLONG});
    twalk({.fe = s->fe, .fid = last, .newfid = 2});
    tlcreate({.fe = s->fe, .fid = 2, .name = long_one, .mode = 0644,
              .flags = P9_DOTL_RDWR, .expect_err = ENAMETOOLONG});
    /* What is refused is not there, and the next shorter one is not. */
    tunlinkat({.fe = s->fe, .dfid = last, .name = fits,
               .expect_err = ENOENT});
    tlcreate({.fe = s->fe, .fid = 2, .name = fits, .mode = 0644,
              .flags = P9_DOTL_RDWR});
    tgetattr({.fe = s->fe, .fid = 2});
    tunlinkat({.fe = s->fe, .dfid = last, .name = fits});
    fill_in(s, 100, 'd', 40);
}

/* 30 folders are to go below 30 others, where fids would be too far down. */
void pair_path_grows(Session *s)
{
    g_autofree char *a = long_name('a', NAME_LEN);
    char data[5] = "";

    dig(s, 100, 'a', 30);
    dig(s, 200, 'b', 30);
    twalk({.fe = s->fe, .fid = 129, .newfid = 1});
    tlcreate({.fe = s->fe, .fid = 1, .name = "file", .mode = 0644,
              .flags = P9_DOTL_RDWR});
    twrite({.fe = s->fe, .fid = 1, .count = 4, .data = "text"});
    twalk({.fe = s->fe, .fid = 129, .newfid = 2, .path = "file"});
    twalk({.fe = s->fe, .fid = 129, .newfid = 3});

    trenameat({.fe = s->fe, .dfid = 0, .name = a, .newdfid = 229,
               .newname = a, .expect_err = ENAMETOOLONG});
    tread({.fe = s->fe, .fid = 1, .count = 4, .data = data});
    g_assert_cmpstr(data, ==, "text");
    tgetattr({.fe = s->fe, .fid = 2});
    tclunk({.fe = s->fe, .fid = 1});
    tunlinkat({.fe = s->fe, .dfid = 129, .name = "file"});
    fill_in(s, 100, 'a', 30);
}

/* ---- A link that is a file, and a large one ---- */

static unsigned rss_kib(Session *s)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/status",
                                            (int)s->f->backend_pid);
    g_autofree char *text = NULL;
    const char *peak;

    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    peak = strstr(text, "VmHWM:");
    g_assert_nonnull(peak);
    return g_ascii_strtoull(peak + strlen("VmHWM:"), NULL, 10);
}

static void make_link(Session *s, uint64_t size)
{
    P9Stat change = {
        .type = 0xffff, .dev = ~0u, .mode = ~0u, .atime = ~0u,
        .mtime = ~0u, .length = size, .n_uid = ~0u, .n_gid = ~0u,
        .n_muid = ~0u,
        .qid = { .type = 0xff, .version = ~0u, .path = ~0ull },
    };

    if (s->fe->dotl) {
        tsymlink({.fe = s->fe, .dfid = 0, .name = "link", .target = "t"});
        twalk({.fe = s->fe, .fid = 0, .newfid = 1, .path = "link"});
        tsetattr({.fe = s->fe, .fid = 1, .valid = P9_SETATTR_SIZE,
                  .size = size});
    } else {
        twalk({.fe = s->fe, .fid = 0, .newfid = 1});
        tcreate({.fe = s->fe, .fid = 1, .name = "link", .extension = "t",
                 .mode = 0x02000000u | 0777});
        twstat({.fe = s->fe, .fid = 1, .stat = &change});
    }
}

void pair_long_link(Session *s)
{
    unsigned before;

    make_link(s, 1ull << 40);
    before = rss_kib(s);
    for (unsigned i = 0; i < 10; i++) {
        if (s->fe->dotl) {
            treadlink({.fe = s->fe, .fid = 1, .expect_err = ENAMETOOLONG});
        } else {
            tstat({.fe = s->fe, .fid = 1, .expect_err = ENAMETOOLONG});
        }
    }
    g_assert_cmpuint(rss_kib(s), <, before + 8 * 1024);
}
