/*
 * What a look-up costs, and where it can not lead
 *
 * System calls of the file system for each request, for names up to eight
 * folders deep; and links, ".." and renames, with openat2() and without it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "fixture.h"
#include "syscalls.h"

#define TIMES 4                 /* each request is counted so often */
#define ENTRIES 20
#define SWAPS 1500              /* of a folder with a link out of the share */
#define DEEP "1/2/3/4/5/6/7/8"

typedef struct Lookups {
    Fixture *f;
    Fe *front;
    P9Client *fe;
} Lookups;

static bool lookups_up(Lookups *l, const char *model, gconstpointer old)
{
    const char *more[] = { "dispatch", "inline", NULL };

    if (fixture_backend() != BACKEND_OURS) {
        g_test_skip("others have the server as it is in QEMU");
        return false;
    }
    if (old) {
        g_setenv("XEN_LOOPBACK_OLD_KERNEL", "1", TRUE);
    }
    l->f = fixture_up();
    l->front = fixture_connect_as(l->f, &(DeviceOpts) {
        .path = l->f->share, .security_model = model, .more = more,
    }, 1, 5);
    l->fe = &l->front->client;
    tattach({.fe = l->fe});
    return true;
}

static void lookups_down(Lookups *l)
{
    fixture_close(l->f, l->front);
    fixture_down(l->f);
}

/* ---- What it costs ---- */

typedef struct Cost {
    const char *name;
    /* Fid 1 is the folder, 2 the file "f" in it, 3 the folder, opened. */
    void (*request)(P9Client *fe, unsigned time);
    unsigned in_root, below;    /* at most so many system calls */
} Cost;

static void do_getattr(P9Client *fe, unsigned time G_GNUC_UNUSED)
{
    tgetattr({.fe = fe, .fid = 2});
}

static void do_getattr_all(P9Client *fe, unsigned time G_GNUC_UNUSED)
{
    tgetattr({.fe = fe, .fid = 2, .mask = P9_GETATTR_ALL});
}

static void do_getattr_open(P9Client *fe, unsigned time G_GNUC_UNUSED)
{
    tgetattr({.fe = fe, .fid = 3, .mask = P9_GETATTR_ALL});
}

static void do_walk(P9Client *fe, unsigned time)
{
    twalk({.fe = fe, .fid = 1, .newfid = 100 + time, .path = "f"});
}

static void do_clone(P9Client *fe, unsigned time)
{
    twalk({.fe = fe, .fid = 2, .newfid = 200 + time});
}

static void do_open(P9Client *fe, unsigned time)
{
    tlopen({.fe = fe, .fid = 200 + time, .flags = P9_DOTL_RDWR});
}

static void do_read_end(P9Client *fe, unsigned time)
{
    uint32_t count;

    tread({.fe = fe, .fid = 200 + time, .count = 4096, .rcount = &count});
    g_assert_cmpuint(count, ==, 5);
}

static void do_clunk(P9Client *fe, unsigned time)
{
    tclunk({.fe = fe, .fid = 200 + time});
}

static void do_clone_folder(P9Client *fe, unsigned time)
{
    twalk({.fe = fe, .fid = 1, .newfid = 300 + time});
}

static void do_open_folder(P9Client *fe, unsigned time)
{
    tlopen({.fe = fe, .fid = 300 + time});
}

static void do_readdir(P9Client *fe, unsigned time)
{
    GPtrArray *entries = p9_dirents_new();

    treaddir({.fe = fe, .fid = 300 + time, .count = 8192, .entries = entries});
    g_assert_cmpuint(entries->len, >=, ENTRIES);
    g_ptr_array_unref(entries);
}

static void do_create(P9Client *fe, unsigned time)
{
    g_autofree char *name = g_strdup_printf("new-%u", time);

    twalk({.fe = fe, .fid = 1, .newfid = 400 + time});
    tlcreate({.fe = fe, .fid = 400 + time, .name = name, .mode = 0644,
              .flags = P9_DOTL_RDWR | P9_DOTL_CREATE});
}

