/*
 * Xen 9P backend: a security model with options behind it, as stock xl can
 * carry them: "MODEL;NAME=VALUE;..."
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_9PFS_XEN_9P_MODEL_H
#define HW_9PFS_XEN_9P_MODEL_H

/**
 * xen_9p_model_part: one part of such a text
 * @text: the text
 * @index: which: 0 is the model, the options follow
 * @name: set to the model, or to an option's name with '/' for '.'
 * @value: set to an option's value; NULL where the part has no '='
 *
 * The caller frees both.
 *
 * Returns: false past the last.
 */
bool xen_9p_model_part(const char *text, unsigned index, char **name,
                       char **value);

/**
 * xen_9p_model_find: where an option is
 * @text: the text
 * @name: the option's name, with '/' for '.'
 *
 * Returns: the first part with that name, 0 where there is none.
 */
unsigned xen_9p_model_find(const char *text, const char *name);

/**
 * xen_9p_model_option: the value of an option
 *
 * As xen_9p_model_find().
 *
 * Returns: the value, which the caller frees; NULL where it has none.
 */
char *xen_9p_model_option(const char *text, const char *name);

#endif
