/*
 * Is a listing of a directory whole, while others change the directory?
 *
 * What is there all the time is listed, whatever comes and goes beside it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "fixture.h"

#define STAYING     40
#define CHANGING    40
#define LISTINGS    150
#define COUNT       4096

/* Somebody on the host who makes and removes files all the time. */
typedef struct Changer {
    char *folder;
    int stop;                   /* atomic */
    unsigned rounds;
} Changer;

static void *change(void *opaque)
{
    Changer *c = opaque;

    while (!g_atomic_int_get(&c->stop)) {
        for (int i = 0; i < CHANGING; i++) {
            g_autofree char *path = g_strdup_printf("%s/go%d", c->folder, i);

            close(open(path, O_CREAT | O_WRONLY, 0644));
            unlink(path);
        }
        c->rounds++;
    }
    return NULL;
}

static void add_name(GHashTable *names, const char *name, unsigned len)
{
    g_hash_table_add(names, g_strndup(name, len));
}

/* A whole directory, by Treaddir. */
static void list_dotl(P9Client *fe, uint32_t fid, GHashTable *names)
{
    uint64_t offset = 0;
    uint32_t count = 0;

    do {
        g_autoptr(GPtrArray) entries = p9_dirents_new();

        treaddir({.fe = fe, .fid = fid, .offset = offset, .count = COUNT,
                  .entries = entries, .rcount = &count});
        for (unsigned i = 0; i < entries->len; i++) {
            P9Dirent *entry = g_ptr_array_index(entries, i);

            add_name(names, entry->name, strlen(entry->name));
            offset = entry->offset;
        }
    } while (count);
}

/* The same by Tread: of each entry what Rstat has, its name behind 41 bytes. */
static void list_dotu(P9Client *fe, uint32_t fid, GHashTable *names)
{
    uint8_t data[COUNT];
    uint64_t offset = 0;
    uint32_t count = 0;

    do {
        tread({.fe = fe, .fid = fid, .offset = offset, .count = COUNT,
               .data = data, .rcount = &count});
        for (uint32_t at = 0; at < count;
             at += 2 + data[at] + 256 * data[at + 1]) {
            add_name(names, (char *)data + at + 43,
                     data[at + 41] + 256 * data[at + 42]);
        }
        offset += count;
    } while (count);
}

static void list(P9Client *fe, GHashTable *names)
{
    twalk({.fe = fe, .fid = 0, .newfid = 1, .path = "dir"});
    if (fe->dotl) {
        tlopen({.fe = fe, .fid = 1});
        list_dotl(fe, 1, names);
    } else {
        topen({.fe = fe, .fid = 1});
        list_dotu(fe, 1, names);
    }
    tclunk({.fe = fe, .fid = 1});
}

static void test_changing(const void *version)
{
    Fixture *f = fixture_up();
    g_autofree char *folder = g_build_filename(f->share, "dir", NULL);
    Changer changer = { .folder = folder };
    GThread *thread;
    Fe *front;

    if (f->backend == BACKEND_XEN_9PFSD) {
        g_test_skip("xen-9pfsd has no Treaddir");
        fixture_down(f);
        return;
    }
    g_assert_cmpint(g_mkdir(folder, 0755), ==, 0);
    for (int i = 0; i < STAYING; i++) {
        g_autofree char *path = g_strdup_printf("%s/stay%d", folder, i);

        g_assert_true(g_file_set_contents(path, "", 0, NULL));
    }
    front = fixture_connect(f, 1, 5);
    tattach({.fe = &front->client, .version = version});
    thread = g_thread_new("change", change, &changer);
    for (int n = 0; n < LISTINGS; n++) {
        g_autoptr(GHashTable) names =
            g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

        list(&front->client, names);
        for (int i = 0; i < STAYING; i++) {
            g_autofree char *name = g_strdup_printf("stay%d", i);

            g_assert_true(g_hash_table_contains(names, name));
        }
    }
    g_atomic_int_set(&changer.stop, 1);
    g_thread_join(thread);
    g_assert_cmpuint(changer.rounds, >, 0);
    fixture_close(f, front);
    fixture_down(f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/listings/changing/9P2000.L", "9P2000.L",
                         test_changing);
    g_test_add_data_func("/listings/changing/9P2000.u", "9P2000.u",
                         test_changing);
    return g_test_run();
}
