/*
 * xen-virtfs: JSON, as far as QMP and the program's own output need it
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "json.h"

#define MAX_DEPTH 64

/* ---- Reading ---- */

static Json *parse_value(const char **at, unsigned depth);

static Json *json_new(JsonKind kind)
{
    Json *json = g_new0(Json, 1);

    json->kind = kind;
    if (kind == JSON_ARRAY || kind == JSON_OBJECT) {
        json->values = g_ptr_array_new_with_free_func(
            (GDestroyNotify)json_free);
        json->names = g_ptr_array_new_with_free_func(g_free);
    }
    return json;
}

void json_free(Json *json)
{
    if (!json) {
        return;
    }
    g_free(json->text);
    g_clear_pointer(&json->values, g_ptr_array_unref);
    g_clear_pointer(&json->names, g_ptr_array_unref);
    g_free(json);
}

static void skip_space(const char **at)
{
    *at += strspn(*at, " \t\r\n");
}

/* After space: whether @c comes, which is taken then. */
static bool take(const char **at, char c)
{
    skip_space(at);
    if (**at != c) {
        return false;
    }
    (*at)++;
    return true;
}

/* Four hexadecimal digits; -1: they are not there. */
static int parse_hex(const char **at)
{
    int value = 0, i;

    for (i = 0; i < 4; i++) {
        int digit = g_ascii_xdigit_value(**at);

        if (digit < 0) {
            return -1;
        }
        value = value * 16 + digit;
        (*at)++;
    }
    return value;
}

/* What follows a backslash. */
static bool parse_escape(const char **at, GString *out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *known = **at ? strchr(from, **at) : NULL;
    int unit, low;

    if (known) {
        (*at)++;
        g_string_append_c(out, to[known - from]);
        return true;
    }
    if (**at != 'u') {
        return false;
    }
    (*at)++;
    unit = parse_hex(at);
    if (unit >= 0xd800 && unit < 0xdc00) {
        if ((*at)[0] != '\\' || (*at)[1] != 'u') {
            return false;
        }
        *at += 2;
        low = parse_hex(at);
        if (low < 0xdc00 || low > 0xdfff) {
            return false;
        }
        unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
    }
    /* No text of ours can have a null character in it. */
    if (unit <= 0 || (unit >= 0xdc00 && unit <= 0xdfff)) {
        return false;
    }
    g_string_append_unichar(out, unit);
    return true;
}

/* After the opening quote. To be freed; NULL: it is none. */
static char *parse_text(const char **at)
{
    g_autoptr(GString) out = g_string_new(NULL);

    while (**at != '"') {
        if ((unsigned char)**at < 0x20) {
            return NULL;
        }
        if (**at != '\\') {
            g_string_append_c(out, *(*at)++);
            continue;
        }
        (*at)++;
        if (!parse_escape(at, out)) {
            return NULL;
        }
    }
    (*at)++;
    return g_strdup(out->str);
}

static bool parse_member(const char **at, Json *object)
{
    char *name;

    if (!take(at, '"')) {
        return false;
    }
    name = parse_text(at);
    if (!name) {
        return false;
    }
    g_ptr_array_add(object->names, name);
    return take(at, ':');
}

static Json *parse_container(const char **at, JsonKind kind, unsigned depth)
{
    char end = kind == JSON_ARRAY ? ']' : '}';
    g_autoptr(Json) json = json_new(kind);

    if (take(at, end)) {
        return g_steal_pointer(&json);
    }
    do {
        Json *value;

        if (kind == JSON_OBJECT && !parse_member(at, json)) {
            return NULL;
        }
        value = parse_value(at, depth + 1);
        if (!value) {
            return NULL;
        }
        g_ptr_array_add(json->values, value);
    } while (take(at, ','));
    return take(at, end) ? g_steal_pointer(&json) : NULL;
}

