/*
 * A guest's xenstore connection, over its own ring
 *
 * What a test does here is done with the guest's permissions, as xenstored
 * sees a domain, and not with those of the toolstack's socket.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LOOPBACK_GXS_H
#define LOOPBACK_GXS_H

#include <glib.h>

#include "../core/loop.h"

typedef struct GuestXs GuestXs;

/*
 * gxs_new: the connection of @domid whose ring is page @gfn and whose event
 *     channel is @port, both made by the toolstack.
 * gxs_free: give it up. The ring stays the toolstack's.
 */
GuestXs *gxs_new(Loop *loop, domid_t domid, uint32_t gfn, evtchn_port_t port);
void gxs_free(GuestXs *xs);

/*
 * Requests. Paths may be relative to the domain's own. 0 on success, else a
 * negative errno as xenstored answered, or -ETIMEDOUT. @tx is 0 outside a
 * transaction.
 *
 * gxs_read: the value, to be freed; NULL and *error on failure.
 * gxs_storm: write a node without a pause, until *stop, while there is no
 *     watch; returns how often, whatever xenstored said.
 * gxs_tx_start: the transaction's number.
 * gxs_tx_end: -EAGAIN when it has to be done again.
 */
char *gxs_read(GuestXs *xs, uint32_t tx, const char *path, int *error);
int gxs_write(GuestXs *xs, uint32_t tx, const char *path, const char *value);
unsigned gxs_storm(GuestXs *xs, const char *path, const char *value,
                   const int *stop);
int gxs_rm(GuestXs *xs, uint32_t tx, const char *path);
int gxs_tx_start(GuestXs *xs);
int gxs_tx_end(GuestXs *xs, uint32_t tx, bool commit);
int gxs_watch(GuestXs *xs, const char *path, const char *token);
int gxs_unwatch(GuestXs *xs, const char *path, const char *token);

/*
 * gxs_event: the token of the next watch event, to be freed; NULL if none
 *     comes in @timeout_ms.
 */
char *gxs_event(GuestXs *xs, int timeout_ms);

#endif
