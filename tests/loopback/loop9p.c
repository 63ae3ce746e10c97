/*
 * A guest to play with: serve a folder over a loopback, and look at it
 *
 *     loop9p FOLDER [COMMAND]     without a COMMAND it asks for commands
 *
 * The backend is the fixture's (see fixture.h for the environment).
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fixture.h"

#define ROOT_FID 0
#define WORK_FID 1

typedef struct Shell {
    Fixture *fixture;
    P9Client *fe;
    bool leave;
} Shell;

/* Say why, if there is an error; returns whether there is none. */
static bool check(const char *what, uint32_t error)
{
    if (error) {
        fprintf(stderr, "%s: %s\n", what, g_strerror(error));
    }
    return !error;
}

static const char *skip_slash(const char *path)
{
    while (*path == '/') {
        path++;
    }
    return path;
}

/* WORK_FID becomes the file of that path. */
static bool walk(Shell *sh, const char *path)
{
    const char *relative = skip_slash(path);
    g_autofree P9Qid *qids = g_new0(P9Qid, P9_MAX_WELEM);
    g_auto(GStrv) names = g_strsplit(relative, "/", -1);
    uint16_t want = g_strv_length(names), got = 0;
    uint32_t error;

    if (want > P9_MAX_WELEM) {
        return check(path, ENAMETOOLONG);
    }
    twalk({.fe = sh->fe, .fid = ROOT_FID, .newfid = WORK_FID,
           .path = relative, .rwqids = qids, .rnwqid = &got,
           .rerror = &error});
    return check(path, error ? error : got < want ? ENOENT : 0);
}

static bool open_fid(Shell *sh, const char *path, uint32_t dotl_flags,
                     uint32_t flags)
{
    uint32_t error;

    if (sh->fe->dotl) {
        tlopen({.fe = sh->fe, .fid = WORK_FID, .flags = dotl_flags,
                .rerror = &error});
    } else {
        topen({.fe = sh->fe, .fid = WORK_FID, .flags = flags,
               .rerror = &error});
    }
    return check(path, error);
}

static void clunk(Shell *sh)
{
    uint32_t error;

    tclunk({.fe = sh->fe, .fid = WORK_FID, .rerror = &error});
}

static void list_dotl(Shell *sh, const char *path)
{
    g_autoptr(GPtrArray) entries = p9_dirents_new();
    uint32_t count, error, i;
    uint64_t offset = 0;

    do {
        treaddir({.fe = sh->fe, .fid = WORK_FID, .offset = offset,
                  .count = sh->fe->msize - 11, .entries = entries,
                  .rcount = &count, .rerror = &error});
        if (!check(path, error)) {
            return;
        }
        if (entries->len) {
            P9Dirent *last = g_ptr_array_index(entries, entries->len - 1);

            offset = last->offset;
        }
    } while (count);
    for (i = 0; i < entries->len; i++) {
        P9Dirent *entry = g_ptr_array_index(entries, i);

        printf("%s%s\n", entry->name,
               entry->qid.type & P9_QTDIR ? "/" : "");
    }
}

static void cmd_ls(Shell *sh, char **words)
{
    const char *path = words[1] ? words[1] : "/";

    if (!sh->fe->dotl) {
        fprintf(stderr, "this backend cannot list: it has no 9P2000.L\n");
    } else if (walk(sh, path)) {
        if (open_fid(sh, path, P9_DOTL_DIRECTORY, P9_OREAD)) {
            list_dotl(sh, path);
        }
        clunk(sh);
    }
}

static void copy_out(Shell *sh, const char *path)
{
    uint32_t room = sh->fe->msize - 24, count, error;
    g_autofree char *data = g_malloc(room);
    uint64_t offset = 0;

    do {
        tread({.fe = sh->fe, .fid = WORK_FID, .offset = offset,
               .count = room, .data = data, .rcount = &count,
               .rerror = &error});
        if (!check(path, error)) {
            return;
        }
        fwrite(data, 1, count, stdout);
        offset += count;
    } while (count);
}

static void cmd_cat(Shell *sh, char **words)
{
    if (walk(sh, words[1])) {
        if (open_fid(sh, words[1], P9_DOTL_RDONLY, P9_OREAD)) {
            copy_out(sh, words[1]);
        }
        clunk(sh);
    }
}

/* WORK_FID is the folder of @path; it becomes the new, open file. */
static bool create(Shell *sh, const char *path, const char *name)
{
    uint32_t error;

    if (sh->fe->dotl) {
        tlcreate({.fe = sh->fe, .fid = WORK_FID, .name = name, .mode = 0644,
                  .flags = P9_DOTL_RDWR | P9_DOTL_TRUNC | P9_DOTL_CREATE,
                  .rerror = &error});
    } else {
        tcreate({.fe = sh->fe, .fid = WORK_FID, .name = name, .mode = 0644,
                 .flags = P9_ORDWR | P9_OTRUNC, .rerror = &error});
    }
    return check(path, error);
}

static void copy_in(Shell *sh, const char *path, FILE *from)
{
    uint32_t room = sh->fe->msize - 24, count, error, written;
    g_autofree char *data = g_malloc(room);
    uint64_t offset = 0;

    while ((count = fread(data, 1, room, from))) {
        twrite({.fe = sh->fe, .fid = WORK_FID, .offset = offset,
                .count = count, .data = data, .rcount = &written,
                .rerror = &error});
        if (!check(path, error)) {
            return;
        }
        offset += written;
        if (written < count) {
            check(path, ENOSPC);
            return;
        }
    }
    printf("%" G_GUINT64_FORMAT " bytes\n", offset);
}

