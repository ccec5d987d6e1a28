/* SPDX-License-Identifier: MIT */
/* Finds the method that is meant and gives every parameter its value. */
#include <string.h>

#include "common.h"
#include "invoke.h"
#include "tool.h"

static int no_memory(void)
{
	tool_error("out of memory");
	return EXIT_DEVICE;
}

/* "sum, max": what could have been meant. */
static char *list_methods(const struct idl_interface *only, const struct idl_interface *all)
{
	char *list = format_text("%s", "");

	for (const struct idl_interface *i = all; i; i = i->next) {
		for (const struct idl_method *m = i->methods; m && (!only || i == only);
		     m = m->next) {
			char *longer = NULL;

			if (list)
				longer = format_text("%s%s%s::%s", list, *list ? ", " : "", i->name,
						     m->name);
			free(list);
			list = longer;
		}
	}
	return list;
}

static int find_in_idl(struct invoke *invoke, const char *text)
{
	const struct idl_interface *all = idl_interfaces(invoke->idl), *only = NULL;
	_cleanup_free_ char *scope = NULL, *methods = NULL;
	const char *name = text, *colons = strstr(text, "::");
	unsigned int found = 0;

	if (colons) {
		name = colons + 2;
		scope = strndup(text, (size_t)(colons - text));
	} else if (invoke->interface_name) {
		scope = strdup(invoke->interface_name);
	}
	if ((colons || invoke->interface_name) && !scope)
		return no_memory();
	if (colons && invoke->interface_name && strcmp(scope, invoke->interface_name) != 0) {
		tool_error("METHOD says interface %s and --interface says %s", scope,
			   invoke->interface_name);
		return EXIT_USAGE;
	}
	for (const struct idl_interface *i = all; scope && i; i = i->next) {
		if (!strcmp(i->name, scope))
			only = i;
	}
	if (scope && !only) {
		tool_error("%s has no interface '%s'", invoke->idl_path, scope);
		return EXIT_USAGE;
	}
	for (const struct idl_interface *i = all; i; i = i->next) {
		for (const struct idl_method *m = i->methods; m && (!only || i == only);
		     m = m->next) {
			if (strcmp(m->name, name) != 0)
				continue;
			invoke->interface = i;
			invoke->method = m;
			found++;
		}
	}
	if (found == 1)
		return EXIT_OK;
	methods = list_methods(only, all);
	if (!methods)
		return no_memory();
	if (found)
		tool_error("several interfaces of %s have a method '%s'; say which: %s",
			   invoke->idl_path, name, methods);
	else
		tool_error("%s has no method '%s'; it has %s", invoke->idl_path, name,
			   *methods ? methods : "none");
	return EXIT_USAGE;
}

int find_method(struct invoke *invoke)
{
	const char *text = invoke->operands[1];
	int r = 0;

	invoke->idl = idl_new();
	if (!invoke->idl)
		return no_memory();
	if (invoke->idl_path)
		r = idl_parse_file(invoke->idl, invoke->idl_path);
	if (!r && strchr(text, '('))
		r = idl_parse_signature(invoke->idl, text, &invoke->method);
	if (r) {
		tool_error_line(idl_error(invoke->idl));
		return EXIT_USAGE;
	}
	if (invoke->method)
		return EXIT_OK;
	if (!invoke->idl_path) {
		tool_error("METHOD '%s' needs --idl FILE, or is a signature: "
			   "NUMBER:NAME(in long a, rout long b)",
			   text);
		return EXIT_USAGE;
	}
	return find_in_idl(invoke, text);
}

static struct argument *find_argument(struct invoke *invoke, const char *name, size_t length)
{
	for (uint32_t i = 0; i < invoke->method->n_params; i++) {
		struct argument *arg = &invoke->args[i];

		if (strlen(arg->param->name) == length && !memcmp(arg->param->name, name, length))
			return arg;
	}
	return NULL;
}

/* Length of NAME in "NAME=...", 0 if the text does not begin so. */
static size_t name_length(const char *text)
{
	size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
				     "0123456789");

	return text[length] == '=' && (*text < '0' || *text > '9') ? length : 0;
}

static bool takes_value(const struct argument *arg)
{
	return arg->param->mode & QDA_IN;
}

