/* SPDX-License-Identifier: MIT */
/* qda-invoke: calls a method of a DSP module with values from the command line. */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common.h"
#include "dsp.h"
#include "invoke.h"
#include "log.h"
#include "tool.h"

/* Above this size a copy costs more than a shared buffer. */
#define BUFFER_MIN 65536U
#define MAX_REPEAT 10000000U
#define BAR_WIDTH 40U

enum {
	OPTION_IDL = 256,
	OPTION_INTERFACE,
	OPTION_ROOM,
	OPTION_OUT,
	OPTION_BUFFER,
	OPTION_TIMEOUT,
	OPTION_REPEAT,
	OPTION_DRY_RUN,
	OPTION_SIGNED,
	OPTION_ATTRS,
	OPTION_SHELL,
	OPTION_JSON,
	OPTION_FULL,
	OPTION_VERSION,
};

static const struct option_row rows[] = {
	{'d', "device", "NAME",
	 "DSP: cdsp, /dev/accel/accel0, soft:cdsp, ...\n"
	 "(default: $QDA_DEVICE, else cdsp)"},
	{OPTION_IDL, "idl", "FILE", "interface that METHOD is a name of"},
	{OPTION_INTERFACE, "interface", "NAME", "interface to look in, if FILE has several"},
	{'L', "search-path", "DIRS", "directories of modules and shells, separated by ';'"},
	{OPTION_ROOM, "room", "NAME=COUNT",
	 "elements that rout parameter NAME has room for;\n"
	 "@PARAMETER for as many as that one has"},
	{OPTION_OUT, "out", "NAME=FILE", "write the bytes of rout parameter NAME to FILE"},
	{OPTION_BUFFER, "buffer", "NAME",
	 "pass sequence NAME in a shared buffer, without a copy\n"
	 "(from 64 KiB up this is done anyway)"},
	{OPTION_TIMEOUT, "timeout", "MS", "give up a call or loading after MS milliseconds"},
	{OPTION_REPEAT, "repeat", "N", "call N times and print min, median and p99"},
	{OPTION_DRY_RUN, "dry-run", NULL, "print the packed arguments, call nothing"},
	{OPTION_SIGNED, "signed", NULL, "create a signed process on the DSP"},
	{OPTION_ATTRS, "attrs", "BITS", "more attributes of the process"},
	{OPTION_SHELL, "shell", "FILE", "shell of the process instead of a search for it"},
	{OPTION_JSON, "json", NULL, "print one JSON object"},
	{OPTION_FULL, "full", NULL, "print long lists in full on a terminal too"},
	{'q', "quiet", NULL, "print no results and no progress"},
	{'v', "verbose", NULL, "print the library's log to stderr; twice for more"},
	{'h', "help", NULL, "print this help"},
	{OPTION_VERSION, "version", NULL, "print the version"},
	{0},
};

static void print_help(void)
{
	puts("Usage: qda-invoke [OPTIONS] MODULE METHOD [VALUE...]\n"
	     "Call a method of a DSP module.\n"
	     "\n"
	     "MODULE  libNAME_skel.so on the search path, a path to one, or a file:///... URI\n"
	     "METHOD  a name in --idl FILE, also INTERFACE::NAME, or a signature:\n"
	     "        '2:sum(in sequence<long> vec, rout long long res)'\n"
	     "VALUE   one for every in and inrout parameter, in order, or NAME=VALUE:\n"
	     "        12 -3 0xff 1.5 true RED, text, 1,2,3 or [1,2,3], {1,2} or {x=1,y=2},\n"
	     "        @FILE for its bytes, %FILE for the numbers it lists, - for stdin\n");
	options_help(rows);
	puts("\n"
	     "Exit status: 0 called; 1 the method returned an error; 2 usage, IDL or value;\n"
	     "3 DSP, session or module, or output that cannot be written; 4 timed out;\n"
	     "5 the DSP's process ended; 130 interrupted.");
}

/* What an error line, and with --json an object on stdout, tell. */
struct failure {
	int exit_status;
	const char *what; /* it is about */
	int error;
	uint32_t status; /* the DSP's, or 0 */
	const char *text, *detail, *hint;
};

