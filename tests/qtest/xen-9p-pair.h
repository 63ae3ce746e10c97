/*
 * Xen 9P tests: two requests at once, on one fid or on two of one file
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef XEN_9P_PAIR_H
#define XEN_9P_PAIR_H

#include "xen-9p-session.h"

/* How long something may take that is not to wait for anything. */
#define PAIR_MS 10000

/*
 * pair_wait: for a reply, whatever it says; returns its error, and forgets
 *     the request. One that does not come ends the test.
 * pair_flush: send a Tflush of @old and wait for it. Forgets @old; returns
 *     whether that was answered.
 * pair_hold: whether calls of a kind wait.
 * pair_session: a further session, by a Tversion: no fid but 0 is left.
 */
uint32_t pair_wait(P9Req *req);
bool pair_flush(Session *s, P9Req *old);
void pair_hold(Session *s, LoopFsCall call, bool hold);
void pair_session(Session *s);

/* xen-9p-pair-table.c: every request beside every other */
void pair_file(Session *s);
void pair_file_open(Session *s);
void pair_folder(Session *s);
void pair_folder_open(Session *s);
void pair_twins(Session *s);
void pair_makers(Session *s);
void pair_dotu(Session *s);

/* xen-9p-pair-path.c: what renames do to fids, and long paths */
void pair_create_walk(Session *s);
void pair_walk_rename(Session *s);
void pair_walk_itself_rename(Session *s);
void pair_create_rename(Session *s);
void pair_rename_all(Session *s);
void pair_path_longest(Session *s);
void pair_path_grows(Session *s);
void pair_long_link(Session *s);

/* xen-9p-pair-open.c: descriptors, which are scarce in some of these */
void pair_close_flushed(Session *s);
void pair_closedir_flushed(Session *s);
void pair_flush_high_tag(Session *s);
void pair_number_again(Session *s);
void pair_rename_attribute(Session *s);
void pair_reopen_once(Session *s);
void pair_reopen_keeps(Session *s);
void pair_reopen_fails(Session *s);
void pair_rename_reclaimed(Session *s);
void pair_renameat_reclaimed(Session *s);

#endif
