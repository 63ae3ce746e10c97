/*
 * What is neither a file nor a directory: it is shown, and never opened
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"

typedef struct Special {
    Fixture *f;
    Fe *front;
    P9Client *fe;
} Special;

static char *path_of(Special *s, const char *name)
{
    return g_build_filename(s->f->share, name, NULL);
}

/* Made by the host, so that it is that in the mapped models, too. */
static void make(Special *s, const char *name, mode_t mode)
{
    g_autofree char *path = path_of(s, name);

    g_assert_cmpint(mknod(path, mode | 0666, makedev(1, 3)), ==, 0);
}

static bool special_up(Special *s, const char *model)
{
    g_autofree char *link = NULL;

    if (fixture_backend() != BACKEND_OURS) {
        g_test_skip("others have the server as it is in QEMU");
        return false;
    }
    s->f = fixture_up();
    make(s, "fifo", S_IFIFO);
    make(s, "socket", S_IFSOCK);
    make(s, "device", S_IFCHR);
    link = path_of(s, "link");
    g_assert_cmpint(symlink("missing", link), ==, 0);
    s->front = fixture_connect_as(s->f, &(DeviceOpts) {
        .path = s->f->share, .security_model = model,
    }, 1, 5);
    s->fe = &s->front->client;
    tattach({.fe = s->fe, .version = "9P2000.L"});
    return true;
}

static void special_down(Special *s)
{
    fixture_close(s->f, s->front);
    fixture_down(s->f);
}

static const char *const names[] = { "fifo", "socket", "device", "link" };

/* df and stat -f of each. */
static void test_statfs(gconstpointer model)
{
    P9Statfs fs;
    Special s;

    if (!special_up(&s, model)) {
        return;
    }
    for (uint32_t i = 0; i < G_N_ELEMENTS(names); i++) {
        twalk({.fe = s.fe, .fid = 0, .newfid = 1 + i, .path = names[i]});
        tstatfs({.fe = s.fe, .fid = 1 + i, .rstatfs = &fs});
        g_assert_cmpuint(fs.namelen, ==, 255);
    }
    special_down(&s);
}

/* A process that opens the fifo to write, and so waits for a reader. */
static pid_t wait_for_reader(Special *s)
{
    g_autofree char *path = path_of(s, "fifo");
    pid_t pid = fork();

    if (pid == 0) {
        _exit(open(path, O_WRONLY) < 0);
    }
    g_assert_cmpint(pid, >, 0);
    g_usleep(50000);
    return pid;
}

static void assert_no_blame(Special *s)
{
    g_autofree char *name = g_strdup_printf("backend-%u.log", s->f->domid);
    g_autofree char *path = g_build_filename(s->f->dir, name, NULL);
    g_autofree char *text = NULL;

    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_assert_null(strstr(text, "compromised client"));
}

/* Nobody notices that a client has asked for it. */
static void test_open(gconstpointer model)
{
    pid_t pid;
    int status;
    Special s;

    if (!special_up(&s, model)) {
        return;
    }
    pid = wait_for_reader(&s);
    for (uint32_t i = 0; i < G_N_ELEMENTS(names); i++) {
        uint32_t err = i < 3 ? ENXIO : ELOOP;

        twalk({.fe = s.fe, .fid = 0, .newfid = 1, .path = names[i]});
        tlopen({.fe = s.fe, .fid = 1, .expect_err = err});
        tclunk({.fe = s.fe, .fid = 1});
        twalk({.fe = s.fe, .fid = 0, .newfid = 1});
        tlcreate({.fe = s.fe, .fid = 1, .name = names[i], .mode = 0600,
                  .flags = P9_DOTL_RDONLY, .expect_err = err});
        tclunk({.fe = s.fe, .fid = 1});
    }
    g_usleep(50000);
    g_assert_cmpint(waitpid(pid, &status, WNOHANG), ==, 0);
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    assert_no_blame(&s);
    special_down(&s);
}

static void add(const char *group, const char *model, GTestDataFunc test)
{
    g_autofree char *path = g_strjoin("/", "/special", group, model, NULL);

    g_test_add_data_func(path, model, test);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(fixture_models); i++) {
        add("statfs", fixture_models[i], test_statfs);
        add("open", fixture_models[i], test_open);
    }
    return g_test_run();
}
