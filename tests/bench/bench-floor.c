/*
 * The floor of a benchmark: QEMU's 9P server without a transport
 *
 *     echo "read 4096 16 1000" | bench-floor FOLDER
 *
 * FOLDER is empty. Measures what standard input asks for (serve.h). Requests
 * and replies are checked as for a backend, by the thread that runs the
 * server's main loop, so that the CPU time has that in it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdlib.h>

#include "floor-link.h"
#include "floor-server.h"
#include "serve.h"
#include "served.h"

static int rings, order, msize = 512 * 1024, cpu = -1;
static char *version;

static const GOptionEntry options[] = {
    { "rings", 'r', 0, G_OPTION_ARG_INT, &rings, "told again, no more", "N" },
    { "order", 'o', 0, G_OPTION_ARG_INT, &order, "told again, no more", "N" },
    { "msize", 'm', 0, G_OPTION_ARG_INT, &msize, "to ask for [524288]",
      "BYTES" },
    { "cpu", 'c', 0, G_OPTION_ARG_INT, &cpu, "where it runs [any]", "N" },
    { "version", 'V', 0, G_OPTION_ARG_STRING, &version,
      "dialect [9P2000.L]", "9P2000.L|9P2000.u" },
    { NULL }
};

int main(int argc, char **argv)
{
    g_autoptr(GOptionContext) context = g_option_context_new("FOLDER");
    g_autoptr(GError) error = NULL;
    g_autofree P9Client *client = g_new0(P9Client, 1);
    Target target = { .client = client };

    g_option_context_add_main_entries(context, options, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error) ||
        argc != 2) {
        g_printerr("bench-floor: %s\n",
                   error ? error->message : "which folder?");
        return 2;
    }
    if (cpu >= 0) {
        serve_pin(cpu);
    }
    target.dir = argv[1];
    target.rings = rings;
    target.order = order;
    served_make(target.dir);
    floor_open(target.dir);
    p9_client_init(client, &floor_transport, client, 1);
    tattach({.fe = client, .msize = msize,
             .version = version ? version : "9P2000.L"});
    return serve_lines(&target) ? 0 : 2;
}