static void do_setattr(P9Client *fe, unsigned time G_GNUC_UNUSED)
{
    tsetattr({.fe = fe, .fid = 2, .valid = P9_SETATTR_MTIME});
}

static void do_capability(P9Client *fe, unsigned time)
{
    txattrwalk({.fe = fe, .fid = 2, .newfid = 500 + time,
                .name = "security.capability", .expect_err = EOPNOTSUPP});
}

static void do_xattr(P9Client *fe, unsigned time)
{
    txattrwalk({.fe = fe, .fid = 2, .newfid = 500 + time, .name = "user.no",
                .expect_err = ENODATA});
}

static void do_absent(P9Client *fe, unsigned time)
{
    twalk({.fe = fe, .fid = 1, .newfid = 600 + time, .path = "absent",
           .expect_err = ENOENT});
}

static const Cost costs[] = {
    { "getattr", do_getattr, 1, 3 },
    { "getattr, all", do_getattr_all, 1, 3 },
    { "getattr, open", do_getattr_open, 1, 1 },
    { "walk", do_walk, 1, 3 },
    { "walk, absent", do_absent, 1, 3 },
    { "walk, no name", do_clone, 0, 0 },
    { "lopen", do_open, 4, 4 },
    { "read to the end", do_read_end, 1, 1 },
    { "clunk", do_clunk, 1, 1 },
    { "walk, no name", do_clone_folder, 0, 0 },
    /* Three are the C library's, in fdopendir(). */
    { "lopen, folder", do_open_folder, 7, 7 },
    { "readdir", do_readdir, 4, 4 },
    { "lcreate", do_create, 12, 12 },
    { "setattr", do_setattr, 3, 3 },
    { "xattrwalk", do_xattr, 1, 3 },
    { "xattrwalk, of the guest's own", do_capability, 0, 0 },
};

/* The folder @depth below the root, as fid 1, with what the costs use. */
static void walk_down(Lookups *l, unsigned depth)
{
    g_autofree char *path = g_strndup(DEEP, depth ? depth * 2 - 1 : 0);

    for (unsigned i = 0; i < ENTRIES; i++) {
        g_autofree char *number = i ? g_strdup_printf("%u", i) : NULL;
        g_autofree char *name = g_strconcat(path, "/f", number, NULL);

        fixture_file(l->f, name, "12345", 5);
    }
    if (depth) {
        twalk({.fe = l->fe, .fid = 0, .newfid = 1, .path = path});
    } else {
        twalk({.fe = l->fe, .fid = 0, .newfid = 1});
    }
    twalk({.fe = l->fe, .fid = 1, .newfid = 2, .path = "f"});
    twalk({.fe = l->fe, .fid = 2, .newfid = 3});
    tlopen({.fe = l->fe, .fid = 3, .flags = P9_DOTL_RDWR});
}

static void test_cost(gconstpointer opaque)
{
    unsigned depth = GPOINTER_TO_UINT(opaque), above = 0;
    Lookups l;

    if (!lookups_up(&l, "none", NULL)) {
        return;
    }
    walk_down(&l, depth);
    for (size_t i = 0; i < G_N_ELEMENTS(costs); i++) {
        const Cost *cost = &costs[i];
        unsigned most = depth ? cost->below : cost->in_root, number;
        g_autofree char *names = NULL;
        Syscalls *calls = syscalls_begin(l.f);

        if (!calls) {
            break;
        }
        for (unsigned time = 0; time < TIMES; time++) {
            cost->request(l.fe, time);
        }
        number = syscalls_end(calls, &names);
        printf("# %-30s %u folders deep: %u.%u\n", cost->name, depth,
               number / TIMES, number % TIMES * 100 / TIMES);
        if (number > most * TIMES) {
            printf("# at most %u expected:%.200s\n", most, names);
            above++;
        }
    }
    g_assert_cmpuint(above, ==, 0);
    lookups_down(&l);
}

/* ---- What it finds ---- */

