/* SPDX-License-Identifier: MIT */
/* Reads the values of parameters from the command line and from files. */
#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>
#include <strings.h>

#include "common.h"
#include "file.h"
#include "tool.h"
#include "values.h"

struct reader {
	const char *param;
	const char *file; /* NULL on the command line */
	const char *start, *next, *end;
	bool in_list; /* @element counts */
	size_t element;
};

size_t value_unit(const struct idl_type *type)
{
	switch (type->kind) {
	case IDL_SEQUENCE:
		return type->element->size;
	case IDL_WSTRING:
		return sizeof(uint16_t);
	case IDL_STRING:
	case IDL_DMAHANDLE:
		return 1;
	default:
		return type->size;
	}
}

void value_free(struct value *value)
{
	free(value->data);
	*value = (struct value){0};
}

int value_make_room(const struct idl_type *type, size_t count, struct value *ret_value)
{
	size_t unit = value_unit(type), size;
	uint8_t *data;

	if (type->size)
		count = 1;
	if (__builtin_mul_overflow(count, unit, &size))
		return -ENOMEM;
	/* calloc() does not touch large memory: a generous room costs little. */
	data = calloc(1, MAX(size, 1U));
	if (!data)
		return -ENOMEM;
	*ret_value = (struct value){.data = data, .size = size, .room = size, .count = count};
	return 0;
}

/* Make room for @size more bytes. Return: their address, or NULL. */
static uint8_t *extend(struct value *value, size_t size)
{
	size_t need, room;
	uint8_t *more;

	if (__builtin_add_overflow(value->size, size, &need))
		return NULL;
	if (need > value->room || !value->data) {
		room = MAX(MAX(need, 2 * value->room), 64U);
		more = realloc(value->data, room);
		if (!more)
			return NULL;
		value->data = more;
		value->room = room;
	}
	memset(value->data + value->size, 0, size);
	value->size = need;
	return value->data + need - size;
}

static int no_memory(void)
{
	tool_error("out of memory");
	return -ENOMEM;
}

/* An error line that says where: vec[3], or vec: FILE:LINE:COLUMN. */
static int __attribute__((format(printf, 3, 4)))
bad(const struct reader *reader, const char *at, const char *format, ...)
{
	char what[512], where[300] = "";
	unsigned int line = 1, column = 1;
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	if (reader->file) {
		for (const char *c = reader->start; c < at; c++) {
			column = *c == '\n' ? 1 : column + 1;
			line += *c == '\n';
		}
		snprintf(where, sizeof(where), ": %.250s:%u:%u", reader->file, line, column);
	} else if (reader->in_list) {
		snprintf(where, sizeof(where), "[%zu]", reader->element);
	}
	tool_error("parameter %s%s: %s", reader->param, where, what);
	return -EINVAL;
}

static void skip_blanks(struct reader *reader)
{
	while (reader->next < reader->end) {
		if (reader->file && *reader->next == '#') {
			while (reader->next < reader->end && *reader->next != '\n')
				reader->next++;
		} else if (isspace((unsigned char)*reader->next)) {
			reader->next++;
		} else {
			return;
		}
	}
}

static bool at_end(struct reader *reader)
{
	skip_blanks(reader);
	return reader->next == reader->end;
}

static bool take(struct reader *reader, char c)
{
	if (at_end(reader) || *reader->next != c)
		return false;
	reader->next++;
	return true;
}

/* A number or name, up to a separator. */
static int read_word(struct reader *reader, const struct idl_type *type, char *word, size_t size)
{
	const char *start;
	size_t length;

	skip_blanks(reader);
	start = reader->next;
	while (reader->next < reader->end && !isspace((unsigned char)*reader->next) &&
	       !memchr(",[]{}=#", *reader->next, 7))
		reader->next++;
	length = (size_t)(reader->next - start);
	if (!length) {
		if (reader->next == reader->end)
			return bad(reader, start, "expected a value of type %s", type->name);
		return bad(reader, start, "expected a value of type %s, found '%c'", type->name,
			   *start);
	}
	if (length >= size || memchr(start, '\0', length))
		return bad(reader, start, "'%.40s' is not a value of type %s", start, type->name);
	memcpy(word, start, length);
	word[length] = '\0';
	return 0;
}

