/*
 * xen-virtfs: the 9P devices of domains, as they are in xenstore
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "device.h"
#include "domain.h"

/* The types of backend that there are. */
static const struct {
    const char *type, *protocol, *server;
} types[] = {
    { "9pfs", "9pfs", "qemu" },
    { "xen_9pfs", "9pfs", "xen-9pfsd" },
    { "virtfs", "virtfs", "qemu" },
};

void device_free(Device *dev)
{
    if (dev) {
        g_free(dev->back);
        g_free(dev->front);
        g_free(dev->tag);
        g_free(dev->path);
        g_free(dev->security_model);
        g_free(dev);
    }
}

/*
 * Nothing is taken from the frontend's nodes but the tag that libxl puts
 * there: they are the guest's.
 */
static Device *device_read(Host *host, unsigned type, unsigned domid,
                           unsigned devid)
{
    g_autofree char *own = host_read(host, "domid");
    Device *dev = g_new0(Device, 1);

    dev->domid = domid;
    dev->devid = devid;
    dev->type = types[type].type;
    dev->protocol = types[type].protocol;
    dev->server = types[type].server;
    dev->back = g_strdup_printf("/local/domain/%s/backend/%s/%u/%u",
                                own ? own : "0", dev->type, domid, devid);
    dev->front = g_strdup_printf("/local/domain/%u/device/%s/%u", domid,
                                 dev->protocol, devid);
    dev->tag = host_read(host, "%s/tag", dev->back);
    if (!dev->tag) {
        dev->tag = host_read(host, "%s/tag", dev->front);
    }
    dev->path = host_read(host, "%s/path", dev->back);
    dev->security_model = host_read(host, "%s/security_model", dev->back);
    return dev;
}

static int compare(const void *a, const void *b)
{
    const Device *one = *(const Device *const *)a;
    const Device *two = *(const Device *const *)b;

    if (one->domid != two->domid) {
        return one->domid < two->domid ? -1 : 1;
    }
    if (one->protocol != two->protocol) {
        return strcmp(one->protocol, two->protocol);
    }
    return one->devid < two->devid ? -1 : one->devid > two->devid;
}

static void add_devices(Host *host, unsigned type, unsigned domid,
                        GPtrArray *all)
{
    g_auto(GStrv) names = host_names(host, "backend/%s/%u", types[type].type,
                                     domid);
    unsigned devid;
    char **at;

    for (at = names; *at; at++) {
        if (parse_number(*at, &devid)) {
            g_ptr_array_add(all, device_read(host, type, domid, devid));
        }
    }
}

GPtrArray *device_list(Host *host, int wanted)
{
    GPtrArray *all = g_ptr_array_new_with_free_func(
        (GDestroyNotify)device_free);
    unsigned type, domid;

    for (type = 0; type < G_N_ELEMENTS(types); type++) {
        g_auto(GStrv) domains = host_names(host, "backend/%s",
                                           types[type].type);
        char **at;

        for (at = domains; *at; at++) {
            if (parse_number(*at, &domid) &&
                (wanted < 0 || domid == (unsigned)wanted)) {
                add_devices(host, type, domid, all);
            }
        }
    }
    g_ptr_array_sort(all, compare);
    return all;
}

static bool means(const Device *dev, const char *word)
{
    const char *slash = strchr(word, '/');
    unsigned devid;

    if (slash) {
        g_autofree char *protocol = g_strndup(word, slash - word);

        if (!g_str_equal(protocol, dev->protocol)) {
            return false;
        }
        word = slash + 1;
    }
    return !g_strcmp0(dev->tag, word) ||
        (parse_number(word, &devid) && devid == dev->devid);
}

Device *device_find(Host *host, unsigned domid, const char *word, GError **err)
{
    g_autoptr(GPtrArray) all = device_list(host, domid);
    int found = -1;
    unsigned i;

    for (i = 0; i < all->len; i++) {
        if (!means(all->pdata[i], word)) {
            continue;
        }
        if (found >= 0) {
            g_set_error(err, TOOL_ERROR, TOOL_REFUSED, "'%s' means two "
                        "devices of domain %u, say 9pfs/NUMBER or "
                        "virtfs/NUMBER", word, domid);
            return NULL;
        }
        found = i;
    }
    if (found < 0) {
        g_set_error(err, TOOL_ERROR, TOOL_NO_DEVICE,
                    "domain %u has no device '%s'", domid, word);
        return NULL;
    }
    return g_ptr_array_steal_index(all, found);
}

