/*
 * The guest's data path over virtfs, as linux/9pnet_virtfs has it
 *
 * Messages and their data go through pages that stay granted (the flag
 * PERSISTENT). Where LOOP_GRANTS has the backend access pages in another way,
 * or there would be too many such pages, more than a page of data is granted
 * for the one request, and a reply's is looked at where the backend put it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "link.h"

#define PAGE LOOP_PAGE_SIZE
#define PAGES(len) (((len) + PAGE - 1) / PAGE)
#define ROUND_UP(n, to) (((n) + (to) - 1) / (to) * (to))

/* Pages that stay granted, of all slots. */
#define POOL_PAGES 1024
/* More segments than these are described in a page. */
#define DIRECT_SEGS 32
/* Between request and response, where both are in one page. */
#define RSP_ALIGN 64
/* Room for a reply without data. */
#define SMALL_REPLY 1024
/* Of a Twrite and an Rread: what is before the data. */
#define HEAD_OUT 23
#define HEAD_IN 11
#define COUNT_AT 19

#define MAX_SLOTS (3 * DIRECT_SEGS)

/* What a slot has. */
typedef struct Buffers {
    VTransaction t;             /* what vring_take() looks for */
    GPtrArray *pages;           /* VPage: the request, then the response */
    uint32_t rsp_at;
    VPage *table;
    uint64_t gfn;               /* of data that is granted once */
    uint8_t *data;              /* there, or NULL: never needed; a page is */
                                /* before it, for the head of a reply */
    GArray *granted;            /* their grants, for the present request */
    uint8_t *rx;                /* a reply without such data */
    bool zero_in;
} Buffers;

typedef struct Wire {
    uint32_t copy_max;          /* data of this size and less */
    unsigned kept;              /* pages that stay granted */
    Buffers slot[];
} Wire;

static VRing *ring_of(Link *link, const Slot *slot)
{
    return &link->fe->vrings[slot->ring];
}

static Buffers *buffers_of(Link *link, const Slot *slot)
{
    return &((Wire *)link->wire_data)->slot[slot->tag];
}

/* Room for any message. */
static uint32_t max_len(const Link *link)
{
    return link->fe->client.msize + SMALL_REPLY + PAGE;
}

/* ---- Pages ---- */

static VPage *page_new(Link *link, const Slot *slot)
{
    VRing *ring = ring_of(link, slot);
    VPage *page = g_queue_pop_head(&ring->pool);

    page = page ?: vring_page(ring, false);
    if (!page) {
        link_fail(link, "no page");
    }
    return page;
}

static void virtfs_begin(Link *link)
{
    Wire *wire = g_malloc0(sizeof(*wire) + link->nr_slots * sizeof(Buffers));
    const char *policy = g_getenv("LOOP_GRANTS");
    unsigned i;

    wire->copy_max = policy && *policy ? PAGE : UINT32_MAX;
    link->wire_data = wire;
    for (i = 0; i < link->nr_slots; i++) {
        Slot *slot = link->slots + i;
        Buffers *b = buffers_of(link, slot);

        b->pages = g_ptr_array_new();
        b->table = page_new(link, slot);
        b->granted = g_array_new(false, false, sizeof(grant_ref_t));
        b->rx = g_malloc(max_len(link));
        b->t.id = slot->tag;
        g_hash_table_insert(ring_of(link, slot)->running,
                            GUINT_TO_POINTER(slot->tag), &b->t);
    }
}

static void virtfs_end(Link *link)
{
    Guest *guest = link->fe->guest;
    unsigned i, n;

    for (i = 0; i < link->nr_slots; i++) {
        Slot *slot = link->slots + i;
        Buffers *b = buffers_of(link, slot);
        VRing *ring = ring_of(link, slot);

        g_hash_table_remove(ring->running, GUINT_TO_POINTER(slot->tag));
        g_free(b->rx);
        g_array_free(b->granted, true);
        if (b->data) {
            loop_pages_free(guest->loop, guest->domid, b->gfn - 1,
                            1 + PAGES(max_len(link)));
        }
        g_queue_push_head(&ring->pool, b->table);
        for (n = 0; n < b->pages->len; n++) {
            g_queue_push_head(&ring->pool, g_ptr_array_index(b->pages, n));
        }
        g_ptr_array_free(b->pages, true);
    }
    g_free(link->wire_data);
}

