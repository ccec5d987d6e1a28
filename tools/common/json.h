/* SPDX-License-Identifier: MIT */
/* Writes JSON: the caller opens, fills and closes objects and arrays in order. */
#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct json {
	FILE *file;
	bool comma; /* something precedes on this level */
};

/* @key is NULL inside an array and for the outermost value. */
void json_open(struct json *json, const char *key, char bracket);
void json_close(struct json *json, char bracket);

/* Bytes that are not UTF-8 become U+FFFD. NULL writes null. */
void json_text(struct json *json, const char *key, const char *text);
void json_text_n(struct json *json, const char *key, const char *text, size_t length);
void json_signed(struct json *json, const char *key, int64_t value);
void json_unsigned(struct json *json, const char *key, uint64_t value);
void json_bool(struct json *json, const char *key, bool value);

/* JSON has no NaN and no infinity: they become null. @digits as in %.*g. */
void json_float(struct json *json, const char *key, double value, int digits);

#endif
