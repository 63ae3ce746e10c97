/*
 * xen-virtfs status: how the shares of a domain are doing
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdio.h>

#include "commands.h"
#include "describe.h"
#include "domain.h"
#include "stats.h"

static void print_json(Host *host, const Device *dev, const Json *stats)
{
    g_autoptr(GString) out = g_string_new("{");

    describe_json(host, dev, out);
    stats_json(stats, out);
    printf("%s}", out->str);
}

static void print_line(const char *label, const char *value)
{
    g_autofree char *text = describe_text(value);

    printf("  %-16s %s\n", label, text);
}

static void print_text(Host *host, const Device *dev, const Json *stats)
{
    g_autofree char *tag = describe_text(dev->tag);
    g_autofree char *error = device_error(host, dev);

    printf("%s/%u: '%s' of domain %u\n", dev->protocol, dev->devid, tag,
           dev->domid);
    print_line("path", dev->path);
    print_line("security model", dev->security_model);
    print_line("server", dev->server);
    print_line("backend", device_state_name(device_state(host, dev->back)));
    print_line("frontend", device_state_name(device_state(host, dev->front)));
    if (error) {
        print_line("error", error);
    }
    if (stats) {
        stats_print(stats);
    }
}

static void print_all(Host *host, const GPtrArray *all, QemuServer *qemu)
{
    unsigned i;

    if (host->json) {
        printf("[");
    }
    for (i = 0; i < all->len; i++) {
        g_autoptr(Json) stats = qemu ? stats_get(qemu, all->pdata[i]) : NULL;

        if (host->json) {
            printf("%s", i ? ",\n " : "");
            print_json(host, all->pdata[i], stats);
        } else {
            print_text(host, all->pdata[i], stats);
        }
    }
    if (host->json) {
        printf("]\n");
    }
}

bool command_status(Host *host, char **words, int num, GError **err)
{
    g_autoptr(GPtrArray) all = NULL;
    g_autoptr(QemuServer) qemu = NULL;
    g_autoptr(GError) why = NULL;
    unsigned domid;

    if (!domain_find(host, words[0], &domid, err)) {
        return false;
    }
    if (num == 1) {
        all = device_list(host, domid);
    } else {
        Device *dev = device_find(host, domid, words[1], err);

        if (!dev) {
            return false;
        }
        all = g_ptr_array_new_with_free_func((GDestroyNotify)device_free);
        g_ptr_array_add(all, dev);
    }
    if (all->len) {
        qemu = qemu_find(host, domid, &why);
        if (!qemu) {
            g_printerr("xen-virtfs: no numbers: %s\n", why->message);
        }
    }
    print_all(host, all, qemu);
    return true;
}
