/*
 * -device xen-9pfs: what it refuses, where xenstore fails, what QMP tells
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <string.h>

#include "shares.h"

/* ---- What it refuses ---- */

#define USUAL "\"mount_tag\": \"x\", \"security_model\": \"none\", " \
              "\"path\": \"/\""

static const struct {
    const char *json, *why;
} refusals[] = {
    { "\"path\": \"/\", \"security_model\": \"none\"", "tag: missing" },
    { "\"mount_tag\": \"a b\", \"path\": \"/\"",
      "tag: 'a b' is not valid, use 1 to 31 letters" },
    { "\"mount_tag\": \"x\"", "path: missing, use the absolute path" },
    { "\"mount_tag\": \"x\", \"path\": \"etc\"", "path: 'etc' is not valid" },
    { "\"mount_tag\": \"x\", \"path\": \"/\"", "security_model: missing" },
    { "\"mount_tag\": \"x\", \"path\": \"/\", \"security_model\": \"x\"",
      "security_model: 'x' is not valid" },
    { USUAL ", \"protocol\": \"nfs\"", "protocol: 'nfs' is not valid" },
    { USUAL ", \"devid\": -2", "devid: -2 is not valid" },
    { USUAL ", \"nonsense\": 1", "Property 'xen-9pfs.nonsense' not found" },
    { USUAL ", \"fmode\": \"1777\"", "fmode: '1777' is not valid" },
    { USUAL ", \"readonly\": \"maybe\"", "readonly: 'maybe' is not valid" },
    { USUAL ", \"dispatch\": \"none\"", "dispatch: 'none' is not valid" },
    { USUAL ", \"readonly\": []", "a text, a number or a boolean" },
    { USUAL ", \"throttling.bps-total\": -1",
      "throttling/bps-total: '-1' is not valid" },
    { USUAL ", \"fsdev\": \"x\"", "its options belong to -fsdev" },
    { "\"mount_tag\": \"x\", \"fsdev\": \"x\"", "no -fsdev of this id" },
    { USUAL ", \"id\": \"xen-9pfs-0\"", "for the backends themselves" },
};

static void test_refused(void)
{
    Fixture *f = shares_up();
    Qmp *qmp;
    unsigned i;

    if (!f) {
        return;
    }
    fixture_start(f);
    qmp = qmp_new(f);
    for (i = 0; i < G_N_ELEMENTS(refusals); i++) {
        shares_refused(shares_run(qmp, "device_add",
                                  "\"driver\": \"xen-9pfs\", %s",
                                  refusals[i].json), refusals[i].why);
        g_assert_cmpint(shares_count(f, "9pfs"), ==, 0);
    }
    shares_done(shares_add(f, qmp, "one", "share", ""));
    shares_refused(shares_run(qmp, "qom-set",
                              "\"path\": \"/machine/peripheral/one\", "
                              "\"property\": \"fmode\", "
                              "\"value\": \"0600\""),
                   "cannot be changed");
    shares_use(f, "9pfs", 0);
    qmp_free(qmp);
    fixture_down(f);
}

/* Wherever xenstore fails, all of the device is there or nothing. */
static void test_faults(void)
{
    LoopFault rule = loop_fault_rule(LOOP_FAULT_XS_TX_WRITE, ENOSPC);
    Fixture *f = shares_up();
    unsigned failed = 0;
    Qmp *qmp;
    bool hit;

    if (!f) {
        return;
    }
    fixture_start(f);
    qmp = qmp_new(f);
    rule.pid = f->backend_pid;
    do {
        int number = loop_fault_set(f->loop, &rule);
        char *answer = shares_add(f, qmp, "one", "share", "");
        bool done = strstr(answer, "\"return\"");

        g_free(answer);
        hit = loop_fault_hits(f->loop, number);
        loop_fault_clear(f->loop, number);
        g_assert_cmpint(shares_count(f, "9pfs"), ==, done);
        if (done) {
            shares_done(shares_run(qmp, "device_del", "\"id\": \"one\""));
        } else {
            failed++;
        }
        rule.nth++;
    } while (hit);
    /* Four of the frontend, seven of the backend. */
    g_assert_cmpint(failed, ==, 11);

    rule = loop_fault_rule(LOOP_FAULT_XS_END, EIO);
    rule.pid = f->backend_pid;
    loop_fault_set(f->loop, &rule);
    shares_refused(shares_add(f, qmp, "one", "share", ""),
                   "xenstore does not take the device");
    g_assert_cmpint(shares_count(f, "9pfs"), ==, 0);
    loop_fault_clear(f->loop, -1);

    rule.error = EAGAIN;
    loop_fault_set(f->loop, &rule);
    shares_done(shares_add(f, qmp, "one", "share", ""));
    g_assert_cmpint(shares_count(f, "9pfs"), ==, 1);
    loop_fault_clear(f->loop, -1);
    shares_use(f, "9pfs", 0);
    qmp_free(qmp);
    fixture_down(f);
}