static int report(const struct invoke *invoke, const struct failure *failure)
{
	const char *name = failure->status ? qda_status_name(failure->status) : NULL;
	const char *detail = failure->detail && *failure->detail ? failure->detail : NULL;
	const char *hint = failure->hint;
	_cleanup_free_ char *code = NULL, *line = NULL;
	struct json json = {.file = stdout};

	if (failure->status)
		code = format_text(" (%s%s0x%" PRIx32 ")", name ? name : "status",
				   name ? ", " : " ", failure->status);
	line = format_text("%s: %s%s%s%s%s%s", failure->what, failure->text, detail ? ": " : "",
			   detail ? detail : "", code ? code : "", hint ? "; " : "",
			   hint ? hint : "");
	tool_error_line(line ? line : "out of memory");
	if (!invoke->json || invoke->quiet)
		return failure->exit_status;
	json_open(&json, NULL, '{');
	json_text(&json, "device", invoke->device_name);
	json_text(&json, "method", invoke->method->name);
	if (failure->status)
		json_unsigned(&json, "status", failure->status);
	json_open(&json, "error", '{');
	json_signed(&json, "exit", failure->exit_status);
	json_signed(&json, "errno", -failure->error);
	json_text(&json, "name", name);
	json_text(&json, "message", line);
	json_text(&json, "detail", detail);
	json_text(&json, "hint", hint);
	json_close(&json, '}');
	json_close(&json, '}');
	putchar('\n');
	return failure->exit_status;
}

static struct failure failure_of(const char *what, int r)
{
	return (struct failure){
		.exit_status = r == -EINTR ? EXIT_INTERRUPTED : EXIT_DEVICE,
		.what = what,
		.error = r,
		.text = qda_strerror(r),
		.hint = error_hint(r),
	};
}

static int device_error(const struct invoke *invoke, const char *what, int r)
{
	const struct failure failure = failure_of(what, r);

	return report(invoke, &failure);
}

static int open_error(const struct invoke *invoke, int r)
{
	struct failure failure = failure_of(invoke->device_name, r);

	if (r == -EINVAL) {
		failure.text = "not the name of a device";
		failure.hint = "it is " DEVICE_NAMES;
	} else if (r == -ENODEV && *invoke->device_name == '/') {
		failure.text = "not a node of the driver qda";
		failure.hint = "qda-info lists them";
	} else if (r == -ENODEV) {
		failure.text = "no such DSP";
	} else if (r == -ENOENT) {
		failure.hint = "qda-info lists the DSPs";
	}
	return report(invoke, &failure);
}

static int session_error(const struct invoke *invoke, int r)
{
	struct failure failure = failure_of(invoke->device_name, r);
	_cleanup_free_ char *cause = log_cause(), *program = NULL;

	bool soft = !strcmp(qda_device_transport(invoke->device), "soft");

	if (cause && *cause)
		failure.text = cause;
	if (r == -ENOENT || (soft && r == -EACCES))
		failure.hint = soft ? "install qda-softdsp, or name it in QDA_SOFTDSP"
				    : "install the DSP's files, or name the directory that has the "
				      "shell in DSP_LIBRARY_PATH or with -L";
	if (r == -ENOEXEC) {
		program = format_text("%s is not qda-softdsp", qda_device_node(invoke->device));
		failure.text = program ? program : failure.text;
	}
	return report(invoke, &failure);
}

/* Where a library was looked for, and what to do; NULL without memory. */
static char *search_hint(const struct invoke *invoke, const char *hint)
{
	_cleanup_free_ char *dirs = strdup(qda_get_search_path(invoke->qda)), *list = NULL;
	char *rest = dirs;

	for (const char *dir; (dir = strsep(&rest, ";"));) {
		char *longer;

		if (!*dir)
			continue;
		longer = format_text("%s%s%s", list ? list : "", list ? ", " : "", dir);
		free(list);
		list = longer;
	}
	return format_text("searched: %s%sthe built-in directories; %s", list ? list : "",
			   list ? ", " : "", hint);
}

/* The DSP could not load the module, and may have said why. */
static int load_error(const struct invoke *invoke, const char *name, uint32_t status,
		      const char *dlerror)
{
	struct failure failure = failure_of(name, -EREMOTEIO);
	const char *symbol = qda_status_name(status);
	_cleanup_free_ char *hint = NULL;
	size_t length = strlen(name);

	/* It often begins with the name. */
	if (!strncmp(dlerror, name, length) && !strncmp(dlerror + length, ": ", 2))
		dlerror += length + 2;
	failure.status = status;
	failure.text = *dlerror ? dlerror : qda_status_text(status);
	failure.hint = qda_status_hint(status);
	if (symbol && (!strcmp(symbol, "AEE_ENOSUCHFILE") || !strcmp(symbol, "AEE_ENOSUCHMOD")))
		hint = search_hint(invoke, "set DSP_LIBRARY_PATH or -L");
	else if (symbol && !strcmp(symbol, "AEE_EUNABLETOLOAD"))
		hint = search_hint(invoke, failure.hint);
	if (hint)
		failure.hint = hint;
	return report(invoke, &failure);
}

