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

#include "core/fault.h"
#include "device.h"
#include "host.h"
#include "store.h"
#include "target.h"

static Device device;

static unsigned any_ring(Device *d, Input *in)
{
    return input_u8(in) % d->nr_rings;
}

/* The guest no longer knows what is in its rings. */
static void dishonest(Device *d)
{
    d->honest = false;
    d->exact = false;
}

/* ---- Requests ---- */

/* In one or two parts, which a frontend may do, if there is room. */
static void send_bytes(Device *d, unsigned ring, const GByteArray *bytes,
                       uint32_t first)
{
    Flex *flex = &d->rings[ring];

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

static void do_request(Device *d, Input *in)
{
    unsigned ring = any_ring(d, in);
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
    unsigned ring = any_ring(d, in);
    g_autoptr(GByteArray) bytes = g_byte_array_new();

    d->exact = false;
    g_byte_array_set_size(bytes, input_u8(in));
    input_take(in, bytes->data, bytes->len);
    send_bytes(d, ring, bytes, bytes->len);
}

/* As many at once as the ring, or the server, has room for. */
static void do_burst(Device *d, Input *in)
{
    unsigned ring = any_ring(d, in), count = input_u8(in);
    g_autoptr(GByteArray) bytes = request_read(in);

    if (bytes->data[4] == 108) {
        d->exact = false;
    }
    while (count--) {
        send_bytes(d, ring, bytes, bytes->len);
    }
    device_notify(d, ring);
}

static void do_session(Device *d, Input *in)
{
    unsigned ring = any_ring(d, in);
    uint8_t choice = input_u8(in);
    g_autoptr(GByteArray) version = request_version(
        choice % 2 ? "9P2000.u" : "9P2000.L", 1024u << choice % 11);
    g_autoptr(GByteArray) attach = request_attach();

    send_bytes(d, ring, version, version->len);
    device_notify(d, ring);
    host_settle();
    send_bytes(d, ring, attach, attach->len);
    device_notify(d, ring);
    host_settle();
}

/* ---- Rings ---- */

static void do_notify(Device *d, Input *in)
{
    device_notify(d, any_ring(d, in));
}

static void do_consume(Device *d, Input *in)
{
    unsigned ring = any_ring(d, in);

    device_consume(d, ring, input_u8(in));
}

static void do_index(Device *d, Input *in)
{
    FlexIntf *intf = d->rings[any_ring(d, in)].intf;
    uint32_t *indices[] = {
        &intf->in_cons, &intf->in_prod, &intf->out_cons, &intf->out_prod,
    };
    uint8_t choice = input_u8(in);
    uint32_t *index = indices[choice % G_N_ELEMENTS(indices)];

    dishonest(d);
    *index = choice & 0x80 ? input_u32(in) : *index + (int8_t)input_u8(in);
}

/* The shared page before it is read: the order, and the grants. */
static void do_page(Device *d, Input *in)
{
    FlexIntf *intf = d->rings[any_ring(d, in)].intf;
    uint16_t where = input_u16(in);

    dishonest(d);
    if (where >= 1 << FLEX_MAX_ORDER) {
        intf->ring_order = input_u8(in);
    } else {
        intf->ref[where] = input_u32(in);
    }
}

/* A request that changes after it was sent, or a reply before it was read. */
static void do_data(Device *d, Input *in)
{
    Flex *ring = &d->rings[any_ring(d, in)];
    uint32_t where = input_u16(in) % (2 * ring->size);

    dishonest(d);
    ring->in[where] = input_u8(in);
}

static void do_grant(Device *d, Input *in)
{
    Flex *ring = &d->rings[any_ring(d, in)];
    unsigned which = input_u8(in) % ((1 << ring->order) + 1);
    grant_ref_t ref = which ? ring->refs[which - 1] : ring->intf_ref;
    grant_entry_v1_t *entry = loop_grant_entry(d->loop, DEVICE_DOMID, ref);

    dishonest(d);
    /* Bits of use are Xen's. */
    entry->flags ^= input_u8(in) & ~(GTF_reading | GTF_writing);
    entry->domid ^= input_u8(in);
    entry->frame ^= input_u16(in);
}

/* ---- Nodes and states ---- */

static const char *const front_nodes[] = {
    "version", "num-rings", "ring-ref0", "ring-ref1", "event-channel-0",
    "event-channel-1", "tag", "state", "protocol", "else",
};

static void do_front_node(Device *d, Input *in)
{
    const char *node = front_nodes[input_u8(in) % G_N_ELEMENTS(front_nodes)];
    g_autofree char *path = g_strconcat(DEVICE_FRONT "/", node, NULL);
    uint8_t len = input_u8(in);
    g_autofree char *value = g_malloc0(len + 1);

    d->exact = false;
    input_take(in, value, len);
    if (len == 0xff) {
        store_remove(path);
    } else {
        store_write(path, value);
    }
}

static void do_front_state(Device *d, Input *in)
{
    d->exact = false;
    device_state(input_u8(in) % 10);
}

static void do_back_node(Device *d, Input *in)
{
    static const char *const nodes[] = { "online", "state", "path", "else" };
    g_autofree char *path = g_strconcat(
        DEVICE_BACK "/", nodes[input_u8(in) % G_N_ELEMENTS(nodes)], NULL);
    g_autofree char *value = g_strdup_printf("%u", input_u8(in) % 8);

    d->exact = false;
    store_write(path, value);
}

/* The frontend closes, or just goes, and comes back. */
static void do_reconnect(Device *d, Input *in)
{
    if (input_u8(in) % 2) {
        device_state(XenbusStateClosing);
        host_settle();
        device_state(XenbusStateClosed);
    }
    host_hold(false);
    host_settle();
    device_state(XenbusStateInitialising);
    host_settle();
    device_connect(d, in);
    host_settle();
}

/* ---- Time and faults ---- */

static void do_step(Device *d, Input *in)
{
    host_step();
}

static void do_settle(Device *d, Input *in)
{
    host_settle();
}

static void do_hold(Device *d, Input *in)
{
    host_hold(input_u8(in) % 2);
}

static void do_release(Device *d, Input *in)
{
    host_release(input_u8(in));
    host_step();
}

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
    LoopFault rule = rules[input_u8(in) % G_N_ELEMENTS(rules)];

    d->exact = false;
    rule.domid = 0;
    rule.nth = input_u8(in) % 16 + 1;
    rule.times = 1;
    rule.op = -1;
    loop_fault_set(d->loop, &rule);
}

