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
 * Whether write_files() could write @path now: tries it and leaves nothing behind.
 *
 * Return: 0 or a negative errno.
 */
int check_writable(const char *path);

struct out_file {
	const char *path;
	const void *data;
	size_t size;
	char *temporary; /* of write_files() */
};

/*
 * Write temporary files next to their paths and, once all are there, rename them.
 * Devices and pipes, which cannot be renamed over, are written in place.
 *
 * Return: 0, or a negative errno and *ret_failed, the index of the file it is about.
 * Unless it was renaming that failed, all files are as they were.
 */
int write_files(struct out_file *files, size_t n, size_t *ret_failed);

#endif
