/*
 * xen-virtfs apply: give a domain the shares that its file has for it
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdio.h>
#include <string.h>

#include "attach.h"
#include "commands.h"
#include "domain.h"
#include "shares.h"

char *shares_file(Host *host, const char *name)
{
    if (!*name || *name == '.' || strchr(name, '/')) {
        return NULL;
    }
    return g_strdup_printf("%s/%s.conf", host->conf_dir, name);
}

/* One share a line; what is wrong with one leaves the others as they are. */
static bool apply(Host *host, unsigned domid, const char *file, char **lines,
                  GError **err)
{
    unsigned i, failed = 0;

    for (i = 0; lines[i]; i++) {
        g_autoptr(GError) why = NULL;

        g_strstrip(lines[i]);
        if (!*lines[i] || *lines[i] == '#' ||
            attach_share(host, domid, lines[i], true, &why)) {
            continue;
        }
        fprintf(stderr, "xen-virtfs: %s:%u: %s\n", file, i + 1, why->message);
        failed++;
    }
    if (failed) {
        g_set_error(err, TOOL_ERROR, TOOL_REFUSED,
                    "domain %u lacks %u of its shares", domid, failed);
    }
    return !failed;
}

bool command_apply(Host *host, char **words, int num G_GNUC_UNUSED,
                   GError **err)
{
    g_autofree char *name = NULL, *file = NULL, *text = NULL;
    g_auto(GStrv) lines = NULL;
    g_autoptr(GError) why = NULL;
    unsigned domid;

    if (!domain_find(host, words[0], &domid, err)) {
        return false;
    }
    name = domain_name(host, domid);
    file = shares_file(host, name);
    if (!file) {
        g_set_error(err, TOOL_ERROR, TOOL_REFUSED,
                    "domain %u has no name that a file could have", domid);
        return false;
    }
    if (!g_file_get_contents(file, &text, NULL, &why)) {
        g_set_error(err, TOOL_ERROR, TOOL_REFUSED, "%s", why->message);
        return false;
    }
    lines = g_strsplit(text, "\n", -1);
    return host_lock(host, domid, err) && apply(host, domid, file, lines, err);
}
