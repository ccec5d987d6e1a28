/* SPDX-License-Identifier: MIT */
/* Whole files: read at once, and written so that readers never see a part. */
#ifndef FILE_H
#define FILE_H

#include <stddef.h>
#include <stdint.h>

/*
 * Read @path ("-" is standard input) to its end.
 *
 * Return: 0, -EFBIG if there are more than @max bytes, or the errno of open() or
 * read(). *ret_data is the caller's, has a zero byte after its end, and is never NULL.
 */
int read_file(const char *path, size_t max, uint8_t **ret_data, size_t *ret_size);

/*
 * Write a temporary file next to @path and rename it. Devices and pipes, which
 * cannot be renamed over, are written in place.
 *
 * Return: 0 or a negative errno, after which @path is as it was.
 */
int write_file(const char *path, const void *data, size_t size);

#endif
