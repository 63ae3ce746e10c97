/*
 * What a guest can do with a share, over every number and size of rings
 *
 * Each case is run over 1, 2, 4 and 8 rings of order 1, 5 and 9; requests
 * take the rings in turn. tests/loopback/fixture.h says which backend.
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "xen-9p-cases.h"

/* Over every set-up. */
static const Case cases[] = {
    { "version/basic", case_version_basic },
    { "version/unknown", case_version_unknown },
    { "version/small", case_version_small },
    { "version/resets", case_version_resets },
    { "attach/basic", case_attach_basic },
    { "attach/in-use", case_attach_in_use },
    { "walk/basic", case_walk_basic },
    { "walk/too-deep", case_walk_too_deep },
    { "walk/none", case_walk_none },
    { "walk/bad-names", case_walk_bad_names },
    { "walk/dotdot", case_walk_dotdot },
    { "walk/non-existent", case_walk_non_existent },
    { "walk/fids", case_walk_fids },
    { "clunk/basic", case_clunk },
    { "flush/finished", case_flush },
    { "unknown-call", case_unknown_call },
    { "lopen/basic", case_lopen_basic },
    { "lopen/flags", case_lopen_flags },
    { "lopen/errors", case_lopen_errors },
    { "lopen/special", case_lopen_special },
    { "lcreate/basic", case_lcreate_basic },
    { "lcreate/errors", case_lcreate_errors },
    { "read/whole", case_read_whole },
    { "read/parts", case_read_parts },
    { "read/too-much", case_read_too_much },
    { "read/errors", case_read_errors },
    { "write/whole", case_write_whole },
    { "write/parts", case_write_parts },
    { "write/sizes", case_write_sizes },
    { "write/errors", case_write_errors },
    { "fsync", case_fsync },
    { "lock", case_lock },
    { "getlock", case_getlock },
    { "use-after-unlink", case_use_after_unlink },
    { "readdir/basic", case_readdir_basic },
    { "readdir/split", case_readdir_split },
    { "readdir/seek", case_readdir_seek },
    { "readdir/names", case_readdir_names },
    { "readdir/errors", case_readdir_errors },
    { "readdir/too-much", case_readdir_too_much },
    { "getattr/basic", case_getattr_basic },
    { "getattr/kinds", case_getattr_kinds },
    { "setattr/mode", case_setattr_mode },
    { "setattr/owner", case_setattr_owner },
    { "setattr/size", case_setattr_size },
    { "setattr/times", case_setattr_times },
    { "setattr/ctime", case_setattr_ctime },
    { "statfs", case_statfs },
    { "xattr/set", case_xattr_set },
    { "xattr/get", case_xattr_get },
    { "xattr/errors", case_xattr_errors },
    { "mkdir/basic", case_mkdir },
    { "mkdir/errors", case_mkdir_errors },
    { "symlink/basic", case_symlink },
    { "symlink/long", case_symlink_long },
    { "symlink/errors", case_symlink_errors },
    { "link", case_link },
    { "mknod/basic", case_mknod },
    { "mknod/device", case_mknod_device },
    { "rename", case_rename },
    { "renameat/basic", case_renameat },
    { "renameat/errors", case_renameat_errors },
    { "unlinkat/basic", case_unlinkat },
    { "unlinkat/errors", case_unlinkat_errors },
    { "remove", case_remove },
    { "dotu/read", case_dotu_read, CASE_DOTU | CASE_NINE },
    { "dotu/write", case_dotu_write, CASE_DOTU | CASE_NINE },
    { "dotu/stat", case_dotu_stat, CASE_DOTU | CASE_NINE },
    { "dotu/errors", case_dotu_errors, CASE_DOTU | CASE_NINE },
    { "dotu/read-dir", case_dotu_read_dir, CASE_DOTU },
    { "dotu/create-kinds", case_dotu_create_kinds, CASE_DOTU },
    { "dotu/wstat", case_dotu_wstat, CASE_DOTU },
    { "dotu/remove", case_dotu_remove, CASE_DOTU },
};

static const unsigned ring_counts[] = { 1, 2, 4, 8 };
static const uint32_t ring_orders[] = { 1, 5, 9 };

/* Over one set-up: they are long, or what they are about is not a ring. */
static const Setup usual = { .rings = 2, .order = 5 };
static const Setup readonly = {
    .rings = 2, .order = 5,
    .more = (const char *const[]) { "readonly", "on", NULL },
};
static const Setup few_xattrs = {
    .rings = 2, .order = 5,
    .more = (const char *const[]) { "max_xattr", "16", NULL },
};
static const Setup any_xattrs = {
    .rings = 2, .order = 5,
    .more = (const char *const[]) { "max_xattr", "0", NULL },
};

static const struct {
    Case test;
    const Setup *setup;
} single[] = {
    { { "clunk/many-fids", case_many_fids }, &usual },
    { { "deep-path", case_deep_path }, &usual },
    { { "dotu/stat-root", case_dotu_stat_root, CASE_DOTU | CASE_NINE },
      &usual },
    { { "dotu/create-mode", case_dotu_create_mode, CASE_DOTU | CASE_NINE },
      &usual },
    { { "dotu/create-device", case_dotu_create_device, CASE_DOTU }, &usual },
    { { "dotu/wstat-sync", case_dotu_wstat_sync, CASE_DOTU }, &usual },
    { { "readonly", case_model_readonly, CASE_OURS }, &readonly },
    { { "xattr-limit/default", case_xattr_limit_default }, &usual },
    { { "xattr-limit/custom", case_xattr_limit_custom, CASE_OURS },
      &few_xattrs },
    { { "xattr-limit/unlimited", case_xattr_limit_unlimited, CASE_OURS },
      &any_xattrs },
};

/* Over every security model. */
static const Case model_cases[] = {
    { "model/attributes", case_model_attributes },
    { "model/kinds", case_model_kinds },
    { "model/names", case_model_names },
};

static const Setup models[] = {
    { 2, 5, .model = "none" },
    { 2, 5, .model = "passthrough" },
    { 2, 5, .model = "mapped-xattr" },
    { 2, 5, .model = "mapped-file" },
};

static void add_matrix(void)
{
    static Setup setups[G_N_ELEMENTS(ring_counts)]
                       [G_N_ELEMENTS(ring_orders)];
    unsigned test, i, j;

    for (i = 0; i < G_N_ELEMENTS(ring_counts); i++) {
        for (j = 0; j < G_N_ELEMENTS(ring_orders); j++) {
            setups[i][j] = (Setup) {
                .rings = ring_counts[i], .order = ring_orders[j],
            };
            for (test = 0; test < G_N_ELEMENTS(cases); test++) {
                session_add("9p", &cases[test], &setups[i][j]);
            }
        }
    }
}

int main(int argc, char **argv)
{
    unsigned test, i;

    g_test_init(&argc, &argv, NULL);
    add_matrix();
    for (test = 0; test < G_N_ELEMENTS(single); test++) {
        session_add("9p", &single[test].test, single[test].setup);
    }
    for (test = 0; test < G_N_ELEMENTS(model_cases); test++) {
        for (i = 0; i < G_N_ELEMENTS(models); i++) {
            session_add("9p", &model_cases[test], &models[i]);
        }
    }
    return g_test_run();
}
