/*
 * xen-virtfs: a domain, by name or by number
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <limits.h>
#include <string.h>

#include "domain.h"

bool parse_number(const char *word, unsigned *number)
{
    guint64 value;

    if (!g_ascii_string_to_unsigned(word, 10, 0, INT_MAX, &value, NULL)) {
        return false;
    }
    *number = value;
    return true;
}

char *domain_name(Host *host, unsigned domid)
{
    char *name = host_read(host, "/local/domain/%u/name", domid);

    return name ? name : g_strdup("");
}

static bool find_by_name(Host *host, const char *name, unsigned *domid)
{
    g_auto(GStrv) domains = host_names(host, "/local/domain");
    char **at;

    for (at = domains; *at; at++) {
        if (parse_number(*at, domid)) {
            g_autofree char *its = domain_name(host, *domid);

            if (g_str_equal(its, name)) {
                return true;
            }
        }
    }
    return false;
}

bool domain_find(Host *host, const char *word, unsigned *domid, GError **err)
{
    xc_domaininfo_t info;

    if ((parse_number(word, domid) || find_by_name(host, word, domid)) &&
        xc_domain_getinfo_single(host->xc, *domid, &info) == 0 &&
        !(info.flags & XEN_DOMINF_dying)) {
        return true;
    }
    g_set_error(err, TOOL_ERROR, TOOL_NO_DOMAIN, "there is no domain '%s'",
                word);
    return false;
}
