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

/*
 * The most of a directory that is listed at once: some 1,000 entries. The
 * server collects them before it writes the reply.
 */
#define LISTING             (32 * 1024)
/* size[4] type[1] tag[2] fid[4] offset[8] count[4] */
#define COUNT_AT            19

uint32_t xen_9p_message_bound(const uint8_t *msg, uint32_t len,
                              uint32_t limit)
{
    uint64_t bound;

    switch (msg[4]) {
    case P9_TREAD:
    case P9_TREADDIR:
        bound = len >= COUNT_AT + 4 ?
            11 + (uint64_t)ldl_le_p(msg + COUNT_AT) : 0;
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

void xen_9p_message_curb(uint8_t *msg, uint32_t len)
{
    if (msg[4] == P9_TREADDIR && len >= COUNT_AT + 4) {
        stl_le_p(msg + COUNT_AT, MIN(ldl_le_p(msg + COUNT_AT), LISTING));
    }
}

static void key_add(Xen9pOrderKey *key, const uint8_t *msg, uint32_t len,
                    uint32_t at, Xen9pUse use)
{
    if (at + 4 <= len) {
        key->fids[key->num].fid = ldl_le_p(msg + at);
        key->fids[key->num++].use = use;
    }
}

/* From one fid, at the message's first place, comes another one. */
static void key_walk(Xen9pOrderKey *key, const uint8_t *msg, uint32_t len)
{
    key_add(key, msg, len, 7, XEN_9P_USE_SHARED);
    key_add(key, msg, len, 11, XEN_9P_USE_ALONE);
    if (key->num == 2 && key->fids[0].fid == key->fids[1].fid) {
        key->num = 1;
        key->fids[0].use = XEN_9P_USE_ALONE;
    }
}

void xen_9p_message_key(const uint8_t *msg, uint32_t len, Xen9pOrderKey *key)
{
    *key = (Xen9pOrderKey) { 0 };
    switch (msg[4]) {
    case P9_TVERSION:
        key->session = true;
        break;
    case P9_TFLUSH:
    case P9_TAUTH:
        break;
    case P9_TWALK:
    case P9_TXATTRWALK:
        key_walk(key, msg, len);
        break;
    case P9_TATTACH:
    case P9_TOPEN:
    case P9_TLOPEN:
    case P9_TCREATE:
    case P9_TLCREATE:
    case P9_TXATTRCREATE:
    case P9_TREMOVE:
        key_add(key, msg, len, 7, XEN_9P_USE_ALONE);
        break;
    case P9_TCLUNK:
        key_add(key, msg, len, 7, XEN_9P_USE_CLUNKED);
        break;
    case P9_TREADDIR:
        key_add(key, msg, len, 7, XEN_9P_USE_LISTED);
        break;
    case P9_TRENAME:
        key_add(key, msg, len, 7, XEN_9P_USE_HELD);
        key_add(key, msg, len, 11, XEN_9P_USE_HELD);
        break;
    case P9_TRENAMEAT:
        key_add(key, msg, len, 7, XEN_9P_USE_HELD);
        if (len >= 13) {
            /* Behind a name. */
            key_add(key, msg, len, 13 + lduw_le_p(msg + 11), XEN_9P_USE_HELD);
        }
        break;
    case P9_TWSTAT:
        key_add(key, msg, len, 7, XEN_9P_USE_HELD);
        break;
    case P9_TLINK:
        key_add(key, msg, len, 7, XEN_9P_USE_SHARED);
        key_add(key, msg, len, 11, XEN_9P_USE_SHARED);
        break;
    default:
        key_add(key, msg, len, 7, XEN_9P_USE_SHARED);
    }
}

static void put_header(V9fsPDU *pdu, struct iovec *iov, unsigned num)
{
    v9fs_iov_marshal(iov, num, 0, 1, "dbw", pdu->size, pdu->id, pdu->tag);
}

/*
 * A request that was refused; or one of 9P2000.u: a Twstat that only syncs, or
 * a Tcreate that failed without an errno.
 */
bool xen_9p_message_mend(V9fsPDU *pdu, struct iovec *iov, unsigned num,
                         int err)
{
    if (pdu->id != P9_RWSTAT) {
        return xen_9p_message_error(pdu, iov, num, err);
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
