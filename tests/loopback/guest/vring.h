/*
 * The frontend's end of one virtfs ring, and the buffers of transactions
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LOOPBACK_VRING_H
#define LOOPBACK_VRING_H

#include <glib.h>

#include "../core/loop.h"
#include "../../../include/hw/xen/io/virtfs.h"

/* What of the protocol a frontend uses. */
typedef enum VForm {
    VFORM_SEED,                 /* what the seed RFC has */
    VFORM_INDIRECT,             /* descriptors for larger buffers */
    VFORM_PERSISTENT,           /* these, and grants that stay */
} VForm;

/* A page of a buffer, granted. */
typedef struct VPage {
    uint32_t gfn;
    grant_ref_t ref;
    uint8_t *data;
    bool readonly;
} VPage;

/* A part of a buffer. */
typedef struct VSegment {
    VPage *page;
    bool write;                 /* part of the response buffer */
    uint16_t offset;
    uint16_t size;
} VSegment;

typedef struct VTransaction {
    uint16_t id;
    unsigned slots, answered;
    int16_t status;
    GPtrArray *pages;           /* VPage *, of both buffers */
    GArray *in;                 /* VSegment, where the reply goes */
} VTransaction;

/*
 * What is shared is public, for attacks; req_prod and rsp_cons are ours, and
 * only ever written out.
 */
typedef struct VRing {
    Loop *loop;
    domid_t domid;
    uint32_t order;
    VForm form;
    struct xen_virtfsif_sring *shared;
    uint32_t size;              /* slots */
    uint32_t req_prod, rsp_cons;    /* private */
    uint32_t put;               /* slots written but not published */
    uint32_t gfn;
    grant_ref_t refs[1 << XEN_VIRTFSIF_RING_ORDER_MAX];
    GHashTable *running;        /* VTransaction * by id */
    uint16_t next_id;
    GQueue pool;                /* VPage *, persistent and unused */
    uint32_t pages, max_pages;  /* how many VPage there are, and may be */
    uint32_t busy;              /* pages that came back still in use */
} VRing;

/*
 * vring_init: allocate and grant the pages of a ring of @order for domain 0.
 *     Ends the test when pages are out. Its buffers take @max_pages at most.
 * vring_fini: end all grants and free the pages; returns how many grants the
 *     backend still uses, whose pages are then kept. May be called twice.
 */
void vring_init(VRing *ring, Loop *loop, domid_t domid, uint32_t order,
                VForm form, uint32_t max_pages);
uint32_t vring_fini(VRing *ring);

/*
 * vring_send: a transaction with @data as its request and room for a reply of
 *     @room bytes, published; false, and nothing is done, if there are no
 *     slots or pages for it.
 * vring_take: the next transaction that is complete, or NULL. @broken is set
 *     to what the backend has done wrong, if it has.
 * vring_reply: the reply that a transaction has, appended to @bytes; its
 *     length, 0 for a request that was cancelled.
 * vring_release: end its grants, but for persistent ones, and free it. Counts
 *     what is still in use in ring->busy.
 */
bool vring_send(VRing *ring, const void *data, uint32_t len, uint32_t room);
VTransaction *vring_take(VRing *ring, const char **broken);
uint32_t vring_reply(VTransaction *t, GByteArray *bytes);
void vring_release(VRing *ring, VTransaction *t);

/*
 * The steps of these, for attacks:
 *
 * vring_page: a page, granted; NULL when pages are out.
 * vring_page_free: end its grant and free it; false if it is still in use.
 * vring_put: write a slot past what is published, without publishing.
 * vring_publish: publish what was put; whether the backend wants an event.
 * vring_room: how many slots can be put.
 */
VPage *vring_page(VRing *ring, bool readonly);
bool vring_page_free(VRing *ring, VPage *page);
void vring_put(VRing *ring, const struct xen_virtfsif_request *slot);
bool vring_publish(VRing *ring);
uint32_t vring_room(const VRing *ring);

#endif
