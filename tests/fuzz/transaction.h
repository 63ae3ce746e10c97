/*
 * Virtfs transactions in all shapes, from a fuzzer's input
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef FUZZ_TRANSACTION_H
#define FUZZ_TRANSACTION_H

#include "guest/vring.h"
#include "input.h"

/* How a buffer is laid out; all zeros is a page for each 4096 bytes. */
typedef struct Shape {
    uint16_t piece;             /* size of its segments */
    bool indirect;              /* most of them are in descriptors */
    bool persistent;            /* in pages that stay granted */
    bool packed;                /* as many segments in a page as fit */
    bool one;                   /* all segments are the same bytes */
    bool wrong;                 /* read-only and writable are swapped */
} Shape;

/* What is sent at once: a request and where its reply goes. */
typedef struct Transaction {
    VTransaction t;             /* first: what vring.c knows of it */
    GPtrArray *kept;            /* VPage *, persistent */
    GArray *slots;              /* struct xen_virtfsif_request */
    uint8_t type;
    uint16_t tag;
    uint32_t room;
    bool sound;                 /* nothing is wrong with it: it is served */
} Transaction;

/*
 * transaction_read: shapes and room, as the input says, for @bytes. NULL if
 *     pages are out.
 * transaction_new: the same in the plainest shape.
 * transaction_put: write its slots past what is published. False, and it is
 *     gone, if there is no room.
 * transaction_check: that its reply is one to its request. @cancelled: it may
 *     have none.
 * transaction_end: end its grants, but for persistent ones, and free it.
 *     Returns how many pages the backend still uses, which are kept.
 */
Transaction *transaction_read(VRing *ring, const GByteArray *bytes, Input *in);
Transaction *transaction_new(VRing *ring, const GByteArray *bytes);
bool transaction_put(VRing *ring, Transaction *tx);
void transaction_check(Transaction *tx, bool cancelled);
unsigned transaction_end(VRing *ring, Transaction *tx);

/* transaction_any: one that is running, or NULL. */
Transaction *transaction_any(VRing *ring, unsigned number);

/* transaction_drop: end all, and the ring; returns as vring_fini(). */
unsigned transaction_drop(VRing *ring);

#endif
