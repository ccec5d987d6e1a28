/* SPDX-License-Identifier: MIT */
/* Writes JSON: the caller opens, fills and closes objects and arrays in order. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "json.h"

/* Length of the UTF-8 character at @text, 0 if it is none. */
static size_t utf8_length(const unsigned char *text, size_t room)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	uint32_t value;
	size_t length;

	if (text[0] < 0x80)
		return 1;
	length = text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : 2;
	if (text[0] < 0xc2 || text[0] > 0xf4 || length > room)
		return 0;
	value = text[0] & (0x7fU >> length);
	for (size_t i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (text[i] & 0x3fU);
	}
	if (value < smallest[length] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
		return 0;
	return length;
}

static void put_quoted(struct json *json, const char *text, size_t length)
{
	const unsigned char *c = (const unsigned char *)text;

	fputc('"', json->file);
	while (length) {
		size_t n = utf8_length(c, length);

		if (!n) {
			fputs("\\ufffd", json->file);
			n = 1;
		} else if (*c == '"' || *c == '\\') {
			fprintf(json->file, "\\%c", *c);
		} else if (*c < ' ') {
			fprintf(json->file, "\\u%04x", *c);
		} else {
			fwrite(c, 1, n, json->file);
		}
		c += n;
		length -= n;
	}
	fputc('"', json->file);
}

static void begin(struct json *json, const char *key)
{
	if (json->comma)
		fputs(", ", json->file);
	json->comma = true;
	if (!key)
		return;
	put_quoted(json, key, strlen(key));
	fputs(": ", json->file);
}

void json_open(struct json *json, const char *key, char bracket)
{
	begin(json, key);
	fputc(bracket, json->file);
	json->comma = false;
}

void json_close(struct json *json, char bracket)
{
	fputc(bracket, json->file);
	json->comma = true;
}

void json_text_n(struct json *json, const char *key, const char *text, size_t length)
{
	begin(json, key);
	put_quoted(json, text, length);
}

void json_text(struct json *json, const char *key, const char *text)
{
	if (text) {
		json_text_n(json, key, text, strlen(text));
		return;
	}
	begin(json, key);
	fputs("null", json->file);
}

void json_signed(struct json *json, const char *key, int64_t value)
{
	begin(json, key);
	fprintf(json->file, "%" PRId64, value);
}

void json_unsigned(struct json *json, const char *key, uint64_t value)
{
	begin(json, key);
	fprintf(json->file, "%" PRIu64, value);
}

void json_bool(struct json *json, const char *key, bool value)
{
	begin(json, key);
	fputs(value ? "true" : "false", json->file);
}

void json_float(struct json *json, const char *key, double value, int digits)
{
	begin(json, key);
	if (isfinite(value))
		fprintf(json->file, "%.*g", digits, value);
	else
		fputs("null", json->file);
}
