/*
 * xen-virtfs: a device in words
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "describe.h"
#include "domain.h"
#include "json.h"

void describe_json(Host *host, const Device *dev, GString *out)
{
    g_autofree char *name = domain_name(host, dev->domid);
    g_autofree char *error = device_error(host, dev);

    json_add_number(out, "domain", dev->domid);
    json_add(out, "name", name);
    json_add(out, "protocol", dev->protocol);
    json_add_number(out, "devid", dev->devid);
    json_add(out, "tag", dev->tag);
    json_add(out, "path", dev->path);
    json_add(out, "security_model", dev->security_model);
    json_add(out, "server", dev->server);
    json_add(out, "backend_state",
             device_state_name(device_state(host, dev->back)));
    json_add(out, "frontend_state",
             device_state_name(device_state(host, dev->front)));
    json_add(out, "error", error);
}

char *describe_text(const char *value)
{
    return value && *value ? g_strescape(value, NULL) : g_strdup("-");
}
