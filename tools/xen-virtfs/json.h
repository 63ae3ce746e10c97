/*
 * xen-virtfs: JSON, as far as QMP and the program's own output need it
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef XEN_VIRTFS_JSON_H
#define XEN_VIRTFS_JSON_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum JsonKind {
    JSON_WORD,                  /* null, true, false */
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT,
} JsonKind;

typedef struct Json {
    JsonKind kind;
    char *text;                 /* of a string; of a word or number as it is */
    GPtrArray *names;           /* char *, of an object's members */
    GPtrArray *values;          /* Json *, of an array or object */
} Json;

/**
 * json_parse: the value that @text is, all of it; NULL if it is none
 */
Json *json_parse(const char *text);
void json_free(Json *json);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Json, json_free)

/**
 * json_get: a member of an object; NULL if there is none, or no object
 * json_get_text: the same, its text if it is a string, else NULL
 * json_number: whether @json is a number from 0 that fits; sets @value
 */
const Json *json_get(const Json *json, const char *name);
const char *json_get_text(const Json *json, const char *name);
bool json_number(const Json *json, uint64_t *value);

/**
 * json_add: write a member into an object that begins with '{' in @out
 * @text: its value; NULL: null
 *
 * json_add_number: the same for a number.
 * json_add_name: the name alone, the caller writes the value,
 * json_add_value: which can be one that was read.
 */
void json_add(GString *out, const char *name, const char *text);
void json_add_number(GString *out, const char *name, uint64_t value);
void json_add_name(GString *out, const char *name);
void json_add_value(GString *out, const Json *value);

#endif
