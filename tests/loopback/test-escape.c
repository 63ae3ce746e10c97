/*
 * Nobody gets out of a share, by any security model
 *
 * The guest speaks 9P itself: it makes links, names, device nodes and races of
 * its own. What is beside the share stays as it is, and is never seen. What
 * the host has in a share, test-lookups.c has.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "fixture.h"

#define SECRET "outside"
#define SECRET_MODE 0640
#define ROUNDS 300

typedef struct Escape {
    Fixture *f;
    Fe *front;
    P9Client *fe;
    char *outside;              /* a folder beside the share, with "secret" */
    char *secret;
} Escape;

static bool is_mapped(const char *model)
{
    return g_str_has_prefix(model, "mapped");
}

static bool up(Escape *e, const char *model)
{
    if (fixture_backend() != BACKEND_OURS) {
        g_test_skip("others have the server as it is in QEMU");
        return false;
    }
    e->f = fixture_up();
    e->outside = g_build_filename(e->f->dir, "outside", NULL);
    e->secret = g_build_filename(e->outside, "secret", NULL);
    g_assert_cmpint(mkdir(e->outside, 0777), ==, 0);
    g_assert_true(g_file_set_contents(e->secret, SECRET, -1, NULL));
    g_assert_cmpint(chmod(e->secret, SECRET_MODE), ==, 0);
    fixture_file(e->f, "d/secret", "inside.", 7);
    e->front = fixture_connect_as(e->f, &(DeviceOpts) {
        .path = e->f->share, .security_model = model,
    }, 2, 5);
    e->fe = &e->front->client;
    tattach({.fe = e->fe});
    return true;
}

/* All is outside as it was, and nothing new. */
static void assert_outside(Escape *e)
{
    GDir *dir = g_dir_open(e->outside, 0, NULL);
    g_autofree char *text = NULL;
    char names[64];
    struct stat st;

    g_assert_cmpstr(g_dir_read_name(dir), ==, "secret");
    g_assert_null(g_dir_read_name(dir));
    g_dir_close(dir);
    g_assert_true(g_file_get_contents(e->secret, &text, NULL, NULL));
    g_assert_cmpstr(text, ==, SECRET);
    g_assert_cmpint(stat(e->secret, &st), ==, 0);
    g_assert_cmpint(st.st_mode, ==, S_IFREG | SECRET_MODE);
    g_assert_cmpint(st.st_uid, ==, getuid());
    g_assert_cmpint(st.st_nlink, ==, 1);
    g_assert_cmpint(listxattr(e->secret, names, sizeof(names)), <=, 0);
    g_assert_cmpint(stat(e->outside, &st), ==, 0);
    g_assert_cmpint(listxattr(e->outside, names, sizeof(names)), <=, 0);
}

static void down(Escape *e)
{
    assert_outside(e);
    fixture_close(e->f, e->front);
    fixture_down(e->f);
    g_free(e->outside);
    g_free(e->secret);
}

/* What is opened has nothing of the secret, or cannot be opened. */
static void assert_not_secret(Escape *e, uint32_t fid, uint32_t flags)
{
    char data[64] = { 0 };
    uint32_t err, count = 0;

    tlopen({.fe = e->fe, .fid = fid, .flags = flags, .rerror = &err});
    if (err) {
        return;
    }
    tread({.fe = e->fe, .fid = fid, .count = sizeof(data) - 1, .data = data,
           .rcount = &count, .rerror = &err});
    g_assert_null(strstr(data, SECRET));
}

/* ---- Symbolic links ---- */