/* Decimal or 0x, with a sign. Return: 0, -EINVAL, or -ERANGE beyond 64 bits. */
static int parse_number(const char *word, idl_int *ret_value)
{
	bool negative = *word == '-';
	uint64_t value;
	char *end;

	if (*word == '-' || *word == '+')
		word++;
	if (!isdigit((unsigned char)*word))
		return -EINVAL;
	errno = 0;
	/* A leading 0 is no octal here: nobody means 8 by 010. */
	value = strtoull(word, &end, !strncasecmp(word, "0x", 2) ? 16 : 10);
	if (*end || end[-1] == 'x' || end[-1] == 'X')
		return -EINVAL;
	if (errno)
		return -ERANGE;
	*ret_value = negative ? -(idl_int)value : (idl_int)value;
	return 0;
}

/* Little-endian or not: the low bytes of @value, as the host stores them. */
static void store_integer(uint8_t *data, uint32_t size, idl_int value)
{
	uint8_t u8 = (uint8_t)value;
	uint16_t u16 = (uint16_t)value;
	uint32_t u32 = (uint32_t)value;
	uint64_t u64 = (uint64_t)value;
	const void *from = size == 1   ? (void *)&u8
			   : size == 2 ? (void *)&u16
			   : size == 4 ? (void *)&u32
				       : (void *)&u64;

	memcpy(data, from, size);
}

static int range_error(const struct reader *reader, const char *at, const char *word,
		       const struct idl_type *type)
{
	idl_int min, max;

	idl_integer_range(type, &min, &max);
	return bad(reader, at, "%s does not fit %s (%lld to %llu)", word, type->name,
		   (long long)min, (unsigned long long)max);
}

static int read_integer(struct reader *reader, const struct idl_type *type, uint8_t *data)
{
	idl_int value, min, max;
	const char *at;
	char word[128];
	int r;

	skip_blanks(reader);
	at = reader->next;
	if (type->kind == IDL_CHAR && reader->end - at >= 3 && at[0] == '\'' && at[2] == '\'') {
		reader->next += 3;
		store_integer(data, type->size, at[1]);
		return 0;
	}
	r = read_word(reader, type, word, sizeof(word));
	if (r)
		return r;
	if (type->kind == IDL_BOOLEAN && (!strcmp(word, "true") || !strcmp(word, "false"))) {
		*data = !strcmp(word, "true");
		return 0;
	}
	r = parse_number(word, &value);
	if (r == -EINVAL)
		return bad(reader, at, "'%s' is not %s", word,
			   type->kind == IDL_BOOLEAN ? "true or false"
			   : type->kind == IDL_CHAR  ? "a character ('x') or a number"
						     : "an integer");
	idl_integer_range(type, &min, &max);
	if (r || value < min || value > max)
		return range_error(reader, at, word, type);
	store_integer(data, type->size, value);
	return 0;
}

static int read_float(struct reader *reader, const struct idl_type *type, uint8_t *data)
{
	const char *at;
	char word[128], *end;
	double value;
	float narrow = 0;
	int r;

	skip_blanks(reader);
	at = reader->next;
	r = read_word(reader, type, word, sizeof(word));
	if (r)
		return r;
	value = strtod(word, &end);
	if (*end)
		return bad(reader, at, "'%s' is not a number", word);
	if (type->size == sizeof(narrow))
		narrow = strtof(word, &end);
	/* Infinity that nobody wrote. */
	if (!strpbrk(word, "iI") && isinf(type->size == sizeof(narrow) ? (double)narrow : value))
		return bad(reader, at, "%s does not fit %s", word, type->name);
	if (type->size == sizeof(narrow))
		memcpy(data, &narrow, sizeof(narrow));
	else
		memcpy(data, &value, sizeof(value));
	return 0;
}

