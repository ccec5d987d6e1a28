/* SPDX-License-Identifier: MIT */
/* What qda-invoke's parts share: the options, and one call with its arguments. */
#ifndef INVOKE_H
#define INVOKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <qda.h>

#include "idl.h"
#include "values.h"

/* Documented in qda-invoke(1). */
enum invoke_exit {
	EXIT_OK = 0,
	EXIT_METHOD = 1,
	EXIT_USAGE = 2,
	EXIT_DEVICE = 3,
	EXIT_TIMEOUT = 4,
	EXIT_CRASH = 5,
	EXIT_INTERRUPTED = 130, /* as a shell tells of SIGINT */
};

/* NAME=VALUE of an option that may be given several times. */
struct setting {
	const char *option;
	const char *text;
};

/* One parameter with its value. */
struct argument {
	const struct idl_param *param;
	struct value value; /* as given; for rout, zeroed room */
	bool given;
	bool in_buffer;       /* --buffer */
	const char *out_path; /* --out */
	uint8_t *live;        /* what the call reads and writes */
	bool live_owned;
	struct qda_buffer *buffer;
};

struct invoke {
	const char *device_name, *idl_path, *interface_name, *search_path, *shell;
	uint32_t attrs, session_flags;
	int timeout_ms;
	uint32_t repeat;
	int verbosity;
	bool repeat_given, quiet, json, full, dry_run;
	struct setting *settings;
	size_t n_settings;
	const char **operands; /* MODULE, METHOD, VALUE... */
	size_t n_operands;

	struct idl *idl;
	const struct idl_interface *interface; /* NULL for a signature */
	const struct idl_method *method;
	struct argument *args;
	struct qda_param *params;
	struct qda_value *values;

	struct qda *qda;
	struct qda_device *device;
	struct qda_session *session;
	struct qda_module *module;
	uint64_t *times; /* nanoseconds, @repeat of them, sorted */
};

/* method.c: all return an exit status, after an error line if it is not EXIT_OK. */
int find_method(struct invoke *invoke);
int read_arguments(struct invoke *invoke);
void describe_arguments(struct invoke *invoke);

/* output.c */
int dry_run(struct invoke *invoke);
int check_files(const struct invoke *invoke);
int print_results(struct invoke *invoke);

#endif
