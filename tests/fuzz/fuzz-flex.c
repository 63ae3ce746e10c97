/*
 * Fuzz target: a whole 9pfs device, in QEMU, in this process
 *
 * The input says what the toolstack and the guest do, step by step: nodes,
 * states, requests, indices, pages, grants, events, and when QEMU's worker
 * threads get on. What is asserted besides what the sanitizers find: replies
 * are whole, an honest guest gets one for every request, and when the device
 * is removed nothing is left of it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>

#include "guest/flex.h"
#include "host.h"
#include "steps.h"
#include "target.h"

static Device device;
static Flex rings[DEVICE_RINGS];

/* ---- The device ---- */

/* Where a ring's indices begin: anywhere, as long as both ends are there. */
static void set_start(Flex *ring, uint32_t start)
{
    ring->intf->out_cons = ring->intf->out_prod = ring->out_prod = start;
    ring->intf->in_cons = ring->intf->in_prod = ring->in_cons = start;
}

static void flex_connect(Device *d, Input *in)
{
    uint8_t shape = input_u8(in), order = input_u8(in) % 16;
    uint32_t start = shape & 0x80 ? -input_u8(in) : 0;
    unsigned i;

    d->nr_rings = shape % DEVICE_RINGS + 1;
    for (i = 0; i < d->nr_rings; i++) {
        g_autofree char *ref = g_strdup_printf("ring-ref%u", i);
        g_autofree char *port = g_strdup_printf("event-channel-%u", i);

        flex_init(&rings[i], d->loop, DEVICE_DOMID,
                  order >= 1 && order <= FLEX_MAX_ORDER ? order : 1);
        /* What is left of an earlier input is not to be read in this one. */
        memset(rings[i].in, 0, 2 * rings[i].size);
        set_start(&rings[i], start);
        device_number_front(d, ref, rings[i].intf_ref);
        device_number_front(d, port, d->ports[i]);
    }
    device_number_front(d, "num-rings", d->nr_rings);
    device_write_front(d, "version", "1");
}

static unsigned flex_drop(Device *d)
{
    unsigned i, busy = 0;

    for (i = 0; i < d->nr_rings; i++) {
        busy += flex_fini(&rings[i]);
    }
    return busy;
}

/* In one or two parts, which a frontend may do, if there is room. */
static void send_bytes(Device *d, unsigned ring, const GByteArray *bytes,
                       uint32_t first)
{
    Flex *flex = &rings[ring];

    if (!bytes->len || bytes->len > flex_room(flex)) {
        return;
    }
    d->requests++;
    flex_put(flex, 0, bytes->data, bytes->len);
    if (first < bytes->len) {
        flex_publish(flex, first);
        device_notify(d, ring);
        host_step();
        flex_publish(flex, bytes->len - first);
    } else {
        flex_publish(flex, bytes->len);
    }
}

static void flex_send_plain(Device *d, unsigned ring, const GByteArray *bytes)
{
    send_bytes(d, ring, bytes, bytes->len);
}

static void flex_take(Device *d, unsigned ring, unsigned max)
{
    Flex *flex = &rings[ring];
    int64_t ready = flex_ready(flex);
    uint32_t size;

    g_assert(!d->honest || ready >= 0);
    while (ready > 0 && max--) {
        if (d->honest) {
            g_assert_cmpint(ready, >=, 7);
            flex_get(flex, &size, sizeof(size));
            g_assert_cmpuint(size, >=, 7);
            g_assert_cmpuint(size, <=, ready);
        } else {
            size = ready;
        }
        flex_consume(flex, size);
        ready -= size;
        d->replies++;
    }
}

static const char *const front_nodes[] = {
    "version", "num-rings", "ring-ref0", "ring-ref1", "event-channel-0",
    "event-channel-1", "tag", "state", "protocol", "else",
};

static const DeviceType type = {
    .name = "9pfs",
    .front_nodes = front_nodes,
    .num_front_nodes = G_N_ELEMENTS(front_nodes),
    .connect = flex_connect,
    .drop = flex_drop,
    .send = flex_send_plain,
    .consume = flex_take,
};

/* ---- Requests ---- */

