/*
 * The folder that the fuzzed device serves
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <fcntl.h>
#include <ftw.h>
#include <glib.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "share.h"

static int remove_one(const char *path, const struct stat *st, int type,
                      struct FTW *ftw)
{
    return remove(path);
}

/* Mode 0 does not stop root, but it does a fuzzer that has no privileges. */
static int open_up(const char *path, const struct stat *st, int type,
                   struct FTW *ftw)
{
    if (type == FTW_D || type == FTW_DNR) {
        chmod(path, 0700);
    }
    return 0;
}

void share_remove(const char *path)
{
    nftw(path, open_up, 16, FTW_PHYS);
    nftw(path, remove_one, 16, FTW_PHYS | FTW_DEPTH);
}

static void make_file(int dir, const char *name, size_t size)
{
    g_autofree char *data = g_malloc(size);
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL, 0644);

    memset(data, 'f', size);
    g_assert(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    close(fd);
}

void share_reset(const char *path)
{
    int dir;

    share_remove(path);
    g_assert(mkdir(path, 0755) == 0);
    dir = open(path, O_RDONLY | O_DIRECTORY);
    g_assert(dir >= 0);
    make_file(dir, "a", 10000);
    g_assert(mkdirat(dir, "d", 0755) == 0);
    make_file(dir, "d/b", 100);
    g_assert(symlinkat("a", dir, "l") == 0);
    close(dir);
}
