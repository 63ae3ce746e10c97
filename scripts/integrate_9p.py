# SPDX-License-Identifier: GPL-2.0-or-later
"""What scripts/integrate changes in QEMU's 9P server: races of requests.

The server runs every request as a coroutine that waits for worker threads,
and others go on meanwhile. With many in flight, as with our transports, a
guest meets what follows by accident, and a hostile one at will.

The paths of fids are changed by the main thread only, with the lock of paths
(rename_lock) held for writing; a worker that reads one has it locked for
reading. No coroutine takes that lock twice: where a writer waits in between,
the second time waits for ever.
"""

import re

from integrate_edit import (WITHOUT, Missing, exchange, function,
                            insert_before, replace_once)


def flush_tag(text, _tree):
    """A Tflush of tags from 0x8000 on matched no request, in an int16_t."""
    return exchange(text, 'v9fs_flush', r'\buint16_t tag;',
                    ('    int16_t tag;\n', '    uint16_t tag;\n'))


def create_path(text, _tree):
    """Tcreate waited for the lock between making up its fid's new path and
    setting it: a rename of the folder in between was undone in that path.
    """
    text = insert_before(text, 'v9fs_create', 'v9fs_fid_descend', '''\
/*
 * The fid goes on to @name in its folder, whatever that is called by then.
 */
static int coroutine_fn v9fs_fid_descend(V9fsPDU *pdu, V9fsFidState *fidp,
                                         const char *name)
{
    int err;
    V9fsPath path;
    V9fsState *s = pdu->s;

    v9fs_path_init(&path);
    v9fs_path_write_lock(s);
    err = v9fs_co_name_to_path(pdu, &fidp->path, name, &path);
    if (!err) {
        v9fs_path_copy(&fidp->path, &path);
    }
    v9fs_path_unlock(s);
    v9fs_path_free(&path);
    return err;
}
''')
    begin, end = function(text, 'v9fs_create')
    body = text[begin:end]
    if 'v9fs_fid_descend' in body:
        return text
    body, count = re.subn(
        r'err = v9fs_co_name_to_path\(pdu, &fidp->path, name\.data, &path\);\n'
        r'(        if \(err < 0\) \{\n[^}]*\}\n)'
        r'        v9fs_path_write_lock\(s\);\n'
        r'        v9fs_path_copy\(&fidp->path, &path\);\n'
        r'        v9fs_path_unlock\(s\);\n',
        r'err = v9fs_fid_descend(pdu, fidp, name.data);\n\1', body)
    if count != 6 or 'v9fs_path_write_lock' in body:
        raise Missing(f'the six paths that v9fs_create() sets ({count})')
    body = exchange(body, 'v9fs_create', WITHOUT.format('V9fsPath path;'),
                    ('    V9fsPath path;\n', ''),
                    ('    V9fsState *s = pdu->s;\n', ''),
                    ('    v9fs_path_init(&path);\n', ''),
                    ('   v9fs_path_free(&path);\n', ''))
    return text[:begin] + body + text[end:]


def walk_lock(text, _tree):
    """Twalk copied the fid's path, walked in a worker, and made the new fid,
    all without the lock: after a rename meanwhile the new fid had a name that
    was gone, or another file's.
    """
    return exchange(
        text, 'v9fs_walk',
        r'v9fs_path_(read|write)_lock\(s\);.*v9fs_co_run_in_worker',
        ('''\
    v9fs_path_init(&path);
    /*
''', '''\
    v9fs_path_init(&path);
    /*
     * No rename until the new fid is in the table, where renames find it.
     * (Not to be taken again for the fid's own path: others may wait for it.)
     */
    if (fid == newfid) {
        v9fs_path_write_lock(s);
    } else {
        v9fs_path_read_lock(s);
    }
    /*
'''),
        ('''\
        v9fs_path_write_lock(s);
        v9fs_path_copy(&fidp->path, &path);
        v9fs_path_unlock(s);
''', '''\
        v9fs_path_copy(&fidp->path, &path);
'''),
        ('''\
out:
    put_fid(pdu, fidp);
''', '''\
out:
    /* Before put_fid(), which may need it for a fid of an xattr. */
    v9fs_path_unlock(s);
    put_fid(pdu, fidp);
'''))


