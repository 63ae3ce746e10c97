/* SPDX-License-Identifier: MIT */
/*
 * virtfs: 9P messages over grant references
 *
 * The ABI between a frontend (guest, 9P client) and a backend (9P server) of
 * the Xen device type "virtfs". docs/specs/xen-virtfs.rst is the
 * specification; this header has the layouts, names and numbers of it.
 *
 * For QEMU, for Linux and for user space (with Xen's public headers).
 *
 * Copyright (c) 2026 The xen-9pfs authors
 */

#ifndef XEN_PUBLIC_IO_VIRTFS_H
#define XEN_PUBLIC_IO_VIRTFS_H

#if defined(__KERNEL__)
#include <linux/stddef.h>
#include <linux/types.h>
#include <xen/interface/grant_table.h>
#include <xen/interface/io/ring.h>
#elif defined(QEMU_OSDEP_H)
#include "hw/xen/interface/grant_table.h"
#include "hw/xen/interface/io/ring.h"
#else
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <xen/grant_table.h>
#include <xen/io/ring.h>
#endif

/*
 * The device type: /local/domain/$guest/device/virtfs/$x and
 * /local/domain/$back/backend/virtfs/$guest/$x.
 */
#define XEN_VIRTFSIF_TYPE "virtfs"

/* Nodes of the toolstack, in the frontend's directory */
#define XEN_VIRTFSIF_NODE_TAG               "tag"

/* Nodes of the backend, before it goes to InitWait */
#define XEN_VIRTFSIF_NODE_MAX_RING_ORDER    "max-ring-page-order"
#define XEN_VIRTFSIF_NODE_MAX_INDIRECT      "feature-max-indirect-segments"
#define XEN_VIRTFSIF_NODE_PERSISTENT        "feature-persistent"
#define XEN_VIRTFSIF_NODE_MAX_PERSISTENT    "max-persistent-grants"
#define XEN_VIRTFSIF_NODE_MAX_QUEUES        "multi-queue-max-queues"

/*
 * Nodes of the frontend, before it goes to Initialised. With NUM_QUEUES they
 * are in the folders "queue-0", "queue-1", ...; RING_ORDER is not. With
 * RING_ORDER there are "ring-ref0", "ring-ref1", ... in place of "ring-ref".
 */
#define XEN_VIRTFSIF_NODE_RING_REF          "ring-ref"
#define XEN_VIRTFSIF_NODE_EVTCHN            "event-channel"
#define XEN_VIRTFSIF_NODE_RING_ORDER        "ring-page-order"
#define XEN_VIRTFSIF_NODE_NUM_QUEUES        "multi-queue-num-queues"
#define XEN_VIRTFSIF_NODE_QUEUE             "queue-"

/*
 * A page, as everywhere in Xen's interfaces, whatever the guest's page size.
 */
#define XEN_VIRTFSIF_PAGE_SIZE              4096

/* Slots in a ring of 2^order pages */
#define XEN_VIRTFSIF_RING_SLOTS(order)      (256U << (order))

/* No ring is larger: the backend's node says what it takes. */
#define XEN_VIRTFSIF_RING_ORDER_MAX         4

/* Segments that one page of descriptors holds */
#define XEN_VIRTFSIF_SEGMENTS_PER_PAGE      512

/*
 * Segments of each of a transaction's two buffers, those in descriptors
 * included
 */
#define XEN_VIRTFSIF_SEGMENTS_MAX           1024

/* The least request: size[4] type[1] tag[2]. */
#define XEN_VIRTFSIF_REQUEST_MIN            7

/*
 * The least room for a response: Rlerror. (In 9P2000.u an Rerror without text
 * takes two bytes more.)
 */
#define XEN_VIRTFSIF_RESPONSE_MIN           11

/* xen_virtfsif_request.flags */

/* The next slot belongs to the same transaction. */
#define _XEN_VIRTFSF_MORE                   0
#define XEN_VIRTFSF_MORE                    (1U << _XEN_VIRTFSF_MORE)

/*
 * For the backend to write: the response. Otherwise for it to read: the
 * request.
 */
#define _XEN_VIRTFSF_WRITE                  1
#define XEN_VIRTFSF_WRITE                   (1U << _XEN_VIRTFSF_WRITE)

/*
 * The page holds size / 8 descriptors (struct xen_virtfsif_segment) at
 * offset, which the backend only reads. Needs NODE_MAX_INDIRECT.
 */
#define _XEN_VIRTFSF_INDIRECT               2
#define XEN_VIRTFSF_INDIRECT                (1U << _XEN_VIRTFSF_INDIRECT)

/*
 * The grant is writable, stays valid and means the same page until the
 * frontend disconnects, so that the backend may keep it mapped. On an indirect
 * slot this is said of the segments, not of the page that describes them.
 * Needs NODE_PERSISTENT.
 */
#define _XEN_VIRTFSF_PERSISTENT             3
#define XEN_VIRTFSF_PERSISTENT              (1U << _XEN_VIRTFSF_PERSISTENT)

#define XEN_VIRTFSF_ALL                     (XEN_VIRTFSF_MORE | \
                                             XEN_VIRTFSF_WRITE | \
                                             XEN_VIRTFSF_INDIRECT | \
                                             XEN_VIRTFSF_PERSISTENT)

