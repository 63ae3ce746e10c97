/*
 * Xen 9P tests: every request beside every other, on one fid
 *
 * Each pair is sent at once, on two rings, and then again with the first one
 * flushed. What each of them says is open, but both are answered, or flushed;
 * and the backend has nothing left of them.
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdio.h>

#include "xen-9p-pair.h"

/* The fids of a pair: of the share's "pair", two of "it" in there, others. */
enum { PARENT = 1, IT, TWIN, CLONE, XATTR };

/* What calls take longer, in us, so that many are under way at once. */
#define DELAY_US 100

/* At the pair's fid, or at the folder that it is in. */
#define AT .fe = s->fe, .fid = fid, .ring = P9_RING(ring), \
    .tag = ring_tag(s->fe, ring), .request_only = true
#define NEAR .fe = s->fe, .ring = P9_RING(ring), \
    .tag = ring_tag(s->fe, ring), .request_only = true

static P9Req *do_lopen(Session *s, uint32_t fid, unsigned ring)
{
    return tlopen({AT, .flags = P9_DOTL_RDWR});
}

static P9Req *do_lcreate(Session *s, uint32_t fid, unsigned ring)
{
    return tlcreate({AT, .name = "new", .flags = P9_DOTL_RDWR, .mode = 0644});
}

static P9Req *do_xattrcreate(Session *s, uint32_t fid, unsigned ring)
{
    return txattrcreate({AT, .name = "user.pair", .size = 4});
}

static P9Req *do_clunk(Session *s, uint32_t fid, unsigned ring)
{
    return tclunk({AT});
}

static P9Req *do_remove(Session *s, uint32_t fid, unsigned ring)
{
    return tremove({AT});
}

static P9Req *do_read(Session *s, uint32_t fid, unsigned ring)
{
    return tread({AT, .count = 1000});
}

static P9Req *do_write(Session *s, uint32_t fid, unsigned ring)
{
    return twrite({AT, .count = 4, .data = "pair"});
}

static P9Req *do_readdir(Session *s, uint32_t fid, unsigned ring)
{
    return treaddir({AT, .count = 1000});
}

static P9Req *do_getattr(Session *s, uint32_t fid, unsigned ring)
{
    return tgetattr({AT});
}

static P9Req *do_setattr(Session *s, uint32_t fid, unsigned ring)
{
    return tsetattr({AT, .valid = P9_SETATTR_MODE, .mode = 0755});
}

static P9Req *do_clone(Session *s, uint32_t fid, unsigned ring)
{
    return twalk({AT, .newfid = CLONE});
}

static P9Req *do_step(Session *s, uint32_t fid, unsigned ring)
{
    return twalk({AT, .newfid = fid, .path = "in"});
}

static P9Req *do_rename(Session *s, uint32_t fid, unsigned ring)
{
    return trename({AT, .dfid = PARENT, .name = "moved"});
}

static P9Req *do_renameat(Session *s, uint32_t fid G_GNUC_UNUSED,
                           unsigned ring)
{
    return trenameat({NEAR, .dfid = PARENT, .name = "it", .newdfid = PARENT,
                      .newname = "moved"});
}

static P9Req *do_unlinkat(Session *s, uint32_t fid G_GNUC_UNUSED,
                           unsigned ring)
{
    return tunlinkat({NEAR, .dfid = PARENT, .name = "it"});
}

static P9Req *do_xattrwalk(Session *s, uint32_t fid, unsigned ring)
{
    return txattrwalk({AT, .newfid = XATTR});
}

static P9Req *do_open(Session *s, uint32_t fid, unsigned ring)
{
    return topen({AT, .flags = P9_OREAD});
}

static P9Req *do_create(Session *s, uint32_t fid, unsigned ring)
{
    return tcreate({AT, .name = "new", .flags = P9_ORDWR, .mode = 0644});
}

static P9Req *do_mkdir(Session *s, uint32_t fid, unsigned ring)
{
    return tcreate({AT, .name = "new", .mode = P9_DMDIR | 0755});
}

static P9Req *do_stat(Session *s, uint32_t fid, unsigned ring)
{
    return tstat({AT});
}

typedef struct Op {
    const char *name;
    P9Req *(*send)(Session *s, uint32_t fid, unsigned ring);
    bool maker;                 /* it says what its fid is from then on */
} Op;

static const Op dotl[] = {
    { "Tlopen", do_lopen, true },
    { "Tlcreate", do_lcreate, true },
    { "Txattrcreate", do_xattrcreate, true },
    { "Tclunk", do_clunk },
    { "Tremove", do_remove },
    { "Tread", do_read },
    { "Twrite", do_write },
    { "Treaddir", do_readdir },
    { "Tgetattr", do_getattr },
    { "Tsetattr", do_setattr },
    { "Twalk", do_clone },
    { "Twalk onto itself", do_step },
    { "Trename", do_rename },
    { "Trenameat", do_renameat },
    { "Tunlinkat", do_unlinkat },
    { "Txattrwalk", do_xattrwalk },
};

