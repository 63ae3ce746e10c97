/*
 * Xen 9P backend: what QEMU's start waits for
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/timer.h"
#include "hw/9pfs/xen-9p-config.h"
#include "hw/9pfs/xen-9p-start.h"

#define START_MS (10 * 1000)

bool xen_9p_start_goes_on(void)
{
    return !phase_check(PHASE_MACHINE_READY);
}

bool xen_9p_start_await(QemuSemaphore *done)
{
    static int64_t end;
    int64_t now = qemu_clock_get_ms(QEMU_CLOCK_REALTIME);

    end = end ?: now + START_MS;
    return qemu_sem_timedwait(done, MAX(end - now, 0)) == 0;
}

/* A look at a folder, which can take for ever. Who is last frees it. */
typedef struct Look {
    char *path;
    Error *err;
    QemuSemaphore done;
    int users;
} Look;

static void look_put(Look *look)
{
    if (qatomic_dec_fetch(&look->users) == 0) {
        error_free(look->err);
        qemu_sem_destroy(&look->done);
        g_free(look->path);
        g_free(look);
    }
}

static void *look_run(void *opaque)
{
    Look *look = opaque;

    xen_9pfs_config_open(look->path, &look->err);
    qemu_sem_post(&look->done);
    look_put(look);
    return NULL;
}

bool xen_9p_start_look(const char *path, Error **errp)
{
    QemuThread thread;
    bool fine = true;
    Look *look;

    if (!xen_9p_start_goes_on()) {
        return true;
    }
    look = g_new0(Look, 1);
    look->path = g_strdup(path);
    look->users = 2;
    qemu_sem_init(&look->done, 0);
    qemu_thread_create(&thread, "xen-9pfs", look_run, look,
                       QEMU_THREAD_DETACHED);
    if (xen_9p_start_await(&look->done) && look->err) {
        error_propagate(errp, g_steal_pointer(&look->err));
        fine = false;
    }
    look_put(look);
    return fine;
}
