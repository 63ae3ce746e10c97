/*
 * -device xen-9pfs: a share for a Xen guest, from properties to xenstore
 *
 * Does what libxl does for a p9 entry: writes the nodes of both ends. The
 * backend (xen-9p-backend.c) finds them there as it finds libxl's, and
 * knows nothing of this.
 *
 * The device is on QEMU's bus of Xen backends, because that has what hot
 * plug needs: xenstore is open when there is such a bus, and it handles
 * device_del.
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/visitor.h"
#include "qemu/config-file.h"
#include "qemu/cutils.h"
#include "qemu/error-report.h"
#include "qemu/notify.h"
#include "qemu/option.h"
#include "qobject/qbool.h"
#include "qobject/qnum.h"
#include "qobject/qstring.h"
#include "hw/9pfs/xen-9p-compat.h"
#include "hw/9pfs/xen-9p-config.h"
#include "hw/9pfs/xen-9p-start.h"
#include "hw/9pfs/xen-9p-store.h"
#include "hw/qdev-properties.h"
#include "hw/xen/xen-bus-helper.h"
#include "system/system.h"

#define TYPE_XEN_9PFS_SHARE "xen-9pfs"
OBJECT_DECLARE_SIMPLE_TYPE(Xen9pfsShare, XEN_9PFS_SHARE)

struct Xen9pfsShare {
    DeviceState parent_obj;

    /* Properties */
    char *protocol;
    char *mount_tag;
    char *path;
    char *security_model;
    char *fsdev;
    int32_t devid;              /* -1: the first that is free */
    GHashTable *options;        /* xen_9pfs_config_option() -> value */

    /* In xenstore, NULL: not there */
    char *front;
    char *back;
    Notifier exit;
};

/* ---- Properties ---- */

static char *option_property(const char *node)
{
    return g_strdelimit(g_strdup(node), "/", '.');
}

static void share_get_option(Object *obj, Visitor *v, const char *name,
                             void *opaque, Error **errp)
{
    char *value = g_hash_table_lookup(XEN_9PFS_SHARE(obj)->options, opaque);
    char *text = value ? value : (char *)"";

    visit_type_str(v, name, &text, errp);
}

/* JSON may give a number or a boolean, a command line always gives text. */
static char *scalar_text(const QObject *value)
{
    switch (qobject_type(value)) {
    case QTYPE_QSTRING:
        return g_strdup(qstring_get_str(qobject_to(QString, value)));
    case QTYPE_QNUM:
        return qnum_to_string(qobject_to(QNum, value));
    case QTYPE_QBOOL:
        return g_strdup(qbool_get_bool(qobject_to(QBool, value)) ?
                        "on" : "off");
    default:
        return NULL;
    }
}

static void share_set_option(Object *obj, Visitor *v, const char *name,
                             void *opaque, Error **errp)
{
    QObject *value = NULL;
    char *text;

    if (DEVICE(obj)->realized) {
        error_setg(errp, "'%s' cannot be changed, remove the device and add "
                   "it again", name);
        return;
    }
    if (!visit_type_any(v, name, &value, errp)) {
        return;
    }
    text = scalar_text(value);
    qobject_unref(value);
    if (text) {
        g_hash_table_insert(XEN_9PFS_SHARE(obj)->options, opaque, text);
    } else {
        error_setg(errp, "'%s' takes a text, a number or a boolean", name);
    }
}

/* ---- Checks ---- */

