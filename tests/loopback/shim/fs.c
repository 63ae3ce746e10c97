/*
 * Loopback Xen: the backend's own calls of the file system, on their way
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
/* The names are those that a program with 64-bit file offsets calls. */
#undef _FILE_OFFSET_BITS
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../core/fs.h"
#include "shim.h"

/* Where a call is: the file system of a descriptor, ... */
static dev_t dev_of(int fd)
{
    struct stat64 st;

    return loop_fs_asks(shim_loop()) && fstat64(fd, &st) == 0 ? st.st_dev : 0;
}

/* The C library's function of that name, once the call may go on. */
#define REAL(name, kind, dev)                           \
    ({                                                  \
        static typeof(&name) real;                      \
        if (!real) {                                    \
            real = (typeof(&name))dlsym(RTLD_NEXT, #name); \
        }                                               \
        loop_fs_call(shim_loop(), kind, dev);           \
        real;                                           \
    })

/* ... or of a path. */
static dev_t dev_at(const char *path)
{
    struct stat st;

    return loop_fs_asks(shim_loop()) && stat(path, &st) == 0 ? st.st_dev : 0;
}

int fstatat64(int dirfd, const char *path, struct stat64 *st, int flags)
{
    return REAL(fstatat64, LOOP_FS_STAT, dev_of(dirfd))(dirfd, path, st, flags);
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
    return REAL(openat64, LOOP_FS_OPEN, dev_of(dirfd))(dirfd, path, flags,
                                                       mode);
}

int statx(int dirfd, const char *path, int flags, unsigned int mask,
          struct statx *st)
{
    return REAL(statx, LOOP_FS_STAT, dev_of(dirfd))(dirfd, path, flags, mask,
                                                    st);
}

/* What the C library has no function for. */
long syscall(long number, ...)
{
    static typeof(&syscall) real;
    long arg[6];
    va_list args;

    va_start(args, number);
    for (int i = 0; i < 6; i++) {
        arg[i] = va_arg(args, long);
    }
    va_end(args);
    if (!real) {
        real = (typeof(&syscall))dlsym(RTLD_NEXT, "syscall");
    }
    if (number == SYS_openat2 && getenv("XEN_LOOPBACK_OLD_KERNEL")) {
        errno = ENOSYS;
        return -1;
    }
    if (number == SYS_openat2 && shim_attached()) {
        loop_fs_call(shim_loop(), LOOP_FS_OPEN, dev_of(arg[0]));
    }
    return real(number, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
}

ssize_t preadv64(int fd, const struct iovec *iov, int count, off64_t offset)
{
    return REAL(preadv64, LOOP_FS_READ, dev_of(fd))(fd, iov, count, offset);
}

ssize_t pwritev64(int fd, const struct iovec *iov, int count, off64_t offset)
{
    return REAL(pwritev64, LOOP_FS_WRITE, dev_of(fd))(fd, iov, count, offset);
}

int fsync(int fd)
{
    return REAL(fsync, LOOP_FS_SYNC, dev_of(fd))(fd);
}

int fdatasync(int fd)
{
    return REAL(fdatasync, LOOP_FS_SYNC, dev_of(fd))(fd);
}

/*
 * Of what may be a share's; not while the loopback itself is being opened.
 * The first thread has many others to close.
 */
static bool is_file(int fd)
{
    struct stat64 st;

    return shim_attached() && loop_fs_watched(shim_loop()) &&
        gettid() != getpid() && fstat64(fd, &st) == 0 &&
        (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode));
}

int close(int fd)
{
    static typeof(&close) real;

    if (!real) {
        real = (typeof(&close))dlsym(RTLD_NEXT, "close");
    }
    if (is_file(fd)) {
        loop_fs_call(shim_loop(), LOOP_FS_CLOSE, dev_of(fd));
    }
    return real(fd);
}

int closedir(DIR *dir)
{
    return REAL(closedir, LOOP_FS_CLOSE, dev_of(dirfd(dir)))(dir);
}

int fstatfs64(int fd, struct statfs64 *st)
{
    return REAL(fstatfs64, LOOP_FS_STATFS, dev_of(fd))(fd, st);
}

int statfs64(const char *path, struct statfs64 *st)
{
    return REAL(statfs64, LOOP_FS_ROOT, dev_at(path))(path, st);
}

int stat64(const char *path, struct stat64 *st)
{
    return REAL(stat64, LOOP_FS_ROOT, dev_at(path))(path, st);
}

int unlinkat(int dirfd, const char *path, int flags)
{
    return REAL(unlinkat, LOOP_FS_UNLINK, dev_of(dirfd))(dirfd, path, flags);
}

int renameat(int olddir, const char *old, int newdir, const char *new)
{
    return REAL(renameat, LOOP_FS_RENAME, dev_of(olddir))(olddir, old, newdir,
                                                          new);
}

int mkdirat(int dirfd, const char *path, mode_t mode)
{
    return REAL(mkdirat, LOOP_FS_MKDIR, dev_of(dirfd))(dirfd, path, mode);
}

struct dirent64 *readdir64(DIR *dir)
{
    return REAL(readdir64, LOOP_FS_READDIR, dev_of(dirfd(dir)))(dir);
}
