/*
 * Xen 9P tests: what the protocol's text asks of a backend
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef XEN_9P_PROTOCOL_H
#define XEN_9P_PROTOCOL_H

#include "xen-9p-session.h"

/* How long a backend has for what it is to do, or not to do. */
#define DO_MS       5000
#define DO_NOT_MS   300

/* How long a backend may leave a frontend waiting that it will not serve. */
#define REFUSE_MS   1000

/*
 * offer: a device whose backend is in InitWait.
 * refused: whether the backend, once the frontend is Initialised, does not
 *     connect. Ours has to close.
 * never_offered: the same before that: a device that cannot be served.
 * closes: whether the backend leaves Connected by itself.
 * end_refused: the end of a test whose device was never connected, or was
 *     closed; nothing is left over, and the backend lives.
 */
Fe *offer(Fixture *f, const DeviceOpts *opts);
bool refused(Fe *fe);
bool never_offered(Fe *fe);
bool closes(Fe *fe);
void end_refused(Fixture *f, Fe *fe);

/*
 * make_version: a Tversion that waits for its reply already, but that the
 *     caller sends, in the pieces that it likes.
 * await: wait for a reply that is no error, and forget it.
 */
P9Req *make_version(Fe *fe);
void await(P9Req *req);

/* xen-9p-proto-nodes.c */
void proto_versions(void);
void proto_max_rings(void);
void proto_max_ring_page_order(void);
void proto_path(void);
void proto_path_missing(void);
void proto_tag(void);
void proto_security_model(void);
void proto_security_model_unknown(void);
void proto_version(void);
void proto_num_rings(void);
void proto_event_channel(void);
void proto_ring_ref(void);

/* xen-9p-proto-states.c */
void proto_init_wait(void);
void proto_connect_when_initialised(void);
void proto_closing_unmaps(void);
void proto_closed(void);
void proto_starts_again(void);

/* xen-9p-proto-rings.c */
void proto_ring_order_limits(void);
void proto_orders_differ(void);
void proto_refs_any_order(void);
void proto_largest_ring(void);
void proto_own_indices(void);
void proto_padding(void);
void proto_out_is_read_only(void);
void proto_index_range(void);
void proto_in_prod_verified(void);
void proto_out_cons_verified(void);
void proto_no_more_than_sent(void);
void proto_no_more_than_fits(void);

/* xen-9p-proto-flow.c */
void proto_event_of_reply(void);
void proto_event_of_room(void);
void proto_event_of_its_ring(void);
void proto_any_ring(void);
void proto_size_tells(void);
void proto_size_impossible(void);
void proto_tag_echoed(void);
void proto_many_in_flight(void);
void proto_reply_fits_ring(void);

#endif
