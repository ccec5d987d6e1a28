/* SPDX-License-Identifier: MIT */
/* The IDL parser: a lexer with includes and guards, and recursive descent without recursion. */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common.h"
#include "file.h"
#include "idl.h"

#define MAX_NAME 255
#define MAX_FILE (1U << 20)
#define MAX_FILES 64
#define MAX_INCLUDE_DEPTH 16
#define MAX_CONDITIONS 32
#define MAX_SYMBOLS 4096
#define MAX_METHODS 4096
#define MAX_DIMENSIONS 8
/* One value; larger data belongs into a sequence. */
#define MAX_SIZE (1U << 28)

enum token_kind {
	TOKEN_END,
	TOKEN_NAME,
	TOKEN_INTEGER,
	TOKEN_FLOAT,
	TOKEN_STRING,
	TOKEN_CHAR,
	TOKEN_PUNCTUATION,
};

struct position {
	const char *file;
	unsigned int line, column;
};

struct token {
	enum token_kind kind;
	const char *text; /* in the source; without the quotes of a string */
	size_t length;
	uint64_t value; /* INTEGER and CHAR */
	struct position at;
};

struct source {
	struct source *parent;
	const char *name;
	const char *text;
	size_t length, next;
	unsigned int line, column;
	unsigned int depth;
	bool line_start; /* nothing but blanks so far on this line */
	/* #ifdef nesting; lines are skipped from level @skip_from on, 0 for none. */
	unsigned int conditions, skip_from;
	struct position condition_at[MAX_CONDITIONS];
};

enum symbol_kind {
	SYMBOL_TYPE,
	SYMBOL_INTEGER,
	SYMBOL_TEXT, /* a string or floating-point constant */
	SYMBOL_INTERFACE,
};

struct symbol {
	struct symbol *next;
	enum symbol_kind kind;
	const char *scope; /* the interface it is declared in, or "" */
	const char *name;
	const struct idl_type *type;
	idl_int value;
	const char *text;
};

struct define {
	struct define *next;
	const char *name;
};

struct seen_file {
	struct seen_file *next;
	dev_t dev;
	ino_t ino;
};

/* All memory of the parser is freed at once. */
struct chunk {
	struct chunk *next;
	max_align_t data[];
};

struct idl {
	struct chunk *chunks;
	char error[1024];

	struct source *source;
	bool files; /* #include may read files */
	unsigned int n_files;
	struct seen_file *seen;
	struct define *defines;

	struct token token; /* the next one */
	struct symbol *symbols;
	unsigned int n_symbols;
	const char *scope;

	struct idl_interface *interfaces;
	const char *version;
};

static const struct idl_type basic_types[] = {
	{.kind = IDL_INTEGER, .name = "octet", .size = 1, .align = 1},
	{.kind = IDL_CHAR, .name = "char", .size = 1, .align = 1, .is_signed = true},
	{.kind = IDL_CHAR, .name = "wchar", .size = 2, .align = 2},
	{.kind = IDL_BOOLEAN, .name = "boolean", .size = 1, .align = 1},
	{.kind = IDL_INTEGER, .name = "short", .size = 2, .align = 2, .is_signed = true},
	{.kind = IDL_INTEGER, .name = "long", .size = 4, .align = 4, .is_signed = true},
	{.kind = IDL_INTEGER, .name = "long long", .size = 8, .align = 8, .is_signed = true},
	{.kind = IDL_INTEGER, .name = "unsigned short", .size = 2, .align = 2},
	{.kind = IDL_INTEGER, .name = "unsigned long", .size = 4, .align = 4},
	{.kind = IDL_INTEGER, .name = "unsigned long long", .size = 8, .align = 8},
	{.kind = IDL_INTEGER, .name = "int8", .size = 1, .align = 1, .is_signed = true},
	{.kind = IDL_INTEGER, .name = "int16", .size = 2, .align = 2, .is_signed = true},
	{.kind = IDL_INTEGER, .name = "int32", .size = 4, .align = 4, .is_signed = true},
	{.kind = IDL_INTEGER, .name = "int64", .size = 8, .align = 8, .is_signed = true},
	{.kind = IDL_INTEGER, .name = "uint8", .size = 1, .align = 1},
	{.kind = IDL_INTEGER, .name = "uint16", .size = 2, .align = 2},
	{.kind = IDL_INTEGER, .name = "uint32", .size = 4, .align = 4},
	{.kind = IDL_INTEGER, .name = "uint64", .size = 8, .align = 8},
	{.kind = IDL_FLOAT, .name = "float", .size = 4, .align = 4, .is_signed = true},
	{.kind = IDL_FLOAT, .name = "double", .size = 8, .align = 8, .is_signed = true},
	{.kind = IDL_STRING, .name = "string", .align = 1},
	{.kind = IDL_WSTRING, .name = "wstring", .align = 2},
	{.kind = IDL_DMAHANDLE, .name = "dmahandle", .align = 4},
	/* AEEStdDef.idl's name for what every method returns. */
	{.kind = IDL_INTEGER, .name = "AEEResult", .size = 4, .align = 4, .is_signed = true},
};

static const struct idl_type *basic_type(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(basic_types); i++) {
		if (!strcmp(basic_types[i].name, name))
			return &basic_types[i];
	}
	return NULL;
}

void idl_integer_range(const struct idl_type *type, idl_int *ret_min, idl_int *ret_max)
{
	unsigned int bits = 8 * type->size;

	if (type->kind == IDL_BOOLEAN)
		bits = 1;
	*ret_min = type->is_signed ? -((idl_int)1 << (bits - 1)) : 0;
	*ret_max = ((idl_int)1 << (bits - type->is_signed)) - 1;
}

/* ---- memory and errors -------------------------------------------------- */

static void *take(struct idl *idl, size_t size)
{
	struct chunk *chunk = calloc(1, sizeof(*chunk) + size);

	if (!chunk)
		return NULL;
	chunk->next = idl->chunks;
	idl->chunks = chunk;
	return chunk->data;
}

static char *take_text(struct idl *idl, const char *text, size_t length)
{
	char *copy = take(idl, length + 1);

	if (copy)
		memcpy(copy, text, length);
	return copy;
}

static char *join(struct idl *idl, const char *a, const char *b, const char *c)
{
	size_t size = strlen(a) + strlen(b) + strlen(c) + 1;
	char *text = take(idl, size);

	if (text)
		snprintf(text, size, "%s%s%s", a, b, c);
	return text;
}

static int no_memory(struct idl *idl)
{
	snprintf(idl->error, sizeof(idl->error), "out of memory");
	return -ENOMEM;
}