/* A folder whose path is short enough for the host, but not with an entry. */
static void test_long_path(void)
{
    const char *names[P9_MAX_WELEM + 1] = { NULL };
    g_autofree char *folder = g_strnfill(NAME_MAX, 'd');
    g_autofree char *last = g_strnfill(240, 'd');
    GPtrArray *entries = p9_dirents_new();
    bool found = false;
    int fd, next;
    Lookups l;

    if (!lookups_up(&l, "none", NULL)) {
        return;
    }
    fd = open(l.f->share, O_RDONLY | O_DIRECTORY);
    for (unsigned i = 0; i < P9_MAX_WELEM; i++) {
        names[i] = i < P9_MAX_WELEM - 1 ? folder : last;
        g_assert_cmpint(mkdirat(fd, names[i], 0755), ==, 0);
        next = openat(fd, names[i], O_RDONLY | O_DIRECTORY);
        close(fd);
        fd = next;
    }
    close(openat(fd, "an-entry-of-20-bytes", O_CREAT | O_WRONLY, 0644));
    close(fd);
    {
        TWalk walk = { .fe = l.fe, .fid = 0, .newfid = 1 };

        memcpy(walk.names, names, sizeof(names));
        p9_twalk(walk);
    }
    tlopen({.fe = l.fe, .fid = 1});
    treaddir({.fe = l.fe, .fid = 1, .count = 8192, .entries = entries});
    for (unsigned i = 0; i < entries->len; i++) {
        const P9Dirent *entry = g_ptr_array_index(entries, i);

        found = found || !strcmp(entry->name, "an-entry-of-20-bytes");
    }
    g_assert_true(found);
    g_ptr_array_unref(entries);
    lookups_down(&l);
}

static uint64_t gen_of(P9Client *fe, uint32_t fid)
{
    P9Attr attr;

    tgetattr({.fe = fe, .fid = fid, .mask = P9_GETATTR_ALL, .rattr = &attr});
    g_assert_cmpuint(!!(attr.valid & P9_GETATTR_GEN), ==, attr.gen != 0);
    g_assert_cmpuint(attr.gen, <=, UINT32_MAX);
    return attr.gen;
}

/* A file's is the same each time, another file's is not. */
static void test_generation(void)
{
    uint64_t gen;
    Lookups l;

    if (!lookups_up(&l, "none", NULL)) {
        return;
    }
    walk_down(&l, 4);
    gen = gen_of(l.fe, 2);
    if (!gen) {
        g_test_skip("this file system has no time of birth");
        lookups_down(&l);
        return;
    }
    g_assert_cmpuint(gen_of(l.fe, 3), ==, gen);
    tsetattr({.fe = l.fe, .fid = 2, .valid = P9_SETATTR_MODE, .mode = 0600});
    twrite({.fe = l.fe, .fid = 3, .count = 3, .data = "new"});
    g_assert_cmpuint(gen_of(l.fe, 2), ==, gen);
    g_assert_cmpuint(gen_of(l.fe, 3), ==, gen);
    g_assert_cmpuint(gen_of(l.fe, 1), !=, 0);
    tsymlink({.fe = l.fe, .dfid = 1, .name = "link", .target = "f"});
    twalk({.fe = l.fe, .fid = 1, .newfid = 4, .path = "link"});
    g_assert_cmpuint(gen_of(l.fe, 4), !=, 0);
    /* ext4 gives the inode's number to the next file. Its clock has ticks. */
    g_usleep(50 * 1000);
    tunlinkat({.fe = l.fe, .dfid = 1, .name = "f"});
    tclunk({.fe = l.fe, .fid = 3});
    tclunk({.fe = l.fe, .fid = 2});
    twalk({.fe = l.fe, .fid = 1, .newfid = 5});
    tlcreate({.fe = l.fe, .fid = 5, .name = "f", .mode = 0644,
              .flags = P9_DOTL_RDWR | P9_DOTL_CREATE});
    g_assert_cmpuint(gen_of(l.fe, 5), !=, gen);
    lookups_down(&l);
}

/* ---- Where it can not lead ---- */

/*
 * "secret" is beside the share, of another size than each file in it. Links
 * to it and to its folder, as a guest that shares its files' names has them.
 */