/* What a call returned, or anything but a refusal when a module was opened. */
static int call_error(const struct invoke *invoke, const char *what, int r, uint32_t status)
{
	struct failure failure = failure_of(what, r);

	switch (r) {
	case -EREMOTEIO:
		failure.exit_status = EXIT_METHOD;
		failure.status = status;
		failure.text = qda_status_text(status);
		failure.hint = qda_status_hint(status);
		return report(invoke, &failure);
	case -ETIMEDOUT:
		failure.exit_status = EXIT_TIMEOUT;
		return report(invoke, &failure);
	case -ECONNRESET:
	case -EPIPE:
	case -ENODEV:
		failure.exit_status = EXIT_CRASH;
		break;
	case -EINVAL:
	case -E2BIG:
		failure.exit_status = EXIT_USAGE;
		break;
	}
	failure.detail = qda_session_end_reason(invoke->session);
	return report(invoke, &failure);
}

/* ---- module and session ------------------------------------------------- */

/* DIR/LIB: DIR goes in front of the search path. Points *name at LIB. */
static int use_directory(struct invoke *invoke, const char **name)
{
	const char *path = *name, *slash = strrchr(path, '/'), *rest;
	_cleanup_free_ char *directory = NULL, *absolute = NULL, *full = NULL;
	int r;

	*name = slash + 1;
	if (access(path, R_OK) == -1) {
		tool_error("%s: %s", path, strerror(errno));
		return EXIT_DEVICE;
	}
	directory = slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
	absolute = directory ? realpath(directory, NULL) : NULL;
	if (!absolute) {
		tool_error("%s: %s", path, strerror(errno));
		return EXIT_DEVICE;
	}
	if (strchr(absolute, ';')) {
		tool_error("%s: a directory with ';' cannot be on the search path", absolute);
		return EXIT_USAGE;
	}
	rest = qda_get_search_path(invoke->qda);
	full = format_text("%s%s%s", absolute, *rest ? ";" : "", rest);
	r = full ? qda_set_search_path(invoke->qda, full) : -ENOMEM;
	return r ? device_error(invoke, "search path", r) : EXIT_OK;
}

static bool is_uri(const char *name)
{
	return !strncmp(name, "file:", 5);
}

/* With an interface known, the symbol and the version do not have to be guessed. */
static char *module_name(const struct invoke *invoke, const char *name)
{
	const char *version = idl_version(invoke->idl);

	if (is_uri(name) || !invoke->interface || strpbrk(name, "?&"))
		return strdup(name);
	return format_text("file:///%s?%s_skel_%sinvoke&_modver=1.0%s%s&_dom=%s", name,
			   invoke->interface->name, invoke->interface->has_handle ? "handle_" : "",
			   version ? "&_idlver=" : "", version ? version : "",
			   qda_device_dsp(invoke->device));
}

static int open_module(struct invoke *invoke)
{
	const struct qda_session_params params = {
		.size = sizeof(params),
		/* Nothing here handles a signal: one that comes ends a call that hangs. */
		.flags = invoke->session_flags | QDA_SESSION_INTERRUPTIBLE,
		.attrs = invoke->attrs,
		.shell = invoke->shell,
		.timeout_ms = MAX(invoke->timeout_ms, 0),
	};
	const char *name = invoke->operands[0];
	_cleanup_free_ char *uri = NULL;
	char dlerror[512] = "";
	uint32_t status = 0;
	int r;

	r = qda_new(&invoke->qda);
	if (r)
		return device_error(invoke, "qda_new", r);
	log_init(invoke->qda, invoke->verbosity);
	if (invoke->search_path)
		r = qda_set_search_path(invoke->qda, invoke->search_path);
	if (r)
		return device_error(invoke, "search path", r);
	if (!is_uri(name) && strchr(name, '/')) {
		r = use_directory(invoke, &name);
		if (r)
			return r;
	}
	r = qda_device_open(invoke->qda, invoke->device_name, &invoke->device);
	if (r)
		return open_error(invoke, r);
	r = qda_session_create(invoke->device, &params, &invoke->session);
	if (r)
		return session_error(invoke, r);
	uri = module_name(invoke, name);
	if (!uri)
		return device_error(invoke, name, -ENOMEM);
	r = qda_module_open(invoke->session, uri, &status, dlerror, sizeof(dlerror),
			    &invoke->module);
	if (r == -EREMOTEIO)
		return load_error(invoke, name, status, dlerror);
	return r ? call_error(invoke, name, r, 0) : EXIT_OK;
}

