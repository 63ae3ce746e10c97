/*
 * 9P calls for tests, one function an operation:
 *
 *     twalk({.fe = fe, .fid = 0, .newfid = 1, .names = {"a", "b"}});
 *     tlopen({.fe = fe, .fid = 1, .expect_err = ENOENT});
 *
 * A call sends, waits, checks that the reply is what is expected, and fills
 * in the results (r...) that are asked for; anything else ends the test with
 * a message. With .request_only it returns the request as soon as it is
 * sent; the caller reads its reply with p9_req_expect() and p9_unpack() and
 * frees it. Otherwise it returns NULL.
 *
 * Where a field is left out it is zero; fid 0 is the root by habit.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LOOPBACK_9P_CALLS_H
#define LOOPBACK_9P_CALLS_H

#include "client.h"
#include "proto.h"

/* For .ring and .tag: leave out what the client is to choose. */
#define P9_RING(number) ((number) + 1)
#define P9_TAG(number) ((number) + 1)

#define P9_CALL_FIELDS                                                   \
    P9Client *fe;                                                        \
    uint32_t expect_err;        /* an errno; 0: it has to succeed */     \
    uint32_t *rerror;           /* instead: take what comes, 0 if none */\
    bool request_only;                                                   \
    unsigned ring;              /* P9_RING(n) */                         \
    unsigned tag                /* P9_TAG(n) */

typedef struct P9Call {
    P9_CALL_FIELDS;
} P9Call;

/* The same fields by name, and as one. */
#define P9_CALL                                                          \
    union {                                                              \
        struct {                                                         \
            P9_CALL_FIELDS;                                              \
        };                                                               \
        P9Call call;                                                     \
    }

/* What Rgetattr says. */
typedef struct P9Attr {
    uint64_t valid;
    P9Qid qid;
    uint32_t mode, uid, gid;
    uint64_t nlink, rdev, size, blksize, blocks;
    uint64_t atime_sec, atime_nsec, mtime_sec, mtime_nsec;
    uint64_t ctime_sec, ctime_nsec, btime_sec, btime_nsec;
    uint64_t gen, data_version;
} P9Attr;

typedef struct P9Statfs {
    uint32_t type, bsize;
    uint64_t blocks, bfree, bavail, files, ffree, fsid;
    uint32_t namelen;
} P9Statfs;

/* One entry of a directory; its name is the list's. */
typedef struct P9Dirent {
    P9Qid qid;
    uint64_t offset;
    uint8_t type;
    char *name;
} P9Dirent;

/* What Rstat says, and Twstat takes: 9P2000.u. Names are to be freed. */
typedef struct P9Stat {
    uint16_t type;
    uint32_t dev;
    P9Qid qid;
    uint32_t mode, atime, mtime;
    uint64_t length;
    char *name, *uid, *gid, *muid, *extension;
    uint32_t n_uid, n_gid, n_muid;
} P9Stat;

void p9_stat_clear(P9Stat *stat);

/* A list of P9Dirent, to be unreferenced. */
GPtrArray *p9_dirents_new(void);

/* --- Session --- */

/* Sets the client's msize and dialect from the reply. */
typedef struct TVersion {
    P9_CALL;
    uint32_t msize;             /* [256 KiB] */
    const char *version;        /* ["9P2000.L"] */
    uint32_t *rmsize;
    char **rversion;            /* to be freed */
} TVersion;
P9Req *p9_tversion(TVersion opt);
#define tversion(...) p9_tversion((TVersion) __VA_ARGS__)

/* Runs tversion first, unless the client has an msize. */
typedef struct TAttach {
    P9_CALL;
    uint32_t fid;
    const char *uname, *aname;  /* [""] */
    uint32_t n_uname;
    uint32_t msize;             /* of tversion */
    const char *version;        /* of tversion */
    P9Qid *rqid;
} TAttach;
P9Req *p9_tattach(TAttach opt);
#define tattach(...) p9_tattach((TAttach) __VA_ARGS__)

typedef struct TFlush {
    P9_CALL;
    uint16_t oldtag;
} TFlush;
P9Req *p9_tflush(TFlush opt);
#define tflush(...) p9_tflush((TFlush) __VA_ARGS__)

