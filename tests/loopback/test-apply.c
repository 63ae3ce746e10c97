/*
 * xen-virtfs: apply, and watch, by which a domain has its shares again
 *
 * Environment: as test-tool.c.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "process.h"
#include "tool.h"


/* The file of a guest by name. */
static void write_shares(Fixture *f, const char *name, const char *lines)
{
    g_autofree char *path = g_strdup_printf("%s/%s.conf", f->dir, name);

    g_assert_true(g_file_set_contents(path, lines, -1, NULL));
}

static void await_share(Fixture *f, const char *tag)
{
    g_autofree char *state = device_backend("9pfs", f->domid, 0);
    g_autofree char *path = g_build_filename(state, "tag", NULL);
    int waited;

    for (waited = 0; !tool_exists(f, path); waited += 10) {
        g_assert_cmpint(waited, <, 20000);
        g_usleep(10000);
    }
    g_free(g_steal_pointer(&state));
    state = device_node(f->guest, "9pfs", 0, "tag");
    g_assert_cmpstr(state, ==, tag);
}

/* Of the QEMU that the program has started there. */
static void end_qemu(Fixture *f, const char *tag)
{
    g_autofree char *domain = g_strdup_printf("%u", f->domid);
    GPid pid = tool_started(f);

    g_assert_cmpint(pid, >, 0);
    tool_run(f, 0, "detached", "-t", "1", "detach", domain, tag);
    tool_assert_ends(pid);
    loop_reap(f->loop, pid);
}

static void test_apply(void)
{
    Fixture *f = tool_begin();
    g_autofree char *qmp = NULL, *lines = NULL;

    if (!f) {
        return;
    }
    fixture_start(f);
    qmp = g_strdup_printf("--qmp=%s/qmp-7", f->dir);
    tool_run(f, 2, "usage: xen-virtfs apply DOMAIN", "apply");
    tool_run(f, 3, "no domain 'nobody'", "apply", "nobody");
    tool_run(f, 1, "guest7.conf", qmp, "apply", "guest7");
    lines = g_strdup_printf(
        "# A comment\n\n"
        "  tag=one,path=%s,security_model=none\n"
        "tag=one,path=%s,security_model=none,protocol=virtfs\n"
        "tag=two,path=%s,security_model=none", f->share, f->share, f->share);
    write_shares(f, "guest7", lines);
    tool_run(f, 0, "9pfs/0: 'one' is attached to domain 7\n"
             "virtfs/0: 'one' is attached to domain 7\n"
             "9pfs/1: 'two' is attached to domain 7\n", qmp, "apply", "7");
    /* Only what is missing, and not in vain. */
    tool_run(f, 0, "", qmp, "apply", "7");
    g_assert_cmpuint(fixture_devices(f, "9pfs"), ==, 2);
    tool_run(f, 0, "detached", qmp, "-t", "1", "detach", "7", "9pfs/0");
    tool_run(f, 0, "9pfs/0: 'one' is attached to domain 7\n", qmp, "apply",
             "guest7");
    fixture_down(f);
}

/* A wrong line is told by its number and costs no other. */
static void test_wrong(void)
{
    Fixture *f = tool_begin();
    g_autofree char *qmp = NULL, *lines = NULL;

    if (!f) {
        return;
    }
    fixture_start(f);
    qmp = g_strdup_printf("--qmp=%s/qmp-7", f->dir);
    lines = g_strdup_printf(
        "nonsense\n"
        "tag=gone,path=/no/such,security_model=none\n"
        "tag=two,path=%s,security_model=none\n", f->share);
    write_shares(f, "guest7", lines);
    tool_run(f, 1, "guest7.conf:1: nonsense: is not of the form", qmp,
             "apply", "7");
    await_share(f, "two");
    tool_run(f, 1, "guest7.conf:2: path: '/no/such'", qmp, "apply", "7");
    tool_run(f, 1, "domain 7 lacks 2 of its shares", qmp, "apply", "7");
    g_assert_cmpuint(fixture_devices(f, "9pfs"), ==, 1);

    /* Not a file of another folder. */
    xs_write(f->xsh, XBT_NULL, "/local/domain/7/name", "../guest7", 9);
    tool_run(f, 1, "no name that a file could have", qmp, "apply", "7");
    fixture_down(f);
}

/* Also of a domain that xl reboots: it is a new one. */
static void test_watch(void)
{
    Fixture *f = tool_begin(), *second, *third;
    g_autofree char *lines = NULL, *mine = NULL;
    GPid watch;

    if (!f) {
        return;
    }
    mine = tool_share_of(f, "mine", "\n");
    write_shares(f, "guest7", mine);
    lines = tool_share_of(f, "share", "\n");
    write_shares(f, "guest8", lines);
    write_shares(f, "guest9", lines);
    watch = tool_watch(f, NULL, NULL);
    /* That which was there before, and that which comes. */
    await_share(f, "mine");
    second = fixture_beside(f);
    await_share(second, "share");
    third = fixture_beside(second);
    await_share(third, "share");
    end_qemu(third, "share");
    fixture_down(third);
    /* Nobody takes one for new because of others. */
    end_qemu(f, "mine");
    end_qemu(second, "share");
    fixture_down(second);
    g_usleep(300000);
    g_assert_cmpint(tool_started(f), ==, 0);
    process_stop(&watch);
    fixture_down(f);
}