static bool is_string(const struct idl_type *type)
{
	return type->kind == IDL_STRING || type->kind == IDL_WSTRING;
}

static int read_values(struct invoke *invoke)
{
	uint32_t wanted = 0, next = 0, n_params = invoke->method->n_params;

	for (uint32_t i = 0; i < n_params; i++)
		wanted += takes_value(&invoke->args[i]);
	for (size_t i = 2; i < invoke->n_operands; i++) {
		const char *text = invoke->operands[i];
		size_t length = name_length(text);
		struct argument *arg = length ? find_argument(invoke, text, length) : NULL;

		if (arg && !takes_value(arg)) {
			tool_error("parameter %s is rout: it takes no value", arg->param->name);
			return EXIT_USAGE;
		}
		if (arg) {
			text += length + 1;
		} else {
			while (next < n_params &&
			       (!takes_value(&invoke->args[next]) || invoke->args[next].given))
				next++;
			arg = next < n_params ? &invoke->args[next] : NULL;
			if (length && (!arg || !is_string(arg->param->type))) {
				tool_error("%s has no parameter '%.*s'", invoke->method->name,
					   (int)length, text);
				return EXIT_USAGE;
			}
		}
		if (!arg) {
			tool_error("too many values: %s takes %u, %zu are given",
				   invoke->method->name, wanted, invoke->n_operands - 2);
			return EXIT_USAGE;
		}
		if (arg->given) {
			tool_error("parameter %s has two values", arg->param->name);
			return EXIT_USAGE;
		}
		if (value_parse(arg->param, text, &arg->value))
			return EXIT_USAGE;
		arg->given = true;
	}
	for (uint32_t i = 0; i < n_params; i++) {
		const struct argument *arg = &invoke->args[i];

		if (!takes_value(arg) || arg->given)
			continue;
		tool_error("too few values: %s (%s) is missing; %s takes %u, %zu are given",
			   arg->param->name, arg->param->type->name, invoke->method->name, wanted,
			   invoke->n_operands - 2);
		return EXIT_USAGE;
	}
	return EXIT_OK;
}

/* COUNT of --room: a number, or @PARAMETER for as many as that one has. */
static int read_room(struct invoke *invoke, const char *text, uint64_t *ret_count)
{
	const struct argument *other;

	if (*text == '@') {
		other = find_argument(invoke, text + 1, strlen(text + 1));
		if (!other || !takes_value(other)) {
			tool_error("--room: %s has no in parameter '%s'", invoke->method->name,
				   text + 1);
			return EXIT_USAGE;
		}
		*ret_count = other->value.count;
		return EXIT_OK;
	}
	if (parse_size(text, UINT32_MAX, ret_count)) {
		tool_error("--room: '%s' is not a count up to %u", text, UINT32_MAX);
		return EXIT_USAGE;
	}
	return EXIT_OK;
}

static int set_room(struct invoke *invoke, struct argument *arg, uint64_t count)
{
	const struct idl_type *type = arg->param->type;
	struct value room;

	if (type->size || !(arg->param->mode & QDA_ROUT) ||
	    (takes_value(arg) && !is_string(type))) {
		tool_error("--room: the size of parameter %s is known", arg->param->name);
		return EXIT_USAGE;
	}
	if (takes_value(arg) && count < arg->value.count) {
		tool_error("--room: %s needs room for the %zu characters it is given",
			   arg->param->name, arg->value.count);
		return EXIT_USAGE;
	}
	if (value_make_room(type, count, &room))
		return no_memory();
	if (arg->value.size)
		memcpy(room.data, arg->value.data, arg->value.size);
	value_free(&arg->value);
	arg->value = room;
	return EXIT_OK;
}