def clunk_own(text, _tree):
    """What fails, and Tremove, clunk their fid by its number. Another fid may
    have that by now, if somebody has clunked theirs: it was never freed.
    """
    for name in ('v9fs_attach', 'v9fs_xattrwalk', 'v9fs_remove'):
        begin, end = function(text, name)
        body, count = re.subn(
            r'\bclunk_fid\((s|pdu->s), (?:fid|(\w+)->fid)\)',
            lambda m: f'clunk_own_fid({m[1]}, {m[2] or "fidp"})',
            text[begin:end])
        if not count and 'clunk_own_fid' not in body:
            raise Missing(f"'clunk_fid(' in {name}()")
        text = text[:begin] + body + text[end:]
    return insert_before(text, 'v9fs_attach', 'clunk_own_fid', '''\
/*
 * Its number may be another one's, if it was clunked meanwhile.
 */
static void clunk_own_fid(V9fsState *s, V9fsFidState *fidp)
{
    if (!fidp->clunked) {
        clunk_fid(s, fidp->fid);
    }
}
''')


def reopen_fields(text, _tree):
    """For reopen_once(), in V9fsFidState and V9fsState."""
    if 'reopening' in text:
        return text
    text = replace_once(
        text, r'^(    bool clunked;\n)',
        r'\1    bool reopening;             /* v9fs_reopen_fid() */\n',
        "'bool clunked;'")
    return replace_once(
        text, r'^(    CoRwlock rename_lock;\n)',
        r'\1    CoQueue reopened;           /* those that wait for one */\n',
        "'CoRwlock rename_lock;'")


def reopen_once(text, _tree):
    """Two requests on a fid whose descriptor was reclaimed opened it twice,
    and one descriptor leaked.
    """
    text = exchange(
        text, 'v9fs_reopen_fid', 'reopening',
        ('    int err = 1;\n', '''\
    int err = 1;

    /* One opens it, others wait for that. */
    while (f->reopening) {
        qemu_co_queue_wait(&pdu->s->reopened, NULL);
    }
    f->reopening = true;
'''),
        ('    return err;\n', '''\
    f->reopening = false;
    qemu_co_queue_restart_all(&pdu->s->reopened);
    return err;
'''))
    return exchange(
        text, 'v9fs_device_realize_common', 'reopened',
        ('    qemu_co_rwlock_init(&s->rename_lock);\n', '''\
    qemu_co_rwlock_init(&s->rename_lock);
    qemu_co_queue_init(&s->reopened);
'''))


def reopen_flags(text, _tree):
    """A file that was opened to be emptied was emptied again when its
    reclaimed descriptor was opened again.
    """
    return exchange(
        text, 'v9fs_reopen_fid', 'O_TRUNC',
        ('err = v9fs_co_open(pdu, f, f->open_flags);\n', '''\
/* It was made, or emptied, when it was opened first. */
                err = v9fs_co_open(pdu, f, f->open_flags &
                                   ~(O_CREAT | O_EXCL | O_TRUNC));
'''))


def reopen_failed(text, _tree):
    """A fid that was clunked while reopening it failed was never freed."""
    return exchange(text, 'get_fid', r'put_fid\(',
                    ('static V9fsFidState *coroutine_fn get_fid(', '''\
static int coroutine_fn put_fid(V9fsPDU *pdu, V9fsFidState *fidp);

static V9fsFidState *coroutine_fn get_fid('''),
                    ('            f->ref--;\n',
                     '            put_fid(pdu, f);\n'))


def fix_fids(text, _tree):
    """A rename gives all fids below what it moves their new paths. Two of
    them could be longer than what any call takes; and Trename compared with
    the path of its own fid, which is one of those that change: what came
    after that one in the table kept its old name.
    """
    if 'v9fs_fix_fids' in text:
        return text
    begin, end = function(text, 'v9fs_fix_path')
    text = text[:begin] + '''\
static void v9fs_fix_path(V9fsFidState *f, V9fsPath *src, size_t len)
{
    g_autofree char *rest = g_strdup(f->path.data + len);

    if (src->size + strlen(rest) <= PATH_MAX) {
        v9fs_path_sprintf(&f->path, "%s%s", src->data, rest);
        return;
    }
    /*
     * It has no path any more that a call would take. So this is one that
     * no file can have, for its name is too long. What is open stays open.
     */
    v9fs_path_sprintf(&f->path, "./%0*d", NAME_MAX + 1, 0);
    f->flags |= FID_NON_RECLAIMABLE;
}

/*
 * Fixup fid's pointing to the old name to
 * start pointing to the new name
 */
static void v9fs_fix_fids(V9fsState *s, V9fsPath *oldpath, V9fsPath *newpath)
{
    V9fsFidState *f;
    GHashTableIter iter;
    gpointer fid;

    g_hash_table_iter_init(&iter, s->fids);
    while (g_hash_table_iter_next(&iter, &fid, (gpointer *) &f)) {
        if (v9fs_path_is_ancestor(oldpath, &f->path)) {
            v9fs_fix_path(f, newpath, oldpath->size - 1);
        }
    }
}
''' + text[end:]
    loop = r'''

    /\*
     \* Fixup fid's pointing to the old name to
     \* start pointing to the new name
     \*/
    g_hash_table_iter_init\(&iter, s->fids\);
    while \(g_hash_table_iter_next\(&iter, &fid, \(gpointer \*\) &tfidp\)\) \{
        if \(v9fs_path_is_ancestor\(&(fidp->|old)path, &tfidp->path\)\) \{
.*?
        \}
    \}
out:
'''
    for name, code in (('v9fs_complete_rename', '''
    /* A copy: the fid's own path is one of those that change. */
    v9fs_path_copy(&old_path, &fidp->path);
    v9fs_fix_fids(s, &old_path, &new_path);
out:
    v9fs_path_free(&old_path);
'''), ('v9fs_fix_fid_paths', '''
    v9fs_fix_fids(s, &oldpath, &newpath);
out:
''')):
        begin, end = function(text, name)
        body = replace_once(text[begin:end], loop, '\n' + code,
                            f'the loop over all fids of {name}()')
        body = exchange(body, name, WITHOUT.format('GHashTableIter'),
                        ('    V9fsFidState *tfidp;\n', ''),
                        ('    GHashTableIter iter;\n', ''),
                        ('    gpointer fid;\n', ''))
        text = text[:begin] + body + text[end:]
    return exchange(text, 'v9fs_complete_rename', r'new_path, old_path;',
                    ('    V9fsPath new_path;\n',
                     '    V9fsPath new_path, old_path;\n'),
                    ('    v9fs_path_init(&new_path);\n',
                     '    v9fs_path_init(&new_path);\n'
                     '    v9fs_path_init(&old_path);\n'))


