/*
 * Virtfs transactions in all shapes, from a fuzzer's input
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "9p/proto.h"
#include "transaction.h"

/* What Linux sends apart from the data: the first segment of a mixture. */
#define HEAD 23

/* A little more than a buffer may have. */
#define PIECES_MAX 1100

/* Segments in a table, where there is to be more than one. */
#define TABLE_SMALL 100

/* Room for any reply without data; see "A transaction". */
#define ROOM_ENOUGH 13

static const uint16_t pieces[] = { 4096, 7, 100, 1, 4095, 11, 2048, 1000 };

static const uint32_t rooms[] = {
    4096, 512, 11, 13, 8203, 65547, 200000, 524288, 2 << 20, 4 << 20, 10, 1,
};

/* Bytes from here on in the input mean: the value itself follows. */
#define RAW 0xf0

static Shape read_shape(Input *in)
{
    uint8_t bits = input_u8(in);

    return (Shape) {
        .piece = pieces[bits % G_N_ELEMENTS(pieces)],
        .indirect = bits & 0x08,
        .persistent = bits & 0x10,
        .packed = bits & 0x20,
        .one = bits & 0x40,
        .wrong = bits & 0x80,
    };
}

static uint32_t read_room(Input *in)
{
    uint8_t choice = input_u8(in);

    return choice < RAW ? rooms[choice % G_N_ELEMENTS(rooms)]
                        : input_u16(in) + 1u;
}

/* ---- Pages ---- */

/* One that was persistent before, and is not in use now. */
static VPage *pool_page(VRing *ring)
{
    GList *link;
    VPage *page;

    for (link = ring->pool.head; link; link = link->next) {
        page = link->data;
        if (!page->readonly) {
            g_queue_delete_link(&ring->pool, link);
            return page;
        }
    }
    return NULL;
}

static VPage *take_page(VRing *ring, Transaction *tx, const Shape *shape,
                        bool write)
{
    bool readonly = write == shape->wrong;
    VPage *page = NULL;

    if (!shape->persistent) {
        page = vring_page(ring, readonly);
    } else {
        readonly = shape->wrong;
        page = readonly ? NULL : pool_page(ring);
        page = page ? page : vring_page(ring, readonly);
    }
    if (page) {
        g_ptr_array_add(shape->persistent ? tx->kept : tx->t.pages, page);
    }
    return page;
}

/* ---- Buffers ---- */

static bool is_mixed(const Shape *shape)
{
    return shape->indirect && shape->packed;
}

static bool add_segments(VRing *ring, Transaction *tx, const Shape *shape,
                         uint32_t len, bool write, GArray *segs)
{
    uint32_t done, at = 0, size = shape->piece;
    VPage *page = NULL;

    if (len / size > PIECES_MAX) {
        size = LOOP_PAGE_SIZE;
    }
    for (done = 0; done < len;) {
        VSegment seg = { .write = write };

        seg.size = MIN(done == 0 && is_mixed(shape) ? HEAD : size, len - done);
        if (!page || !(shape->one || (shape->packed &&
                                      at + seg.size <= LOOP_PAGE_SIZE))) {
            page = take_page(ring, tx, shape, write);
            at = shape->packed ? 0 : MIN(100, LOOP_PAGE_SIZE - seg.size);
        }
        if (!page) {
            return false;
        }
        seg.page = page;
        seg.offset = MIN(at, (uint32_t)LOOP_PAGE_SIZE - seg.size);
        g_array_append_val(segs, seg);
        at += shape->packed ? seg.size : 0;
        done += seg.size;
    }
    return true;
}

/* From the last: where they are the same bytes, the first ones count. */
static void fill(GArray *segs, const GByteArray *bytes)
{
    uint32_t end = bytes->len, i;

    for (i = segs->len; i > 0; i--) {
        VSegment *seg = &g_array_index(segs, VSegment, i - 1);

        end -= seg->size;
        memcpy(seg->page->data + seg->offset, bytes->data + end, seg->size);
    }
}

