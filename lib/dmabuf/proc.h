/* SPDX-License-Identifier: MIT */
/* Small texts of /proc and /sys. */
#ifndef DMABUF_PROC_H
#define DMABUF_PROC_H

#include <stddef.h>

/* Read all of a small file below @directory, or AT_FDCWD: "" if there is none. */
void proc_read(int directory, const char *path, char *text, size_t size);

/* What follows @key at the begin of a line; NULL if no line begins so. */
char *proc_field(char *text, const char *key);

#endif
