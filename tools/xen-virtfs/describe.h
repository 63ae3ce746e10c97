/*
 * xen-virtfs: a device in words
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef XEN_VIRTFS_DESCRIBE_H
#define XEN_VIRTFS_DESCRIBE_H

#include "device.h"

/**
 * describe_json: write what a device is into a JSON object
 */
void describe_json(Host *host, const Device *dev, GString *out);

/**
 * describe_text: a value as one word of printable characters, to be freed
 *
 * What xenstore has may be the guest's: no control character of it shall
 * reach a terminal.
 */
char *describe_text(const char *value);

#endif
