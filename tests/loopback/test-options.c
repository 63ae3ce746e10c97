/*
 * The optional nodes of the backend: taken, or refused with a reason
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <string.h>

#include "fixture.h"

typedef struct OptionCase {
    const char *name;
    const char *security_model; /* NULL: none */
    const char *nodes[5];       /* name, value, ...; NULL */
    const char *why;            /* what the refusal says; NULL: it is taken */
    int create_err;             /* of a Tlcreate, where it is taken */
} OptionCase;

static const OptionCase cases[] = {
    { "readonly-1", NULL, { "readonly", "1" }, NULL, EROFS },
    { "readonly-on", NULL, { "readonly", "on" }, NULL, EROFS },
    { "readonly-0", NULL, { "readonly", "0" }, NULL, 0 },
    { "readonly-off", NULL, { "readonly", "off" }, NULL, 0 },
    { "readonly-other", NULL, { "readonly", "yes" }, "readonly: 'yes'", 0 },
    { "readonly-empty", NULL, { "readonly", "" }, "readonly: ''", 0 },
    { "multidevs-remap", NULL, { "multidevs", "remap" }, NULL, 0 },
    { "multidevs-other", NULL, { "multidevs", "on" }, "multidevs: 'on'", 0 },
    { "locks", NULL, { "locks", "on" }, NULL, 0 },
    { "locks-other", NULL, { "locks", "yes" }, "locks: 'yes'", 0 },
    { "writeout", NULL, { "writeout", "immediate" }, NULL, 0 },
    { "dispatch-other", NULL, { "dispatch", "Auto" }, "dispatch: 'Auto'", 0 },
    { "dispatch-two", NULL, { "dispatch", "auto|worker" },
      "dispatch: 'auto|worker'", 0 },
    { "dispatch-empty", NULL, { "dispatch", "" }, "dispatch: ''", 0 },
    { "poll-max", NULL, { "poll-max-ns", "100000" }, NULL, 0 },
    { "poll-never", NULL, { "poll-max-ns", "0" }, NULL, 0 },
    { "poll-too-long", NULL, { "poll-max-ns", "100001" },
      "poll-max-ns: '100001'", 0 },
    { "poll-empty", NULL, { "poll-max-ns", "" }, "poll-max-ns: ''", 0 },
    { "fmode", "mapped-xattr", { "fmode", "0640" }, NULL, 0 },
    { "fmode-too-large", "mapped-xattr", { "fmode", "01000" },
      "fmode: '01000'", 0 },
    /* Values that are well formed, but QEMU's fsdev does not take them. */
    { "fmode-unmapped", NULL, { "fmode", "0640" }, "fmode", 0 },
    { "throttling-total-and-read", NULL,
      { "throttling/bps-total", "1000000", "throttling/bps-read", "1000000" },
      "bps", 0 },
    { "max-xattr", NULL, { "max_xattr", "64" }, NULL, 0 },
    { "max-xattr-negative", NULL, { "max_xattr", "-1" }, "max_xattr: '-1'",
      0 },
    /* Behind the model: stock xl hands that on as it is. */
    { "behind", "none;readonly=on", {}, NULL, EROFS },
    { "behind-off", "none;readonly=off", {}, NULL, 0 },
    { "behind-many", "mapped-xattr;fmode=0640;dmode=0750;writeout=immediate;"
      "multidevs=forbid;max_xattr=64;throttling.iops-total=10000;"
      "throttling/bps-read=100000000;dispatch=worker;poll-max-ns=0;"
      "max-fids=1000;readonly=1", {}, NULL, EROFS },
    { "behind-and-node", "none;writeout=immediate", { "readonly", "on" },
      NULL, EROFS },
    { "behind-model", "some;readonly=on", {}, "security_model: 'some' is", 0 },
    { "behind-nothing", "none;", {}, "security_model: option: '' is", 0 },
    { "behind-unknown", "none;read-only=on", {},
      "security_model: option: 'read-only' is", 0 },
    { "behind-no-option", "none;path=/", {},
      "security_model: option: 'path' is", 0 },
    { "behind-no-value", "none;readonly", {},
      "security_model: readonly: missing, use on|off", 0 },
    { "behind-value", "none;multidevs=remap;readonly=yes", {},
      "security_model: readonly: 'yes' is", 0 },
    { "behind-empty", "none;readonly=", {},
      "security_model: readonly: '' is", 0 },
    { "behind-own-value", "none;dispatch=fast", {},
      "security_model: dispatch: 'fast' is", 0 },
    { "behind-own-number", "none;max-fids=1", {},
      "security_model: max-fids: '1' is", 0 },
    { "behind-iothread", "none;iothread=nobody", {},
      "iothread: there is no thread 'nobody'", 0 },
    { "behind-twice", "none;readonly=on;readonly=off", {},
      "security_model: readonly: given twice", 0 },
    { "behind-and-node-twice", "none;readonly=off", { "readonly", "on" },
      "readonly: given in security_model, too", 0 },
    { "behind-control", "none;a\nb=1", {}, "option: 'a\\nb' is", 0 },
};

