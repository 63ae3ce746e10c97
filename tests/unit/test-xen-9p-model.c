/*
 * A security model with options behind it
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "hw/9pfs/xen-9p-model.h"

/* All parts of a text, with a line's end after each. */
static char *parts(const char *text)
{
    GString *all = g_string_new("");
    char *name, *value;

    for (unsigned i = 0; xen_9p_model_part(text, i, &name, &value); i++) {
        g_string_append_printf(all, "%s=%s\n", name, value ?: "(none)");
        g_free(name);
        g_free(value);
    }
    return g_string_free(all, FALSE);
}

static const struct {
    const char *text, *parts;
} cases[] = {
    { "none", "none=(none)\n" },
    { "", "=(none)\n" },
    { "a=b", "a=b=(none)\n" },
    { "none;readonly=on", "none=(none)\nreadonly=on\n" },
    { "none;", "none=(none)\n=(none)\n" },
    { ";;", "=(none)\n=(none)\n=(none)\n" },
    { "m.n;throttling.iops-total=1;a.b/c=d.e;=",
      "m.n=(none)\nthrottling/iops-total=1\na/b/c=d.e\n=\n" },
    { "none;a=b=c;d", "none=(none)\na=b=c\nd=(none)\n" },
};

static void test_parts(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *all = parts(cases[i].text);

        g_assert_cmpstr(all, ==, cases[i].parts);
    }
}

static void assert_option(const char *text, const char *name, unsigned index,
                          const char *expected)
{
    g_autofree char *value = xen_9p_model_option(text, name);

    g_assert_cmpuint(xen_9p_model_find(text, name), ==, index);
    g_assert_cmpstr(value, ==, expected);
}

static void test_option(void)
{
    const char *text = "none;a=1;b;a=2;c.d=;none=3";

    assert_option(text, "a", 1, "1");
    assert_option(text, "b", 2, NULL);
    assert_option(text, "c/d", 4, "");
    assert_option(text, "c.d", 0, NULL);
    assert_option(text, "none", 5, "3");
    assert_option("a", "a", 0, NULL);
    assert_option("none;ab=1", "a", 0, NULL);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/model/parts", test_parts);
    g_test_add_func("/model/option", test_option);
    return g_test_run();
}
