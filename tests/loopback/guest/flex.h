/*
 * The frontend's end of one flex ring of the Xen 9pfs protocol
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LOOPBACK_FLEX_H
#define LOOPBACK_FLEX_H

#include <glib.h>

#include "../core/loop.h"

#define FLEX_MAX_ORDER 9

/* The shared page, as the specification lays it out. */
typedef struct FlexIntf {
    uint32_t in_cons, in_prod;
    uint8_t pad1[56];
    uint32_t out_cons, out_prod;
    uint8_t pad2[56];
    uint32_t ring_order;
    grant_ref_t ref[1 << FLEX_MAX_ORDER];
} FlexIntf;

/*
 * What is shared is public, for attacks; out_prod and in_cons are ours, and
 * only ever written out.
 */
typedef struct Flex {
    Loop *loop;
    domid_t domid;
    FlexIntf *intf;             /* shared */
    uint8_t *in, *out;          /* shared, each of @size bytes */
    uint32_t size;
    uint32_t order;
    uint32_t out_prod, in_cons; /* private */
    uint32_t intf_gfn, data_gfn;
    grant_ref_t intf_ref;
    grant_ref_t refs[1 << FLEX_MAX_ORDER];
} Flex;

/*
 * flex_init: allocate and grant the pages of a ring of @order for domain 0,
 *     and fill in the shared page. Ends the test when pages are out.
 * flex_fini: end the grants and free the pages; returns how many grants the
 *     backend still uses, whose pages are then kept. May be called twice.
 */
void flex_init(Flex *ring, Loop *loop, domid_t domid, uint32_t order);
uint32_t flex_fini(Flex *ring);

/*
 * flex_room: how many bytes can be sent now.
 * flex_send: write @len bytes and publish them; false, and nothing is done,
 *     if there is no room.
 * flex_put: write bytes @offset past what is published, without publishing.
 * flex_publish: add @len to what is published.
 */
uint32_t flex_room(const Flex *ring);
bool flex_send(Flex *ring, const void *data, uint32_t len);
void flex_put(Flex *ring, uint32_t offset, const void *data, uint32_t len);
void flex_publish(Flex *ring, uint32_t len);

/*
 * flex_ready: how many bytes have come; -1 if the index makes no sense.
 * flex_get: copy @len of them out, without giving the room back.
 * flex_consume: give back the room of @len bytes.
 */
int64_t flex_ready(const Flex *ring);
void flex_get(const Flex *ring, void *data, uint32_t len);
void flex_consume(Flex *ring, uint32_t len);

#endif
