/* SPDX-License-Identifier: MIT */
/* dmabuf-vfio: ranges of the BARs of PCI devices as buffers, for other processes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "tool.h"
#include "vfio-tool.h"

enum {
	OPTION_PID = 256,
	OPTION_READ,
	OPTION_WRITE,
	OPTION_WIDTH,
	OPTION_WAIT,
	OPTION_READ_ONLY,
	OPTION_WRITE_COMBINING,
	OPTION_NAME,
	OPTION_MODE,
	OPTION_JSON,
	OPTION_VERSION,
};

static const struct option_row rows[] = {
	{'s', "socket", "PATH", "serve, attach, revoke, list: the Unix socket"},
	{'p', "policy", "FILE", "serve: which ranges there are, and who may have them"},
	{OPTION_MODE, "mode", "MODE",
	 "serve: who may connect, octal (default: 0666; the\npolicy decides)"},
	{OPTION_READ, "read", "OFFSET[+COUNT]", "attach: read COUNT words (default: 1)"},
	{OPTION_WRITE, "write", "OFFSET=VALUE", "attach: write a word"},
	{OPTION_WIDTH, "width", "N", "attach: words have 1, 2, 4 or 8 bytes (default: 4)"},
	{OPTION_WAIT, "wait", NULL, "attach: keep it until it is revoked"},
	{OPTION_PID, "pid", "PID", "revoke: only what this process has"},
	{OPTION_READ_ONLY, "read-only", NULL, "export: cannot be mapped to write"},
	{OPTION_WRITE_COMBINING, "write-combining", NULL, "export: mappings combine writes"},
	{OPTION_NAME, "name", "NAME", "export: name of the buffer"},
	{OPTION_JSON, "json", NULL, "print JSON"},
	{'h', "help", NULL, "print this help"},
	{OPTION_VERSION, "version", NULL, "print the version"},
	{0},
};

static const struct command {
	const char *name;
	int (*run)(struct vfio_tool *tool);
	size_t min, max; /* operands */
	const char *usage;
	bool needs_socket, needs_policy, runs;
	int options[6]; /* beside those that all have; 0 ends */
} commands[] = {
	{"list", tool_list, 0, SIZE_MAX, "list [DEVICE]... | list -s PATH", .options = {'s'}},
	{"export", tool_export, 3, 3,
	 "export DEVICE BAR OFFSET+LENGTH[,OFFSET+LENGTH]... [-- COMMAND...]", .runs = true,
	 .options = {OPTION_READ_ONLY, OPTION_WRITE_COMBINING, OPTION_NAME}},
	{"serve", tool_serve, 1, 1, "serve -s PATH -p FILE DEVICE", .needs_socket = true,
	 .needs_policy = true, .options = {'s', 'p', OPTION_MODE}},
	{"attach", tool_attach, 1, 1,
	 "attach -s PATH NAME [--read OFFSET] [--write OFFSET=VALUE]... [--wait]",
	 .needs_socket = true,
	 .options = {'s', OPTION_READ, OPTION_WRITE, OPTION_WIDTH, OPTION_WAIT}},
	{"revoke", tool_revoke, 1, 1, "revoke -s PATH NAME [--pid PID]", .needs_socket = true,
	 .options = {'s', OPTION_PID}},
};

