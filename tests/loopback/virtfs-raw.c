/*
 * Virtfs transactions slot by slot, as no sane frontend would make them
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "virtfs-raw.h"

Raw *raw_new(Attack *a)
{
    static uint16_t id;
    Raw *raw = g_new0(Raw, 1);

    raw->a = a;
    raw->ring = &a->bad->vrings[0];
    raw->id = id++;
    raw->pages = g_ptr_array_new();
    raw->segs = g_array_new(FALSE, FALSE, sizeof(VSegment));
    raw->slots = g_array_new(FALSE, FALSE,
                             sizeof(struct xen_virtfsif_request));
    return raw;
}

void raw_free(Raw *raw)
{
    unsigned busy = 0, i;

    for (i = 0; i < raw->pages->len; i++) {
        busy += !vring_page_free(raw->ring, g_ptr_array_index(raw->pages, i));
    }
    if (busy) {
        attack_fail(raw->a, "%u pages are in use after the answer", busy);
    }
    g_ptr_array_unref(raw->pages);
    g_array_unref(raw->segs);
    g_array_unref(raw->slots);
    g_free(raw);
}

/* ---- Slots ---- */

VPage *raw_page(Raw *raw, bool readonly)
{
    VPage *page = vring_page(raw->ring, readonly);

    g_assert_nonnull(page);
    g_ptr_array_add(raw->pages, page);
    return page;
}

void raw_slot(Raw *raw, uint16_t flags, grant_ref_t ref, uint16_t offset,
              uint16_t size)
{
    struct xen_virtfsif_request slot = {
        .gref = ref, .offset = offset, .size = size, .id = raw->id,
        .flags = flags | raw->flags | XEN_VIRTFSF_MORE,
    };

    g_array_append_val(raw->slots, slot);
}

uint8_t *raw_segment(Raw *raw, uint16_t flags, uint16_t offset, uint16_t size)
{
    bool readonly = !(flags & XEN_VIRTFSF_WRITE) &&
        !(raw->flags & XEN_VIRTFSF_PERSISTENT);
    VSegment seg = {
        .page = raw_page(raw, readonly), .offset = offset, .size = size,
        .write = flags & XEN_VIRTFSF_WRITE,
    };

    g_array_append_val(raw->segs, seg);
    raw_slot(raw, flags, seg.page->ref, offset, size);
    return seg.page->data + offset;
}

void raw_split(Raw *raw, uint16_t flags, const uint8_t *data, uint32_t len,
               uint32_t max)
{
    uint32_t done, size;

    for (done = 0; done < len; done += size) {
        uint32_t offset;
        uint8_t *at;

        size = MIN(max, len - done);
        offset = size == LOOP_PAGE_SIZE
            ? 0 : g_random_int_range(0, LOOP_PAGE_SIZE - size + 1);
        at = raw_segment(raw, flags, offset, size);
        if (data) {
            memcpy(at, data + done, size);
        }
    }
}

VPage *raw_describe(Raw *raw, unsigned from)
{
    VPage *page = raw_page(raw, true);
    struct xen_virtfsif_segment *desc = (void *)page->data;
    unsigned i, num = raw->slots->len - from;
    uint16_t flags = 0;

    g_assert_cmpuint(num, <=, XEN_VIRTFSIF_SEGMENTS_PER_PAGE);
    for (i = 0; i < num; i++) {
        const struct xen_virtfsif_request *slot = &g_array_index(
            raw->slots, struct xen_virtfsif_request, from + i);

        flags = slot->flags;
        desc[i] = (struct xen_virtfsif_segment) {
            .gref = slot->gref, .offset = slot->offset, .size = slot->size,
        };
    }
    g_array_set_size(raw->slots, from);
    raw_slot(raw, flags | XEN_VIRTFSF_INDIRECT, page->ref, 0,
             num * sizeof(*desc));
    return page;
}

GByteArray *raw_gather(Raw *raw)
{
    GByteArray *bytes = g_byte_array_new();
    unsigned i;

    for (i = 0; i < raw->segs->len; i++) {
        const VSegment *seg = &g_array_index(raw->segs, VSegment, i);

        if (seg->write) {
            g_byte_array_append(bytes, seg->page->data + seg->offset,
                                seg->size);
        }
    }
    return bytes;
}

/* ---- Responses ---- */

void raw_put(Raw *raw)
{
    unsigned i;

    for (i = 0; i < raw->slots->len; i++) {
        struct xen_virtfsif_request slot = g_array_index(
            raw->slots, struct xen_virtfsif_request, i);

        if (i == raw->slots->len - 1) {
            slot.flags &= ~XEN_VIRTFSF_MORE;
        }
        vring_put(raw->ring, &slot);
    }
}

void raw_send(Raw *raw)
{
    raw_put(raw);
    vring_publish(raw->ring);
    fe_kick(raw->a->bad, 0);
}

