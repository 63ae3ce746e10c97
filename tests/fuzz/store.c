/*
 * A xenstore in the fuzzer's own process
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <xenstore.h>

#include "store.h"

/* What paths that do not begin with a slash are relative to. */
#define HOME "/local/domain/0/"

/* A client: QEMU opens more than one. */
struct xs_handle {
    int fd;                     /* readable while there are events */
    GQueue events;              /* char *[2], as xs_check_watch() returns */
};

typedef struct Watch {
    struct xs_handle *h;
    char *path;                 /* as it was given */
    char *full;
    char *token;
} Watch;

static GHashTable *nodes;       /* full path -> value */
static GPtrArray *watches;
static unsigned fail_nth;

static char *full_path(const char *path)
{
    if (*path == '/') {
        return g_strdup(path);
    }
    return g_strconcat(HOME, path, NULL);
}

/* Whether @path is @top or below it; @below gets what follows @top. */
static bool is_below(const char *path, const char *top, const char **below)
{
    size_t len = strlen(top);

    if (strncmp(path, top, len) || (path[len] && path[len] != '/')) {
        return false;
    }
    *below = path + len;
    return true;
}

/* As libxenstore gives it: one block of memory. */
static void add_event(Watch *watch, const char *below)
{
    g_autofree char *path = g_strconcat(watch->path, below, NULL);
    size_t path_size = strlen(path) + 1;
    size_t token_size = strlen(watch->token) + 1;
    char **event = malloc(2 * sizeof(*event) + path_size + token_size);
    uint64_t one = 1;

    event[XS_WATCH_PATH] = memcpy(event + 2, path, path_size);
    event[XS_WATCH_TOKEN] = memcpy(event[XS_WATCH_PATH] + path_size,
                                   watch->token, token_size);
    g_queue_push_tail(&watch->h->events, event);
    g_assert(write(watch->h->fd, &one, sizeof(one)) == sizeof(one));
}

/* Tell of a change of @full; of all below as well, where it was removed. */
static void fire(const char *full, bool removed)
{
    const char *below;
    unsigned i;

    for (i = 0; i < watches->len; i++) {
        Watch *watch = g_ptr_array_index(watches, i);

        if (is_below(full, watch->full, &below)) {
            add_event(watch, below);
        } else if (removed && is_below(watch->full, full, &below)) {
            add_event(watch, "");
        }
    }
}

static void init(void)
{
    if (!nodes) {
        nodes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                      g_free);
        watches = g_ptr_array_new();
    }
}

void store_write(const char *path, const char *value)
{
    char *full = full_path(path);

    init();
    g_hash_table_replace(nodes, full, g_strdup(value));
    fire(full, false);
}

static gboolean node_is_below(gpointer key, gpointer value, gpointer top)
{
    const char *below;

    return is_below(key, top, &below);
}

void store_remove(const char *path)
{
    g_autofree char *full = full_path(path);

    if (g_hash_table_foreach_remove(nodes, node_is_below, full)) {
        fire(full, true);
    }
}

int store_read_int(const char *path)
{
    g_autofree char *full = full_path(path);
    const char *value = g_hash_table_lookup(nodes, full);

    return value ? atoi(value) : -1;
}

void store_fail(unsigned nth)
{
    fail_nth = nth;
}

/* ---- libxenstore ---- */

struct xs_handle *xs_open(unsigned long flags)
{
    struct xs_handle *h = g_new0(struct xs_handle, 1);

    init();
    h->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    g_assert(h->fd >= 0);
    return h;
}

void xs_close(struct xs_handle *h)
{
    char **event;

    while ((event = g_queue_pop_head(&h->events))) {
        free(event);
    }
    close(h->fd);
    g_free(h);
}

int xs_fileno(struct xs_handle *h)
{
    return h->fd;
}

char **xs_check_watch(struct xs_handle *h)
{
    char **event = g_queue_pop_head(&h->events);
    uint64_t count;

    if (!event) {
        if (read(h->fd, &count, sizeof(count)) < 0) {
            g_assert(errno == EAGAIN);
        }
        errno = EAGAIN;
    }
    return event;
}