static void make_links(Lookups *l)
{
    g_autofree char *secret = g_build_filename(l->f->dir, "secret", NULL);
    g_autofree char *link = g_build_filename(l->f->share, "link", NULL);
    g_autofree char *up = g_build_filename(l->f->share, "up", NULL);

    g_assert_true(g_file_set_contents(secret, "outside", -1, NULL));
    g_assert_cmpint(symlink(secret, link), ==, 0);
    g_assert_cmpint(symlink("..", up), ==, 0);
    fixture_file(l->f, "d/secret", "inside.", 7);
    fixture_file(l->f, DEEP "/secret", "inside.", 7);
}

static void test_links(gconstpointer old)
{
    uint32_t err;
    Lookups l;
    P9Attr attr;
    P9Qid qids[P9_MAX_WELEM];
    uint16_t walked;

    if (!lookups_up(&l, "none", old)) {
        return;
    }
    make_links(&l);
    twalk({.fe = l.fe, .fid = 0, .newfid = 1, .path = "link"});
    tgetattr({.fe = l.fe, .fid = 1, .rattr = &attr});
    g_assert_cmpuint(attr.mode & S_IFMT, ==, S_IFLNK);
    tlopen({.fe = l.fe, .fid = 1, .rerror = &err});
    g_assert_cmpuint(err, !=, 0);
    tsetattr({.fe = l.fe, .fid = 1, .valid = P9_SETATTR_MODE, .mode = 0600,
              .rerror = &err});
    g_assert_cmpuint(err, !=, 0);
    tsetattr({.fe = l.fe, .fid = 1, .valid = P9_SETATTR_SIZE, .rerror = &err});
    g_assert_cmpuint(err, !=, 0);
    twalk({.fe = l.fe, .fid = 0, .newfid = 2, .path = "up"});
    tlopen({.fe = l.fe, .fid = 2, .rerror = &err});
    g_assert_cmpuint(err, !=, 0);
    /* Not through a link, not even half of the way. */
    twalk({.fe = l.fe, .fid = 2, .newfid = 3, .path = "secret",
           .expect_err = ENOTDIR});
    twalk({.fe = l.fe, .fid = 0, .newfid = 3, .path = "up/secret",
           .rnwqid = &walked, .rwqids = qids});
    g_assert_cmpuint(walked, ==, 1);
    g_assert_cmpuint(qids[0].type, ==, P9_QTSYMLINK);
    tmkdir({.fe = l.fe, .dfid = 2, .name = "made", .mode = 0755,
            .expect_err = ENOTDIR});
    tlcreate({.fe = l.fe, .fid = 2, .name = "made", .mode = 0644,
              .flags = P9_DOTL_RDWR | P9_DOTL_CREATE, .expect_err = ENOTDIR});
    tunlinkat({.fe = l.fe, .dfid = 2, .name = "secret",
               .expect_err = ENOTDIR});
    /* ".." ends at the root, from wherever it comes. */
    twalk({.fe = l.fe, .fid = 0, .newfid = 4, .path = DEEP});
    twalk({.fe = l.fe, .fid = 4, .newfid = 5,
           .path = "../../../../../../../../../../d"});
    tgetattr({.fe = l.fe, .fid = 5, .rattr = &attr});
    g_assert_cmpuint(attr.mode & S_IFMT, ==, S_IFDIR);
    twalk({.fe = l.fe, .fid = 0, .newfid = 6, .path = "../secret",
           .rnwqid = &walked});
    g_assert_cmpuint(walked, ==, 1);
    lookups_down(&l);
}

typedef struct Swapper {
    char *folder, *other;
    bool end;                   /* atomic */
} Swapper;

/* The folder and the link that lead to one name each take the other's. */
static void *swap(void *opaque)
{
    Swapper *s = opaque;

    while (!__atomic_load_n(&s->end, __ATOMIC_RELAXED)) {
        g_assert_cmpint(renameat2(AT_FDCWD, s->folder, AT_FDCWD, s->other,
                                  RENAME_EXCHANGE), ==, 0);
    }
    return NULL;
}

