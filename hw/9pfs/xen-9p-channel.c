/*
 * Xen 9P backend: the event channel of a ring
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "hw/9pfs/xen-9p-channel.h"

void xen_9p_channel_init(Xen9pChannel *channel)
{
    *channel = (Xen9pChannel) { .port = -1 };
}

int xen_9p_channel_bind(Xen9pChannel *channel, AioContext *ctx, domid_t domid,
                        uint32_t remote_port, IOHandler *event, void *opaque,
                        const char *node, Error **errp)
{
    int fd;

    channel->handle = qemu_xen_evtchn_open();
    if (!channel->handle) {
        error_setg_errno(errp, errno, "cannot open the event-channel device");
        return -EIO;
    }
    channel->ctx = ctx;
    fd = qemu_xen_evtchn_fd(channel->handle);
    qemu_set_cloexec(fd);
    channel->port = qemu_xen_evtchn_bind_interdomain(channel->handle, domid,
                                                     remote_port);
    if (channel->port < 0) {
        error_setg(errp, "%s: port %" PRIu32 " cannot be bound", node,
                   remote_port);
        return -EINVAL;
    }
    aio_set_fd_handler(ctx, fd, event, NULL, NULL, NULL, opaque);
    return 0;
}

void xen_9p_channel_unbind(Xen9pChannel *channel)
{
    if (!channel->handle) {
        return;
    }
    aio_set_fd_handler(channel->ctx, qemu_xen_evtchn_fd(channel->handle),
                       NULL, NULL, NULL, NULL, NULL);
    if (channel->port >= 0) {
        qemu_xen_evtchn_unbind(channel->handle, channel->port);
    }
    qemu_xen_evtchn_close(channel->handle);
    xen_9p_channel_init(channel);
}

bool xen_9p_channel_take(Xen9pChannel *channel)
{
    if (qemu_xen_evtchn_pending(channel->handle) != channel->port) {
        return false;
    }
    channel->masked = true;
    return true;
}

void xen_9p_channel_rest(Xen9pChannel *channel)
{
    if (channel->masked) {
        channel->masked = false;
        qemu_xen_evtchn_unmask(channel->handle, channel->port);
    }
}

void xen_9p_channel_notify(Xen9pChannel *channel)
{
    qemu_xen_evtchn_notify(channel->handle, channel->port);
}
