/*
 * xen-virtfs: giving a share to a domain that runs
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef XEN_VIRTFS_ATTACH_H
#define XEN_VIRTFS_ATTACH_H

#include "host.h"

/**
 * attach_share: attach one share; the caller has host_lock()
 * @keys: "tag=...,path=...", as on the command line
 * @missing: only if the domain has none of that tag and protocol
 */
bool attach_share(Host *host, unsigned domid, const char *keys, bool missing,
                  GError **err);

#endif
