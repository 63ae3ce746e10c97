/*
 * Hostile: what a guest can write into its frontend's xenstore nodes
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "attack.h"

/* A value of this text is as long as xenstored takes from a guest. */
#define LONG "(long)"

/* What no node with a number may hold. NULL: there is no such node. */
static const char *const no_number[] = {
    NULL, "", " ", "x", "-1", "-2147483649", "+1", " 1", "1 ", "1x", "1.5",
    "0x1", "1e1", "4294967296", "4294967297", "18446744073709551616",
    "99999999999999999999999999", "\x01\xff\x80", "%s%n", LONG,
};

static const char *const no_count[] = { "0", "9", "4294967295" };
static const char *const no_version[] = { "0", "2", "1,2", "01" };

/* Numbers that name nothing. */
static const char *const no_ref[] = { "0", "20000", "32768", "4294967295" };
static const char *const no_port[] = {
    "0", "4000", "4096", "65536", "2147483648", "4294967295",
};

typedef struct NodeCase {
    const char *node;
    const char *const *values;
    unsigned nr_values;
} NodeCase;

#define NODE(node, values) { node, values, G_N_ELEMENTS(values) }

static const NodeCase node_cases[] = {
    NODE("num-rings", no_number),
    NODE("num-rings", no_count),
    NODE("version", no_number),
    NODE("version", no_version),
    NODE("ring-ref0", no_number),
    NODE("ring-ref0", no_ref),
    NODE("ring-ref1", no_number),
    NODE("ring-ref1", no_ref),
    NODE("event-channel-0", no_number),
    NODE("event-channel-0", no_port),
    NODE("event-channel-1", no_number),
    NODE("event-channel-1", no_port),
};

static void write_node(Fe *fe, const char *node, const char *value)
{
    g_autofree char *dir = device_frontend(fe->type, fe->guest->domid,
                                           fe->devid);
    g_autofree char *path = g_strdup_printf("%s/%s", dir, node);

    if (!value) {
        gxs_rm(fe->guest->xs, 0, path);
    } else if (g_str_equal(value, LONG)) {
        g_autofree char *text = g_strnfill(1900, '1');

        gxs_write(fe->guest->xs, 0, path, text);
    } else {
        gxs_write(fe->guest->xs, 0, path, value);
    }
}

static char *describe(const char *value)
{
    return value ? g_strescape(value, NULL) : g_strdup("(none)");
}

/* One connection is refused for each value; then all is well again. */
static void test_before(gconstpointer data)
{
    const NodeCase *test = data;
    Attack *a = attack_up();
    Fe *fe = a->bad;
    unsigned i;

    for (i = 0; i < test->nr_values && attack_lives(a); i++) {
        g_autofree char *value = describe(test->values[i]);
        int state;

        if (fe_wait_state(fe, FE_STATE(InitWait), ATTACK_STATE_MS) < 0) {
            attack_fail(a, "before '%s': there is no InitWait", value);
            break;
        }
        fe_alloc(fe, 2, 2);
        fe_publish(fe);
        write_node(fe, test->node, test->values[i]);
        fe_set_state(fe, XenbusStateInitialised);
        state = fe_wait_state(fe, FE_STATE(Connected) | FE_STATE(Closing) |
                              FE_STATE(Closed), ATTACK_STATE_MS);
        if (state < 0 || state == XenbusStateConnected) {
            attack_fail(a, "%s '%s': the state is %d", test->node, value,
                        fe_state(fe));
            break;
        }
        if (fe_disconnect(fe) != 0) {
            attack_fail(a, "%s '%s': it does not close", test->node, value);
            break;
        }
        fe_reset(fe);
    }
    attack_down(a);
}