/* Everything that a path may be used for, below and at fid 1, a link. */
static void use_link(Escape *e)
{
    uint32_t err;

    twalk({.fe = e->fe, .fid = 1, .newfid = 2, .path = "secret",
           .rerror = &err});
    g_assert_cmpuint(err, !=, 0);
    tmkdir({.fe = e->fe, .dfid = 1, .name = "made", .mode = 0755,
            .rerror = &err});
    g_assert_cmpuint(err, !=, 0);
    tmknod({.fe = e->fe, .dfid = 1, .name = "made", .mode = S_IFREG | 0644,
            .rerror = &err});
    g_assert_cmpuint(err, !=, 0);
    tsymlink({.fe = e->fe, .dfid = 1, .name = "made", .target = "x",
              .rerror = &err});
    g_assert_cmpuint(err, !=, 0);
    tunlinkat({.fe = e->fe, .dfid = 1, .name = "secret", .rerror = &err});
    g_assert_cmpuint(err, !=, 0);
    trenameat({.fe = e->fe, .dfid = 1, .name = "secret", .newdfid = 0,
               .newname = "got", .rerror = &err});
    g_assert_cmpuint(err, !=, 0);
    trenameat({.fe = e->fe, .dfid = 0, .name = "d", .newdfid = 1,
               .newname = "given", .rerror = &err});
    g_assert_cmpuint(err, !=, 0);
    /* These may change the link itself. */
    tsetattr({.fe = e->fe, .fid = 1, .valid = P9_SETATTR_MODE, .mode = 0777,
              .rerror = &err});
    tsetattr({.fe = e->fe, .fid = 1, .valid = P9_SETATTR_SIZE,
              .rerror = &err});
    tsetattr({.fe = e->fe, .fid = 1, .valid = P9_SETATTR_UID, .uid = 1234,
              .rerror = &err});
    tlink({.fe = e->fe, .dfid = 0, .fid = 1, .name = "hard", .rerror = &err});
    assert_outside(e);
    assert_not_secret(e, 1, P9_DOTL_RDWR);
    assert_outside(e);
}

static void test_symlink(gconstpointer model)
{
    static const char *const targets[] = {
        "../outside/secret", "../outside", "..", "/", "/etc/passwd",
    };
    unsigned i;
    Escape e;

    if (!up(&e, model)) {
        return;
    }
    for (i = 0; i < G_N_ELEMENTS(targets) + 2; i++) {
        /* And the absolute ones, which only the test knows. */
        const char *target = i < G_N_ELEMENTS(targets) ? targets[i] :
            i == G_N_ELEMENTS(targets) ? e.outside : e.secret;
        uint32_t err;

        tsymlink({.fe = e.fe, .dfid = 0, .name = "link", .target = target});
        twalk({.fe = e.fe, .fid = 0, .newfid = 1, .path = "link"});
        use_link(&e);
        tclunk({.fe = e.fe, .fid = 1});
        /* A second name of the link leads no further. */
        twalk({.fe = e.fe, .fid = 0, .newfid = 1, .path = "hard",
               .rerror = &err});
        if (!err) {
            assert_not_secret(&e, 1, P9_DOTL_RDONLY);
            tclunk({.fe = e.fe, .fid = 1});
            tunlinkat({.fe = e.fe, .dfid = 0, .name = "hard"});
        }
        tunlinkat({.fe = e.fe, .dfid = 0, .name = "link"});
    }
    down(&e);
}

/* ---- Names ---- */

