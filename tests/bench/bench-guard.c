/* SPDX-License-Identifier: MIT */
/*
 * Times guarded reads of 4 bytes and, interleaved with them in the same run, plain
 * volatile reads, of memory that is cached, where a read costs least. Prints a JSON
 * object with the nanoseconds of so many reads; guard.py makes ratios of them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <dmabuf.h>

#include "common.h"
#include "interleave.h"

#define READS 10000
#define WORDS 1024U

static volatile uint32_t *words;

/* Every word is 0, which the compiler does not know: each address waits for the read before. */
static int plain_dependent(void *data)
{
	uint32_t value = 0;

	for (uint32_t i = 0; i < READS; i++)
		value = words[(value + i) % WORDS];
	return value ? -EIO : 0;
}

static int guarded_dependent(void *data)
{
	uint32_t value = 0;

	for (uint32_t i = 0; i < READS; i++)
		if (dmabuf_guard_read32(&words[(value + i) % WORDS], &value) < 0)
			return -ENODEV;
	return value ? -EIO : 0;
}

/* Reads that the processor has in flight at the same time. */
static int plain_independent(void *data)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < READS; i++)
		sum += words[i % WORDS];
	return sum ? -EIO : 0;
}

static int guarded_independent(void *data)
{
	uint32_t sum = 0, value;

	for (uint32_t i = 0; i < READS; i++) {
		if (dmabuf_guard_read32(&words[i % WORDS], &value) < 0)
			return -ENODEV;
		sum += value;
	}
	return sum ? -EIO : 0;
}

/* As an accessor of a driver library. */
static __attribute__((noinline)) uint32_t read_word(const volatile uint32_t *word)
{
	return *word;
}

static int called_independent(void *data)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < READS; i++)
		sum += read_word(&words[i % WORDS]);
	return sum ? -EIO : 0;
}

/* What there is for many at once. */
static int copied_independent(void *data)
{
	uint32_t sum = 0, copy[WORDS];

	for (uint32_t done = 0; done < READS; done += WORDS) {
		uint32_t count = MIN(WORDS, READS - done);

		if (dmabuf_guard_copy(copy, words, count * sizeof(*copy)) < 0)
			return -ENODEV;
		for (uint32_t i = 0; i < count; i++)
			sum += copy[i];
	}
	return sum ? -EIO : 0;
}

static const struct kind kinds[] = {
	{"plain_dependent", plain_dependent, CALLS},
	{"guarded_dependent", guarded_dependent, CALLS},
	{"plain_independent", plain_independent, CALLS},
	{"called_independent", called_independent, CALLS},
	{"guarded_independent", guarded_independent, CALLS},
	{"copied_independent", copied_independent, CALLS},
};

int main(int argc, char **argv)
{
	int fd = memfd_create("bench", MFD_CLOEXEC), r;
	size_t size = WORDS * sizeof(*words);
	void *memory = MAP_FAILED;

	if (fd >= 0 && ftruncate(fd, (off_t)size) == 0)
		memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED) {
		perror("bench-guard");
		return 1;
	}
	words = memory;
	r = dmabuf_guard_init();
	if (r < 0) {
		fprintf(stderr, "bench-guard: %s\n", dmabuf_strerror(r));
		return 1;
	}
	r = run_interleaved(kinds, ARRAY_SIZE(kinds), NULL, argc > 1 ? atoi(argv[1]) : ROUNDS);
	munmap(memory, size);
	close(fd);
	return r;
}
