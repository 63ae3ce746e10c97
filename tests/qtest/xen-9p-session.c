/*
 * Xen 9P tests: a case, the set-ups it runs over, and its session
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <signal.h>

#include "xen-9p-session.h"

typedef struct Bound {
    const Case *test;
    const Setup *setup;
} Bound;

static unsigned back_number(Session *s, const char *node)
{
    g_autofree char *value = device_node(s->f->guest, s->front->type,
                                         s->front->devid, node);

    return value ? g_ascii_strtoull(value, NULL, 10) : 0;
}

static bool skip(Session *s, const char *why)
{
    g_test_skip(why);
    fixture_down(s->f);
    return false;
}

/* Whether the backend has what the case is about. */
static bool backend_can(Session *s, unsigned flags, const char **why)
{
    if (s->f->backend == BACKEND_XEN_9PFSD && !(flags & CASE_NINE)) {
        *why = "xen-9pfsd has nine calls of 9P2000.u";
        return false;
    }
    if (s->f->backend == BACKEND_XEN_9PFSD && s->setup->model) {
        *why = "xen-9pfsd has one security model";
        return false;
    }
    if (s->f->backend != BACKEND_OURS && (flags & CASE_OURS)) {
        *why = "the backend has no node for it";
        return false;
    }
    return true;
}

static bool rings_fit(Session *s)
{
    if (s->front->virtfs) {
        return s->setup->rings <= back_number(s, "multi-queue-max-queues");
    }
    return s->setup->rings <= back_number(s, "max-rings") &&
        s->setup->order <= back_number(s, "max-ring-page-order");
}

const char *session_version(const Session *s)
{
    return s->fe->dotl ? "9P2000.L" : "9P2000.u";
}

void session_attach(Session *s)
{
    /* As Linux does: no message is larger than what a ring holds. */
    tattach({.fe = s->fe, .msize = fe_msize(s->front),
             .version = session_version(s)});
}

bool session_begin(Session *s, const Setup *setup, unsigned flags)
{
    const char *why = NULL;

    *s = (Session) { .f = fixture_up(), .setup = setup };
    if (!backend_can(s, flags, &why)) {
        return skip(s, why);
    }
    s->front = fixture_device(s->f, &(DeviceOpts) {
        .path = s->f->share, .security_model = setup->model,
        .more = setup->more,
    });
    s->fe = &s->front->client;
    fixture_start(s->f);
    if (fe_wait_state(s->front, FE_STATE(InitWait), 10000) < 0) {
        g_autofree char *text = fixture_why(s->f, s->front);

        g_error("no InitWait: %s", text);
    }
    if (!rings_fit(s)) {
        return skip(s, "more rings, or larger, than the backend offers");
    }
    if (!fe_connect(s->front, setup->rings, setup->order)) {
        g_autofree char *text = fixture_why(s->f, s->front);

        g_error("%u rings of order %u do not connect: %s", setup->rings,
                setup->order, text);
    }
    s->fe->dotl = !(flags & CASE_DOTU) &&
        s->f->backend != BACKEND_XEN_9PFSD;
    session_attach(s);
    return true;
}

void session_end(Session *s)
{
    g_assert_cmpuint(s->fe->strays, ==, 0);
    g_assert_cmpuint(s->fe->in_flight, ==, 0);
    fixture_close(s->f, s->front);
    fixture_down(s->f);
}

static void run_bound(gconstpointer data)
{
    const Bound *bound = data;
    Session s;

    if (session_begin(&s, bound->setup, bound->test->flags)) {
        bound->test->run(&s);
        session_end(&s);
    }
}

void session_add(const char *group, const Case *test, const Setup *setup)
{
    g_autofree char *path = g_strdup_printf(
        "/%s/%s/%s%srings-%u/order-%u", group, test->name,
        setup->model ? setup->model : "", setup->model ? "/" : "",
        setup->rings, setup->order);
    Bound *bound;

    if (fixture_virtfs() && (test->flags & CASE_FLEX)) {
        return;
    }
    bound = g_new(Bound, 1);
    *bound = (Bound) { test, setup };
    g_test_add_data_func_full(path, bound, run_bound, g_free);
}