static int apply_settings(struct invoke *invoke)
{
	for (size_t i = 0; i < invoke->n_settings; i++) {
		const struct setting *setting = &invoke->settings[i];
		bool is_buffer = !strcmp(setting->option, "buffer");
		size_t length = is_buffer ? strlen(setting->text) : name_length(setting->text);
		const char *value = setting->text + length + 1;
		struct argument *arg;
		uint64_t count;
		int r;

		if (!length) {
			tool_error("--%s: '%s' is not of the form NAME=%s", setting->option,
				   setting->text, *setting->option == 'r' ? "COUNT" : "FILE");
			return EXIT_USAGE;
		}
		arg = find_argument(invoke, setting->text, length);
		if (!arg) {
			tool_error("--%s: %s has no parameter '%.*s'", setting->option,
				   invoke->method->name, (int)length, setting->text);
			return EXIT_USAGE;
		}
		if (is_buffer) {
			if (arg->param->type->kind != IDL_SEQUENCE) {
				tool_error("--buffer: parameter %s is not a sequence",
					   arg->param->name);
				return EXIT_USAGE;
			}
			arg->in_buffer = true;
		} else if (!strcmp(setting->option, "out")) {
			if (!(arg->param->mode & QDA_ROUT) || !*value) {
				tool_error("--out: %s %s", arg->param->name,
					   *value ? "is not a rout parameter" : "needs a file");
				return EXIT_USAGE;
			}
			arg->out_path = value;
		} else {
			r = read_room(invoke, value, &count);
			if (!r)
				r = set_room(invoke, arg, count);
			if (r)
				return r;
			arg->given = true;
		}
	}
	return EXIT_OK;
}

/* A method with one list in usually gives lists of the same length out. */
static int make_default_rooms(struct invoke *invoke)
{
	const struct argument *only = NULL;
	unsigned int n = 0;

	for (uint32_t i = 0; i < invoke->method->n_params; i++) {
		const struct argument *arg = &invoke->args[i];

		if (takes_value(arg) && arg->param->type->kind == IDL_SEQUENCE) {
			only = arg;
			n++;
		}
	}
	for (uint32_t i = 0; i < invoke->method->n_params; i++) {
		struct argument *arg = &invoke->args[i];
		const struct idl_type *type = arg->param->type;

		if (arg->given)
			continue;
		if (!type->size && (n != 1 || type->kind != IDL_SEQUENCE)) {
			tool_error("parameter %s (%s) needs room: say --room %s=COUNT%s",
				   arg->param->name, type->name, arg->param->name,
				   n ? " or --room NAME=@PARAMETER" : "");
			return EXIT_USAGE;
		}
		if (value_make_room(type, only ? only->value.count : 1, &arg->value))
			return no_memory();
	}
	return EXIT_OK;
}

static enum qda_kind param_kind(const struct idl_type *type)
{
	switch (type->kind) {
	case IDL_SEQUENCE:
		return QDA_KIND_SEQUENCE;
	case IDL_STRING:
		return QDA_KIND_STRING;
	case IDL_WSTRING:
		return QDA_KIND_WSTRING;
	case IDL_DMAHANDLE:
		return QDA_KIND_DMAHANDLE;
	default:
		return QDA_KIND_FIXED;
	}
}

int read_arguments(struct invoke *invoke)
{
	uint32_t n = invoke->method->n_params;
	int r;

	invoke->args = calloc(MAX(n, 1U), sizeof(*invoke->args));
	invoke->params = calloc(MAX(n, 1U), sizeof(*invoke->params));
	invoke->values = calloc(MAX(n, 1U), sizeof(*invoke->values));
	if (!invoke->args || !invoke->params || !invoke->values)
		return no_memory();
	for (uint32_t i = 0; i < n; i++) {
		const struct idl_param *param = &invoke->method->params[i];
		const struct idl_type *type = param->type;

		invoke->args[i].param = param;
		invoke->params[i] = (struct qda_param){
			.name = param->name,
			.mode = (uint8_t)param->mode,
			.kind = (uint8_t)param_kind(type),
			.align = (uint16_t)type->align,
			.size = (uint32_t)value_unit(type),
		};
	}
	r = read_values(invoke);
	if (!r)
		r = apply_settings(invoke);
	if (!r)
		r = make_default_rooms(invoke);
	return r;
}

void describe_arguments(struct invoke *invoke)
{
	for (uint32_t i = 0; i < invoke->method->n_params; i++) {
		const struct argument *arg = &invoke->args[i];
		bool is_range = arg->param->type->kind == IDL_SEQUENCE ||
				arg->param->type->kind == IDL_DMAHANDLE;

		invoke->values[i] = (struct qda_value){
			.data = arg->live,
			.count = arg->value.count,
			.buffer = is_range ? arg->buffer : NULL,
		};
	}
}