/* xen_virtfsif_response.status, the same for all slots of a transaction */
#define XEN_VIRTFSIF_RSP_OKAY               0
#define XEN_VIRTFSIF_RSP_ERROR              (-1)    /* malformed */
#define XEN_VIRTFSIF_RSP_BAD_GRANT          (-2)    /* not to be accessed */

/*
 * A slot of a request: one segment of a transaction's request or response
 * buffer, or one page of descriptors of such segments
 *
 *             0                   1                   2                   3
 *             0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *            +---------------------------------------------------------------+
 *          0 |                             gref                              |
 *            +-------------------------------+-------------------------------+
 *          4 |            offset             |             flags             |
 *            +-------------------------------+-------------------------------+
 *          8 |              id               |             size              |
 *            +-------------------------------+-------------------------------+
 */
struct xen_virtfsif_request {
    grant_ref_t gref;   /* the page */
    uint16_t offset;    /* of the segment in the page */
    uint16_t flags;     /* XEN_VIRTFSF_* */
    uint16_t id;        /* the frontend's own, echoed in the response */
    uint16_t size;      /* of the segment, 1 to 4096 - offset */
};

/*
 * A slot of a response, one for each slot of the transaction, in its order
 *
 *             0                   1                   2                   3
 *             0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *            +-------------------------------+-------------------------------+
 *          0 |              id               |            status             |
 *            +-------------------------------+-------------------------------+
 */
struct xen_virtfsif_response {
    uint16_t id;
    int16_t status;     /* XEN_VIRTFSIF_RSP_* */
};

/*
 * A descriptor in a page that an indirect slot names
 *
 *             0                   1                   2                   3
 *             0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *            +---------------------------------------------------------------+
 *          0 |                             gref                              |
 *            +-------------------------------+-------------------------------+
 *          4 |            offset             |             size              |
 *            +-------------------------------+-------------------------------+
 */
struct xen_virtfsif_segment {
    grant_ref_t gref;
    uint16_t offset;
    uint16_t size;      /* 1 to 4096 - offset */
};

DEFINE_RING_TYPES(xen_virtfsif,
                  struct xen_virtfsif_request,
                  struct xen_virtfsif_response);

#if defined(__cplusplus)
#define XEN_VIRTFSIF_ASSERT(what) static_assert(what, #what)
#else
#define XEN_VIRTFSIF_ASSERT(what) _Static_assert(what, #what)
#endif

#define XEN_VIRTFSIF_ASSERT_AT(type, member, at) \
    XEN_VIRTFSIF_ASSERT(offsetof(struct type, member) == (at))

XEN_VIRTFSIF_ASSERT(sizeof(grant_ref_t) == 4);

XEN_VIRTFSIF_ASSERT(sizeof(struct xen_virtfsif_request) == 12);
XEN_VIRTFSIF_ASSERT_AT(xen_virtfsif_request, gref, 0);
XEN_VIRTFSIF_ASSERT_AT(xen_virtfsif_request, offset, 4);
XEN_VIRTFSIF_ASSERT_AT(xen_virtfsif_request, flags, 6);
XEN_VIRTFSIF_ASSERT_AT(xen_virtfsif_request, id, 8);
XEN_VIRTFSIF_ASSERT_AT(xen_virtfsif_request, size, 10);

XEN_VIRTFSIF_ASSERT(sizeof(struct xen_virtfsif_response) == 4);
XEN_VIRTFSIF_ASSERT_AT(xen_virtfsif_response, id, 0);
XEN_VIRTFSIF_ASSERT_AT(xen_virtfsif_response, status, 2);

XEN_VIRTFSIF_ASSERT(sizeof(struct xen_virtfsif_segment) == 8);
XEN_VIRTFSIF_ASSERT_AT(xen_virtfsif_segment, gref, 0);
XEN_VIRTFSIF_ASSERT_AT(xen_virtfsif_segment, offset, 4);
XEN_VIRTFSIF_ASSERT_AT(xen_virtfsif_segment, size, 6);

/* The ring's page: indices at 0, 4, 8 and 12, slots of 12 bytes from 64. */
XEN_VIRTFSIF_ASSERT(sizeof(union xen_virtfsif_sring_entry) == 12);
XEN_VIRTFSIF_ASSERT_AT(xen_virtfsif_sring, req_prod, 0);
XEN_VIRTFSIF_ASSERT_AT(xen_virtfsif_sring, req_event, 4);
XEN_VIRTFSIF_ASSERT_AT(xen_virtfsif_sring, rsp_prod, 8);
XEN_VIRTFSIF_ASSERT_AT(xen_virtfsif_sring, rsp_event, 12);
XEN_VIRTFSIF_ASSERT_AT(xen_virtfsif_sring, ring, 64);
XEN_VIRTFSIF_ASSERT(__CONST_RING_SIZE(xen_virtfsif, XEN_VIRTFSIF_PAGE_SIZE) ==
                    XEN_VIRTFSIF_RING_SLOTS(0));
XEN_VIRTFSIF_ASSERT(__CONST_RING_SIZE(xen_virtfsif,
                                      XEN_VIRTFSIF_PAGE_SIZE << 4) ==
                    XEN_VIRTFSIF_RING_SLOTS(4));

#endif
