/*
 * 9P calls for tests: session, fids, opening, reading, writing
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "call.h"

#define DEFAULT_MSIZE (256 * 1024)

bool call_send(const P9Call *call, P9Req *req)
{
    if (!p9_req_send(req)) {
        g_autofree char *why = call->fe->transport->why(call->fe->opaque);

        g_error("T%s, tag %u, ring %u: cannot be sent; %s",
                p9_type_name(req->type), req->tag, req->ring, why);
    }
    if (call->request_only) {
        return false;
    }
    if (call->rerror) {
        *call->rerror = p9_req_result(req);
        return !*call->rerror;
    }
    return p9_req_expect(req, call->expect_err);
}

P9Req *call_end(const P9Call *call, P9Req *req)
{
    if (call->request_only) {
        return req;
    }
    if (req->rx.bad) {
        g_error("R%s is too short: %u bytes", p9_type_name(req->type),
                req->rx.bytes->len);
    }
    p9_req_free(req);
    return NULL;
}

P9Req *p9_tversion(TVersion opt)
{
    g_autofree char *version = NULL;
    P9Req *req;

    opt.tag = opt.tag ? opt.tag : P9_TAG(P9_NOTAG);
    req = call_begin(&opt.call, P9_TVERSION);
    p9_pack(&req->tx, "ds", opt.msize ? opt.msize : DEFAULT_MSIZE,
            opt.version ? opt.version : "9P2000.L");
    if (call_send(&opt.call, req) &&
        p9_unpack(&req->rx, "ds", &opt.fe->msize, &version)) {
        opt.fe->dotl = !strcmp(version, "9P2000.L");
        if (opt.rmsize) {
            *opt.rmsize = opt.fe->msize;
        }
        if (opt.rversion) {
            *opt.rversion = g_steal_pointer(&version);
        }
    }
    return call_end(&opt.call, req);
}

P9Req *p9_tattach(TAttach opt)
{
    P9Req *req;

    if (!opt.fe->msize) {
        tversion({.fe = opt.fe, .msize = opt.msize, .version = opt.version});
    }
    req = call_begin(&opt.call, P9_TATTACH);
    p9_pack(&req->tx, "ddssd", opt.fid, P9_NOFID, or_empty(opt.uname),
            or_empty(opt.aname), opt.n_uname);
    if (call_send(&opt.call, req)) {
        p9_unpack(&req->rx, "Q", opt.rqid);
    }
    return call_end(&opt.call, req);
}

P9Req *p9_tflush(TFlush opt)
{
    P9Req *req = call_begin(&opt.call, P9_TFLUSH);

    p9_pack(&req->tx, "w", opt.oldtag);
    return call_run(&opt.call, req);
}

static uint16_t count_names(const char *const *names)
{
    uint16_t count = 0;

    while (names && names[count]) {
        count++;
    }
    return count;
}

P9Req *p9_twalk(TWalk opt)
{
    g_auto(GStrv) split = opt.path && *opt.path ?
                          g_strsplit(opt.path, "/", -1) : NULL;
    const char *const *names = split ? (const char *const *)split
                                     : opt.names;
    uint16_t count = count_names(names), nwqid = 0, i;
    P9Req *req = call_begin(&opt.call, P9_TWALK);

    p9_pack(&req->tx, "ddw", opt.fid, opt.newfid, count);
    for (i = 0; i < count; i++) {
        p9_pack(&req->tx, "s", names[i]);
    }
    if (call_send(&opt.call, req) && p9_unpack(&req->rx, "w", &nwqid)) {
        for (i = 0; i < nwqid && i < P9_MAX_WELEM; i++) {
            p9_unpack(&req->rx, "Q", opt.rwqids ? &opt.rwqids[i] : NULL);
        }
        if (opt.rnwqid) {
            *opt.rnwqid = nwqid;
        }
    }
    return call_end(&opt.call, req);
}

static P9Req *fid_call(TFid *opt, uint8_t type)
{
    P9Req *req = call_begin(&opt->call, type);

    p9_pack(&req->tx, "d", opt->fid);
    return call_run(&opt->call, req);
}

P9Req *p9_tclunk(TFid opt)
{
    return fid_call(&opt, P9_TCLUNK);
}

P9Req *p9_tremove(TFid opt)
{
    return fid_call(&opt, P9_TREMOVE);
}

/* Send what is packed and read the qid and iounit of an opened file. */
static P9Req *finish_open(const P9Call *call, P9Req *req, P9Qid *qid,
                          uint32_t *iounit)
{
    if (call_send(call, req)) {
        p9_unpack(&req->rx, "Qd", qid, iounit);
    }
    return call_end(call, req);
}