static int __attribute__((format(printf, 3, 4)))
fail(struct idl *idl, const struct position *at, const char *format, ...)
{
	size_t length;
	va_list args;

	length = (size_t)snprintf(idl->error, sizeof(idl->error) / 2, "%s:%u:%u: ", at->file,
				  at->line, at->column);
	length = MIN(length, sizeof(idl->error) / 2 - 1);
	va_start(args, format);
	vsnprintf(idl->error + length, sizeof(idl->error) - length, format, args);
	va_end(args);
	/* Whatever the file holds, the message is one printable line. */
	for (char *c = idl->error; *c; c++) {
		if (iscntrl((unsigned char)*c))
			*c = '?';
	}
	return -EINVAL;
}

/* ---- lexer -------------------------------------------------------------- */

static int peek(const struct source *source, size_t ahead)
{
	if (ahead >= source->length - source->next)
		return EOF;
	return (unsigned char)source->text[source->next + ahead];
}

static struct position here(const struct source *source)
{
	return (struct position){source->name, source->line, source->column};
}

static void step(struct source *source)
{
	int c = peek(source, 0);

	if (c == EOF)
		return;
	source->next++;
	if (c == '\n') {
		source->line++;
		source->column = 1;
		source->line_start = true;
		return;
	}
	source->column++;
	if (!isspace(c))
		source->line_start = false;
}

static void step_line(struct source *source)
{
	while (peek(source, 0) != EOF && peek(source, 0) != '\n')
		step(source);
}

static bool is_name_start(int c)
{
	return c != EOF && (isalpha(c) || c == '_');
}

static bool is_name_char(int c)
{
	return c != EOF && (isalnum(c) || c == '_');
}

/* Skips blanks and comments. */
static int skip_blanks(struct idl *idl, bool stay_on_line)
{
	struct source *source = idl->source;
	struct position at;
	int c;

	while ((c = peek(source, 0)) != EOF) {
		if (isspace(c)) {
			if (stay_on_line && c == '\n')
				return 0;
			step(source);
		} else if (c == '/' && peek(source, 1) == '/') {
			step_line(source);
		} else if (c == '/' && peek(source, 1) == '*') {
			bool line_start = source->line_start;

			at = here(source);
			step(source);
			step(source);
			while (peek(source, 0) != '*' || peek(source, 1) != '/') {
				if (peek(source, 0) == EOF)
					return fail(idl, &at, "comment without an end");
				step(source);
			}
			step(source);
			step(source);
			source->line_start = line_start;
		} else {
			return 0;
		}
	}
	return 0;
}

static int read_name(struct idl *idl, const char **ret_name)
{
	struct source *source = idl->source;
	struct position at = here(source);
	size_t start = source->next;
	const char *name;

	if (!is_name_start(peek(source, 0)))
		return fail(idl, &at, "expected a name");
	while (is_name_char(peek(source, 0)))
		step(source);
	if (source->next - start > MAX_NAME)
		return fail(idl, &at, "name of more than %d characters", MAX_NAME);
	name = take_text(idl, source->text + start, source->next - start);
	if (!name)
		return no_memory(idl);
	*ret_name = name;
	return 0;
}

static int push_source(struct idl *idl, const char *name, const char *text, size_t length)
{
	struct source *source;
	const char *zero = memchr(text, '\0', length);

	source = take(idl, sizeof(*source));
	if (!source)
		return no_memory(idl);
	source->name = take_text(idl, name, strlen(name));
	source->text = take_text(idl, text, length);
	if (!source->name || !source->text)
		return no_memory(idl);
	source->length = zero ? (size_t)(zero - text) : length;
	source->line = source->column = 1;
	source->line_start = true;
	source->parent = idl->source;
	source->depth = source->parent ? source->parent->depth + 1 : 0;
	idl->source = source;
	if (zero) {
		while (peek(source, 0) != EOF)
			step(source);
		struct position at = here(source);

		return fail(idl, &at, "a zero byte: this is not a text file");
	}
	return 0;
}

/* @at is where it is included, or NULL for the first file. */
static int push_file(struct idl *idl, const struct position *at, const char *path)
{
	_cleanup_free_ uint8_t *text = NULL;
	struct seen_file *seen;
	struct stat st;
	size_t length;
	int r;

	r = stat(path, &st) == -1 ? -errno : 0;
	if (!r && S_ISDIR(st.st_mode))
		r = -EISDIR;
	for (seen = idl->seen; !r && seen; seen = seen->next) {
		if (seen->dev == st.st_dev && seen->ino == st.st_ino)
			return 0;
	}
	if (!r)
		r = read_file(path, MAX_FILE, &text, &length);
	if (r == -EFBIG && at)
		return fail(idl, at, "%s: larger than 1 MiB", path);
	if (r && at)
		return fail(idl, at, "cannot read %s: %s", path, strerror(-r));
	if (r) {
		snprintf(idl->error, sizeof(idl->error), "%s: %s", path,
			 r == -EFBIG ? "larger than 1 MiB" : strerror(-r));
		return r;
	}
	seen = take(idl, sizeof(*seen));
	if (!seen)
		return no_memory(idl);
	*seen = (struct seen_file){.next = idl->seen, .dev = st.st_dev, .ino = st.st_ino};
	idl->seen = seen;
	return push_source(idl, path, (const char *)text, length);
}

static int include(struct idl *idl)
{
	struct source *source = idl->source;
	struct position at = here(source);
	char path[4096], name[MAX_NAME + 1];
	const char *slash;
	size_t start, length;
	int close, r;

	close = peek(source, 0) == '"' ? '"' : '>';
	if (peek(source, 0) != '"' && peek(source, 0) != '<')
		return fail(idl, &at, "expected \"FILE\" or <FILE> after #include");
	step(source);
	start = source->next;
	while (peek(source, 0) != close) {
		if (peek(source, 0) == EOF || peek(source, 0) == '\n')
			return fail(idl, &at, "file name of #include has no end");
		step(source);
	}
	length = source->next - start;
	step(source);
	if (!length || length > MAX_NAME)
		return fail(idl, &at, "file name of #include is %s", length ? "too long" : "empty");
	memcpy(name, source->text + start, length);
	name[length] = '\0';
	if (!strcmp(name, "AEEStdDef.idl") || !strcmp(name, "remote.idl"))
		return 0;
	if (!idl->files)
		return fail(idl, &at, "%s: only AEEStdDef.idl and remote.idl can be included here",
			    name);
	if (source->depth >= MAX_INCLUDE_DEPTH)
		return fail(idl, &at, "more than %d files include each other", MAX_INCLUDE_DEPTH);
	if (++idl->n_files > MAX_FILES)
		return fail(idl, &at, "more than %d files are included", MAX_FILES);

	slash = strrchr(source->name, '/');
	if (name[0] == '/' || !slash)
		r = snprintf(path, sizeof(path), "%s", name);
	else
		r = snprintf(path, sizeof(path), "%.*s/%s", (int)(slash - source->name),
			     source->name, name);
	if (r >= (int)sizeof(path))
		return fail(idl, &at, "file name of #include is too long");
	return push_file(idl, &at, path);
}

