/*
 * A frontend: the handshake
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <stdlib.h>

#include "fe.h"
#include "fe-data.h"

#define STATE_TIMEOUT_MS 10000

/* Of the guest's, for all buffers of a virtfs frontend. */
#define MAX_PAGES 8000

Fe *fe_new(Guest *guest, const char *type, int devid)
{
    Fe *fe = g_new0(Fe, 1);

    fe->guest = guest;
    fe->type = g_strdup(type ? type : "9pfs");
    fe->virtfs = g_str_equal(fe->type, XEN_VIRTFSIF_TYPE);
    fe->devid = devid;
    fe->timeout_ms = STATE_TIMEOUT_MS;
    fe->handle = loop_evtchn_open(guest->loop, guest->domid, true);
    g_assert_cmpint(fe->handle, >, 0);
    p9_client_init(&fe->client, &fe_transport, fe, 1);
    return fe;
}

uint32_t fe_free(Fe *fe)
{
    uint32_t busy = fe_drop(fe);

    p9_client_fini(&fe->client);
    loop_evtchn_close(fe->guest->loop, fe->handle);
    g_free(fe->type);
    g_free(fe);
    return busy;
}

uint32_t fe_msize(const Fe *fe)
{
    return fe->flex_order ? (LOOP_PAGE_SIZE / 2) << fe->flex_order
                          : LOOP_PAGE_SIZE;
}

/* The smaller the messages, the less of the protocol is used. */
static void init_vring(Fe *fe, VRing *ring, uint32_t order, unsigned rings)
{
    VForm form = order < 4 ? VFORM_SEED :
        order < 8 ? VFORM_INDIRECT : VFORM_PERSISTENT;

    vring_init(ring, fe->guest->loop, fe->guest->domid,
               form == VFORM_SEED ? 0 : 2, form, MAX_PAGES / (rings + 1));
}

void fe_alloc(Fe *fe, unsigned rings, uint32_t order)
{
    unsigned i;
    int port;

    g_assert_cmpuint(rings, <=, FE_MAX_RINGS);
    fe->flex_order = order;
    for (i = 0; i < rings; i++) {
        if (fe->virtfs) {
            init_vring(fe, &fe->vrings[i], order, rings);
        } else {
            flex_init(&fe->rings[i], fe->guest->loop, fe->guest->domid,
                      order);
        }
        port = loop_evtchn_alloc(fe->guest->loop, fe->handle, 0);
        g_assert_cmpint(port, >, 0);
        fe->ports[i] = port;
        fe->partial[i] = p9_client_buffer(&fe->client);
    }
    fe->nr_rings = rings;
    fe->client.rings = MAX(rings, 1);
    fe->client.msize = 0;
    fe->broken = NULL;
}

uint32_t fe_drop(Fe *fe)
{
    uint32_t busy = 0;
    unsigned i;

    for (i = 0; i < fe->nr_rings; i++) {
        busy += fe->virtfs ? vring_fini(&fe->vrings[i])
                           : flex_fini(&fe->rings[i]);
        loop_evtchn_unbind(fe->guest->loop, fe->handle, fe->ports[i]);
        p9_client_recycle(&fe->client, fe->partial[i]);
    }
    fe->nr_rings = 0;
    return busy;
}

static int write_tx(Fe *fe, uint32_t tx, const char *node, const char *value)
{
    g_autofree char *dir = device_frontend(fe->type, fe->guest->domid,
                                           fe->devid);
    g_autofree char *path = g_strdup_printf("%s/%s", dir, node);

    return gxs_write(fe->guest->xs, tx, path, value);
}

int fe_write(Fe *fe, const char *node, const char *value)
{
    return write_tx(fe, 0, node, value);
}

int fe_write_int(Fe *fe, const char *node, int value)
{
    g_autofree char *text = g_strdup_printf("%d", value);

    return fe_write(fe, node, text);
}

static void write_number(Fe *fe, uint32_t tx, const char *node, int ring,
                         uint32_t value)
{
    g_autofree char *name = ring < 0 ? g_strdup(node)
                                     : g_strdup_printf("%s%d", node, ring);
    g_autofree char *text = g_strdup_printf("%u", value);
    int ret = write_tx(fe, tx, name, text);

    if (ret < 0) {
        g_error("frontend: cannot write %s: %s", name, g_strerror(-ret));
    }
}

static void publish_flex(Fe *fe, uint32_t tx)
{
    unsigned i;

    write_number(fe, tx, "version", -1, 1);
    write_number(fe, tx, "num-rings", -1, fe->nr_rings);
    for (i = 0; i < fe->nr_rings; i++) {
        write_number(fe, tx, "ring-ref", i, fe->rings[i].intf_ref);
        write_number(fe, tx, "event-channel-", i, fe->ports[i]);
    }
}

/* A node of an earlier connection. */
static void remove_node(Fe *fe, uint32_t tx, const char *node)
{
    g_autofree char *dir = device_frontend(fe->type, fe->guest->domid,
                                           fe->devid);
    g_autofree char *path = g_strdup_printf("%s/%s", dir, node);

    gxs_rm(fe->guest->xs, tx, path);
}

