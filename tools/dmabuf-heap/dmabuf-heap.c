/* SPDX-License-Identifier: MIT */
/* dmabuf-heap: heaps for shared buffers, and allocations that say whom they are for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "heap-tool.h"
#include "tool.h"

enum {
	OPTION_REQUIRE = 256,
	OPTION_NAME,
	OPTION_STRICT,
	OPTION_READ_ONLY,
	OPTION_WATCH,
	OPTION_CHARGING,
	OPTION_JSON,
	OPTION_VERSION,
};

static const struct option_row rows[] = {
	{'H', "heap", "NAME", "this heap; alloc: the first of several that will do"},
	{OPTION_REQUIRE, "require", "PROPERTY",
	 "heaps with this property: contiguous, protected, uncached,\n"
	 "cc-shared or system"},
	{OPTION_CHARGING, "charging", NULL, "list: ask how they charge, which allocates a page"},
	{'c', "charge", "TARGET", "alloc: charge it to TARGET"},
	{OPTION_STRICT, "strict", NULL, "alloc: fail if that cannot be done"},
	{OPTION_NAME, "name", "NAME", "alloc: name of the buffer"},
	{OPTION_READ_ONLY, "read-only", NULL, "alloc: cannot be mapped to write"},
	{OPTION_WATCH, "watch-cgroup", NULL, "alloc: show what the target's cgroup counts"},
	{OPTION_JSON, "json", NULL, "print JSON"},
	{'h', "help", NULL, "print this help"},
	{OPTION_VERSION, "version", NULL, "print the version"},
	{0},
};

static const struct command {
	const char *name;
	int (*run)(const struct heap_tool *tool);
	size_t operands;
	const char *usage;
} commands[] = {
	{"list", tool_list, 0, "list [--heap NAME]... [--require PROPERTY]... [--charging]"},
	{"alloc", tool_alloc, 1,
	 "alloc [--heap NAME]... [--charge TARGET [--strict]] SIZE [-- COMMAND...]"},
};

static void print_help(void)
{
	printf("Usage: dmabuf-heap COMMAND [OPTIONS]\n"
	       "Heaps for buffers that processes and devices share, and who pays for them.\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		printf("  %s\n", commands[i].usage);
	printf("\nTARGET  self, the number of a process, or a cgroup: its directory, or its path\n"
	       "        below the mount point\n"
	       "SIZE    bytes; K, M, G behind are powers of 1024\n"
	       "NAME    of /dev/dma_heap, a path, udmabuf, or memfd\n\n");
	options_help(rows);
	printf("\nCOMMAND inherits the buffer as the descriptor that DMABUF_FD in its environment "
	       "says.\n\n"
	       "Exit status: 0 fine; 2 usage; 3 there is no such heap or memory; 4 TARGET is not "
	       "there\nor cannot be charged; alloc: that of COMMAND.\n");
}

/* ---- options ------------------------------------------------------------ */

static bool parse_property(const char *text, uint32_t *properties)
{
	for (const struct bit *bit = property_bits; bit->name; bit++)
		if (strcmp(bit->name, text) == 0) {
			*properties |= bit->bit;
			return true;
		}
	tool_error("--require: there is no property %s; try dmabuf-heap --help", text);
	return false;
}

/* Return: whether the option was good. */
static bool take_option(struct heap_tool *tool, int option)
{
	switch (option) {
	case 'H':
		tool->heaps[tool->n_heaps++] = optarg;
		return true;
	case OPTION_REQUIRE:
		return parse_property(optarg, &tool->required);
	case OPTION_CHARGING:
		tool->charging = true;
		return true;
	case 'c':
		tool->charge = optarg;
		return true;
	case OPTION_STRICT:
		tool->strict = true;
		return true;
	case OPTION_NAME:
		tool->name = optarg;
		return true;
	case OPTION_READ_ONLY:
		tool->read_only = true;
		return true;
	case OPTION_WATCH:
		tool->watch = true;
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

static const struct command *find_command(struct heap_tool *tool)
{
	const struct command *command = NULL;
	bool allocates;

	for (size_t i = 0; tool->n_operands && i < ARRAY_SIZE(commands); i++)
		if (strcmp(tool->operands[0], commands[i].name) == 0)
			command = &commands[i];
	if (!command) {
		tool_error("%s%s; try dmabuf-heap --help",
			   tool->n_operands ? "no such command: " : "no command",
			   tool->n_operands ? tool->operands[0] : "");
		return NULL;
	}
	tool->operands++;
	tool->n_operands--;
	allocates = command->run == tool_alloc;
	if (tool->n_operands != command->operands || (tool->charging && allocates) ||
	    ((tool->charge || tool->strict || tool->name || tool->read_only || tool->watch ||
	      tool->command) &&
	     !allocates)) {
		tool_error("usage: dmabuf-heap %s", command->usage);
		return NULL;
	}
	if (tool->strict && !tool->charge) {
		tool_error("--strict needs --charge");
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

static int run(struct heap_tool *tool, int argc, char **argv)
{
	const struct command *command;
	struct options options;
	int option;

	tool->command = split_command(&argc, argv);
	options_init(&options, "dmabuf-heap", rows, argc, argv);
	while ((option = options_next(&options)) != OPTION_END) {
		if (option == 'h') {
			print_help();
			return EXIT_FINE;
		}
		if (option == OPTION_VERSION) {
			printf("dmabuf-heap %s\n", DMABUF_VERSION);
			return EXIT_FINE;
		}
		if (!take_option(tool, option))
			return EXIT_USAGE;
	}
	command = find_command(tool);
	return command ? command->run(tool) : EXIT_USAGE;
}

int main(int argc, char **argv)
{
	_cleanup_free_ const char **operands = calloc((size_t)argc + 1, sizeof(*operands));
	_cleanup_free_ const char **heaps = calloc((size_t)argc + 1, sizeof(*heaps));
	struct heap_tool tool = {.operands = operands, .heaps = heaps};
	int status;

	if (!operands || !heaps) {
		tool_error("out of memory");
		return EXIT_FAILED;
	}
	status = run(&tool, argc, argv);
	return close_stdout() < 0 ? EXIT_FAILED : status;
}
