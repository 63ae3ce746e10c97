/*
 * xen-virtfs: its commands
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef XEN_VIRTFS_COMMANDS_H
#define XEN_VIRTFS_COMMANDS_H

#include "host.h"

/* @words: what follows the command's name; @num of them, as it asks for. */
bool command_attach(Host *host, char **words, int num, GError **err);
bool command_detach(Host *host, char **words, int num, GError **err);
bool command_list(Host *host, char **words, int num, GError **err);
bool command_status(Host *host, char **words, int num, GError **err);
bool command_top(Host *host, char **words, int num, GError **err);
bool command_apply(Host *host, char **words, int num, GError **err);
bool command_watch(Host *host, char **words, int num, GError **err);

#endif
