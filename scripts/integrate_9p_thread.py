# SPDX-License-Identifier: GPL-2.0-or-later
"""What scripts/integrate changes so that a device's requests may be served in
a thread of its own, an IOThread, and not in the main loop's. For virtio-9p,
which stays in the main loop, all of it means what it meant before.
"""

import re

from integrate_edit import exchange, insert_before, replace_once


def hop_context(text, _tree):
    """A call goes to a worker from the event loop that the request is in."""
    if re.search(r'oneshot\(qemu_get_current_aio_context\(\)', text):
        return text
    text = replace_once(
        text,
        r'^ {8}QEMUBH \*co_bh; +\\\n'
        r' {8}co_bh = qemu_bh_new\(co_run_in_worker_bh, +\\\n'
        r' +qemu_coroutine_self\(\)\); +\\\n'
        r' {8}qemu_bh_schedule\(co_bh\); +\\\n',
        '        aio_bh_schedule_oneshot(qemu_get_current_aio_context(),'
        '         \\\\\n'
        '                                co_run_in_worker_bh,'
        '                    \\\\\n'
        '                                qemu_coroutine_self());'
        '                 \\\\\n',
        'the bottom half of v9fs_co_run_in_worker()')
    text = replace_once(text, r'^ {8}qemu_bh_delete\(co_bh\); +\\\n', '',
                        "'qemu_bh_delete(co_bh)'")
    return replace_once(text, r'^(#include "qemu/thread\.h"\n)',
                        r'#include "block/aio.h"\n\1',
                        "'#include \"qemu/thread.h\"'")


def reset_coroutine(text, _tree):
    """v9fs_reset() waits for the main loop; this is for those elsewhere."""
    return insert_before(text, 'virtfs_co_reset', 'v9fs_co_reset', '''\
void coroutine_fn v9fs_co_reset(V9fsState *s)
{
    V9fsPDU pdu = { .s = s };

    virtfs_reset(&pdu);
}
''')


def reset_declaration(text, _tree):
    """Its declaration."""
    if 'v9fs_co_reset' in text:
        return text
    return replace_once(
        text, r'^(void v9fs_reset\(V9fsState \*s\);\n)',
        r'\1'
        '\n'
        '/**\n'
        ' * v9fs_co_reset: free all fids, as v9fs_reset() does\n'
        ' * @s: the server, which has no request in flight\n'
        ' *\n'
        ' * In a coroutine of the event loop that its requests ran in.\n'
        ' */\n'
        'void coroutine_fn v9fs_co_reset(V9fsState *s);\n',
        "'void v9fs_reset(V9fsState *s);'")


def migration_blockers(text, _tree):
    """The list of these belongs to who has QEMU's big lock."""
    text = exchange(
        text, 'put_fid', 'BQL_LOCK_GUARD',
        ('            migrate_del_blocker(&pdu->s->migration_blocker);\n',
         '            BQL_LOCK_GUARD();\n'
         '            migrate_del_blocker(&pdu->s->migration_blocker);\n'))
    text = exchange(
        text, 'v9fs_attach', r'\badd_blocker\(',
        ('        err = migrate_add_blocker(&s->migration_blocker, NULL);\n',
         '        err = add_blocker(&s->migration_blocker);\n'))
    return insert_before(text, 'v9fs_attach', 'add_blocker', '''\
static int add_blocker(Error **blocker)
{
    BQL_LOCK_GUARD();
    return migrate_add_blocker(blocker, NULL);
}
''')


def descriptors(text, _tree):
    """How many are open, of all devices of this QEMU."""
    text = re.sub(r'^( +)total_open_fd\+\+;\n +if \(total_open_fd > ',
                  r'\1if (qatomic_inc_fetch(&total_open_fd) > ', text,
                  flags=re.M)
    text = re.sub(r'\btotal_open_fd--;', 'qatomic_dec(&total_open_fd);', text)
    return re.sub(r'\btotal_open_fd -= nclosed;',
                  'qatomic_sub(&total_open_fd, nclosed);', text)


def cancelled(text, _tree):
    """A Tflush says so while the request's call runs in a worker."""
    text = text.replace('    return pdu->cancelled;\n',
                        '    return qatomic_read(&pdu->cancelled);\n')
    return re.sub(r'\bcancel_pdu->cancelled = (\d);',
                  r'qatomic_set(&cancel_pdu->cancelled, \1);', text)


def fsdev_lock(text, _tree):
    """The list of fsdevs changes in the main thread, and is read in others."""
    if 'fsdriver_lock' in text:
        return text
    text = replace_once(
        text, r'^( +QTAILQ_HEAD_INITIALIZER\(fsdriver_entries\);\n)',
        r'\1static QemuMutex fsdriver_lock;\n'
        '\n'
        'static void __attribute__((__constructor__)) '
        'fsdriver_lock_init(void)\n'
        '{\n'
        '    qemu_mutex_init(&fsdriver_lock);\n'
        '}\n', 'the list of fsdevs')
    text = replace_once(
        text, r'^(#include "qemu-fsdev.h"\n)',
        r'\1#include "qemu/lockable.h"\n', 'the headers of fsdevs')
    for name in ('qemu_fsdev_remove', 'get_fsdev_fsentry'):
        text = exchange(
            text, name, 'QEMU_LOCK_GUARD',
            ('\n{\n', '\n{\n    QEMU_LOCK_GUARD(&fsdriver_lock);\n'))
    return exchange(
        text, 'qemu_fsdev_add', r'qemu_mutex_lock\(',
        ('    QTAILQ_INSERT_TAIL(&fsdriver_entries, fsle, next);\n',
         '    qemu_mutex_lock(&fsdriver_lock);\n'
         '    QTAILQ_INSERT_TAIL(&fsdriver_entries, fsle, next);\n'
         '    qemu_mutex_unlock(&fsdriver_lock);\n'))


CHANGES_9P_THREAD = (
    ('hw/9pfs/coth.h', hop_context),
    ('hw/9pfs/9p.c', reset_coroutine),
    ('hw/9pfs/9p.h', reset_declaration),
    ('hw/9pfs/9p.c', migration_blockers),
    ('hw/9pfs/9p.c', descriptors),
    ('hw/9pfs/9p.h', cancelled),
    ('hw/9pfs/9p.c', cancelled),
    ('hw/9pfs/cofile.c', descriptors),
    ('hw/9pfs/codir.c', descriptors),
    ('fsdev/qemu-fsdev.c', fsdev_lock),
)