static void cmd_put(Shell *sh, char **words)
{
    const char *path = words[2] ? words[2] : words[1];
    g_autofree char *dir = g_path_get_dirname(skip_slash(path));
    g_autofree char *name = g_path_get_basename(path);
    FILE *from = fopen(words[1], "rb");

    if (!from) {
        check(words[1], errno);
        return;
    }
    if (walk(sh, strcmp(dir, ".") ? dir : "")) {
        if (create(sh, path, name)) {
            copy_in(sh, path, from);
        }
        clunk(sh);
    }
    fclose(from);
}

static void stat_dotl(Shell *sh, const char *path)
{
    uint32_t error;
    P9Attr a;

    tgetattr({.fe = sh->fe, .fid = WORK_FID, .rattr = &a,
              .rerror = &error});
    if (check(path, error)) {
        printf("mode %o, owner %u:%u, %" G_GUINT64_FORMAT " bytes, %"
               G_GUINT64_FORMAT " links, qid %02x.%u.%" G_GUINT64_FORMAT
               "\n", a.mode, a.uid, a.gid, a.size, a.nlink, a.qid.type,
               a.qid.version, a.qid.path);
    }
}

static void stat_dotu(Shell *sh, const char *path)
{
    P9Stat s = { 0 };
    uint32_t error;

    tstat({.fe = sh->fe, .fid = WORK_FID, .rstat = &s, .rerror = &error});
    if (check(path, error)) {
        printf("mode %o, owner %u:%u, %" G_GUINT64_FORMAT " bytes, qid "
               "%02x.%u.%" G_GUINT64_FORMAT "\n", s.mode, s.n_uid, s.n_gid,
               s.length, s.qid.type, s.qid.version, s.qid.path);
    }
    p9_stat_clear(&s);
}

static void cmd_stat(Shell *sh, char **words)
{
    if (walk(sh, words[1])) {
        if (sh->fe->dotl) {
            stat_dotl(sh, words[1]);
        } else {
            stat_dotu(sh, words[1]);
        }
        clunk(sh);
    }
}

/* What the backend has asked of the hypervisor so far. */
static void cmd_calls(Shell *sh, char **words)
{
    LoopStats stats;
    int call;

    (void)words;
    loop_stats(sh->fixture->loop, sh->fixture->backend_pid, &stats);
    for (call = 0; call < LOOP_CALL_MAX; call++) {
        if (stats.calls[call]) {
            printf("%-12s %" G_GUINT64_FORMAT "\n", loop_call_name(call),
                   stats.calls[call]);
        }
    }
    printf("holds %u mapped grants, %u ports\n", stats.mapped, stats.ports);
}

static void cmd_exit(Shell *sh, char **words)
{
    (void)words;
    sh->leave = true;
}

static void cmd_help(Shell *sh, char **words);

static const struct {
    const char *name;
    unsigned words;             /* needed, with the name */
    void (*run)(Shell *sh, char **words);
    const char *help;
} commands[] = {
    { "ls", 1, cmd_ls, "ls [FOLDER]          list a folder" },
    { "cat", 2, cmd_cat, "cat FILE             show a file" },
    { "put", 2, cmd_put, "put LOCAL [FILE]     copy a file of yours there" },
    { "stat", 2, cmd_stat, "stat FILE            its attributes" },
    { "calls", 1, cmd_calls, "calls                the backend's hypercalls" },
    { "help", 1, cmd_help, "help                 this" },
    { "exit", 1, cmd_exit, "exit                 leave" },
};

static void cmd_help(Shell *sh, char **words)
{
    size_t i;

    (void)sh;
    (void)words;
    for (i = 0; i < G_N_ELEMENTS(commands); i++) {
        printf("%s\n", commands[i].help);
    }
}

static void run(Shell *sh, char **words)
{
    size_t i;

    for (i = 0; words[0] && i < G_N_ELEMENTS(commands); i++) {
        if (!strcmp(words[0], commands[i].name)) {
            if (g_strv_length(words) < commands[i].words) {
                fprintf(stderr, "%s\n", commands[i].help);
            } else {
                commands[i].run(sh, words);
            }
            return;
        }
    }
    if (words[0]) {
        fprintf(stderr, "%s? try help\n", words[0]);
    }
}

static void ask(Shell *sh)
{
    bool prompt = isatty(STDIN_FILENO);
    char line[4096];

    while (!sh->leave) {
        g_auto(GStrv) words = NULL;

        if (prompt) {
            printf("9p> ");
            fflush(stdout);
        }
        if (!fgets(line, sizeof(line), stdin)) {
            break;
        }
        if (g_shell_parse_argv(line, NULL, &words, NULL)) {
            run(sh, words);
        }
    }
}

int main(int argc, char **argv)
{
    g_autofree char *folder = NULL;
    Shell sh = { 0 };
    Fe *front;

    if (argc < 2) {
        fprintf(stderr, "usage: %s FOLDER [COMMAND]\n", argv[0]);
        return 2;
    }
    folder = g_canonicalize_filename(argv[1], NULL);
    sh.fixture = fixture_up();
    front = fixture_device(sh.fixture, &(DeviceOpts) { .path = folder });
    sh.fe = &front->client;
    fixture_start(sh.fixture);
    if (!fe_connect(front, 2, 7)) {
        g_autofree char *why = fixture_why(sh.fixture, front);

        fprintf(stderr, "%s cannot be served: %s\n", folder, why);
        fixture_down(sh.fixture);
        return 1;
    }
    tattach({.fe = sh.fe, .fid = ROOT_FID,
             .version = fixture_version(sh.fixture)});
    if (argc > 2) {
        run(&sh, argv + 2);
    } else {
        ask(&sh);
    }
    fixture_close(sh.fixture, front);
    fixture_down(sh.fixture);
    return 0;
}
