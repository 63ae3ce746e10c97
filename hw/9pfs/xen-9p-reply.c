/*
 * Replies of the Xen 9pfs transport, from private memory that is used again
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "hw/9pfs/xen-9p-reply.h"

/*
 * Room in a reply of a class: 1 KiB for those that are neither data nor
 * names, then a power of two with as much again as a header and a name take.
 * Reads ask for powers of two and a header.
 */
static size_t class_room(unsigned size_class)
{
    return size_class == 0 ? 1024 : (2048UL << size_class) + 1024;
}

static unsigned class_of(uint32_t size)
{
    unsigned size_class = 0;

    while (class_room(size_class) < size) {
        size_class++;
    }
    return size_class;
}

static size_t class_cost(unsigned size_class)
{
    return sizeof(Xen9pReply) + class_room(size_class);
}

size_t xen_9p_reply_cost(uint32_t size)
{
    return class_cost(class_of(size));
}

void xen_9p_reply_pool_init(Xen9pReplyPool *pool, size_t idle_max)
{
    for (unsigned i = 0; i < XEN_9P_REPLY_CLASSES; i++) {
        g_queue_init(&pool->idle[i]);
    }
    pool->idle_bytes = 0;
    pool->idle_max = idle_max;
}

void xen_9p_reply_pool_fini(Xen9pReplyPool *pool)
{
    for (unsigned i = 0; i < XEN_9P_REPLY_CLASSES; i++) {
        GList *link;

        while ((link = g_queue_pop_head_link(&pool->idle[i]))) {
            g_free(link->data);
        }
    }
    pool->idle_bytes = 0;
}

Xen9pReply *xen_9p_reply_new(Xen9pReplyPool *pool, uint32_t size)
{
    unsigned size_class = class_of(size);
    GList *link = g_queue_pop_head_link(&pool->idle[size_class]);
    Xen9pReply *reply;

    if (link) {
        reply = link->data;
        pool->idle_bytes -= class_cost(size_class);
    } else {
        reply = g_malloc(class_cost(size_class));
        reply->link = (GList) { .data = reply };
        reply->size_class = size_class;
    }
    reply->size = size;
    reply->len = 0;
    reply->comes_after = false;
    reply->flushes = false;
    return reply;
}

void xen_9p_reply_free(Xen9pReplyPool *pool, Xen9pReply *reply)
{
    size_t cost = class_cost(reply->size_class);

    if (pool->idle_bytes + cost > pool->idle_max) {
        g_free(reply);
        return;
    }
    /* The one that was used last is the one that the cache still has. */
    g_queue_push_head_link(&pool->idle[reply->size_class], &reply->link);
    pool->idle_bytes += cost;
}
