/*
 * Making a file that is there opens it, and changes nothing else of it
 *
 * Another guest, or the host, may have made it a moment ago.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"

typedef struct Creation {
    Fixture *f;
    Fe *front;
    P9Client *fe;
    char *share;
} Creation;

static bool creation_up(Creation *c, const char *model, const char *version,
                        const char *fs)
{
    *c = (Creation) { 0 };
    if (fixture_backend() != BACKEND_OURS) {
        g_test_skip("others have the server as it is in QEMU");
        return false;
    }
    c->f = fixture_up();
    c->share = fixture_mount(c->f, "made", fs, NULL);
    if (!c->share) {
        return false;
    }
    c->front = fixture_connect_as(c->f, &(DeviceOpts) {
        .path = c->share, .security_model = model,
    }, 1, 5);
    c->fe = &c->front->client;
    tattach({.fe = c->fe, .version = version});
    return true;
}

static void creation_down(Creation *c, const char *fs)
{
    fixture_close(c->f, c->front);
    fixture_down(c->f);
    fixture_unmount(c->share, fs);
}

static char *path_of(Creation *c, const char *name)
{
    return g_build_filename(c->share, name, NULL);
}

static void host_file(Creation *c, const char *name, const char *text)
{
    g_autofree char *path = path_of(c, name);

    g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

static void assert_text(Creation *c, const char *name, const char *text)
{
    g_autofree char *path = path_of(c, name), *now = NULL;

    g_assert_true(g_file_get_contents(path, &now, NULL, NULL));
    g_assert_cmpstr(now, ==, text);
}

static void assert_missing(Creation *c, const char *name)
{
    g_autofree char *path = path_of(c, name);
    struct stat st;

    g_assert_cmpint(lstat(path, &st), ==, -1);
    g_assert_cmpint(errno, ==, ENOENT);
}

/* ---- What is there ---- */

/* Of another user, and with bits that no creation asks for. */
static void make_first(Creation *c)
{
    twalk({.fe = c->fe, .fid = 0, .newfid = 1});
    tlcreate({.fe = c->fe, .fid = 1, .name = "a", .mode = 0600, .gid = 5,
              .flags = P9_DOTL_RDWR});
    twrite({.fe = c->fe, .fid = 1, .count = 4, .data = "text"});
    tsetattr({.fe = c->fe, .fid = 1, .uid = 7, .mode = S_IFREG | 0751,
              .valid = P9_SETATTR_UID | P9_SETATTR_MODE});
    tclunk({.fe = c->fe, .fid = 1});
}

static void create_again(Creation *c, uint32_t flags, uint32_t err)
{
    twalk({.fe = c->fe, .fid = 0, .newfid = 2});
    tlcreate({.fe = c->fe, .fid = 2, .name = "a", .mode = 0600, .gid = 9,
              .flags = flags, .expect_err = err});
}

static void assert_kept(Creation *c, uint32_t fid, uint64_t size)
{
    P9Attr attr;

    tgetattr({.fe = c->fe, .fid = fid, .rattr = &attr});
    g_assert_cmpuint(attr.mode, ==, S_IFREG | 0751);
    g_assert_cmpuint(attr.uid, ==, 7);
    g_assert_cmpuint(attr.gid, ==, 5);
    g_assert_cmpuint(attr.size, ==, size);
}

static void test_there(gconstpointer model)
{
    Creation c;
    char data[8];
    uint32_t count;

    if (!creation_up(&c, model, "9P2000.L", NULL)) {
        return;
    }
    make_first(&c);
    create_again(&c, P9_DOTL_RDWR, 0);
    assert_kept(&c, 2, 4);
    tread({.fe = c.fe, .fid = 2, .count = 8, .data = data, .rcount = &count});
    g_assert_cmpmem(data, count, "text", 4);
    twrite({.fe = c.fe, .fid = 2, .offset = 4, .count = 4, .data = "more"});
    tclunk({.fe = c.fe, .fid = 2});
    assert_text(&c, "a", "textmore");

    create_again(&c, P9_DOTL_RDWR | P9_DOTL_EXCL, EEXIST);
    tclunk({.fe = c.fe, .fid = 2});
    assert_text(&c, "a", "textmore");

    create_again(&c, P9_DOTL_WRONLY | P9_DOTL_TRUNC, 0);
    assert_kept(&c, 2, 0);
    tclunk({.fe = c.fe, .fid = 2});
    twalk({.fe = c.fe, .fid = 0, .newfid = 3, .path = "a"});
    assert_kept(&c, 3, 0);
    creation_down(&c, NULL);
}

