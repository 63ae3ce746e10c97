/*
 * Fuzz target: a whole virtfs device, in QEMU, in this process
 *
 * The input says what the toolstack and the guest do, step by step: nodes,
 * states, requests in buffers of all shapes, slots, indices, pages, grants,
 * events, faults, and when QEMU's worker threads and its clock get on. What
 * is asserted besides what the sanitizers find: a frontend that keeps to the
 * protocol gets all responses and a reply to each request, with nothing of
 * its pages in use any more; and when the device is removed nothing is left
 * of it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>

#include "9p/proto.h"
#include "host.h"
#include "steps.h"
#include "target.h"
#include "transaction.h"

/* Of the guest's, for all buffers. */
#define BUFFER_PAGES 15000

static Device device;
static VRing rings[DEVICE_RINGS];
static bool faulty;             /* calls of the host may fail */
static bool tainted;            /* so, or pages are not as they were */
static bool flushed;            /* a request may have been cancelled */

/* ---- The device ---- */

/* What decides how pages are accessed, and where calls are made. */
static void virtfs_add(Device *d, Input *in)
{
    static const char *const policies[] = {
        "auto", "copy", "map", "cached", "other",
    };
    static const char *const modes[] = { "auto", "worker", "inline", "other" };
    uint8_t policy = input_u8(in), mode = input_u8(in);

    faulty = false;
    if (policy) {
        device_write_back(d, "grant-policy",
                          policies[policy % G_N_ELEMENTS(policies)]);
    }
    if (mode) {
        device_write_back(d, "dispatch", modes[mode % G_N_ELEMENTS(modes)]);
    }
}

/* Where a ring's indices begin: anywhere, as long as both ends are there. */
static void set_start(VRing *ring, uint32_t start)
{
    ring->shared->req_prod = ring->shared->rsp_prod = start;
    ring->shared->req_event = ring->shared->rsp_event = start + 1;
    ring->req_prod = ring->rsp_cons = start;
}

static void write_queue(Device *d, unsigned queue, bool folders, bool numbered)
{
    VRing *ring = &rings[queue];
    g_autofree char *folder = folders
        ? g_strdup_printf(XEN_VIRTFSIF_NODE_QUEUE "%u/", queue)
        : g_strdup("");
    g_autofree char *port = g_strconcat(folder, XEN_VIRTFSIF_NODE_EVTCHN,
                                        NULL);
    unsigned i;

    for (i = 0; i < 1u << ring->order; i++) {
        g_autofree char *ref = numbered
            ? g_strdup_printf("%s" XEN_VIRTFSIF_NODE_RING_REF "%u", folder, i)
            : g_strdup_printf("%s" XEN_VIRTFSIF_NODE_RING_REF, folder);

        device_number_front(d, ref, ring->refs[i]);
    }
    device_number_front(d, port, d->ports[queue]);
}

/* In the forms that need not be where the input asks for them. */
static void virtfs_connect(Device *d, Input *in)
{
    uint8_t shape = input_u8(in);
    uint32_t order = input_u8(in) % (XEN_VIRTFSIF_RING_ORDER_MAX + 1);
    uint32_t start = shape & 0x80 ? -input_u8(in) : 0;
    bool folders, numbered = order || (shape & 0x20);
    unsigned i;

    d->nr_rings = shape % DEVICE_RINGS + 1;
    folders = d->nr_rings > 1 || (shape & 0x10);
    tainted = faulty;
    flushed = false;
    for (i = 0; i < d->nr_rings; i++) {
        vring_init(&rings[i], d->loop, DEVICE_DOMID, order, VFORM_SEED,
                   BUFFER_PAGES / d->nr_rings);
        set_start(&rings[i], start);
        write_queue(d, i, folders, numbered);
    }
    device_remove_front(d, XEN_VIRTFSIF_NODE_NUM_QUEUES);
    device_remove_front(d, XEN_VIRTFSIF_NODE_RING_ORDER);
    if (folders) {
        device_number_front(d, XEN_VIRTFSIF_NODE_NUM_QUEUES, d->nr_rings);
    }
    if (numbered) {
        device_number_front(d, XEN_VIRTFSIF_NODE_RING_ORDER, order);
    }
}

