/*
 * Where a look-up can not lead
 *
 * Links, ".." and renames, with openat2() and without it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "fixture.h"

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
    l->front = fixture_device(l->f, &(DeviceOpts) {
        .path = l->f->share, .security_model = model, .more = more,
    });
    fixture_start(l->f);
    g_assert_true(fe_connect(l->front, 1, 5));
    l->fe = &l->front->client;
    tattach({.fe = l->fe});
    return true;
}

static void lookups_down(Lookups *l)
{
    fixture_close(l->f, l->front);
    fixture_down(l->f);
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
    g_test_init(&argc, &argv, NULL);
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
