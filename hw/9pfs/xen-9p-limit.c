/*
 * Xen 9P backend: what a session may make QEMU keep for it
 *
 * Each fid has in f->held_* what was counted for it when a request that changes
 * it ended. A renamed folder changes the paths of any number of fids: for
 * these the most that it can be is added (limit->more), until counting them
 * one by one would make a difference.
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <linux/limits.h>
#include "qemu/bswap.h"
#include "qemu/units.h"
#include "hw/9pfs/xen-9p-limit.h"

/* Of blocks; and of what all may have, the part that large ones may. */
#define LARGE           256
#define LARGE_PART      4
#define LARGE_MIN       MiB
/* A fid in the hash table of fids. */
#define ENTRY           24
/* Of opendir(): glibc's buffer. */
#define STREAM          (32 * KiB + 64)
/* The most that an extended attribute or their list can be. */
#define XATTR           XATTR_SIZE_MAX

/* ---- What fids take ---- */

/* Memory of malloc(). */
static void add_block(Xen9pBytes *bytes, size_t size)
{
    size_t block = MAX(32, ROUND_UP(size + sizeof(size_t), 16));

    *(block > LARGE ? &bytes->large : &bytes->small) += block;
}

static void add(Xen9pBytes *to, Xen9pBytes bytes)
{
    to->small += bytes.small;
    to->large += bytes.large;
}

static void subtract(Xen9pBytes *from, Xen9pBytes bytes)
{
    from->small -= bytes.small;
    from->large -= bytes.large;
}

static void add_fid(Xen9pBytes *bytes, size_t path)
{
    bytes->small += ROUND_UP(sizeof(V9fsFidState) + 8, 16) + ENTRY;
    add_block(bytes, path);
}

static Xen9pBytes held_by(const V9fsFidState *f)
{
    Xen9pBytes bytes = { 0 };

    add_fid(&bytes, f->path.size);
    if (f->fid_type == P9_FID_DIR) {
        add_block(&bytes, STREAM);
    } else if (f->fid_type == P9_FID_XATTR) {
        add_block(&bytes, f->fs.xattr.len);
    }
    return bytes;
}

static Xen9pBytes counted(const V9fsFidState *f)
{
    return (Xen9pBytes) { f->held_small, f->held_large };
}

static void fid_count(Xen9pLimit *limit, V9fsFidState *f)
{
    Xen9pBytes now = held_by(f);

    subtract(&limit->held, counted(f));
    add(&limit->held, now);
    f->held_small = now.small;
    f->held_large = now.large;
    limit->longest = MAX(limit->longest, f->path.size);
}

/* Count the paths of all fids, since some of them may have been renamed. */
static void count_all(Xen9pLimit *limit, V9fsState *s)
{
    GHashTableIter iter;
    V9fsFidState *f;

    limit->held.large -= limit->more;
    limit->more = 0;
    limit->longest = 0;
    g_hash_table_iter_init(&iter, s->fids);
    while (g_hash_table_iter_next(&iter, NULL, (gpointer *)&f)) {
        fid_count(limit, f);
    }
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
    add_block(&claim->bytes, size);
    claim->fids[claim->num++] = fid;
}

static void claim_fid(Xen9pClaim *claim, uint32_t fid, size_t path)
{
    claim->makes_fid = true;
    add_fid(&claim->bytes, path);
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

    claim_block(claim, fid, path + STREAM);
    return err;
}

static bool is_below(const char *path, const char *folder, size_t len)
{
    return strncmp(path, folder, len) == 0 &&
        (path[len] == '\0' || path[len] == '/');
}

/*
 * How many bytes the paths at or below @old may take when they have become
 * longer. Returns: -ENAMETOOLONG if one of them would become too long.
 */
static int count_renamed(V9fsState *s, const char *old, size_t longer,
                         size_t *bytes)
{
    size_t len = strlen(old);
    GHashTableIter iter;
    V9fsFidState *f;

    *bytes = 0;
    g_hash_table_iter_init(&iter, s->fids);
    while (g_hash_table_iter_next(&iter, NULL, (gpointer *)&f)) {
        if (!f->path.data || !is_below(f->path.data, old, len)) {
            continue;
        }
        if (f->path.size + longer > PATH_MAX) {
            return -ENAMETOOLONG;
        }
        *bytes += ROUND_UP(f->path.size + longer + 8, 16);
    }
    return 0;
}

static bool exceeds(const Xen9pLimit *limit, const Xen9pClaim *claim,
                    bool asked);

/* What is at @old is to have a path of @size bytes with its 0. */
static int check_rename(Xen9pLimit *limit, V9fsState *s, const char *old,
                        size_t size, Xen9pClaim *claim)
{
    size_t before = strlen(old) + 1, longer, most;

    if (size > PATH_MAX) {
        return -ENAMETOOLONG;
    }
    if (size <= before) {
        return 0;
    }
    longer = size - before;
    most = ROUND_UP(limit->longest + longer + 8, 16);
    claim->renamed = most * g_hash_table_size(s->fids);
    claim->bytes.large = claim->renamed;
    if (limit->longest + longer > PATH_MAX || exceeds(limit, claim, true)) {
        int err = count_renamed(s, old, longer, &claim->renamed);

        claim->bytes.large = claim->renamed;
        return err;
    }
    return 0;
}

static int check_trename(Xen9pLimit *limit, V9fsState *s, Message *m,
                         Xen9pClaim *claim)
{
    V9fsFidState *f = xen_9p_fid(s, take32(m));
    uint32_t to = take32(m);
    size_t path;
    int err = check_name(s, to, take_name(m), &path);

    return err || !f || !f->path.data ? err :
        check_rename(limit, s, f->path.data, path, claim);
}

