/*
 * Xen 9P backend: what a transport has to know of the messages it carries
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "qemu/iov.h"
#include "hw/9pfs/xen-9p-message.h"
#include "fsdev/9p-iov-marshal.h"

/* Room for a reply whose size the request does not decide. */
#define REPLY_SMALL         512
/* The same where a reply holds a path. */
#define REPLY_PATH          (PATH_MAX + REPLY_SMALL)

uint32_t xen_9p_message_bound(const uint8_t *msg, uint32_t len,
                              uint32_t limit)
{
    uint64_t bound;

    switch (msg[4]) {
    case P9_TREAD:
    case P9_TREADDIR:
        /* size[4] type[1] tag[2] fid[4] offset[8] count[4] */
        bound = len >= 23 ? 11 + (uint64_t)ldl_le_p(msg + 19) : 0;
        break;
    case P9_TSTAT:
    case P9_TREADLINK:
        bound = REPLY_PATH;
        break;
    case P9_TGETLOCK:
        /* Returns the client's own id string. */
        bound = (uint64_t)ldl_le_p(msg) + REPLY_SMALL;
        break;
    default:
        bound = 0;
    }
    return MIN(MAX(bound, REPLY_SMALL), limit);
}

static void put_header(V9fsPDU *pdu, struct iovec *iov, unsigned num)
{
    v9fs_iov_marshal(iov, num, 0, 1, "dbw", pdu->size, pdu->id, pdu->tag);
}

/*
 * A request of 9P2000.u: a Twstat that only syncs, or a Tcreate that failed
 * without an errno.
 */
bool xen_9p_message_mend(V9fsPDU *pdu, struct iovec *iov, unsigned num)
{
    if (pdu->id != P9_RWSTAT) {
        return xen_9p_message_error(pdu, iov, num, EINVAL);
    }
    pdu->size = sizeof(P9MsgHeader);
    put_header(pdu, iov, num);
    return true;
}

bool xen_9p_message_error(V9fsPDU *pdu, struct iovec *iov, unsigned num,
                          int err)
{
    /* size[4] type[1] tag[2] ename[s] errno[4] */
    const size_t fixed = sizeof(P9MsgHeader) + 2 + 4;
    size_t room = iov_size(iov, num);
    V9fsString why = { .data = strerror(err) };

    pdu->size = sizeof(P9MsgHeader);
    if (pdu->s->proto_version == V9FS_PROTO_2000L) {
        pdu->id = P9_RLERROR;
        pdu->size += v9fs_iov_marshal(iov, num, pdu->size, 1, "d", err);
    } else {
        if (room < fixed) {
            return false;
        }
        why.size = MIN(strlen(why.data), room - fixed);
        pdu->id = P9_RERROR;
        pdu->size += v9fs_iov_marshal(iov, num, pdu->size, 1, "sd", &why, err);
    }
    put_header(pdu, iov, num);
    return true;
}
