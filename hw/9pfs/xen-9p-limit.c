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

/* Of what all blocks may have, the part that large ones may. */
#define LARGE_PART      4
#define LARGE_MIN       MiB

/* ---- What fids take ---- */

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

static Xen9pBytes held_by(const V9fsFidState *f)
{
    Xen9pBytes bytes = { 0 };

    xen_9p_bytes_add_fid(&bytes, f->path.size);
    if (f->fid_type == P9_FID_DIR) {
        xen_9p_bytes_add_block(&bytes, XEN_9P_BYTES_STREAM);
    } else if (f->fid_type == P9_FID_XATTR) {
        xen_9p_bytes_add_block(&bytes, f->fs.xattr.len);
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

/* Most requests do. */
static bool claims_nothing(const Xen9pClaim *claim)
{
    return claim->num == 0 && claim->renamed == 0;
}

int xen_9p_limit_check(Xen9pLimit *limit, V9fsState *s, const uint8_t *msg,
                       uint32_t len, Xen9pClaim *claim)
{
    Xen9pRename rename = { 0 };
    int err = xen_9p_claim(s, msg, len, claim, &rename);

    if (!err && rename.old) {
        err = check_rename(limit, s, rename.old, rename.size, claim);
    }
    g_free(rename.old);
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
