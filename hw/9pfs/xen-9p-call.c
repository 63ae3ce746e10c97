/*
 * Xen 9P backend: the calls of the file system that 9P messages make
 *
 * What of a message tells whether its calls can block, and the measuring of
 * those that run; xen-9p-dispatch.c decides.
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <linux/magic.h>
#include <sys/vfs.h>
#include "qemu/atomic.h"
#include "qemu/throttle.h"
#include "hw/9pfs/xen-9p-call.h"
#include "hw/9pfs/xen-9pfs.h"
#include "trace.h"

/*
 * A directory of more than a block has a hundred entries or more. Listing it
 * takes longer than a pass: the server makes an lstat(), and
 * the walk to it, for each of them.
 */
#define DIRECTORY_LARGE     4096

static Xen9pfsSession *session_of(V9fsPDU *pdu)
{
    return container_of(pdu->s, Xen9pfsSession, state);
}

/* Of a Tread, Twrite or Treaddir. All zeroes if it is malformed. */
typedef struct CallFields {
    uint32_t fid;
    uint64_t offset;
    uint32_t count;
} CallFields;

static bool fields_read(V9fsPDU *pdu, const char *fmt, ...)
{
    va_list ap;
    ssize_t ret;

    va_start(ap, fmt);
    ret = pdu->s->transport->pdu_vunmarshal(pdu, sizeof(P9MsgHeader), fmt, ap);
    va_end(ap);
    return ret >= 0;
}

static CallFields fields_of(V9fsPDU *pdu)
{
    CallFields fields = { 0 };

    if (!fields_read(pdu, "dqd", &fields.fid, &fields.offset,
                     &fields.count)) {
        return (CallFields) { 0 };
    }
    return fields;
}

/* Whether it returns only when the data are on the disk, or on their way. */
static bool write_is_synchronous(V9fsPDU *pdu, uint32_t fid)
{
    V9fsFidState *f = xen_9p_fid(pdu->s, fid);

    return (pdu->s->ctx.export_flags & V9FS_IMMEDIATE_WRITEOUT) ||
        (f && (f->open_flags & (O_SYNC | O_DSYNC | O_DIRECT)));
}

static bool directory_is_large(V9fsPDU *pdu, uint32_t fid)
{
    V9fsFidState *f = xen_9p_fid(pdu->s, fid);
    struct stat st;

    return f && f->fid_type == P9_FID_DIR && f->fs.dir.stream &&
        fstat(dirfd(f->fs.dir.stream), &st) == 0 &&
        st.st_size > DIRECTORY_LARGE;
}

/*
 * What the message says of the call: how much it moves, and whether it can
 * block for long whatever those before it did.
 */
static bool call_may_block(V9fsPDU *pdu, uint32_t *size)
{
    CallFields fields;

    *size = 0;
    switch (pdu->id) {
    case P9_TREAD:
        *size = fields_of(pdu).count;
        return false;
    case P9_TWRITE:
        fields = fields_of(pdu);
        *size = fields.count;
        return write_is_synchronous(pdu, fields.fid);
    case P9_TREADDIR:
        return directory_is_large(pdu, fields_of(pdu).fid);
    case P9_TFSYNC:
    case P9_TWSTAT: /* which is an fsync if it changes nothing */
    case 0: /* v9fs_reset(), the end of all fids */
        return true;
    default:
        /* Many are closed at once. */
        return pdu->s->reclaiming;
    }
}

/* Whether a fid is on another file system than the root's, or leads to one. */
static bool fid_leaves_root(Xen9pfsSession *session, const V9fsFidState *f,
                            bool beyond)
{
    /* What has no name any more (patches/0060) may have been anywhere. */
    return f && f->path.data && xen_9p_mounts_any(&session->mounts) &&
        (*f->path.data == '/' ||
         xen_9p_mounts_reached(&session->mounts, f->path.data, beyond));
}

/*
 * Whether a message's call may be on another file system than the root's. By
 * what its fids are, since names in these may lead there as well.
 */
static bool call_leaves_root(V9fsPDU *pdu)
{
    Xen9pfsSession *session = session_of(pdu);
    const Xen9pOrderKey *key = &session->admitted[pdu->idx].key;
    /* Of the file alone that a fid is. */
    bool alone = pdu->id == P9_TREAD || pdu->id == P9_TWRITE ||
        pdu->id == P9_TGETATTR || pdu->id == P9_TSETATTR;

    if (!xen_9p_mounts_any(&session->mounts)) {
        return false;
    }
    for (unsigned i = 0; i < key->num; i++) {
        if (fid_leaves_root(session, xen_9p_fid(pdu->s, key->fids[i].fid),
                            !alone)) {
            return true;
        }
    }
    return false;
}

/* ---- Calls ---- */

/* A worker begins a call. */
static void call_enter(V9fsCall *call)
{
    if (call->measured) {
        call->usage = xen_9p_usage_now();
        call->begin = get_clock();
    }
}

/* It has made it: the event loop can go on, and need not be told. */
static void call_leave(V9fsCall *call)
{
    bool slept;

    if (call->measured) {
        call->end = get_clock();
        if (call->end - call->begin > XEN_9P_DISPATCH_SLOW) {
            call->end = call->begin +
                xen_9p_usage_own(&call->usage, call->end - call->begin,
                                 &slept);
        }
    }
    qatomic_inc(call->done);
}