/* --- Fids --- */

typedef struct TWalk {
    P9_CALL;
    uint32_t fid, newfid;
    const char *names[P9_MAX_WELEM + 1];    /* up to the first NULL */
    const char *path;                       /* instead: "a/b/c" */
    uint16_t *rnwqid;
    P9Qid *rwqids;                          /* room for P9_MAX_WELEM */
} TWalk;
P9Req *p9_twalk(TWalk opt);
#define twalk(...) p9_twalk((TWalk) __VA_ARGS__)

typedef struct TFid {
    P9_CALL;
    uint32_t fid;
} TFid;
P9Req *p9_tclunk(TFid opt);
P9Req *p9_tremove(TFid opt);
#define tclunk(...) p9_tclunk((TFid) __VA_ARGS__)
#define tremove(...) p9_tremove((TFid) __VA_ARGS__)

/* --- Opening, reading, writing --- */

typedef struct TOpen {
    P9_CALL;
    uint32_t fid;
    uint32_t flags;             /* tlopen: P9_DOTL_*; topen: P9_O* */
    P9Qid *rqid;
    uint32_t *riounit;
} TOpen;
P9Req *p9_tlopen(TOpen opt);
P9Req *p9_topen(TOpen opt);
#define tlopen(...) p9_tlopen((TOpen) __VA_ARGS__)
#define topen(...) p9_topen((TOpen) __VA_ARGS__)

typedef struct TCreate {
    P9_CALL;
    uint32_t fid;
    const char *name;
    uint32_t flags;             /* as for TOpen */
    uint32_t mode;              /* of tcreate: perm */
    uint32_t gid;               /* .L */
    const char *extension;      /* .u [""] */
    P9Qid *rqid;
    uint32_t *riounit;
} TCreate;
P9Req *p9_tlcreate(TCreate opt);
P9Req *p9_tcreate(TCreate opt);
#define tlcreate(...) p9_tlcreate((TCreate) __VA_ARGS__)
#define tcreate(...) p9_tcreate((TCreate) __VA_ARGS__)

typedef struct TRead {
    P9_CALL;
    uint32_t fid;
    uint64_t offset;
    uint32_t count;
    void *data;                 /* room for @count; or NULL */
    uint32_t *rcount;
} TRead;
P9Req *p9_tread(TRead opt);
#define tread(...) p9_tread((TRead) __VA_ARGS__)

typedef struct TWrite {
    P9_CALL;
    uint32_t fid;
    uint64_t offset;
    uint32_t count;
    const void *data;
    uint32_t *rcount;
} TWrite;
P9Req *p9_twrite(TWrite opt);
#define twrite(...) p9_twrite((TWrite) __VA_ARGS__)

typedef struct TReaddir {
    P9_CALL;
    uint32_t fid;
    uint64_t offset;
    uint32_t count;
    GPtrArray *entries;         /* appended to; or NULL */
    uint32_t *rcount;
} TReaddir;
P9Req *p9_treaddir(TReaddir opt);
#define treaddir(...) p9_treaddir((TReaddir) __VA_ARGS__)

typedef struct TFsync {
    P9_CALL;
    uint32_t fid;
    uint32_t datasync;
} TFsync;
P9Req *p9_tfsync(TFsync opt);
#define tfsync(...) p9_tfsync((TFsync) __VA_ARGS__)

/* --- Attributes --- */

typedef struct TGetattr {
    P9_CALL;
    uint32_t fid;
    uint64_t mask;              /* [P9_GETATTR_BASIC] */
    P9Attr *rattr;
} TGetattr;
P9Req *p9_tgetattr(TGetattr opt);
#define tgetattr(...) p9_tgetattr((TGetattr) __VA_ARGS__)

typedef struct TSetattr {
    P9_CALL;
    uint32_t fid;
    uint32_t valid, mode, uid, gid;
    uint64_t size, atime_sec, atime_nsec, mtime_sec, mtime_nsec;
} TSetattr;
P9Req *p9_tsetattr(TSetattr opt);
#define tsetattr(...) p9_tsetattr((TSetattr) __VA_ARGS__)

