/* SPDX-License-Identifier: MIT */
/* What qda-invoke prints: results, times, and calls that were not made. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common.h"
#include "file.h"
#include "invoke.h"
#include "tool.h"

/* Elements of a sequence that a terminal shows. */
#define TERMINAL_ELEMENTS 32

static const char *const directions[] = {"in buffer", "out buffer", "in handle", "out handle"};

/* 0 in buffer, 1 out buffer, 2 in handle, 3 out handle. */
static unsigned int direction(uint32_t sc, uint32_t index)
{
	uint32_t in = sc >> 16 & 0xff, out = sc >> 8 & 0xff, handles = sc >> 4 & 0xf;

	return index < in ? 0 : index < in + out ? 1 : index < in + out + handles ? 2 : 3;
}

/* The @index-th dmahandle with @mode: a call without a device has no buffers for them. */
static const struct argument *handle_argument(const struct invoke *invoke, unsigned int mode,
					      uint32_t index)
{
	for (uint32_t i = 0; i < invoke->method->n_params; i++) {
		const struct argument *arg = &invoke->args[i];

		if (arg->param->type->kind == IDL_DMAHANDLE && arg->param->mode == mode && !index--)
			return arg;
	}
	return NULL;
}

static void dump(const uint8_t *data, size_t size)
{
	for (size_t line = 0; line < size; line += 16) {
		size_t n = MIN(size - line, 16U);

		printf("  %08zx ", line);
		for (size_t i = 0; i < 16; i++) {
			printf(i == 8 ? " " : "");
			if (i < n)
				printf(" %02x", data[line + i]);
			else
				printf("   ");
		}
		printf("  |");
		for (size_t i = 0; i < n; i++)
			putchar(data[line + i] >= ' ' && data[line + i] <= '~' ? data[line + i]
									       : '.');
		printf("|\n");
	}
}

static void dump_json(struct json *json, const uint8_t *data, size_t size)
{
	_cleanup_free_ char *hex = malloc(2 * size + 1);

	if (!hex) {
		json_text(json, "bytes", NULL);
		return;
	}
	hex[0] = '\0';
	for (size_t i = 0; i < size; i++)
		sprintf(hex + 2 * i, "%02x", data[i]);
	json_text(json, "bytes", hex);
}

static void print_packed(const struct invoke *invoke, const struct qda_packed *packed)
{
	uint32_t sc = qda_packed_scalars(packed), n = QDA_SCALARS_LENGTH(sc);
	uint32_t handles[4] = {0};
	struct json json = {.file = stdout};
	char scalars[16];

	snprintf(scalars, sizeof(scalars), "0x%08" PRIx32, sc);
	if (invoke->json) {
		json_open(&json, NULL, '{');
		json_text(&json, "method", invoke->method->name);
		json_unsigned(&json, "number", invoke->method->number);
		json_text(&json, "scalars", scalars);
		json_open(&json, "args", '[');
	} else {
		printf("method %s%s%s, number %" PRIu32 "\n",
		       invoke->interface ? invoke->interface->name : "",
		       invoke->interface ? "::" : "", invoke->method->name, invoke->method->number);
		printf("scalars %s: method %" PRIu32 ", in buffers %" PRIu32
		       ", out buffers %" PRIu32 ", in handles %" PRIu32 ", out handles %" PRIu32
		       "\n",
		       scalars, sc >> 24 & 0x1f, sc >> 16 & 0xff, sc >> 8 & 0xff, sc >> 4 & 0xf,
		       sc & 0xf);
	}
	for (uint32_t i = 0; i < n; i++) {
		unsigned int which = direction(sc, i);
		const struct qda_arg *packed_arg = &qda_packed_args(packed)[i];
		const struct argument *arg = NULL;
		const uint8_t *data = packed_arg->ptr;
		size_t length = packed_arg->length;

		if (which >= 2) {
			arg = handle_argument(invoke, which == 2 ? QDA_IN : QDA_ROUT,
					      handles[which]++);
			data = arg ? arg->value.data : NULL;
			length = arg ? arg->value.size : 0;
		}
		if (invoke->json) {
			json_open(&json, NULL, '{');
			json_text(&json, "direction", directions[which]);
			json_unsigned(&json, "length", length);
			if (!(which & 1))
				dump_json(&json, data, length);
			json_close(&json, '}');
			continue;
		}
		printf("argument %" PRIu32 ": %s, %zu bytes\n", i, directions[which], length);
		if (!(which & 1))
			dump(data, length);
	}
	if (invoke->json) {
		json_close(&json, ']');
		json_close(&json, '}');
		putchar('\n');
	}
}