static int read_enum(struct reader *reader, const struct idl_type *type, uint8_t *data)
{
	const char *at;
	char word[260], members[200] = "";
	idl_int value = -1;
	int r;

	skip_blanks(reader);
	at = reader->next;
	r = read_word(reader, type, word, sizeof(word));
	if (r)
		return r;
	for (uint32_t i = 0; i < type->count; i++) {
		size_t length = strlen(members);

		if (!strcmp(type->members[i], word)) {
			store_integer(data, type->size, i);
			return 0;
		}
		snprintf(members + length, sizeof(members) - length, "%s%s", i ? ", " : "",
			 type->members[i]);
	}
	if (parse_number(word, &value) || value < 0 || value >= type->count)
		return bad(reader, at, "'%.100s' is not a member of %s (%s)", word, type->name,
			   members);
	store_integer(data, type->size, value);
	return 0;
}

static int read_fixed(struct reader *reader, const struct idl_type *type, uint8_t *data);

/* The elements of an array. Bare lists end with the text, others with ']'. */
static int read_array(struct reader *reader, const struct idl_type *type, uint8_t *data, bool bare)
{
	int r;

	if (!bare && !take(reader, '['))
		return bad(reader, reader->next, "expected '[' of a list of %u %s", type->count,
			   type->element->name);
	for (uint32_t i = 0; i < type->count; i++) {
		if (i)
			take(reader, ',');
		if (at_end(reader) || *reader->next == ']')
			return bad(reader, reader->next, "%s has %u elements, only %u are given",
				   type->name, type->count, i);
		r = read_fixed(reader, type->element, data + (size_t)i * type->element->size);
		if (r)
			return r;
	}
	if (reader->file)
		take(reader, ',');
	if (bare ? !at_end(reader) : !take(reader, ']'))
		return bad(reader, reader->next, "%s has %u elements, more are given", type->name,
			   type->count);
	return 0;
}

static const struct idl_field *find_field(const struct idl_type *type, const char *name,
					  size_t length)
{
	for (uint32_t i = 0; i < type->count; i++) {
		if (strlen(type->fields[i].name) == length &&
		    !memcmp(type->fields[i].name, name, length))
			return &type->fields[i];
	}
	return NULL;
}

/* The field that "name=" at the reader names; NULL if there is no such text. */
static int read_field_name(struct reader *reader, const struct idl_type *type,
			   const struct idl_field **ret_field)
{
	const char *start, *end;

	skip_blanks(reader);
	start = end = reader->next;
	while (end < reader->end && (isalnum((unsigned char)*end) || *end == '_'))
		end++;
	*ret_field = NULL;
	if (end == start || end == reader->end || *end != '=')
		return 0;
	*ret_field = find_field(type, start, (size_t)(end - start));
	if (!*ret_field)
		return bad(reader, start, "%s has no field '%.*s'", type->name,
			   (int)MIN(end - start, 80), start);
	reader->next = end + 1;
	return 0;
}

static int read_struct(struct reader *reader, const struct idl_type *type, uint8_t *data)
{
	_cleanup_free_ bool *given = calloc(type->count, sizeof(*given));
	const struct idl_field *field;
	int r;

	if (!given)
		return no_memory();
	if (!take(reader, '{'))
		return bad(reader, reader->next, "expected '{' of a %s", type->name);
	for (uint32_t i = 0; i < type->count; i++) {
		if (i)
			take(reader, ',');
		if (at_end(reader) || *reader->next == '}')
			return bad(reader, reader->next, "%s has %u fields, only %u are given",
				   type->name, type->count, i);
		r = read_field_name(reader, type, &field);
		if (r)
			return r;
		if (!field)
			field = &type->fields[i];
		if (given[field - type->fields])
			return bad(reader, reader->next, "field %s is given twice", field->name);
		given[field - type->fields] = true;
		r = read_fixed(reader, field->type, data + field->offset);
		if (r)
			return r;
	}
	if (!take(reader, '}'))
		return bad(reader, reader->next, "expected '}' after the %u fields of %s",
			   type->count, type->name);
	return 0;
}