typedef struct TStatfs {
    P9_CALL;
    uint32_t fid;
    P9Statfs *rstatfs;
} TStatfs;
P9Req *p9_tstatfs(TStatfs opt);
#define tstatfs(...) p9_tstatfs((TStatfs) __VA_ARGS__)

typedef struct TStat {
    P9_CALL;
    uint32_t fid;
    P9Stat *rstat;              /* tstat: filled in, to be cleared */
    const P9Stat *stat;         /* twstat */
} TStat;
P9Req *p9_tstat(TStat opt);
P9Req *p9_twstat(TStat opt);
#define tstat(...) p9_tstat((TStat) __VA_ARGS__)
#define twstat(...) p9_twstat((TStat) __VA_ARGS__)

typedef struct TXattr {
    P9_CALL;
    uint32_t fid, newfid;       /* newfid: of txattrwalk */
    const char *name;           /* [""] */
    uint64_t size;              /* of txattrcreate */
    uint32_t flags;             /* of txattrcreate */
    uint64_t *rsize;            /* of txattrwalk */
} TXattr;
P9Req *p9_txattrwalk(TXattr opt);
P9Req *p9_txattrcreate(TXattr opt);
#define txattrwalk(...) p9_txattrwalk((TXattr) __VA_ARGS__)
#define txattrcreate(...) p9_txattrcreate((TXattr) __VA_ARGS__)

typedef struct TLock {
    P9_CALL;
    uint32_t fid;
    uint8_t type;               /* P9_LOCK_TYPE_* */
    uint32_t flags;             /* tlock only */
    uint64_t start, length;
    uint32_t proc_id;
    const char *client_id;      /* [""] */
    uint8_t *rstatus;           /* tlock */
    uint8_t *rtype;             /* tgetlock */
} TLock;
P9Req *p9_tlock(TLock opt);
P9Req *p9_tgetlock(TLock opt);
#define tlock(...) p9_tlock((TLock) __VA_ARGS__)
#define tgetlock(...) p9_tgetlock((TLock) __VA_ARGS__)

/* --- Names --- */

typedef struct TMake {
    P9_CALL;
    uint32_t dfid;
    const char *name;
    uint32_t mode;              /* tmkdir, tmknod */
    uint32_t major, minor;      /* tmknod */
    const char *target;         /* tsymlink */
    uint32_t fid;               /* tlink: of the file */
    uint32_t gid;
    P9Qid *rqid;
} TMake;
P9Req *p9_tmkdir(TMake opt);
P9Req *p9_tmknod(TMake opt);
P9Req *p9_tsymlink(TMake opt);
P9Req *p9_tlink(TMake opt);
#define tmkdir(...) p9_tmkdir((TMake) __VA_ARGS__)
#define tmknod(...) p9_tmknod((TMake) __VA_ARGS__)
#define tsymlink(...) p9_tsymlink((TMake) __VA_ARGS__)
#define tlink(...) p9_tlink((TMake) __VA_ARGS__)

typedef struct TReadlink {
    P9_CALL;
    uint32_t fid;
    char **rtarget;             /* to be freed */
} TReadlink;
P9Req *p9_treadlink(TReadlink opt);
#define treadlink(...) p9_treadlink((TReadlink) __VA_ARGS__)

typedef struct TRename {
    P9_CALL;
    uint32_t fid;               /* trename: of the file */
    uint32_t dfid, newdfid;     /* trename: dfid is where to */
    const char *name, *newname; /* trename: name is the new one */
} TRename;
P9Req *p9_trename(TRename opt);
P9Req *p9_trenameat(TRename opt);
#define trename(...) p9_trename((TRename) __VA_ARGS__)
#define trenameat(...) p9_trenameat((TRename) __VA_ARGS__)

typedef struct TUnlinkat {
    P9_CALL;
    uint32_t dfid;
    const char *name;
    uint32_t flags;             /* P9_DOTL_AT_REMOVEDIR */
} TUnlinkat;
P9Req *p9_tunlinkat(TUnlinkat opt);
#define tunlinkat(...) p9_tunlinkat((TUnlinkat) __VA_ARGS__)

#endif