/* Where the byte @at is; *len is cut to what is in the same page. */
static uint8_t *page_at(const Buffers *b, uint32_t at, uint32_t *len)
{
    const VPage *page = g_ptr_array_index(b->pages, at / PAGE);

    *len = MIN(*len, PAGE - at % PAGE);
    return page->data + at % PAGE;
}

static void pages_write(Buffers *b, uint32_t at, const uint8_t *from,
                        uint32_t len)
{
    uint32_t part;

    for (; len; at += part, from += part, len -= part) {
        uint8_t *page;

        part = len;
        page = page_at(b, at, &part);
        memcpy(page, from, part);
    }
}

static void pages_read(const Buffers *b, uint32_t at, uint8_t *to,
                       uint32_t len)
{
    uint32_t part;

    for (; len; at += part, to += part, len -= part) {
        const uint8_t *page;

        part = len;
        page = page_at(b, at, &part);
        memcpy(to, page, part);
    }
}

/* ---- Requests ---- */

/* A request on its way into the ring. */
typedef struct Sending {
    Buffers *b;
    struct xen_virtfsif_request slots[MAX_SLOTS];
    unsigned num;
} Sending;

static void add_slot(Sending *s, uint32_t ref, uint32_t offset, uint32_t size,
                     uint16_t flags)
{
    g_assert(s->num < MAX_SLOTS);
    s->slots[s->num++] = (struct xen_virtfsif_request) {
        .gref = ref, .offset = offset, .size = size,
        .flags = flags | XEN_VIRTFSF_MORE,
    };
}

/* A slot for each segment, or a page of them. */
static void add_segments(Sending *s, const struct xen_virtfsif_segment *seg,
                         unsigned num, uint16_t flags)
{
    unsigned i;

    if (num > DIRECT_SEGS) {
        memcpy(s->b->table->data, seg, num * sizeof(*seg));
        add_slot(s, s->b->table->ref, 0, num * sizeof(*seg),
                 flags | XEN_VIRTFSF_INDIRECT);
        return;
    }
    for (i = 0; i < num; i++) {
        add_slot(s, seg[i].gref, seg[i].offset, seg[i].size, flags);
    }
}

/* What is in the pages that stay granted. */
static void add_pages(Sending *s, uint32_t at, uint32_t len, uint16_t flags)
{
    struct xen_virtfsif_segment seg[XEN_VIRTFSIF_SEGMENTS_PER_PAGE];
    unsigned num = 0;
    uint32_t part;

    for (; len; at += part, len -= part) {
        const VPage *page = g_ptr_array_index(s->b->pages, at / PAGE);

        part = MIN(len, PAGE - at % PAGE);
        seg[num++] = (struct xen_virtfsif_segment) {
            .gref = page->ref, .offset = at % PAGE, .size = part,
        };
    }
    add_segments(s, seg, num, flags | XEN_VIRTFSF_PERSISTENT);
}

/* Data whose pages are granted for this request. */
static void add_data(Link *link, Sending *s, uint32_t len, uint16_t flags)
{
    struct xen_virtfsif_segment seg[XEN_VIRTFSIF_SEGMENTS_PER_PAGE];
    Guest *guest = link->fe->guest;
    Buffers *b = s->b;
    uint32_t done;

    for (done = 0; done < len; done += PAGE) {
        int ref = loop_grant(guest->loop, guest->domid, 0,
                             b->gfn + done / PAGE,
                             !(flags & XEN_VIRTFSF_WRITE));

        if (ref < 0) {
            link_fail(link, "no grant");
        }
        g_array_append_val(b->granted, ref);
        seg[done / PAGE] = (struct xen_virtfsif_segment) {
            .gref = ref, .size = MIN(PAGE, len - done),
        };
    }
    add_segments(s, seg, b->granted->len, flags);
}

static void end_data(Link *link, Buffers *b)
{
    Guest *guest = link->fe->guest;
    unsigned i;

    for (i = 0; i < b->granted->len; i++) {
        if (loop_grant_end(guest->loop, guest->domid,
                           g_array_index(b->granted, grant_ref_t, i)) < 0) {
            link_fail(link, "a page of a request that is done is in use");
        }
    }
    g_array_set_size(b->granted, 0);
}

static void ensure_data(Link *link, Buffers *b)
{
    Guest *guest = link->fe->guest;
    int64_t gfn;

    if (b->data) {
        return;
    }
    gfn = loop_pages_alloc(guest->loop, guest->domid,
                           1 + PAGES(max_len(link)));
    if (gfn < 0) {
        link_fail(link, "no memory for data");
    }
    b->gfn = gfn + 1;
    b->data = loop_page(guest->loop, guest->domid, b->gfn);
}