/* fsdev=ID: its options become the device's. */
static bool share_adopt_fsdev(Xen9pfsShare *share, Error **errp)
{
    QemuOpts *opts = qemu_opts_find(qemu_find_opts("fsdev"), share->fsdev);
    const char *node, *driver, *path;
    bool given = share->path || share->security_model;
    bool own;

    for (size_t i = 0; (node = xen_9pfs_config_option(i, &own)); i++) {
        given |= !own && g_hash_table_contains(share->options, node);
    }
    if (given) {
        error_setg(errp, "fsdev=%s: its options belong to -fsdev, not to the "
                   "device", share->fsdev);
        return false;
    }
    driver = opts ? qemu_opt_get(opts, "fsdriver") : NULL;
    if (!driver) {
        error_setg(errp, "fsdev=%s: there is no -fsdev of this id",
                   share->fsdev);
        return false;
    }
    if (!g_str_equal(driver, "local")) {
        error_setg(errp, "fsdev=%s: its driver is '%s', a Xen guest can have "
                   "'local' alone", share->fsdev, driver);
        return false;
    }
    path = qemu_opt_get(opts, "path");
    share->path = path ? g_canonicalize_filename(path, NULL) : NULL;
    share->security_model = g_strdup(qemu_opt_get(opts, "security_model"));
    for (size_t i = 0; (node = xen_9pfs_config_option(i, NULL)); i++) {
        g_autofree char *name = option_property(node);
        const char *value = qemu_opt_get(opts, name);

        if (value) {
            g_hash_table_insert(share->options, (void *)node,
                                g_strdup(value));
        }
    }
    return true;
}

static bool share_check(Xen9pfsShare *share, Error **errp)
{
    const char *id = DEVICE(share)->id;
    GHashTableIter iter;
    void *node, *value;

    if (id && (g_str_has_prefix(id, "xen-9pfs-") ||
               g_str_has_prefix(id, "xen-virtfs-"))) {
        error_setg(errp, "id=%s: QEMU uses such names for the backends "
                   "themselves, use another", id);
        return false;
    }
    if (!share->protocol) {
        share->protocol = g_strdup("9pfs");
    }
    if (!g_str_equal(share->protocol, "9pfs") &&
        !g_str_equal(share->protocol, "virtfs")) {
        error_setg(errp, "protocol: '%s' is not valid, use 9pfs|virtfs",
                   share->protocol);
        return false;
    }
    if (share->devid < -1) {
        error_setg(errp, "devid: %d is not valid, use a number from 0",
                   share->devid);
        return false;
    }
    if (share->fsdev && !share_adopt_fsdev(share, errp)) {
        return false;
    }
    g_hash_table_iter_init(&iter, share->options);
    while (g_hash_table_iter_next(&iter, &node, &value)) {
        if (!xen_9pfs_config_check(node, value, errp)) {
            return false;
        }
    }
    return xen_9pfs_config_check("tag", share->mount_tag, errp) &&
        xen_9pfs_config_check("path", share->path, errp) &&
        xen_9pfs_config_check("security_model", share->security_model, errp) &&
        xen_9p_start_look(share->path, errp);
}

/* ---- xenstore ---- */

/* The domain that QEMU runs in. */
static unsigned own_domid(void)
{
    char *text = xs_node_read(xenstore, XBT_NULL, NULL, NULL, "domid");
    unsigned domid = 0;

    if (text && qemu_strtoui(text, NULL, 10, &domid) < 0) {
        domid = 0;
    }
    free(text);
    return domid;
}

/*
 * The guest's name for a share has to tell it from its others. Their tags are
 * the guest's to write, so they are no part of the transaction: it would have
 * to begin again after each change. The list of them is.
 */
static bool tag_is_free(Xen9pfsShare *share, const char *devices,
                        char **names, unsigned num, Error **errp)
{
    bool taken = false;

    for (unsigned i = 0; i < num && !taken; i++) {
        char *tag = xs_node_read(xenstore, XBT_NULL, NULL, NULL, "%s/%s/tag",
                                 devices, names[i]);

        taken = tag && g_str_equal(tag, share->mount_tag);
        if (taken) {
            error_setg(errp, "tag '%s' is taken, by device %s of domain %u",
                       tag, names[i], xen_domid);
        }
        free(tag);
    }
    return !taken;
}

/*
 * Of the guest's end the list of names alone: the rest is the guest's to
 * write. libxl keeps a note of its own devices, also of those not there yet.
 */
static bool devid_is_free(Xen9pfsShare *share, xs_transaction_t t,
                          char **names, unsigned num, const char *backends,
                          int32_t devid)
{
    g_autofree char *name = g_strdup_printf("%d", devid);

    for (unsigned i = 0; i < num; i++) {
        if (g_str_equal(names[i], name)) {
            return false;
        }
    }
    return !xen_9p_store_has(t, "%s/%s", backends, name) &&
        !xen_9p_store_has(t, "/libxl/%u/device/%s/%s", xen_domid,
                          share->protocol, name);
}

