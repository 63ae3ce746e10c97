/*
 * xen-virtfs attach: give a share to a domain that runs
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attach.h"
#include "commands.h"
#include "device.h"
#include "domain.h"
#include "qemu.h"

/* What the command line wants. */
typedef struct Share {
    GString *properties;        /* of the -device, as the members of JSON */
    const char *protocol;
    const char *tag;
    const char *model;
    char *path;
    char *id;
} Share;

static bool usage(GError **err, const char *key, const char *why)
{
    g_set_error(err, TOOL_ERROR, TOOL_USAGE, "%s: %s", key, why);
    return false;
}

/* One key of a p9 entry. */
static bool add_key(Share *share, const char *key, const char *value,
                    GError **err)
{
    unsigned number;

    if (g_str_equal(key, "type")) {
        return g_str_equal(value, "qemu") ? true :
            usage(err, key, "only 'qemu' can be attached");
    }
    if (g_str_equal(key, "driver") || g_str_equal(key, "id") ||
        g_str_equal(key, "bus")) {
        return usage(err, key, "unknown key");
    }
    if (!*value) {
        return usage(err, key, "has no value");
    }
    if (g_str_equal(key, "devid")) {
        if (!parse_number(value, &number)) {
            return usage(err, key, "is a number from 0");
        }
        json_add_number(share->properties, key, number);
    } else if (g_str_equal(key, "path")) {
        share->path = g_canonicalize_filename(value, NULL);
        json_add(share->properties, key, share->path);
    } else if (g_str_equal(key, "tag")) {
        share->tag = value;
        json_add(share->properties, "mount_tag", value);
    } else {
        if (g_str_equal(key, "protocol")) {
            share->protocol = value;
        } else if (g_str_equal(key, "security_model")) {
            share->model = value;
        }
        json_add(share->properties, key, value);
    }
    return true;
}

/* "tag=...,path=...": @words is what it is cut into, and stays with @share. */
static bool parse(Share *share, char **words, GError **err)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

    share->properties = g_string_new("{");
    for (; *words; words++) {
        char *value = strchr(*words, '=');

        if (!value) {
            return usage(err, *words, "is not of the form KEY=VALUE");
        }
        *value++ = '\0';
        if (!g_hash_table_add(seen, *words)) {
            return usage(err, *words, "is there twice");
        }
        if (!add_key(share, *words, value, err)) {
            return false;
        }
    }
    if (!share->tag) {
        return usage(err, "tag", "is missing");
    }
    share->protocol = share->protocol ? share->protocol : "9pfs";
    share->model = share->model ? share->model : "";
    /* Not the backend's own name, and never used before. */
    share->id = g_strdup_printf("share-%s-%s-%d", share->protocol, share->tag,
                                (int)getpid());
    json_add(share->properties, "driver", "xen-9pfs");
    json_add(share->properties, "id", share->id);
    g_string_append_c(share->properties, '}');
    return true;
}

static bool add_device(QemuServer *qemu, Share *share, GError **err)
{
    g_autoptr(Json) answer = qmp_run(qemu->qmp, "device_add",
                                     share->properties->str, err);

    if (!answer && err && strstr((*err)->message, "device model name")) {
        g_prefix_error(err, "the QEMU of this domain is not ours, see "
                       "device_model_override in xl.cfg: ");
    }
    return answer;
}

static void remove_device(QemuServer *qemu, Share *share)
{
    g_autofree char *arguments = g_strdup_printf("{\"id\": \"%s\"}",
                                                 share->id);
    g_autoptr(Json) answer = qmp_run(qemu->qmp, "device_del", arguments, NULL);
}

/* QEMU would find out as well, but only when the guest can see the device. */
static bool check_path(const Share *share, GError **err)
{
    struct stat st;
    int error = 0;

    if (share->path) {
        error = stat(share->path, &st) < 0 ? errno :
            S_ISDIR(st.st_mode) ? 0 : ENOTDIR;
    }
    if (error) {
        g_set_error(err, TOOL_ERROR, TOOL_REFUSED, "path: '%s': %s, use a "
                    "directory that QEMU can read", share->path,
                    g_strerror(error));
    }
    return error == 0;
}