static unsigned virtfs_drop(Device *d)
{
    unsigned i, busy = 0;

    for (i = 0; i < d->nr_rings; i++) {
        busy += transaction_drop(&rings[i]);
    }
    return busy;
}

/* ---- Requests ---- */

static void publish(Device *d, VRing *ring, uint8_t type)
{
    vring_publish(ring);
    d->requests++;
    flushed |= type == P9_TFLUSH || type == P9_TVERSION;
}

static void virtfs_send(Device *d, unsigned ring, const GByteArray *bytes)
{
    Transaction *tx = transaction_new(&rings[ring], bytes);

    if (tx && transaction_put(&rings[ring], tx)) {
        publish(d, &rings[ring], tx->type);
    }
}

/* A slot is not what it should be, but a transaction it still is. */
static void damage(Transaction *tx, Input *in)
{
    unsigned number = input_u8(in) % tx->slots->len;
    struct xen_virtfsif_request *slot =
        &g_array_index(tx->slots, struct xen_virtfsif_request, number);
    uint8_t which = input_u8(in);
    uint16_t value = input_u16(in);

    tx->sound = false;
    tainted = true;
    switch (which % 4) {
    case 0:
        slot->flags ^= value & ~XEN_VIRTFSF_MORE;
        break;
    case 1:
        slot->offset ^= value;
        break;
    case 2:
        slot->size ^= value;
        break;
    default:
        slot->gref ^= value;
        break;
    }
}

/* Publish the first slots of a transaction, later the others. */
static void publish_parts(Device *d, unsigned ring, Transaction *tx,
                          unsigned first)
{
    VRing *vring = &rings[ring];
    unsigned all = vring->put;

    vring->put = MIN(first, all);
    vring_publish(vring);
    device_notify(d, ring);
    host_step();
    vring->put = all - MIN(first, all);
    publish(d, vring, tx->type);
}

static void do_request(Device *d, Input *in)
{
    unsigned ring = step_any_ring(d, in);
    uint8_t how = input_u8(in);
    g_autoptr(GByteArray) bytes = request_read(in);
    Transaction *tx = transaction_read(&rings[ring], bytes, in);

    if (!tx) {
        return;
    }
    if (how >= 0xf0) {
        damage(tx, in);
    }
    if (!transaction_put(&rings[ring], tx)) {
        return;
    }
    if (how >= 0xe0 && how < 0xf0) {
        publish_parts(d, ring, tx, input_u8(in));
    } else {
        publish(d, &rings[ring], tx->type);
    }
    if (how % 2 == 0) {
        device_notify(d, ring);
    }
}

/* As many of one shape as the ring has room for. */
static void do_burst(Device *d, Input *in)
{
    unsigned ring = step_any_ring(d, in), count = input_u8(in);
    g_autoptr(GByteArray) bytes = request_read(in);
    Input shape = *in;
    Transaction *tx;

    do {
        *in = shape;
        tx = transaction_read(&rings[ring], bytes, in);
        if (!tx || !transaction_put(&rings[ring], tx)) {
            break;
        }
        publish(d, &rings[ring], tx->type);
    } while (count--);
    device_notify(d, ring);
}

/* A message that the grammar does not have. */
static void do_raw_bytes(Device *d, Input *in)
{
    unsigned ring = step_any_ring(d, in);
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    Transaction *tx;

    g_byte_array_set_size(bytes, 7 + input_u8(in) % 128);
    input_take(in, bytes->data, bytes->len);
    tx = transaction_read(&rings[ring], bytes, in);
    if (tx) {
        tx->sound = false;
        if (transaction_put(&rings[ring], tx)) {
            publish(d, &rings[ring], tx->type);
            flushed = true;
        }
    }
    device_notify(d, ring);
}

/* ---- Responses ---- */