/* What is no reply, so that it is seen whether there is one. */
static void spoil(GArray *segs)
{
    uint32_t i;

    for (i = 0; i < segs->len; i++) {
        VSegment *seg = &g_array_index(segs, VSegment, i);

        memset(seg->page->data + seg->offset, 0xff, seg->size);
    }
}

/* ---- Slots ---- */

static void add_slot(Transaction *tx, uint16_t flags, grant_ref_t ref,
                     uint16_t offset, uint16_t size)
{
    struct xen_virtfsif_request slot = {
        .gref = ref, .offset = offset, .size = size,
        .flags = flags | XEN_VIRTFSF_MORE,
    };

    g_array_append_val(tx->slots, slot);
}

static bool add_table(VRing *ring, Transaction *tx, uint16_t flags,
                      const VSegment *segs, unsigned num)
{
    unsigned offset = num < XEN_VIRTFSIF_SEGMENTS_PER_PAGE ? 8 : 0, i;
    struct xen_virtfsif_segment *desc;
    VPage *page = vring_page(ring, true);

    if (!page) {
        return false;
    }
    g_ptr_array_add(tx->t.pages, page);
    desc = (void *)(page->data + offset);
    for (i = 0; i < num; i++) {
        desc[i] = (struct xen_virtfsif_segment) {
            .gref = segs[i].page->ref, .offset = segs[i].offset,
            .size = segs[i].size,
        };
    }
    add_slot(tx, flags | XEN_VIRTFSF_INDIRECT, page->ref, offset,
             num * sizeof(*desc));
    return true;
}

static bool add_slots(VRing *ring, Transaction *tx, const Shape *shape,
                      GArray *segs, bool write)
{
    uint16_t flags = (write ? XEN_VIRTFSF_WRITE : 0) |
        (shape->persistent ? XEN_VIRTFSF_PERSISTENT : 0);
    unsigned max = shape->piece % 2 ? TABLE_SMALL
                                    : XEN_VIRTFSIF_SEGMENTS_PER_PAGE;
    unsigned i, num;

    for (i = 0; i < segs->len; i += num) {
        const VSegment *seg = &g_array_index(segs, VSegment, i);

        num = 1;
        if (!shape->indirect || (i == 0 && is_mixed(shape))) {
            add_slot(tx, flags, seg->page->ref, seg->offset, seg->size);
            continue;
        }
        num = MIN(max, segs->len - i);
        if (!add_table(ring, tx, flags, seg, num)) {
            return false;
        }
    }
    return true;
}

/* ---- Transactions ---- */

static bool build(VRing *ring, Transaction *tx, const GByteArray *bytes,
                  const Shape *out, const Shape *in)
{
    g_autoptr(GArray) segs = g_array_new(FALSE, FALSE, sizeof(VSegment));

    if (!add_segments(ring, tx, out, bytes->len, false, segs) ||
        !add_segments(ring, tx, in, tx->room, true, tx->t.in)) {
        return false;
    }
    fill(segs, bytes);
    spoil(tx->t.in);
    tx->sound = tx->room >= ROOM_ENOUGH && !in->wrong &&
        (!out->one || segs->len == 1) && (!in->one || tx->t.in->len == 1) &&
        segs->len <= XEN_VIRTFSIF_SEGMENTS_MAX &&
        tx->t.in->len <= XEN_VIRTFSIF_SEGMENTS_MAX;
    return add_slots(ring, tx, out, segs, false) &&
        add_slots(ring, tx, in, tx->t.in, true);
}

static Transaction *make(VRing *ring, const GByteArray *bytes,
                         const Shape *out, const Shape *in, uint32_t room)
{
    Transaction *tx = g_new0(Transaction, 1);

    while (g_hash_table_contains(ring->running,
                                 GUINT_TO_POINTER(ring->next_id))) {
        ring->next_id++;
    }
    tx->t.id = ring->next_id++;
    tx->t.pages = g_ptr_array_new();
    tx->t.in = g_array_new(FALSE, FALSE, sizeof(VSegment));
    tx->kept = g_ptr_array_new();
    tx->slots = g_array_new(FALSE, FALSE,
                            sizeof(struct xen_virtfsif_request));
    tx->type = bytes->data[4];
    tx->tag = bytes->data[5] | bytes->data[6] << 8;
    tx->room = room;
    if (!build(ring, tx, bytes, out, in)) {
        transaction_end(ring, tx);
        return NULL;
    }
    return tx;
}

