/*
 * Loopback Xen: the backend's own calls of the file system, on their way
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
/* The names are those that a program with 64-bit file offsets calls. */
#undef _FILE_OFFSET_BITS
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../core/fs.h"
#include "shim.h"

/* The C library's function of that name, once the call may go on. */
#define REAL(name, kind)                                \
    ({                                                  \
        static typeof(&name) real;                      \
        if (!real) {                                    \
            real = (typeof(&name))dlsym(RTLD_NEXT, #name); \
        }                                               \
        loop_fs_call(shim_loop(), kind);                \
        real;                                           \
    })

int fstatat64(int dirfd, const char *path, struct stat64 *st, int flags)
{
    return REAL(fstatat64, LOOP_FS_STAT)(dirfd, path, st, flags);
}

int openat64(int dirfd, const char *path, int flags, ...)
{
    mode_t mode = 0;

    if (flags & (O_CREAT | __O_TMPFILE)) {
        va_list args;

        va_start(args, flags);
        mode = va_arg(args, mode_t);
        va_end(args);
    }
    return REAL(openat64, LOOP_FS_OPEN)(dirfd, path, flags, mode);
}

ssize_t preadv64(int fd, const struct iovec *iov, int count, off64_t offset)
{
    return REAL(preadv64, LOOP_FS_READ)(fd, iov, count, offset);
}

ssize_t pwritev64(int fd, const struct iovec *iov, int count, off64_t offset)
{
    return REAL(pwritev64, LOOP_FS_WRITE)(fd, iov, count, offset);
}

int fsync(int fd)
{
    return REAL(fsync, LOOP_FS_SYNC)(fd);
}

int fdatasync(int fd)
{
    return REAL(fdatasync, LOOP_FS_SYNC)(fd);
}

struct dirent64 *readdir64(DIR *dir)
{
    return REAL(readdir64, LOOP_FS_READDIR)(dir);
}