def rename_folders(text, _tree):
    """Trename and Trenameat looked their folders up with the lock of paths
    held. One that had been reclaimed was opened then, which takes the lock:
    the request waited for itself, and all others for that. The same where
    the folder's fid was clunked meanwhile, and was one of an xattr.
    """
    text = insert_before(text, 'alloc_fid', 'ref_fid', '''\
/*
 * For what needs the path only: take a reference, and open nothing.
 */
static V9fsFidState *ref_fid(V9fsState *s, int32_t fid)
{
    V9fsFidState *f = g_hash_table_lookup(s->fids, GINT_TO_POINTER(fid));

    if (f) {
        f->ref++;
        f->flags |= FID_REFERENCED;
    }
    return f;
}
''')
    return rename_callers(rename_callees(text))


def rename_callees(text):
    """They get the folders, and leave references to who calls them."""
    gone = WITHOUT.format(r'\bget_fid\(')
    text = exchange(
        text, 'v9fs_complete_rename', gone,
        ('int32_t newdirfid,', 'V9fsFidState *dirfidp,'),
        ('    V9fsFidState *dirfidp = NULL;\n', ''),
        ('''\
    if (newdirfid != -1) {
        dirfidp = get_fid(pdu, newdirfid);
        if (dirfidp == NULL) {
            return -ENOENT;
        }
''', '    if (dirfidp) {\n'),
        ('''\
    if (dirfidp) {
        put_fid(pdu, dirfidp);
    }
''', ''))
    return exchange(
        text, 'v9fs_complete_renameat', gone,
        ('v9fs_complete_renameat(V9fsPDU *pdu, int32_t olddirfid,\n',
         'v9fs_complete_renameat(V9fsPDU *pdu,\n'
         + ' ' * 47 + 'V9fsFidState *olddirfidp,\n'),
        ('int32_t newdirfid,', 'V9fsFidState *newdirfidp,'),
        ('    V9fsFidState *newdirfidp = NULL, *olddirfidp = NULL;\n', ''),
        ('''\
    olddirfidp = get_fid(pdu, olddirfid);
    if (olddirfidp == NULL) {
        err = -ENOENT;
        goto out;
    }
    if (newdirfid != -1) {
        newdirfidp = get_fid(pdu, newdirfid);
        if (newdirfidp == NULL) {
            err = -ENOENT;
            goto out;
        }
    } else {
        newdirfidp = get_fid(pdu, olddirfid);
    }

''', ''),
        ('        goto out;\n', '        return err;\n'),
        ('''\
out:
    if (olddirfidp) {
        put_fid(pdu, olddirfidp);
    }
    if (newdirfidp) {
        put_fid(pdu, newdirfidp);
    }
''', ''))