/* What a guest may get of "secret": what is inside, or an error. */
static void look_inside(P9Client *fe, uint32_t dfid, unsigned *seen)
{
    char data[16];
    uint32_t err, count = 0;
    uint64_t size;
    P9Attr attr;

    twalk({.fe = fe, .fid = dfid, .newfid = 8, .path = "secret",
           .rerror = &err});
    if (err) {
        return;
    }
    tgetattr({.fe = fe, .fid = 8, .rattr = &attr, .rerror = &err});
    if (!err) {
        g_assert_cmpuint(attr.size, ==, 7);
    }
    txattrwalk({.fe = fe, .fid = 8, .newfid = 9, .name = "user.where",
                .rsize = &size, .rerror = &err});
    if (!err) {
        g_assert_cmpuint(size, ==, 1);
        tclunk({.fe = fe, .fid = 9});
    }
    tlopen({.fe = fe, .fid = 8, .flags = P9_DOTL_RDWR, .rerror = &err});
    if (!err) {
        tread({.fe = fe, .fid = 8, .count = sizeof(data), .data = data,
               .rcount = &count});
        g_assert_cmpuint(count, ==, 7);
        g_assert_cmpint(memcmp(data, "inside.", 7), ==, 0);
        ++*seen;
    }
    tclunk({.fe = fe, .fid = 8});
}

static void race(Lookups *l, const char *folder, const char *model)
{
    g_autofree char *inside = g_build_filename(l->f->share, folder, "secret",
                                               NULL);
    g_autofree char *outside = g_build_filename(l->f->dir, "secret", NULL);
    Swapper s = {
        .folder = g_build_filename(l->f->share, folder, NULL),
        .other = g_strdup_printf("%s/up", l->f->share),
    };
    pthread_t thread;
    unsigned seen = 0;

    unlink(s.other);
    g_assert_cmpint(symlink(l->f->dir, s.other), ==, 0);
    setxattr(inside, "user.where", "i", 1, 0);
    setxattr(outside, "user.where", "out", 3, 0);
    twalk({.fe = l->fe, .fid = 0, .newfid = 7, .path = folder});
    g_assert_cmpint(pthread_create(&thread, NULL, swap, &s), ==, 0);
    for (unsigned i = 0; i < SWAPS || seen < 20; i++) {
        look_inside(l->fe, 7, &seen);
    }
    __atomic_store_n(&s.end, true, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    printf("# %s, %s: inside %u times of %u\n", model, folder, seen, SWAPS);
    tclunk({.fe = l->fe, .fid = 7});
    g_free(s.folder);
    g_free(s.other);
}

static void race_in(const char *model, gconstpointer old)
{
    Lookups l;

    if (!lookups_up(&l, model, old)) {
        return;
    }
    make_links(&l);
    race(&l, "d", model);
    lookups_down(&l);
}

static void race_below(const char *model, gconstpointer old)
{
    Lookups l;

    if (!lookups_up(&l, model, old)) {
        return;
    }
    make_links(&l);
    race(&l, DEEP, model);
    lookups_down(&l);
}

static void test_race(gconstpointer old)
{
    race_in("none", old);
}

static void test_race_below(gconstpointer old)
{
    race_below("none", old);
}

static void test_race_mapped(gconstpointer old)
{
    race_in("mapped-xattr", old);
}

int main(int argc, char **argv)
{
    static const unsigned depths[] = { 0, 1, 4, 8 };

    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(depths); i++) {
        g_autofree char *path = g_strdup_printf("/lookups/cost/%u", depths[i]);

        g_test_add_data_func(path, GUINT_TO_POINTER(depths[i]), test_cost);
    }
    g_test_add_func("/lookups/long-path", test_long_path);
    g_test_add_func("/lookups/generation", test_generation);
    for (unsigned old = 0; old < 2; old++) {
        const char *kernel = old ? "old-kernel" : "openat2";
        static const struct {
            const char *name;
            void (*test)(gconstpointer old);
        } tests[] = {
            { "links", test_links },
            { "race", test_race },
            { "race-below", test_race_below },
            { "race-mapped", test_race_mapped },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(tests); i++) {
            g_autofree char *path = g_strdup_printf("/lookups/%s/%s", kernel,
                                                    tests[i].name);

            g_test_add_data_func(path, old ? "" : NULL, tests[i].test);
        }
    }
    return g_test_run();
}