Device *device_at(Host *host, const char *protocol, unsigned domid,
                  unsigned devid)
{
    g_autoptr(GPtrArray) all = device_list(host, domid);
    unsigned i;

    for (i = 0; i < all->len; i++) {
        Device *dev = all->pdata[i];

        if (dev->devid == devid && g_str_equal(dev->protocol, protocol)) {
            return g_ptr_array_steal_index(all, i);
        }
    }
    return NULL;
}

XenbusState device_state(Host *host, const char *end)
{
    g_autofree char *text = host_read(host, "%s/state", end);
    unsigned state;

    return text && parse_number(text, &state) &&
        state <= XenbusStateReconfigured ? state : XenbusStateUnknown;
}

const char *device_state_name(XenbusState state)
{
    static const char *const names[] = {
        "none", "Initialising", "InitWait", "Initialised", "Connected",
        "Closing", "Closed", "Reconfiguring", "Reconfigured",
    };

    return names[state];
}

char *device_error(Host *host, const Device *dev)
{
    return host_read(host, "error/backend/%s/%u/%u/error", dev->type,
                     dev->domid, dev->devid);
}

bool device_await(Host *host, const char *end, unsigned mask)
{
    gint64 late = g_get_monotonic_time() + host->timeout_ms * 1000LL;

    while (!(mask & (1u << device_state(host, end)))) {
        if (g_get_monotonic_time() > late) {
            return false;
        }
        g_usleep(10 * 1000);
    }
    return true;
}

/* ---- Changes ---- */

static bool write_below(Host *host, xs_transaction_t t, const char *dir,
                        const char *node, const char *value)
{
    g_autofree char *path = g_strdup_printf("%s/%s", dir, node);

    return xs_write(host->xs, t, path, value, strlen(value));
}

static bool do_close(Host *host, xs_transaction_t t, const Device *dev)
{
    g_autofree char *closing = g_strdup_printf("%d", XenbusStateClosing);
    g_autofree char *path = g_strdup_printf("%s/state", dev->back);
    unsigned int len;
    char *state = xs_read(host->xs, t, path, &len);
    bool exists = state;

    free(state);
    if (!exists) {
        /* Removed by others: no node may come back. */
        return true;
    }
    return write_below(host, t, dev->back, "online", "0") &&
        write_below(host, t, dev->back, "state", closing);
}

static char *libxl_note(const Device *dev)
{
    return g_strdup_printf("/libxl/%u/device/%s/%u", dev->domid,
                           dev->protocol, dev->devid);
}

/* Remove a directory, and those above it that are empty then. */
static void prune(Host *host, xs_transaction_t t, const char *path,
                  unsigned levels)
{
    g_autofree char *parent = g_path_get_dirname(path);
    unsigned others = 0;
    char **names;

    xs_rm(host->xs, t, path);
    names = xs_directory(host->xs, t, parent, &others);
    if (names && others == 0 && levels > 1) {
        prune(host, t, parent, levels - 1);
    }
    free(names);
}

static bool do_remove(Host *host, xs_transaction_t t, const Device *dev)
{
    g_autofree char *note = libxl_note(dev);
    g_autofree char *error = g_strdup_printf("error/backend/%s/%u/%u",
                                             dev->type, dev->domid,
                                             dev->devid);

    prune(host, t, dev->front, 2);
    prune(host, t, dev->back, 2);
    prune(host, t, note, 2);
    prune(host, t, error, 2);
    return true;
}

static bool transact(Host *host, const Device *dev,
                     bool (*act)(Host *, xs_transaction_t, const Device *),
                     GError **err)
{
    xs_transaction_t t;

    do {
        t = xs_transaction_start(host->xs);
        if (t == XBT_NULL) {
            break;
        }
        if (!act(host, t, dev)) {
            int error = errno;

            xs_transaction_end(host->xs, t, true);
            errno = error;
            break;
        }
        if (xs_transaction_end(host->xs, t, false)) {
            return true;
        }
    } while (errno == EAGAIN);
    g_set_error(err, TOOL_ERROR, TOOL_REFUSED, "cannot change %s: %s",
                dev->back, g_strerror(errno));
    return false;
}

bool device_close(Host *host, const Device *dev, GError **err)
{
    return transact(host, dev, do_close, err);
}

bool device_is_libxl(Host *host, const Device *dev)
{
    g_autofree char *note = libxl_note(dev);
    g_autofree char *value = host_read(host, "%s", note);

    return value;
}

bool device_remove(Host *host, const Device *dev, GError **err)
{
    return transact(host, dev, do_remove, err);
}