/* While its toolstack is at work, a domain is paused. */
static void test_paused(void)
{
    Fixture *f = tool_begin();
    g_autofree char *lines = NULL;
    GPid watch;

    if (!f) {
        return;
    }
    loop_domain_pause(f->loop, f->domid, true);
    lines = tool_share_of(f, "share", "\n");
    write_shares(f, "guest7", lines);
    watch = tool_watch(f, NULL, NULL);
    g_usleep(1000000);
    g_assert_cmpint(tool_started(f), ==, 0);
    loop_domain_pause(f->loop, f->domid, false);
    await_share(f, "share");
    /* Its QEMU is not a part of it. */
    process_stop(&watch);
    end_qemu(f, "share");
    fixture_down(f);
}

/* Of a domain that has gone, and whose QEMU was killed before. */
static void test_swept(void)
{
    Fixture *f = tool_begin(), *second, *third, *fourth;
    g_autofree char *lines = NULL;
    GPid watch, pid;
    int waited;

    if (!f) {
        return;
    }
    lines = tool_share_of(f, "share", "\n");
    write_shares(f, "guest8", lines);
    second = fixture_beside(f);
    third = fixture_beside(second);
    watch = tool_watch(f, NULL, NULL);
    await_share(second, "share");
    pid = tool_started(second);
    kill(pid, SIGKILL);
    tool_assert_ends(pid);
    loop_reap(f->loop, pid);
    fixture_down(second);
    g_assert_true(tool_exists(f, "backend/9pfs/8/0"));
    fourth = fixture_beside(third);
    for (waited = 0; tool_exists(f, "backend/9pfs/8"); waited++) {
        g_assert_cmpint(waited, <, 10000);
        g_usleep(1000);
    }
    process_stop(&watch);
    fixture_down(fourth);
    fixture_down(third);
    fixture_down(f);
}

/* What it starts is that user's. */
static void test_user(void)
{
    Fixture *f = tool_begin();
    const struct passwd *user = f ? fixture_user(f) : NULL;
    g_autofree char *lines = NULL, *process = NULL;
    struct stat st;
    GPid watch;

    if (!user) {
        return;
    }
    lines = tool_share_of(f, "share", "\n");
    write_shares(f, "guest7", lines);
    watch = tool_watch(f, NULL, FIXTURE_USER);
    await_share(f, "share");
    process = g_strdup_printf("/proc/%d/task", (int)tool_started(f));
    g_assert_cmpint(stat(process, &st), ==, 0);
    g_assert_cmpint(st.st_uid, ==, user->pw_uid);
    process_stop(&watch);
    end_qemu(f, "share");
    fixture_down(f);
}

/* The number that the program which takes QEMU's place has left, see below. */
static GPid await_sleeper(Fixture *f)
{
    g_autofree char *path = g_build_filename(f->dir, "sleeper", NULL);
    g_autofree char *text = NULL;
    int waited;

    for (waited = 0; !g_file_get_contents(path, &text, NULL, NULL) || !*text;
         waited += 10) {
        g_clear_pointer(&text, g_free);
        g_assert_cmpint(waited, <, 20000);
        g_usleep(10000);
    }
    return atoi(text);
}

/* A QEMU that does not start keeps its own domain waiting, and no other. */
static void test_beside(void)
{
    Fixture *f = tool_begin(), *second;
    g_autofree char *lines = NULL, *qemu = NULL, *script = NULL;
    GPid watch, sleeper;

    if (!f) {
        return;
    }
    qemu = g_build_filename(f->dir, "slow-qemu", NULL);
    script = g_strdup_printf(
        "#!/bin/sh\n"
        "case \"$*\" in *'-xen-domid %u '*)\n"
        "    echo $$ >%s/sleeper; exec sleep 50\n"
        "esac\n"
        "exec %s \"$@\"\n", f->domid, f->dir, g_getenv("LOOP_QEMU"));
    g_assert_true(g_file_set_contents(qemu, script, -1, NULL));
    g_assert_cmpint(chmod(qemu, 0700), ==, 0);
    lines = tool_share_of(f, "share", "\n");
    write_shares(f, "guest7", lines);
    write_shares(f, "guest8", lines);

    watch = tool_watch(f, qemu, NULL);
    sleeper = await_sleeper(f);
    second = fixture_beside(f);
    await_share(second, "share");
    g_assert_cmpint(tool_started(f), ==, 0);
    g_assert_cmpint(kill(sleeper, SIGKILL), ==, 0);
    end_qemu(second, "share");
    fixture_down(second);
    process_stop(&watch);
    fixture_down(f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/apply/apply", test_apply);
    g_test_add_func("/apply/wrong", test_wrong);
    g_test_add_func("/apply/watch", test_watch);
    g_test_add_func("/apply/paused", test_paused);
    g_test_add_func("/apply/swept", test_swept);
    g_test_add_func("/apply/user", test_user);
    g_test_add_func("/apply/beside", test_beside);
    return g_test_run();
}
