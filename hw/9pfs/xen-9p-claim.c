/*
 * Xen 9P backend: what a request may make the server keep
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <linux/limits.h>
#include "qemu/bswap.h"
#include "hw/9pfs/xen-9p-claim.h"

/* Of blocks: those that do not fit where small ones were freed. */
#define LARGE           256

void xen_9p_bytes_add_block(Xen9pBytes *bytes, size_t size)
{
    size_t block = MAX(32, ROUND_UP(size + sizeof(size_t), 16));

    *(block > LARGE ? &bytes->large : &bytes->small) += block;
}

void xen_9p_bytes_add_fid(Xen9pBytes *bytes, size_t path)
{
    bytes->small += XEN_9P_BYTES_FID;
    xen_9p_bytes_add_block(bytes, path);
}

/* ---- What messages say ---- */

/* A message that is being read. Past its end there are zeroes. */
typedef struct Message {
    const uint8_t *at;
    uint32_t left;
} Message;

static const uint8_t *take(Message *m, uint32_t len)
{
    const uint8_t *at = m->at;

    if (len > m->left) {
        m->left = 0;
        return NULL;
    }
    m->at += len;
    m->left -= len;
    return at;
}

static uint32_t take16(Message *m)
{
    const uint8_t *at = take(m, 2);

    return at ? lduw_le_p(at) : 0;
}

static uint32_t take32(Message *m)
{
    const uint8_t *at = take(m, 4);

    return at ? ldl_le_p(at) : 0;
}

static uint64_t take64(Message *m)
{
    const uint8_t *at = take(m, 8);

    return at ? ldq_le_p(at) : 0;
}

/* A string: its length, with its bytes at *@at. */
static uint32_t take_string(Message *m, const uint8_t **at)
{
    uint32_t len = take16(m);

    *at = take(m, len);
    return *at ? len : 0;
}

/* A name in a folder: its length, or more than NAME_MAX, which none has. */
static uint32_t take_name(Message *m)
{
    const uint8_t *at;

    return take_string(m, &at);
}

/* ---- Requests ---- */

static size_t path_of(V9fsState *s, uint32_t fid)
{
    V9fsFidState *f = xen_9p_fid(s, fid);

    return f ? f->path.size : 0;
}

/* A block of memory for a fid that there is. */
static void claim_block(Xen9pClaim *claim, uint32_t fid, size_t size)
{
    xen_9p_bytes_add_block(&claim->bytes, size);
    claim->fids[claim->num++] = fid;
}

static void claim_fid(Xen9pClaim *claim, uint32_t fid, size_t path)
{
    claim->makes_fid = true;
    xen_9p_bytes_add_fid(&claim->bytes, path);
    claim->fids[claim->num++] = fid;
}

static int check_walk(V9fsState *s, Message *m, Xen9pClaim *claim)
{
    uint32_t fid = take32(m), newfid = take32(m), names = take16(m);
    size_t path = path_of(s, fid);

    for (uint32_t i = 0; i < MIN(names, P9_MAXWELEM); i++) {
        const uint8_t *name;
        uint32_t len = take_string(m, &name);

        if (len > NAME_MAX) {
            return -ENAMETOOLONG;
        }
        if (len != 2 || memcmp(name, "..", 2) != 0) {
            path += len + 1;
        }
    }
    if (path > PATH_MAX) {
        return -ENAMETOOLONG;
    }
    if (fid == newfid) {
        claim_block(claim, fid, path);
    } else {
        claim_fid(claim, newfid, path);
    }
    return 0;
}

/* A new name in the folder that a fid is. */
static int check_name(V9fsState *s, uint32_t fid, uint32_t len, size_t *path)
{
    *path = path_of(s, fid) + 1 + len;
    return len > NAME_MAX || *path > PATH_MAX ? -ENAMETOOLONG : 0;
}

static int check_create(V9fsState *s, Message *m, Xen9pClaim *claim)
{
    uint32_t fid = take32(m);
    size_t path;
    int err = check_name(s, fid, take_name(m), &path);

    claim_block(claim, fid, path + XEN_9P_BYTES_STREAM);
    return err;
}

static int check_trename(V9fsState *s, Message *m, Xen9pRename *rename)
{
    V9fsFidState *f = xen_9p_fid(s, take32(m));
    uint32_t to = take32(m);
    int err = check_name(s, to, take_name(m), &rename->size);

    if (!err && f) {
        rename->old = g_strdup(f->path.data);
    }
    return err;
}

