/* SPDX-License-Identifier: MIT */
/* Parser for the part of QAIC's interface language that fits calls of flat types. */
#ifndef IDL_H
#define IDL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <qda.h>

/* Arrays in structs in arrays ...: bounds the recursion of everything that walks a type. */
#define IDL_MAX_DEPTH 32
#define IDL_MAX_PARAMS 255

/* Holds every value of every integer type. */
typedef __int128 idl_int;

enum idl_kind {
	IDL_INTEGER,
	IDL_FLOAT,
	IDL_BOOLEAN,
	IDL_CHAR, /* char and wchar: integers that may be written as 'x' */
	IDL_ENUM,
	IDL_STRUCT,
	IDL_ARRAY,
	IDL_SEQUENCE,
	IDL_STRING,
	IDL_WSTRING,
	IDL_DMAHANDLE,
};

struct idl_field {
	const char *name;
	const struct idl_type *type;
	uint32_t offset;
};

struct idl_type {
	enum idl_kind kind;
	const char *name; /* as messages print it: "sequence<long>" */
	uint32_t size;    /* bytes of a value; 0 for sequences, strings and dmahandle */
	uint32_t align;
	bool is_signed;
	uint32_t depth; /* levels of structs and arrays below, at most IDL_MAX_DEPTH */
	const struct idl_type *element; /* ARRAY and SEQUENCE */
	uint32_t count;                 /* elements of ARRAY, fields of STRUCT, members of ENUM */
	const struct idl_field *fields;
	const char *const *members;
};

struct idl_param {
	const char *name;
	enum qda_mode mode;
	const struct idl_type *type;
};

struct idl_method {
	const char *name;
	uint32_t number;
	uint32_t n_params;
	const struct idl_param *params;
	struct idl_method *next;
};

struct idl_interface {
	const char *name;
	bool has_handle; /* derives from remote_handle64 */
	uint32_t n_methods;
	struct idl_method *methods;
	struct idl_interface *next;
};

struct idl;

/* Return: NULL without memory. */
struct idl *idl_new(void);
struct idl *idl_free(struct idl *idl);

/*
 * Add what a file declares. Files it includes are looked up next to it;
 * AEEStdDef.idl and remote.idl are built in.
 *
 * Return: 0, or a negative errno after which idl_error() says what is wrong.
 */
int idl_parse_file(struct idl *idl, const char *path);

/* Add what @text declares. It can include the built-in files only. */
int idl_parse_text(struct idl *idl, const char *name, const char *text, size_t length);

/* Parse "NUMBER:NAME(params)"; types may be names that were declared before. */
int idl_parse_signature(struct idl *idl, const char *text, const struct idl_method **ret_method);

/* "file:line:column: message" of the failure; valid until idl_free(). */
const char *idl_error(const struct idl *idl);

/* All interfaces, in the order of declaration. */
const struct idl_interface *idl_interfaces(const struct idl *idl);

/* The constant IDL_VERSION, or NULL. */
const char *idl_version(const struct idl *idl);

/* Smallest and largest value of an integer, char or boolean type. */
void idl_integer_range(const struct idl_type *type, idl_int *ret_min, idl_int *ret_max);

#endif
