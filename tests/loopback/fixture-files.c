/*
 * Files of the folder that a fixture serves
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"

const char *const fixture_models[4] = {
    "none", "passthrough", "mapped-xattr", "mapped-file",
};

char *fixture_mount(Fixture *f, const char *name, const char *fs,
                    const char *options)
{
    char *path = g_build_filename(f->dir, name, NULL);

    g_assert_cmpint(mkdir(path, 0755), ==, 0);
    if (fs && mount(name, path, fs, 0, options) < 0) {
        g_test_skip("mount() is not permitted");
        fixture_down(f);
        g_clear_pointer(&path, g_free);
    }
    return path;
}

void fixture_unmount(char *path, const char *fs)
{
    if (fs) {
        g_assert_cmpint(umount(path), ==, 0);
    }
    g_free(path);
}

const struct passwd *fixture_user(Fixture *f)
{
    const struct passwd *user = getpwnam(FIXTURE_USER);

    if (getuid() != 0 || !user) {
        g_test_skip("only root can become " FIXTURE_USER);
        fixture_down(f);
        return NULL;
    }
    g_assert_cmpint(chmod(f->dir, 0777), ==, 0);
    g_assert_cmpint(chmod(f->share, 0777), ==, 0);
    return user;
}

void fixture_file(Fixture *f, const char *name, const void *data, size_t len)
{
    g_autofree char *path = g_build_filename(f->share, name, NULL);
    g_autofree char *dir = g_path_get_dirname(path);

    g_assert_cmpint(g_mkdir_with_parents(dir, 0755), ==, 0);
    g_assert_true(g_file_set_contents(path, data, len, NULL));
}

uint8_t *fixture_pattern(Fixture *f, const char *name, uint32_t len)
{
    uint8_t *data = g_malloc(len);
    uint32_t i;

    for (i = 0; i < len; i++) {
        data[i] = (i * 2654435761u) >> 24;
    }
    fixture_file(f, name, data, len);
    return data;
}