uint32_t session_chunk(const Session *s)
{
    /* What Twrite has before its data. */
    return s->fe->msize - 23;
}

char *host_path(Session *s, const char *name)
{
    return g_build_filename(s->f->share, name, NULL);
}

int host_stat(Session *s, const char *name, struct stat *st)
{
    g_autofree char *path = host_path(s, name);

    return lstat(path, st) < 0 ? errno : 0;
}

void host_file(Session *s, const char *name, const char *text)
{
    fixture_file(s->f, name, text, strlen(text));
}

uint8_t *host_pattern(Session *s, const char *name, uint32_t size)
{
    return fixture_pattern(s->f, name, size);
}

void host_expect(Session *s, const char *name, const void *data, size_t len)
{
    g_autofree char *path = host_path(s, name);
    g_autofree char *found = NULL;
    gsize found_len;

    g_assert_true(g_file_get_contents(path, &found, &found_len, NULL));
    g_assert_cmpmem(found, found_len, data, len);
}

unsigned ring_tag(P9Client *c, unsigned ring)
{
    unsigned tag = c->next_tag;

    while (tag % c->rings != ring || tag >= P9_NOTAG || c->by_tag[tag]) {
        tag = (tag + 1) % P9_NOTAG;
    }
    c->next_tag = (tag + 1) % P9_NOTAG;
    return P9_TAG(tag);
}

P9Req *ask(P9Client *c, unsigned ring)
{
    unsigned tag = ring_tag(c, ring);

    if (c->dotl) {
        return tgetattr({.fe = c, .fid = 0, .ring = P9_RING(ring),
                         .tag = tag, .request_only = true});
    }
    /* An error is an answer; xen-9pfsd ends at a Tstat of the root. */
    return tclunk({.fe = c, .fid = 12345, .ring = P9_RING(ring), .tag = tag,
                   .request_only = true});
}

void asked(P9Req *req)
{
    uint32_t error = p9_req_result(req);

    g_assert_true(req->type == P9_TCLUNK ? error : !error);
    p9_req_free(req);
}

void open_at(Session *s, uint32_t fid, const char *name, uint32_t flags)
{
    twalk({.fe = s->fe, .fid = 0, .newfid = fid, .path = name});
    if (s->fe->dotl) {
        tlopen({.fe = s->fe, .fid = fid, .flags = flags});
    } else {
        topen({.fe = s->fe, .fid = fid, .flags = flags});
    }
}

void create_at(Session *s, uint32_t fid, const char *name)
{
    twalk({.fe = s->fe, .fid = 0, .newfid = fid});
    if (s->fe->dotl) {
        tlcreate({.fe = s->fe, .fid = fid, .name = name, .mode = 0644,
                  .flags = P9_DOTL_RDWR | P9_DOTL_CREATE});
    } else {
        tcreate({.fe = s->fe, .fid = fid, .name = name, .mode = 0644,
                 .flags = P9_ORDWR});
    }
}

/* The letter that the kernel has for what the backend does. */
static char process_state(Fixture *f)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/stat",
                                            (int)f->backend_pid);
    g_autofree char *text = NULL;
    const char *state;

    if (!g_file_get_contents(path, &text, NULL, NULL)) {
        return 0;
    }
    state = strrchr(text, ')');
    return state ? state[2] : 0;
}

void backend_pause(Fixture *f)
{
    int waited;

    g_assert_cmpint(kill(f->backend_pid, SIGSTOP), ==, 0);
    for (waited = 0; waited < 5000 && process_state(f) != 'T'; waited++) {
        g_usleep(1000);
    }
    g_assert_cmpint(process_state(f), ==, 'T');
}

void backend_resume(Fixture *f)
{
    g_assert_cmpint(kill(f->backend_pid, SIGCONT), ==, 0);
}
