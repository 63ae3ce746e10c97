/*
 * Xen 9P backend: configuration of a device, from xenstore to an fsdev
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/config-file.h"
#include "qemu/cutils.h"
#include "qemu/option.h"
#include "qemu/throttle.h"
#include "qemu/units.h"
#include "fsdev/qemu-fsdev.h"
#include "hw/9pfs/xen-9p-config.h"
#include "hw/9pfs/xen-9p-grant.h"
#include "hw/9pfs/xen-9p-model.h"
#include "hw/9pfs/xen-9p-pass.h"

typedef enum ConfigKind {
    WORD,                       /* one of those allowed */
    NUMBER,
    NAME,                       /* any */
} ConfigKind;

/* An optional node of the backend, and what it may hold. */
typedef struct ConfigOption {
    const char *node;
    ConfigKind kind;
    const char *allowed;        /* for the message; words split by '|' */
    uint64_t max;               /* of a number */
    uint64_t min;
} ConfigOption;

#define ONE_OF(node, words)     { node, WORD, words, 0, 0 }
#define UP_TO(node, max)        { node, NUMBER, "a number", max, 0 }
#define MODE(node) \
    { node, NUMBER, "an octal mode such as 0644", 0777, 0 }

static const ConfigOption options[] = {
    ONE_OF("readonly", "on|off|1|0"),
    ONE_OF("multidevs", "remap|forbid|warn"),
    ONE_OF("locks", "on|off|1|0"),
    ONE_OF("writeout", "immediate"),
    MODE("fmode"),
    MODE("dmode"),
    UP_TO("max_xattr", UINT32_MAX),
    UP_TO("throttling/bps-total", THROTTLE_VALUE_MAX),
    UP_TO("throttling/bps-read", THROTTLE_VALUE_MAX),
    UP_TO("throttling/bps-write", THROTTLE_VALUE_MAX),
    UP_TO("throttling/iops-total", THROTTLE_VALUE_MAX),
    UP_TO("throttling/iops-read", THROTTLE_VALUE_MAX),
    UP_TO("throttling/iops-write", THROTTLE_VALUE_MAX),
    UP_TO("throttling/bps-total-max", THROTTLE_VALUE_MAX),
    UP_TO("throttling/bps-read-max", THROTTLE_VALUE_MAX),
    UP_TO("throttling/bps-write-max", THROTTLE_VALUE_MAX),
    UP_TO("throttling/iops-total-max", THROTTLE_VALUE_MAX),
    UP_TO("throttling/iops-read-max", THROTTLE_VALUE_MAX),
    UP_TO("throttling/iops-write-max", THROTTLE_VALUE_MAX),
    UP_TO("throttling/bps-total-max-length", UINT32_MAX),
    UP_TO("throttling/bps-read-max-length", UINT32_MAX),
    UP_TO("throttling/bps-write-max-length", UINT32_MAX),
    UP_TO("throttling/iops-total-max-length", UINT32_MAX),
    UP_TO("throttling/iops-read-max-length", UINT32_MAX),
    UP_TO("throttling/iops-write-max-length", UINT32_MAX),
    UP_TO("throttling/iops-size", UINT32_MAX),
};

/* The same of those that are not of -fsdev. */
static const ConfigOption own_options[] = {
    ONE_OF("dispatch", XEN_9P_DISPATCH_MODES),
    ONE_OF("grant-policy", XEN_9P_GRANT_POLICIES),
    /* Not longer than a pass may take. */
    { "poll-max-ns", NUMBER, "a number up to 100000", XEN_9P_PASS_NS, 0 },
    { "max-fids", NUMBER, "a number from 16 to 16777216", 16 * MiB, 16 },
    { "iothread", NAME, "the id of an -object iothread", 0, 0 },
};

#define SECURITY_MODELS "none|passthrough|mapped|mapped-xattr|mapped-file"

/* Which of the words, split by '|', or -1. */
static int word_index(const char *value, const char *words)
{
    g_auto(GStrv) list = g_strsplit(words, "|", -1);

    for (int i = 0; list[i]; i++) {
        if (g_str_equal(list[i], value)) {
            return i;
        }
    }
    return -1;
}

/*
 * A node's value is wrong. It may be the guest's: nothing of it but
 * printable characters may reach the log, and not many.
 */
static void value_error(Error **errp, const char *node, const char *value,
                        const char *allowed)
{
    if (value) {
        g_autofree char *safe = g_strescape(value, NULL);

        error_setg(errp, "%s: '%.64s' is not valid, use %s", node, safe,
                   allowed);
    } else {
        error_setg(errp, "%s: missing, use %s", node, allowed);
    }
}

void xen_9pfs_config_error(Error **errp, const char *base, const char *node,
                           const char *value, const char *allowed)
{
    ERRP_GUARD();

    value_error(errp, node, value, allowed);
    error_prepend(errp, "%s/", base);
}