/* ---- Numbers ---- */

static char *stats(Qmp *qmp)
{
    return shares_run(qmp, "qom-get",
                      "\"path\": \"/machine/peripheral/xen-9pfs-0\", "
                      "\"property\": \"stats\"");
}

static uint64_t stat_of(Qmp *qmp, const char *name)
{
    g_autofree char *all = stats(qmp);
    g_autofree char *member = g_strdup_printf("\"%s\": ", name);
    char *at = strstr(all, member);

    g_assert_nonnull(at);
    return g_ascii_strtoull(at + strlen(member), NULL, 10);
}

static void test_stats(void)
{
    Fixture *f = shares_up();
    uint64_t requests, received, sent;
    P9Client *fe;
    Fe *front;
    Qmp *qmp;

    if (!f) {
        return;
    }
    /* Of a device that is not made by -device. */
    front = fixture_connect(f, 2, 4);
    fe = &front->client;
    qmp = qmp_new(f);
    g_assert_cmpint(stat_of(qmp, "rings"), ==, 2);
    g_assert_cmpint(stat_of(qmp, "requests"), ==, 0);
    g_assert_cmpint(stat_of(qmp, "msize"), ==, 0);
    /* Of each ring its first page and the 16 that this names. */
    g_assert_cmpint(stat_of(qmp, "grants"), ==, 2 * (1 + 16));

    tattach({.fe = fe, .msize = 8192});
    g_assert_cmpint(stat_of(qmp, "msize"), ==, 8192);
    requests = stat_of(qmp, "requests");
    received = stat_of(qmp, "bytes-received");
    sent = stat_of(qmp, "bytes-sent");
    g_assert_cmpint(requests, ==, 2);
    /* size[4] Twalk tag[2] fid[4] newfid[4] nwname[2], and Rwalk. */
    twalk({.fe = fe, .fid = 0, .newfid = 1});
    g_assert_cmpint(stat_of(qmp, "requests"), ==, 3);
    g_assert_cmpint(stat_of(qmp, "bytes-received"), ==, received + 17);
    g_assert_cmpint(stat_of(qmp, "bytes-sent"), ==, sent + 9);
    g_assert_cmpint(stat_of(qmp, "in-flight"), ==, 0);

    qmp_free(qmp);
    fixture_close(f, front);
    fixture_down(f);
}

/* The backend's own object is not QMP's to remove: the framework uses it. */
static void test_backend_stays(void)
{
    Fixture *f = shares_up();
    Fe *front;
    Qmp *qmp;

    if (!f) {
        return;
    }
    front = fixture_connect(f, 2, 4);
    qmp = qmp_new(f);
    shares_refused(shares_run(qmp, "device_del", "\"id\": \"xen-9pfs-0\""),
                   "remove its nodes from xenstore");
    tattach({.fe = &front->client});
    qmp_free(qmp);
    fixture_close(f, front);
    fixture_down(f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/device/refused", test_refused);
    g_test_add_func("/device/faults", test_faults);
    g_test_add_func("/device/stats", test_stats);
    g_test_add_func("/device/backend-stays", test_backend_stays);
    return g_test_run();
}