static void use_name(Escape *e, const char *name)
{
    uint32_t err;

    g_test_message("name '%s'", name);
    tmkdir({.fe = e->fe, .dfid = 1, .name = name, .mode = 0755,
            .rerror = &err});
    g_assert_cmpuint(err, !=, 0);
    tmknod({.fe = e->fe, .dfid = 1, .name = name, .mode = S_IFREG | 0644,
            .rerror = &err});
    g_assert_cmpuint(err, !=, 0);
    tsymlink({.fe = e->fe, .dfid = 1, .name = name, .target = "x",
              .rerror = &err});
    g_assert_cmpuint(err, !=, 0);
    tlink({.fe = e->fe, .dfid = 1, .fid = 2, .name = name, .rerror = &err});
    g_assert_cmpuint(err, !=, 0);
    trenameat({.fe = e->fe, .dfid = 1, .name = "secret", .newdfid = 1,
               .newname = name, .rerror = &err});
    g_assert_cmpuint(err, !=, 0);
    trenameat({.fe = e->fe, .dfid = 1, .name = name, .newdfid = 0,
               .newname = "got", .rerror = &err});
    g_assert_cmpuint(err, !=, 0);
    trename({.fe = e->fe, .fid = 2, .dfid = 1, .name = name, .rerror = &err});
    g_assert_cmpuint(err, !=, 0);
    tunlinkat({.fe = e->fe, .dfid = 1, .name = name, .rerror = &err});
    g_assert_cmpuint(err, !=, 0);
    tunlinkat({.fe = e->fe, .dfid = 1, .name = name,
               .flags = P9_DOTL_AT_REMOVEDIR, .rerror = &err});
    g_assert_cmpuint(err, !=, 0);
    twalk({.fe = e->fe, .fid = 1, .newfid = 3});
    tlcreate({.fe = e->fe, .fid = 3, .name = name, .mode = 0644,
              .flags = P9_DOTL_RDWR | P9_DOTL_CREATE, .rerror = &err});
    g_assert_cmpuint(err, !=, 0);
    tclunk({.fe = e->fe, .fid = 3});
    assert_outside(e);
}

static void test_names(gconstpointer model)
{
    static const char *const names[] = {
        "..", ".", "", "/", "../made", "../../outside/made",
        "../../outside/secret", "/tmp/made", "sub/../../../outside/made",
    };
    uint16_t walked;
    P9Qid root, qid[P9_MAX_WELEM];
    unsigned i;
    Escape e;

    if (!up(&e, model)) {
        return;
    }
    twalk({.fe = e.fe, .fid = 0, .newfid = 1, .path = "d"});
    twalk({.fe = e.fe, .fid = 1, .newfid = 2, .path = "secret"});
    for (i = 0; i < G_N_ELEMENTS(names); i++) {
        use_name(&e, names[i]);
    }
    /* No name of a walk is a path, and none leads above the root. */
    tattach({.fe = e.fe, .fid = 9, .rqid = &root});
    twalk({.fe = e.fe, .fid = 1, .newfid = 4,
           .names = { "..", "..", "..", "outside", "secret" },
           .rnwqid = &walked, .rwqids = qid});
    g_assert_cmpuint(walked, ==, 3);
    g_assert_cmpuint(qid[0].path, ==, root.path);
    g_assert_cmpuint(qid[2].path, ==, root.path);
    for (i = 0; i < G_N_ELEMENTS(names); i++) {
        uint32_t err;

        if (!strchr(names[i], '/')) {
            continue;
        }
        twalk({.fe = e.fe, .fid = 1, .newfid = 4, .names = { names[i] },
               .rerror = &err});
        g_assert_cmpuint(err, !=, 0);
    }
    down(&e);
}

/* ---- Device nodes ---- */

static void test_nodes(gconstpointer model)
{
    static const struct {
        uint32_t mode, major, minor;
    } nodes[] = {
        { S_IFCHR, 1, 3 }, { S_IFCHR, 1, 1 }, { S_IFCHR, 5, 0 },
        { S_IFBLK, 8, 0 }, { S_IFIFO, 0, 0 }, { S_IFSOCK, 0, 0 },
    };
    unsigned i;
    Escape e;

    if (!up(&e, model)) {
        return;
    }
    for (i = 0; i < G_N_ELEMENTS(nodes); i++) {
        g_autofree char *path = g_build_filename(e.f->share, "node", NULL);
        struct stat st;
        uint32_t err;

        tmknod({.fe = e.fe, .dfid = 0, .name = "node",
                .mode = nodes[i].mode | 0666, .major = nodes[i].major,
                .minor = nodes[i].minor, .rerror = &err});
        if (err) {
            /* The host may allow none. */
            continue;
        }
        g_assert_cmpint(lstat(path, &st), ==, 0);
        if (is_mapped(model)) {
            g_assert_cmpint(st.st_mode & S_IFMT, ==, S_IFREG);
        }
        twalk({.fe = e.fe, .fid = 0, .newfid = 1, .path = "node"});
        tlopen({.fe = e.fe, .fid = 1, .flags = P9_DOTL_RDWR, .rerror = &err});
        if (!is_mapped(model)) {
            g_assert_cmpuint(err, !=, 0);
        }
        tclunk({.fe = e.fe, .fid = 1});
        tunlinkat({.fe = e.fe, .dfid = 0, .name = "node"});
    }
    down(&e);
}