/* As Linux creates in 9P2000.u. */
static void test_there_dotu(gconstpointer model)
{
    Creation c;
    P9Stat now;

    if (!creation_up(&c, model, "9P2000.u", NULL)) {
        return;
    }
    host_file(&c, "a", "text");
    twalk({.fe = c.fe, .fid = 0, .newfid = 1, .path = "a"});
    tstat({.fe = c.fe, .fid = 1, .rstat = &now});
    g_assert_cmpuint(now.mode & 0777, !=, 0600);
    twalk({.fe = c.fe, .fid = 0, .newfid = 2});
    tcreate({.fe = c.fe, .fid = 2, .name = "a", .mode = 0600,
             .flags = P9_ORDWR});
    p9_stat_clear(&now);
    tstat({.fe = c.fe, .fid = 1, .rstat = &now});
    g_assert_cmpuint(now.mode & 0777, !=, 0600);
    g_assert_cmpuint(now.length, ==, 4);
    p9_stat_clear(&now);
    assert_text(&c, "a", "text");
    creation_down(&c, NULL);
}

/* What is no file stays what it is. */
static void test_other(gconstpointer model)
{
    Creation c;

    if (!creation_up(&c, model, "9P2000.L", NULL)) {
        return;
    }
    tmkdir({.fe = c.fe, .dfid = 0, .name = "a", .mode = 0755});
    create_again(&c, P9_DOTL_RDONLY, EISDIR);
    tunlinkat({.fe = c.fe, .dfid = 0, .name = "a",
               .flags = P9_DOTL_AT_REMOVEDIR});
    tclunk({.fe = c.fe, .fid = 2});
    if (!g_str_has_prefix(model, "mapped")) {
        tsymlink({.fe = c.fe, .dfid = 0, .name = "a", .target = "missing"});
        create_again(&c, P9_DOTL_RDWR, ELOOP);
        assert_missing(&c, "missing");
    }
    creation_down(&c, NULL);
}

/* ---- Where owner and mode cannot be set ---- */

/* mapped-xattr without such attributes, mapped-file without its folder. */
static void test_refused(gconstpointer model)
{
    uint32_t err = g_str_equal(model, "mapped-xattr") ? EOPNOTSUPP : ENOTDIR;
    Creation c;

    if (!creation_up(&c, model, "9P2000.L", "ramfs")) {
        return;
    }
    if (err == ENOTDIR) {
        host_file(&c, ".virtfs_metadata", "");
    }
    host_file(&c, "a", "text");
    create_again(&c, P9_DOTL_RDONLY, 0);
    tclunk({.fe = c.fe, .fid = 2});
    assert_text(&c, "a", "text");

    twalk({.fe = c.fe, .fid = 0, .newfid = 2});
    tlcreate({.fe = c.fe, .fid = 2, .name = "b", .mode = 0600,
              .flags = P9_DOTL_RDWR, .expect_err = err});
    assert_missing(&c, "b");
    tmkdir({.fe = c.fe, .dfid = 0, .name = "b", .mode = 0700,
            .expect_err = err});
    assert_missing(&c, "b");
    tmknod({.fe = c.fe, .dfid = 0, .name = "b", .mode = S_IFIFO | 0600,
            .expect_err = err});
    assert_missing(&c, "b");
    tsymlink({.fe = c.fe, .dfid = 0, .name = "b", .target = "a",
              .expect_err = err});
    assert_missing(&c, "b");
    creation_down(&c, "ramfs");
}

static void add(const char *group, const char *model, GTestDataFunc test)
{
    g_autofree char *path = g_strjoin("/", "/creation", group, model, NULL);

    g_test_add_data_func(path, model, test);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(fixture_models); i++) {
        add("there", fixture_models[i], test_there);
        add("there-dotu", fixture_models[i], test_there_dotu);
        add("other", fixture_models[i], test_other);
    }
    add("refused", "mapped-xattr", test_refused);
    add("refused", "mapped-file", test_refused);
    return g_test_run();
}
