/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For guests: threads that write and read a file each, and look at what comes
 * back.
 *
 *     hammer FOLDER THREADS SECONDS SIZE [mapped | slowly]
 *
 * SIZE is that of a piece, of which a file has one. Each thread has at least
 * one round, also if time is over. With 'mapped' what is written lies in a
 * mapping of another file of the folder, which is not in memory. With 'slowly'
 * there is one write, and a pause after each read.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static const char *folder;
static size_t size;
static time_t end;
static int mapped, slowly;

typedef struct Thread {
    pthread_t id;
    int number;
    int rounds;
    int version; /* the round whose data the file has */
    uint64_t *data;
} Thread;

static void fail(const Thread *t, const char *what)
{
    printf("thread %d, round %d: %s: %s\n", t->number, t->rounds, what,
           strerror(errno));
    exit(1);
}

/* What a word of the data is to be: no two are the same. */
static uint64_t word(const Thread *t, size_t i)
{
    return ((uint64_t)t->number << 48 | (uint64_t)t->version << 32) + i;
}

static void fill(const Thread *t, uint64_t *data)
{
    for (size_t i = 0; i < size / 8; i++) {
        data[i] = word(t, i);
    }
}

static void put(const Thread *t, int fd, const void *data)
{
    size_t done = 0;
    ssize_t n;

    while (done < size) {
        n = pwrite(fd, (const char *)data + done, size - done, done);
        if (n <= 0) {
            fail(t, "write");
        }
        done += n;
    }
}

static void get(const Thread *t, int fd)
{
    size_t done = 0;
    ssize_t n;

    while (done < size) {
        n = pread(fd, (char *)t->data + done, size - done, done);
        if (n <= 0) {
            fail(t, n ? "read" : "read, end of file");
        }
        done += n;
    }
}

static int open_file(const Thread *t, const char *name, int flags)
{
    char path[256];
    int fd;

    snprintf(path, sizeof(path), "%s/%s%d", folder, name, t->number);
    fd = open(path, flags, 0600);
    if (fd < 0) {
        fail(t, path);
    }
    return fd;
}

/* The data are in a file of the folder, and nowhere else. */
static void put_mapped(const Thread *t, int fd)
{
    int source = open_file(t, "source", O_RDWR | O_CREAT);
    void *map;

    put(t, source, t->data);
    fsync(source);
    posix_fadvise(source, 0, size, POSIX_FADV_DONTNEED);
    map = mmap(NULL, size, PROT_READ, MAP_PRIVATE, source, 0);
    if (map == MAP_FAILED) {
        fail(t, "mmap");
    }
    put(t, fd, map);
    munmap(map, size);
    close(source);
}

static void write_file(Thread *t, int fd)
{
    t->version = t->rounds;
    fill(t, t->data);
    if (mapped) {
        put_mapped(t, fd);
    } else {
        put(t, fd, t->data);
    }
}

static void check_file(Thread *t, int fd)
{
    memset(t->data, 0, size);
    get(t, fd);
    for (size_t i = 0; i < size / 8; i++) {
        if (t->data[i] != word(t, i)) {
            errno = 0;
            fail(t, "other data than were written");
        }
    }
}

/* A server can have smaller messages for descriptors that can write. */
static void *work(void *opaque)
{
    Thread *t = opaque;
    int out = open_file(t, "file", O_WRONLY | O_CREAT);
    int in = open_file(t, "file", O_RDONLY);

    do {
        if (!slowly || !t->rounds) {
            write_file(t, out);
        }
        check_file(t, in);
        if (slowly) {
            usleep(200000);
        }
        t->rounds++;
    } while (time(NULL) < end);
    close(in);
    close(out);
    return NULL;
}

int main(int argc, char **argv)
{
    int count = argc > 4 ? atoi(argv[2]) : 0, rounds = 0, i;
    Thread *threads = calloc(count ? count : 1, sizeof(*threads));
    pthread_attr_t attr;

    if (!count || !threads) {
        fprintf(stderr, "usage: hammer FOLDER THREADS SECONDS SIZE "
                "[mapped | slowly]\n");
        return 2;
    }
    folder = argv[1];
    end = time(NULL) + atoi(argv[3]);
    size = atol(argv[4]) & ~7L;
    mapped = argc > 5 && !strcmp(argv[5], "mapped");
    slowly = argc > 5 && !strcmp(argv[5], "slowly");
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 65536);
    for (i = 0; i < count; i++) {
        threads[i].number = i;
        threads[i].data = malloc(size);
        if (!threads[i].data ||
            pthread_create(&threads[i].id, &attr, work, threads + i)) {
            fail(threads + i, "a thread");
        }
    }
    for (i = 0; i < count; i++) {
        pthread_join(threads[i].id, NULL);
        rounds += threads[i].rounds;
    }
    printf("%d rounds\n", rounds);
    return 0;
}
