/*
 * Unit tests of the JSON that xen-virtfs reads and writes
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "tools/xen-virtfs/json.h"

static const char *const good[] = {
    "{}", "[]", "\"\"", "0", "-1.5e3", "true", "null", " [ 1 , 2 ] \r\n",
    "{\"a\": {\"b\": [null, false]}, \"c\": \"\"}",
};

static const char *const bad[] = {
    "", " ", "{", "[", "\"", "]", "}", ",", ":", "[1", "[1,", "[1,]", "[1 2]",
    "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}", "{a:1}",
    "{1:2}", "\"a", "\"\\", "\"\\x\"", "\"\\u12\"", "\"\\u123g\"",
    "\"\\u0000\"", "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\udc00\"",
    "\"\\ud800\\", "\"a\nb\"", "nul", "nulll", "[] []", "{}x",
};

static void test_forms(void)
{
    g_autoptr(Json) deep = NULL;
    g_autofree char *open = g_strnfill(10000, '[');
    unsigned i;

    for (i = 0; i < G_N_ELEMENTS(good); i++) {
        g_autoptr(Json) json = json_parse(good[i]);

        g_test_message("%s", good[i]);
        g_assert_nonnull(json);
    }
    for (i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(Json) json = json_parse(bad[i]);

        g_test_message("%s", bad[i]);
        g_assert_null(json);
    }
    deep = json_parse(open);
    g_assert_null(deep);
}

static void test_members(void)
{
    g_autoptr(Json) json = json_parse(
        "{\"text\": \"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e4\\ud83d\\ude00\","
        " \"number\": 18446744073709551615, \"big\": 18446744073709551616,"
        " \"minus\": -1, \"half\": 0.5, \"list\": [1, 2]}");
    uint64_t value = 7;

    g_assert_cmpstr(json_get_text(json, "text"), ==,
                    "a\"\\/\b\f\n\r\t\xc3\xa4\xf0\x9f\x98\x80");
    g_assert_true(json_number(json_get(json, "number"), &value));
    g_assert_cmpuint(value, ==, UINT64_MAX);
    g_assert_false(json_number(json_get(json, "big"), &value));
    g_assert_false(json_number(json_get(json, "minus"), &value));
    g_assert_false(json_number(json_get(json, "half"), &value));
    g_assert_false(json_number(json_get(json, "text"), &value));
    g_assert_false(json_number(json_get(json, "none"), &value));
    g_assert_cmpuint(json_get(json, "list")->values->len, ==, 2);
    g_assert_null(json_get_text(json, "number"));
    g_assert_null(json_get_text(json, "none"));
    g_assert_null(json_get(json_get(json, "list"), "none"));
    g_assert_null(json_get(NULL, "none"));
}

/* What is written is read as it was, but for bytes that are no text. */
static void test_write(void)
{
    g_autoptr(GString) out = g_string_new("{");
    g_autoptr(Json) json = NULL;
    uint64_t value;

    json_add(out, "a", "\x01\"\\\n\x1b\xc3\xa4");
    json_add(out, "b\"", NULL);
    json_add(out, "c", "\xff");
    json_add_number(out, "d", UINT64_MAX);
    g_string_append_c(out, '}');
    json = json_parse(out->str);
    g_assert_cmpstr(json_get_text(json, "a"), ==, "\x01\"\\\n\x1b\xc3\xa4");
    g_assert_cmpstr(json_get(json, "b\"")->text, ==, "null");
    g_assert_cmpstr(json_get_text(json, "c"), ==, "\xef\xbf\xbd");
    g_assert_true(json_number(json_get(json, "d"), &value));
    g_assert_cmpuint(value, ==, UINT64_MAX);
}

/* What was read is written as it was, but for space and text. */
static void test_again(void)
{
    static const char *const texts[] = {
        "{\"v\": null}", "{\"v\": -1.5e3}", "{\"v\": \"a\\\"b\\u001b\"}",
        "{\"v\": []}", "{\"v\": {}}",
        "{\"v\": [1, {\"a\": true, \"b\": [\"x\"]}, [2, 3]]}",
    };
    unsigned i;

    for (i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(Json) json = json_parse(texts[i]);
        g_autoptr(GString) out = g_string_new("{");

        g_assert_nonnull(json);
        json_add_name(out, "v");
        json_add_value(out, json_get(json, "v"));
        g_string_append_c(out, '}');
        g_assert_cmpstr(out->str, ==, texts[i]);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/json/forms", test_forms);
    g_test_add_func("/json/members", test_members);
    g_test_add_func("/json/write", test_write);
    g_test_add_func("/json/again", test_again);
    return g_test_run();
}