/* Recursion ends at IDL_MAX_DEPTH, which the type's declaration was checked for. */
static int read_fixed(struct reader *reader, const struct idl_type *type, uint8_t *data)
{
	switch (type->kind) {
	case IDL_INTEGER:
	case IDL_CHAR:
	case IDL_BOOLEAN:
		return read_integer(reader, type, data);
	case IDL_FLOAT:
		return read_float(reader, type, data);
	case IDL_ENUM:
		return read_enum(reader, type, data);
	case IDL_ARRAY:
		return read_array(reader, type, data, false);
	default:
		return read_struct(reader, type, data);
	}
}

static int read_sequence(struct reader *reader, const struct idl_type *type, struct value *value)
{
	const struct idl_type *element = type->element;
	bool bracket = false, comma = false;
	uint8_t *data;
	int r;

	/* Without its own brackets, a list in a file may consist of bracketed arrays. */
	if (!reader->file || element->kind != IDL_ARRAY)
		bracket = take(reader, '[');
	reader->in_list = true;
	while (!at_end(reader) && (comma || *reader->next != ']')) {
		data = extend(value, element->size);
		if (!data)
			return no_memory();
		r = read_fixed(reader, element, data);
		if (r)
			return r;
		reader->element++;
		value->count++;
		comma = take(reader, ',');
	}
	if (comma && !reader->file)
		return bad(reader, reader->next, "expected a value of type %s", element->name);
	reader->in_list = false;
	if (bracket && !take(reader, ']'))
		return bad(reader, reader->next, "expected ']' after %zu elements", value->count);
	return 0;
}

static int put_string(const char *text, size_t length, struct value *value)
{
	uint8_t *data = extend(value, length + 1);

	if (!data)
		return no_memory();
	if (length)
		memcpy(data, text, length);
	value->count = length + 1;
	return 0;
}

/* UTF-8 to 16-bit units. */
static int put_wstring(struct reader *reader, struct value *value)
{
	const unsigned char *c = (const unsigned char *)reader->next;
	const unsigned char *end = (const unsigned char *)reader->end;

	for (;;) {
		uint32_t code = c < end ? *c : 0;
		size_t length = code < 0x80 ? 1 : code >= 0xf0 ? 4 : code >= 0xe0 ? 3 : 2;
		uint8_t *data;

		if (c < end &&
		    ((code >= 0x80 && code < 0xc2) || code > 0xf4 || (size_t)(end - c) < length))
			return bad(reader, (const char *)c, "the text is not UTF-8");
		if (length > 1)
			code &= 0x7fU >> length;
		for (size_t i = 1; i < length; i++) {
			if ((c[i] & 0xc0) != 0x80)
				return bad(reader, (const char *)c, "the text is not UTF-8");
			code = code << 6 | (c[i] & 0x3fU);
		}
		data = extend(value, code > 0xffff ? 4 : 2);
		if (!data)
			return no_memory();
		value->count += code > 0xffff ? 2 : 1;
		if (code > 0xffff) {
			store_integer(data, 2, 0xd800 + ((code - 0x10000) >> 10));
			store_integer(data + 2, 2, 0xdc00 + ((code - 0x10000) & 0x3ff));
		} else {
			store_integer(data, 2, code);
		}
		if (c == end)
			return 0;
		c += length;
	}
}

