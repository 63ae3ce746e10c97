/*
 * Xen 9P backend: the thread of a device
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/main-loop.h"
#include "qom/object_interfaces.h"
#include "hw/9pfs/xen-9p-config.h"
#include "hw/9pfs/xen-9p-thread.h"

bool xen_9p_thread_none;

/* One of the name, as "xen-9pfs-0"; it may have been made by the operator. */
static IOThread *thread_named(const char *name, bool *own, Error **errp)
{
    IOThread *iothread = iothread_by_id(name);

    *own = !iothread;
    if (iothread) {
        return iothread;
    }
    if (object_resolve_path_component(object_get_objects_root(), name)) {
        error_setg(errp, "the object '%s' is no iothread, use another id",
                   name);
        return NULL;
    }
    /* A session looks for requests itself before it goes to sleep. */
    return IOTHREAD(object_new_with_props(TYPE_IOTHREAD,
                                          object_get_objects_root(), name,
                                          errp, "poll-max-ns", "0", NULL));
}

bool xen_9p_thread_find(Xen9pThread *thread, XenLegacyDevice *xendev,
                        Error **errp)
{
    g_autofree char *asked = NULL;

    if (xen_9p_thread_none) {
        return true;
    }
    if (!xen_9pfs_config_text(xendev, "iothread", &asked, errp)) {
        return false;
    }
    if (asked) {
        thread->iothread = iothread_by_id(asked);
        thread->own = false;
        if (!thread->iothread) {
            error_setg(errp, "%s/iothread: there is no thread '%.64s', use "
                       "-object iothread,id=%.64s", xendev->be, asked, asked);
        }
    } else {
        g_autofree char *name = g_strdup_printf("xen-%s", xendev->name);

        thread->iothread = thread_named(name, &thread->own, errp);
    }
    if (thread->iothread) {
        /* More than its parent's: QEMU's end is not to wait for it. */
        object_ref(OBJECT(thread->iothread));
    }
    return thread->iothread != NULL;
}

AioContext *xen_9p_thread_use(const Xen9pThread *thread, Xen9pThread *to)
{
    *to = *thread;
    if (!to->iothread) {
        return qemu_get_aio_context();
    }
    object_ref(OBJECT(to->iothread));
    return iothread_get_aio_context(to->iothread);
}

void xen_9p_thread_put(Xen9pThread *thread)
{
    if (thread->iothread) {
        object_unref(OBJECT(thread->iothread));
    }
    *thread = (Xen9pThread) { 0 };
}

void xen_9p_thread_leave(Xen9pThread *thread)
{
    if (thread->iothread && thread->own) {
        object_unparent(OBJECT(thread->iothread));
    }
    xen_9p_thread_put(thread);
}