Transaction *transaction_read(VRing *ring, const GByteArray *bytes, Input *in)
{
    Shape out = read_shape(in), reply = read_shape(in);

    return make(ring, bytes, &out, &reply, read_room(in));
}

Transaction *transaction_new(VRing *ring, const GByteArray *bytes)
{
    const Shape plain = { .piece = LOOP_PAGE_SIZE };

    return make(ring, bytes, &plain, &plain, LOOP_PAGE_SIZE);
}

bool transaction_put(VRing *ring, Transaction *tx)
{
    unsigned i;

    if (tx->slots->len > vring_room(ring)) {
        transaction_end(ring, tx);
        return false;
    }
    tx->t.slots = tx->slots->len;
    g_hash_table_insert(ring->running, GUINT_TO_POINTER(tx->t.id), &tx->t);
    for (i = 0; i < tx->slots->len; i++) {
        struct xen_virtfsif_request *slot =
            &g_array_index(tx->slots, struct xen_virtfsif_request, i);

        slot->id = tx->t.id;
        if (i == tx->slots->len - 1) {
            slot->flags ^= XEN_VIRTFSF_MORE;
        }
        vring_put(ring, slot);
    }
    return true;
}

void transaction_check(Transaction *tx, bool cancelled)
{
    g_autoptr(GByteArray) reply = g_byte_array_new();
    uint32_t size = vring_reply(&tx->t, reply);

    if (size == 0 && cancelled) {
        return;
    }
    g_assert_cmpuint(size, >=, XEN_VIRTFSIF_REQUEST_MIN);
    g_assert_cmpuint(size, <=, tx->room);
    g_assert(reply->data[4] == tx->type + 1 || reply->data[4] == P9_RLERROR ||
             reply->data[4] == P9_RERROR);
    g_assert_cmpuint(reply->data[5] | reply->data[6] << 8, ==, tx->tag);
}

static void keep_pages(VRing *ring, GPtrArray *pages)
{
    while (pages->len) {
        g_queue_push_head(&ring->pool, g_ptr_array_steal_index_fast(
                              pages, pages->len - 1));
    }
}

/* Those that are in use cannot be freed yet. */
static unsigned keep_busy(VRing *ring, Transaction *tx)
{
    unsigned busy = 0, i = 0;

    while (i < tx->t.pages->len) {
        VPage *page = g_ptr_array_index(tx->t.pages, i);
        grant_entry_v1_t *entry = loop_grant_entry(ring->loop, ring->domid,
                                                   page->ref);

        if (entry->flags & (GTF_reading | GTF_writing)) {
            g_ptr_array_remove_index_fast(tx->t.pages, i);
            g_queue_push_tail(&ring->pool, page);
            busy++;
        } else {
            i++;
        }
    }
    return busy;
}

unsigned transaction_end(VRing *ring, Transaction *tx)
{
    unsigned busy = keep_busy(ring, tx);

    keep_pages(ring, tx->kept);
    g_ptr_array_unref(tx->kept);
    g_array_unref(tx->slots);
    vring_release(ring, &tx->t);
    return busy;
}

Transaction *transaction_any(VRing *ring, unsigned number)
{
    unsigned num = g_hash_table_size(ring->running);
    GHashTableIter iter;
    void *t = NULL;

    if (num == 0) {
        return NULL;
    }
    number %= num;
    g_hash_table_iter_init(&iter, ring->running);
    do {
        g_hash_table_iter_next(&iter, NULL, &t);
    } while (number--);
    return t;
}

unsigned transaction_drop(VRing *ring)
{
    Transaction *tx;

    while (ring->loop && (tx = transaction_any(ring, 0))) {
        transaction_end(ring, tx);
    }
    return vring_fini(ring);
}
