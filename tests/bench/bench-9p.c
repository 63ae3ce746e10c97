/*
 * The guest of a benchmark
 *
 *     echo "read 4096 16 1000" | LOOP_BACKEND=... bench-9p --rings 2
 *
 * Brings a backend up (fixture.h lists the environment), connects to it, and
 * measures what standard input asks for (serve.h).
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdio.h>

#include "core/fs.h"
#include "serve.h"
#include "served.h"

static int rings = 2, order = FLEX_MAX_ORDER, msize = 512 * 1024, cpu = -1;
static char *version, *delay;

static const GOptionEntry options[] = {
    { "rings", 'r', 0, G_OPTION_ARG_INT, &rings, "how many [2]", "N" },
    { "order", 'o', 0, G_OPTION_ARG_INT, &order, "of each ring [9]", "N" },
    { "msize", 'm', 0, G_OPTION_ARG_INT, &msize, "to ask for [524288]",
      "BYTES" },
    { "cpu", 'c', 0, G_OPTION_ARG_INT, &cpu, "where the guest runs [any]; "
      "the backend is LOOP_WRAP's", "N" },
    { "version", 'V', 0, G_OPTION_ARG_STRING, &version,
      "dialect [the backend's best]", "9P2000.L|9P2000.u" },
    { "delay", 'D', 0, G_OPTION_ARG_STRING, &delay,
      "of each of the backend's calls of the file system, and of one in ten",
      "US[:US]" },
    { NULL }
};

static Fe *connect_backend(Fixture *f)
{
    /* xen-9pfsd keeps few files open unless it is told otherwise. */
    static const char *const more[] = { "max-open-files", "1024", NULL };
    Fe *fe = fixture_device(f, &(DeviceOpts) {
        .path = f->share,
        .more = f->backend == BACKEND_XEN_9PFSD ? more : NULL,
    });

    fixture_start(f);
    if (!fe_connect(fe, rings, order)) {
        g_autofree char *why = fixture_why(f, fe);

        g_error("%d rings of order %d do not connect: %s", rings, order,
                why);
    }
    tattach({.fe = &fe->client, .msize = msize,
             .version = version ? version : fixture_version(f)});
    return fe;
}

/* A backend of slow storage. */
static void delay_calls(Fixture *f)
{
    unsigned usual, rare = 0;

    if (sscanf(delay, "%u:%u", &usual, &rare) < 1) {
        g_error("--delay: what is '%s'?", delay);
    }
    for (unsigned call = 0; call < LOOP_FS_CALLS; call++) {
        loop_fs_delay(f->loop, call, usual, rare);
    }
    loop_fs_watch(f->loop, f->backend_pid);
}

int main(int argc, char **argv)
{
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_autoptr(GError) error = NULL;
    Target target = { 0 };
    bool good;

    g_option_context_add_main_entries(context, options, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error)) {
        g_printerr("bench-9p: %s\n", error->message);
        return 2;
    }
    /* Backends run as they do in earnest. */
    g_setenv("MALLOC_PERTURB_", "0", TRUE);
    if (cpu >= 0) {
        serve_pin(cpu);
    }
    target.f = fixture_up();
    target.dir = target.f->share;
    target.rings = rings;
    target.order = order;
    served_make(target.dir);
    target.fe = connect_backend(target.f);
    target.client = &target.fe->client;
    if (delay) {
        delay_calls(target.f);
    }
    good = serve_lines(&target);
    loop_fs_watch(target.f->loop, 0);
    fixture_close(target.f, target.fe);
    fixture_down(target.f);
    return good ? 0 : 2;
}