char *xs_get_domain_path(struct xs_handle *h, unsigned int domid)
{
    char *path;

    return asprintf(&path, "/local/domain/%u", domid) < 0 ? NULL : path;
}

void *xs_read(struct xs_handle *h, xs_transaction_t t, const char *path,
              unsigned int *len)
{
    g_autofree char *full = full_path(path);
    const char *value = g_hash_table_lookup(nodes, full);

    if (!value) {
        errno = ENOENT;
        return NULL;
    }
    if (len) {
        *len = strlen(value);
    }
    return strdup(value);
}

bool xs_write(struct xs_handle *h, xs_transaction_t t, const char *path,
              const void *data, unsigned int len)
{
    g_autofree char *value = g_strndup(data, len);

    if (fail_nth && !g_str_has_suffix(path, "/state") && --fail_nth == 0) {
        errno = EIO;
        return false;
    }
    store_write(path, value);
    return true;
}

bool xs_mkdir(struct xs_handle *h, xs_transaction_t t, const char *path)
{
    g_autofree char *full = full_path(path);

    if (!g_hash_table_contains(nodes, full)) {
        store_write(path, "");
    }
    return true;
}

bool xs_set_permissions(struct xs_handle *h, xs_transaction_t t,
                        const char *path, struct xs_permissions *perms,
                        unsigned int num_perms)
{
    return true;
}

bool xs_rm(struct xs_handle *h, xs_transaction_t t, const char *path)
{
    store_remove(path);
    return true;
}

/* The names right below a node, in one block of memory. */
char **xs_directory(struct xs_handle *h, xs_transaction_t t, const char *path,
                    unsigned int *num)
{
    g_autofree char *full = full_path(path);
    g_autoptr(GHashTable) names =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    bool exists = g_hash_table_contains(nodes, full);
    GHashTableIter iter;
    size_t bytes = 0;
    gpointer key;
    const char *below;
    char **list, *to;

    g_hash_table_iter_init(&iter, nodes);
    while (g_hash_table_iter_next(&iter, &key, NULL)) {
        if (is_below(key, full, &below) && *below) {
            char *name = g_strndup(below + 1, strcspn(below + 1, "/"));

            bytes += strlen(name) + 1;
            g_hash_table_add(names, name);
        }
    }
    *num = g_hash_table_size(names);
    if (!exists && !*num) {
        errno = ENOENT;
        return NULL;
    }
    list = malloc((*num + 1) * sizeof(*list) + bytes);
    to = (char *)(list + *num + 1);
    *num = 0;
    g_hash_table_iter_init(&iter, names);
    while (g_hash_table_iter_next(&iter, &key, NULL)) {
        list[(*num)++] = to;
        to = stpcpy(to, key) + 1;
    }
    list[*num] = NULL;
    return list;
}

bool xs_watch(struct xs_handle *h, const char *path, const char *token)
{
    Watch *watch = g_new0(Watch, 1);

    watch->h = h;
    watch->path = g_strdup(path);
    watch->full = full_path(path);
    watch->token = g_strdup(token);
    g_ptr_array_add(watches, watch);
    /* As the protocol has it, it fires once at first. */
    add_event(watch, "");
    return true;
}

bool xs_unwatch(struct xs_handle *h, const char *path, const char *token)
{
    unsigned i;

    for (i = 0; i < watches->len; i++) {
        Watch *watch = g_ptr_array_index(watches, i);

        if (watch->h == h && g_str_equal(watch->path, path) &&
            g_str_equal(watch->token, token)) {
            g_ptr_array_remove_index(watches, i);
            g_free(watch->path);
            g_free(watch->full);
            g_free(watch->token);
            g_free(watch);
            return true;
        }
    }
    errno = ENOENT;
    return false;
}

xs_transaction_t xs_transaction_start(struct xs_handle *h)
{
    return 1;
}

bool xs_transaction_end(struct xs_handle *h, xs_transaction_t t, bool abort)
{
    return true;
}
