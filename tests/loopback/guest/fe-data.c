/*
 * A frontend: its data path, as a 9P transport
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <poll.h>
#include <string.h>

#include "../9p/proto.h"
#include "fe-data.h"

/* Largest reply that is believed before an msize is agreed. */
#define MAX_REPLY (4 * 1024 * 1024)

/* What is enough for a reply that is no data. */
#define DEFAULT_ROOM 8192

/* How often a wait looks whether the backend still lives. */
#define ALIVE_SLICE_MS 20

void fe_kick(Fe *fe, unsigned ring)
{
    loop_evtchn_notify(fe->guest->loop, fe->handle, fe->ports[ring]);
}

bool fe_is_alive(Fe *fe)
{
    return !fe->alive || fe->alive(fe->alive_opaque);
}

/*
 * Room for the reply: what a read asks for, which an msize limits, or what
 * any other call can return.
 */
static uint32_t reply_room(Fe *fe, const uint8_t *data, uint32_t len)
{
    uint32_t msize = fe->client.msize ? fe->client.msize : DEFAULT_ROOM;
    uint32_t count = 0;

    if (len == 23 && (data[4] == P9_TREAD || data[4] == P9_TREADDIR)) {
        memcpy(&count, data + 19, sizeof(count));
        count = MIN(GUINT32_FROM_LE(count), fe_msize(fe)) + 11;
    }
    return MIN(MAX(count, DEFAULT_ROOM), MAX(msize, 4096));
}

static bool fe_send(void *opaque, unsigned ring, const void *data,
                    uint32_t len)
{
    Fe *fe = opaque;

    if (ring >= fe->nr_rings) {
        return false;
    }
    if (fe->virtfs ? !vring_send(&fe->vrings[ring], data, len,
                                 reply_room(fe, data, len))
                   : !flex_send(&fe->rings[ring], data, len)) {
        return false;
    }
    fe_kick(fe, ring);
    return true;
}

/* How much more the reply needs to be whole, as far as is known. */
static uint32_t reply_lacks(Fe *fe, const GByteArray *partial)
{
    uint32_t size, limit = fe->client.msize ? fe->client.msize : MAX_REPLY;

    if (partial->len < sizeof(size)) {
        return sizeof(size) - partial->len;
    }
    memcpy(&size, partial->data, sizeof(size));
    size = GUINT32_FROM_LE(size);
    if (size < P9_HEADER_SIZE || size > limit) {
        fe->broken = "a reply has an impossible size";
        return 0;
    }
    return size - partial->len;
}

/* Move @len bytes from the ring to the end of the reply. */
static void take_bytes(Flex *ring, GByteArray *partial, uint32_t len)
{
    g_byte_array_set_size(partial, partial->len + len);
    flex_get(ring, partial->data + partial->len - len, len);
    flex_consume(ring, len);
}

/* Take whole replies out of a ring; returns how many. */
static int drain_ring(Fe *fe, unsigned i)
{
    Flex *ring = &fe->rings[i];
    int64_t ready = flex_ready(ring);
    uint32_t take, lacks, taken = 0;
    int replies = 0;

    if (ready < 0) {
        fe->broken = "in_prod makes no sense";
        return 0;
    }
    while (ready > 0 && !fe->broken) {
        lacks = reply_lacks(fe, fe->partial[i]);
        take = MIN((uint32_t)ready, lacks);
        take_bytes(ring, fe->partial[i], take);
        ready -= take;
        taken += take;
        if (!reply_lacks(fe, fe->partial[i]) && !fe->broken) {
            p9_client_input(&fe->client, i, fe->partial[i]);
            fe->partial[i] = p9_client_buffer(&fe->client);
            replies++;
        }
    }
    if (taken) {
        /* As Linux does: the backend may wait for the room. */
        fe_kick(fe, i);
    }
    return replies;
}

/* The same for a virtfs ring, whose replies are whole. */
static int drain_vring(Fe *fe, unsigned i)
{
    VRing *ring = &fe->vrings[i];
    VTransaction *t;
    int replies = 0;

    while (!fe->broken && (t = vring_take(ring, &fe->broken))) {
        GByteArray *bytes = p9_client_buffer(&fe->client);

        if (t->status != XEN_VIRTFSIF_RSP_OKAY) {
            fe->broken = t->status == XEN_VIRTFSIF_RSP_BAD_GRANT
                ? "a transaction ends with BAD_GRANT"
                : "a transaction ends with ERROR";
            p9_client_recycle(&fe->client, bytes);
        } else if (vring_reply(t, bytes) == 0) {
            p9_client_recycle(&fe->client, bytes);
        } else {
            p9_client_input(&fe->client, i, bytes);
            replies++;
        }
        vring_release(ring, t);
        if (ring->busy) {
            fe->broken = "pages of a transaction that is done are in use";
        }
    }
    return replies;
}

static int drain(Fe *fe)
{
    int replies = 0;
    unsigned i;

    for (i = 0; i < fe->nr_rings && !fe->hold; i++) {
        replies += fe->virtfs ? drain_vring(fe, i) : drain_ring(fe, i);
    }
    return replies;
}

bool fe_wait_event(Fe *fe, int timeout_ms)
{
    struct pollfd pfd = {
        .fd = loop_evtchn_fd(fe->guest->loop, fe->handle), .events = POLLIN,
    };
    int port;

    if (poll(&pfd, 1, timeout_ms) <= 0) {
        return false;
    }
    port = loop_evtchn_pending(fe->guest->loop, fe->handle);
    if (port > 0) {
        loop_evtchn_unmask(fe->guest->loop, fe->handle, port);
    }
    return true;
}

int fe_pump(Fe *fe, int timeout_ms)
{
    gint64 deadline = g_get_monotonic_time() + timeout_ms * 1000;
    int replies;

    for (;;) {
        gint64 left;

        replies = drain(fe);
        if (replies) {
            return replies;
        }
        if (fe->broken) {
            return -1;
        }
        left = (deadline - g_get_monotonic_time() + 999) / 1000;
        if (left <= 0) {
            return 0;
        }
        if (!fe_wait_event(fe, MIN(left, ALIVE_SLICE_MS)) &&
            !fe_is_alive(fe)) {
            return drain(fe) ? 1 : -1;
        }
    }
}

static int fe_wait(void *opaque, int timeout_ms)
{
    return fe_pump(opaque, timeout_ms);
}

static char *fe_why(void *opaque)
{
    Fe *fe = opaque;
    g_autoptr(GString) text = g_string_new(NULL);
    unsigned i;

    if (!fe_is_alive(fe)) {
        return g_strdup("the backend's process has ended");
    }
    g_string_printf(text, "backend state %d, %u in flight", fe_state(fe),
                    fe->client.in_flight);
    if (fe->broken) {
        g_string_append_printf(text, ", %s", fe->broken);
    }
    for (i = 0; i < fe->nr_rings && fe->virtfs; i++) {
        const VRing *ring = &fe->vrings[i];

        g_string_append_printf(text, "; queue %u: req %u, rsp %u..%u", i,
                               ring->req_prod, ring->rsp_cons,
                               ring->shared->rsp_prod);
    }
    for (i = 0; i < fe->nr_rings && !fe->virtfs; i++) {
        const FlexIntf *intf = fe->rings[i].intf;

        g_string_append_printf(text, "; ring %u: in %u..%u, out %u..%u", i,
                               intf->in_cons, intf->in_prod, intf->out_cons,
                               intf->out_prod);
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}

const P9Transport fe_transport = {
    .send = fe_send,
    .wait = fe_wait,
    .why = fe_why,
};
