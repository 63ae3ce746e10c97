/*
 * A backend that dies, and another one that finds its devices
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <signal.h>

#include "fixture.h"

#define WAIT_MS 5000

static void die(Fixture *f)
{
    kill(f->backend_pid, SIGKILL);
    fixture_stop(f);
}

/* The frontend's connection has died: it has to make another. */
static void come_again(Fixture *f, Fe *fe)
{
    g_assert_cmpint(fe_wait_state(fe, FE_STATE(Closing), WAIT_MS), ==,
                    XenbusStateClosing);
    g_assert_cmpint(fe_disconnect(fe), ==, 0);
    fe_reset(fe);
    g_assert_true(fe_connect(fe, 2, 4));
    tattach({.fe = &fe->client, .version = fixture_version(f)});
}

/* In either dialect. */
static void use(Fe *fe)
{
    twalk({.fe = &fe->client, .fid = 0, .newfid = 1});
    tclunk({.fe = &fe->client, .fid = 1});
}

static void end(Fixture *f, Fe *fe)
{
    fixture_close(f, fe);
    fixture_down(f);
}

/* Requests in flight, and files open: no other backend knows of these. */
static void test_connected(gconstpointer signal)
{
    Fixture *f = fixture_up();
    Fe *fe = fixture_connect(f, 2, 4);
    int round;

    for (round = 0; round < 3; round++) {
        if (!round) {
            tattach({.fe = &fe->client, .version = fixture_version(f)});
        }
        use(fe);
        kill(f->backend_pid, GPOINTER_TO_INT(signal));
        fixture_stop(f);
        fixture_start(f);
        come_again(f, fe);
    }
    end(f, fe);
}

/* The frontend has said that it is Connected, the backend has died before. */
static void test_first_answer(void)
{
    static const XenbusState states[] = {
        XenbusStateConnected, XenbusStateClosing,
    };
    Fixture *f = fixture_up();
    Fe *fe = fixture_connect(f, 1, 4);
    g_autofree char *back = device_backend(f->type, f->domid, 0);
    g_autofree char *node = g_strdup_printf("%s/state", back);
    unsigned i;

    for (i = 0; i < G_N_ELEMENTS(states); i++) {
        char state[] = { '0' + states[i], 0 };

        die(f);
        fe_set_state(fe, XenbusStateInitialised);
        g_assert_true(xs_write(f->xsh, XBT_NULL, node, state, 1));
        fixture_start(f);
        come_again(f, fe);
    }
    end(f, fe);
}

/* Nothing is lost where there was no connection yet. */
static void test_unconnected(void)
{
    Fixture *f = fixture_up();
    Fe *fe = fixture_device(f, NULL);

    fixture_start(f);
    g_assert_cmpint(fe_wait_state(fe, FE_STATE(InitWait), WAIT_MS), ==,
                    XenbusStateInitWait);
    die(f);
    fe_alloc(fe, 1, 4);
    fe_publish(fe);
    fe_set_state(fe, XenbusStateInitialised);
    fixture_start(f);
    g_assert_cmpint(fe_wait_state(fe, FE_STATE(Connected), WAIT_MS), ==,
                    XenbusStateConnected);
    fe_set_state(fe, XenbusStateConnected);
    tattach({.fe = &fe->client, .version = fixture_version(f)});
    end(f, fe);
}

/* The guest has closed the device, before or after the backend's death. */
static void test_closed(gconstpointer late)
{
    Fixture *f = fixture_up();
    Fe *fe = fixture_connect(f, 2, 4);

    if (late) {
        die(f);
        fe_set_state(fe, XenbusStateClosed);
    } else {
        g_assert_cmpint(fe_disconnect(fe), ==, 0);
        die(f);
    }
    fixture_start(f);
    g_assert_cmpint(fe_wait_state(fe, FE_STATE(Closed), WAIT_MS), ==,
                    XenbusStateClosed);
    fe_drop(fe);
    fe_reset(fe);
    g_assert_true(fe_connect(fe, 1, 4));
    tattach({.fe = &fe->client, .version = fixture_version(f)});
    end(f, fe);
}

/* A device that is being removed is not for another backend to revive. */
static void test_offline(void)
{
    Fixture *f = fixture_up();
    Fe *fe = fixture_connect(f, 1, 4);

    die(f);
    device_offline(f->guest, fe->type, fe->devid);
    fixture_start(f);
    g_assert_cmpint(fe_wait_state(fe, FE_STATE(InitWait), 300), ==, -1);
    g_assert_cmpint(fe_state(fe), ==, XenbusStateClosing);
    device_remove(f->guest, fe->type, fe->devid);
    fixture_gone(f, fe);
    fixture_down(f);
}

/* A second backend takes no device away from one that lives. */
static void test_served(void)
{
    Fixture *f = fixture_up();
    Fe *fe = fixture_connect(f, 2, 4);
    GPid first = f->backend_pid;

    tattach({.fe = &fe->client, .version = fixture_version(f)});
    f->backend_pid = 0;
    fixture_start(f);
    g_assert_cmpint(fe_wait_state(fe, ~FE_STATE(Connected), 300), ==, -1);
    use(fe);
    fixture_stop(f);
    f->backend_pid = first;
    use(fe);
    fixture_drop(f, fe);
    /* Its QMP socket, which fixture_down() asks, has become the second's. */
    fixture_stop(f);
    fixture_down(f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/restart/connected/killed",
                         GINT_TO_POINTER(SIGKILL), test_connected);
    g_test_add_data_func("/restart/connected/ended",
                         GINT_TO_POINTER(SIGTERM), test_connected);
    g_test_add_func("/restart/first-answer", test_first_answer);
    g_test_add_func("/restart/unconnected", test_unconnected);
    g_test_add_data_func("/restart/closed/before", NULL, test_closed);
    g_test_add_data_func("/restart/closed/after", GINT_TO_POINTER(1),
                         test_closed);
    g_test_add_func("/restart/offline", test_offline);
    g_test_add_func("/restart/served", test_served);
    return g_test_run();
}