/* The same of a call in place, which is asked only now and then. */
static Xen9pDispatchSlept call_slept(Xen9pfsSession *session,
                                     const V9fsCall *call, int64_t *took)
{
    Xen9pUsage usage;
    bool slept, lost;

    if (call->dispatch.ask) {
        *took = xen_9p_usage_own(&call->usage, *took, &slept);
        return slept ? XEN_9P_SLEPT_YES : XEN_9P_SLEPT_NO;
    }
    if (*took <= XEN_9P_DISPATCH_SLOW) {
        return XEN_9P_SLEPT_UNKNOWN;
    }
    usage = xen_9p_usage_now();
    lost = usage.losses != session->usage.losses;
    session->usage = usage;
    return lost ? XEN_9P_SLEPT_MAYBE : XEN_9P_SLEPT_UNKNOWN;
}

/* It begins in place, or has returned: for who watches, in another thread. */
static void call_passes(Xen9pfsSession *session)
{
    qatomic_set(&session->calls_here, session->calls_here + 1);
}

bool xen_9pfs_call_begin(V9fsPDU *pdu, V9fsCall *call)
{
    Xen9pfsSession *session = session_of(pdu);
    Xen9pDispatch *d = &session->dispatch;
    Xen9pDispatchRule rule = XEN_9P_CALL_LEARN;
    uint32_t size = 0;

    call->begin = 0;
    call->enter = call_enter;
    call->leave = call_leave;
    call->done = &session->calls_done;
    if (d->mode == XEN_9P_DISPATCH_AUTO) {
        if (call_may_block(pdu, &size) || call_leaves_root(pdu)) {
            rule = XEN_9P_CALL_MAY_BLOCK;
        }
        call->begin = session->now;
    }
    if (pdu == session->pinned) {
        rule = XEN_9P_CALL_PINNED;
    }
    xen_9p_dispatch_begin(d, pdu->id, size, rule, call->begin,
                          &call->dispatch);
    call->measured = call->dispatch.class;
    if (call->dispatch.ask) {
        call->usage = session->usage = xen_9p_usage_now();
        call->begin = get_clock();
    }
    if (call->dispatch.here) {
        call_passes(session);
    }
    xen_9pfs_stat_add(call->dispatch.here ? &session->stats.calls_in_place
                                          : &session->stats.calls_in_workers,
                      1);
    return call->dispatch.here;
}

void xen_9pfs_call_end(V9fsPDU *pdu, V9fsCall *call)
{
    Xen9pfsSession *session = session_of(pdu);
    Xen9pDispatchSlept slept = XEN_9P_SLEPT_UNKNOWN;
    int64_t took = call->measured ? call->end - call->begin : 0;

    session->now = call->dispatch.here && call->measured ? call->end
                                                         : get_clock();
    if (!call->dispatch.here) {
        session->calls_ended++;
    } else {
        call_passes(session);
        if (call->measured) {
            slept = call_slept(session, call, &took);
        }
    }
    if (xen_9p_dispatch_end(&session->dispatch, &call->dispatch, took, slept,
                            session->now)) {
        trace_xen_9pfs_dispatch(session->name, pdu->id, took);
    }
}

bool xen_9pfs_call_ready(const Xen9pfsSession *session)
{
    return qatomic_read(&session->calls_done) != session->calls_ended;
}

bool xen_9pfs_call_pin(Xen9pfsSession *session, V9fsPDU *pdu, uint8_t type,
                       uint32_t fid, uint32_t count)
{
    V9fsState *s = &session->state;
    V9fsFidState *f = xen_9p_fid(pdu->s, fid);

    /*
     * Of an open file, which the server need not open again, and with no
     * limit of what may be read or written now.
     */
    if (f && f->fid_type == P9_FID_FILE && f->fs.fd != -1 &&
        !throttle_enabled(&s->ctx.fst->cfg) &&
        !(type == P9_TWRITE && write_is_synchronous(pdu, fid)) &&
        !fid_leaves_root(session, f, false) &&
        xen_9p_dispatch_here(&session->dispatch, type, count)) {
        session->pinned = pdu;
        return true;
    }
    return false;
}

/*
 * File systems that have nothing to wait for but a disk, or not even that. Any
 * other may be across a network (NFS, CIFS, Ceph), in another process (FUSE,
 * autofs), on top of one of these (overlayfs, ecryptfs), or have files whose
 * read waits for an event (procfs, tracefs): a call can hang for ever, however
 * fast it was before.
 */
static bool is_local(long type)
{
    switch ((unsigned long)type & UINT32_MAX) {
    case EXT4_SUPER_MAGIC:
    case BTRFS_SUPER_MAGIC:
    case XFS_SUPER_MAGIC:
    case F2FS_SUPER_MAGIC:
    case TMPFS_MAGIC:
    case RAMFS_MAGIC:
    case 0x2fc12fc1:            /* ZFS */
    case 0xca451a4e:            /* bcachefs */
    case 0x3153464a:            /* JFS */
    case REISERFS_SUPER_MAGIC:
    case NILFS_SUPER_MAGIC:
    case SQUASHFS_MAGIC:
    case EROFS_SUPER_MAGIC_V1:
    case ISOFS_SUPER_MAGIC:
    case UDF_SUPER_MAGIC:
    case MSDOS_SUPER_MAGIC:
    case EXFAT_SUPER_MAGIC:
        return true;
    default:
        return false;
    }
}

void xen_9pfs_call_init(Xen9pfsSession *session)
{
    struct statfs fs;

    xen_9p_mounts_open(&session->mounts, session->state.ctx.fs_root);
    if (session->dispatch.mode == XEN_9P_DISPATCH_AUTO &&
        statfs(session->state.ctx.fs_root, &fs) == 0 &&
        !is_local(fs.f_type)) {
        trace_xen_9pfs_remote(session->name, fs.f_type);
        session->dispatch.mode = XEN_9P_DISPATCH_WORKER;
    }
}