/* ---- Names that are given away ---- */

/* By fids of a file, open or not, whose name is a link by now. */
static void test_unlinked(gconstpointer model)
{
    char data[16] = { 0 };
    uint32_t err, count;
    Escape e;

    if (!up(&e, model)) {
        return;
    }
    fixture_file(e.f, "file", "inside.", 7);
    twalk({.fe = e.fe, .fid = 0, .newfid = 1, .path = "file"});
    tlopen({.fe = e.fe, .fid = 1, .flags = P9_DOTL_RDWR});
    twalk({.fe = e.fe, .fid = 0, .newfid = 2, .path = "file"});
    twalk({.fe = e.fe, .fid = 0, .newfid = 3, .path = "d"});
    tunlinkat({.fe = e.fe, .dfid = 0, .name = "file"});
    tsymlink({.fe = e.fe, .dfid = 0, .name = "file",
              .target = "../outside/secret"});
    trenameat({.fe = e.fe, .dfid = 0, .name = "d", .newdfid = 0,
               .newname = "e"});
    tsymlink({.fe = e.fe, .dfid = 0, .name = "d", .target = "../outside"});

    tread({.fe = e.fe, .fid = 1, .count = sizeof(data), .data = data,
           .rcount = &count});
    g_assert_cmpmem(data, count, "inside.", 7);
    tsetattr({.fe = e.fe, .fid = 1, .valid = P9_SETATTR_MODE, .mode = 0777,
              .rerror = &err});
    tsetattr({.fe = e.fe, .fid = 1, .valid = P9_SETATTR_SIZE,
              .rerror = &err});
    assert_outside(&e);
    tsetattr({.fe = e.fe, .fid = 2, .valid = P9_SETATTR_MODE, .mode = 0777,
              .rerror = &err});
    tsetattr({.fe = e.fe, .fid = 2, .valid = P9_SETATTR_SIZE,
              .rerror = &err});
    assert_outside(&e);
    assert_not_secret(&e, 2, P9_DOTL_RDWR);
    /* A fid whose folder was renamed is in the folder. */
    twalk({.fe = e.fe, .fid = 3, .newfid = 4, .path = "secret"});
    assert_not_secret(&e, 4, P9_DOTL_RDONLY);
    tlink({.fe = e.fe, .dfid = 0, .fid = 1, .name = "again", .rerror = &err});
    down(&e);
}

