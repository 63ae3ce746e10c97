/*
 * What an operator is told, and by which words
 *
 * docs/system/xen-9pfs-troubleshooting.rst has these messages, and those that
 * other tests look for.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "shares.h"
#include "tool.h"

#define WAIT_MS 10000

static bool up(Fixture **f)
{
    *f = fixture_up();
    if ((*f)->backend != BACKEND_OURS) {
        g_test_skip("only ours has these messages");
        fixture_down(*f);
        return false;
    }
    return true;
}

static void assert_told(Fixture *f, Fe *front, const char *what)
{
    g_autofree char *why = fixture_why(f, front);

    g_test_message("%s", why);
    g_assert_nonnull(strstr(why, what));
}

/* ---- In QEMU's log ---- */

static void test_fids(void)
{
    const char *more[] = { "max-fids", "16", NULL };
    uint32_t fid, error = 0;
    Fixture *f;
    Fe *front;

    if (!up(&f)) {
        return;
    }
    front = fixture_device(f, &(DeviceOpts) { .path = f->share, .more = more });
    fixture_start(f);
    g_assert_true(fe_connect(front, 1, 4));
    tattach({.fe = &front->client});
    for (fid = 1; fid < 20 && !error; fid++) {
        twalk({.fe = &front->client, .newfid = fid, .rerror = &error});
    }
    g_assert_cmpint(error, ==, ENFILE);
    assert_told(f, front, "the guest has as many fids as it may, more are "
                "refused; max-fids=16 is what it has");
    fixture_close(f, front);
    fixture_down(f);
}

/* ---- In xenstore ---- */

/* The frontend does what closes its device. */
static void check_closes(void (*act)(Fe *front), const char *what)
{
    Fixture *f;
    Fe *front;

    if (!up(&f)) {
        return;
    }
    if (fixture_virtfs()) {
        g_test_skip("these rings are those of 9pfs");
        fixture_down(f);
        return;
    }
    front = fixture_connect(f, 1, 4);
    act(front);
    fe_kick(front, 0);
    g_assert_cmpint(fe_wait_state(front, FE_STATE(Closing) | FE_STATE(Closed),
                                  WAIT_MS), !=, -1);
    assert_told(f, front, what);
    fixture_abandon(f, front);
    fixture_down(f);
}

static void move_index(Fe *front)
{
    front->rings[0].intf->out_prod += 1u << 30;
}

static void test_index(void)
{
    check_closes(move_index, "error node: 22 ring 0: out_prod or out_cons is "
                 "corrupt");
}

static void send_size(Fe *front)
{
    static const uint8_t request[7] = { 3, 0, 0, 0, 120, 1, 0 };

    g_assert_true(flex_send(&front->rings[0], request, sizeof(request)));
}

static void test_size(void)
{
    check_closes(send_size, "error node: 22 ring 0: a request claims 3 bytes, "
                 "possible are 7 to ");
}

/* ---- By xen-virtfs ---- */

static void answer(int client, const char *text)
{
    g_assert_cmpint(write(client, text, strlen(text)), >, 0);
}

/* A QEMU that knows no -device xen-9pfs. */
static gpointer other_qemu(gpointer opaque)
{
    int server = GPOINTER_TO_INT(opaque), client = accept(server, NULL, NULL);
    char line[4096];
    FILE *in = fdopen(client, "r");

    answer(client, "{\"QMP\": {}}\n");
    while (fgets(line, sizeof(line), in)) {
        answer(client, strstr(line, "device_add") ?
               "{\"error\": {\"class\": \"GenericError\", \"desc\": "
               "\"'xen-9pfs' is not a valid device model name\"}}\n" :
               "{\"return\": {}}\n");
    }
    fclose(in);
    return NULL;
}

static void test_not_ours(void)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    g_autofree char *qmp = NULL, *share = NULL;
    Fixture *f = tool_begin();
    GThread *thread;
    int server;

    if (!f) {
        return;
    }
    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/other", f->dir);
    server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_assert_cmpint(bind(server, (struct sockaddr *)&addr, sizeof(addr)), ==,
                    0);
    g_assert_cmpint(listen(server, 1), ==, 0);
    thread = g_thread_new("other", other_qemu, GINT_TO_POINTER(server));
    qmp = g_strdup_printf("--qmp=%s", addr.sun_path);
    share = tool_share_of(f, "share", "");
    tool_run(f, 1, "the QEMU of this domain is not ours, see "
             "device_model_override in xl.cfg", qmp, "attach", "7", share);
    g_thread_join(thread);
    close(server);
    fixture_down(f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/messages/fids", test_fids);
    g_test_add_func("/messages/index", test_index);
    g_test_add_func("/messages/size", test_size);
    g_test_add_func("/messages/not-ours", test_not_ours);
    return g_test_run();
}
