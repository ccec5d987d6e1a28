/* SPDX-License-Identifier: MIT */
/*
 * A fuzz target as a command, without libFuzzer: runs the target on each file
 * named, on each file of a directory named, or on standard input.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INPUT_MAX ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned int runs;

/* Return: 0, or a negative errno. */
static int run_fd(int fd)
{
	uint8_t *data = malloc(INPUT_MAX), *exact;
	size_t size = 0;
	ssize_t n = 1;

	if (!data)
		return -ENOMEM;
	while (n > 0 && size < INPUT_MAX) {
		n = read(fd, data + size, INPUT_MAX - size);
		if (n < 0) {
			free(data);
			return -errno;
		}
		size += (size_t)n;
	}
	/* Of its own size, so that a sanitizer sees an access beyond. */
	exact = malloc(size ? size : 1);
	if (exact) {
		memcpy(exact, data, size);
		LLVMFuzzerTestOneInput(exact, size);
		runs++;
	}
	free(exact);
	free(data);
	return exact ? 0 : -ENOMEM;
}

static int run_path(const char *path)
{
	struct dirent *entry;
	DIR *dir = opendir(path);
	int r = 0, fd;

	if (!dir) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return -errno;
		r = run_fd(fd);
		close(fd);
		return r;
	}
	while (!r && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_CLOEXEC);
		r = fd < 0 ? -errno : run_fd(fd);
		if (fd >= 0)
			close(fd);
	}
	closedir(dir);
	return r;
}

int main(int argc, char **argv)
{
	int r = 0;

	if (argc < 2)
		r = run_fd(STDIN_FILENO);
	for (int i = 1; i < argc && !r; i++) {
		r = run_path(argv[i]);
		if (r)
			fprintf(stderr, "%s: %s\n", argv[i], strerror(-r));
	}
	if (!r && !runs) {
		fprintf(stderr, "no input\n");
		return EXIT_FAILURE;
	}
	return r ? EXIT_FAILURE : EXIT_SUCCESS;
}