static bool is_defined(const struct idl *idl, const char *name)
{
	for (const struct define *define = idl->defines; define; define = define->next) {
		if (!strcmp(define->name, name))
			return true;
	}
	return false;
}

static int open_condition(struct idl *idl, const struct position *at, bool want)
{
	struct source *source = idl->source;
	const char *name;
	int r;

	if (source->conditions == MAX_CONDITIONS)
		return fail(idl, at, "more than %d #ifdef inside each other", MAX_CONDITIONS);
	r = read_name(idl, &name);
	if (r)
		return r;
	source->condition_at[source->conditions++] = *at;
	if (!source->skip_from && is_defined(idl, name) != want)
		source->skip_from = source->conditions;
	return 0;
}

static int define_name(struct idl *idl)
{
	struct define *define;
	struct position at;
	const char *name;
	int r;

	r = read_name(idl, &name);
	if (!r)
		r = skip_blanks(idl, true);
	if (r)
		return r;
	at = here(idl->source);
	if (peek(idl->source, 0) != '\n' && peek(idl->source, 0) != EOF)
		return fail(idl, &at, "#define with a value is not supported; use const");
	if (is_defined(idl, name))
		return 0;
	if (++idl->n_symbols > MAX_SYMBOLS)
		return fail(idl, &at, "more than %d declarations", MAX_SYMBOLS);
	define = take(idl, sizeof(*define));
	if (!define)
		return no_memory(idl);
	*define = (struct define){.next = idl->defines, .name = name};
	idl->defines = define;
	return 0;
}

/* A line that begins with '#'. */
static int directive(struct idl *idl)
{
	struct source *source = idl->source;
	struct position at = here(source);
	bool skipping = source->skip_from;
	const char *name;
	int r;

	step(source);
	r = skip_blanks(idl, true);
	if (!r)
		r = read_name(idl, &name);
	if (!r)
		r = skip_blanks(idl, true);
	if (r)
		return r;

	if (!strcmp(name, "ifndef") || !strcmp(name, "ifdef"))
		return open_condition(idl, &at, !strcmp(name, "ifdef"));
	if (!strcmp(name, "else") || !strcmp(name, "endif")) {
		if (!source->conditions)
			return fail(idl, &at, "#%s without #ifdef or #ifndef", name);
		if (name[1] == 'n') {
			if (source->skip_from == source->conditions)
				source->skip_from = 0;
			source->conditions--;
		} else if (source->skip_from == source->conditions) {
			source->skip_from = 0;
		} else if (!source->skip_from) {
			source->skip_from = source->conditions;
		}
		return 0;
	}
	if (skipping || !strcmp(name, "pragma")) {
		step_line(source);
		return 0;
	}
	if (!strcmp(name, "include"))
		return include(idl);
	if (!strcmp(name, "define"))
		return define_name(idl);
	return fail(idl, &at, "#%s is not supported", name);
}

static int read_escape(struct idl *idl, const struct position *at, uint64_t *ret_value)
{
	static const char names[] = "nrtabfv\\'\"?";
	static const char values[] = "\n\r\t\a\b\f\v\\'\"?";
	struct source *source = idl->source;
	const char *found;
	uint64_t value = 0;
	int c = peek(source, 0);

	if (c == EOF || c == '\n')
		return fail(idl, at, "character without an end");
	step(source);
	if (c != '\\') {
		*ret_value = (uint64_t)c;
		return 0;
	}
	c = peek(source, 0);
	if (c >= '0' && c <= '7') {
		for (int i = 0; i < 3 && peek(source, 0) >= '0' && peek(source, 0) <= '7'; i++) {
			value = value * 8 + (uint64_t)(peek(source, 0) - '0');
			step(source);
		}
		*ret_value = value;
		return 0;
	}
	if (c == 'x') {
		step(source);
		if (peek(source, 0) == EOF || !isxdigit(peek(source, 0)))
			return fail(idl, at, "\\x without hexadecimal digits");
		for (int i = 0; i < 2 && peek(source, 0) != EOF && isxdigit(peek(source, 0)); i++) {
			c = tolower(peek(source, 0));
			value = value * 16 + (uint64_t)(isdigit(c) ? c - '0' : c - 'a' + 10);
			step(source);
		}
		*ret_value = value;
		return 0;
	}
	found = c > 0 ? strchr(names, c) : NULL;
	if (!found)
		return fail(idl, at, "unknown escape in a character");
	step(source);
	*ret_value = (unsigned char)values[found - names];
	return 0;
}

static int read_number(struct idl *idl, struct token *token)
{
	struct source *source = idl->source;
	size_t start = source->next;
	unsigned int base = 10;
	bool is_float = false;
	int c;

	if (peek(source, 0) == '0' && (peek(source, 1) == 'x' || peek(source, 1) == 'X'))
		base = 16;
	else if (peek(source, 0) == '0')
		base = 8;
	while ((c = peek(source, 0)) != EOF) {
		if (base != 16 && (c == '.' || c == 'e' || c == 'E'))
			is_float = true;
		else if ((c == '+' || c == '-') && is_float &&
			 strchr("eE", source->text[source->next - 1]))
			;
		else if (!is_name_char(c))
			break;
		step(source);
	}
	token->text = source->text + start;
	token->length = source->next - start;
	if (is_float) {
		char text[64], *end;

		if (token->length >= sizeof(text))
			return fail(idl, &token->at, "number is too long");
		memcpy(text, token->text, token->length);
		text[token->length] = '\0';
		strtod(text, &end);
		if (*end)
			return fail(idl, &token->at, "'%s' is not a number", text);
		token->kind = TOKEN_FLOAT;
		return 0;
	}
	token->kind = TOKEN_INTEGER;
	token->value = 0;
	if (base == 16 && token->length == 2)
		return fail(idl, &token->at, "0x without digits");
	for (size_t i = base == 16 ? 2 : 0; i < token->length; i++) {
		c = tolower((unsigned char)token->text[i]);
		c = isdigit(c) ? c - '0' : isxdigit(c) ? c - 'a' + 10 : 16;
		if ((unsigned int)c >= base)
			return fail(idl, &token->at, "'%.*s' is not a number",
				    (int)MIN(token->length, 40U), token->text);
		if (__builtin_mul_overflow(token->value, base, &token->value) ||
		    __builtin_add_overflow(token->value, (unsigned int)c, &token->value))
			return fail(idl, &token->at, "number does not fit 64 bits");
	}
	return 0;
}