/* ---- the call ----------------------------------------------------------- */

/* Memory that the call works in: apart from the value for inrout, which is kept. */
static int place_argument(struct invoke *invoke, struct argument *arg)
{
	bool is_handle = arg->param->type->kind == IDL_DMAHANDLE;
	bool is_sequence = arg->param->type->kind == IDL_SEQUENCE;
	size_t size = arg->value.size;
	int r;

	if (size && (is_handle || (is_sequence && (arg->in_buffer || size >= BUFFER_MIN)))) {
		r = qda_buffer_alloc(invoke->session, size, &arg->buffer);
		if (r)
			return device_error(invoke, arg->param->name, r);
		arg->live = qda_buffer_data(arg->buffer);
		memcpy(arg->live, arg->value.data, size);
	} else if (arg->param->mode == QDA_INROUT) {
		arg->live = malloc(MAX(size, 1U));
		if (!arg->live)
			return device_error(invoke, arg->param->name, -ENOMEM);
		arg->live_owned = true;
	} else {
		arg->live = arg->value.data;
	}
	return EXIT_OK;
}

static void progress(uint32_t done, uint32_t total)
{
	uint32_t filled = (uint32_t)((uint64_t)done * BAR_WIDTH / total);

	fprintf(stderr, "\r[%.*s%*s] %3u %%", (int)filled,
		"########################################", (int)(BAR_WIDTH - filled), "",
		(unsigned int)((uint64_t)done * 100 / total));
	if (done == total)
		fputs("\r\033[K", stderr);
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000U + (uint64_t)time.tv_nsec;
}

