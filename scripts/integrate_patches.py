# SPDX-License-Identifier: GPL-2.0-or-later
"""How scripts/integrate puts patches/ on top of its own changes.

A file that they change is kept in .xen-9pfs of the tree, as it was without them
and as it is with them, so that it can be made anew from the former.
"""

import re
import subprocess
import tempfile

from integrate_edit import Missing

KEPT = '.xen-9pfs'


def read(path):
    """The text of a file, None if there is none."""
    try:
        return path.read_text()
    except FileNotFoundError:
        return None


def without_patches(path, tree):
    """The text of a file without patches/, None if there is none then."""
    name = path.relative_to(tree)
    now = read(path)
    if now is not None and now == read(tree / KEPT / 'with' / name):
        return read(tree / KEPT / 'without' / name)
    return now


def files_of(patch):
    """The names of the files that a patch changes."""
    return re.findall(r'^\+\+\+ b/(\S+)', patch.read_text(), re.M)


def run(patch, folder, *options):
    """Whether the patch can be applied, or with no options: apply it."""
    return subprocess.run(
        ['patch', '-p1', '-F0', '-s', '-f', '--no-backup-if-mismatch',
         '-d', folder, '-r', '-', '-i', str(patch.resolve()), *options],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        check=False).returncode == 0


def apply_one(patch, folder):
    """Apply a patch, unless the tree has it."""
    if run(patch, folder, '--dry-run'):
        run(patch, folder)
    elif not run(patch, folder, '-R', '--dry-run'):
        raise Missing(f'where patches/{patch.name} belongs; '
                      'PATCHES=none leaves patches/ out')


def with_patches(plan, tree, patches):
    """What the patches make of the plan's files, and of others of the tree."""
    result = {}
    with tempfile.TemporaryDirectory() as folder:
        top = type(tree)(folder)
        for patch in patches:
            for name in files_of(patch):
                text = plan.get(tree / name) or without_patches(tree / name,
                                                                tree)
                if tree / name not in result and text is not None:
                    (top / name).parent.mkdir(parents=True, exist_ok=True)
                    (top / name).write_text(text)
                result[tree / name] = None
            apply_one(patch, folder)
        for path in result:
            result[path] = read(top / path.relative_to(tree))
    return result


def plan_patches(plan, tree, patches):
    """The plan with the patches, and what is to be kept of both."""
    keep = {}
    old = tree / KEPT / 'with'
    for path in sorted(old.rglob('*')) if old.exists() else ():
        if path.is_file():
            name = path.relative_to(old)
            # What is not changed any more becomes what it was.
            plan.setdefault(tree / name, without_patches(tree / name, tree))
            keep[old / name] = None
            keep[tree / KEPT / 'without' / name] = None
    for path, text in with_patches(plan, tree, patches).items():
        name = path.relative_to(tree)
        before = plan.get(path) or without_patches(path, tree)
        if text != before:
            keep[tree / KEPT / 'without' / name] = before
            keep[old / name] = text
        plan[path] = text
    return {**plan, **keep}
