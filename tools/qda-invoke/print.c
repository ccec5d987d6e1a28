/* SPDX-License-Identifier: MIT */
/* Prints values, as text that value_parse() reads again, and as JSON. */
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "common.h"
#include "values.h"

static uint64_t load_unsigned(const struct idl_type *type, const uint8_t *data)
{
	uint16_t u16;
	uint32_t u32;
	uint64_t u64;

	switch (type->size) {
	case 1:
		return *data;
	case 2:
		memcpy(&u16, data, sizeof(u16));
		return u16;
	case 4:
		memcpy(&u32, data, sizeof(u32));
		return u32;
	default:
		memcpy(&u64, data, sizeof(u64));
		return u64;
	}
}

static int64_t load_signed(const struct idl_type *type, const uint8_t *data)
{
	unsigned int unused = 64 - 8 * type->size;

	return (int64_t)(load_unsigned(type, data) << unused) >> unused;
}

static double load_float(const struct idl_type *type, const uint8_t *data)
{
	double value;
	float narrow;

	if (type->size == sizeof(narrow)) {
		memcpy(&narrow, data, sizeof(narrow));
		return narrow;
	}
	memcpy(&value, data, sizeof(value));
	return value;
}

/* Digits that tell any two values of the type apart. */
static int float_digits(const struct idl_type *type)
{
	return type->size == sizeof(float) ? 9 : 17;
}

/* The shortest text that reads back as the same value. */
static void print_float(FILE *file, const struct idl_type *type, double value)
{
	char text[40];

	for (int digits = float_digits(type) - 3; digits <= float_digits(type); digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, value);
		if (type->size == sizeof(float) ? strtof(text, NULL) == (float)value
						: strtod(text, NULL) == value)
			break;
	}
	fputs(text, file);
}

/* UTF-16 to UTF-8; a half pair becomes U+FFFD. Return: a heap text, or NULL. */
static char *wstring_text(const uint8_t *data, size_t count, size_t *ret_length)
{
	char *text = malloc(3 * count + 1), *next = text;
	uint16_t unit = 0, low;

	if (!text)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		uint32_t code;

		memcpy(&unit, data + 2 * i, sizeof(unit));
		if (!unit)
			break;
		code = unit;
		low = 0;
		if (i + 1 < count)
			memcpy(&low, data + 2 * (i + 1), sizeof(low));
		if (code >= 0xd800 && code < 0xdc00 && low >= 0xdc00 && low < 0xe000) {
			code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00U);
			i++;
		} else if (code >= 0xd800 && code < 0xe000) {
			code = 0xfffd;
		}
		if (code < 0x80) {
			*next++ = (char)code;
			continue;
		}
		if (code >= 0x10000) {
			*next++ = (char)(0xf0 | code >> 18);
			*next++ = (char)(0x80 | (code >> 12 & 0x3f));
			*next++ = (char)(0x80 | (code >> 6 & 0x3f));
		} else if (code >= 0x800) {
			*next++ = (char)(0xe0 | code >> 12);
			*next++ = (char)(0x80 | (code >> 6 & 0x3f));
		} else {
			*next++ = (char)(0xc0 | code >> 6);
		}
		*next++ = (char)(0x80 | (code & 0x3f));
	}
	*ret_length = (size_t)(next - text);
	return text;
}

/* In quotes, with what a terminal should not get escaped. */
static void print_quoted(FILE *file, const char *text, size_t length)
{
	fputc('"', file);
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '"' || c == '\\')
			fprintf(file, "\\%c", c);
		else if (c == '\n')
			fputs("\\n", file);
		else if (c == '\t')
			fputs("\\t", file);
		else if (iscntrl(c))
			fprintf(file, "\\x%02x", c);
		else
			fputc(c, file);
	}
	fputc('"', file);
}

