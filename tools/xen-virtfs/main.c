/*
 * xen-virtfs: 9P shares of Xen domains, from the command line
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "commands.h"
#include "domain.h"

#define TIMEOUT_S 10
#define DELAY_S 2

static const struct {
    const char *name;
    int min, max;               /* words */
    bool (*run)(Host *host, char **words, int num, GError **err);
    const char *words, *what;
} commands[] = {
    { "attach", 2, 2, command_attach, "DOMAIN KEY=VALUE,...",
      "give a share to a domain that runs" },
    { "detach", 2, 2, command_detach, "DOMAIN DEVICE",
      "take a share away from a domain" },
    { "list", 0, 1, command_list, "[DOMAIN]", "show the shares of domains" },
    { "status", 1, 2, command_status, "DOMAIN [DEVICE]",
      "show how shares are doing" },
    { "top", 0, 0, command_top, "", "show what all shares do now" },
    { "apply", 1, 1, command_apply, "DOMAIN",
      "attach what the domain's file has and it has not" },
    { "watch", 0, 0, command_watch, "",
      "do so for each domain that is created" },
};

static void help(void)
{
    unsigned i;

    printf("Usage: xen-virtfs [OPTION]... COMMAND [WORD]...\n"
           "Attach directories of this host to Xen domains, over 9P.\n\n");
    for (i = 0; i < G_N_ELEMENTS(commands); i++) {
        printf("  %-7s %-21s %s\n", commands[i].name, commands[i].words,
               commands[i].what);
    }
    printf("\n"
           "DOMAIN is a name or a number, DEVICE a tag or a number. KEYs are\n"
           "those of p9 in xl.cfg: tag, path, security_model; and protocol\n"
           "(9pfs, virtfs), devid, readonly, and the others of xen-virtfs(8).\n"
           "\n"
           "  -j, --json          list, status, top: print JSON\n"
           "  -b, --batch         top: print lines, without a terminal\n"
           "  -n, --rounds=N      top: end after so many\n"
           "  -d, --delay=SECS    top: between them [%d]\n"
           "  -q, --qmp=SOCKET    of the domain's QEMU, if not libxl's\n"
           "  -Q, --qemu=PROGRAM  to start for a domain without\n"
           "  -u, --user=USER     whom that runs as, in a sandbox\n"
           "  -t, --timeout=SECS  how long to wait for the other side [%d]\n"
           "  -h, --help          show this\n"
           "  -V, --version       show the version\n"
           "\n"
           "The status is 0: done, 1: refused, 2: wrong usage, 3: no such\n"
           "domain, 4: no such device, 5: no QEMU answers.\n",
           DELAY_S, TIMEOUT_S);
}

static bool parse_option(const char *name, const char *word, unsigned min,
                         unsigned max, unsigned *number)
{
    if (parse_number(word, number) && *number >= min && *number <= max) {
        return true;
    }
    fprintf(stderr, "xen-virtfs: --%s=%s: %u to %u\n", name, word, min, max);
    return false;
}

/* Returns: false where the command line is wrong, which getopt has told. */
static bool parse_options(int argc, char **argv, Host *host)
{
    static const struct option options[] = {
        { "json", no_argument, NULL, 'j' },
        { "batch", no_argument, NULL, 'b' },
        { "rounds", required_argument, NULL, 'n' },
        { "delay", required_argument, NULL, 'd' },
        { "qmp", required_argument, NULL, 'q' },
        { "qemu", required_argument, NULL, 'Q' },
        { "user", required_argument, NULL, 'u' },
        { "timeout", required_argument, NULL, 't' },
        { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, 'V' },
        { }
    };
    unsigned seconds;
    int option;

    while ((option = getopt_long(argc, argv, "jbn:d:q:Q:u:t:hV", options,
                                 NULL)) != -1) {
        switch (option) {
        case 'j':
            host->json = true;
            break;
        case 'b':
            host->batch = true;
            break;
        case 'n':
            if (!parse_option("rounds", optarg, 1, INT_MAX, &host->rounds)) {
                return false;
            }
            break;
        case 'd':
            if (!parse_option("delay", optarg, 1, 3600, &seconds)) {
                return false;
            }
            host->delay_ms = seconds * 1000;
            break;
        case 'q':
            host->qmp = optarg;
            break;
        case 'Q':
            host->qemu = optarg;
            break;
        case 'u':
            host->user = optarg;
            break;
        case 't':
            if (!parse_option("timeout", optarg, 0, 3600, &seconds)) {
                return false;
            }
            host->timeout_ms = seconds * 1000;
            break;
        case 'h':
            help();
            exit(0);
        case 'V':
            printf("xen-virtfs %s\n", VERSION);
            exit(0);
        default:
            return false;
        }
    }
    return true;
}

static bool run(Host *host, char **words, int num, GError **err)
{
    unsigned i;

    for (i = 0; num && i < G_N_ELEMENTS(commands); i++) {
        if (!g_str_equal(words[0], commands[i].name)) {
            continue;
        }
        if (num - 1 < commands[i].min || num - 1 > commands[i].max) {
            g_set_error(err, TOOL_ERROR, TOOL_USAGE,
                        "usage: xen-virtfs %s %s", commands[i].name,
                        commands[i].words);
            return false;
        }
        return host_open(host, err) &&
            commands[i].run(host, words + 1, num - 1, err);
    }
    if (num) {
        g_set_error(err, TOOL_ERROR, TOOL_USAGE,
                    "unknown command '%s', see xen-virtfs --help", words[0]);
    } else {
        g_set_error(err, TOOL_ERROR, TOOL_USAGE,
                    "no command, see xen-virtfs --help");
    }
    return false;
}

static const char *environment(const char *name, const char *otherwise)
{
    const char *value = g_getenv(name);

    return value ? value : otherwise;
}

int main(int argc, char **argv)
{
    g_autoptr(GError) err = NULL;
    Host host = {
        .run_dir = environment("XEN_RUN_DIR", RUN_DIR),
        .log_dir = environment("XEN_LOG_DIR", LOG_DIR),
        .conf_dir = environment("XEN_VIRTFS_DIR", CONF_DIR),
        .qemu = QEMU,
        .timeout_ms = TIMEOUT_S * 1000,
        .delay_ms = DELAY_S * 1000,
    };
    bool done;

    signal(SIGPIPE, SIG_IGN);
    if (!parse_options(argc, argv, &host)) {
        return TOOL_USAGE;
    }
    done = run(&host, argv + optind, argc - optind, &err);
    host_close(&host);
    if (!done) {
        fprintf(stderr, "xen-virtfs: %s\n", err->message);
        return err->code;
    }
    return 0;
}
