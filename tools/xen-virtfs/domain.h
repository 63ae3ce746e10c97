/*
 * xen-virtfs: a domain, by name or by number
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef XEN_VIRTFS_DOMAIN_H
#define XEN_VIRTFS_DOMAIN_H

#include "host.h"

/**
 * domain_find: the number of a domain that lives
 * @word: its name or number, from the command line
 * @domid: set to it
 * @err: set where there is none
 */
bool domain_find(Host *host, const char *word, unsigned *domid, GError **err);

/**
 * domain_name: its name, to be freed; "" where it has none
 */
char *domain_name(Host *host, unsigned domid);

/**
 * parse_number: a whole number from 0 to INT_MAX, and nothing else
 */
bool parse_number(const char *word, unsigned *number);

#endif
