/*
 * Xen 9P backend: which of the host's files are on other file systems
 *
 * A call that leaves the file system of a share's root may hang for as long as
 * another one does, however fast those before it were. The kernel tells what is
 * mounted, and when that changes.
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_9PFS_XEN_9P_MOUNTS_H
#define HW_9PFS_XEN_9P_MOUNTS_H

/* What is mounted below a folder. */
typedef struct Xen9pMounts {
    char *root;                 /* the folder, an absolute path */
    bool watched;               /* the list is, for this */
    unsigned generation;        /* of what is in ... */
    GPtrArray *below;           /* ... this: paths as fids have them, "./a/b" */
} Xen9pMounts;

/**
 * xen_9p_mounts_init: have the main loop watch what is mounted
 * @mounts: all zeroes
 *
 * In the main thread.
 */
void xen_9p_mounts_init(Xen9pMounts *mounts);

/**
 * xen_9p_mounts_fini: free it; may be called twice, or on zeroes
 * @mounts: what xen_9p_mounts_init() has filled in
 *
 * In the main thread.
 */
void xen_9p_mounts_fini(Xen9pMounts *mounts);

/**
 * xen_9p_mounts_open: be ready to tell what is mounted below a folder
 * @mounts: what xen_9p_mounts_init() has filled in
 * @root: the folder; this looks at it, which can take for ever
 */
void xen_9p_mounts_open(Xen9pMounts *mounts, const char *root);

/**
 * xen_9p_mounts_any: whether anything is mounted below the folder
 * @mounts: of the folder
 *
 * Looks at the kernel's list again if the main loop knows that it has changed.
 * Where there is no list, nothing is known to be.
 */
bool xen_9p_mounts_any(Xen9pMounts *mounts);

/**
 * xen_9p_mounts_reached: whether a path leads to another file system
 * @mounts: of the folder, which has any
 * @path: a path as fids have it
 * @beyond: whether names below it are looked at, too
 *
 * Returns: true if it is at or below a mount point, or with @beyond above one.
 */
bool xen_9p_mounts_reached(const Xen9pMounts *mounts, const char *path,
                           bool beyond);

#endif