/* A number for the device, or -1 where it cannot be made. */
static int32_t share_number(Xen9pfsShare *share, xs_transaction_t t,
                            const char *devices, const char *backends,
                            Error **errp)
{
    unsigned int num = 0;
    char **names = qemu_xen_xs_directory(xenstore, t, devices, &num);
    int32_t devid = MAX(share->devid, 0);

    if (!tag_is_free(share, devices, names, num, errp)) {
        devid = -1;
    }
    while (devid >= 0 &&
           !devid_is_free(share, t, names, num, backends, devid)) {
        if (share->devid >= 0) {
            error_setg(errp, "devid %d is taken", devid);
            devid = -1;
        } else {
            devid++;
        }
    }
    free(names);
    return devid;
}

/* Where the nodes are to be: sets devid, front and back. */
static bool share_place(Xen9pfsShare *share, xs_transaction_t t, Error **errp)
{
    g_autofree char *devices = g_strdup_printf(
        "/local/domain/%u/device/%s", xen_domid, share->protocol);
    g_autofree char *backends = g_strdup_printf(
        "/local/domain/%u/backend/%s/%u", own_domid(), share->protocol,
        xen_domid);
    int32_t devid;

    if (!xen_9p_store_has(t, "/local/domain/%u", xen_domid)) {
        error_setg(errp, "there is no domain %u", xen_domid);
        return false;
    }
    devid = share_number(share, t, devices, backends, errp);
    if (devid < 0) {
        return false;
    }
    g_free(share->front);
    g_free(share->back);
    share->front = g_strdup_printf("%s/%d", devices, devid);
    share->back = g_strdup_printf("%s/%d", backends, devid);
    return true;
}

/* Nodes of one end: names and values, NULL at the end. */
static void write_nodes(xs_transaction_t t, const char *dir, unsigned owner,
                        unsigned reader, const char *const *nodes,
                        Error **errp)
{
    ERRP_GUARD();

    /* What is made below inherits these rights. */
    xs_node_create(xenstore, t, dir, owner, reader, XS_PERM_READ, errp);
    for (; *nodes && !*errp; nodes += 2) {
        xs_node_printf(xenstore, t, dir, nodes[0], errp, "%s", nodes[1]);
    }
}

static void share_write(Xen9pfsShare *share, xs_transaction_t t, Error **errp)
{
    ERRP_GUARD();
    g_autoptr(GPtrArray) back = g_ptr_array_new();
    g_autofree char *back_id = g_strdup_printf("%u", own_domid());
    g_autofree char *front_id = g_strdup_printf("%u", xen_domid);
    g_autofree char *state = g_strdup_printf("%d", XenbusStateInitialising);
    const char *front[] = {
        "backend", share->back, "backend-id", back_id, "state", state,
        "tag", share->mount_tag, NULL
    };
    const char *base[] = {
        "frontend", share->front, "frontend-id", front_id, "online", "1",
        "state", state, "tag", share->mount_tag, "path", share->path,
        "security_model", share->security_model
    };
    GHashTableIter iter;
    void *node, *value;

    for (size_t i = 0; i < ARRAY_SIZE(base); i++) {
        g_ptr_array_add(back, (void *)base[i]);
    }
    g_hash_table_iter_init(&iter, share->options);
    while (g_hash_table_iter_next(&iter, &node, &value)) {
        g_ptr_array_add(back, node);
        g_ptr_array_add(back, value);
    }
    g_ptr_array_add(back, NULL);
    write_nodes(t, share->front, xen_domid, own_domid(), front, errp);
    if (!*errp) {
        write_nodes(t, share->back, own_domid(), xen_domid,
                    (const char *const *)back->pdata, errp);
    }
}

static void share_create(void *opaque, xs_transaction_t t, Error **errp)
{
    Xen9pfsShare *share = opaque;

    if (share_place(share, t, errp)) {
        share_write(share, t, errp);
    }
}

