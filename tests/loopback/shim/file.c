/*
 * Loopback Xen: the files by which a kernel gives xenstored its own domain's
 * interface: xsd_port (a number) and xsd_kva (a page)
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
/* Both forms of open() are defined here, under their own names. */
#undef _FILE_OFFSET_BITS
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shim.h"

typedef int OpenFn(const char *path, int flags, ...);

static bool ends_with(const char *path, const char *tail)
{
    size_t len = strlen(path), tail_len = strlen(tail);

    return len >= tail_len && !strcmp(path + len - tail_len, tail);
}

/* A file that holds the number of a port of our own domain. */
static int port_file(void)
{
    int port = loop_evtchn_unbound(shim_loop(), shim_domid(), shim_domid());
    int fd = memfd_create("xsd_port", MFD_CLOEXEC);
    char text[16];
    int len = snprintf(text, sizeof(text), "%d", port);

    if (fd >= 0 && pwrite(fd, text, len, 0) != len) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static int page_file(void)
{
    int fd = memfd_create("xsd_kva", MFD_CLOEXEC);

    if (fd >= 0 && ftruncate(fd, LOOP_PAGE_SIZE) < 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static int open_other(const char *name, const char *path, int flags,
                      mode_t mode)
{
    OpenFn *real = (OpenFn *)dlsym(RTLD_NEXT, name);

    if (!strncmp(path, "/proc/xen/", 10) || !strncmp(path, "/dev/xen/", 9)) {
        if (ends_with(path, "/xsd_port")) {
            return port_file();
        }
        if (ends_with(path, "/xsd_kva") || ends_with(path, "/xenbus_backend")) {
            return page_file();
        }
    }
    return real(path, flags, mode);
}

#define MODE(flags, mode)                               \
    mode_t mode = 0;                                    \
    if ((flags) & (O_CREAT | __O_TMPFILE)) {            \
        va_list args;                                   \
        va_start(args, flags);                          \
        mode = va_arg(args, mode_t);                    \
        va_end(args);                                   \
    }

int open(const char *path, int flags, ...)
{
    MODE(flags, mode);
    return open_other("open", path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    MODE(flags, mode);
    return open_other("open64", path, flags, mode);
}
