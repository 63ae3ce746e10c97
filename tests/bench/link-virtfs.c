/*
 * The guest's data path over virtfs, as linux/9pnet_virtfs has it
 *
 * Every slot has pages of its own. Messages are in pages whose grants stay
 * (the flag PERSISTENT), with up to a page of data; more data is granted for
 * the one request, described in an indirect page, and a reply's is looked at
 * where the backend has put it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "link.h"

#define PAGE LOOP_PAGE_SIZE

/* Data of this size and less goes with its message. */
#define COPY_MAX PAGE
/* Room for a reply without data. */
#define SMALL_REPLY 1024
/* Of a Twrite and an Rread: what is before the data. */
#define HEAD_OUT 23
#define HEAD_IN 11
#define COUNT_AT 19

/* The pages of a slot that are granted once. */
enum { OUT, OUT_MORE, IN, IN_MORE, TABLE, NR_KEPT };

#define MAX_SLOTS 6

typedef struct Buffers {
    VTransaction t;             /* what vring_take() looks for */
    VPage *kept[NR_KEPT];       /* of the ring's pool */
    uint64_t gfn;
    uint8_t *area;              /* a page, of whose end a reply's head is */
    uint8_t *data;              /* follows */
    unsigned granted;           /* pages of data, for the present request */
    uint8_t *rx;                /* a reply without such data */
    bool zero_in;
} Buffers;

static VRing *ring_of(Link *link, const Slot *slot)
{
    return &link->fe->vrings[slot->ring];
}

static uint32_t area_pages(const Link *link)
{
    return 1 + (link->fe->client.msize + PAGE - 1) / PAGE;
}

static grant_ref_t grant(Link *link, uint64_t gfn, bool readonly)
{
    Guest *guest = link->fe->guest;
    int ref = loop_grant(guest->loop, guest->domid, 0, gfn, readonly);

    if (ref < 0) {
        link_fail(link, "no grant");
    }
    return ref;
}

static void ungrant(Link *link, grant_ref_t ref)
{
    Guest *guest = link->fe->guest;

    if (loop_grant_end(guest->loop, guest->domid, ref) < 0) {
        link_fail(link, "a page of a request that is done is in use");
    }
}

static void buffers_init(Link *link, Buffers *b, const Slot *slot)
{
    Guest *guest = link->fe->guest;
    VRing *ring = ring_of(link, slot);
    int64_t gfn = loop_pages_alloc(guest->loop, guest->domid,
                                   area_pages(link));
    unsigned i;

    for (i = 0; i < NR_KEPT && gfn >= 0; i++) {
        b->kept[i] = g_queue_pop_head(&ring->pool);
        if (!b->kept[i]) {
            b->kept[i] = vring_page(ring, false);
        }
    }
    if (gfn < 0 || !b->kept[NR_KEPT - 1]) {
        g_error("the guest has no memory for %u requests", link->nr_slots);
    }
    b->gfn = gfn;
    b->area = loop_page(guest->loop, guest->domid, gfn);
    b->data = b->area + PAGE;
    b->rx = g_malloc(2 * PAGE);
    b->t.id = slot->tag;
    g_hash_table_insert(ring->running, GUINT_TO_POINTER(slot->tag), &b->t);
}

static void buffers_fini(Link *link, Buffers *b, const Slot *slot)
{
    Guest *guest = link->fe->guest;
    VRing *ring = ring_of(link, slot);
    unsigned i;

    g_hash_table_remove(ring->running, GUINT_TO_POINTER(slot->tag));
    g_free(b->rx);
    loop_pages_free(guest->loop, guest->domid, b->gfn, area_pages(link));
    for (i = 0; i < NR_KEPT; i++) {
        g_queue_push_head(&ring->pool, b->kept[i]);
    }
}

static void virtfs_begin(Link *link)
{
    Buffers *all = g_new0(Buffers, link->nr_slots);
    unsigned i;

    link->wire_data = all;
    for (i = 0; i < link->nr_slots; i++) {
        buffers_init(link, all + i, link->slots + i);
    }
}

static void virtfs_end(Link *link)
{
    Buffers *all = link->wire_data;
    unsigned i;

    for (i = 0; i < link->nr_slots; i++) {
        buffers_fini(link, all + i, link->slots + i);
    }
    g_free(all);
}

/* A request on its way into the ring. */
typedef struct Sending {
    struct xen_virtfsif_request slots[MAX_SLOTS];
    unsigned num;
} Sending;

static void add_slot(Sending *s, grant_ref_t ref, uint32_t offset,
                     uint32_t size, uint16_t flags)
{
    s->slots[s->num++] = (struct xen_virtfsif_request) {
        .gref = ref, .offset = offset, .size = size,
        .flags = flags | XEN_VIRTFSF_MORE,
    };
}

/* A message in one or two kept pages from @page on. */
static void add_message(Sending *s, Buffers *b, unsigned page, uint32_t len,
                        uint16_t flags)
{
    flags |= XEN_VIRTFSF_PERSISTENT;
    add_slot(s, b->kept[page]->ref, 0, MIN(len, PAGE), flags);
    if (len > PAGE) {
        add_slot(s, b->kept[page + 1]->ref, 0, len - PAGE, flags);
    }
}