static void print_fixed(FILE *file, const struct idl_type *type, const uint8_t *data)
{
	uint64_t number;

	switch (type->kind) {
	case IDL_BOOLEAN:
		fputs(*data ? "true" : "false", file);
		break;
	case IDL_CHAR:
	case IDL_INTEGER:
		if (type->is_signed)
			fprintf(file, "%" PRId64, load_signed(type, data));
		else
			fprintf(file, "%" PRIu64, load_unsigned(type, data));
		break;
	case IDL_FLOAT:
		print_float(file, type, load_float(type, data));
		break;
	case IDL_ENUM:
		number = load_unsigned(type, data);
		if (number < type->count)
			fputs(type->members[number], file);
		else
			fprintf(file, "%" PRIu64, number);
		break;
	case IDL_ARRAY:
		fputc('[', file);
		for (uint32_t i = 0; i < type->count; i++) {
			if (i)
				fputs(", ", file);
			print_fixed(file, type->element, data + (size_t)i * type->element->size);
		}
		fputc(']', file);
		break;
	default:
		fputc('{', file);
		for (uint32_t i = 0; i < type->count; i++) {
			fprintf(file, "%s%s=", i ? ", " : "", type->fields[i].name);
			print_fixed(file, type->fields[i].type, data + type->fields[i].offset);
		}
		fputc('}', file);
	}
}

void value_print(FILE *file, const struct idl_type *type, const uint8_t *data, size_t count,
		 size_t max)
{
	size_t shown = MIN(count, max), length;
	char *text;

	switch (type->kind) {
	case IDL_STRING:
		print_quoted(file, (const char *)data, strnlen((const char *)data, count));
		break;
	case IDL_WSTRING:
		text = wstring_text(data, count, &length);
		if (text)
			print_quoted(file, text, length);
		free(text);
		break;
	case IDL_DMAHANDLE:
		for (size_t i = 0; i < shown; i++)
			fprintf(file, "%s%02x", i ? " " : "", data[i]);
		break;
	case IDL_SEQUENCE:
		fputc('[', file);
		for (size_t i = 0; i < shown; i++) {
			if (i)
				fputs(", ", file);
			print_fixed(file, type->element, data + i * type->element->size);
		}
		fputs(shown < count ? ", ...]" : "]", file);
		break;
	default:
		print_fixed(file, type, data);
		return;
	}
	if (shown < count && (type->kind == IDL_SEQUENCE || type->kind == IDL_DMAHANDLE))
		fprintf(file, " (%zu %s)", count,
			type->kind == IDL_SEQUENCE ? "elements" : "bytes");
}

static void print_json_fixed(struct json *json, const char *key, const struct idl_type *type,
			     const uint8_t *data)
{
	uint64_t number;

	switch (type->kind) {
	case IDL_BOOLEAN:
		json_bool(json, key, *data);
		break;
	case IDL_CHAR:
	case IDL_INTEGER:
		if (type->is_signed)
			json_signed(json, key, load_signed(type, data));
		else
			json_unsigned(json, key, load_unsigned(type, data));
		break;
	case IDL_FLOAT:
		json_float(json, key, load_float(type, data), float_digits(type));
		break;
	case IDL_ENUM:
		number = load_unsigned(type, data);
		if (number < type->count)
			json_text(json, key, type->members[number]);
		else
			json_unsigned(json, key, number);
		break;
	case IDL_ARRAY:
		json_open(json, key, '[');
		for (uint32_t i = 0; i < type->count; i++)
			print_json_fixed(json, NULL, type->element,
					 data + (size_t)i * type->element->size);
		json_close(json, ']');
		break;
	default:
		json_open(json, key, '{');
		for (uint32_t i = 0; i < type->count; i++)
			print_json_fixed(json, type->fields[i].name, type->fields[i].type,
					 data + type->fields[i].offset);
		json_close(json, '}');
	}
}

void value_print_json(struct json *json, const char *key, const struct idl_type *type,
		      const uint8_t *data, size_t count)
{
	size_t length;
	char *text;

	switch (type->kind) {
	case IDL_STRING:
		json_text_n(json, key, (const char *)data, strnlen((const char *)data, count));
		break;
	case IDL_WSTRING:
		text = wstring_text(data, count, &length);
		if (text)
			json_text_n(json, key, text, length);
		else
			json_text(json, key, NULL);
		free(text);
		break;
	case IDL_DMAHANDLE:
		json_open(json, key, '[');
		for (size_t i = 0; i < count; i++)
			json_unsigned(json, NULL, data[i]);
		json_close(json, ']');
		break;
	case IDL_SEQUENCE:
		json_open(json, key, '[');
		for (size_t i = 0; i < count; i++)
			print_json_fixed(json, NULL, type->element, data + i * type->element->size);
		json_close(json, ']');
		break;
	default:
		print_json_fixed(json, key, type, data);
	}
}