int dry_run(struct invoke *invoke)
{
	const struct qda_method method = {
		.name = invoke->method->name,
		.number = invoke->method->number,
		.n_params = invoke->method->n_params,
		.params = invoke->params,
	};
	struct qda_packed *packed;
	int r;

	for (uint32_t i = 0; i < method.n_params; i++)
		invoke->args[i].live = invoke->args[i].value.data;
	describe_arguments(invoke);
	for (uint32_t i = 0; i < method.n_params; i++) {
		if (invoke->params[i].kind == QDA_KIND_DMAHANDLE)
			invoke->values[i].count = 0;
	}
	r = qda_pack(&method, invoke->values, NULL, &packed);
	if (r) {
		tool_error("cannot pack the arguments of %s: %s", method.name, qda_strerror(r));
		return EXIT_USAGE;
	}
	print_packed(invoke, packed);
	qda_packed_free(packed);
	return EXIT_OK;
}

/* Bytes of a string up to its end, of everything else all. */
static size_t out_size(const struct argument *arg)
{
	if (arg->param->type->kind == IDL_STRING)
		return strnlen((const char *)arg->live, arg->value.size);
	return arg->value.size;
}

static int file_error(const char *path, int r)
{
	tool_error("cannot write %s: %s", path, strerror(-r));
	return EXIT_DEVICE;
}

/* Before the call, which may take long and cannot always be made twice. */
int check_files(const struct invoke *invoke)
{
	for (uint32_t i = 0; i < invoke->method->n_params; i++) {
		const char *path = invoke->args[i].out_path;
		int r = path ? check_writable(path) : 0;

		if (r)
			return file_error(path, r);
	}
	return EXIT_OK;
}

static int write_results(const struct invoke *invoke)
{
	_cleanup_free_ struct out_file *files = calloc(invoke->method->n_params, sizeof(*files));
	size_t n = 0, failed = 0;
	int r;

	for (uint32_t i = 0; files && i < invoke->method->n_params; i++) {
		const struct argument *arg = &invoke->args[i];

		if (arg->out_path)
			files[n++] = (struct out_file){
				.path = arg->out_path,
				.data = arg->live,
				.size = out_size(arg),
			};
	}
	r = n ? write_files(files, n, &failed) : 0;
	return r ? file_error(files[failed].path, r) : EXIT_OK;
}

static double quantile(const struct invoke *invoke, uint32_t percent)
{
	/* The smallest time that so many percent of the calls did not exceed. */
	uint64_t rank = ((uint64_t)invoke->repeat * percent + 99) / 100;

	return (double)invoke->times[rank ? rank - 1 : 0] / 1000;
}

static void print_json(const struct invoke *invoke)
{
	struct json json = {.file = stdout};

	json_open(&json, NULL, '{');
	json_text(&json, "device", invoke->device_name);
	json_text(&json, "module", qda_module_uri(invoke->module));
	json_text(&json, "method", invoke->method->name);
	json_unsigned(&json, "status", 0);
	json_open(&json, "result", '{');
	for (uint32_t i = 0; i < invoke->method->n_params; i++) {
		const struct argument *arg = &invoke->args[i];

		if (!(arg->param->mode & QDA_ROUT))
			continue;
		if (!arg->out_path) {
			value_print_json(&json, arg->param->name, arg->param->type, arg->live,
					 arg->value.count);
			continue;
		}
		json_open(&json, arg->param->name, '{');
		json_text(&json, "file", arg->out_path);
		json_unsigned(&json, "bytes", out_size(arg));
		json_close(&json, '}');
	}
	json_close(&json, '}');
	if (invoke->repeat_given) {
		json_open(&json, "time_us", '{');
		json_unsigned(&json, "calls", invoke->repeat);
		json_float(&json, "min", quantile(invoke, 0), 9);
		json_float(&json, "median", quantile(invoke, 50), 9);
		json_float(&json, "p99", quantile(invoke, 99), 9);
		json_close(&json, '}');
	}
	json_close(&json, '}');
	putchar('\n');
}

static void print_text(const struct invoke *invoke)
{
	size_t max = isatty(STDOUT_FILENO) && !invoke->full ? TERMINAL_ELEMENTS : SIZE_MAX;

	for (uint32_t i = 0; i < invoke->method->n_params; i++) {
		const struct argument *arg = &invoke->args[i];

		if (!(arg->param->mode & QDA_ROUT))
			continue;
		printf("%s = ", arg->param->name);
		if (arg->out_path)
			printf("%zu bytes in %s", out_size(arg), arg->out_path);
		else
			value_print(stdout, arg->param->type, arg->live, arg->value.count, max);
		putchar('\n');
	}
	if (invoke->repeat_given)
		printf("%" PRIu32 " calls: min %.3f us, median %.3f us, p99 %.3f us\n",
		       invoke->repeat, quantile(invoke, 0), quantile(invoke, 50),
		       quantile(invoke, 99));
}

int print_results(struct invoke *invoke)
{
	int r = write_results(invoke);

	if (r || invoke->quiet)
		return r;
	if (invoke->json)
		print_json(invoke);
	else
		print_text(invoke);
	return EXIT_OK;
}