/* Where responses make no sense any more: all that there are. */
static void sweep(Device *d, VRing *ring)
{
    uint32_t prod = ring->shared->rsp_prod;

    if (prod != ring->rsp_cons &&
        prod - ring->rsp_cons <= ring->req_prod - ring->rsp_cons) {
        ring->rsp_cons = prod;
        d->replies++;
    }
    ring->shared->rsp_event = ring->rsp_cons + 1;
}

static void check(Transaction *tx)
{
    if (tx->sound && !tainted) {
        g_assert_cmpint(tx->t.status, ==, XEN_VIRTFSIF_RSP_OKAY);
        transaction_check(tx, flushed);
    }
    g_assert_cmpint(tx->t.status, <=, XEN_VIRTFSIF_RSP_OKAY);
    g_assert_cmpint(tx->t.status, >=, XEN_VIRTFSIF_RSP_BAD_GRANT);
}

static void virtfs_take(Device *d, unsigned ring, unsigned max)
{
    const char *broken = NULL;
    unsigned busy;
    VTransaction *t;

    if (!d->honest) {
        sweep(d, &rings[ring]);
        return;
    }
    while (max-- && (t = vring_take(&rings[ring], &broken))) {
        Transaction *tx = (Transaction *)t;

        check(tx);
        busy = transaction_end(&rings[ring], tx);
        g_assert(tainted || busy == 0);
        d->replies++;
    }
    if (broken) {
        g_error("%s", broken);
    }
}

/* ---- What is shared ---- */

static grant_ref_t any_ref(VRing *ring, Input *in)
{
    uint8_t choice = input_u8(in);
    Transaction *tx = transaction_any(ring, choice);
    GPtrArray *pages = tx && tx->t.pages->len ? tx->t.pages
                                              : tx ? tx->kept : NULL;

    if (choice >= 0xe0 || !pages || !pages->len) {
        return choice % 2 ? input_u32(in)
                          : ring->refs[choice % (1u << ring->order)];
    }
    return ((VPage *)g_ptr_array_index(pages, choice % pages->len))->ref;
}

static struct xen_virtfsif_request read_slot(VRing *ring, Input *in,
                                             uint8_t choice)
{
    struct xen_virtfsif_request slot = { .size = LOOP_PAGE_SIZE };

    slot.flags = choice & 0x80 ? input_u16(in) : choice & XEN_VIRTFSF_ALL;
    slot.gref = any_ref(ring, in);
    if (choice & 0x40) {
        slot.offset = input_u16(in);
        slot.size = input_u16(in);
    }
    slot.id = input_u8(in);
    return slot;
}

/* Slots that are nobody's transaction, one by one or all the same. */
static void do_slots(Device *d, Input *in)
{
    unsigned ring = step_any_ring(d, in), count = input_u8(in);
    struct xen_virtfsif_request slot;
    uint8_t choice = 0;

    device_dishonest(d);
    do {
        if (!(choice & 0x20)) {
            choice = input_u8(in);
            slot = read_slot(&rings[ring], in, choice);
        }
        vring_put(&rings[ring], &slot);
    } while (vring_room(&rings[ring]) && count--);
    vring_publish(&rings[ring]);
    device_notify(d, ring);
}

static void do_index(Device *d, Input *in)
{
    struct xen_virtfsif_sring *shared = rings[step_any_ring(d, in)].shared;
    uint32_t *indices[] = {
        &shared->req_prod, &shared->rsp_prod, &shared->req_event,
        &shared->rsp_event,
    };
    uint8_t choice = input_u8(in);
    uint32_t *index = indices[choice % G_N_ELEMENTS(indices)];

    device_dishonest(d);
    *index = choice & 0x80 ? input_u32(in) : *index + (int8_t)input_u8(in);
}

/* A slot after it was published, or before its response was taken. */
static void do_slot(Device *d, Input *in)
{
    VRing *ring = &rings[step_any_ring(d, in)];
    uint32_t bytes = ring->size * sizeof(*ring->shared->ring);
    uint32_t where = input_u16(in) % bytes;

    device_dishonest(d);
    ((uint8_t *)ring->shared->ring)[where] = input_u8(in);
}

