/*
 * Xen 9P backend: which requests the server gets, and when
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "qemu/error-report.h"
#include "hw/9pfs/xen-9p-admit.h"
#include "hw/9pfs/xen-9p-message.h"
#include "trace.h"

QEMU_BUILD_BUG_ON(XEN_9P_ORDER_REQUESTS != MAX_REQ);

/*
 * A Tread lists a directory in 9P2000.u, with calls that another one on the
 * same stream must not come between. (In 9P2000.L the server refuses it.)
 */
static bool lists_directory(V9fsState *s, const uint8_t *msg,
                            const Xen9pOrderKey *key)
{
    V9fsFidState *f;

    if (msg[4] != P9_TREAD || s->proto_version == V9FS_PROTO_2000L ||
        key->num == 0) {
        return false;
    }
    f = xen_9p_fid(s, key->fids[0].fid);
    return f && f->fid_type == P9_FID_DIR;
}

bool xen_9pfs_admit(Xen9pfsSession *session, unsigned ring, const uint8_t *msg,
                    uint32_t len, bool behind, bool owing,
                    Xen9pAdmission *admission)
{
    V9fsState *s = &session->state;
    Xen9pOrderKey *key = &admission->key;
    int ret;

    xen_9p_message_key(msg, len, key);
    if (lists_directory(s, msg, key)) {
        key->fids[0].use = XEN_9P_USE_LISTED;
    }
    if (!xen_9p_order_may(&session->order, ring, key, behind, owing)) {
        if (key->session) {
            xen_9pfs_session_hurry(session);
        }
        return false;
    }
    ret = xen_9p_limit_check(&session->limit, s, msg, len, &admission->claim);
    if (ret == -EAGAIN) {
        return false;
    }
    admission->err = -ret;
    if (ret < 0) {
        *key = (Xen9pOrderKey) { 0 };
        admission->claim = (Xen9pClaim) { 0 };
    }
    return true;
}

/* Once a session: the guest may go on asking. */
static void tell_operator(Xen9pfsSession *session)
{
    if (!session->limit.told) {
        session->limit.told = true;
        warn_report("%s: the guest has as many fids as it may, more are "
                    "refused; max-fids=%" PRId64 " is what it has",
                    session->name, session->limit.max_fids);
    }
}

static void refuse(Xen9pfsSession *session, V9fsPDU *pdu,
                   const P9MsgHeader *header, int err)
{
    pdu->id = header->id;
    pdu->tag = le16_to_cpu(header->tag_le);
    pdu->size = 0;
    trace_xen_9pfs_refuse(session->name, pdu->tag, pdu->id, err);
    if (err == ENFILE) {
        tell_operator(session);
    }
    session->state.transport->push_and_notify(pdu);
    pdu_free(pdu);
}

void xen_9pfs_submit(Xen9pfsSession *session, V9fsPDU *pdu,
                     const P9MsgHeader *header,
                     const Xen9pAdmission *admission)
{
    P9MsgHeader copy = *header;

    session->admitted[pdu->idx] = *admission;
    xen_9p_order_begin(&session->order, &session->admitted[pdu->idx].key);
    xen_9p_limit_begin(&session->limit, &admission->claim);
    xen_9pfs_stats_begin(&session->stats, &session->flights[pdu->idx],
                         header->id, le32_to_cpu(header->size_le),
                         admission->since, session->now);
    if (admission->err) {
        refuse(session, pdu, header, admission->err);
    } else {
        pdu_submit(pdu, &copy);
    }
    session->pinned = NULL;
}

void xen_9pfs_finished(Xen9pfsSession *session, V9fsPDU *pdu)
{
    const Xen9pAdmission *admission = &session->admitted[pdu->idx];
    Xen9pfsStats *stats = &session->stats;

    xen_9pfs_stats_end(stats, &session->flights[pdu->idx], pdu->size,
                       pdu->id == P9_RLERROR || pdu->id == P9_RERROR,
                       session->now);
    xen_9p_order_end(&session->order, &admission->key);
    xen_9p_limit_end(&session->limit, &session->state, &admission->claim);
    if (admission->key.session) {
        qatomic_set(&stats->msize, session->state.msize);
    }
    if (admission->claim.num) {
        qatomic_set(&stats->fids, g_hash_table_size(session->state.fids));
        qatomic_set(&stats->most_fids, session->limit.most_fids);
    }
}

bool xen_9pfs_mend(Xen9pfsSession *session, V9fsPDU *pdu, struct iovec *iov,
                   unsigned num)
{
    int err = session->admitted[pdu->idx].err;

    return xen_9p_message_mend(pdu, iov, num, err ?: EINVAL);
}

void xen_9pfs_fid_freed(V9fsState *s, V9fsFidState *f)
{
    Xen9pfsSession *session = container_of(s, Xen9pfsSession, state);

    qatomic_set(&session->stats.fids, g_hash_table_size(s->fids));
    xen_9p_limit_freed(&session->limit, f);
    xen_9p_iounit_give(&session->iounit, f->iounit);
}
