/*
 * The loopback's own promises: grants, event channels, faults, accounts
 *
 * Two processes are played by one, through handles of two domains; where a
 * process has to die, a child does.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <glib.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/account.h"
#include "core/fault.h"
#include "core/loop.h"

#define GUEST 7
#define OTHER 8

typedef struct Case {
    char *path;
    Loop *loop;
    int gnttab;                 /* of domain 0 */
    int here, there;            /* event channels of domain 0 and the guest */
    uint32_t gfn;
} Case;

static void set_up(Case *c, gconstpointer data)
{
    g_autofree char *name = g_strdup_printf("loopcore-%d", getpid());

    (void)data;
    c->path = g_build_filename(g_get_tmp_dir(), name, NULL);
    c->loop = loop_create(c->path);
    g_assert_nonnull(c->loop);
    g_assert_cmpint(loop_domain_create(c->loop, GUEST, 64), ==, 0);
    g_assert_cmpint(loop_domain_create(c->loop, OTHER, 64), ==, 0);
    c->gnttab = loop_handle_open(c->loop, LOOP_HANDLE_GNTTAB, 0);
    c->here = loop_evtchn_open(c->loop, 0, true);
    c->there = loop_evtchn_open(c->loop, GUEST, true);
    c->gfn = loop_pages_alloc(c->loop, GUEST, 4);
}

static void tear_down(Case *c, gconstpointer data)
{
    (void)data;
    loop_close(c->loop);
    loop_remove(c->path);
    g_free(c->path);
}

static int16_t map(Case *c, domid_t domid, grant_ref_t ref, bool readonly,
                   uint32_t *track)
{
    LoopMapOp op = { .domid = domid, .ref = ref, .readonly = readonly };

    loop_gnt_map(c->loop, c->gnttab, &op, 1);
    if (track) {
        *track = op.track;
    }
    return op.status;
}

static int16_t unmap(Case *c, uint32_t track)
{
    int16_t status;

    loop_gnt_unmap(c->loop, c->gnttab, &track, &status, 1);
    return status;
}

/* What a map operation answers, for each kind of wrong. */
static void test_map_status(Case *c, gconstpointer data)
{
    int rw = loop_grant(c->loop, GUEST, 0, c->gfn, false);
    int ro = loop_grant(c->loop, GUEST, 0, c->gfn, true);
    int other = loop_grant(c->loop, GUEST, OTHER, c->gfn, false);
    int nowhere = loop_grant(c->loop, GUEST, 0, 64, false);
    uint32_t track;

    (void)data;
    g_assert_cmpint(map(c, GUEST, ro, false, NULL), ==, GNTST_general_error);
    g_assert_cmpint(map(c, GUEST, other, true, NULL), ==,
                    GNTST_general_error);
    g_assert_cmpint(map(c, GUEST, nowhere, true, NULL), ==, GNTST_bad_page);
    g_assert_cmpint(map(c, GUEST, LOOP_MAX_GRANTS, true, NULL), ==,
                    GNTST_bad_gntref);
    g_assert_cmpint(map(c, GUEST, 4000, true, NULL), ==,
                    GNTST_general_error);
    g_assert_cmpint(map(c, 99, rw, true, NULL), ==, GNTST_bad_domain);
    g_assert_cmpint(map(c, GUEST, ro, true, &track), ==, GNTST_okay);
    g_assert_cmpint(unmap(c, track), ==, GNTST_okay);
    g_assert_cmpint(unmap(c, track), ==, GNTST_bad_handle);
}

/* The bits of use follow the users, and a grant in use cannot be ended. */
static void test_use_bits(Case *c, gconstpointer data)
{
    const uint16_t use = GTF_reading | GTF_writing;
    int ref = loop_grant(c->loop, GUEST, 0, c->gfn, false);
    grant_entry_v1_t *entry = loop_grant_entry(c->loop, GUEST, ref);
    uint32_t reader, writer;

    (void)data;
    g_assert_cmpint(map(c, GUEST, ref, true, &reader), ==, GNTST_okay);
    g_assert_cmpuint(entry->flags & use, ==, GTF_reading);
    g_assert_cmpint(map(c, GUEST, ref, false, &writer), ==, GNTST_okay);
    g_assert_cmpuint(entry->flags & use, ==, use);
    g_assert_cmpint(loop_grant_end(c->loop, GUEST, ref), ==, -EBUSY);
    g_assert_cmpuint(loop_grants_in_use(c->loop, GUEST), ==, 1);
    g_assert_cmpint(unmap(c, writer), ==, GNTST_okay);
    g_assert_cmpuint(entry->flags & use, ==, GTF_reading);
    g_assert_cmpint(loop_domain_destroy(c->loop, GUEST), ==, -EBUSY);
    g_assert_cmpint(unmap(c, reader), ==, GNTST_okay);
    g_assert_cmpuint(entry->flags & use, ==, 0);
    g_assert_cmpint(loop_grant_end(c->loop, GUEST, ref), ==, 0);
    g_assert_cmpuint(loop_grants_active(c->loop, GUEST), ==, 0);
    g_assert_cmpuint(loop_grants_in_use(c->loop, GUEST), ==, 0);
}

