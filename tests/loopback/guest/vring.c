/*
 * The frontend's end of one virtfs ring, and the buffers of transactions
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "vring.h"

/* What Linux sends apart from the data that goes with it. */
#define HEAD_OUT 23
#define HEAD_IN  11

/* From here on a frontend that can describes its segments in a page. */
#define DIRECT_MAX 4

/* ---- Pages ---- */

VPage *vring_page(VRing *ring, bool readonly)
{
    int64_t gfn = ring->pages < ring->max_pages
        ? loop_pages_alloc(ring->loop, ring->domid, 1) : -1;
    VPage *page;
    int ref;

    if (gfn < 0) {
        return NULL;
    }
    ring->pages++;
    ref = loop_grant(ring->loop, ring->domid, 0, gfn, readonly);
    if (ref < 0) {
        g_error("frontend: no grant: %s", g_strerror(-ref));
    }
    page = g_new(VPage, 1);
    *page = (VPage) {
        .gfn = gfn, .ref = ref, .readonly = readonly,
        .data = loop_page(ring->loop, ring->domid, gfn),
    };
    memset(page->data, 0, LOOP_PAGE_SIZE);
    return page;
}

bool vring_page_free(VRing *ring, VPage *page)
{
    bool free = loop_grant_end(ring->loop, ring->domid, page->ref) == 0;

    if (free) {
        loop_pages_free(ring->loop, ring->domid, page->gfn, 1);
    }
    ring->pages--;
    g_free(page);
    return free;
}

void vring_init(VRing *ring, Loop *loop, domid_t domid, uint32_t order,
                VForm form, uint32_t max_pages)
{
    uint32_t pages = 1u << order, i;
    int64_t gfn;

    g_assert_cmpuint(order, <=, XEN_VIRTFSIF_RING_ORDER_MAX);
    memset(ring, 0, sizeof(*ring));
    gfn = loop_pages_alloc(loop, domid, pages);
    g_assert_cmpint(gfn, >=, 0);
    ring->loop = loop;
    ring->domid = domid;
    ring->order = order;
    ring->form = form;
    ring->max_pages = max_pages;
    ring->gfn = gfn;
    ring->size = XEN_VIRTFSIF_RING_SLOTS(order);
    ring->shared = loop_page(loop, domid, gfn);
    memset(ring->shared, 0, pages * LOOP_PAGE_SIZE);
    ring->shared->req_event = 1;
    ring->shared->rsp_event = 1;
    for (i = 0; i < pages; i++) {
        int ref = loop_grant(loop, domid, 0, gfn + i, false);

        g_assert_cmpint(ref, >, 0);
        ring->refs[i] = ref;
    }
    ring->running = g_hash_table_new(NULL, NULL);
    g_queue_init(&ring->pool);
}

static uint32_t free_pages(VRing *ring, GPtrArray *pages)
{
    uint32_t busy = 0, i;

    for (i = 0; i < pages->len; i++) {
        busy += !vring_page_free(ring, g_ptr_array_index(pages, i));
    }
    g_ptr_array_unref(pages);
    return busy;
}

static uint32_t transaction_free(VRing *ring, VTransaction *t)
{
    uint32_t busy = free_pages(ring, t->pages);

    g_array_unref(t->in);
    g_free(t);
    return busy;
}

uint32_t vring_fini(VRing *ring)
{
    uint32_t pages = 1u << ring->order, busy = 0, i;
    GHashTableIter iter;
    VPage *page;
    void *t;

    if (!ring->loop) {
        return 0;
    }
    g_hash_table_iter_init(&iter, ring->running);
    while (g_hash_table_iter_next(&iter, NULL, &t)) {
        busy += transaction_free(ring, t);
    }
    g_hash_table_unref(ring->running);
    while ((page = g_queue_pop_head(&ring->pool))) {
        busy += !vring_page_free(ring, page);
    }
    for (i = 0; i < pages; i++) {
        if (loop_grant_end(ring->loop, ring->domid, ring->refs[i]) < 0) {
            busy++;
        } else {
            loop_pages_free(ring->loop, ring->domid, ring->gfn + i, 1);
        }
    }
    ring->loop = NULL;
    return busy;
}

/* ---- Slots ---- */

uint32_t vring_room(const VRing *ring)
{
    return ring->size - (ring->req_prod + ring->put - ring->rsp_cons);
}

