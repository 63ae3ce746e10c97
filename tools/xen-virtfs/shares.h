/*
 * xen-virtfs: the files that say which shares a domain is to have
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef XEN_VIRTFS_SHARES_H
#define XEN_VIRTFS_SHARES_H

#include "host.h"

/**
 * shares_file: where the shares of a domain are, to be freed
 * @name: the domain's
 *
 * Returns: NULL where no file can have that name.
 */
char *shares_file(Host *host, const char *name);

#endif
