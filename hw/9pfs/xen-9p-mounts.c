/*
 * Xen 9P backend: which of the host's files are on other file systems
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <glib-unix.h>
#include "qemu/atomic.h"
#include "hw/9pfs/xen-9p-mounts.h"

#define MOUNTINFO "/proc/self/mountinfo"

/* The kernel's list, for all shares of this process. */
static struct {
    unsigned users;
    unsigned generation;        /* counts its changes; atomic */
    int fd;
    guint watch;
} list = { .fd = -1 };

/* The descriptor has an exceptional condition when the list has changed. */
static gboolean list_changed(gint fd G_GNUC_UNUSED,
                             GIOCondition condition G_GNUC_UNUSED,
                             gpointer opaque G_GNUC_UNUSED)
{
    qatomic_set(&list.generation, list.generation + 1);
    return G_SOURCE_CONTINUE;
}

static void list_open(void)
{
    if (list.users++ == 0) {
        list.fd = open(MOUNTINFO, O_RDONLY | O_CLOEXEC);
        list.watch = list.fd < 0 ? 0 :
            g_unix_fd_add(list.fd, G_IO_PRI, list_changed, NULL);
    }
}

static void list_close(void)
{
    if (--list.users == 0 && list.fd >= 0) {
        g_source_remove(list.watch);
        close(list.fd);
        list.fd = -1;
    }
}

/* The kernel's \ooo, in place. */
static void unescape(char *text)
{
    char *to = text;

    for (const char *at = text; *at; at++) {
        if (at[0] == '\\' && at[1] && at[2] && at[3]) {
            *to++ = (at[1] - '0') * 64 + (at[2] - '0') * 8 + (at[3] - '0');
            at += 3;
        } else {
            *to++ = *at;
        }
    }
    *to = '\0';
}

/* "36 35 98:0 /root /mount/point options ...": the fifth word of each line. */
static void read_list(Xen9pMounts *mounts)
{
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;
    size_t len;

    g_ptr_array_set_size(mounts->below, 0);
    if (!mounts->root || !g_file_get_contents(MOUNTINFO, &text, NULL, NULL)) {
        return;
    }
    len = g_str_equal(mounts->root, "/") ? 0 : strlen(mounts->root);
    lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line; line++) {
        g_auto(GStrv) words = g_strsplit(*line, " ", 6);

        if (g_strv_length(words) < 6) {
            continue;
        }
        unescape(words[4]);
        if (strncmp(words[4], mounts->root, len) == 0 &&
            words[4][len] == '/' && words[4][len + 1]) {
            g_ptr_array_add(mounts->below,
                            g_strdup_printf(".%s", words[4] + len));
        }
    }
}

void xen_9p_mounts_init(Xen9pMounts *mounts)
{
    list_open();
    mounts->watched = true;
}

void xen_9p_mounts_fini(Xen9pMounts *mounts)
{
    if (mounts->watched) {
        list_close();
    }
    if (mounts->below) {
        g_ptr_array_unref(mounts->below);
    }
    free(mounts->root);
    *mounts = (Xen9pMounts) { 0 };
}

void xen_9p_mounts_open(Xen9pMounts *mounts, const char *root)
{
    mounts->root = realpath(root, NULL);
    mounts->below = g_ptr_array_new_with_free_func(g_free);
    mounts->generation = qatomic_read(&list.generation);
    read_list(mounts);
}

bool xen_9p_mounts_any(Xen9pMounts *mounts)
{
    unsigned generation = qatomic_read(&list.generation);

    if (mounts->generation != generation) {
        mounts->generation = generation;
        read_list(mounts);
    }
    return mounts->below->len > 0;
}

static bool is_at_or_below(const char *path, const char *folder)
{
    size_t len = strlen(folder);

    return strncmp(path, folder, len) == 0 &&
        (path[len] == '\0' || path[len] == '/');
}

bool xen_9p_mounts_reached(const Xen9pMounts *mounts, const char *path,
                           bool beyond)
{
    for (unsigned i = 0; i < mounts->below->len; i++) {
        const char *mount = g_ptr_array_index(mounts->below, i);

        if (is_at_or_below(path, mount) ||
            (beyond && is_at_or_below(mount, path))) {
            return true;
        }
    }
    return false;
}
