/* SPDX-License-Identifier: MIT */
/* Allocates and locks N times: shows that the counters of callgrind.py see it. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

	if (argc != 3) {
		fprintf(stderr, "Usage: bench-control control CALLS\n");
		return 2;
	}
	for (long i = strtol(argv[2], NULL, 10); i > 0; i--) {
		void *volatile memory = malloc(100);

		pthread_mutex_lock(&lock);
		pthread_mutex_unlock(&lock);
		free(memory);
	}
	return 0;
}
