/*
 * The program xen-virtfs: what its tests have in common
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "process.h"
#include "tool.h"

/* What stands before its words. */
#define BEFORE 5

static void command_line(Fixture *f, const char *const *words,
                         const char **argv)
{
    unsigned i;

    argv[0] = "env";
    argv[1] = g_strdup_printf("XEN_RUN_DIR=%s", f->dir);
    argv[2] = g_strdup_printf("XEN_LOG_DIR=%s", f->dir);
    argv[3] = g_strdup_printf("XEN_VIRTFS_DIR=%s", f->dir);
    argv[4] = g_getenv("LOOP_TOOL");
    for (i = 0; i < TOOL_MAX_WORDS && words[i]; i++) {
        argv[BEFORE + i] = words[i];
    }
}

static void command_line_free(const char **argv)
{
    g_free((char *)argv[1]);
    g_free((char *)argv[2]);
    g_free((char *)argv[3]);
}

gpointer tool_call(gpointer opaque)
{
    ToolCall *call = opaque;
    const char *argv[TOOL_MAX_WORDS + BEFORE + 1] = { 0 };
    ProcessEnv env = {
        .loop_path = call->f->loop_path, .xenstore_dir = call->f->dir,
    };
    int status;

    command_line(call->f, call->words, argv);
    status = process_run(argv, &env, &call->out, &call->err);
    call->status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    command_line_free(argv);
    return NULL;
}

void tool_check(ToolCall *call, int status, const char *text)
{
    const char *printed = status ? call->err : call->out;

    g_test_message("status %d: %s%s", call->status, call->out, call->err);
    g_assert_cmpint(call->status, ==, status);
    g_assert_nonnull(strstr(printed, text));
    g_clear_pointer(&call->out, g_free);
    g_clear_pointer(&call->err, g_free);
}

GPid tool_watch(Fixture *f, const char *qemu, const char *user)
{
    const char *words[TOOL_MAX_WORDS] = {
        "watch", "-t", "60", "-Q", qemu ? qemu : g_getenv("LOOP_QEMU"),
        user ? "-u" : NULL, user,
    };
    const char *argv[TOOL_MAX_WORDS + BEFORE + 1] = { 0 };
    g_autofree char *log = g_build_filename(f->dir, "watch", NULL);
    ProcessEnv env = {
        .loop_path = f->loop_path, .xenstore_dir = f->dir, .log = log,
    };
    GPid pid;

    command_line(f, words, argv);
    pid = process_start(argv, &env);
    command_line_free(argv);
    return pid;
}

Fixture *tool_begin(void)
{
    Fixture *f = fixture_up();

    if (f->backend != BACKEND_OURS || !g_getenv("LOOP_TOOL")) {
        g_test_skip("xen-virtfs works with our QEMU alone");
        fixture_down(f);
        return NULL;
    }
    return f;
}

char *tool_share_of(Fixture *f, const char *tag, const char *more)
{
    return g_strdup_printf("tag=%s,path=%s,security_model=none%s", tag,
                           f->share, more);
}

bool tool_exists(Fixture *f, const char *path)
{
    unsigned int len;
    char *value = xs_read(f->xsh, XBT_NULL, path, &len);
    bool there = value;

    free(value);
    return there;
}

GPid tool_started(Fixture *f)
{
    g_autofree char *path = g_strdup_printf(
        "/local/domain/%u/image/device-model-pid", f->domid);
    unsigned int len;
    char *value = xs_read(f->xsh, XBT_NULL, path, &len);
    GPid pid = value ? atoi(value) : 0;

    free(value);
    return pid;
}

void tool_assert_ends(GPid pid)
{
    int waited;

    for (waited = 0; kill(pid, 0) == 0; waited++) {
        g_assert_cmpint(waited, <, 60000);
        g_usleep(1000);
    }
}