void vring_put(VRing *ring, const struct xen_virtfsif_request *slot)
{
    uint32_t index = (ring->req_prod + ring->put++) & (ring->size - 1);

    ring->shared->ring[index].req = *slot;
}

bool vring_publish(VRing *ring)
{
    uint32_t old = ring->req_prod, event;

    ring->req_prod += ring->put;
    ring->put = 0;
    /* The slots are there before the index says so. */
    __atomic_store_n(&ring->shared->req_prod, ring->req_prod,
                     __ATOMIC_SEQ_CST);
    event = __atomic_load_n(&ring->shared->req_event, __ATOMIC_SEQ_CST);
    return ring->req_prod - event < ring->req_prod - old;
}

/* ---- Buffers ---- */

static VPage *take_page(VRing *ring, VTransaction *t, bool readonly)
{
    VPage *page = NULL;

    if (ring->form == VFORM_PERSISTENT) {
        page = g_queue_pop_head(&ring->pool);
        readonly = false;
    }
    page = page ? page : vring_page(ring, readonly);
    if (page) {
        g_ptr_array_add(t->pages, page);
    }
    return page;
}

/*
 * Segments for @len bytes: @head of them in a page of their own, somewhere in
 * the middle of it, the others in whole pages.
 */
static GArray *make_buffer(VRing *ring, VTransaction *t, uint32_t len,
                           uint32_t head, bool readonly)
{
    GArray *segs = g_array_new(FALSE, FALSE, sizeof(VSegment));
    uint32_t done, size;

    for (done = 0; done < len; done += size) {
        VPage *page = take_page(ring, t, readonly);
        VSegment seg = { .page = page, .write = !readonly };

        if (!page) {
            g_array_unref(segs);
            return NULL;
        }
        size = done == 0 ? head : LOOP_PAGE_SIZE;
        size = MIN(size, len - done);
        seg.size = size;
        seg.offset = done == 0 && size < LOOP_PAGE_SIZE / 2 ? 100 : 0;
        g_array_append_val(segs, seg);
    }
    return segs;
}

static void fill_buffer(GArray *segs, const uint8_t *data)
{
    uint32_t i;

    for (i = 0; i < segs->len; i++) {
        VSegment *seg = &g_array_index(segs, VSegment, i);

        memcpy(seg->page->data + seg->offset, data, seg->size);
        data += seg->size;
    }
}

/* A page with the descriptors of segments. */
static VPage *describe(VRing *ring, VTransaction *t, GArray *segs)
{
    VPage *page = take_page(ring, t, true);
    struct xen_virtfsif_segment *desc;
    uint32_t i;

    if (!page) {
        return NULL;
    }
    desc = (void *)page->data;
    for (i = 0; i < segs->len; i++) {
        VSegment *seg = &g_array_index(segs, VSegment, i);

        desc[i] = (struct xen_virtfsif_segment) {
            .gref = seg->page->ref, .offset = seg->offset, .size = seg->size,
        };
    }
    return page;
}

/* Put the slots of a buffer; with one it is @table that describes it. */
static void put_buffer(VRing *ring, VTransaction *t, GArray *segs,
                       VPage *table, uint16_t flags)
{
    uint32_t num = table ? 1 : segs->len, i;

    if (ring->form == VFORM_PERSISTENT) {
        flags |= XEN_VIRTFSF_PERSISTENT;
    }
    for (i = 0; i < num; i++) {
        VSegment *seg = &g_array_index(segs, VSegment, i);
        bool last = (flags & XEN_VIRTFSF_WRITE) && i == num - 1;
        struct xen_virtfsif_request slot = {
            .gref = seg->page->ref, .offset = seg->offset, .size = seg->size,
            .id = t->id, .flags = flags | (last ? 0 : XEN_VIRTFSF_MORE),
        };

        if (table) {
            slot.gref = table->ref;
            slot.offset = 0;
            slot.size = segs->len * sizeof(struct xen_virtfsif_segment);
            slot.flags |= XEN_VIRTFSF_INDIRECT;
        }
        vring_put(ring, &slot);
        t->slots++;
    }
}

/* The same where the ring's form is to. False: there is no page for it. */
static bool describe_if(VRing *ring, VTransaction *t, GArray *segs,
                        VPage **table)
{
    if (ring->form == VFORM_SEED || segs->len <= DIRECT_MAX) {
        return true;
    }
    *table = describe(ring, t, segs);
    return *table;
}