static void do_store_fault(Device *d, Input *in)
{
    d->exact = false;
    store_fail(input_u8(in) % 8);
}

typedef void Step(Device *d, Input *in);

static Step *const steps[] = {
    do_request, do_request, do_request, do_request, do_burst, do_session,
    do_raw_bytes, do_notify, do_consume, do_consume, do_index, do_page,
    do_data, do_grant, do_front_node, do_front_state, do_back_node,
    do_reconnect, do_step, do_settle, do_settle, do_hold, do_release,
    do_release, do_fault, do_store_fault,
};

/* One device from its creation to its end. */
static void run_device(Device *d, Input *in)
{
    uint8_t how = input_u8(in);
    unsigned step;

    device_add(d, in);
    /* A frontend may be there before the backend, or wait for it. */
    if (how & 1) {
        host_settle();
    }
    device_connect(d, in);
    if (!(how & 2)) {
        host_settle();
        do_session(d, in);
    }
    while (in->left) {
        step = input_u8(in);
        if (step == 0xff) {
            break;
        }
        steps[step % G_N_ELEMENTS(steps)](d, in);
    }
    if (!(how & 4)) {
        device_finish(d);
    }
    device_remove(d);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    device_init(&device);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    Input in = { data, len };

    do {
        run_device(&device, &in);
    } while (in.left);
    return 0;
}
