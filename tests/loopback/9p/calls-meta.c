/*
 * 9P calls for tests: attributes and names
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "call.h"

P9Req *p9_tgetattr(TGetattr opt)
{
    P9Req *req = call_begin(&opt.call, P9_TGETATTR);
    P9Attr none, *a = opt.rattr ? opt.rattr : &none;

    p9_pack(&req->tx, "dq", opt.fid, opt.mask ? opt.mask : P9_GETATTR_BASIC);
    if (call_send(&opt.call, req)) {
        p9_unpack(&req->rx, "qQdddqqqqq", &a->valid, &a->qid, &a->mode,
                  &a->uid, &a->gid, &a->nlink, &a->rdev, &a->size,
                  &a->blksize, &a->blocks);
        p9_unpack(&req->rx, "qqqqqqqqqq", &a->atime_sec, &a->atime_nsec,
                  &a->mtime_sec, &a->mtime_nsec, &a->ctime_sec,
                  &a->ctime_nsec, &a->btime_sec, &a->btime_nsec, &a->gen,
                  &a->data_version);
    }
    return call_end(&opt.call, req);
}

P9Req *p9_tsetattr(TSetattr opt)
{
    P9Req *req = call_begin(&opt.call, P9_TSETATTR);

    p9_pack(&req->tx, "dddddqqqqq", opt.fid, opt.valid, opt.mode, opt.uid,
            opt.gid, opt.size, opt.atime_sec, opt.atime_nsec, opt.mtime_sec,
            opt.mtime_nsec);
    return call_run(&opt.call, req);
}

P9Req *p9_tstatfs(TStatfs opt)
{
    P9Req *req = call_begin(&opt.call, P9_TSTATFS);
    P9Statfs none, *s = opt.rstatfs ? opt.rstatfs : &none;

    p9_pack(&req->tx, "d", opt.fid);
    if (call_send(&opt.call, req)) {
        p9_unpack(&req->rx, "ddqqqqqqd", &s->type, &s->bsize, &s->blocks,
                  &s->bfree, &s->bavail, &s->files, &s->ffree, &s->fsid,
                  &s->namelen);
    }
    return call_end(&opt.call, req);
}

void p9_stat_clear(P9Stat *stat)
{
    g_clear_pointer(&stat->name, g_free);
    g_clear_pointer(&stat->uid, g_free);
    g_clear_pointer(&stat->gid, g_free);
    g_clear_pointer(&stat->muid, g_free);
    g_clear_pointer(&stat->extension, g_free);
}

P9Req *p9_tstat(TStat opt)
{
    P9Req *req = call_begin(&opt.call, P9_TSTAT);
    P9Stat none = { 0 }, *s = opt.rstat ? opt.rstat : &none;

    p9_pack(&req->tx, "d", opt.fid);
    if (call_send(&opt.call, req)) {
        /* Two sizes come first: of the field, and in it of the rest. */
        p9_unpack(&req->rx, "wwwdQdddq", NULL, NULL, &s->type, &s->dev,
                  &s->qid, &s->mode, &s->atime, &s->mtime, &s->length);
        p9_unpack(&req->rx, "sssssddd", &s->name, &s->uid, &s->gid,
                  &s->muid, &s->extension, &s->n_uid, &s->n_gid,
                  &s->n_muid);
    }
    p9_stat_clear(&none);
    return call_end(&opt.call, req);
}

P9Req *p9_twstat(TStat opt)
{
    P9Req *req = call_begin(&opt.call, P9_TWSTAT);
    const P9Stat *s = opt.stat;
    uint32_t start, size;

    p9_pack(&req->tx, "d", opt.fid);
    start = req->tx.bytes->len;
    p9_pack(&req->tx, "wwwdQdddq", 0, 0, s->type, s->dev, &s->qid, s->mode,
            s->atime, s->mtime, s->length);
    p9_pack(&req->tx, "sssssddd", or_empty(s->name), or_empty(s->uid),
            or_empty(s->gid), or_empty(s->muid), or_empty(s->extension),
            s->n_uid, s->n_gid, s->n_muid);
    size = req->tx.bytes->len - start - 2;
    req->tx.bytes->data[start] = size;
    req->tx.bytes->data[start + 1] = size >> 8;
    req->tx.bytes->data[start + 2] = size - 2;
    req->tx.bytes->data[start + 3] = (size - 2) >> 8;
    return call_run(&opt.call, req);
}