static void add_data(Link *link, Sending *s, Buffers *b, uint32_t len,
                     uint16_t flags)
{
    struct xen_virtfsif_segment *table = (void *)b->kept[TABLE]->data;
    uint32_t done;

    for (done = 0; done < len; done += PAGE) {
        table[b->granted] = (struct xen_virtfsif_segment) {
            .gref = grant(link, b->gfn + 1 + b->granted,
                          !(flags & XEN_VIRTFSF_WRITE)),
            .size = MIN(PAGE, len - done),
        };
        b->granted++;
    }
    add_slot(s, b->kept[TABLE]->ref, 0, b->granted * sizeof(*table),
             flags | XEN_VIRTFSF_INDIRECT);
}

static void end_data(Link *link, Buffers *b)
{
    struct xen_virtfsif_segment *table = (void *)b->kept[TABLE]->data;

    while (b->granted) {
        ungrant(link, table[--b->granted].gref);
    }
}

static void add_request(Link *link, Sending *s, Buffers *b, const Slot *slot,
                        uint32_t data)
{
    uint32_t head = data ? HEAD_OUT : slot->tx_len;
    const uint8_t *tx = slot->tx;

    memcpy(b->kept[OUT]->data, tx, MIN(head, PAGE));
    if (head > PAGE) {
        memcpy(b->kept[OUT_MORE]->data, tx + PAGE, head - PAGE);
    }
    add_message(s, b, OUT, head, 0);
    if (data) {
        memcpy(b->data, tx + head, data);
        add_data(link, s, b, data, 0);
    }
}

static void add_reply(Link *link, Sending *s, Buffers *b, uint32_t room,
                      uint32_t data)
{
    if (data) {
        add_message(s, b, IN, HEAD_IN, XEN_VIRTFSF_WRITE);
        add_data(link, s, b, data, XEN_VIRTFSF_WRITE);
    } else {
        add_message(s, b, IN, room, XEN_VIRTFSF_WRITE);
    }
    b->zero_in = data;
}

/* What a Tread, a Treaddir or a Twrite counts. */
static uint32_t data_count(const Slot *slot, bool *in)
{
    const uint8_t *tx = slot->tx;
    uint32_t count = 0;

    *in = tx[4] == P9_TREAD || tx[4] == P9_TREADDIR;
    if (*in || tx[4] == P9_TWRITE) {
        memcpy(&count, tx + COUNT_AT, sizeof(count));
    }
    return GUINT32_FROM_LE(count);
}

static bool virtfs_try(Link *link, Slot *slot)
{
    VRing *ring = ring_of(link, slot);
    Buffers *b = (Buffers *)link->wire_data + slot->tag;
    Sending s = { .num = 0 };
    bool in;
    uint32_t count = data_count(slot, &in), zero = count > COPY_MAX ? count : 0;
    unsigned i;

    if (vring_room(ring) < MAX_SLOTS) {
        return false;
    }
    add_request(link, &s, b, slot, in ? 0 : zero);
    add_reply(link, &s, b, SMALL_REPLY + (in ? count : 0), in ? zero : 0);
    s.slots[s.num - 1].flags &= ~XEN_VIRTFSF_MORE;
    for (i = 0; i < s.num; i++) {
        s.slots[i].id = slot->tag;
        vring_put(ring, s.slots + i);
    }
    b->t.slots = s.num;
    b->t.answered = 0;
    if (vring_publish(ring)) {
        fe_kick(link->fe, slot->ring);
    }
    return true;
}

/* The reply in one piece; its data stays where the backend has put it. */
static void take_reply(Link *link, Buffers *b, Slot *slot)
{
    uint32_t size;

    end_data(link, b);
    memcpy(&size, b->kept[IN]->data, sizeof(size));
    slot->rx_len = GUINT32_FROM_LE(size);
    if (b->zero_in) {
        slot->rx = b->data - HEAD_IN;
        memcpy(slot->rx, b->kept[IN]->data, HEAD_IN);
        return;
    }
    if (slot->rx_len > 2 * PAGE) {
        link_fail(link, "a reply of an impossible size");
    }
    slot->rx = b->rx;
    memcpy(slot->rx, b->kept[IN]->data, MIN(slot->rx_len, PAGE));
    if (slot->rx_len > PAGE) {
        memcpy(slot->rx + PAGE, b->kept[IN_MORE]->data, slot->rx_len - PAGE);
    }
}

static void virtfs_drain(Link *link, unsigned number)
{
    VRing *ring = &link->fe->vrings[number];
    const char *broken = NULL;
    VTransaction *t;

    while ((t = vring_take(ring, &broken))) {
        Slot *slot = link->slots + t->id;

        if (t->status != XEN_VIRTFSIF_RSP_OKAY) {
            link_fail(link, "a transaction has failed");
        }
        take_reply(link, (Buffers *)t, slot);
        link_list_add(&link->rings[number].done, slot);
    }
    if (broken) {
        link_fail(link, broken);
    }
}

const LinkWire link_virtfs = {
    .init = virtfs_begin,
    .fini = virtfs_end,
    .send = virtfs_try,
    .drain = virtfs_drain,
};