static int read_quoted(struct idl *idl, struct token *token)
{
	struct source *source = idl->source;
	int r;

	if (peek(source, 0) == '\'') {
		step(source);
		r = read_escape(idl, &token->at, &token->value);
		if (r)
			return r;
		if (peek(source, 0) != '\'')
			return fail(idl, &token->at, "expected one character between quotes");
		step(source);
		token->kind = TOKEN_CHAR;
		return 0;
	}
	step(source);
	token->text = source->text + source->next;
	while (peek(source, 0) != '"') {
		if (peek(source, 0) == EOF || peek(source, 0) == '\n')
			return fail(idl, &token->at, "string without an end");
		step(source);
	}
	token->length = (size_t)(source->text + source->next - token->text);
	token->kind = TOKEN_STRING;
	step(source);
	return 0;
}

/* Everything before the next token, with directives obeyed and ended files left. */
static int skip_to_token(struct idl *idl)
{
	struct source *source;
	int r;

	for (;;) {
		r = skip_blanks(idl, false);
		if (r)
			return r;
		source = idl->source;
		if (peek(source, 0) == '#' && source->line_start) {
			r = directive(idl);
			if (r)
				return r;
		} else if (peek(source, 0) == EOF) {
			if (source->conditions)
				return fail(idl, &source->condition_at[source->conditions - 1],
					    "#ifdef or #ifndef without #endif");
			if (!source->parent)
				return 0;
			idl->source = source->parent;
		} else if (source->skip_from) {
			step_line(source);
		} else {
			return 0;
		}
	}
}

/* Replaces idl->token by the token after it. */
static int advance(struct idl *idl)
{
	struct token *token = &idl->token;
	struct source *source;
	int c, r;

	r = skip_to_token(idl);
	if (r)
		return r;
	source = idl->source;
	*token = (struct token){.at = here(source), .text = source->text + source->next};
	c = peek(source, 0);
	if (c == EOF)
		return 0;
	if (is_name_start(c)) {
		while (is_name_char(peek(source, 0)))
			step(source);
		token->kind = TOKEN_NAME;
		token->length = (size_t)(source->text + source->next - token->text);
		if (token->length > MAX_NAME)
			return fail(idl, &token->at, "name of more than %d characters", MAX_NAME);
		return 0;
	}
	if (isdigit(c) || (c == '.' && peek(source, 1) != EOF && isdigit(peek(source, 1))))
		return read_number(idl, token);
	if (c == '"' || c == '\'')
		return read_quoted(idl, token);
	step(source);
	token->kind = TOKEN_PUNCTUATION;
	token->length = 1;
	if (c == ':' && peek(source, 0) == ':') {
		step(source);
		token->length = 2;
	} else if (!strchr("{}()<>[],;:=-+", c)) {
		return fail(idl, &token->at,
			    isprint(c) ? "unexpected '%c'" : "unexpected byte 0x%02x",
			    (unsigned int)c);
	}
	return 0;
}

static bool is(const struct idl *idl, const char *text)
{
	const struct token *token = &idl->token;

	return (token->kind == TOKEN_NAME || token->kind == TOKEN_PUNCTUATION) &&
	       strlen(text) == token->length && !memcmp(token->text, text, token->length);
}

static int expected(struct idl *idl, const char *what)
{
	const struct token *token = &idl->token;

	if (token->kind == TOKEN_END)
		return fail(idl, &token->at, "expected %s, found the end of the text", what);
	if (token->kind == TOKEN_CHAR)
		return fail(idl, &token->at, "expected %s, found a character", what);
	return fail(idl, &token->at, "expected %s, found '%.*s'", what,
		    (int)MIN(token->length, 80U), token->text);
}

static int expect(struct idl *idl, const char *text)
{
	char what[16];

	if (is(idl, text))
		return advance(idl);
	snprintf(what, sizeof(what), "'%s'", text);
	return expected(idl, what);
}

static bool is_keyword(const char *name)
{
	static const char *const words[] = {
		"interface", "struct",  "enum",      "typedef",  "const", "sequence",
		"in",        "rout",    "inrout",    "unsigned", "long",  "short",
		"octet",     "char",    "wchar",     "boolean",  "float", "double",
		"string",    "wstring", "dmahandle", "module",   "union", "void",
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (!strcmp(words[i], name))
			return true;
	}
	return false;
}

static int expect_name(struct idl *idl, const char *what, const char **ret_name)
{
	char *name;

	if (idl->token.kind != TOKEN_NAME)
		return expected(idl, what);
	name = take_text(idl, idl->token.text, idl->token.length);
	if (!name)
		return no_memory(idl);
	if (is_keyword(name))
		return expected(idl, what);
	*ret_name = name;
	return advance(idl);
}

/* ---- names -------------------------------------------------------------- */

static const struct symbol *find_in(const struct idl *idl, const char *scope, const char *name)
{
	for (const struct symbol *symbol = idl->symbols; symbol; symbol = symbol->next) {
		if (!strcmp(symbol->scope, scope) && !strcmp(symbol->name, name))
			return symbol;
	}
	return NULL;
}

static int declare(struct idl *idl, const struct position *at, const struct symbol *symbol)
{
	struct symbol *copy;

	if (find_in(idl, idl->scope, symbol->name) || basic_type(symbol->name))
		return fail(idl, at, "'%s' is declared twice", symbol->name);
	if (++idl->n_symbols > MAX_SYMBOLS)
		return fail(idl, at, "more than %d declarations", MAX_SYMBOLS);
	copy = take(idl, sizeof(*copy));
	if (!copy)
		return no_memory(idl);
	*copy = *symbol;
	copy->scope = idl->scope;
	copy->next = idl->symbols;
	idl->symbols = copy;
	return 0;
}

