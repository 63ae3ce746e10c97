/*
 * Xen 9P backend: what a frontend offers, as its nodes in xenstore have it
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/cutils.h"
#include "hw/9pfs/xen-9p-config.h"
#include "hw/9pfs/xen-9p-offer.h"
#include "hw/xen/io/virtfs.h"

/* ---- The frontend's rings ---- */

static int read_number(XenLegacyDevice *xendev, const char *node,
                       uint32_t min, uint32_t max, uint32_t *number,
                       Error **errp)
{
    g_autofree char *value = xenstore_read_fe_str(xendev, node);
    g_autofree char *allowed = NULL;
    unsigned int parsed;

    /* qemu_strtoui() alone would take "-1". */
    if (value && g_ascii_isdigit(value[0]) &&
        qemu_strtoui(value, NULL, 10, &parsed) == 0 &&
        parsed >= min && parsed <= max) {
        *number = parsed;
        return 0;
    }
    allowed = g_strdup_printf("%" PRIu32 " to %" PRIu32, min, max);
    xen_9pfs_config_error(errp, xendev->fe, node, value, allowed);
    return -EINVAL;
}

int xen_9p_offer_rings(XenLegacyDevice *xendev,
                       Xen9pfsRingConf conf[XEN_9PFS_MAX_RINGS], Error **errp)
{
    g_autofree char *version = xenstore_read_fe_str(xendev, "version");
    uint32_t num;

    if (!version || !g_str_equal(version, "1")) {
        xen_9pfs_config_error(errp, xendev->fe, "version", version, "1");
        return -EINVAL;
    }
    if (read_number(xendev, "num-rings", 1, XEN_9PFS_MAX_RINGS, &num,
                    errp) < 0) {
        return -EINVAL;
    }
    for (uint32_t i = 0; i < num; i++) {
        g_autofree char *ref = g_strdup_printf("ring-ref%" PRIu32, i);
        g_autofree char *port = g_strdup_printf("event-channel-%" PRIu32, i);

        conf[i].num_refs = 1;
        if (read_number(xendev, ref, 0, UINT32_MAX, conf[i].ref, errp) < 0 ||
            read_number(xendev, port, 0, UINT32_MAX, &conf[i].port,
                        errp) < 0) {
            return -EINVAL;
        }
    }
    return num;
}

/* ---- The frontend's queues (docs/specs/xen-virtfs.rst) ---- */

/* A number that need not be there. Returns 1 if it is, 0 if not. */
static int read_optional(XenLegacyDevice *xendev, const char *node,
                         uint32_t min, uint32_t max, uint32_t *number,
                         Error **errp)
{
    g_autofree char *value = xenstore_read_fe_str(xendev, node);

    if (!value) {
        return 0;
    }
    return read_number(xendev, node, min, max, number, errp) < 0 ? -EINVAL : 1;
}

/* @folder is that of the queue's nodes, with its slash, or empty. */
static int read_queue(XenLegacyDevice *xendev, const char *folder,
                      bool numbered, Xen9pfsRingConf *conf, Error **errp)
{
    g_autofree char *port = g_strdup_printf("%s" XEN_VIRTFSIF_NODE_EVTCHN,
                                            folder);

    for (unsigned i = 0; i < conf->num_refs; i++) {
        g_autofree char *ref =
            numbered ? g_strdup_printf("%s" XEN_VIRTFSIF_NODE_RING_REF "%u",
                                       folder, i)
                     : g_strdup_printf("%s" XEN_VIRTFSIF_NODE_RING_REF,
                                       folder);

        if (read_number(xendev, ref, 0, UINT32_MAX, &conf->ref[i], errp) < 0) {
            return -EINVAL;
        }
    }
    return read_number(xendev, port, 0, UINT32_MAX, &conf->port, errp);
}

int xen_9p_offer_queues(XenLegacyDevice *xendev,
                        Xen9pfsRingConf conf[XEN_9PFS_MAX_RINGS], Error **errp)
{
    uint32_t num = 1, order = 0;
    int queues = read_optional(xendev, XEN_VIRTFSIF_NODE_NUM_QUEUES, 1,
                               XEN_9PFS_MAX_RINGS, &num, errp);
    int pages = queues < 0 ? queues :
        read_optional(xendev, XEN_VIRTFSIF_NODE_RING_ORDER, 0,
                      XEN_9PFS_MAX_RING_ORDER, &order, errp);

    if (pages < 0) {
        return -EINVAL;
    }
    for (uint32_t i = 0; i < num; i++) {
        g_autofree char *folder =
            queues ? g_strdup_printf(XEN_VIRTFSIF_NODE_QUEUE "%" PRIu32 "/", i)
                   : g_strdup("");

        conf[i].num_refs = 1U << order;
        if (read_queue(xendev, folder, pages, &conf[i], errp) < 0) {
            return -EINVAL;
        }
    }
    return num;
}
