/* SPDX-License-Identifier: MIT */
/* Small texts of /proc and /sys. */
#include <string.h>

#include "common.h"
#include "proc.h"

void proc_read(int directory, const char *path, char *text, size_t size)
{
	_cleanup_close_ int fd = openat(directory, path, O_RDONLY | O_CLOEXEC);
	size_t used = 0;
	ssize_t n;

	while (fd >= 0 && used < size - 1) {
		n = read(fd, text + used, size - 1 - used);
		if (n <= 0)
			break;
		used += (size_t)n;
	}
	text[used] = '\0';
}

char *proc_field(char *text, const char *key)
{
	size_t length = strlen(key);

	for (char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, length) == 0)
			return line + length;
	}
	return NULL;
}
