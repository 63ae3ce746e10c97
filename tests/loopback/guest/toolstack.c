/*
 * What a toolstack does for a guest: the domain, its nodes, its 9pfs devices
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <string.h>
#include <xen/io/xenbus.h>

#include "toolstack.h"

#define GUEST_PAGES LOOP_MAX_PAGES

/* The reference that every toolstack gives to a guest's xenstore ring. */
#define XENSTORE_GRANT 1

/* A transaction of the toolstack: nodes with one owner and one reader. */
typedef struct Tx {
    struct xs_handle *xsh;
    xs_transaction_t tx;
    domid_t owner;
    domid_t reader;
} Tx;

static void tx_write(Tx *tx, const char *dir, const char *node,
                     const char *value)
{
    struct xs_permissions perms[2] = {
        { .id = tx->owner, .perms = XS_PERM_NONE },
        { .id = tx->reader, .perms = XS_PERM_READ },
    };
    g_autofree char *path = node ? g_strdup_printf("%s/%s", dir, node)
                                 : g_strdup(dir);

    if (!xs_write(tx->xsh, tx->tx, path, value, strlen(value)) ||
        !xs_set_permissions(tx->xsh, tx->tx, path, perms, 2)) {
        g_error("toolstack: cannot write %s: %s", path, g_strerror(errno));
    }
}

static void tx_write_int(Tx *tx, const char *dir, const char *node, int value)
{
    g_autofree char *text = g_strdup_printf("%d", value);

    tx_write(tx, dir, node, text);
}

/* Run @fill in a transaction until it goes through. */
static void transaction(struct xs_handle *xsh,
                        void (*fill)(Tx *tx, void *opaque), void *opaque)
{
    Tx tx = { .xsh = xsh };

    do {
        tx.tx = xs_transaction_start(xsh);
        g_assert_cmpint(tx.tx, !=, XBT_NULL);
        fill(&tx, opaque);
    } while (!xs_transaction_end(xsh, tx.tx, false) && errno == EAGAIN);
}

static void fill_domain(Tx *tx, void *opaque)
{
    Guest *guest = opaque;
    g_autofree char *dir = g_strdup_printf("/local/domain/%u", guest->domid);
    g_autofree char *name = g_strdup_printf("guest%u", guest->domid);

    tx->owner = 0;
    tx->reader = guest->domid;
    tx_write(tx, dir, NULL, "");
    tx_write(tx, dir, "name", name);
    tx_write_int(tx, dir, "domid", guest->domid);
    tx_write(tx, dir, "device", "");
    tx->owner = guest->domid;
    tx->reader = 0;
    tx_write(tx, dir, "data", "");
}

Guest *guest_new(Loop *loop, struct xs_handle *xsh, domid_t domid)
{
    Guest *guest = g_new0(Guest, 1);
    int ret;

    guest->loop = loop;
    guest->xsh = xsh;
    guest->domid = domid;
    ret = loop_domain_create(loop, domid, GUEST_PAGES);
    g_assert_cmpint(ret, ==, 0);
    /* Page 0 stays unused, so that a frame of 0 is always a mistake. */
    loop_pages_alloc(loop, domid, 1);
    guest->xs_gfn = loop_pages_alloc(loop, domid, 1);
    loop_grant_at(loop, domid, XENSTORE_GRANT, 0, guest->xs_gfn, false);
    guest->xs_port = loop_evtchn_unbound(loop, domid, 0);
    transaction(xsh, fill_domain, guest);
    if (!xs_introduce_domain(xsh, domid, guest->xs_gfn, guest->xs_port)) {
        g_error("toolstack: xenstored does not take domain %u: %s", domid,
                g_strerror(errno));
    }
    guest->xs = gxs_new(loop, domid, guest->xs_gfn, guest->xs_port);
    return guest;
}

