/*
 * A QEMU that may do little: seccomp, another user, another root directory
 *
 * The device comes when all of that holds, and so do its threads.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shares.h"

/* QEMU ends at a call that is denied, or gets EPERM. */
#define SANDBOX "-sandbox on,obsolete=deny,spawn=deny,resourcecontrol=deny"
#define FOR_ROOT SANDBOX ",elevateprivileges=deny"

#define DEPTH 16
#define SIZE 4096

typedef struct Case {
    const char *model, *dispatch;
} Case;

static const char *const dispatches[] = { "auto", "worker", "inline" };

/* Each thread of QEMU has a filter; how many threads there are. */
static unsigned assert_confined(Fixture *f)
{
    g_autofree char *tasks = g_strdup_printf("/proc/%d/task",
                                             (int)f->backend_pid);
    GDir *dir = g_dir_open(tasks, 0, NULL);
    unsigned num = 0;
    const char *task;

    while ((task = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(tasks, task, "status", NULL);
        g_autofree char *text = NULL;

        /* It may have ended since. */
        if (g_file_get_contents(path, &text, NULL, NULL)) {
            g_assert_nonnull(strstr(text, "\nSeccomp:\t2\n"));
            num++;
        }
    }
    g_dir_close(dir);
    return num;
}

/* ---- What a guest does ---- */

/* As many calls at once as make workers start. */
static void use_data(P9Client *fe, uint32_t fid)
{
    static uint8_t data[SIZE];
    P9Req *reqs[DEPTH];
    unsigned i;

    for (i = 0; i < DEPTH; i++) {
        reqs[i] = twrite({.fe = fe, .fid = fid, .offset = i * SIZE,
                          .count = SIZE, .data = data, .request_only = true});
    }
    for (i = 0; i < DEPTH; i++) {
        g_assert_true(p9_req_expect(reqs[i], 0));
        p9_req_free(reqs[i]);
    }
    for (i = 0; i < DEPTH; i++) {
        tread({.fe = fe, .fid = fid, .offset = i * SIZE, .count = SIZE});
    }
    tfsync({.fe = fe, .fid = fid});
}

static void use_values(P9Client *fe, uint32_t fid)
{
    txattrcreate({.fe = fe, .fid = fid, .name = "user.name", .size = 5});
    twrite({.fe = fe, .fid = fid, .count = 5, .data = "value"});
    tclunk({.fe = fe, .fid = fid});
}

static void use_lock(P9Client *fe, uint32_t fid)
{
    uint8_t status = P9_LOCK_ERROR;

    tlock({.fe = fe, .fid = fid, .type = P9_LOCK_TYPE_WRLCK, .length = 10,
           .proc_id = 1, .client_id = "guest", .rstatus = &status});
    g_assert_cmpuint(status, ==, P9_LOCK_SUCCESS);
}

/* All that may take another system call; @owner: whose the file shall be. */
static void use(P9Client *fe, uint32_t owner)
{
    GPtrArray *entries = p9_dirents_new();
    g_autofree char *target = NULL;
    P9Statfs fs;
    P9Attr attr;

    tattach({.fe = fe});
    tstatfs({.fe = fe, .fid = 0, .rstatfs = &fs});
    tmkdir({.fe = fe, .dfid = 0, .name = "folder", .mode = 0755});
    twalk({.fe = fe, .newfid = 1, .path = "folder"});
    twalk({.fe = fe, .fid = 1, .newfid = 2});
    tlcreate({.fe = fe, .fid = 2, .name = "file", .mode = 0644,
              .flags = P9_DOTL_RDWR | P9_DOTL_CREATE});
    use_data(fe, 2);
    use_lock(fe, 2);
    tsetattr({.fe = fe, .fid = 2, .uid = owner, .gid = owner,
              .mode = S_IFREG | 0600, .size = 100,
              .valid = P9_SETATTR_UID | P9_SETATTR_GID | P9_SETATTR_MODE |
              P9_SETATTR_SIZE | P9_SETATTR_MTIME});
    tgetattr({.fe = fe, .fid = 2, .rattr = &attr});
    g_assert_cmpuint(attr.uid, ==, owner);
    g_assert_cmpuint(attr.mode, ==, S_IFREG | 0600);
    g_assert_cmpuint(attr.size, ==, 100);
    twalk({.fe = fe, .fid = 1, .newfid = 3, .path = "file"});
    use_values(fe, 3);
    tsymlink({.fe = fe, .dfid = 1, .name = "link", .target = "file"});
    twalk({.fe = fe, .fid = 1, .newfid = 4, .path = "link"});
    treadlink({.fe = fe, .fid = 4, .rtarget = &target});
    g_assert_cmpstr(target, ==, "file");
    tmknod({.fe = fe, .dfid = 1, .name = "fifo", .mode = S_IFIFO | 0600});
    tlink({.fe = fe, .dfid = 1, .fid = 2, .name = "second"});
    trenameat({.fe = fe, .dfid = 1, .name = "second", .newdfid = 1,
               .newname = "third"});
    twalk({.fe = fe, .fid = 1, .newfid = 5});
    tlopen({.fe = fe, .fid = 5});
    treaddir({.fe = fe, .fid = 5, .count = 8192, .entries = entries});
    g_assert_cmpuint(entries->len, ==, 6);
    g_ptr_array_unref(entries);
    tunlinkat({.fe = fe, .dfid = 1, .name = "third"});
}

/* The kernel tells QEMU, which reads its list of mounts anew. */
static void use_mount(Fixture *f, P9Client *fe)
{
    g_autofree char *path = g_build_filename(f->share, "mounted", NULL);

    g_assert_cmpint(mkdir(path, 0777), ==, 0);
    if (mount("none", path, "tmpfs", 0, NULL) < 0) {
        g_test_message("no mount: %s", g_strerror(errno));
        return;
    }
    twalk({.fe = fe, .newfid = 6, .path = "mounted"});
    tlcreate({.fe = fe, .fid = 6, .name = "file", .mode = 0644,
              .flags = P9_DOTL_RDWR | P9_DOTL_CREATE});
    use_data(fe, 6);
    tclunk({.fe = fe, .fid = 6});
    g_assert_cmpint(umount2(path, MNT_DETACH), ==, 0);
}

static Fe *add(Fixture *f, const char *model, const char *dispatch)
{
    const char *more[] = { "locks", "on", "dispatch", dispatch, NULL };
    Fe *front = fixture_device(f, &(DeviceOpts) {
        .path = f->share, .security_model = model, .more = more,
    });

    if (!fe_connect(front, 2, 5)) {
        g_autofree char *why = fixture_why(f, front);

        g_error("it does not connect: %s", why);
    }
    return front;
}

/* ---- As root ---- */

static void test_root(gconstpointer opaque)
{
    const Case *c = opaque;
    unsigned before;
    Fixture *f = shares_up();
    Fe *front;

    if (!f) {
        return;
    }
    shares_start(f, FOR_ROOT);
    before = assert_confined(f);
    front = add(f, c->model, c->dispatch);
    use(&front->client, 1234);
    use_mount(f, &front->client);
    g_assert_cmpuint(assert_confined(f), >, before);
    fixture_close(f, front);
    fixture_down(f);
}

/* ---- As somebody else ---- */

static uint32_t owner_of(Fixture *f, const char *name)
{
    g_autofree char *path = g_build_filename(f->share, name, NULL);
    struct stat st;

    g_assert_cmpint(stat(path, &st), ==, 0);
    return st.st_uid;
}

static void serve_as(Fixture *f, const struct passwd *user, const Case *c)
{
    bool mapped = g_str_has_prefix(c->model, "mapped");
    Fe *front;

    assert_confined(f);
    front = add(f, c->model, c->dispatch);
    use(&front->client, mapped ? 1234 : user->pw_uid);
    g_assert_cmpuint(owner_of(f, "folder/file"), ==, user->pw_uid);
    fixture_close(f, front);
    fixture_down(f);
}

static void test_user(gconstpointer opaque)
{
    Fixture *f = shares_up();
    const struct passwd *user = f ? fixture_user(f) : NULL;

    if (user) {
        shares_start(f, "-run-with user=" FIXTURE_USER " " SANDBOX);
        serve_as(f, user, opaque);
    }
}

/* The folder of @root for what is mounted there, to be freed. */
static char *mount_in(const char *root, const char *path, const char *from,
                      const char *type, unsigned long flags)
{
    char *to = g_build_filename(root, path, NULL);

    g_assert_cmpint(g_mkdir_with_parents(to, 0755), ==, 0);
    g_assert_cmpint(mount(from, to, type, flags, NULL), ==, 0);
    return to;
}

/*
 * In there are /proc, the share, and what the loopback has for /dev/xen. There
 * is no list of groups, so the user is told by numbers.
 */
static void test_chroot(gconstpointer opaque)
{
    Fixture *f = shares_up();
    const struct passwd *user = f ? fixture_user(f) : NULL;
    g_autofree char *root = NULL, *words = NULL, *dir = NULL, *proc = NULL;

    if (!user) {
        return;
    }
    root = g_dir_make_tmp("loopback-root-XXXXXX", NULL);
    g_assert_cmpint(chmod(root, 0755), ==, 0);
    dir = mount_in(root, f->dir, f->dir, NULL, MS_BIND);
    proc = mount_in(root, "/proc", "proc", "proc", 0);
    words = g_strdup_printf("-run-with chroot=%s,user=%u:%u " SANDBOX, root,
                            user->pw_uid, user->pw_gid);
    shares_start(f, words);
    serve_as(f, user, opaque);
    g_assert_cmpint(umount(dir), ==, 0);
    g_assert_cmpint(umount(proc), ==, 0);
    rmdir(dir);
    rmdir(proc);
}

static void add_case(const char *group, const char *model,
                     const char *dispatch, GTestDataFunc test)
{
    g_autofree char *path = g_strjoin("/", "/sandbox", group, model, dispatch,
                                      NULL);
    Case *c = g_new(Case, 1);

    *c = (Case) { .model = model, .dispatch = dispatch };
    g_test_add_data_func_full(path, c, test, g_free);
}

int main(int argc, char **argv)
{
    unsigned i, j;

    g_test_init(&argc, &argv, NULL);
    for (i = 0; i < G_N_ELEMENTS(fixture_models); i++) {
        for (j = 0; j < G_N_ELEMENTS(dispatches); j++) {
            add_case("root", fixture_models[i], dispatches[j], test_root);
        }
        if (strcmp(fixture_models[i], "passthrough")) {
            add_case("user", fixture_models[i], "auto", test_user);
            add_case("chroot", fixture_models[i], "auto", test_chroot);
        }
    }
    return g_test_run();
}