def rename_callers(text):
    """They take the references before the lock, and give them back after."""
    text = exchange(
        text, 'v9fs_rename', r'ref_fid\(',
        ('    V9fsFidState *fidp;\n', '    V9fsFidState *fidp, *dirfidp;\n'),
        ('''\
    v9fs_path_write_lock(s);
    err = v9fs_complete_rename(pdu, fidp, newdirfid, &name);
    v9fs_path_unlock(s);
''', '''\
    /* With no fid it stays in its folder. */
    dirfidp = newdirfid == -1 ? NULL : ref_fid(s, newdirfid);
    if (!dirfidp && newdirfid != -1) {
        err = -ENOENT;
        goto out;
    }
    v9fs_path_write_lock(s);
    err = v9fs_complete_rename(pdu, fidp, dirfidp, &name);
    v9fs_path_unlock(s);
    if (dirfidp) {
        put_fid(pdu, dirfidp);
    }
'''))
    text = exchange(
        text, 'v9fs_wstat', r'fidp, NULL, &v9stat',
        ('v9fs_complete_rename(pdu, fidp, -1, &v9stat.name)',
         'v9fs_complete_rename(pdu, fidp, NULL, &v9stat.name)'))
    return exchange(
        text, 'v9fs_renameat', r'ref_fid\(',
        ('    int32_t olddirfid, newdirfid;\n',
         '    int32_t olddirfid, newdirfid;\n'
         '    V9fsFidState *olddirfidp, *newdirfidp;\n'),
        ('''\
    v9fs_path_write_lock(s);
    err = v9fs_complete_renameat(pdu, olddirfid,
                                 &old_name, newdirfid, &new_name);
    v9fs_path_unlock(s);
    if (!err) {
''', '''\
    olddirfidp = ref_fid(s, olddirfid);
    newdirfidp = ref_fid(s, newdirfid != -1 ? newdirfid : olddirfid);
    if (olddirfidp && newdirfidp) {
        v9fs_path_write_lock(s);
        err = v9fs_complete_renameat(pdu, olddirfidp, &old_name,
                                     newdirfidp, &new_name);
        v9fs_path_unlock(s);
    } else {
        err = -ENOENT;
    }
    if (olddirfidp) {
        put_fid(pdu, olddirfidp);
    }
    if (newdirfidp) {
        put_fid(pdu, newdirfidp);
    }
    if (!err) {
'''))


def folder_dialect(text, _tree):
    """Which of a folder's two mutexes Tread and Treaddir take is the dialect's
    that its fid was made in. Tread goes on on another thread than it began
    on, which a QemuMutex does not forgive, and it is the other one's. A fid
    that another dialect made, in a session that changes its own, is refused.
    """
    new = 'fidp->fs.dir.proto_version != V9FS_PROTO_2000'
    text = exchange(text, 'v9fs_read', re.escape(new),
                    ('        if (s->proto_version != V9FS_PROTO_2000U) {\n',
                     f'        if ({new}U) {{\n'))
    return exchange(text, 'v9fs_readdir', re.escape(new),
                    ('    if (s->proto_version != V9FS_PROTO_2000L) {\n',
                     f'    if ({new}L) {{\n'))


def folder_position(text, _tree):
    """9P2000.u: a Tread of a folder asked for its position, and set it, beside
    its mutex, while another one read on.
    """
    text = exchange(
        text, 'v9fs_do_readdir_with_stat', WITHOUT.format('readdir_lock'),
        ('        v9fs_readdir_lock(&fidp->fs.dir);\n\n', ''),
        ('            v9fs_readdir_unlock(&fidp->fs.dir);\n\n', ''),
        ('\n        v9fs_readdir_unlock(&fidp->fs.dir);\n', ''),
        ('\n    v9fs_readdir_unlock(&fidp->fs.dir);\n', ''))
    return exchange(
        text, 'v9fs_read', 'v9fs_readdir_lock',
        ('        if (off == 0) {\n',
         '        v9fs_readdir_lock(&fidp->fs.dir);\n'
         '        if (off == 0) {\n'),
        ('        count = v9fs_do_readdir_with_stat(pdu, fidp, max_count);\n',
         '        count = v9fs_do_readdir_with_stat(pdu, fidp, max_count);\n'
         '        v9fs_readdir_unlock(&fidp->fs.dir);\n'))


CHANGES_9P = (
    ('hw/9pfs/9p.c', flush_tag),
    ('hw/9pfs/9p.c', create_path),
    ('hw/9pfs/9p.c', walk_lock),
    ('hw/9pfs/9p.c', clunk_own),
    ('hw/9pfs/9p.c', reopen_once),
    ('hw/9pfs/9p.c', reopen_flags),
    ('hw/9pfs/9p.c', reopen_failed),
    ('hw/9pfs/9p.c', fix_fids),
    ('hw/9pfs/9p.c', rename_folders),
    ('hw/9pfs/9p.c', folder_dialect),
    ('hw/9pfs/9p.c', folder_position),
    ('hw/9pfs/9p.h', reopen_fields),
)
