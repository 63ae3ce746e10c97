/*
 * Xen 9P backend: a security model with options behind it
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "hw/9pfs/xen-9p-model.h"

bool xen_9p_model_part(const char *text, unsigned index, char **name,
                       char **value)
{
    const char *end, *equals;

    for (unsigned i = 0; i < index; i++) {
        text = strchr(text, ';');
        if (!text) {
            return false;
        }
        text++;
    }
    end = strchrnul(text, ';');
    equals = index > 0 ? memchr(text, '=', end - text) : NULL;
    *name = g_strndup(text, (equals ?: end) - text);
    if (index > 0) {
        g_strdelimit(*name, ".", '/');
    }
    *value = equals ? g_strndup(equals + 1, end - equals - 1) : NULL;
    return true;
}

unsigned xen_9p_model_find(const char *text, const char *name)
{
    char *part, *value;

    for (unsigned i = 1; xen_9p_model_part(text, i, &part, &value); i++) {
        bool found = g_str_equal(part, name);

        g_free(part);
        g_free(value);
        if (found) {
            return i;
        }
    }
    return 0;
}

char *xen_9p_model_option(const char *text, const char *name)
{
    unsigned index = xen_9p_model_find(text, name);
    g_autofree char *part = NULL;
    char *value = NULL;

    if (index) {
        xen_9p_model_part(text, index, &part, &value);
    }
    return value;
}
