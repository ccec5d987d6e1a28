/* SPDX-License-Identifier: MIT */
/* Values of parameters: read from the command line or files, and printed. */
#ifndef VALUES_H
#define VALUES_H

#include <stdbool.h>
#include <stdio.h>

#include "idl.h"
#include "json.h"

/* In the native layout: numbers in host order, structs with natural alignment. */
struct value {
	uint8_t *data;
	size_t size;  /* bytes */
	size_t room;  /* bytes allocated */
	size_t count; /* elements of a sequence, characters of a string with its end, bytes else */
};

/*
 * Read the value of @param from @text: literal, "@FILE" (bytes) or "%FILE" (a list
 * of numbers as text).
 *
 * Return: 0, or a negative errno after an error line.
 */
int value_parse(const struct idl_param *param, const char *text, struct value *ret_value);

/* Zeroed memory for what a call stores in @param. Return: 0 or -ENOMEM. */
int value_make_room(const struct idl_type *type, size_t count, struct value *ret_value);

void value_free(struct value *value);

/* Bytes of one of what @type counts: an element, a character. */
size_t value_unit(const struct idl_type *type);

/* Print as value_parse() reads it. @count as in struct value, @max elements at most. */
void value_print(FILE *file, const struct idl_type *type, const uint8_t *data, size_t count,
		 size_t max);

void value_print_json(struct json *json, const char *key, const struct idl_type *type,
		      const uint8_t *data, size_t count);

#endif