/* The guest has a link take the place of a folder that it walks through. */
static void test_race(gconstpointer model)
{
    static const char *const moves[][2] = {
        { "d", "e" }, { "link", "d" }, { "d", "link" }, { "e", "d" },
    };
    unsigned round, i;
    Escape e;

    if (!up(&e, model)) {
        return;
    }
    tsymlink({.fe = e.fe, .dfid = 0, .name = "link", .target = "../outside"});
    twalk({.fe = e.fe, .fid = 0, .newfid = 1, .path = "d"});
    for (round = 0; round < ROUNDS; round++) {
        P9Req *reqs[G_N_ELEMENTS(moves)], *looks[3];
        uint32_t err;

        twalk({.fe = e.fe, .fid = 1, .newfid = 2, .path = "secret",
               .rerror = &err});
        for (i = 0; i < G_N_ELEMENTS(moves); i++) {
            reqs[i] = trenameat({.fe = e.fe, .dfid = 0, .name = moves[i][0],
                                 .newdfid = 0, .newname = moves[i][1],
                                 .request_only = true, .ring = P9_RING(0)});
        }
        looks[0] = twalk({.fe = e.fe, .fid = 0, .newfid = 3,
                          .names = { "d", "secret" }, .request_only = true,
                          .ring = P9_RING(1)});
        looks[1] = tmkdir({.fe = e.fe, .dfid = 1, .name = "made",
                           .mode = 0755, .request_only = true,
                           .ring = P9_RING(1)});
        looks[2] = tlopen({.fe = e.fe, .fid = 2, .flags = P9_DOTL_RDWR,
                           .request_only = true, .ring = P9_RING(1)});
        for (i = 0; i < G_N_ELEMENTS(looks); i++) {
            p9_req_result(looks[i]);
        }
        for (i = 0; i < G_N_ELEMENTS(moves); i++) {
            p9_req_result(reqs[i]);
            p9_req_free(reqs[i]);
        }
        if (!p9_req_error(looks[2])) {
            char data[16];
            uint32_t count;

            tread({.fe = e.fe, .fid = 2, .count = sizeof(data), .data = data,
                   .rcount = &count});
            g_assert_cmpmem(data, count, "inside.", 7);
        }
        for (i = 0; i < G_N_ELEMENTS(looks); i++) {
            p9_req_free(looks[i]);
        }
        tunlinkat({.fe = e.fe, .dfid = 1, .name = "made",
                   .flags = P9_DOTL_AT_REMOVEDIR, .rerror = &err});
        tclunk({.fe = e.fe, .fid = 2, .rerror = &err});
        tclunk({.fe = e.fe, .fid = 3, .rerror = &err});
    }
    down(&e);
}

/* ---- Mounts ---- */

/* What is mounted below is part of the share; what is around it is not. */
static void test_mounts(gconstpointer model)
{
    g_autofree char *point = NULL;
    uint16_t walked;
    P9Qid root, qid[P9_MAX_WELEM];
    Escape e;

    if (!up(&e, model)) {
        return;
    }
    point = g_build_filename(e.f->share, "mounted", NULL);
    g_assert_cmpint(mkdir(point, 0755), ==, 0);
    if (mount(e.outside, point, NULL, MS_BIND, NULL) < 0) {
        g_test_skip("nothing can be mounted here");
        down(&e);
        return;
    }
    tattach({.fe = e.fe, .fid = 9, .rqid = &root});
    twalk({.fe = e.fe, .fid = 0, .newfid = 1, .path = "mounted/secret"});
    tgetattr({.fe = e.fe, .fid = 1});
    /* ".." of its root is the share's, not that of the folder it is of. */
    twalk({.fe = e.fe, .fid = 0, .newfid = 2,
           .names = { "mounted", "..", "..", "outside" },
           .rnwqid = &walked, .rwqids = qid});
    g_assert_cmpuint(walked, ==, 3);
    g_assert_cmpuint(qid[1].path, ==, root.path);
    g_assert_cmpuint(qid[2].path, ==, root.path);
    g_assert_cmpint(umount2(point, MNT_DETACH), ==, 0);
    down(&e);
}

/* ---- What a model keeps beside the files ---- */