/* A message that is about to be sent. */
typedef struct Message {
    bool in;                    /* its data are to come */
    uint32_t count;             /* what a Tread, Treaddir or Twrite counts */
    bool zero;                  /* these are granted once */
    uint32_t req_len, rsp_at, rsp_len;  /* in pages that stay granted */
} Message;

static void place(Message *m, const Slot *slot, bool zero)
{
    uint32_t head = m->in && m->count > SMALL_REPLY ? HEAD_IN : 0;

    m->zero = zero;
    m->req_len = zero && !m->in ? HEAD_OUT : slot->tx_len;
    m->rsp_len = head ? head + (zero ? 0 : m->count)
                      : SMALL_REPLY + (m->in ? m->count : 0);
    m->rsp_at = ROUND_UP(m->req_len, RSP_ALIGN);
    /* Data begin with a page. */
    if (m->rsp_at % PAGE + m->rsp_len > PAGE) {
        m->rsp_at = ROUND_UP(m->rsp_at + head, PAGE) - head;
    }
}

static Message message_of(Link *link, const Slot *slot)
{
    const Wire *wire = link->wire_data;
    const uint8_t *tx = slot->tx;
    Message m = { .in = tx[4] == P9_TREAD || tx[4] == P9_TREADDIR };
    unsigned have = buffers_of(link, slot)->pages->len, need;

    if (m.in || tx[4] == P9_TWRITE) {
        memcpy(&m.count, tx + COUNT_AT, sizeof(m.count));
        m.count = GUINT32_FROM_LE(m.count);
    }
    place(&m, slot, m.count > wire->copy_max);
    need = PAGES(m.rsp_at + m.rsp_len);
    if (m.count > PAGE && need > have &&
        wire->kept + need - have > POOL_PAGES) {
        place(&m, slot, true);
    }
    return m;
}

static void add_all(Link *link, Sending *s, Slot *slot, const Message *m)
{
    const uint8_t *tx = slot->tx;
    Wire *wire = link->wire_data;
    Buffers *b = s->b;

    while (b->pages->len < PAGES(m->rsp_at + m->rsp_len)) {
        g_ptr_array_add(b->pages, page_new(link, slot));
        wire->kept++;
    }
    if (m->zero) {
        ensure_data(link, b);
    }
    pages_write(b, 0, tx, m->req_len);
    add_pages(s, 0, m->req_len, 0);
    if (m->zero && !m->in) {
        memcpy(b->data, tx + m->req_len, m->count);
        add_data(link, s, m->count, 0);
    }
    add_pages(s, m->rsp_at, m->rsp_len, XEN_VIRTFSF_WRITE);
    if (m->zero && m->in) {
        add_data(link, s, m->count, XEN_VIRTFSF_WRITE);
    }
    b->rsp_at = m->rsp_at;
    b->zero_in = m->zero && m->in;
}

static bool virtfs_try(Link *link, Slot *slot)
{
    VRing *ring = ring_of(link, slot);
    Sending s = { .b = buffers_of(link, slot) };
    Message m;
    unsigned i;

    if (vring_room(ring) < MAX_SLOTS) {
        return false;
    }
    m = message_of(link, slot);
    add_all(link, &s, slot, &m);
    s.slots[s.num - 1].flags &= ~XEN_VIRTFSF_MORE;
    for (i = 0; i < s.num; i++) {
        s.slots[i].id = slot->tag;
        vring_put(ring, s.slots + i);
    }
    s.b->t.slots = s.num;
    s.b->t.answered = 0;
    if (vring_publish(ring)) {
        fe_kick(link->fe, slot->ring);
    }
    return true;
}

/* ---- Replies ---- */

/* The reply in one piece. */
static void take_reply(Link *link, Buffers *b, Slot *slot)
{
    uint8_t head[P9_HEADER_SIZE];
    uint32_t size;

    end_data(link, b);
    pages_read(b, b->rsp_at, head, sizeof(head));
    memcpy(&size, head, sizeof(size));
    slot->rx_len = GUINT32_FROM_LE(size);
    if (slot->rx_len > max_len(link)) {
        link_fail(link, "a reply of an impossible size");
    }
    if (b->zero_in) {
        slot->rx = b->data - HEAD_IN;
        pages_read(b, b->rsp_at, slot->rx, HEAD_IN);
    } else {
        slot->rx = b->rx;
        pages_read(b, b->rsp_at, slot->rx, slot->rx_len);
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