/* The folders that its nodes were in, if those were the last. */
static void share_prune(void *opaque, xs_transaction_t t,
                        Error **errp G_GNUC_UNUSED)
{
    Xen9pfsShare *share = opaque;
    g_autofree char *devices = g_path_get_dirname(share->front);
    g_autofree char *backends = g_path_get_dirname(share->back);

    xen_9p_store_prune(t, devices);
    xen_9p_store_prune(t, backends);
}

/* ---- The device ---- */

static void node_remove(const char *path)
{
    if (!qemu_xen_xs_destroy(xenstore, XBT_NULL, path) && errno != ENOENT) {
        warn_report("cannot remove %s from xenstore: %s, use xenstore-rm",
                    path, strerror(errno));
    }
}

/*
 * Without a transaction, which the guest could hinder for ever by writing to
 * its end. What is left where the third step fails are empty directories.
 */
static void share_remove(Xen9pfsShare *share)
{
    if (share->back) {
        node_remove(share->front);
        node_remove(share->back);
        xen_9p_store_transact(share_prune, share, NULL);
    }
    g_clear_pointer(&share->front, g_free);
    g_clear_pointer(&share->back, g_free);
}

static void share_exit(Notifier *n, void *data G_GNUC_UNUSED)
{
    share_remove(container_of(n, Xen9pfsShare, exit));
}

static void share_realize(DeviceState *dev, Error **errp)
{
    Xen9pfsShare *share = XEN_9PFS_SHARE(dev);

    if (!share_check(share, errp)) {
        return;
    }
    if (!xen_9p_store_transact(share_create, share, errp)) {
        g_clear_pointer(&share->front, g_free);
        g_clear_pointer(&share->back, g_free);
        return;
    }
    share->devid = atoi(strrchr(share->back, '/') + 1);
    share->exit.notify = share_exit;
    qemu_add_exit_notifier(&share->exit);
}

static void share_unrealize(DeviceState *dev)
{
    Xen9pfsShare *share = XEN_9PFS_SHARE(dev);

    qemu_remove_exit_notifier(&share->exit);
    share_remove(share);
}

static void share_init(Object *obj)
{
    /* The keys are the names of xen_9pfs_config_option() themselves. */
    XEN_9PFS_SHARE(obj)->options = g_hash_table_new_full(NULL, NULL, NULL,
                                                         g_free);
}

static void share_finalize(Object *obj)
{
    g_hash_table_destroy(XEN_9PFS_SHARE(obj)->options);
}

static const Property share_properties[] = {
    DEFINE_PROP_STRING("protocol", Xen9pfsShare, protocol),
    DEFINE_PROP_STRING("mount_tag", Xen9pfsShare, mount_tag),
    DEFINE_PROP_STRING("path", Xen9pfsShare, path),
    DEFINE_PROP_STRING("security_model", Xen9pfsShare, security_model),
    DEFINE_PROP_STRING("fsdev", Xen9pfsShare, fsdev),
    DEFINE_PROP_INT32("devid", Xen9pfsShare, devid, -1),
};

static void share_class_init(ObjectClass *klass,
                             Xen9pfsClassData data G_GNUC_UNUSED)
{
    DeviceClass *dc = DEVICE_CLASS(klass);
    const char *node;

    dc->desc = "A directory of this host for the Xen guest";
    dc->bus_type = TYPE_XENSYSBUS;
    dc->realize = share_realize;
    dc->unrealize = share_unrealize;
    set_bit(DEVICE_CATEGORY_STORAGE, dc->categories);
    device_class_set_props(dc, share_properties);
    for (size_t i = 0; (node = xen_9pfs_config_option(i, NULL)); i++) {
        g_autofree char *name = option_property(node);

        object_class_property_add(klass, name, "str", share_get_option,
                                  share_set_option, NULL, (void *)node);
    }
}

static const TypeInfo share_type = {
    .name = TYPE_XEN_9PFS_SHARE,
    .parent = TYPE_DEVICE,
    .instance_size = sizeof(Xen9pfsShare),
    .instance_init = share_init,
    .instance_finalize = share_finalize,
    .class_init = share_class_init,
};

static void share_register(void)
{
    type_register_static(&share_type);
}
type_init(share_register);