/* While connected nobody reads these. */
static void test_connected(gconstpointer data)
{
    const NodeCase *test = data;
    Attack *a = attack_up();
    unsigned i, n;

    attack_connect(a, 2, 2);
    for (i = 0; i < test->nr_values && attack_lives(a); i++) {
        for (n = 0; n < 4; n++) {
            attack_request(a->bad, n % 2, P9_TREAD, 900 + n, "dqd", 1u,
                           (uint64_t)0, 1000u);
        }
        write_node(a->bad, test->node, test->values[i]);
        attack_skip(a->bad, 0);
        attack_skip(a->bad, 1);
    }
    g_usleep(10000);
    attack_skip(a->bad, 0);
    attack_skip(a->bad, 1);
    attack_expect(a, ATTACK_SERVES);
    attack_down(a);
}

/* ---- tag ---- */

static const char *const tags[] = {
    NULL, "", " ", "a b", "a,b", "a=b", "a/b", "\x01\xff\x80", "%s%n",
    "0123456789012345678901234567890123", LONG,
};

static void test_tag(void)
{
    Attack *a = attack_up();
    Fe *fe = a->bad;
    unsigned i;

    for (i = 0; i < G_N_ELEMENTS(tags) && attack_lives(a); i++) {
        g_autofree char *value = describe(tags[i]);
        int state;

        if (fe_disconnect(fe) != 0) {
            attack_fail(a, "before '%s': it does not close", value);
            break;
        }
        write_node(fe, "tag", tags[i]);
        fe_set_state(fe, XenbusStateInitialising);
        state = fe_wait_state(fe, FE_STATE(InitWait) | FE_STATE(Closing),
                              ATTACK_STATE_MS);
        if (state != XenbusStateClosing) {
            attack_fail(a, "tag '%s': the state is %d", value, state);
        }
    }
    attack_down(a);
}

/* A tag that changes under a connection. */
static void test_tag_connected(void)
{
    Attack *a = attack_up();
    unsigned i;

    attack_connect(a, 1, 2);
    for (i = 0; i < G_N_ELEMENTS(tags); i++) {
        write_node(a->bad, "tag", tags[i]);
    }
    attack_expect(a, ATTACK_SERVES);
    attack_down(a);
}

/* ---- Rings that share what each should have of its own ---- */

static void connect_as_published(Attack *a)
{
    fe_set_state(a->bad, XenbusStateInitialised);
    fe_wait_state(a->bad, FE_STATE(Connected) | FE_STATE(Closing),
                  ATTACK_STATE_MS);
    attack_request(a->bad, 0, P9_TVERSION, P9_NOTAG, "ds", 8192u,
                   "9P2000.L");
    attack_request(a->bad, 1, P9_TCLUNK, 900, "d", 99u);
    g_usleep(5000);
}

static void test_same_ref(void)
{
    Attack *a = attack_up();

    fe_alloc(a->bad, 2, 2);
    fe_publish(a->bad);
    fe_write_int(a->bad, "ring-ref1", a->bad->rings[0].intf_ref);
    connect_as_published(a);
    attack_down(a);
}

static void test_same_port(void)
{
    Attack *a = attack_up();

    fe_alloc(a->bad, 2, 2);
    fe_publish(a->bad);
    fe_write_int(a->bad, "event-channel-1", a->bad->ports[0]);
    connect_as_published(a);
    attack_expect(a, ATTACK_CLOSES);
    attack_down(a);
}

/* The neighbour's channel is bound already; the ring's page can be mapped. */
static void test_neighbours(void)
{
    Attack *a = attack_up();

    fe_alloc(a->bad, 2, 2);
    fe_publish(a->bad);
    fe_write_int(a->bad, "event-channel-0", a->good->ports[0]);
    connect_as_published(a);
    attack_expect(a, ATTACK_CLOSES);
    attack_down(a);
}

static void test_data_as_ref(void)
{
    Attack *a = attack_up();

    fe_alloc(a->bad, 2, 2);
    fe_publish(a->bad);
    fe_write_int(a->bad, "ring-ref0", a->bad->rings[0].refs[0]);
    connect_as_published(a);
    attack_expect(a, ATTACK_CLOSES);
    attack_down(a);
}