static bool check_tag(const char *tag, Error **errp)
{
    size_t len = tag ? strlen(tag) : 0;

    if (len == 0 || len >= MAX_TAG_LEN ||
        strspn(tag, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
               "0123456789_.-") != len) {
        value_error(errp, "tag", tag,
                    "1 to 31 letters, digits, '_', '.' or '-'");
        return false;
    }
    return true;
}

static bool check_path(const char *path, Error **errp)
{
    if (!path || path[0] != '/') {
        value_error(errp, "path", path, "the absolute path of a directory");
        return false;
    }
    return true;
}

bool xen_9pfs_config_open(const char *path, Error **errp)
{
    const char *why = NULL;
    struct stat st;

    if (stat(path, &st) < 0) {
        why = strerror(errno);
    } else if (!S_ISDIR(st.st_mode)) {
        why = strerror(ENOTDIR);
    } else if (access(path, R_OK | X_OK) < 0) {
        why = strerror(errno);
    }
    if (why) {
        error_setg(errp, "path: '%s': %s, use a directory that QEMU can read",
                   path, why);
        return false;
    }
    return true;
}

static bool check_option(const ConfigOption *option, const char *value,
                         Error **errp)
{
    uint64_t number;
    bool valid;

    switch (option->kind) {
    case WORD:
        valid = word_index(value, option->allowed) >= 0;
        break;
    case NUMBER:
        valid = g_ascii_isdigit(value[0]) &&
            qemu_strtou64(value, NULL, 0, &number) == 0 &&
            number >= option->min && number <= option->max;
        break;
    default:
        valid = value[0] != '\0';
    }
    if (!valid) {
        value_error(errp, option->node, value, option->allowed);
    }
    return valid;
}

/* All options, whosever they are; NULL past the last. */
static const ConfigOption *option_at(size_t index)
{
    if (index < ARRAY_SIZE(options)) {
        return &options[index];
    }
    index -= ARRAY_SIZE(options);
    return index < ARRAY_SIZE(own_options) ? &own_options[index] : NULL;
}

static const ConfigOption *find_option(const char *node)
{
    const ConfigOption *option;

    for (size_t i = 0; (option = option_at(i)); i++) {
        if (g_str_equal(option->node, node)) {
            return option;
        }
    }
    return NULL;
}

/* One of the options behind a model, the part @index of @text. */
static bool check_model_option(const char *text, unsigned index,
                               const char *node, const char *value,
                               Error **errp)
{
    const ConfigOption *option = find_option(node);

    if (!option) {
        value_error(errp, "option", node, "one that a share has, such as "
                    "readonly=on");
        return false;
    }
    if (xen_9p_model_find(text, node) != index) {
        error_setg(errp, "%s: given twice", node);
        return false;
    }
    if (!value) {
        value_error(errp, node, NULL, option->allowed);
        return false;
    }
    return check_option(option, value, errp);
}

/* "MODEL;NAME=VALUE;...": the spelling of options for stock xl. */
static bool check_model(const char *text, Error **errp)
{
    ERRP_GUARD();
    char *name, *value;
    unsigned i;

    if (!text) {
        value_error(errp, "security_model", text, SECURITY_MODELS);
        return false;
    }
    for (i = 0; !*errp && xen_9p_model_part(text, i, &name, &value); i++) {
        if (i > 0) {
            if (!check_model_option(text, i, name, value, errp)) {
                error_prepend(errp, "security_model: ");
            }
        } else if (word_index(name, SECURITY_MODELS) < 0) {
            value_error(errp, "security_model", name, SECURITY_MODELS);
        }
        g_free(name);
        g_free(value);
    }
    return !*errp;
}

bool xen_9pfs_config_check(const char *node, const char *value, Error **errp)
{
    const ConfigOption *option;

    if (g_str_equal(node, "tag")) {
        return check_tag(value, errp);
    }
    if (g_str_equal(node, "path")) {
        return check_path(value, errp);
    }
    if (g_str_equal(node, "security_model")) {
        return check_model(value, errp);
    }
    option = value ? find_option(node) : NULL;
    return !option || check_option(option, value, errp);
}

const char *xen_9pfs_config_option(size_t index, bool *own)
{
    const ConfigOption *option = option_at(index);

    if (own) {
        *own = index >= ARRAY_SIZE(options);
    }
    return option ? option->node : NULL;
}

static bool check_node(const char *base, const char *node, const char *value,
                       Error **errp)
{
    ERRP_GUARD();

    if (!xen_9pfs_config_check(node, value, errp)) {
        error_prepend(errp, "%s/", base);
        return false;
    }
    return true;
}

char *xen_9pfs_config_tag(XenLegacyDevice *xendev, Error **errp)
{
    const char *base = xendev->fe;
    g_autofree char *tag = NULL;

    /*
     * Where the specification has it, which the guest cannot write; or
     * where libxl puts it.
     */
    tag = xenstore_read_be_str(xendev, "tag");
    if (tag) {
        base = xendev->be;
    } else {
        tag = xenstore_read_fe_str(xendev, "tag");
    }
    return check_node(base, "tag", tag, errp) ? g_steal_pointer(&tag) : NULL;
}