P9Req *p9_tlopen(TOpen opt)
{
    P9Req *req = call_begin(&opt.call, P9_TLOPEN);

    p9_pack(&req->tx, "dd", opt.fid, opt.flags);
    return finish_open(&opt.call, req, opt.rqid, opt.riounit);
}

P9Req *p9_topen(TOpen opt)
{
    P9Req *req = call_begin(&opt.call, P9_TOPEN);

    p9_pack(&req->tx, "db", opt.fid, opt.flags);
    return finish_open(&opt.call, req, opt.rqid, opt.riounit);
}

P9Req *p9_tlcreate(TCreate opt)
{
    P9Req *req = call_begin(&opt.call, P9_TLCREATE);

    p9_pack(&req->tx, "dsddd", opt.fid, or_empty(opt.name), opt.flags,
            opt.mode, opt.gid);
    return finish_open(&opt.call, req, opt.rqid, opt.riounit);
}

P9Req *p9_tcreate(TCreate opt)
{
    P9Req *req = call_begin(&opt.call, P9_TCREATE);

    p9_pack(&req->tx, "dsdbs", opt.fid, or_empty(opt.name), opt.mode,
            opt.flags, or_empty(opt.extension));
    return finish_open(&opt.call, req, opt.rqid, opt.riounit);
}

P9Req *p9_tread(TRead opt)
{
    P9Req *req = call_begin(&opt.call, P9_TREAD);
    const uint8_t *data;
    uint32_t count;

    p9_pack(&req->tx, "dqd", opt.fid, opt.offset, opt.count);
    if (call_send(&opt.call, req) &&
        p9_unpack(&req->rx, "D", &count, &data)) {
        if (count > opt.count) {
            g_error("Tread: asked for %u bytes, got %u", opt.count, count);
        }
        if (opt.data) {
            memcpy(opt.data, data, count);
        }
        if (opt.rcount) {
            *opt.rcount = count;
        }
    }
    return call_end(&opt.call, req);
}

P9Req *p9_twrite(TWrite opt)
{
    P9Req *req = call_begin(&opt.call, P9_TWRITE);

    p9_pack(&req->tx, "dqD", opt.fid, opt.offset, opt.count, opt.data);
    if (call_send(&opt.call, req)) {
        p9_unpack(&req->rx, "d", opt.rcount);
    }
    return call_end(&opt.call, req);
}

static void free_dirent(gpointer opaque)
{
    P9Dirent *entry = opaque;

    g_free(entry->name);
    g_free(entry);
}

GPtrArray *p9_dirents_new(void)
{
    return g_ptr_array_new_with_free_func(free_dirent);
}

static void read_dirents(P9Msg *msg, GPtrArray *entries)
{
    while (msg->pos < msg->bytes->len && !msg->bad) {
        P9Dirent *entry = g_new0(P9Dirent, 1);

        p9_unpack(msg, "Qqbs", &entry->qid, &entry->offset, &entry->type,
                  &entry->name);
        g_ptr_array_add(entries, entry);
    }
}

P9Req *p9_treaddir(TReaddir opt)
{
    P9Req *req = call_begin(&opt.call, P9_TREADDIR);
    uint32_t count;

    p9_pack(&req->tx, "dqd", opt.fid, opt.offset, opt.count);
    if (call_send(&opt.call, req) && p9_unpack(&req->rx, "d", &count)) {
        if (count > opt.count ||
            count != req->rx.bytes->len - req->rx.pos) {
            g_error("Treaddir: asked for %u bytes, got %u in %u", opt.count,
                    count, req->rx.bytes->len - req->rx.pos);
        }
        if (opt.entries) {
            read_dirents(&req->rx, opt.entries);
        }
        if (opt.rcount) {
            *opt.rcount = count;
        }
    }
    return call_end(&opt.call, req);
}

P9Req *p9_tfsync(TFsync opt)
{
    P9Req *req = call_begin(&opt.call, P9_TFSYNC);

    p9_pack(&req->tx, "dd", opt.fid, opt.datasync);
    return call_run(&opt.call, req);
}