/* ---- Nodes nobody asked for ---- */

static void test_more_nodes(void)
{
    static const char *const names[] = {
        "protocol", "online", "backend", "backend-id", "state/state",
        "max-rings", "security_model", "path", "ring-ref8", "feature-x",
    };
    Attack *a = attack_up();
    unsigned i;

    attack_connect(a, 1, 2);
    for (i = 0; i < G_N_ELEMENTS(names); i++) {
        write_node(a->bad, names[i], "0");
        write_node(a->bad, names[i], LONG);
        write_node(a->bad, names[i], "\x01\xff");
    }
    attack_expect(a, ATTACK_SERVES);
    write_node(a->bad, "protocol", NULL);
    attack_down(a);
}

/* The permissions of all nodes are the guest's: it may hide them. */
static void test_state_text(void)
{
    static const char *const values[] = {
        "", " ", "x", "-1", "7", "8", "99", "0x4", "4 ", "4x", "4294967300",
        "18446744073709551620", "\x01\xff", "%s%n", LONG, NULL,
    };
    Attack *a = attack_up();
    unsigned i;

    for (i = 0; i < G_N_ELEMENTS(values) && attack_lives(a); i++) {
        if (i ? !attack_again(a, 1, 2) : !fe_connect(a->bad, 1, 2)) {
            break;
        }
        attack_open(a, a->bad);
        attack_request(a->bad, 0, P9_TREAD, 900, "dqd", 1u, (uint64_t)0,
                       4000u);
        write_node(a->bad, "state", values[i]);
        g_usleep(3000);
    }
    attack_down(a);
}

/* ---- The log ---- */

static const char *const log_ways[] = {
    "1356", "13", "14", "63", "64", "6163", "5163", "03", "06163",
};

/* Connections that fail, one after the other, in the states that @way has. */
static void test_log(gconstpointer data)
{
    const char *way = data, *at;
    Attack *a = attack_up();
    unsigned i;

    fe_alloc(a->bad, 1, 1);
    fe_publish(a->bad);
    fe_write(a->bad, "num-rings", "none");
    for (i = 0; i < 60; i++) {
        for (at = way; *at; at++) {
            fe_write_int(a->bad, "state", *at - '0');
            g_usleep(1500);
        }
    }
    attack_down(a);
}

int main(int argc, char **argv)
{
    unsigned i;

    g_test_init(&argc, &argv, NULL);
    for (i = 0; i < G_N_ELEMENTS(node_cases); i++) {
        const NodeCase *test = &node_cases[i];
        const char *kind = test->values == no_number ? "form" : "value";
        g_autofree char *before = g_strdup_printf(
            "/hostile/node/before/%s/%s", test->node, kind);
        g_autofree char *connected = g_strdup_printf(
            "/hostile/node/connected/%s/%s", test->node, kind);

        g_test_add_data_func(before, test, test_before);
        g_test_add_data_func(connected, test, test_connected);
    }
    g_test_add_func("/hostile/node/before/tag", test_tag);
    g_test_add_func("/hostile/node/connected/tag", test_tag_connected);
    g_test_add_func("/hostile/node/same-ring-ref", test_same_ref);
    g_test_add_func("/hostile/node/same-port", test_same_port);
    g_test_add_func("/hostile/node/neighbours-port", test_neighbours);
    g_test_add_func("/hostile/node/data-page-as-ring-ref", test_data_as_ref);
    g_test_add_func("/hostile/node/more-nodes", test_more_nodes);
    g_test_add_func("/hostile/node/state-text", test_state_text);
    for (i = 0; i < G_N_ELEMENTS(log_ways); i++) {
        g_autofree char *path = g_strdup_printf("/hostile/node/log/%s",
                                                log_ways[i]);

        g_test_add_data_func(path, log_ways[i], test_log);
    }
    return g_test_run();
}