P9Req *p9_txattrwalk(TXattr opt)
{
    P9Req *req = call_begin(&opt.call, P9_TXATTRWALK);

    p9_pack(&req->tx, "dds", opt.fid, opt.newfid, or_empty(opt.name));
    if (call_send(&opt.call, req)) {
        p9_unpack(&req->rx, "q", opt.rsize);
    }
    return call_end(&opt.call, req);
}

P9Req *p9_txattrcreate(TXattr opt)
{
    P9Req *req = call_begin(&opt.call, P9_TXATTRCREATE);

    p9_pack(&req->tx, "dsqd", opt.fid, or_empty(opt.name), opt.size,
            opt.flags);
    return call_run(&opt.call, req);
}

P9Req *p9_tlock(TLock opt)
{
    P9Req *req = call_begin(&opt.call, P9_TLOCK);

    p9_pack(&req->tx, "dbdqqds", opt.fid, opt.type, opt.flags, opt.start,
            opt.length, opt.proc_id, or_empty(opt.client_id));
    if (call_send(&opt.call, req)) {
        p9_unpack(&req->rx, "b", opt.rstatus);
    }
    return call_end(&opt.call, req);
}

P9Req *p9_tgetlock(TLock opt)
{
    P9Req *req = call_begin(&opt.call, P9_TGETLOCK);

    p9_pack(&req->tx, "dbqqds", opt.fid, opt.type, opt.start, opt.length,
            opt.proc_id, or_empty(opt.client_id));
    if (call_send(&opt.call, req)) {
        p9_unpack(&req->rx, "b", opt.rtype);
    }
    return call_end(&opt.call, req);
}

/* Send what is packed and read the qid of what was made. */
static P9Req *finish_make(const TMake *opt, P9Req *req)
{
    if (call_send(&opt->call, req)) {
        p9_unpack(&req->rx, "Q", opt->rqid);
    }
    return call_end(&opt->call, req);
}

P9Req *p9_tmkdir(TMake opt)
{
    P9Req *req = call_begin(&opt.call, P9_TMKDIR);

    p9_pack(&req->tx, "dsdd", opt.dfid, or_empty(opt.name), opt.mode,
            opt.gid);
    return finish_make(&opt, req);
}

P9Req *p9_tmknod(TMake opt)
{
    P9Req *req = call_begin(&opt.call, P9_TMKNOD);

    p9_pack(&req->tx, "dsdddd", opt.dfid, or_empty(opt.name), opt.mode,
            opt.major, opt.minor, opt.gid);
    return finish_make(&opt, req);
}

P9Req *p9_tsymlink(TMake opt)
{
    P9Req *req = call_begin(&opt.call, P9_TSYMLINK);

    p9_pack(&req->tx, "dssd", opt.dfid, or_empty(opt.name),
            or_empty(opt.target), opt.gid);
    return finish_make(&opt, req);
}

P9Req *p9_tlink(TMake opt)
{
    P9Req *req = call_begin(&opt.call, P9_TLINK);

    p9_pack(&req->tx, "dds", opt.dfid, opt.fid, or_empty(opt.name));
    return call_run(&opt.call, req);
}

P9Req *p9_treadlink(TReadlink opt)
{
    P9Req *req = call_begin(&opt.call, P9_TREADLINK);

    p9_pack(&req->tx, "d", opt.fid);
    if (call_send(&opt.call, req)) {
        p9_unpack(&req->rx, "s", opt.rtarget);
    }
    return call_end(&opt.call, req);
}

P9Req *p9_trename(TRename opt)
{
    P9Req *req = call_begin(&opt.call, P9_TRENAME);

    p9_pack(&req->tx, "dds", opt.fid, opt.dfid, or_empty(opt.name));
    return call_run(&opt.call, req);
}

P9Req *p9_trenameat(TRename opt)
{
    P9Req *req = call_begin(&opt.call, P9_TRENAMEAT);

    p9_pack(&req->tx, "dsds", opt.dfid, or_empty(opt.name), opt.newdfid,
            or_empty(opt.newname));
    return call_run(&opt.call, req);
}

P9Req *p9_tunlinkat(TUnlinkat opt)
{
    P9Req *req = call_begin(&opt.call, P9_TUNLINKAT);

    p9_pack(&req->tx, "dsd", opt.dfid, or_empty(opt.name), opt.flags);
    return call_run(&opt.call, req);
}