static Json *parse_plain(const char **at)
{
    static const char *const words[] = { "null", "true", "false" };
    Json *json;
    size_t len, i;

    for (i = 0; i < G_N_ELEMENTS(words); i++) {
        if (g_str_has_prefix(*at, words[i])) {
            json = json_new(JSON_WORD);
            json->text = g_strdup(words[i]);
            *at += strlen(words[i]);
            return json;
        }
    }
    len = strspn(*at, "0123456789+-.eE");
    if (len == 0) {
        return NULL;
    }
    json = json_new(JSON_NUMBER);
    json->text = g_strndup(*at, len);
    *at += len;
    return json;
}

static Json *parse_value(const char **at, unsigned depth)
{
    g_autoptr(Json) json = NULL;

    if (depth > MAX_DEPTH) {
        return NULL;
    }
    if (take(at, '{')) {
        return parse_container(at, JSON_OBJECT, depth);
    }
    if (take(at, '[')) {
        return parse_container(at, JSON_ARRAY, depth);
    }
    if (!take(at, '"')) {
        return parse_plain(at);
    }
    json = json_new(JSON_STRING);
    json->text = parse_text(at);
    return json->text ? g_steal_pointer(&json) : NULL;
}

Json *json_parse(const char *text)
{
    g_autoptr(Json) json = parse_value(&text, 0);

    if (!json) {
        return NULL;
    }
    skip_space(&text);
    return *text == '\0' ? g_steal_pointer(&json) : NULL;
}

const Json *json_get(const Json *json, const char *name)
{
    unsigned i;

    if (!json || json->kind != JSON_OBJECT) {
        return NULL;
    }
    for (i = 0; i < json->names->len; i++) {
        if (g_str_equal(json->names->pdata[i], name)) {
            return json->values->pdata[i];
        }
    }
    return NULL;
}

const char *json_get_text(const Json *json, const char *name)
{
    const Json *member = json_get(json, name);

    return member && member->kind == JSON_STRING ? member->text : NULL;
}

bool json_number(const Json *json, uint64_t *value)
{
    guint64 number;

    if (!json || json->kind != JSON_NUMBER ||
        !g_ascii_string_to_unsigned(json->text, 10, 0, G_MAXUINT64, &number,
                                    NULL)) {
        return false;
    }
    *value = number;
    return true;
}

/* ---- Writing ---- */

static void write_text(GString *out, const char *text)
{
    /* xenstore and command lines may hold any bytes, JSON may not. */
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    const char *at;

    g_string_append_c(out, '"');
    for (at = valid; *at; at++) {
        if (*at == '"' || *at == '\\') {
            g_string_append_c(out, '\\');
            g_string_append_c(out, *at);
        } else if ((unsigned char)*at < 0x20) {
            g_string_append_printf(out, "\\u%04x", *at);
        } else {
            g_string_append_c(out, *at);
        }
    }
    g_string_append_c(out, '"');
}

void json_add_name(GString *out, const char *name)
{
    if (out->str[out->len - 1] != '{') {
        g_string_append(out, ", ");
    }
    write_text(out, name);
    g_string_append(out, ": ");
}

void json_add(GString *out, const char *name, const char *text)
{
    json_add_name(out, name);
    if (text) {
        write_text(out, text);
    } else {
        g_string_append(out, "null");
    }
}

void json_add_number(GString *out, const char *name, uint64_t value)
{
    json_add_name(out, name);
    g_string_append_printf(out, "%" G_GUINT64_FORMAT, (guint64)value);
}

void json_add_value(GString *out, const Json *value)
{
    bool object = value->kind == JSON_OBJECT;
    unsigned i;

    if (value->kind == JSON_STRING) {
        write_text(out, value->text);
        return;
    }
    if (!value->values) {
        g_string_append(out, value->text);
        return;
    }
    g_string_append_c(out, object ? '{' : '[');
    for (i = 0; i < value->values->len; i++) {
        if (object) {
            json_add_name(out, value->names->pdata[i]);
        } else if (i > 0) {
            g_string_append(out, ", ");
        }
        json_add_value(out, value->values->pdata[i]);
    }
    g_string_append_c(out, object ? '}' : ']');
}