static bool there(Raw *raw)
{
    uint32_t prod = __atomic_load_n(&raw->ring->shared->rsp_prod,
                                    __ATOMIC_ACQUIRE);

    return prod - raw->ring->rsp_cons >= raw->slots->len;
}

int raw_wait(Raw *raw, int timeout_ms)
{
    gint64 deadline = g_get_monotonic_time() + timeout_ms * 1000;
    VRing *ring = raw->ring;
    int status = RAW_WRONG;
    unsigned i;

    while (!there(raw)) {
        if (g_get_monotonic_time() > deadline || !attack_lives(raw->a)) {
            return RAW_NONE;
        }
        g_usleep(20);
    }
    for (i = 0; i < raw->slots->len; i++) {
        uint32_t at = ring->rsp_cons++ & (ring->size - 1);
        struct xen_virtfsif_response rsp = ring->shared->ring[at].rsp;
        const struct xen_virtfsif_request *slot = &g_array_index(
            raw->slots, struct xen_virtfsif_request, i);

        if (rsp.id != slot->id || (i && rsp.status != status)) {
            return RAW_WRONG;
        }
        status = rsp.status;
    }
    return status;
}

int raw_run(Raw *raw)
{
    raw_send(raw);
    return raw_wait(raw, RAW_MS);
}

void raw_expect(Raw *raw, int status)
{
    int got = raw_run(raw);

    if (got != status) {
        attack_fail(raw->a, "the status is %d, it should be %d", got, status);
    }
}

/* ---- Messages ---- */

static void put_bytes(uint8_t *to, uint64_t value, unsigned num)
{
    while (num--) {
        *to++ = value;
        value >>= 8;
    }
}

void raw_clunk(uint8_t message[RAW_CLUNK_SIZE])
{
    attack_header(message, RAW_CLUNK_SIZE, P9_TCLUNK, 5);
    put_bytes(message + 7, 99, 4);
}

void raw_read(uint8_t message[RAW_READ_SIZE], uint64_t offset, uint32_t count)
{
    attack_header(message, RAW_READ_SIZE, P9_TREAD, 5);
    put_bytes(message + 7, 1, 4);
    put_bytes(message + 11, offset, 8);
    put_bytes(message + 19, count, 4);
}

void raw_check_read(Raw *raw, uint64_t offset, uint32_t count)
{
    g_autoptr(GByteArray) reply = raw_gather(raw);
    uint8_t header[11];

    attack_header(header, 11 + count, P9_TREAD + 1, 5);
    put_bytes(header + 7, count, 4);
    if (reply->len < 11 + count || memcmp(reply->data, header, 11)) {
        attack_fail(raw->a, "the reply is not that of %u bytes", count);
    } else if (memcmp(reply->data + 11, raw->a->data + offset, count)) {
        attack_fail(raw->a, "the reply has other bytes than the file");
    }
}

/* ---- Whole transactions ---- */

Raw *raw_new_read(Attack *a, uint16_t flags, uint64_t offset, uint32_t count,
                  uint32_t max)
{
    uint8_t message[RAW_READ_SIZE];
    Raw *raw = raw_new(a);

    raw->flags = flags;
    raw_read(message, offset, count);
    raw_split(raw, RAW_READ, message, sizeof(message), MIN(max, 7));
    raw_split(raw, RAW_WRITE, NULL, 11 + count, max);
    return raw;
}

Raw *raw_new_write(Attack *a, uint16_t flags, uint64_t offset, uint32_t count,
                   uint32_t max, uint8_t fill)
{
    uint32_t len = 23 + count;
    g_autofree uint8_t *message = g_malloc(len);
    Raw *raw = raw_new(a);

    raw->flags = flags;
    raw_read(message, offset, count);
    attack_header(message, len, P9_TWRITE, 5);
    memset(message + 23, fill, count);
    raw_split(raw, RAW_READ, message, len, max);
    raw_split(raw, RAW_WRITE, NULL, 64, 64);
    return raw;
}

void raw_end_all(Attack *a)
{
    grant_ref_t ref;

    for (ref = LOOP_RESERVED_GRANTS; ref < LOOP_MAX_GRANTS; ref++) {
        grant_entry_v1_t *entry = loop_grant_entry(a->f->loop, a->f->domid,
                                                   ref);

        if (entry->flags && !(entry->flags & (GTF_reading | GTF_writing))) {
            loop_grant_end(a->f->loop, a->f->domid, ref);
        }
    }
}

void raw_down_persistent(Attack *a)
{
    attack_neighbour(a);
    if (fe_disconnect(a->bad) != 0) {
        attack_fail(a, "grants are in use when the device is closed");
    }
    if (!attack_unused(a)) {
        attack_fail(a, "persistent grants are mapped: %u",
                    loop_grants_in_use(a->f->loop, a->f->domid));
    }
    raw_end_all(a);
    fixture_down(a->f);
    g_free(a->data);
    g_free(a);
}