/* In the seed's form where that says it all. */
static void publish_virtfs(Fe *fe, uint32_t tx)
{
    uint32_t order = fe->vrings[0].order;
    unsigned i;
    int page;

    if (fe->nr_rings > 1) {
        write_number(fe, tx, XEN_VIRTFSIF_NODE_NUM_QUEUES, -1, fe->nr_rings);
    } else {
        remove_node(fe, tx, XEN_VIRTFSIF_NODE_NUM_QUEUES);
    }
    if (order) {
        write_number(fe, tx, XEN_VIRTFSIF_NODE_RING_ORDER, -1, order);
    } else {
        remove_node(fe, tx, XEN_VIRTFSIF_NODE_RING_ORDER);
    }
    for (i = 0; i < fe->nr_rings; i++) {
        g_autofree char *folder = fe->nr_rings > 1
            ? g_strdup_printf(XEN_VIRTFSIF_NODE_QUEUE "%u/", i)
            : g_strdup("");
        g_autofree char *ref = g_strconcat(folder, XEN_VIRTFSIF_NODE_RING_REF,
                                           NULL);
        g_autofree char *port = g_strconcat(folder, XEN_VIRTFSIF_NODE_EVTCHN,
                                            NULL);

        for (page = 0; page < 1 << order; page++) {
            write_number(fe, tx, ref, order ? page : -1,
                         fe->vrings[i].refs[page]);
        }
        write_number(fe, tx, port, -1, fe->ports[i]);
    }
}

void fe_publish(Fe *fe)
{
    int tx, ret;

    do {
        tx = gxs_tx_start(fe->guest->xs);
        g_assert_cmpint(tx, >, 0);
        if (fe->virtfs) {
            publish_virtfs(fe, tx);
        } else {
            publish_flex(fe, tx);
        }
        ret = gxs_tx_end(fe->guest->xs, tx, true);
    } while (ret == -EAGAIN);
    g_assert_cmpint(ret, ==, 0);
}

void fe_set_state(Fe *fe, XenbusState state)
{
    int ret = fe_write_int(fe, "state", state);

    if (ret < 0) {
        g_error("frontend: cannot write its state: %s", g_strerror(-ret));
    }
}

static char *state_path(Fe *fe)
{
    g_autofree char *dir = device_backend(fe->type, fe->guest->domid,
                                          fe->devid);

    return g_strdup_printf("%s/state", dir);
}

XenbusState fe_state(Fe *fe)
{
    g_autofree char *path = state_path(fe);
    int error;
    g_autofree char *value = gxs_read(fe->guest->xs, 0, path, &error);

    return value ? (XenbusState)atoi(value) : XenbusStateUnknown;
}

int fe_wait_state(Fe *fe, unsigned mask, int timeout_ms)
{
    gint64 deadline = g_get_monotonic_time() + timeout_ms * 1000;
    g_autofree char *path = state_path(fe);
    GuestXs *xs = fe->guest->xs;
    int state, found = -1;

    gxs_watch(xs, path, path);
    for (;;) {
        state = fe_state(fe);
        if (mask & (1u << state)) {
            found = state;
            break;
        }
        if (!fe_is_alive(fe) || g_get_monotonic_time() > deadline) {
            break;
        }
        g_free(gxs_event(xs, 50));
    }
    gxs_unwatch(xs, path, path);
    return found;
}

bool fe_connect(Fe *fe, unsigned rings, uint32_t order)
{
    if (fe_wait_state(fe, FE_STATE(InitWait), fe->timeout_ms) < 0) {
        return false;
    }
    fe_alloc(fe, rings, order);
    fe_publish(fe);
    fe_set_state(fe, XenbusStateInitialised);
    if (fe_wait_state(fe, FE_STATE(Connected) | FE_STATE(Closing) |
                      FE_STATE(Closed), fe->timeout_ms) !=
        XenbusStateConnected) {
        return false;
    }
    fe_set_state(fe, XenbusStateConnected);
    return true;
}

/*
 * A backend may stay at Closing until the frontend is Closed, or go to
 * Closed at once.
 */
int fe_disconnect(Fe *fe)
{
    fe_set_state(fe, XenbusStateClosing);
    if (fe_wait_state(fe, FE_STATE(Closing) | FE_STATE(Closed) |
                      FE_STATE(Unknown), fe->timeout_ms) < 0) {
        return -1;
    }
    fe_set_state(fe, XenbusStateClosed);
    if (fe_wait_state(fe, FE_STATE(Closed) | FE_STATE(InitWait) |
                      FE_STATE(Initialising) | FE_STATE(Unknown),
                      fe->timeout_ms) < 0) {
        return -1;
    }
    return fe_drop(fe);
}

void fe_reset(Fe *fe)
{
    fe_drop(fe);
    fe_set_state(fe, XenbusStateInitialising);
}
