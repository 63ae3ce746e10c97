/*
 * Xen 9P backend: the event channel of a ring
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_9PFS_XEN_9P_CHANNEL_H
#define HW_9PFS_XEN_9P_CHANNEL_H

#include "block/aio.h"
#include "hw/xen/xen_backend_ops.h"

typedef struct Xen9pChannel {
    xenevtchn_handle *handle;
    AioContext *ctx;
    int port;                   /* ours, -1: not bound */
    bool masked;                /* from an event to xen_9p_channel_rest() */
} Xen9pChannel;

/**
 * xen_9p_channel_init: one that is not bound
 * @channel: to fill in
 */
void xen_9p_channel_init(Xen9pChannel *channel);

/**
 * xen_9p_channel_bind: connect to the frontend's port
 * @channel: one that is not bound
 * @ctx: the event loop, which all functions are called in
 * @domid: the frontend's domain
 * @remote_port: its port
 * @event: called in the event loop when there may be an event
 * @opaque: for @event
 * @node: where the frontend has named the port, for @errp
 * @errp: set where it cannot be bound
 *
 * Returns: 0, or -errno with what there is of it left to
 * xen_9p_channel_unbind().
 */
int xen_9p_channel_bind(Xen9pChannel *channel, AioContext *ctx, domid_t domid,
                        uint32_t remote_port, IOHandler *event, void *opaque,
                        const char *node, Error **errp);

/**
 * xen_9p_channel_unbind: no events from now on
 * @channel: the channel, perhaps half bound; may be called again
 */
void xen_9p_channel_unbind(Xen9pChannel *channel);

/**
 * xen_9p_channel_take: the handler was called, is there an event?
 * @channel: the channel
 *
 * Returns: true if there is: it is masked from now on. What the frontend
 * notifies meanwhile costs it little, and is delivered when that is over.
 */
bool xen_9p_channel_take(Xen9pChannel *channel);

/**
 * xen_9p_channel_rest: have events delivered again
 * @channel: the channel
 */
void xen_9p_channel_rest(Xen9pChannel *channel);

/**
 * xen_9p_channel_notify: tell the frontend
 * @channel: the channel
 */
void xen_9p_channel_notify(Xen9pChannel *channel);

#endif