static int parse_literal(struct reader *reader, const struct idl_type *type, struct value *value)
{
	uint8_t *data;
	int r;

	switch (type->kind) {
	case IDL_STRING:
	case IDL_WSTRING:
		if (memchr(reader->next, '\0', (size_t)(reader->end - reader->next)))
			return bad(reader, reader->next, "a string cannot hold a zero byte");
		if (type->kind == IDL_WSTRING)
			return put_wstring(reader, value);
		return put_string(reader->next, (size_t)(reader->end - reader->next), value);
	case IDL_DMAHANDLE:
		return bad(reader, reader->next, "a dmahandle takes @FILE");
	case IDL_SEQUENCE:
		r = read_sequence(reader, type, value);
		break;
	default:
		data = extend(value, type->size);
		if (!data)
			return no_memory();
		value->count = 1;
		if (type->kind == IDL_ARRAY && (reader->file || !at_end(reader)) &&
		    (reader->next == reader->end || *reader->next != '['))
			return read_array(reader, type, data, true);
		r = read_fixed(reader, type, data);
	}
	if (!r && !at_end(reader))
		return bad(reader, reader->next, "'%.*s' follows a complete %s",
			   (int)MIN(reader->end - reader->next, 40), reader->next, type->name);
	return r;
}

static int take_bytes(struct reader *reader, const struct idl_type *type, size_t size,
		      struct value *value)
{
	size_t unit = value_unit(type);

	if (type->size && size != unit)
		return bad(reader, reader->start, "%s has %zu bytes, the file has %zu", type->name,
			   unit, size);
	if (size % unit)
		return bad(reader, reader->start,
			   "%zu bytes are no whole number of elements of %zu bytes", size, unit);
	value->size = size;
	value->count = type->size ? 1 : size / unit;
	return 0;
}

static int parse_file(const struct idl_param *param, const char *text, struct value *value)
{
	static bool stdin_read;
	const struct idl_type *type = param->type;
	struct reader reader = {.param = param->name, .file = text + 1};
	bool bytes = *text == '@';
	uint8_t *data;
	size_t size;
	int r;

	if (!strcmp(reader.file, "-")) {
		if (stdin_read) {
			tool_error("parameter %s: standard input was read for another one already",
				   param->name);
			return -EINVAL;
		}
		stdin_read = true;
		reader.file = "standard input";
	}
	r = read_file(text + 1, SIZE_MAX / 4, &data, &size);
	if (r) {
		tool_error("parameter %s: cannot read %s: %s", param->name, reader.file,
			   strerror(-r));
		return r;
	}
	reader.start = reader.next = (char *)data;
	reader.end = reader.start + size;
	if (bytes && type->kind != IDL_STRING && type->kind != IDL_WSTRING) {
		value->data = data;
		value->room = size;
		return take_bytes(&reader, type, size, value);
	}
	r = parse_literal(&reader, type, value);
	free(data);
	return r;
}

int value_parse(const struct idl_param *param, const char *text, struct value *ret_value)
{
	const struct idl_type *type = param->type;
	bool is_string = type->kind == IDL_STRING || type->kind == IDL_WSTRING;
	struct reader reader = {.param = param->name};
	struct value value = {0};
	int r;

	if ((*text == '@' && !(is_string && text[1] == '@')) ||
	    (*text == '%' && (type->kind == IDL_SEQUENCE || type->kind == IDL_ARRAY))) {
		r = parse_file(param, text, &value);
	} else {
		if (is_string && *text == '@')
			text++; /* "@@x" is the string "@x" */
		reader.start = reader.next = text;
		reader.end = text + strlen(text);
		r = parse_literal(&reader, type, &value);
	}
	if (!r && value.count > UINT32_MAX) {
		tool_error("parameter %s: more than %u elements", param->name, UINT32_MAX);
		r = -E2BIG;
	}
	/* An empty sequence has an address too. */
	if (!r && !value.data && !extend(&value, 0))
		r = no_memory();
	if (r) {
		value_free(&value);
		return r;
	}
	*ret_value = value;
	return 0;
}