static char *read_model(XenLegacyDevice *xendev)
{
    /* The second one is the specification's spelling; libxl has the first. */
    return xenstore_read_be_str(xendev, "security_model") ?:
        xenstore_read_be_str(xendev, "security-model");
}

/*
 * What an option has: in a node of its own, or behind the security model,
 * @model. NULL with @errp set where it may not have that.
 */
static char *read_option(XenLegacyDevice *xendev, const char *model,
                         const char *node, Error **errp)
{
    ERRP_GUARD();
    g_autofree char *own = xenstore_read_be_str(xendev, node);
    g_autofree char *behind = model ? xen_9p_model_option(model, node) : NULL;
    char *value = own ?: behind;

    if (own && behind) {
        error_setg(errp, "%s/%s: given in security_model, too", xendev->be,
                   node);
        return NULL;
    }
    if (value && !xen_9pfs_config_check(node, value, errp)) {
        error_prepend(errp, "%s/%s", xendev->be,
                      own ? "" : "security_model: ");
        return NULL;
    }
    return own ? g_steal_pointer(&own) : g_steal_pointer(&behind);
}

bool xen_9pfs_config_text(XenLegacyDevice *xendev, const char *node,
                          char **text, Error **errp)
{
    ERRP_GUARD();
    g_autofree char *model = read_model(xendev);

    *text = read_option(xendev, model, node, errp);
    return !*errp;
}

int xen_9pfs_config_word(XenLegacyDevice *xendev, const char *node,
                         const char *words, Error **errp)
{
    g_autofree char *value = NULL;

    if (!xen_9pfs_config_text(xendev, node, &value, errp)) {
        return -1;
    }
    return value ? word_index(value, words) : 0;
}

bool xen_9pfs_config_number(XenLegacyDevice *xendev, const char *node,
                            int64_t *number, Error **errp)
{
    g_autofree char *value = NULL;

    return xen_9pfs_config_text(xendev, node, &value, errp) &&
        (!value || qemu_strtoi64(value, NULL, 0, number) == 0);
}

/* ---- The fsdev ---- */

static bool set_path(XenLegacyDevice *xendev, QemuOpts *opts, Error **errp)
{
    g_autofree char *path = xenstore_read_be_str(xendev, "path");

    return check_node(xendev->be, "path", path, errp) &&
        qemu_opt_set(opts, "path", path, errp);
}

static bool set_security_model(XenLegacyDevice *xendev, const char *model,
                               QemuOpts *opts, Error **errp)
{
    g_autofree char *name = NULL;
    g_autofree char *none = NULL;

    return check_node(xendev->be, "security_model", model, errp) &&
        xen_9p_model_part(model, 0, &name, &none) &&
        qemu_opt_set(opts, "security_model", name, errp);
}

static bool set_option(XenLegacyDevice *xendev, const char *model,
                       const ConfigOption *option, QemuOpts *opts,
                       Error **errp)
{
    ERRP_GUARD();
    g_autofree char *value = read_option(xendev, model, option->node, errp);
    g_autofree char *name = NULL;
    const char *set = value;

    if (!value) {
        return !*errp;
    }

    /* The spelling of QemuOpts. */
    name = g_strdelimit(g_strdup(option->node), "/", '.');
    if (g_str_equal(value, "1") && option->kind == WORD) {
        set = "on";
    } else if (g_str_equal(value, "0") && option->kind == WORD) {
        set = "off";
    }
    return qemu_opt_set(opts, name, set, errp);
}

static bool set_all(XenLegacyDevice *xendev, QemuOpts *opts, Error **errp)
{
    g_autofree char *model = read_model(xendev);

    if (!qemu_opt_set(opts, "fsdriver", "local", errp) ||
        !set_path(xendev, opts, errp) ||
        !set_security_model(xendev, model, opts, errp)) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
        if (!set_option(xendev, model, &options[i], opts, errp)) {
            return false;
        }
    }
    return true;
}

char *xen_9pfs_config_fsdev(XenLegacyDevice *xendev, Error **errp)
{
    ERRP_GUARD();
    static unsigned serial;
    g_autofree char *id = g_strdup_printf("xen-%s-%d-%d-%u", xendev->type,
                                          xendev->dom, xendev->dev, serial++);
    QemuOpts *opts = qemu_opts_create(qemu_find_opts("fsdev"), id, 1, errp);

    if (!opts) {
        return NULL;
    }
    if (set_all(xendev, opts, errp) && qemu_fsdev_add(opts, errp) < 0) {
        error_prepend(errp, "%s: ", xendev->be);
    }
    qemu_opts_del(opts);
    return *errp ? NULL : g_steal_pointer(&id);
}