static void check_taken(Fe *fe, const OptionCase *test)
{
    tattach({.fe = &fe->client});
    tlcreate({.fe = &fe->client, .fid = 0, .name = "new", .mode = 0644,
              .expect_err = test->create_err});
}

static void check_refused(Fixture *f, Fe *fe, const OptionCase *test)
{
    g_autofree char *why = fixture_why(f, fe);

    g_assert_cmpint(fe_state(fe), ==, XenbusStateClosing);
    g_test_message("%s", why);
    g_assert_nonnull(strstr(why, test->why));
}

static void test_option(gconstpointer data)
{
    const OptionCase *test = data;
    Fixture *f = fixture_up();
    DeviceOpts opts = {
        .path = f->share, .security_model = test->security_model,
        .more = test->nodes,
    };
    Fe *fe;
    bool connected;

    if (f->backend != BACKEND_OURS) {
        g_test_skip("only ours has these nodes");
        fixture_down(f);
        return;
    }
    fixture_start(f);
    fe = fixture_device(f, &opts);
    connected = fe_wait_state(fe, FE_STATE(InitWait) | FE_STATE(Closing),
                              fe->timeout_ms) == XenbusStateInitWait &&
        fe_connect(fe, 1, 2);
    g_assert_true(connected == !test->why);
    if (connected) {
        check_taken(fe, test);
        fixture_close(f, fe);
    } else {
        check_refused(f, fe, test);
        fixture_abandon(f, fe);
        fixture_check(f);
    }
    fixture_down(f);
}

/*
 * A share that is meant to be read-only is not served by a backend that does
 * not know what is behind the model, whichever that is.
 */
static void test_unknown(void)
{
    Fixture *f = fixture_up();
    DeviceOpts opts = {
        .path = f->share,
        .security_model = f->backend == BACKEND_OURS ? "none;nonesuch=on"
                                                     : "none;readonly=on",
    };
    Fe *fe = fixture_device(f, &opts);

    fixture_start(f);
    if (fe_connect(fe, 1, 2)) {
        /* Stock QEMU does, and dies of the first request. */
        P9Req *req = tversion({.fe = &fe->client, .msize = 8192,
                               .version = fixture_version(f),
                               .request_only = true});

        g_assert_cmpint(f->backend, ==, BACKEND_STOCK);
        g_assert_cmpint(fe_pump(fe, 5000), <=, 0);
        p9_req_free(req);
    } else if (f->backend == BACKEND_OURS) {
        g_assert_cmpint(fe_state(fe), ==, XenbusStateClosing);
    }
    fixture_abandon(f, fe);
    fixture_down(f);
}

int main(int argc, char **argv)
{
    unsigned i;

    g_test_init(&argc, &argv, NULL);
    for (i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_strdup_printf("/option/%s", cases[i].name);

        g_test_add_data_func(path, &cases[i], test_option);
    }
    g_test_add_func("/option/unknown-to-the-backend", test_unknown);
    return g_test_run();
}