/* NAME, INTERFACE::NAME or ::NAME. */
static int lookup(struct idl *idl, const char *what, const struct symbol **ret_symbol)
{
	struct position at = idl->token.at;
	const struct symbol *symbol = NULL;
	const char *scope = NULL, *name;
	int r;

	if (is(idl, "::"))
		scope = "";
	else if (idl->token.kind != TOKEN_NAME)
		return expected(idl, what);
	if (!scope) {
		r = expect_name(idl, what, &name);
		if (r)
			return r;
		if (is(idl, "::"))
			scope = name;
	}
	if (scope) {
		r = advance(idl);
		if (!r)
			r = expect_name(idl, "a name after '::'", &name);
		if (r)
			return r;
		symbol = find_in(idl, scope, name);
	} else {
		symbol = find_in(idl, idl->scope, name);
		if (!symbol)
			symbol = find_in(idl, "", name);
	}
	if (!symbol)
		return fail(idl, &at, "expected %s, '%s%s%s' is not declared", what,
			    scope ? scope : "", scope ? "::" : "", name);
	*ret_symbol = symbol;
	return 0;
}

/* ---- constants ---------------------------------------------------------- */

/* An integer: a literal, a character, TRUE, FALSE, or a constant's name, with a sign. */
static int parse_integer(struct idl *idl, idl_int *ret_value)
{
	struct position at = idl->token.at;
	const struct symbol *symbol;
	bool negative = is(idl, "-");
	idl_int value;
	int r;

	if (negative || is(idl, "+")) {
		r = advance(idl);
		if (r)
			return r;
	}
	if (idl->token.kind == TOKEN_INTEGER || idl->token.kind == TOKEN_CHAR) {
		value = idl->token.value;
		r = advance(idl);
	} else if (is(idl, "TRUE") || is(idl, "FALSE")) {
		value = is(idl, "TRUE");
		r = advance(idl);
	} else {
		r = lookup(idl, "an integer", &symbol);
		if (!r && symbol->kind != SYMBOL_INTEGER)
			return fail(idl, &at, "'%s' is not an integer constant", symbol->name);
		value = r ? 0 : symbol->value;
	}
	if (r)
		return r;
	*ret_value = negative ? -value : value;
	return 0;
}

static int parse_type(struct idl *idl, const struct idl_type **ret_type);

/* const TYPE NAME = VALUE; */
static int parse_const(struct idl *idl)
{
	struct symbol symbol = {0};
	struct position at, value_at;
	idl_int min, max;
	int r;

	r = advance(idl);
	at = idl->token.at;
	if (!r)
		r = parse_type(idl, &symbol.type);
	if (r)
		return r;
	if (symbol.type->kind > IDL_CHAR && symbol.type->kind != IDL_STRING &&
	    symbol.type->kind != IDL_WSTRING)
		return fail(idl, &at, "a constant cannot have the type %s", symbol.type->name);
	at = idl->token.at;
	r = expect_name(idl, "the constant's name", &symbol.name);
	if (!r)
		r = expect(idl, "=");
	if (r)
		return r;
	value_at = idl->token.at;
	switch (symbol.type->kind) {
	case IDL_STRING:
	case IDL_WSTRING:
		if (idl->token.kind != TOKEN_STRING)
			return expected(idl, "a string in quotes");
		symbol.text = take_text(idl, idl->token.text, idl->token.length);
		if (!symbol.text)
			return no_memory(idl);
		symbol.kind = SYMBOL_TEXT;
		r = advance(idl);
		if (!r && !strcmp(symbol.name, "IDL_VERSION")) {
			if (!*symbol.text ||
			    strspn(symbol.text, "0123456789.") != strlen(symbol.text))
				return fail(idl, &value_at, "IDL_VERSION is not of the form 1.2.3");
			idl->version = symbol.text;
		}
		break;
	case IDL_FLOAT:
		/* No type depends on its value: only its form matters. */
		if (is(idl, "-") || is(idl, "+"))
			r = advance(idl);
		if (!r && idl->token.kind != TOKEN_FLOAT && idl->token.kind != TOKEN_INTEGER)
			return expected(idl, "a number");
		if (!r)
			r = advance(idl);
		symbol.kind = SYMBOL_TEXT;
		break;
	default:
		r = parse_integer(idl, &symbol.value);
		if (r)
			return r;
		idl_integer_range(symbol.type, &min, &max);
		if (symbol.value < min || symbol.value > max)
			return fail(idl, &value_at, "the value does not fit %s", symbol.type->name);
		symbol.kind = SYMBOL_INTEGER;
	}
	if (!r)
		r = expect(idl, ";");
	if (!r)
		r = declare(idl, &at, &symbol);
	return r;
}

/* ---- types -------------------------------------------------------------- */

static int parse_basic(struct idl *idl, const struct idl_type **ret_type)
{
	char name[32] = "";
	bool is_unsigned = is(idl, "unsigned");
	int r;

	if (is_unsigned) {
		strcpy(name, "unsigned ");
		r = advance(idl);
		if (r)
			return r;
		if (!is(idl, "long") && !is(idl, "short"))
			return expected(idl, "'short' or 'long' after 'unsigned'");
	}
	if (is(idl, "long")) {
		r = advance(idl);
		if (r)
			return r;
		strcat(name, "long");
		if (is(idl, "double"))
			return fail(idl, &idl->token.at, "long double is not a type of QAIC");
		if (is(idl, "long")) {
			strcat(name, " long");
			r = advance(idl);
		}
	} else {
		strncat(name, idl->token.text, MIN(idl->token.length, 16U));
		r = advance(idl);
	}
	*ret_type = basic_type(name);
	return r;
}

static const char *variable_kind(const struct idl_type *type)
{
	switch (type->kind) {
	case IDL_SEQUENCE:
		return "a sequence";
	case IDL_STRING:
		return "a string";
	case IDL_WSTRING:
		return "a wstring";
	case IDL_DMAHANDLE:
		return "a dmahandle";
	default:
		return NULL;
	}
}

/* Why @type cannot be an element or field, or 0. */
static int need_fixed(struct idl *idl, const struct position *at, const struct idl_type *type,
		      const char *where)
{
	const char *kind = variable_kind(type);

	if (!kind)
		return 0;
	return fail(idl, at,
		    "%s %s is not supported: the number of a call's buffers would depend on the "
		    "data; pass it as a parameter of its own",
		    kind, where);
}