static int compare_times(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int call(struct invoke *invoke)
{
	const struct qda_method method = {
		.name = invoke->method->name,
		.number = invoke->method->number,
		.n_params = invoke->method->n_params,
		.params = invoke->params,
	};
	bool bar = invoke->repeat > 1 && !invoke->quiet && isatty(STDERR_FILENO);
	uint64_t start, shown = 0;
	uint32_t status = 0;
	int r;

	invoke->times = calloc(invoke->repeat, sizeof(*invoke->times));
	if (!invoke->times)
		return device_error(invoke, method.name, -ENOMEM);
	for (uint32_t i = 0; i < method.n_params; i++) {
		r = place_argument(invoke, &invoke->args[i]);
		if (r)
			return r;
	}
	describe_arguments(invoke);
	for (uint32_t i = 0; i < invoke->repeat; i++) {
		/* Every call gets what was given, not what the call before made of it. */
		for (uint32_t j = 0; j < method.n_params; j++) {
			struct argument *arg = &invoke->args[j];

			if (arg->param->mode == QDA_INROUT && arg->value.size)
				memcpy(arg->live, arg->value.data, arg->value.size);
		}
		start = now();
		r = qda_call(invoke->module, &method, invoke->values, NULL, invoke->timeout_ms,
			     &status);
		invoke->times[i] = now() - start;
		if (bar && (r || i + 1 == invoke->repeat || start - shown > 50000000)) {
			progress(r ? invoke->repeat : i + 1, invoke->repeat);
			shown = start;
		}
		if (r)
			return call_error(invoke, method.name, r, status);
	}
	qsort(invoke->times, invoke->repeat, sizeof(*invoke->times), compare_times);
	return EXIT_OK;
}

static int run(struct invoke *invoke)
{
	int r;

	r = find_method(invoke);
	if (!r)
		r = read_arguments(invoke);
	if (r)
		return r;
	if (invoke->dry_run)
		return dry_run(invoke);
	r = check_files(invoke);
	if (!r)
		r = open_module(invoke);
	if (!r)
		r = call(invoke);
	if (!r)
		r = print_results(invoke);
	return r;
}

static void finish(struct invoke *invoke)
{
	for (uint32_t i = 0; invoke->args && i < invoke->method->n_params; i++) {
		struct argument *arg = &invoke->args[i];

		if (arg->live_owned)
			free(arg->live);
		qda_buffer_free(arg->buffer);
		value_free(&arg->value);
	}
	qda_module_close(invoke->module);
	qda_session_close(invoke->session);
	qda_device_unref(invoke->device);
	qda_unref(invoke->qda);
	idl_free(invoke->idl);
	free(invoke->args);
	free(invoke->params);
	free(invoke->values);
	free(invoke->times);
	free(invoke->settings);
	free(invoke->operands);
}

/* ---- options ------------------------------------------------------------ */

static int number_option(const char *name, const char *text, uint64_t min, uint64_t max,
			 uint64_t *ret_value)
{
	if (!parse_size(text, max, ret_value) && *ret_value >= min)
		return EXIT_OK;
	tool_error("--%s: '%s' is not a number from %" PRIu64 " to %" PRIu64, name, text, min, max);
	return EXIT_USAGE;
}

static int set_option(struct invoke *invoke, int id)
{
	uint64_t value = 0;
	int r = EXIT_OK;

	switch (id) {
	case 'd':
		invoke->device_name = optarg;
		break;
	case OPTION_IDL:
		invoke->idl_path = optarg;
		break;
	case OPTION_INTERFACE:
		invoke->interface_name = optarg;
		break;
	case 'L':
		invoke->search_path = optarg;
		break;
	case OPTION_ROOM:
		invoke->settings[invoke->n_settings++] = (struct setting){"room", optarg};
		break;
	case OPTION_OUT:
		invoke->settings[invoke->n_settings++] = (struct setting){"out", optarg};
		break;
	case OPTION_BUFFER:
		invoke->settings[invoke->n_settings++] = (struct setting){"buffer", optarg};
		break;
	case OPTION_TIMEOUT:
		r = number_option("timeout", optarg, 1, INT_MAX, &value);
		invoke->timeout_ms = (int)value;
		break;
	case OPTION_REPEAT:
		r = number_option("repeat", optarg, 1, MAX_REPEAT, &value);
		invoke->repeat = (uint32_t)value;
		invoke->repeat_given = true;
		break;
	case OPTION_DRY_RUN:
		invoke->dry_run = true;
		break;
	case OPTION_SIGNED:
		invoke->session_flags |= QDA_SESSION_SIGNED;
		break;
	case OPTION_ATTRS:
		r = number_option("attrs", optarg, 0, UINT32_MAX, &value);
		invoke->attrs = (uint32_t)value;
		break;
	case OPTION_SHELL:
		invoke->shell = optarg;
		break;
	case OPTION_JSON:
		invoke->json = true;
		break;
	case OPTION_FULL:
		invoke->full = true;
		break;
	case 'q':
		invoke->quiet = true;
		break;
	case 'v':
		invoke->verbosity++;
		break;
	}
	return r;
}

/* Return: an exit status, or -1 to go on. */
static int parse_options(struct invoke *invoke, int argc, char **argv)
{
	struct options options;
	int id, r;

	options_init(&options, "qda-invoke", rows, argc, argv);
	while ((id = options_next(&options)) != OPTION_END) {
		switch (id) {
		case OPTION_OPERAND:
			invoke->operands[invoke->n_operands++] = optarg;
			break;
		case OPTION_BAD:
			return EXIT_USAGE;
		case 'h':
			print_help();
			return EXIT_OK;
		case OPTION_VERSION:
			puts("qda-invoke " QDA_VERSION);
			return EXIT_OK;
		default:
			r = set_option(invoke, id);
			if (r)
				return r;
		}
	}
	if (invoke->n_operands >= 2)
		return -1;
	tool_error("%s; see qda-invoke --help",
		   invoke->n_operands ? "METHOD is missing" : "MODULE and METHOD are missing");
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	const char *device = getenv("QDA_DEVICE");
	struct invoke invoke = {
		.device_name = device && *device ? device : "cdsp",
		.timeout_ms = QDA_NO_TIMEOUT,
		.repeat = 1,
	};
	int r;

	invoke.settings = calloc((size_t)argc + 1, sizeof(*invoke.settings));
	invoke.operands = calloc((size_t)argc + 1, sizeof(*invoke.operands));
	if (!invoke.settings || !invoke.operands) {
		r = EXIT_DEVICE;
		goto out;
	}
	r = parse_options(&invoke, argc, argv);
	if (r == -1)
		r = run(&invoke);
out:
	finish(&invoke);
	if (close_stdout() && !r)
		r = EXIT_DEVICE;
	return r;
}