/* A guest that changes an entry in use does not change what is mapped. */
static void test_latched_frame(Case *c, gconstpointer data)
{
    int ref = loop_grant(c->loop, GUEST, 0, c->gfn, false);
    LoopMapOp first = { .domid = GUEST, .ref = ref };
    LoopMapOp second = first;

    (void)data;
    loop_gnt_map(c->loop, c->gnttab, &first, 1);
    loop_grant_entry(c->loop, GUEST, ref)->frame = c->gfn + 1;
    loop_gnt_map(c->loop, c->gnttab, &second, 1);
    g_assert_cmpint(second.status, ==, GNTST_okay);
    g_assert_cmpint(second.offset, ==, first.offset);
}

/* Each operation of a batch has its own status. */
static void test_copy(Case *c, gconstpointer data)
{
    int rw = loop_grant(c->loop, GUEST, 0, c->gfn, false);
    int ro = loop_grant(c->loop, GUEST, 0, c->gfn + 1, true);
    char text[] = "text", back[sizeof(text)] = "";
    LoopCopyOp ops[] = {
        { GUEST, rw, 4090, sizeof(text), true, text, 1 },
        { GUEST, ro, 0, sizeof(text), true, text, 1 },
        { GUEST, rw, 4092, sizeof(text), true, text, 1 },
        { GUEST, rw, 4090, sizeof(text), false, back, 1 },
    };
    LoopStats stats;

    (void)data;
    loop_gnt_copy(c->loop, c->gnttab, ops, G_N_ELEMENTS(ops));
    g_assert_cmpint(ops[0].status, ==, GNTST_okay);
    g_assert_cmpint(ops[1].status, ==, GNTST_general_error);
    g_assert_cmpint(ops[2].status, ==, GNTST_bad_copy_arg);
    g_assert_cmpint(ops[3].status, ==, GNTST_okay);
    g_assert_cmpstr(back, ==, "text");
    loop_stats(c->loop, getpid(), &stats);
    g_assert_cmpuint(stats.calls[LOOP_CALL_GNT_COPY], ==, 1);
    g_assert_cmpuint(stats.calls[LOOP_CALL_GNT_COPY_OPS], ==, 4);
    g_assert_cmpuint(stats.calls[LOOP_CALL_GNT_FAILED], ==, 2);
    g_assert_cmpuint(stats.mapped, ==, 0);
}

static bool readable(Case *c, int handle)
{
    struct pollfd pfd = {
        .fd = loop_evtchn_fd(c->loop, handle), .events = POLLIN,
    };

    return poll(&pfd, 1, 0) == 1;
}

static void connect_ports(Case *c, int *here, int *there)
{
    *there = loop_evtchn_alloc(c->loop, c->there, 0);
    *here = loop_evtchn_bind(c->loop, c->here, GUEST, *there);
    g_assert_cmpint(*here, >, 0);
    /* Xen raises an event at the port that was bound. */
    g_assert_cmpint(loop_evtchn_pending(c->loop, c->here), ==, *here);
    loop_evtchn_unmask(c->loop, c->here, *here);
}

static void test_evtchn(Case *c, gconstpointer data)
{
    int here, there;

    (void)data;
    connect_ports(c, &here, &there);
    g_assert_false(readable(c, c->here));
    loop_evtchn_notify(c->loop, c->there, there);
    loop_evtchn_notify(c->loop, c->there, there);
    g_assert_cmpint(loop_evtchn_pending(c->loop, c->here), ==, here);
    /* Delivered once; what came since waits for the unmask. */
    g_assert_false(readable(c, c->here));
    loop_evtchn_unmask(c->loop, c->here, here);
    g_assert_true(readable(c, c->here));
    g_assert_cmpint(loop_evtchn_pending(c->loop, c->here), ==, here);
    loop_evtchn_unmask(c->loop, c->here, here);
    g_assert_false(readable(c, c->here));
    loop_evtchn_notify(c->loop, c->here, here);
    g_assert_cmpint(loop_evtchn_pending(c->loop, c->there), ==, there);
}