static int parse_sequence(struct idl *idl, const struct idl_type **ret_type)
{
	const struct symbol *symbol;
	struct idl_type *type;
	struct position at;
	const struct idl_type *element;
	char word[MAX_NAME + 1];
	int r;

	r = advance(idl);
	if (!r)
		r = expect(idl, "<");
	if (r)
		return r;
	at = idl->token.at;
	if (is(idl, "sequence"))
		return fail(idl, &at,
			    "a sequence inside a sequence is not supported: the number of a call's "
			    "buffers would depend on the data; pass it as a parameter of its own");
	snprintf(word, sizeof(word), "%.*s", (int)MIN(idl->token.length, (size_t)MAX_NAME),
		 idl->token.text);
	if (idl->token.kind == TOKEN_NAME && (is_keyword(word) || basic_type(word))) {
		if (!basic_type(word) && strcmp(word, "unsigned") != 0)
			return expected(idl, "a type");
		r = parse_basic(idl, &element);
	} else {
		r = lookup(idl, "a type", &symbol);
		if (!r && symbol->kind != SYMBOL_TYPE)
			return fail(idl, &at, "'%s' is not a type", symbol->name);
		element = r ? NULL : symbol->type;
	}
	if (r)
		return r;
	r = need_fixed(idl, &at, element, "inside a sequence");
	if (r)
		return r;
	if (is(idl, ","))
		return fail(idl, &idl->token.at, "a sequence with a limit is not supported");
	r = expect(idl, ">");
	if (r)
		return r;
	type = take(idl, sizeof(*type));
	if (!type)
		return no_memory(idl);
	*type = (struct idl_type){
		.kind = IDL_SEQUENCE,
		.align = element->align,
		.depth = element->depth,
		.element = element,
		.name = join(idl, "sequence<", element->name, ">"),
	};
	if (!type->name)
		return no_memory(idl);
	*ret_type = type;
	return 0;
}

static int parse_type(struct idl *idl, const struct idl_type **ret_type)
{
	static const char *const refused[] = {"union", "any", "Object", "void", "fixed"};
	struct position at = idl->token.at;
	const struct symbol *symbol;
	char word[MAX_NAME + 1];
	int r;

	if (is(idl, "sequence"))
		return parse_sequence(idl, ret_type);
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		if (is(idl, refused[i]))
			return fail(idl, &at, "'%s' is not a type of QAIC", refused[i]);
	}
	if (idl->token.kind == TOKEN_NAME) {
		snprintf(word, sizeof(word), "%.*s", (int)idl->token.length, idl->token.text);
		if (basic_type(word) || !strcmp(word, "unsigned")) {
			r = parse_basic(idl, ret_type);
			if (!r && is(idl, "<"))
				return fail(idl, &idl->token.at,
					    "a %s with a limit is not supported",
					    (*ret_type)->name);
			return r;
		}
	}
	r = lookup(idl, "a type", &symbol);
	if (r)
		return r;
	if (symbol->kind == SYMBOL_INTERFACE)
		return fail(idl, &at, "an interface as a type is not supported");
	if (symbol->kind != SYMBOL_TYPE)
		return fail(idl, &at, "'%s' is a constant, not a type", symbol->name);
	*ret_type = symbol->type;
	return 0;
}

static int make_array(struct idl *idl, const struct position *at, const struct idl_type *element,
		      uint32_t count, const struct idl_type **ret_type)
{
	char dimension[16];
	struct idl_type *type;
	uint32_t size;

	if (__builtin_mul_overflow(element->size, count, &size) || size > MAX_SIZE)
		return fail(idl, at, "the array is larger than %u MiB", MAX_SIZE >> 20);
	if (element->depth + 1 > IDL_MAX_DEPTH)
		return fail(idl, at, "more than %d levels of arrays and structs", IDL_MAX_DEPTH);
	type = take(idl, sizeof(*type));
	if (!type)
		return no_memory(idl);
	snprintf(dimension, sizeof(dimension), "[%u]", count);
	*type = (struct idl_type){
		.kind = IDL_ARRAY,
		.size = size,
		.align = element->align,
		.depth = element->depth + 1,
		.element = element,
		.count = count,
		.name = join(idl, element->name, dimension, ""),
	};
	if (!type->name)
		return no_memory(idl);
	*ret_type = type;
	return 0;
}

/* [N][M] after a declared name. */
static int parse_dimensions(struct idl *idl, const struct idl_type **type)
{
	struct position at[MAX_DIMENSIONS];
	uint32_t counts[MAX_DIMENSIONS];
	unsigned int n = 0;
	idl_int count;
	int r;

	while (is(idl, "[")) {
		if (n == MAX_DIMENSIONS)
			return fail(idl, &idl->token.at, "more than %d dimensions", MAX_DIMENSIONS);
		r = advance(idl);
		at[n] = idl->token.at;
		if (!r)
			r = parse_integer(idl, &count);
		if (r)
			return r;
		if (count < 1 || count > MAX_SIZE)
			return fail(idl, &at[n], "the array's length is not between 1 and %u",
				    MAX_SIZE);
		counts[n++] = (uint32_t)count;
		r = expect(idl, "]");
		if (r)
			return r;
	}
	if (!n)
		return 0;
	r = need_fixed(idl, &at[0], *type, "inside an array");
	/* a[2][3] is two arrays of three. */
	while (!r && n--)
		r = make_array(idl, &at[n], *type, counts[n], type);
	return r;
}

/* typedef TYPE NAME[N], NAME ...; */
static int parse_typedef(struct idl *idl)
{
	const struct idl_type *base;
	struct position at;
	int r;

	r = advance(idl);
	if (!r)
		r = parse_type(idl, &base);
	if (r)
		return r;
	for (;;) {
		struct symbol symbol = {.kind = SYMBOL_TYPE, .type = base};

		at = idl->token.at;
		r = expect_name(idl, "the new type's name", &symbol.name);
		if (!r)
			r = parse_dimensions(idl, &symbol.type);
		if (!r)
			r = declare(idl, &at, &symbol);
		if (r)
			return r;
		if (!is(idl, ","))
			return expect(idl, ";");
		r = advance(idl);
		if (r)
			return r;
	}
}

/* enum NAME { A, B }; */
static int parse_enum(struct idl *idl)
{
	struct symbol symbol = {.kind = SYMBOL_TYPE};
	const char **members = NULL;
	struct idl_type *type;
	struct position at;
	uint32_t count = 0;
	int r;

	r = advance(idl);
	at = idl->token.at;
	if (!r)
		r = expect_name(idl, "the enum's name", &symbol.name);
	if (!r)
		r = expect(idl, "{");
	if (r)
		return r;
	while (!is(idl, "}")) {
		struct symbol member = {.kind = SYMBOL_INTEGER,
					.value = count,
					.type = basic_type("unsigned long")};
		struct position member_at = idl->token.at;

		/* Room doubles: it is full whenever the count is a power of two. */
		if (!(count & (count - 1))) {
			const char **more = take(idl, (count ? 2 * count : 1) * sizeof(*more));

			if (!more)
				return no_memory(idl);
			if (count)
				memcpy(more, members, count * sizeof(*more));
			members = more;
		}
		r = expect_name(idl, "a member of the enum", &member.name);
		if (!r && is(idl, "="))
			return fail(idl, &idl->token.at,
				    "members of an enum have no value: they count from 0");
		if (!r)
			r = declare(idl, &member_at, &member);
		if (r)
			return r;
		members[count++] = member.name;
		if (!is(idl, ","))
			break;
		r = advance(idl);
		if (r)
			return r;
	}
	if (!count)
		return expected(idl, "a member of the enum");
	r = expect(idl, "}");
	if (!r)
		r = expect(idl, ";");
	if (r)
		return r;
	type = take(idl, sizeof(*type));
	if (!type)
		return no_memory(idl);
	*type = (struct idl_type){.kind = IDL_ENUM,
				  .name = symbol.name,
				  .size = 4,
				  .align = 4,
				  .count = count,
				  .members = members};
	symbol.type = type;
	return declare(idl, &at, &symbol);
}

