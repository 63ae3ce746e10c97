/*
 * xen-virtfs: the host that a command works on, and how it fails
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host.h"

bool host_open(Host *host, GError **err)
{
    host->xs = xs_open(0);
    if (!host->xs) {
        g_set_error(err, TOOL_ERROR, TOOL_REFUSED,
                    "cannot connect to xenstore: %s", g_strerror(errno));
        return false;
    }
    host->xc = xc_interface_open(NULL, NULL, 0);
    if (!host->xc) {
        g_set_error(err, TOOL_ERROR, TOOL_REFUSED,
                    "cannot talk to the hypervisor: %s", g_strerror(errno));
        return false;
    }
    return true;
}

void host_close(Host *host)
{
    if (host->xc) {
        xc_interface_close(host->xc);
    }
    if (host->xs) {
        xs_close(host->xs);
    }
}

bool host_lock(Host *host, unsigned domid, GError **err)
{
    /* A byte of the file for each domain. */
    struct flock lock = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = domid, .l_len = 1,
    };
    g_autofree char *path = g_build_filename(host->run_dir,
                                             "xen-virtfs.lock", NULL);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0 || fcntl(fd, F_OFD_SETLKW, &lock) < 0) {
        g_set_error(err, TOOL_ERROR, TOOL_REFUSED, "%s: %s", path,
                    g_strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return false;
    }
    return true;
}

char *host_read(Host *host, const char *fmt, ...)
{
    g_autofree char *path = NULL;
    char *value, *copy;
    unsigned int len;
    va_list ap;

    va_start(ap, fmt);
    path = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    value = xs_read(host->xs, XBT_NULL, path, &len);
    copy = g_strdup(value);
    free(value);
    return copy;
}

char **host_names(Host *host, const char *fmt, ...)
{
    g_autofree char *path = NULL;
    unsigned int num = 0, i;
    char **names, **copy;
    va_list ap;

    va_start(ap, fmt);
    path = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    names = xs_directory(host->xs, XBT_NULL, path, &num);
    copy = g_new0(char *, num + 1);
    for (i = 0; i < num; i++) {
        copy[i] = g_strdup(names[i]);
    }
    free(names);
    return copy;
}