static void test_evtchn_wrong(Case *c, gconstpointer data)
{
    int waits = loop_evtchn_alloc(c->loop, c->there, OTHER);
    int here, there;

    (void)data;
    g_assert_cmpint(loop_evtchn_bind(c->loop, c->here, GUEST, waits), ==,
                    -EINVAL);
    g_assert_cmpint(loop_evtchn_bind(c->loop, c->here, GUEST, 4000), ==,
                    -EINVAL);
    g_assert_cmpint(loop_evtchn_bind(c->loop, c->here, GUEST, 1 << 30), ==,
                    -EINVAL);
    g_assert_cmpint(loop_evtchn_bind(c->loop, c->here, 99, waits), ==,
                    -ESRCH);
    connect_ports(c, &here, &there);
    g_assert_cmpint(loop_evtchn_bind(c->loop, c->here, GUEST, there), ==,
                    -EINVAL);
    g_assert_cmpint(loop_evtchn_notify(c->loop, c->here, there + 100), ==,
                    -ENOTCONN);
    g_assert_cmpint(loop_evtchn_unbind(c->loop, c->here, here), ==, 0);
    g_assert_cmpint(loop_evtchn_unbind(c->loop, c->here, here), ==,
                    -ENOTCONN);
    /* The other side is unbound now, and can be bound again. */
    g_assert_cmpint(loop_evtchn_notify(c->loop, c->there, there), ==, 0);
    g_assert_cmpint(loop_evtchn_bind(c->loop, c->here, GUEST, there), >, 0);
}

static void test_faults(Case *c, gconstpointer data)
{
    int ref = loop_grant(c->loop, GUEST, 0, c->gfn, false), number;
    LoopMapOp ops[3] = {
        { .domid = GUEST, .ref = ref }, { .domid = GUEST, .ref = ref },
        { .domid = GUEST, .ref = ref },
    };
    LoopFault fault = loop_fault_rule(LOOP_FAULT_GNT_MAP, GNTST_no_space);

    (void)data;
    fault.nth = 2;
    fault.op = 1;
    number = loop_fault_set(c->loop, &fault);
    loop_gnt_map(c->loop, c->gnttab, ops, 3);
    g_assert_cmpint(ops[1].status, ==, GNTST_okay);
    loop_gnt_map(c->loop, c->gnttab, ops, 3);
    g_assert_cmpint(ops[0].status, ==, GNTST_okay);
    g_assert_cmpint(ops[1].status, ==, GNTST_no_space);
    g_assert_cmpint(ops[2].status, ==, GNTST_okay);
    loop_gnt_map(c->loop, c->gnttab, ops, 3);
    g_assert_cmpint(ops[1].status, ==, GNTST_okay);
    g_assert_cmpuint(loop_fault_hits(c->loop, number), ==, 1);
}

static void test_fault_text(Case *c, gconstpointer data)
{
    int there = loop_evtchn_alloc(c->loop, c->there, 0);

    (void)data;
    g_assert_cmpint(loop_fault_parse(c->loop, "bind@0:error=28"), ==, 0);
    g_assert_cmpint(loop_evtchn_bind(c->loop, c->here, GUEST, there), ==,
                    -ENOSPC);
    g_assert_cmpint(loop_evtchn_bind(c->loop, c->here, GUEST, there), >, 0);
    g_assert_cmpint(loop_fault_parse(c->loop, "bind:error"), ==, -EINVAL);
    g_assert_cmpint(loop_fault_parse(c->loop, "blind:error=1"), ==, -EINVAL);
    g_assert_cmpint(loop_fault_parse(c->loop, "map:x=1"), ==, -EINVAL);
    g_assert_cmpint(loop_fault_parse(c->loop, "map:nth=2;copy:op=1"), ==, 0);
}