static int add_field(struct idl *idl, const struct position *at, struct idl_type *type,
		     struct idl_field **fields, const char *name, const struct idl_type *field_type)
{
	uint32_t count = type->count, offset;

	for (uint32_t i = 0; i < count; i++) {
		if (!strcmp((*fields)[i].name, name))
			return fail(idl, at, "field '%s' is declared twice", name);
	}
	if (count == MAX_SYMBOLS)
		return fail(idl, at, "more than %d fields", MAX_SYMBOLS);
	if (!(count & (count - 1))) {
		struct idl_field *more = take(idl, (count ? 2 * count : 1) * sizeof(*more));

		if (!more)
			return no_memory(idl);
		if (count)
			memcpy(more, *fields, count * sizeof(*more));
		*fields = more;
	}
	/* Neither term is above MAX_SIZE. */
	offset = ALIGN_UP(type->size, field_type->align);
	if (offset + field_type->size > MAX_SIZE)
		return fail(idl, at, "the struct is larger than %u MiB", MAX_SIZE >> 20);
	if (field_type->depth + 1 > IDL_MAX_DEPTH)
		return fail(idl, at, "more than %d levels of arrays and structs", IDL_MAX_DEPTH);
	(*fields)[count] = (struct idl_field){.name = name, .type = field_type, .offset = offset};
	type->count++;
	type->size = offset + field_type->size;
	type->align = MAX(type->align, field_type->align);
	type->depth = MAX(type->depth, field_type->depth + 1);
	return 0;
}

/* struct NAME { TYPE a, b[2]; }; */
static int parse_struct(struct idl *idl)
{
	struct symbol symbol = {.kind = SYMBOL_TYPE};
	struct idl_field *fields = NULL;
	struct idl_type *type;
	struct position at, type_at, field_at;
	int r;

	type = take(idl, sizeof(*type));
	if (!type)
		return no_memory(idl);
	type->kind = IDL_STRUCT;
	type->align = 1;
	r = advance(idl);
	at = idl->token.at;
	if (!r)
		r = expect_name(idl, "the struct's name", &symbol.name);
	if (!r)
		r = expect(idl, "{");
	while (!r && !is(idl, "}")) {
		const struct idl_type *base;

		type_at = idl->token.at;
		r = parse_type(idl, &base);
		if (!r)
			r = need_fixed(idl, &type_at, base, "inside a struct");
		while (!r) {
			const struct idl_type *field_type = base;
			const char *name;

			field_at = idl->token.at;
			r = expect_name(idl, "a field's name", &name);
			if (!r)
				r = parse_dimensions(idl, &field_type);
			if (!r)
				r = add_field(idl, &field_at, type, &fields, name, field_type);
			if (r || !is(idl, ","))
				break;
			r = advance(idl);
		}
		if (!r)
			r = expect(idl, ";");
	}
	if (r)
		return r;
	if (!type->count)
		return expected(idl, "a field of the struct");
	r = expect(idl, "}");
	if (!r)
		r = expect(idl, ";");
	if (r)
		return r;
	type->name = symbol.name;
	type->fields = fields;
	type->size = ALIGN_UP(type->size, type->align);
	symbol.type = type;
	return declare(idl, &at, &symbol);
}

/* ---- methods and interfaces --------------------------------------------- */

static int parse_mode(struct idl *idl, enum qda_mode *ret_mode)
{
	if (is(idl, "in"))
		*ret_mode = QDA_IN;
	else if (is(idl, "rout"))
		*ret_mode = QDA_ROUT;
	else if (is(idl, "inrout"))
		*ret_mode = QDA_INROUT;
	else if (is(idl, "out"))
		return fail(idl, &idl->token.at, "'out' is not a mode of QAIC; use 'rout'");
	else
		return expected(idl, "'in', 'rout' or 'inrout'");
	return advance(idl);
}

/* What one call can carry at most. */
static int check_counts(struct idl *idl, const struct position *at, const struct idl_method *method)
{
	unsigned int in = 1, out = 1, in_handles = 0, out_handles = 0;

	for (uint32_t i = 0; i < method->n_params; i++) {
		const struct idl_param *param = &method->params[i];
		bool is_in = param->mode & QDA_IN, is_out = param->mode & QDA_ROUT;

		if (param->type->kind == IDL_DMAHANDLE) {
			in_handles += is_in;
			out_handles += is_out;
		} else if (!param->type->size) {
			in += is_in;
			out += is_out;
		}
	}
	if (in > 255 || out > 255)
		return fail(idl, at,
			    "'%s' has more than 254 sequences and strings in one direction",
			    method->name);
	if (in_handles > 15 || out_handles > 15)
		return fail(idl, at, "'%s' has more than 15 dmahandles in one direction",
			    method->name);
	return 0;
}

/* NAME(params), the token being NAME. */
static int parse_method(struct idl *idl, struct idl_method *method)
{
	struct idl_param params[IDL_MAX_PARAMS], *copy;
	struct position at = idl->token.at, param_at;
	int r;

	r = expect_name(idl, "the method's name", &method->name);
	if (!r)
		r = expect(idl, "(");
	while (!r && !is(idl, ")")) {
		struct idl_param *param = &params[method->n_params];

		param_at = idl->token.at;
		if (method->n_params == IDL_MAX_PARAMS)
			return fail(idl, &param_at, "more than %d parameters", IDL_MAX_PARAMS);
		r = parse_mode(idl, &param->mode);
		if (!r)
			r = parse_type(idl, &param->type);
		if (r)
			return r;
		if (param->type->kind == IDL_DMAHANDLE && param->mode == QDA_INROUT)
			return fail(idl, &param_at, "a dmahandle cannot be inrout");
		param_at = idl->token.at;
		r = expect_name(idl, "the parameter's name", &param->name);
		if (!r)
			r = parse_dimensions(idl, &param->type);
		if (r)
			return r;
		for (uint32_t i = 0; i < method->n_params; i++) {
			if (!strcmp(params[i].name, param->name))
				return fail(idl, &param_at, "parameter '%s' is declared twice",
					    param->name);
		}
		method->n_params++;
		if (!is(idl, ","))
			break;
		r = advance(idl);
		if (!r && is(idl, ")"))
			return expected(idl, "another parameter");
	}
	if (!r)
		r = is(idl, ")") ? advance(idl) : expected(idl, "',' or ')'");
	if (r)
		return r;
	copy = take(idl, sizeof(*copy) * MAX(method->n_params, 1U));
	if (!copy)
		return no_memory(idl);
	memcpy(copy, params, sizeof(*copy) * method->n_params);
	method->params = copy;
	return check_counts(idl, &at, method);
}