void guest_free(Guest *guest)
{
    g_autofree char *dir = g_strdup_printf("/local/domain/%u", guest->domid);
    int ret;

    gxs_free(guest->xs);
    xs_release_domain(guest->xsh, guest->domid);
    xs_rm(guest->xsh, XBT_NULL, dir);
    ret = loop_domain_destroy(guest->loop, guest->domid);
    if (ret < 0) {
        g_test_message("domain %u does not die: %s", guest->domid,
                       g_strerror(-ret));
    }
    g_free(guest);
}

/* xen-9pfsd has a name of its own for the backend, not for the frontend. */
char *device_frontend(const char *type, domid_t domid, int devid)
{
    return g_strdup_printf("/local/domain/%u/device/%s/%d", domid,
                           type && g_str_equal(type, "virtfs") ? type : "9pfs",
                           devid);
}

char *device_backend(const char *type, domid_t domid, int devid)
{
    return g_strdup_printf("/local/domain/0/backend/%s/%u/%d",
                           type ? type : "9pfs", domid, devid);
}

typedef struct NewDevice {
    Guest *guest;
    const DeviceOpts *opts;
} NewDevice;

static void fill_device(Tx *tx, void *opaque)
{
    NewDevice *dev = opaque;
    const DeviceOpts *opts = dev->opts;
    domid_t domid = dev->guest->domid;
    g_autofree char *front = device_frontend(opts->type, domid,
                                             opts->devid);
    g_autofree char *back = device_backend(opts->type, domid, opts->devid);
    const char *const *more;

    xs_rm(tx->xsh, tx->tx, front);
    xs_rm(tx->xsh, tx->tx, back);

    tx->owner = domid;
    tx->reader = 0;
    tx_write(tx, front, NULL, "");
    tx_write(tx, front, "backend", back);
    tx_write(tx, front, "backend-id", "0");
    tx_write_int(tx, front, "state", XenbusStateInitialising);
    tx_write(tx, front, "tag", opts->tag ? opts->tag : "share");

    tx->owner = 0;
    tx->reader = domid;
    tx_write(tx, back, NULL, "");
    tx_write(tx, back, "frontend", front);
    tx_write_int(tx, back, "frontend-id", domid);
    tx_write(tx, back, "online", "1");
    tx_write_int(tx, back, "state", XenbusStateInitialising);
    if (opts->path) {
        tx_write(tx, back, "path", opts->path);
    }
    tx_write(tx, back, "security_model",
             opts->security_model ? opts->security_model : "none");
    for (more = opts->more; more && *more; more += 2) {
        tx_write(tx, back, more[0], more[1]);
    }
}

void device_add(Guest *guest, const DeviceOpts *opts)
{
    NewDevice dev = { .guest = guest, .opts = opts };

    transaction(guest->xsh, fill_device, &dev);
}

static void write_back(Guest *guest, const char *type, int devid,
                       const char *node, const char *value)
{
    g_autofree char *dir = device_backend(type, guest->domid, devid);
    g_autofree char *path = g_strdup_printf("%s/%s", dir, node);

    xs_write(guest->xsh, XBT_NULL, path, value, strlen(value));
}

void device_offline(Guest *guest, const char *type, int devid)
{
    write_back(guest, type, devid, "online", "0");
    write_back(guest, type, devid, "state", "5");
}

void device_remove(Guest *guest, const char *type, int devid)
{
    g_autofree char *front = device_frontend(type, guest->domid, devid);
    g_autofree char *back = device_backend(type, guest->domid, devid);

    xs_rm(guest->xsh, XBT_NULL, front);
    xs_rm(guest->xsh, XBT_NULL, back);
}

char *device_node(Guest *guest, const char *type, int devid, const char *node)
{
    g_autofree char *dir = device_backend(type, guest->domid, devid);
    g_autofree char *path = g_strdup_printf("%s/%s", dir, node);
    unsigned int len;
    char *value = xs_read(guest->xsh, XBT_NULL, path, &len);
    char *copy = g_strdup(value);

    free(value);
    return copy;
}
