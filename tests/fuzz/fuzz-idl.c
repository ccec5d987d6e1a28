/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: the IDL parser. The first byte chooses a file or a signature, the
 * rest is its text. Whatever is accepted must have sizes that hold together.
 */
#include <stdlib.h>
#include <string.h>

#include "idl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool what)
{
	if (!what)
		abort();
}

/* Depth is bounded by the declaration, so this recursion is too. */
static void check_type(const struct idl_type *type, unsigned int level)
{
	require(level <= IDL_MAX_DEPTH + 1);
	require(type->name && type->align && type->align <= 8);
	require(!(type->align & (type->align - 1)));
	switch (type->kind) {
	case IDL_ARRAY:
		require(type->size == (uint64_t)type->count * type->element->size);
		check_type(type->element, level + 1);
		break;
	case IDL_SEQUENCE:
		require(type->element->size != 0 && type->size == 0);
		check_type(type->element, level + 1);
		break;
	case IDL_STRUCT:
		require(type->count && type->size % type->align == 0);
		for (uint32_t i = 0; i < type->count && i < 4; i++) {
			const struct idl_field *field = &type->fields[i];

			require(field->offset % field->type->align == 0);
			require((uint64_t)field->offset + field->type->size <= type->size);
		}
		check_type(type->fields[type->count - 1].type, level + 1);
		break;
	case IDL_STRING:
	case IDL_WSTRING:
	case IDL_DMAHANDLE:
		require(type->size == 0);
		break;
	default:
		require(type->size == 1 || type->size == 2 || type->size == 4 || type->size == 8);
	}
}

static void check_method(const struct idl_method *method)
{
	require(method->name && method->n_params <= IDL_MAX_PARAMS);
	for (uint32_t i = 0; i < method->n_params; i++) {
		require(method->params[i].mode >= QDA_IN && method->params[i].mode <= QDA_INROUT);
		check_type(method->params[i].type, 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct idl_method *method;
	struct idl *idl;
	char *text;

	if (!size)
		return 0;
	idl = idl_new();
	text = malloc(size);
	if (!idl || !text)
		goto out;
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	if (data[0] == 's') {
		if (!idl_parse_signature(idl, text, &method))
			check_method(method);
		else
			require(*idl_error(idl));
	} else if (!idl_parse_text(idl, "fuzz.idl", text, size - 1)) {
		for (const struct idl_interface *i = idl_interfaces(idl); i; i = i->next) {
			for (method = i->methods; method; method = method->next)
				check_method(method);
		}
	} else {
		require(*idl_error(idl));
	}
out:
	free(text);
	idl_free(idl);
	return 0;
}