/* 1 if the token begins a declaration and it was parsed, 0 if not. */
static int parse_declaration(struct idl *idl)
{
	static const struct {
		const char *word;
		int (*parse)(struct idl *idl);
	} declarations[] = {
		{"typedef", parse_typedef},
		{"const", parse_const},
		{"enum", parse_enum},
		{"struct", parse_struct},
	};
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(declarations); i++) {
		if (!is(idl, declarations[i].word))
			continue;
		r = declarations[i].parse(idl);
		return r ? r : 1;
	}
	return 0;
}

static int add_method(struct idl *idl, struct idl_interface *interface, struct idl_method ***end)
{
	struct idl_method *method;
	const struct idl_type *result;
	struct position at = idl->token.at;
	int r;

	r = parse_type(idl, &result);
	if (r)
		return r;
	if (result->kind != IDL_INTEGER || result->size != 4 || !result->is_signed)
		return fail(idl, &at, "a method returns long, not %s", result->name);
	method = take(idl, sizeof(*method));
	if (!method)
		return no_memory(idl);
	at = idl->token.at;
	r = parse_method(idl, method);
	if (!r)
		r = expect(idl, ";");
	if (r)
		return r;
	for (const struct idl_method *other = interface->methods; other; other = other->next) {
		if (!strcmp(other->name, method->name))
			return fail(idl, &at, "method '%s' is declared twice", method->name);
	}
	if (interface->n_methods == MAX_METHODS)
		return fail(idl, &at, "more than %d methods", MAX_METHODS);
	/* 0 and 1 are remote_handle64's open and close. */
	method->number = interface->n_methods++ + (interface->has_handle ? 2 : 0);
	**end = method;
	*end = &method->next;
	return 0;
}

static int parse_interface(struct idl *idl)
{
	struct symbol symbol = {.kind = SYMBOL_INTERFACE};
	struct idl_method **end;
	struct idl_interface *interface, **last;
	struct position at;
	int r;

	interface = take(idl, sizeof(*interface));
	if (!interface)
		return no_memory(idl);
	r = advance(idl);
	at = idl->token.at;
	if (!r)
		r = expect_name(idl, "the interface's name", &interface->name);
	if (r)
		return r;
	if (is(idl, ";")) /* announced only */
		return advance(idl);
	symbol.name = interface->name;
	r = declare(idl, &at, &symbol);
	if (!r && is(idl, ":")) {
		r = advance(idl);
		if (!r && !is(idl, "remote_handle64"))
			return expected(idl, "'remote_handle64', the only base that is supported");
		interface->has_handle = true;
		if (!r)
			r = advance(idl);
	}
	if (!r)
		r = expect(idl, "{");
	if (r)
		return r;
	idl->scope = interface->name;
	end = &interface->methods;
	while (!is(idl, "}")) {
		r = parse_declaration(idl);
		if (!r)
			r = add_method(idl, interface, &end);
		if (r < 0)
			return r;
	}
	idl->scope = "";
	r = advance(idl);
	if (!r)
		r = expect(idl, ";");
	if (r)
		return r;
	for (last = &idl->interfaces; *last; last = &(*last)->next)
		;
	*last = interface;
	return 0;
}

/* All that the pushed source declares. */
static int parse_all(struct idl *idl)
{
	int r;

	r = advance(idl);
	while (!r && idl->token.kind != TOKEN_END) {
		if (is(idl, "interface")) {
			r = parse_interface(idl);
			continue;
		}
		if (is(idl, "module"))
			return fail(idl, &idl->token.at,
				    "'module' is not supported; take its braces away");
		r = parse_declaration(idl);
		if (!r)
			return expected(idl, "interface, struct, enum, typedef or const");
		r = MIN(r, 0);
	}
	return r;
}

struct idl *idl_new(void)
{
	struct idl *idl = calloc(1, sizeof(*idl));

	if (idl)
		idl->scope = "";
	return idl;
}

struct idl *idl_free(struct idl *idl)
{
	struct chunk *chunk;

	if (!idl)
		return NULL;
	while ((chunk = idl->chunks)) {
		idl->chunks = chunk->next;
		free(chunk);
	}
	free(idl);
	return NULL;
}

int idl_parse_file(struct idl *idl, const char *path)
{
	int r;

	idl->source = NULL;
	idl->files = true;
	r = push_file(idl, NULL, path);
	return r || !idl->source ? r : parse_all(idl);
}

int idl_parse_text(struct idl *idl, const char *name, const char *text, size_t length)
{
	int r;

	idl->source = NULL;
	idl->files = false;
	r = push_source(idl, name, text, length);
	return r ? r : parse_all(idl);
}

int idl_parse_signature(struct idl *idl, const char *text, const struct idl_method **ret_method)
{
	struct idl_method *method;
	int r;

	idl->source = NULL;
	idl->files = false;
	method = take(idl, sizeof(*method));
	if (!method)
		return no_memory(idl);
	r = push_source(idl, "METHOD", text, strlen(text));
	if (!r)
		r = advance(idl);
	if (r)
		return r;
	if (idl->token.kind != TOKEN_INTEGER)
		return expected(idl, "the method's number");
	if (idl->token.value > INT32_MAX)
		return fail(idl, &idl->token.at, "the method's number is above %d", INT32_MAX);
	method->number = (uint32_t)idl->token.value;
	r = advance(idl);
	if (!r)
		r = expect(idl, ":");
	if (!r)
		r = parse_method(idl, method);
	if (!r && idl->token.kind != TOKEN_END)
		return expected(idl, "the end of the signature");
	if (r)
		return r;
	*ret_method = method;
	return 0;
}

const char *idl_error(const struct idl *idl)
{
	return idl->error;
}

const struct idl_interface *idl_interfaces(const struct idl *idl)
{
	return idl->interfaces;
}

const char *idl_version(const struct idl *idl)
{
	return idl->version;
}
