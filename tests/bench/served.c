/*
 * What a benchmark's folder holds, and what its bytes have to be
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "served.h"

#define CHUNK (1u << 20)

static uint64_t word_at(const uint8_t *data, uint32_t offset)
{
    uint64_t word;

    memcpy(&word, data + offset, sizeof(word));
    return word;
}

/* A file of SERVED_SIZE; @fill makes the words at an offset. */
static void make_file(const char *dir, const char *name,
                      void (*fill)(uint64_t *words, uint64_t offset))
{
    g_autofree char *path = g_build_filename(dir, name, NULL);
    g_autofree uint64_t *words = g_malloc0(CHUNK);
    int fd = open(path, O_CREAT | O_WRONLY, 0644);
    uint64_t offset;

    g_assert_cmpint(fd, >=, 0);
    for (offset = 0; offset < SERVED_SIZE; offset += CHUNK) {
        if (fill) {
            fill(words, offset);
        }
        g_assert_cmpint(pwrite(fd, words, CHUNK, offset), ==, CHUNK);
    }
    close(fd);
}

static void fill_words(uint64_t *words, uint64_t offset)
{
    uint32_t i;

    for (i = 0; i < CHUNK / 8; i++) {
        words[i] = served_word(offset + 8ull * i);
    }
}

void served_blank(const char *dir)
{
    make_file(dir, SERVED_WRITTEN, NULL);
}

static void make_many(const char *dir)
{
    g_autofree char *many = g_build_filename(dir, SERVED_DIR, NULL);
    unsigned i;

    g_assert_cmpint(mkdir(many, 0755), ==, 0);
    for (i = 0; i < SERVED_ENTRIES; i++) {
        g_autofree char *path = g_strdup_printf("%s/entry-%04u", many, i);

        g_assert_true(g_file_set_contents(path, "", 0, NULL));
    }
}

/* A folder below the root, with what is looked up there. */
static void make_deep(const char *dir, const char *below)
{
    g_autofree char *folder = g_build_filename(dir, below, NULL);
    g_autofree char *path = g_build_filename(folder, SERVED_READ, NULL);

    g_assert_cmpint(g_mkdir_with_parents(folder, 0755), ==, 0);
    g_assert_true(g_file_set_contents(path, "", 0, NULL));
    g_assert_cmpint(truncate(path, SERVED_SIZE), ==, 0);
    make_many(folder);
}

void served_make(const char *dir)
{
    make_file(dir, SERVED_READ, fill_words);
    served_blank(dir);
    make_many(dir);
    make_deep(dir, SERVED_DEEP_1);
    make_deep(dir, SERVED_DEEP_4);
    make_deep(dir, SERVED_DEEP_8);
}

void served_payload(uint8_t *data, uint32_t len, unsigned writer)
{
    uint64_t word;
    uint32_t i;

    for (i = 0; i < len; i += sizeof(word)) {
        word = served_word(i + 8ull * SERVED_SIZE * (writer + 1));
        memcpy(data + i, &word, MIN(sizeof(word), len - i));
    }
}

void served_stamp(uint8_t *data, uint64_t offset)
{
    offset++;
    memcpy(data, &offset, sizeof(offset));
}

bool served_check(const uint8_t *data, uint32_t len, uint64_t offset,
                  bool whole)
{
    uint32_t last = (len & ~7u) - 8, middle = (len / 2) & ~7u, i;

    if (!whole) {
        return word_at(data, 0) == served_word(offset) &&
               word_at(data, middle) == served_word(offset + middle) &&
               word_at(data, last) == served_word(offset + last);
    }
    for (i = 0; i <= last; i += 8) {
        if (word_at(data, i) != served_word(offset + i)) {
            return false;
        }
    }
    return true;
}

uint64_t served_places(uint32_t step, unsigned writers)
{
    return SERVED_SIZE / step / writers;
}

bool served_check_written(const char *dir, uint32_t len, uint32_t step,
                          unsigned writers, uint64_t found)
{
    uint64_t places = served_places(step, writers) * writers, n;
    g_autofree char *path = g_build_filename(dir, SERVED_WRITTEN, NULL);
    g_autofree uint8_t *expected = g_malloc(len);
    g_autofree uint8_t *data = g_malloc(len);
    int fd = open(path, O_RDONLY);
    bool right = fd >= 0;

    for (n = 0; n < places && right; n++) {
        right = pread(fd, data, len, n * step) == len;
        if (right && word_at(data, 0)) {
            served_payload(expected, len, n % writers);
            served_stamp(expected, n * step);
            right = !memcmp(data, expected, len);
            right = right && found-- > 0;
        }
    }
    close(fd);
    return right && found == 0;
}
