/*
 * Xen 9P tests: the cases, by the file that has them
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef XEN_9P_CASES_H
#define XEN_9P_CASES_H

#include "xen-9p-session.h"

/* xen-9p-fid-cases.c */
void case_version_basic(Session *s);
void case_version_unknown(Session *s);
void case_version_small(Session *s);
void case_version_resets(Session *s);
void case_attach_basic(Session *s);
void case_attach_in_use(Session *s);
void case_walk_basic(Session *s);
void case_walk_too_deep(Session *s);
void case_walk_none(Session *s);
void case_walk_bad_names(Session *s);
void case_walk_dotdot(Session *s);
void case_walk_non_existent(Session *s);
void case_walk_fids(Session *s);
void case_clunk(Session *s);
void case_many_fids(Session *s);
void case_flush(Session *s);
void case_unknown_call(Session *s);

/* xen-9p-io-cases.c */
void case_lopen_basic(Session *s);
void case_lopen_flags(Session *s);
void case_lopen_errors(Session *s);
void case_lopen_special(Session *s);
void case_lcreate_basic(Session *s);
void case_lcreate_errors(Session *s);
void case_read_whole(Session *s);
void case_read_parts(Session *s);
void case_read_too_much(Session *s);
void case_read_errors(Session *s);
void case_write_whole(Session *s);
void case_write_parts(Session *s);
void case_write_sizes(Session *s);
void case_write_errors(Session *s);
void case_fsync(Session *s);
void case_lock(Session *s);
void case_getlock(Session *s);
void case_use_after_unlink(Session *s);

/* xen-9p-dir-cases.c */
void case_readdir_basic(Session *s);
void case_readdir_split(Session *s);
void case_readdir_seek(Session *s);
void case_readdir_names(Session *s);
void case_readdir_errors(Session *s);
void case_readdir_too_much(Session *s);

/* xen-9p-attr-cases.c */
void case_getattr_basic(Session *s);
void case_getattr_kinds(Session *s);
void case_setattr_mode(Session *s);
void case_setattr_owner(Session *s);
void case_setattr_size(Session *s);
void case_setattr_times(Session *s);
void case_setattr_ctime(Session *s);
void case_statfs(Session *s);
void case_xattr_set(Session *s);
void case_xattr_get(Session *s);
void case_xattr_errors(Session *s);
void case_xattr_limit_default(Session *s);
void case_xattr_limit_custom(Session *s);
void case_xattr_limit_unlimited(Session *s);

/* xen-9p-name-cases.c */
void case_mkdir(Session *s);
void case_mkdir_errors(Session *s);
void case_deep_path(Session *s);
void case_symlink(Session *s);
void case_symlink_long(Session *s);
void case_symlink_errors(Session *s);
void case_link(Session *s);
void case_mknod(Session *s);
void case_mknod_device(Session *s);
void case_rename(Session *s);
void case_renameat(Session *s);
void case_renameat_errors(Session *s);
void case_unlinkat(Session *s);
void case_unlinkat_errors(Session *s);
void case_remove(Session *s);

/* xen-9p-dotu-cases.c */
void case_dotu_read(Session *s);
void case_dotu_write(Session *s);
void case_dotu_stat(Session *s);
void case_dotu_stat_root(Session *s);
void case_dotu_create_mode(Session *s);
void case_dotu_errors(Session *s);
void case_dotu_read_dir(Session *s);
void case_dotu_create_kinds(Session *s);
void case_dotu_wstat(Session *s);
void case_dotu_wstat_sync(Session *s);
void case_dotu_create_device(Session *s);
void case_dotu_remove(Session *s);

/* xen-9p-model-cases.c */
void case_model_attributes(Session *s);
void case_model_kinds(Session *s);
void case_model_names(Session *s);
void case_model_readonly(Session *s);

#endif