/* Events that come twice, late, or never. */
static void test_fault_events(Case *c, gconstpointer data)
{
    int here, there;

    (void)data;
    connect_ports(c, &here, &there);
    loop_fault_parse(c->loop, "notify@7:repeat=2");
    loop_evtchn_notify(c->loop, c->there, there);
    g_assert_cmpint(loop_evtchn_pending(c->loop, c->here), ==, here);
    g_assert_cmpint(loop_evtchn_pending(c->loop, c->here), ==, here);
    loop_evtchn_unmask(c->loop, c->here, here);

    loop_fault_clear(c->loop, -1);
    loop_fault_parse(c->loop, "notify:delay=20000");
    loop_evtchn_notify(c->loop, c->there, there);
    g_assert_false(readable(c, c->here));
    g_assert_cmpint(loop_evtchn_pending(c->loop, c->here), ==, here);
    loop_evtchn_unmask(c->loop, c->here, here);

    loop_fault_clear(c->loop, -1);
    loop_fault_parse(c->loop, "notify:lose=1");
    loop_evtchn_notify(c->loop, c->there, there);
    g_usleep(20000);
    g_assert_false(readable(c, c->here));
}

/* What a process held is given back once it is reaped, and not before. */
static void test_reap(Case *c, gconstpointer data)
{
    int ref = loop_grant(c->loop, GUEST, 0, c->gfn, false);
    int there = loop_evtchn_alloc(c->loop, c->there, 0);
    pid_t pid = fork();
    LoopStats stats;
    char *left;

    (void)data;
    if (pid == 0) {
        Loop *loop = loop_open(c->path);
        int handle = loop_handle_open(loop, LOOP_HANDLE_GNTTAB, 0);
        LoopMapOp op = { .domid = GUEST, .ref = ref };

        loop_gnt_map(loop, handle, &op, 1);
        loop_evtchn_bind(loop, loop_evtchn_open(loop, 0, true), GUEST,
                         there);
        raise(SIGKILL);
    }
    g_assert_cmpint(waitpid(pid, NULL, 0), ==, pid);
    loop_stats(c->loop, pid, &stats);
    g_assert_cmpuint(stats.mapped_rw, ==, 1);
    g_assert_cmpuint(stats.ports, ==, 1);
    g_assert_cmpuint(stats.calls[LOOP_CALL_GNT_MAP], ==, 1);
    left = loop_leftovers(c->loop, pid, NULL);
    g_assert_nonnull(left);
    g_free(left);
    g_assert_cmpint(loop_grant_end(c->loop, GUEST, ref), ==, -EBUSY);
    loop_reap(c->loop, pid);
    g_assert_cmpint(loop_grant_end(c->loop, GUEST, ref), ==, 0);
    g_assert_null(loop_leftovers(c->loop, pid, NULL));
    loop_stats(c->loop, 0, &stats);
    g_assert_cmpuint(stats.calls[LOOP_CALL_GNT_MAP], ==, 1);
}

/* Children that are killed at any moment do not stop the others. */
static void test_killed_owner(Case *c, gconstpointer data)
{
    int ref = loop_grant(c->loop, GUEST, 0, c->gfn, false), i;
    uint32_t track;

    (void)data;
    for (i = 0; i < 50; i++) {
        pid_t pid = fork();

        if (pid == 0) {
            Loop *loop = loop_open(c->path);
            int handle = loop_handle_open(loop, LOOP_HANDLE_GNTTAB, 0);
            LoopMapOp op = { .domid = GUEST, .ref = ref };
            int16_t status;

            for (;;) {
                loop_gnt_map(loop, handle, &op, 1);
                loop_gnt_unmap(loop, handle, &op.track, &status, 1);
            }
        }
        g_usleep(1000 + 37 * i);
        kill(pid, SIGKILL);
        g_assert_cmpint(waitpid(pid, NULL, 0), ==, pid);
        loop_reap(c->loop, pid);
        g_assert_cmpint(map(c, GUEST, ref, false, &track), ==, GNTST_okay);
        g_assert_cmpint(unmap(c, track), ==, GNTST_okay);
    }
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(Case *c, gconstpointer data);
    } tests[] = {
        { "/core/grant/map-status", test_map_status },
        { "/core/grant/use-bits", test_use_bits },
        { "/core/grant/latched-frame", test_latched_frame },
        { "/core/grant/copy", test_copy },
        { "/core/evtchn/deliver", test_evtchn },
        { "/core/evtchn/wrong", test_evtchn_wrong },
        { "/core/fault/batch", test_faults },
        { "/core/fault/text", test_fault_text },
        { "/core/fault/events", test_fault_events },
        { "/core/process/reap", test_reap },
        { "/core/process/killed-owner", test_killed_owner },
    };
    size_t i;

    g_test_init(&argc, &argv, NULL);
    for (i = 0; i < G_N_ELEMENTS(tests); i++) {
        g_test_add(tests[i].name, Case, NULL, set_up, tests[i].run,
                   tear_down);
    }
    return g_test_run();
}