static int check_trenameat(V9fsState *s, Message *m, Xen9pRename *rename)
{
    V9fsFidState *f = xen_9p_fid(s, take32(m));
    const uint8_t *name;
    uint32_t len = take_string(m, &name), to = take32(m);
    int err = check_name(s, to, take_name(m), &rename->size);

    if (err || len > NAME_MAX) {
        return -ENAMETOOLONG;
    }
    if (f && f->path.data && name) {
        rename->old = g_strdup_printf("%s/%.*s", f->path.data, (int)len, name);
    }
    return 0;
}

/* Of 9P2000.u, which renames in place. */
static int check_twstat(V9fsState *s, Message *m, Xen9pRename *rename)
{
    V9fsFidState *f = xen_9p_fid(s, take32(m));
    const char *last;
    uint32_t len;

    /* n[2] size[2] type[2] dev[4] qid[13] mode, atime, mtime[4] length[8] */
    take(m, 2 + 2 + 2 + 4 + 13 + 3 * 4 + 8);
    len = take_name(m);
    if (len > NAME_MAX) {
        return -ENAMETOOLONG;
    }
    if (len == 0 || !f || !f->path.data) {
        return 0;
    }
    last = strrchr(f->path.data, '/');
    rename->old = g_strdup(f->path.data);
    rename->size = (last ? last - f->path.data + 1 : 0) + len + 1;
    return 0;
}

static int check_xattrwalk(V9fsState *s, Message *m, Xen9pClaim *claim)
{
    uint32_t fid = take32(m), newfid = take32(m);
    uint32_t name = take_name(m);

    claim_fid(claim, newfid, path_of(s, fid));
    xen_9p_bytes_add_block(&claim->bytes, XATTR_SIZE_MAX);
    return name > XATTR_NAME_MAX ? -ERANGE : 0;
}

static int check_xattrcreate(Message *m, Xen9pClaim *claim)
{
    uint32_t fid = take32(m), name = take_name(m);

    /* More than that the server does not take. */
    claim_block(claim, fid, MIN(take64(m), XATTR_SIZE_MAX) + name);
    return name > XATTR_NAME_MAX ? -ERANGE : 0;
}

/* A name is made, looked for or removed, and no fid gets its path. */
static int check_other_name(V9fsState *s, uint32_t fid, Message *m)
{
    size_t path;

    return check_name(s, fid, take_name(m), &path);
}

static int check_symlink(V9fsState *s, Message *m)
{
    int err = check_other_name(s, take32(m), m);
    const uint8_t *target;

    return err ?: take_string(m, &target) >= PATH_MAX ? -ENAMETOOLONG : 0;
}

static int check_message(V9fsState *s, uint8_t type, Message *m,
                         Xen9pClaim *claim, Xen9pRename *rename)
{
    switch (type) {
    case P9_TATTACH:
        claim_fid(claim, take32(m), sizeof("."));
        return 0;
    case P9_TWALK:
        return check_walk(s, m, claim);
    case P9_TOPEN:
    case P9_TLOPEN:
        claim_block(claim, take32(m), XEN_9P_BYTES_STREAM);
        return 0;
    case P9_TCREATE:
    case P9_TLCREATE:
        return check_create(s, m, claim);
    case P9_TXATTRWALK:
        return check_xattrwalk(s, m, claim);
    case P9_TXATTRCREATE:
        return check_xattrcreate(m, claim);
    case P9_TRENAME:
        return check_trename(s, m, rename);
    case P9_TRENAMEAT:
        return check_trenameat(s, m, rename);
    case P9_TWSTAT:
        return check_twstat(s, m, rename);
    case P9_TSYMLINK:
        return check_symlink(s, m);
    case P9_TMKDIR:
    case P9_TMKNOD:
    case P9_TUNLINKAT:
        return check_other_name(s, take32(m), m);
    case P9_TLINK: {
        uint32_t dfid = take32(m);

        take32(m);
        return check_other_name(s, dfid, m);
    }
    default:
        return 0;
    }
}

int xen_9p_claim(V9fsState *s, const uint8_t *msg, uint32_t len,
                 Xen9pClaim *claim, Xen9pRename *rename)
{
    Message m = { msg + sizeof(P9MsgHeader), len - sizeof(P9MsgHeader) };

    *claim = (Xen9pClaim) { 0 };
    if (msg[4] != P9_TWRITE && len < (uint32_t)ldl_le_p(msg)) {
        return -EMSGSIZE;
    }
    return check_message(s, msg[4], &m, claim, rename);
}