static int check_trenameat(Xen9pLimit *limit, V9fsState *s, Message *m,
                           Xen9pClaim *claim)
{
    V9fsFidState *f = xen_9p_fid(s, take32(m));
    const uint8_t *name;
    uint32_t len = take_string(m, &name), to = take32(m);
    g_autofree char *old = NULL;
    size_t path;
    int err = check_name(s, to, take_name(m), &path);

    if (err || len > NAME_MAX) {
        return -ENAMETOOLONG;
    }
    if (!f || !f->path.data || !name) {
        return 0;
    }
    old = g_strdup_printf("%s/%.*s", f->path.data, (int)len, name);
    return check_rename(limit, s, old, path, claim);
}

/* Of 9P2000.u, which renames in place. */
static int check_twstat(Xen9pLimit *limit, V9fsState *s, Message *m,
                        Xen9pClaim *claim)
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
    return check_rename(limit, s, f->path.data,
                        (last ? last - f->path.data + 1 : 0) + len + 1, claim);
}

static int check_xattrwalk(V9fsState *s, Message *m, Xen9pClaim *claim)
{
    uint32_t fid = take32(m), newfid = take32(m);
    uint32_t name = take_name(m);

    claim_fid(claim, newfid, path_of(s, fid));
    add_block(&claim->bytes, XATTR);
    return name > XATTR_NAME_MAX ? -ERANGE : 0;
}

static int check_xattrcreate(Message *m, Xen9pClaim *claim)
{
    uint32_t fid = take32(m), name = take_name(m);

    /* More than that the server does not take. */
    claim_block(claim, fid, MIN(take64(m), XATTR) + name);
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

static int check_message(Xen9pLimit *limit, V9fsState *s, uint8_t type,
                         Message *m, Xen9pClaim *claim)
{
    switch (type) {
    case P9_TATTACH:
        claim_fid(claim, take32(m), sizeof("."));
        return 0;
    case P9_TWALK:
        return check_walk(s, m, claim);
    case P9_TOPEN:
    case P9_TLOPEN:
        claim_block(claim, take32(m), STREAM);
        return 0;
    case P9_TCREATE:
    case P9_TLCREATE:
        return check_create(s, m, claim);
    case P9_TXATTRWALK:
        return check_xattrwalk(s, m, claim);
    case P9_TXATTRCREATE:
        return check_xattrcreate(m, claim);
    case P9_TRENAME:
        return check_trename(limit, s, m, claim);
    case P9_TRENAMEAT:
        return check_trenameat(limit, s, m, claim);
    case P9_TWSTAT:
        return check_twstat(limit, s, m, claim);
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

/* ---- The limit ---- */

/* With or without what requests in flight have asked for. */
static bool exceeds(const Xen9pLimit *limit, const Xen9pClaim *claim,
                    bool asked)
{
    size_t most = limit->max_fids * XEN_9P_LIMIT_FID_BYTES;
    size_t large = MAX(most / LARGE_PART, LARGE_MIN);
    Xen9pBytes bytes = limit->held;

    add(&bytes, claim->bytes);
    if (asked) {
        add(&bytes, limit->asked);
    }
    return (claim->bytes.small && bytes.small > most) ||
        (claim->bytes.large && bytes.large > large);
}

static bool too_many(const Xen9pLimit *limit, V9fsState *s,
                     const Xen9pClaim *claim, bool asked)
{
    return exceeds(limit, claim, asked) ||
        (claim->makes_fid && g_hash_table_size(s->fids) +
         (asked ? limit->fids_asked : 0) >= limit->max_fids);
}

/* Most requests do. */
static bool claims_nothing(const Xen9pClaim *claim)
{
    return claim->num == 0 && claim->renamed == 0;
}

int xen_9p_limit_check(Xen9pLimit *limit, V9fsState *s, const uint8_t *msg,
                       uint32_t len, Xen9pClaim *claim)
{
    Message m = { msg + sizeof(P9MsgHeader), len - sizeof(P9MsgHeader) };
    int err;

    *claim = (Xen9pClaim) { 0 };
    if (msg[4] != P9_TWRITE && len < (uint32_t)ldl_le_p(msg)) {
        return -EMSGSIZE;
    }
    err = check_message(limit, s, msg[4], &m, claim);
    if (err || claims_nothing(claim) || !too_many(limit, s, claim, true)) {
        return err;
    }
    if (limit->more) {
        count_all(limit, s);
    }
    if (too_many(limit, s, claim, false)) {
        return -ENFILE;
    }
    return too_many(limit, s, claim, true) ? -EAGAIN : 0;
}

void xen_9p_limit_begin(Xen9pLimit *limit, const Xen9pClaim *claim)
{
    if (claims_nothing(claim)) {
        return;
    }
    add(&limit->asked, claim->bytes);
    limit->fids_asked += claim->makes_fid;
}

void xen_9p_limit_end(Xen9pLimit *limit, V9fsState *s,
                      const Xen9pClaim *claim)
{
    if (claims_nothing(claim)) {
        return;
    }
    subtract(&limit->asked, claim->bytes);
    limit->fids_asked -= claim->makes_fid;
    if (claim->renamed) {
        limit->more += claim->renamed;
        limit->held.large += claim->renamed;
        limit->longest = PATH_MAX;
    }
    limit->most_fids = MAX(limit->most_fids, g_hash_table_size(s->fids));
    for (unsigned i = 0; i < claim->num; i++) {
        V9fsFidState *f = xen_9p_fid(s, claim->fids[i]);

        if (f) {
            fid_count(limit, f);
        }
    }
}

void xen_9p_limit_freed(Xen9pLimit *limit, const V9fsFidState *f)
{
    subtract(&limit->held, counted(f));
}