static void print_help(void)
{
	printf("Usage: dmabuf-vfio COMMAND [OPTIONS]\n"
	       "Ranges of the BARs of PCI devices as buffers, for other processes.\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		printf("  %s\n", commands[i].usage);
	printf("\nDEVICE  an address such as 0000:03:00.0, a node /dev/vfio/devices/vfioN,\n"
	       "        a group and address /dev/vfio/7:0000:03:00.0, or soft:SIZE,... for\n"
	       "        one in user space\n"
	       "NAME    of a range in the policy\n"
	       "OFFSET, LENGTH, VALUE  numbers; K, M, G behind are powers of 1024\n\n");
	options_help(rows);
	printf("\nExit status: 0 fine; 2 usage; 3 the device or the socket failed; 4 refused by "
	       "who\nserves; 5 the range was revoked; export: that of COMMAND.\n");
}

/* ---- options ------------------------------------------------------------ */

static bool parse_access(struct vfio_tool *tool, bool write, char *text)
{
	struct access *access = &tool->accesses[tool->n_accesses];
	char *separator = strchr(text, write ? '=' : '+');

	if (tool->n_accesses == MAX_ACCESSES) {
		tool_error("more than %d accesses", MAX_ACCESSES);
		return false;
	}
	*access = (struct access){.write = write, .count = 1};
	if (separator)
		*separator = '\0';
	if ((write && !separator) || parse_size(text, INT64_MAX, &access->offset) < 0 ||
	    (separator && parse_size(separator + 1, write ? UINT64_MAX : UINT32_MAX,
				     write ? &access->value : &access->count) < 0) ||
	    access->count == 0) {
		if (separator)
			*separator = write ? '=' : '+';
		tool_error("'%s' is not %s", text,
			   write ? "OFFSET=VALUE, such as 0x10=1" : "OFFSET or OFFSET+COUNT");
		return false;
	}
	tool->n_accesses++;
	return true;
}

static bool parse_number_option(const char *name, const char *text, uint64_t max,
				uint32_t *ret_value)
{
	uint64_t value;

	if (parse_size(text, max, &value) < 0 || value == 0) {
		tool_error("--%s: '%s' is no number from 1 to %llu", name, text,
			   (unsigned long long)max);
		return false;
	}
	*ret_value = (uint32_t)value;
	return true;
}

static bool parse_mode(const char *text, uint32_t *ret_mode)
{
	char *end;
	unsigned long mode = strtoul(text, &end, 8);

	if (*text < '0' || *text > '7' || *end || mode > 0777) {
		tool_error("--mode: '%s' is not octal, such as 0660", text);
		return false;
	}
	*ret_mode = (uint32_t)mode;
	return true;
}

static bool parse_width(const char *text, unsigned int *ret_width)
{
	if (!strchr("1248", text[0]) || !text[0] || text[1]) {
		tool_error("--width: '%s' is not 1, 2, 4 or 8", text);
		return false;
	}
	*ret_width = (unsigned int)(text[0] - '0');
	return true;
}

/* Return: whether the option was good. */
static bool take_option(struct vfio_tool *tool, int option)
{
	switch (option) {
	case 's':
		tool->socket = optarg;
		return true;
	case 'p':
		tool->policy = optarg;
		return true;
	case OPTION_MODE:
		return parse_mode(optarg, &tool->mode);
	case OPTION_READ:
		return parse_access(tool, false, optarg);
	case OPTION_WRITE:
		return parse_access(tool, true, optarg);
	case OPTION_WIDTH:
		return parse_width(optarg, &tool->width);
	case OPTION_WAIT:
		tool->wait = true;
		return true;
	case OPTION_PID:
		return parse_number_option("pid", optarg, INT32_MAX, &tool->pid);
	case OPTION_READ_ONLY:
		tool->read_only = true;
		return true;
	case OPTION_WRITE_COMBINING:
		tool->write_combining = true;
		return true;
	case OPTION_NAME:
		tool->name = optarg;
		return true;
	case OPTION_JSON:
		tool->json = true;
		return true;
	case OPTION_OPERAND:
		tool->operands[tool->n_operands++] = optarg;
		return true;
	default:
		return false;
	}
}

static size_t row_of(int option)
{
	size_t i = 0;

	while (rows[i].id != option)
		i++;
	return i;
}

/* Whether the command takes the options that were given; a message was printed if not. */
static bool check_options(const struct command *command, uint32_t given)
{
	given &= ~(1U << row_of(OPTION_JSON));
	for (size_t i = 0; i < ARRAY_SIZE(command->options) && command->options[i]; i++)
		given &= ~(1U << row_of(command->options[i]));
	if (!given)
		return true;
	tool_error("--%s is not for %s; usage: dmabuf-vfio %s", rows[__builtin_ctz(given)].name,
		   command->name, command->usage);
	return false;
}

/* @given: a bit for each row of the options. */
static const struct command *find_command(struct vfio_tool *tool, uint32_t given)
{
	const struct command *command = NULL;

	for (size_t i = 0; tool->n_operands && i < ARRAY_SIZE(commands); i++)
		if (strcmp(tool->operands[0], commands[i].name) == 0)
			command = &commands[i];
	if (!command) {
		tool_error("%s%s; try dmabuf-vfio --help",
			   tool->n_operands ? "no such command: " : "no command",
			   tool->n_operands ? tool->operands[0] : "");
		return NULL;
	}
	tool->operands++;
	tool->n_operands--;
	if (!check_options(command, given))
		return NULL;
	if (tool->n_operands < command->min || tool->n_operands > command->max ||
	    (command->needs_socket && !tool->socket) || (command->needs_policy && !tool->policy) ||
	    (command->run == tool_list && tool->socket && tool->n_operands) ||
	    (tool->command && !command->runs)) {
		tool_error("usage: dmabuf-vfio %s", command->usage);
		return NULL;
	}
	return command;
}

/* What is behind "--" is a command of its own; it is taken off @argv. */
static char **split_command(int *argc, char **argv)
{
	for (int i = 1; i < *argc; i++) {
		if (strcmp(argv[i], "--") != 0 || i + 1 == *argc)
			continue;
		argv[i] = NULL;
		*argc = i;
		return argv + i + 1;
	}
	return NULL;
}

static int run(struct vfio_tool *tool, int argc, char **argv)
{
	const struct command *command;
	struct options options;
	uint32_t given = 0;
	int option;

	tool->command = split_command(&argc, argv);
	options_init(&options, "dmabuf-vfio", rows, argc, argv);
	while ((option = options_next(&options)) != OPTION_END) {
		if (option == 'h') {
			print_help();
			return EXIT_FINE;
		}
		if (option == OPTION_VERSION) {
			printf("dmabuf-vfio %s\n", DMABUF_VERSION);
			return EXIT_FINE;
		}
		if (!take_option(tool, option))
			return EXIT_USAGE;
		if (option != OPTION_OPERAND)
			given |= 1U << row_of(option);
	}
	command = find_command(tool, given);
	return command ? command->run(tool) : EXIT_USAGE;
}

int main(int argc, char **argv)
{
	struct vfio_tool tool = {.width = 4, .mode = 0666};
	_cleanup_free_ char **operands = calloc((size_t)argc + 1, sizeof(*operands));
	int status;

	if (!operands) {
		tool_error("out of memory");
		return EXIT_FAILED;
	}
	tool.operands = operands;
	status = run(&tool, argc, argv);
	return close_stdout() < 0 ? EXIT_FAILED : status;
}