static void test_metadata(gconstpointer model)
{
    static const char *const names[] = {
        ".virtfs_metadata", ".virtfs_metadata_root",
    };
    unsigned i;
    Escape e;

    if (strcmp(model, "mapped-file")) {
        g_test_skip("only mapped-file has it");
        return;
    }
    if (!up(&e, model)) {
        return;
    }
    /* So that there is some. */
    tmknod({.fe = e.fe, .dfid = 0, .name = "file", .mode = S_IFREG | 0644});
    twalk({.fe = e.fe, .fid = 0, .newfid = 1, .path = "file"});
    tsetattr({.fe = e.fe, .fid = 1, .valid = P9_SETATTR_UID, .uid = 1234});
    twalk({.fe = e.fe, .fid = 0, .newfid = 2});
    for (i = 0; i < G_N_ELEMENTS(names); i++) {
        uint32_t err;

        twalk({.fe = e.fe, .fid = 0, .newfid = 3, .path = names[i],
               .rerror = &err});
        g_assert_cmpuint(err, !=, 0);
        tsymlink({.fe = e.fe, .dfid = 0, .name = names[i],
                  .target = "../outside", .rerror = &err});
        g_assert_cmpuint(err, !=, 0);
        tmkdir({.fe = e.fe, .dfid = 0, .name = names[i], .mode = 0755,
                .rerror = &err});
        g_assert_cmpuint(err, !=, 0);
        trenameat({.fe = e.fe, .dfid = 0, .name = "d", .newdfid = 0,
                   .newname = names[i], .rerror = &err});
        g_assert_cmpuint(err, !=, 0);
        trenameat({.fe = e.fe, .dfid = 0, .name = names[i], .newdfid = 0,
                   .newname = "got", .rerror = &err});
        g_assert_cmpuint(err, !=, 0);
        tunlinkat({.fe = e.fe, .dfid = 0, .name = names[i],
                   .flags = P9_DOTL_AT_REMOVEDIR, .rerror = &err});
        g_assert_cmpuint(err, !=, 0);
    }
    down(&e);
}

/* An attribute that holds a file's owner. */
static void test_values(gconstpointer model)
{
    static const char name[] = "user.virtfs.uid";
    g_autofree char *path = NULL;
    char before[16], after[16];
    ssize_t len;
    uint32_t err;
    Escape e;

    if (strcmp(model, "mapped-xattr")) {
        g_test_skip("only mapped-xattr has it");
        return;
    }
    if (!up(&e, model)) {
        return;
    }
    path = g_build_filename(e.f->share, "file", NULL);
    tmknod({.fe = e.fe, .dfid = 0, .name = "file", .mode = S_IFREG | 0644});
    twalk({.fe = e.fe, .fid = 0, .newfid = 1, .path = "file"});
    tsetattr({.fe = e.fe, .fid = 1, .valid = P9_SETATTR_UID, .uid = 1234});
    len = getxattr(path, name, before, sizeof(before));
    g_assert_cmpint(len, >, 0);
    txattrwalk({.fe = e.fe, .fid = 1, .newfid = 2, .name = name,
                .rerror = &err});
    g_assert_cmpuint(err, !=, 0);
    twalk({.fe = e.fe, .fid = 1, .newfid = 3});
    txattrcreate({.fe = e.fe, .fid = 3, .name = name, .size = 4,
                  .rerror = &err});
    if (!err) {
        twrite({.fe = e.fe, .fid = 3, .count = 4, .data = "root"});
        tclunk({.fe = e.fe, .fid = 3, .rerror = &err});
    }
    g_assert_cmpint(getxattr(path, name, after, sizeof(after)), ==, len);
    g_assert_cmpmem(after, len, before, len);
    down(&e);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*test)(gconstpointer model);
    } tests[] = {
        { "symlink", test_symlink },
        { "names", test_names },
        { "nodes", test_nodes },
        { "unlinked", test_unlinked },
        { "race", test_race },
        { "mounts", test_mounts },
        { "metadata", test_metadata },
        { "values", test_values },
    };
    unsigned i, j;

    g_test_init(&argc, &argv, NULL);
    for (i = 0; i < G_N_ELEMENTS(tests); i++) {
        for (j = 0; j < G_N_ELEMENTS(fixture_models); j++) {
            g_autofree char *path = g_strdup_printf("/escape/%s/%s",
                                                    tests[i].name,
                                                    fixture_models[j]);

            g_test_add_data_func(path, fixture_models[j], tests[i].test);
        }
    }
    return g_test_run();
}