static VPage *any_page(VRing *ring, Input *in)
{
    uint8_t choice = input_u8(in);
    Transaction *tx = transaction_any(ring, choice);
    unsigned number, num;

    if (!tx) {
        return g_queue_peek_head(&ring->pool);
    }
    num = tx->t.pages->len;
    number = input_u8(in) % MAX(num + tx->kept->len, 1);
    if (num + tx->kept->len == 0) {
        return NULL;
    }
    return number < num ? g_ptr_array_index(tx->t.pages, number)
                        : g_ptr_array_index(tx->kept, number - num);
}

/*
 * A request or a table of segments that changes after it was sent, or a reply
 * before it was read.
 */
static void do_data(Device *d, Input *in)
{
    VPage *page = any_page(&rings[step_any_ring(d, in)], in);
    uint16_t where = input_u16(in) % LOOP_PAGE_SIZE;

    tainted = true;
    if (page) {
        page->data[where] = input_u8(in);
    }
}

static void do_grant(Device *d, Input *in)
{
    VRing *ring = &rings[step_any_ring(d, in)];
    uint8_t which = input_u8(in);
    VPage *page = any_page(ring, in);
    grant_ref_t ref = page && which % 2 == 0
        ? page->ref : ring->refs[which % (1u << ring->order)];

    /* The ring may be what the backend writes to then. */
    tainted = true;
    step_grant(d, in, ref);
}

/* ---- Faults ---- */

static void do_fault(Device *d, Input *in)
{
    static const LoopFault rules[] = {
        { LOOP_FAULT_GNT_OPEN, .error = EMFILE },
        { LOOP_FAULT_GNT_MAP, .error = GNTST_bad_gntref },
        { LOOP_FAULT_GNT_MAP, .error = GNTST_eagain, .times = UINT32_MAX },
        { LOOP_FAULT_GNT_MMAP, .error = ENOMEM },
        { LOOP_FAULT_GNT_MMAP, .error = ENOMEM, .times = UINT32_MAX },
        { LOOP_FAULT_GNT_COPY, .error = GNTST_bad_page },
        { LOOP_FAULT_GNT_COPY_CALL, .error = ENOMEM },
        { LOOP_FAULT_GNT_COPY_CALL, .error = ENOMEM, .times = UINT32_MAX },
        { LOOP_FAULT_EVTCHN_OPEN, .error = EMFILE },
        { LOOP_FAULT_EVTCHN_BIND, .error = EINVAL },
        { LOOP_FAULT_EVTCHN_NOTIFY, .repeat = 2 },
        { LOOP_FAULT_EVTCHN_NOTIFY, .lose = true },
    };

    faulty = tainted = true;
    step_fault(d, in, rules, G_N_ELEMENTS(rules));
}

static void do_fault_end(Device *d, Input *in)
{
    loop_fault_clear(d->loop, -1);
    faulty = false;
}

static const char *const front_nodes[] = {
    "ring-ref", "event-channel", "ring-page-order", "multi-queue-num-queues",
    "ring-ref0", "ring-ref1", "queue-0/ring-ref", "queue-0/event-channel",
    "queue-1/ring-ref0", "queue-1/event-channel", "tag", "state", "else",
};

static const DeviceType type = {
    .name = XEN_VIRTFSIF_TYPE,
    .front_nodes = front_nodes,
    .num_front_nodes = G_N_ELEMENTS(front_nodes),
    .add = virtfs_add,
    .connect = virtfs_connect,
    .drop = virtfs_drop,
    .send = virtfs_send,
    .consume = virtfs_take,
};

static Step *const steps[] = {
    do_request, do_request, do_request, do_request, do_burst, step_session,
    do_raw_bytes, step_notify, step_consume, step_consume, step_settle,
    step_settle, step_once, step_wait, step_hold, step_release, step_release,
    step_reconnect, do_slots, do_index, do_slot, do_data, do_grant,
    do_fault, do_fault_end, step_front_node, step_front_state, step_back_node,
    step_store_fault,
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
