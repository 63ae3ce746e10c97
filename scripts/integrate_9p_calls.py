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


def local_paths(text, _tree):
    """Folders in folders made paths of any length: 2,000 fids took 400 MB,
    and each call 60 ms. What is longer than PATH_MAX is refused as the
    kernel does it, also where something is made, which nothing could reach.
    """
    text = exchange(
        text, 'local_name_to_path', r'local_fits\(',
        ("            assert(!strchr(name, '/'));\n"
         '            if (v9fs_path_sprintf(target, "%s/%s"',
         "            assert(!strchr(name, '/'));\n"
         '            if (!local_fits(dir_path, name)) {\n'
         '                return -1;\n'
         '            }\n'
         '            if (v9fs_path_sprintf(target, "%s/%s"'))
    text = insert_before(text, 'renameat_preserve_errno', 'local_fits', '''\
/*
 * Whether the path of @name in @dir_path is one that the kernel would take,
 * with its NUL. Sets errno.
 */
static bool local_fits(V9fsPath *dir_path, const char *name)
{
    if (dir_path->size + 1 + strlen(name) > PATH_MAX) {
        errno = ENAMETOOLONG;
        return false;
    }
    return true;
}

/*
 * The folder in which @name is made, or renamed.
 */
static int local_open_parent(FsContext *fs_ctx, V9fsPath *dir_path,
                             const char *name)
{
    if (!local_fits(dir_path, name)) {
        return -1;
    }
    return local_opendir_nofollow(fs_ctx, dir_path->data);
}
''')
    for name, context, folder, entry in (
            ('local_mknod', 'fs_ctx', 'dir_path', 'name'),
            ('local_mkdir', 'fs_ctx', 'dir_path', 'name'),
            ('local_open2', 'fs_ctx', 'dir_path', 'name'),
            ('local_symlink', 'fs_ctx', 'dir_path', 'name'),
            ('local_link', 'ctx', 'dirpath', 'name'),
            ('local_renameat', 'ctx', 'olddir', 'old_name'),
            ('local_renameat', 'ctx', 'newdir', 'new_name')):
        new = f'local_open_parent({context}, {folder}, {entry});'
        text = exchange(
            text, name, re.escape(new),
            (f'local_opendir_nofollow({context}, {folder}->data);', new))
    return text


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
    ('hw/9pfs/9p-local.c', local_paths),
    ('hw/9pfs/9p-local.c', local_walk_cheap),
)