static const Op dotu[] = {
    { "Topen", do_open, true },
    { "Tcreate", do_create, true },
    { "Tcreate of a folder", do_mkdir, true },
    { "Tclunk", do_clunk },
    { "Tremove", do_remove },
    { "Tread", do_read },
    { "Twrite", do_write },
    { "Tstat", do_stat },
    { "Twalk", do_clone },
    { "Twalk onto itself", do_step },
};

typedef struct Pairs {
    const Op *ops;
    unsigned count;
    bool folder, open;
    bool makers;                /* two makers only, or else no two */
    bool twins;                 /* on two fids of one file, not on one */
} Pairs;

/* "pair" and "it" as at first, whatever the last pair has made of them. */
static void reset_host(Session *s, bool folder)
{
    static const char *const all[] = {
        "pair/it/in", "pair/it/new", "pair/moved/in", "pair/moved/new",
        "pair/it", "pair/moved",
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(all); i++) {
        g_autofree char *path = host_path(s, all[i]);

        remove(path);
    }
    host_file(s, folder ? "pair/it/in" : "pair/it", "some text");
}

static void forget_fids(Session *s)
{
    static const uint32_t fids[] = { PARENT, IT, TWIN, CLONE, XATTR };

    for (unsigned i = 0; i < G_N_ELEMENTS(fids); i++) {
        pair_wait(tclunk({.fe = s->fe, .fid = fids[i],
                          .request_only = true}));
    }
}

static void find_it(Session *s, const Pairs *pairs, uint32_t fid)
{
    if (pairs->open) {
        open_at(s, fid, "pair/it",
                s->fe->dotl && !pairs->folder ? P9_DOTL_RDWR : 0);
    } else {
        twalk({.fe = s->fe, .fid = 0, .newfid = fid, .path = "pair/it"});
    }
}

static void run_pair(Session *s, const Pairs *pairs, const Op *a, const Op *b,
                     bool flush)
{
    P9Req *first, *second;

    reset_host(s, pairs->folder);
    twalk({.fe = s->fe, .fid = 0, .newfid = PARENT, .path = "pair"});
    find_it(s, pairs, IT);
    if (pairs->twins) {
        find_it(s, pairs, TWIN);
    }
    first = a->send(s, IT, 0);
    second = b->send(s, pairs->twins ? TWIN : IT, 1);
    if (flush) {
        pair_flush(s, first);
    } else {
        pair_wait(first);
    }
    pair_wait(second);
    forget_fids(s);
}

static void run_pairs(Session *s, const Pairs *pairs)
{
    unsigned i, j, rounds = 0;

    loop_fs_watch(s->f->loop, s->f->backend_pid);
    for (unsigned slow = 0; slow < 2; slow++) {
        for (unsigned call = 0; call < LOOP_FS_CALLS; call++) {
            loop_fs_delay(s->f->loop, call, slow ? DELAY_US : 0, 0);
        }
        for (i = 0; i < pairs->count; i++) {
            for (j = 0; j < pairs->count; j++) {
                const Op *a = &pairs->ops[i], *b = &pairs->ops[j];

                if (!pairs->open && !pairs->twins &&
                    (a->maker && b->maker) != pairs->makers) {
                    continue;
                }
                run_pair(s, pairs, a, b, false);
                run_pair(s, pairs, a, b, true);
                rounds += 2;
            }
            g_assert_true(fixture_alive(s->f));
        }
    }
    /* A further session. */
    pair_session(s);
    tstatfs({.fe = s->fe, .fid = 0});
    g_test_message("%u pairs", rounds);
}

void pair_file(Session *s)
{
    run_pairs(s, &(Pairs) { dotl, G_N_ELEMENTS(dotl) });
}

void pair_file_open(Session *s)
{
    run_pairs(s, &(Pairs) { dotl, G_N_ELEMENTS(dotl), .open = true });
}

void pair_folder(Session *s)
{
    run_pairs(s, &(Pairs) { dotl, G_N_ELEMENTS(dotl), .folder = true });
}

void pair_folder_open(Session *s)
{
    run_pairs(s, &(Pairs) { dotl, G_N_ELEMENTS(dotl), .folder = true,
                            .open = true });
}

void pair_twins(Session *s)
{
    for (unsigned i = 0; i < 4; i++) {
        run_pairs(s, &(Pairs) { dotl, G_N_ELEMENTS(dotl), .folder = i & 1,
                                .open = i & 2, .twins = true });
    }
}

void pair_makers(Session *s)
{
    unsigned round;

    for (round = 0; round < 20; round++) {
        run_pairs(s, &(Pairs) { dotl, G_N_ELEMENTS(dotl), .makers = true });
        run_pairs(s, &(Pairs) { dotl, G_N_ELEMENTS(dotl), .folder = true,
                                .makers = true });
    }
}

void pair_dotu(Session *s)
{
    run_pairs(s, &(Pairs) { dotu, G_N_ELEMENTS(dotu) });
    run_pairs(s, &(Pairs) { dotu, G_N_ELEMENTS(dotu), .open = true });
    run_pairs(s, &(Pairs) { dotu, G_N_ELEMENTS(dotu), .folder = true });
    run_pairs(s, &(Pairs) { dotu, G_N_ELEMENTS(dotu), .folder = true,
                            .open = true });
}
