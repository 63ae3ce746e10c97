/*
 * Xen 9P tests: the protocol's state machine
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "xen-9p-protocol.h"

/* Features are published before InitWait says so. */
void proto_init_wait(void)
{
    static const char *const nodes[] = {
        "versions", "max-rings", "max-ring-page-order",
    };
    Fixture *f = fixture_up();
    Fe *fe = offer(f, NULL);
    unsigned i;

    for (i = 0; i < G_N_ELEMENTS(nodes); i++) {
        g_autofree char *value = device_node(f->guest, fe->type, fe->devid,
                                             nodes[i]);

        g_assert_nonnull(value);
    }
    g_assert_cmpint(fe_state(fe), ==, XenbusStateInitWait);
    fixture_drop(f, fe);
    fixture_down(f);
}

/* Parameters are asked for when the frontend is Initialised, not before. */
void proto_connect_when_initialised(void)
{
    Fixture *f = fixture_up();
    Fe *fe = offer(f, NULL);

    fe_alloc(fe, 1, 2);
    fe_publish(fe);
    g_assert_cmpint(fe_wait_state(fe, FE_STATE(Connected), DO_NOT_MS), ==,
                    -1);
    g_assert_cmpuint(loop_grants_in_use(f->loop, f->domid), ==, 0);
    fe_set_state(fe, XenbusStateInitialised);
    g_assert_cmpint(fe_wait_state(fe, FE_STATE(Connected), DO_MS), ==,
                    XenbusStateConnected);
    /* It serves from here on, whatever the frontend's state. */
    tversion({.fe = &fe->client, .msize = 4096,
              .version = fixture_version(f)});
    fe_set_state(fe, XenbusStateConnected);
    tattach({.fe = &fe->client});
    fixture_close(f, fe);
    fixture_down(f);
}

static bool holds_nothing(Fixture *f)
{
    LoopStats stats;

    loop_stats(f->loop, f->backend_pid, &stats);
    return stats.mapped == f->idle.mapped && stats.ports == f->idle.ports &&
        loop_grants_in_use(f->loop, f->domid) == 0;
}

/* It says Closing once it has let go of all, so that pages may be freed. */
void proto_closing_unmaps(void)
{
    Fixture *f = fixture_up();
    Fe *fe = fixture_connect(f, 2, 4);
    int state;

    tattach({.fe = &fe->client, .version = fixture_version(f)});
    g_assert_false(holds_nothing(f));
    fe_set_state(fe, XenbusStateClosing);
    state = fe_wait_state(fe, FE_STATE(Closing) | FE_STATE(Closed), DO_MS);
    g_assert_cmpint(state, !=, -1);
    g_assert_true(holds_nothing(f));
    fe_set_state(fe, XenbusStateClosed);
    g_assert_cmpint(fe_wait_state(fe, FE_STATE(Closed), DO_MS), ==,
                    XenbusStateClosed);
    end_refused(f, fe);
}

void proto_closed(void)
{
    Fixture *f = fixture_up();
    Fe *fe = fixture_connect(f, 1, 1);

    device_offline(f->guest, fe->type, fe->devid);
    fe_set_state(fe, XenbusStateClosing);
    fe_wait_state(fe, FE_STATE(Closing) | FE_STATE(Closed), DO_MS);
    fe_set_state(fe, XenbusStateClosed);
    g_assert_cmpint(fe_wait_state(fe, FE_STATE(Closed) | FE_STATE(Unknown),
                                  DO_MS), !=, -1);
    end_refused(f, fe);
}

/* A frontend that is Initialising anew finds InitWait, and no fids. */
void proto_starts_again(void)
{
    Fixture *f = fixture_up();
    Fe *fe = fixture_connect(f, 2, 2);
    P9Client *c = &fe->client;

    tattach({.fe = c, .version = fixture_version(f)});
    g_assert_cmpint(fe_disconnect(fe), ==, 0);
    fe_reset(fe);
    g_assert_true(fe_connect(fe, 1, 5));
    tversion({.fe = c, .version = fixture_version(f)});
    twalk({.fe = c, .fid = 0, .newfid = 1, .expect_err = ENOENT});
    tattach({.fe = c});
    fixture_close(f, fe);
    fixture_down(f);
}
