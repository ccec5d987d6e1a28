/* SPDX-License-Identifier: MIT */
/* What every command line tool needs: options from one table, messages, sizes, times. */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common.h"
#include "tool.h"

static const char *tool_name = "";

void options_init(struct options *options, const char *name, const struct option_row *rows,
		  int argc, char **argv)
{
	char *next;
	size_t n = 0;

	tool_name = name;
	*options = (struct options){.argc = argc, .argv = argv};
	next = options->shorts;
	/* getopt_long() begins its messages with it. */
	if (argc)
		argv[0] = (char *)(uintptr_t)name;
	*next++ = '-'; /* operands are returned in their order */
	for (; rows->name && n < MAX_OPTIONS; rows++, n++) {
		options->longs[n] = (struct option){
			.name = rows->name,
			.has_arg = rows->argument ? required_argument : no_argument,
			.val = rows->id,
		};
		if (rows->id < 256) {
			*next++ = (char)rows->id;
			if (rows->argument)
				*next++ = ':';
		}
	}
}

static bool is_negative_number(const char *text)
{
	return text[0] == '-' && (isdigit((unsigned char)text[1]) || text[1] == '.' ||
				  !strncmp(text, "-inf", 4) || !strncmp(text, "-nan", 4));
}

int options_next(struct options *options)
{
	int id;

	/* getopt_long() is between two arguments here: none of its letters looks like a number. */
	if (optind < options->argc && !options->ended &&
	    is_negative_number(options->argv[optind])) {
		optarg = options->argv[optind++];
		return OPTION_OPERAND;
	}
	if (!options->ended) {
		id = getopt_long(options->argc, options->argv, options->shorts, options->longs,
				 NULL);
		if (id != -1)
			return id;
		options->ended = true; /* "--" or the last argument */
	}
	if (optind >= options->argc)
		return OPTION_END;
	optarg = options->argv[optind++];
	return OPTION_OPERAND;
}

void options_help(const struct option_row *rows)
{
	for (; rows->name; rows++) {
		char left[64], letter[4] = "   ";
		const char *line = rows->help;

		if (rows->id < 256)
			snprintf(letter, sizeof(letter), "-%c,", (char)rows->id);
		snprintf(left, sizeof(left), "  %s --%s%s%s", letter, rows->name,
			 rows->argument ? " " : "", rows->argument ? rows->argument : "");
		printf("%-27s%s", left, strlen(left) > 26 ? "\n                           " : "");
		for (; *line; line++) {
			putchar(*line);
			if (*line == '\n')
				printf("                           ");
		}
		putchar('\n');
	}
}

void tool_error_line(const char *line)
{
	fprintf(stderr, "%s: ", tool_name);
	for (; *line; line++)
		fputc(iscntrl((unsigned char)*line) ? '?' : *line, stderr);
	fputc('\n', stderr);
}

void make_printable(char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

void tool_error(const char *format, ...)
{
	_cleanup_free_ char *line = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&line, format, args) == -1)
		line = NULL;
	va_end(args);
	tool_error_line(line ? line : "out of memory");
}

int parse_size(const char *text, uint64_t max, uint64_t *ret_size)
{
	unsigned int shift = 0;
	uint64_t size;
	char *end;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	size = strtoull(text, &end, !strncasecmp(text, "0x", 2) ? 16 : 10);
	if (errno)
		return -ERANGE;
	if (*end && strchr("kKmMgG", *end)) {
		shift = *end == 'k' || *end == 'K' ? 10 : *end == 'm' || *end == 'M' ? 20 : 30;
		end++;
	}
	if (*end)
		return -EINVAL;
	if (size > max >> shift)
		return -ERANGE;
	*ret_size = size << shift;
	return 0;
}

static int64_t unit_nsec(const char *unit)
{
	static const struct {
		const char *name;
		int64_t nsec;
	} units[] = {
		{"", 1000000000}, {"ns", 1},         {"us", 1000},
		{"ms", 1000000},  {"s", 1000000000}, {"m", INT64_C(60000000000)},
	};

	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (!strcmp(unit, units[i].name))
			return units[i].nsec;
	return -EINVAL;
}

int parse_time(const char *text, int64_t *ret_nsec)
{
	size_t whole = strspn(text, "0123456789"), decimals = 0;
	int64_t unit, nsec = 0, part = 0;
	bool rest = false;

	if (text[whole] == '.') {
		decimals = strspn(text + whole + 1, "0123456789");
		if (!decimals)
			return -EINVAL;
	}
	unit = unit_nsec(text + whole + (decimals ? decimals + 1 : 0));
	if (!whole || unit < 0)
		return -EINVAL;
	for (size_t i = 0; i < whole; i++)
		if (__builtin_mul_overflow(nsec, 10, &nsec) ||
		    __builtin_add_overflow(nsec, text[i] - '0', &nsec))
			return -ERANGE;
	if (__builtin_mul_overflow(nsec, unit, &nsec))
		return -ERANGE;
	/* From the last decimal on, so that nothing is lost before it is less than a nanosecond. */
	for (size_t i = decimals; i; i--) {
		part += (text[whole + i] - '0') * unit;
		rest |= part % 10 != 0;
		part /= 10;
	}
	if (__builtin_add_overflow(nsec, part + rest, &nsec))
		return -ERANGE;
	*ret_nsec = nsec;
	return 0;
}

int close_stdout(void)
{
	int r = 0;

	if (ferror(stdout))
		r = -EIO;
	if (fclose(stdout) == EOF && errno != EBADF)
		r = -errno;
	if (r)
		tool_error("cannot write the output: %s", strerror(-r));
	return r;
}

char *format_text(const char *format, ...)
{
	char *text;
	va_list args;
	int r;

	va_start(args, format);
	r = vasprintf(&text, format, args);
	va_end(args);
	return r == -1 ? NULL : text;
}
