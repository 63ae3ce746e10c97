/*
 * xen-virtfs list: the shares of domains
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdio.h>

#include "commands.h"
#include "describe.h"
#include "domain.h"

static void print_json(Host *host, const GPtrArray *all)
{
    unsigned i;

    printf("[");
    for (i = 0; i < all->len; i++) {
        g_autoptr(GString) out = g_string_new("{");

        describe_json(host, all->pdata[i], out);
        printf("%s%s}", i ? ",\n " : "", out->str);
    }
    printf("]\n");
}

static void print_table(Host *host, const GPtrArray *all)
{
    unsigned i;

    printf("%-16s %5s %-10s %-16s %-12s %-9s %-14s %s\n", "DOMAIN", "ID",
           "DEVICE", "TAG", "STATE", "SERVER", "MODEL", "PATH");
    for (i = 0; i < all->len; i++) {
        const Device *dev = all->pdata[i];
        g_autofree char *name = domain_name(host, dev->domid);
        g_autofree char *domain = describe_text(name);
        g_autofree char *tag = describe_text(dev->tag);
        g_autofree char *path = describe_text(dev->path);
        g_autofree char *device = g_strdup_printf("%s/%u", dev->protocol,
                                                  dev->devid);

        printf("%-16s %5u %-10s %-16s %-12s %-9s %-14s %s\n", domain,
               dev->domid, device, tag,
               device_state_name(device_state(host, dev->back)), dev->server,
               dev->security_model ? dev->security_model : "-", path);
    }
}

bool command_list(Host *host, char **words, int num, GError **err)
{
    g_autoptr(GPtrArray) all = NULL;
    unsigned domid;

    if (num && !domain_find(host, words[0], &domid, err)) {
        return false;
    }
    all = device_list(host, num ? (int)domid : -1);
    if (host->json) {
        print_json(host, all);
    } else {
        print_table(host, all);
    }
    return true;
}