static void do_request(Device *d, Input *in)
{
    unsigned ring = step_any_ring(d, in);
    uint8_t damage = input_u8(in);
    g_autoptr(GByteArray) bytes = request_read(in);
    uint32_t first = bytes->len, size;

    if (bytes->data[4] == 108) {
        /* Tflush: what it is about may get no reply. */
        d->exact = false;
    }
    if (damage >= 0xf8) {
        d->exact = false;
        size = bytes->len + (int8_t)input_u8(in);
        memcpy(bytes->data, &size, sizeof(size));
    } else if (damage >= 0xe0) {
        first = input_u8(in);
    }
    send_bytes(d, ring, bytes, first);
    if (damage % 2 == 0) {
        device_notify(d, ring);
    }
}

static void do_raw_bytes(Device *d, Input *in)
{
    unsigned ring = step_any_ring(d, in);
    g_autoptr(GByteArray) bytes = g_byte_array_new();

    d->exact = false;
    g_byte_array_set_size(bytes, input_u8(in));
    input_take(in, bytes->data, bytes->len);
    send_bytes(d, ring, bytes, bytes->len);
}

/* As many at once as the ring, or the server, has room for. */
static void do_burst(Device *d, Input *in)
{
    unsigned ring = step_any_ring(d, in), count = input_u8(in);
    g_autoptr(GByteArray) bytes = request_read(in);

    if (bytes->data[4] == 108) {
        d->exact = false;
    }
    while (count--) {
        send_bytes(d, ring, bytes, bytes->len);
    }
    device_notify(d, ring);
}

/* ---- Rings ---- */

static void do_index(Device *d, Input *in)
{
    FlexIntf *intf = rings[step_any_ring(d, in)].intf;
    uint32_t *indices[] = {
        &intf->in_cons, &intf->in_prod, &intf->out_cons, &intf->out_prod,
    };
    uint8_t choice = input_u8(in);
    uint32_t *index = indices[choice % G_N_ELEMENTS(indices)];

    device_dishonest(d);
    *index = choice & 0x80 ? input_u32(in) : *index + (int8_t)input_u8(in);
}

/* The shared page before it is read: the order, and the grants. */
static void do_page(Device *d, Input *in)
{
    FlexIntf *intf = rings[step_any_ring(d, in)].intf;
    uint16_t where = input_u16(in);

    device_dishonest(d);
    if (where >= 1 << FLEX_MAX_ORDER) {
        intf->ring_order = input_u8(in);
    } else {
        intf->ref[where] = input_u32(in);
    }
}

/* A request that changes after it was sent, or a reply before it was read. */
static void do_data(Device *d, Input *in)
{
    Flex *ring = &rings[step_any_ring(d, in)];
    uint32_t where = input_u16(in) % (2 * ring->size);

    device_dishonest(d);
    ring->in[where] = input_u8(in);
}

static void do_grant(Device *d, Input *in)
{
    Flex *ring = &rings[step_any_ring(d, in)];
    unsigned which = input_u8(in) % ((1 << ring->order) + 1);
    grant_ref_t ref = which ? ring->refs[which - 1] : ring->intf_ref;

    step_grant(d, in, ref);
}

/* ---- Faults ---- */

static void do_fault(Device *d, Input *in)
{
    static const LoopFault rules[] = {
        { LOOP_FAULT_GNT_OPEN, .error = EMFILE },
        { LOOP_FAULT_GNT_MAP, .error = GNTST_bad_gntref },
        { LOOP_FAULT_GNT_MAP, .error = GNTST_eagain },
        { LOOP_FAULT_GNT_MMAP, .error = ENOMEM },
        { LOOP_FAULT_EVTCHN_OPEN, .error = EMFILE },
        { LOOP_FAULT_EVTCHN_BIND, .error = EINVAL },
        { LOOP_FAULT_EVTCHN_NOTIFY, .repeat = 2 },
        { LOOP_FAULT_EVTCHN_NOTIFY, .lose = true },
    };

    step_fault(d, in, rules, G_N_ELEMENTS(rules));
}

static Step *const steps[] = {
    do_request, do_request, do_request, do_request, do_burst, step_session,
    do_raw_bytes, step_notify, step_consume, step_consume, do_index, do_page,
    do_data, do_grant, step_front_node, step_front_state, step_back_node,
    step_reconnect, step_once, step_settle, step_settle, step_hold,
    step_release, step_release, do_fault, step_store_fault,
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    device_init(&device, &type);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    Input in = { data, len };

    steps_run(&device, &in, steps, G_N_ELEMENTS(steps));
    return 0;
}
