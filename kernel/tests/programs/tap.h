/* SPDX-License-Identifier: GPL-2.0-only */
/* Results as lines of TAP, numbered as they come. */
#ifndef TAP_H
#define TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

/* Return: @ok. */
__attribute__((format(printf, 2, 3))) static inline bool result(bool ok, const char *format, ...)
{
	static unsigned int number;
	va_list args;

	printf("%sok %u - ", ok ? "" : "not ", ++number);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	return ok;
}

#endif
