/* SPDX-License-Identifier: MIT */
/* What every command line tool needs: options from one table, messages, sizes, times. */
#ifndef TOOL_H
#define TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <getopt.h>

/* One option. The table ends with a row without a name. */
struct option_row {
	int id; /* its letter, or a number from 256 up */
	const char *name;
	const char *argument; /* what the help calls it, or NULL if there is none */
	const char *help;     /* lines after the first are indented with the rest */
};

#define OPTION_END (-1)
#define OPTION_OPERAND 1 /* optarg is not an option */
#define OPTION_BAD '?'   /* a message was printed */

#define MAX_OPTIONS 48

struct options {
	int argc;
	char **argv;
	bool ended; /* only operands follow */
	struct option longs[MAX_OPTIONS + 1];
	char shorts[2 * MAX_OPTIONS + 2];
};

/* @name is what messages begin with. */
void options_init(struct options *options, const char *name, const struct option_row *rows,
		  int argc, char **argv);

/*
 * The next option's id, or OPTION_*. Options and operands may be mixed; a number
 * such as -5 is an operand, and so is everything after "--".
 */
int options_next(struct options *options);

void options_help(const struct option_row *rows);

/* "NAME: message" on standard error. */
void tool_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* "NAME: " and @line, which may be the text of a file: unprintable bytes become '?'. */
void tool_error_line(const char *line);

/* Bytes that are not printable ASCII become '?'. */
void make_printable(char *text);

/* A number with an optional suffix K, M or G (powers of 1024). Return: 0, -EINVAL or -ERANGE. */
int parse_size(const char *text, uint64_t max, uint64_t *ret_size);

/*
 * A time: a number, which may have decimals, and a unit ns, us, ms, s or m; without one
 * it is seconds. What is finer than a nanosecond is rounded up.
 *
 * Return: 0, -EINVAL, or -ERANGE if it is above INT64_MAX nanoseconds.
 */
int parse_time(const char *text, int64_t *ret_nsec);

/* Standard output arrived. Return: 0, or the negative errno of what was lost; printed. */
int close_stdout(void);

/* A heap text with a printf format, NULL without memory. */
char *format_text(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