/* The device that QEMU has made, once its backend offers it to the guest. */
static Device *await_device(Host *host, QemuServer *qemu, Share *share,
                            GError **err)
{
    g_autofree char *path = g_strdup_printf("/machine/peripheral/%s",
                                            share->id);
    g_autoptr(Json) devid = qemu_get(qemu, path, "devid", err);
    g_autoptr(Device) dev = NULL;
    g_autofree char *why = NULL;
    uint64_t number;

    if (!devid) {
        return NULL;
    }
    if (json_number(devid, &number)) {
        dev = device_at(host, share->protocol, qemu->domid, number);
    }
    if (dev && device_await(host, dev->back, STATE(InitWait) |
                            STATE(Connected) | STATE(Closing) |
                            STATE(Closed)) &&
        ((1u << device_state(host, dev->back)) &
         (STATE(InitWait) | STATE(Connected)))) {
        return g_steal_pointer(&dev);
    }
    why = dev ? device_error(host, dev) : NULL;
    g_set_error(err, TOOL_ERROR, TOOL_REFUSED, "the backend does not take "
                "it: %s", why ? why : "see QEMU's log");
    return NULL;
}

/* Owners are what only root can give files. */
static bool check_user(Host *host, const Share *share, GError **err)
{
    if (!host->user) {
        return true;
    }
    if (!getpwnam(host->user)) {
        return usage(err, host->user, "there is no such user");
    }
    return !g_str_equal(share->model, "passthrough") ||
        usage(err, "security_model", "passthrough needs a QEMU that is root, "
              "use another with --user");
}

static QemuServer *server(Host *host, unsigned domid, GError **err)
{
    if (host->qmp || qemu_runs(host, domid)) {
        if (host->user && !qemu_runs_as(host, domid, host->user)) {
            g_set_error(err, TOOL_ERROR, TOOL_REFUSED, "the QEMU of domain %u "
                        "is there already, and does not run as %s", domid,
                        host->user);
            return NULL;
        }
        return qemu_find(host, domid, err);
    }
    if (qemu_in_stubdomain(host, domid)) {
        g_set_error(err, TOOL_ERROR, TOOL_REFUSED, "the QEMU of domain %u is "
                    "in a stubdomain, which has no directory of this host: "
                    "use device_model_stubdomain_override=0", domid);
        return NULL;
    }
    return qemu_start(host, domid, err);
}

static bool attach(Host *host, unsigned domid, Share *share, GError **err)
{
    g_autoptr(QemuServer) qemu = server(host, domid, err);
    g_autoptr(Device) dev = NULL;

    if (!qemu) {
        return false;
    }
    if (add_device(qemu, share, err)) {
        dev = await_device(host, qemu, share, err);
        if (!dev) {
            remove_device(qemu, share);
        }
    }
    if (!dev && qemu->started) {
        qemu_end_idle(qemu);
    }
    if (dev) {
        printf("%s/%u: '%s' is attached to domain %u\n", dev->protocol,
               dev->devid, dev->tag, domid);
    }
    return dev;
}

static bool has_share(Host *host, unsigned domid, const Share *share)
{
    g_autoptr(GPtrArray) all = device_list(host, domid);
    unsigned i;

    for (i = 0; i < all->len; i++) {
        const Device *dev = all->pdata[i];

        if (g_str_equal(dev->protocol, share->protocol) &&
            !g_strcmp0(dev->tag, share->tag)) {
            return true;
        }
    }
    return false;
}

bool attach_share(Host *host, unsigned domid, const char *keys, bool missing,
                  GError **err)
{
    g_auto(GStrv) words = g_strsplit(keys, ",", -1);
    Share share = { 0 };
    bool done = parse(&share, words, err) &&
        ((missing && has_share(host, domid, &share)) ||
         (check_user(host, &share, err) && check_path(&share, err) &&
          attach(host, domid, &share, err)));

    g_string_free(share.properties, TRUE);
    g_free(share.path);
    g_free(share.id);
    return done;
}

bool command_attach(Host *host, char **words, int num G_GNUC_UNUSED,
                    GError **err)
{
    unsigned domid;

    return domain_find(host, words[0], &domid, err) &&
        host_lock(host, domid, err) &&
        attach_share(host, domid, words[1], false, err);
}