static uint16_t free_id(VRing *ring)
{
    while (g_hash_table_contains(ring->running,
                                 GUINT_TO_POINTER(ring->next_id))) {
        ring->next_id++;
    }
    return ring->next_id++;
}

/* Put a whole transaction; false if there is no room for it. */
static bool put_transaction(VRing *ring, VTransaction *t, const void *data,
                            uint32_t len, uint32_t room)
{
    g_autoptr(GArray) out = NULL;
    VPage *out_table = NULL, *in_table = NULL;
    uint32_t slots = 0;

    out = make_buffer(ring, t, len, len > LOOP_PAGE_SIZE ? HEAD_OUT : len,
                      true);
    t->in = out ? make_buffer(ring, t, room,
                              room > LOOP_PAGE_SIZE ? HEAD_IN : room, false)
                : NULL;
    if (!t->in) {
        t->in = g_array_new(FALSE, FALSE, sizeof(VSegment));
        return false;
    }
    fill_buffer(out, data);
    if (!describe_if(ring, t, out, &out_table) ||
        !describe_if(ring, t, t->in, &in_table)) {
        return false;
    }
    slots = (out_table ? 1 : out->len) + (in_table ? 1 : t->in->len);
    g_assert_cmpuint(slots, <=, ring->size);
    if (slots > vring_room(ring)) {
        return false;
    }
    put_buffer(ring, t, out, out_table, 0);
    put_buffer(ring, t, t->in, in_table, XEN_VIRTFSF_WRITE);
    return true;
}

bool vring_send(VRing *ring, const void *data, uint32_t len, uint32_t room)
{
    VTransaction *t = g_new0(VTransaction, 1);

    t->id = free_id(ring);
    t->pages = g_ptr_array_new();
    if (!put_transaction(ring, t, data, len, room)) {
        vring_release(ring, t);
        return false;
    }
    g_hash_table_insert(ring->running, GUINT_TO_POINTER(t->id), t);
    vring_publish(ring);
    return true;
}

void vring_release(VRing *ring, VTransaction *t)
{
    g_hash_table_remove(ring->running, GUINT_TO_POINTER(t->id));
    if (ring->form == VFORM_PERSISTENT) {
        while (t->pages->len) {
            g_queue_push_head(&ring->pool, g_ptr_array_steal_index_fast(
                                  t->pages, t->pages->len - 1));
        }
    }
    ring->busy += transaction_free(ring, t);
}

/* ---- Responses ---- */

VTransaction *vring_take(VRing *ring, const char **broken)
{
    uint32_t prod = __atomic_load_n(&ring->shared->rsp_prod,
                                    __ATOMIC_ACQUIRE);

    if (prod - ring->rsp_cons > ring->req_prod - ring->rsp_cons) {
        *broken = "rsp_prod makes no sense";
        return NULL;
    }
    while (ring->rsp_cons != prod) {
        uint32_t index = ring->rsp_cons++ & (ring->size - 1);
        struct xen_virtfsif_response rsp = ring->shared->ring[index].rsp;
        VTransaction *t = g_hash_table_lookup(ring->running,
                                              GUINT_TO_POINTER(rsp.id));

        if (!t || (t->answered && t->status != rsp.status)) {
            *broken = t ? "the responses of a transaction differ"
                        : "a response has an id that nothing has";
            return NULL;
        }
        t->status = rsp.status;
        if (++t->answered == t->slots) {
            return t;
        }
        if (ring->rsp_cons == prod) {
            *broken = "the responses of a transaction are not together";
        }
    }
    /* Ask for an event with the next one, and look again. */
    __atomic_store_n(&ring->shared->rsp_event, ring->rsp_cons + 1,
                     __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&ring->shared->rsp_prod, __ATOMIC_SEQ_CST) != prod) {
        return vring_take(ring, broken);
    }
    return NULL;
}

uint32_t vring_reply(VTransaction *t, GByteArray *bytes)
{
    uint32_t size = 0, i;

    for (i = 0; i < t->in->len; i++) {
        VSegment *seg = &g_array_index(t->in, VSegment, i);

        g_byte_array_append(bytes, seg->page->data + seg->offset, seg->size);
    }
    memcpy(&size, bytes->data, sizeof(size));
    size = GUINT32_FROM_LE(size);
    if (size <= bytes->len) {
        g_byte_array_set_size(bytes, size);
    }
    return size;
}
