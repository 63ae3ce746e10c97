# SPDX-License-Identifier: GPL-2.0-or-later
"""What scripts/integrate changes in the calls that QEMU's 9P server makes, and
in its driver "local". See integrate_9p.py, which has the server itself.
"""

import re

from integrate_edit import WITHOUT, exchange, function, insert_before


def open2_path(text, _tree):
    """CVE-2026-93834: Tcreate and Tlcreate gave their fid its new path, and
    freed the old one, in a worker, which the main thread might be reading.
    """
    return exchange(
        text, 'v9fs_co_open2', r'\}\);.*v9fs_path_copy\(&fidp->path',
        ('    v9fs_path_write_lock(s);\n',
         '    v9fs_path_write_lock(s);\n'
         '    v9fs_path_init(&path);\n'),
        ('                v9fs_path_init(&path);\n', ''),
        ('                    } else {\n'
         '                        v9fs_path_copy(&fidp->path, &path);\n'
         '                    }\n',
         '                    }\n'),
        ('                v9fs_path_free(&path);\n', ''),
        ('    v9fs_path_unlock(s);\n', '''\
    /* Not in the worker: the main thread reads it without a lock. */
    if (!err) {
        v9fs_path_copy(&fidp->path, &path);
    }
    v9fs_path_free(&path);
    v9fs_path_unlock(s);
'''))


def close_always(text, _tree):
    """A descriptor stayed open for ever where the request by which its fid
    ended had been flushed: nobody knows it any more, so it has to be closed.
    close() releases it whatever it returns, too.
    """
    # QEMU 10.1 and later count one that failed as well, but for EBADF.
    text = re.sub(
        r"    /\* 'man 2 close' suggests [^}]*?    \} else \{\n"
        r'        total_open_fd--;\n    \}\n',
        '    if (!err) {\n        total_open_fd--;\n    }\n', text)
    for name in ('v9fs_co_close', 'v9fs_co_closedir'):
        if re.search(rf'\b{name}\(', text):
            text = exchange(
                text, name, WITHOUT.format('v9fs_request_cancelled'),
                ('    if (v9fs_request_cancelled(pdu)) {\n'
                 '        return -EINTR;\n'
                 '    }\n', '    /* Also if the request is cancelled. */\n'),
                ('    if (!err) {\n'
                 '        total_open_fd--;\n'
                 '    }\n', '    total_open_fd--;\n'))
    return text


def readlink_bound(text, _tree):
    """In the mapped models a link is a file, as large as the guest likes: the
    server asked for ever more memory to read it, until QEMU aborted.
    """
    begin, end = function(text, '__readlink')
    if 'maxlen *= 2' not in text[begin:end]:
        return text
    return text[:begin] + '''\
static ssize_t __readlink(V9fsState *s, V9fsPath *path, V9fsString *buf)
{
    ssize_t len;

    buf->data = g_malloc(PATH_MAX);
    len = s->ops->readlink(&s->ctx, path, buf->data, PATH_MAX);
    /* No target is longer; where a link is a file, that may be. */
    if (len == PATH_MAX) {
        errno = ENAMETOOLONG;
        len = -1;
    }
    if (len < 0) {
        g_free(buf->data);
        buf->data = NULL;
        buf->size = 0;
        return len;
    }
    /*
     * Null terminate the readlink output
     */
    buf->data[len] = '\\0';
    buf->size = len;
    return len;
}
''' + text[end:]


def local_walk_cheap(text, _tree):
    """Each step along a path copied all of the path that was left."""
    return exchange(
        text, 'local_open_nofollow', r'g_strndup\(',
        ("        head = g_strdup(path);\n"
         "        c = qemu_strchrnul(path, '/');\n",
         "        c = qemu_strchrnul(path, '/');\n"
         '        head = g_strndup(path, c - path);\n'),
        ('            head[c - path] = 0;\n', ''))


CHANGES_9P_CALLS = (
    ('hw/9pfs/cofile.c', open2_path),
    ('hw/9pfs/cofile.c', close_always),
    ('hw/9pfs/codir.c', close_always),
    ('hw/9pfs/cofs.c', readlink_bound),
    ('hw/9pfs/9p-local.c', local_walk_cheap),
)
