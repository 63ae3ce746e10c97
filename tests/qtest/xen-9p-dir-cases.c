/*
 * Xen 9P tests: reading folders
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <dirent.h>

#include "xen-9p-cases.h"

static uint64_t last_offset(GPtrArray *entries)
{
    P9Dirent *last;

    if (!entries->len) {
        return 0;
    }
    last = g_ptr_array_index(entries, entries->len - 1);
    return last->offset;
}

/* All entries of an open folder, @count bytes at a time. */
static GPtrArray *read_all(Session *s, uint32_t fid, uint32_t count)
{
    GPtrArray *entries = p9_dirents_new();
    uint32_t got;

    do {
        treaddir({.fe = s->fe, .fid = fid, .offset = last_offset(entries),
                  .count = count, .entries = entries, .rcount = &got});
        g_assert_cmpuint(got, <=, count);
    } while (got);
    return entries;
}

static P9Dirent *find(GPtrArray *entries, const char *name)
{
    P9Dirent *found = NULL;
    guint i;

    for (i = 0; i < entries->len; i++) {
        P9Dirent *entry = g_ptr_array_index(entries, i);

        if (!strcmp(entry->name, name)) {
            g_assert_null(found);
            found = entry;
        }
    }
    g_assert_nonnull(found);
    return found;
}

static void make_files(Session *s, unsigned count)
{
    unsigned i;

    for (i = 0; i < count; i++) {
        g_autofree char *name = g_strdup_printf("dir/file-%03u", i);

        host_file(s, name, "");
    }
}

static void expect_files(GPtrArray *entries, unsigned count)
{
    unsigned i;

    g_assert_cmpuint(entries->len, ==, count + 2);
    find(entries, ".");
    find(entries, "..");
    for (i = 0; i < count; i++) {
        g_autofree char *name = g_strdup_printf("file-%03u", i);

        find(entries, name);
    }
}

void case_readdir_basic(Session *s)
{
    g_autoptr(GPtrArray) entries = NULL;
    P9Dirent *entry;
    P9Attr attr;

    host_file(s, "dir/file", "");
    host_file(s, "dir/sub/file", "");
    open_at(s, 1, "dir", P9_DOTL_DIRECTORY);
    twalk({.fe = s->fe, .fid = 0, .newfid = 2, .path = "dir"});
    tsymlink({.fe = s->fe, .dfid = 2, .name = "link", .target = "file"});
    entries = read_all(s, 1, session_chunk(s));
    g_assert_cmpuint(entries->len, ==, 5);
    entry = find(entries, "file");
    g_assert_cmpuint(entry->type, ==, DT_REG);
    twalk({.fe = s->fe, .fid = 0, .newfid = 3, .path = "dir/file"});
    tgetattr({.fe = s->fe, .fid = 3, .rattr = &attr});
    g_assert_cmpuint(entry->qid.path, ==, attr.qid.path);
    g_assert_cmpuint(find(entries, "sub")->type, ==, DT_DIR);
    g_assert_cmpuint(find(entries, "link")->type, ==, DT_LNK);
}

void case_readdir_split(Session *s)
{
    static const uint32_t counts[] = { 512, 256, 128 };
    unsigned i;

    make_files(s, 60);
    for (i = 0; i < G_N_ELEMENTS(counts); i++) {
        g_autoptr(GPtrArray) entries = NULL;

        open_at(s, 1 + i, "dir", P9_DOTL_DIRECTORY);
        entries = read_all(s, 1 + i, counts[i]);
        expect_files(entries, 60);
    }
}

/* From the start again, and on from any entry. */
void case_readdir_seek(Session *s)
{
    g_autoptr(GPtrArray) all = NULL, again = NULL, rest = p9_dirents_new();
    P9Dirent *tenth, *next;

    make_files(s, 20);
    open_at(s, 1, "dir", P9_DOTL_DIRECTORY);
    all = read_all(s, 1, session_chunk(s));
    again = read_all(s, 1, session_chunk(s));
    expect_files(again, 20);
    tenth = g_ptr_array_index(all, 10);
    treaddir({.fe = s->fe, .fid = 1, .offset = tenth->offset,
              .count = session_chunk(s), .entries = rest});
    g_assert_cmpuint(rest->len, ==, all->len - 11);
    next = g_ptr_array_index(all, 11);
    g_assert_cmpstr(((P9Dirent *)g_ptr_array_index(rest, 0))->name, ==,
                    next->name);
}

void case_readdir_names(Session *s)
{
    g_autofree char *longest = g_strnfill(255, 'n');
    g_autoptr(GPtrArray) entries = NULL;

    host_file(s, "dir/\n\xc3\xa4 \x01", "");
    twalk({.fe = s->fe, .fid = 0, .newfid = 2, .path = "dir"});
    tlcreate({.fe = s->fe, .fid = 2, .name = longest, .mode = 0600,
              .flags = P9_DOTL_RDWR | P9_DOTL_CREATE});
    open_at(s, 1, "dir", P9_DOTL_DIRECTORY);
    entries = read_all(s, 1, 700);
    g_assert_cmpuint(entries->len, ==, 4);
    find(entries, longest);
    find(entries, "\n\xc3\xa4 \x01");
}

void case_readdir_errors(Session *s)
{
    host_file(s, "file", "");
    treaddir({.fe = s->fe, .fid = 77, .count = 100, .expect_err = EINVAL});
    treaddir({.fe = s->fe, .fid = 0, .count = 100, .expect_err = ENOTDIR});
    open_at(s, 1, "file", P9_DOTL_RDONLY);
    treaddir({.fe = s->fe, .fid = 1, .count = 100, .expect_err = ENOTDIR});
}

/* A count that no reply could hold: what one holds, and whole entries. */
void case_readdir_too_much(Session *s)
{
    g_autoptr(GPtrArray) entries = p9_dirents_new();
    uint32_t got;

    make_files(s, 150);
    open_at(s, 1, "dir", P9_DOTL_DIRECTORY);
    do {
        treaddir({.fe = s->fe, .fid = 1, .offset = last_offset(entries),
                  .count = ~0u, .entries = entries, .rcount = &got});
        g_assert_cmpuint(got, <=, s->fe->msize - 11);
    } while (got);
    expect_files(entries, 150);
}
