/*
 * Xen 9P backend: configuration of a device, from xenstore to an fsdev
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_9PFS_XEN_9P_CONFIG_H
#define HW_9PFS_XEN_9P_CONFIG_H

#include "hw/9pfs/xen-9pfs.h"

/**
 * xen_9pfs_config_check: whether a node of the backend may have this value
 * @node: "tag", "path", "security_model" or one of xen_9pfs_config_option()
 * @value: its text, NULL: it is missing; a path is not looked at
 * @errp: set where not: names the node, its value and what is allowed
 *
 * Returns: true if it may.
 */
bool xen_9pfs_config_check(const char *node, const char *value, Error **errp);

/**
 * xen_9pfs_config_open: whether a share's folder can be used
 * @path: what its node "path" has, checked by xen_9pfs_config_check()
 * @errp: set where not: names the node, its value and what to do
 *
 * This looks at the folder, which can take for ever: not in the main thread.
 *
 * Returns: true if it can.
 */
bool xen_9pfs_config_open(const char *path, Error **errp);

/**
 * xen_9pfs_config_option: the optional nodes of the backend, one by one
 * @index: from 0
 * @own: set to false if it stands for an option of "-fsdev local", whose name
 *       is then the node's with '.' for '/'; may be NULL
 *
 * Returns: the node's name, NULL past the last.
 */
const char *xen_9pfs_config_option(size_t index, bool *own);

/**
 * xen_9pfs_config_tag: the tag by which the guest mounts the share
 * @xendev: the device
 * @errp: set where the tag is missing or unusable: names the node
 *
 * Returns: the tag, which the caller frees, or NULL.
 */
char *xen_9pfs_config_tag(XenLegacyDevice *xendev, Error **errp);

/**
 * xen_9pfs_config_fsdev: register an fsdev as the backend's nodes describe it
 * @xendev: the device
 * @errp: set where a node is missing or wrong: names the node, its value and
 *        what is allowed
 *
 * The nodes are "path" and "security_model", and where they are present the
 * options of "-fsdev local" under their own names ("throttling.X" as
 * "throttling/X", since a dot is no xenstore character); or these behind the
 * security model.
 *
 * Returns: the new fsdev's id, which the caller frees after it has removed
 * the fsdev with qemu_fsdev_remove(); or NULL with nothing registered.
 */
char *xen_9pfs_config_fsdev(XenLegacyDevice *xendev, Error **errp);

/**
 * xen_9pfs_config_text: an option of a share
 * @xendev: the device
 * @node: its name, one of xen_9pfs_config_option()
 * @text: set to what it has, which the caller frees; NULL where it is not
 *        given
 * @errp: set where it may not have that: names the node
 *
 * An option has a node of its own, or is behind the security model:
 * "none;readonly=on".
 *
 * Returns: false where it may not have that.
 */
bool xen_9pfs_config_text(XenLegacyDevice *xendev, const char *node,
                          char **text, Error **errp);

/**
 * xen_9pfs_config_word: an option that is one of some words
 * @xendev: the device
 * @node: its name, one of xen_9pfs_config_option()
 * @words: the words, split by '|'
 * @errp: set where it is anything else: names the node
 *
 * Returns: which of them it is, the first where it is not given; or -1.
 */
int xen_9pfs_config_word(XenLegacyDevice *xendev, const char *node,
                         const char *words, Error **errp);

/**
 * xen_9pfs_config_number: an option that is a number
 * @xendev: the device
 * @node: its name, one of xen_9pfs_config_option()
 * @number: set to it, left as it is where it is not given
 * @errp: set where it is anything else: names the node
 *
 * Returns: false where it is anything else.
 */
bool xen_9pfs_config_number(XenLegacyDevice *xendev, const char *node,
                            int64_t *number, Error **errp);

/**
 * xen_9pfs_config_error: the message that a node's value is wrong
 * @errp: gets it
 * @base: the folder of the node
 * @node: its name
 * @value: what it has, NULL: it is missing; the guest may have written it
 * @allowed: what it may have
 */
void xen_9pfs_config_error(Error **errp, const char *base, const char *node,
                           const char *value, const char *allowed);

#endif
