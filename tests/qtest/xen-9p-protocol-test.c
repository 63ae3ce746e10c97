/*
 * The sentences of Xen's docs/misc/9pfs.pandoc that bind a backend
 *
 * docs/devel/xen-9pfs-protocol-tests.rst has the sentence of each test.
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <poll.h>

#include "xen-9p-protocol.h"

static const struct {
    const char *path;
    void (*run)(void);
} tests[] = {
    { "/protocol/nodes/versions", proto_versions },
    { "/protocol/nodes/max-rings", proto_max_rings },
    { "/protocol/nodes/max-ring-page-order", proto_max_ring_page_order },
    { "/protocol/nodes/path", proto_path },
    { "/protocol/nodes/path-missing", proto_path_missing },
    { "/protocol/nodes/tag", proto_tag },
    { "/protocol/nodes/security-model", proto_security_model },
    { "/protocol/nodes/security-model-unknown",
      proto_security_model_unknown },
    { "/protocol/nodes/version", proto_version },
    { "/protocol/nodes/num-rings", proto_num_rings },
    { "/protocol/nodes/event-channel", proto_event_channel },
    { "/protocol/nodes/ring-ref", proto_ring_ref },
    { "/protocol/states/init-wait", proto_init_wait },
    { "/protocol/states/connect-when-initialised",
      proto_connect_when_initialised },
    { "/protocol/states/closing-unmaps", proto_closing_unmaps },
    { "/protocol/states/closed", proto_closed },
    { "/protocol/states/starts-again", proto_starts_again },
    { "/protocol/rings/order-limits", proto_ring_order_limits },
    { "/protocol/rings/orders-differ", proto_orders_differ },
    { "/protocol/rings/refs-any-order", proto_refs_any_order },
    { "/protocol/rings/largest", proto_largest_ring },
    { "/protocol/rings/own-indices", proto_own_indices },
    { "/protocol/rings/padding", proto_padding },
    { "/protocol/rings/out-is-read-only", proto_out_is_read_only },
    { "/protocol/rings/index-range", proto_index_range },
    { "/protocol/rings/in-prod-verified", proto_in_prod_verified },
    { "/protocol/rings/out-cons-verified", proto_out_cons_verified },
    { "/protocol/rings/no-more-than-sent", proto_no_more_than_sent },
    { "/protocol/rings/no-more-than-fits", proto_no_more_than_fits },
    { "/protocol/flow/event-of-reply", proto_event_of_reply },
    { "/protocol/flow/event-of-room", proto_event_of_room },
    { "/protocol/flow/event-of-its-ring", proto_event_of_its_ring },
    { "/protocol/flow/any-ring", proto_any_ring },
    { "/protocol/flow/size-tells", proto_size_tells },
    { "/protocol/flow/size-impossible", proto_size_impossible },
    { "/protocol/flow/tag-echoed", proto_tag_echoed },
    { "/protocol/flow/many-in-flight", proto_many_in_flight },
    { "/protocol/flow/reply-fits-ring", proto_reply_fits_ring },
};

Fe *offer(Fixture *f, const DeviceOpts *opts)
{
    Fe *fe = fixture_device(f, opts);

    if (!f->backend_pid) {
        fixture_start(f);
    }
    if (fe_wait_state(fe, FE_STATE(InitWait), DO_MS) < 0) {
        g_autofree char *why = fixture_why(f, fe);

        g_error("no InitWait: %s", why);
    }
    return fe;
}

bool refused(Fe *fe)
{
    bool ours = fixture_backend() == BACKEND_OURS;
    int state;

    fe_set_state(fe, XenbusStateInitialised);
    state = fe_wait_state(fe, FE_STATE(Connected) | FE_STATE(Closing) |
                          FE_STATE(Closed), ours ? DO_MS : REFUSE_MS);
    return state != XenbusStateConnected && (state != -1 || !ours);
}

bool never_offered(Fe *fe)
{
    bool ours = fixture_backend() == BACKEND_OURS;
    int state = fe_wait_state(fe, FE_STATE(InitWait) | FE_STATE(Closing) |
                              FE_STATE(Closed), ours ? DO_MS : REFUSE_MS);

    if (state != XenbusStateInitWait) {
        return state != -1 || !ours;
    }
    fe_alloc(fe, 1, 2);
    fe_publish(fe);
    return refused(fe);
}

bool closes(Fe *fe)
{
    return fe_wait_state(fe, FE_STATE(Closing) | FE_STATE(Closed),
                         DO_MS) >= 0;
}

void end_refused(Fixture *f, Fe *fe)
{
    g_assert_true(fixture_alive(f));
    fixture_abandon(f, fe);
    fixture_check(f);
    fixture_down(f);
}

P9Req *make_version(Fe *fe)
{
    P9Req *req = p9_req_new(&fe->client, P9_TVERSION, P9_NOTAG, 0);

    p9_pack(&req->tx, "ds", 4096u, "9P2000.u");
    p9_msg_end(&req->tx);
    fe->client.by_tag[req->tag] = req;
    fe->client.in_flight++;
    return req;
}

void await(P9Req *req)
{
    g_assert_true(p9_req_expect(req, 0));
    p9_req_free(req);
}

int main(int argc, char **argv)
{
    unsigned i;

    g_test_init(&argc, &argv, NULL);
    for (i = 0; i < G_N_ELEMENTS(tests); i++) {
        g_test_add_func(tests[i].path, tests[i].run);
    }
    return g_test_run();
}
