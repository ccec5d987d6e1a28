/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Threads that export, map, touch, revoke, unmap and close dma-bufs of one VFIO device, each its
 * own part of the memory. Everything has to be as it should after every step, and all memory back
 * in the end, as a cgroup counts it.
 */
#include <getopt.h>
#include <pthread.h>
#include <stdatomic.h>

#include "cgroup.h"
#include "fds.h"
#include "tap.h"
#include "vfio.h"

#define PAGE UINT64_C(4096)
#define MAX_THREADS 16U
#define MAX_PAGES 16U
#define PART (UINT64_C(1) << 20) /* of the memory, for one thread */
/* Slack for what the kernel keeps for itself. */
#define MEMORY_SLACK (64 * 1024)

static struct {
	struct device device;
	unsigned long rounds;
	atomic_ulong next;
	atomic_uint faults; /* steps that went wrong */
} stress;

static void expect(bool is_right, const char *what)
{
	if (is_right)
		return;
	if (atomic_fetch_add(&stress.faults, 1) < 10)
		printf("# %s\n", what);
}

static void touch(volatile uint32_t *memory, uint64_t pages, uint32_t value)
{
	uint32_t got;

	for (uint64_t i = 0; i < pages; i++)
		expect(try_write(memory + i * (PAGE / 4), value + (uint32_t)i) == 0, "write");
	for (uint64_t i = 0; i < pages; i++)
		expect(try_read(memory + i * (PAGE / 4), &got) == 0 && got == value + (uint32_t)i,
		       "read");
}

static void one_round(uint64_t start, unsigned long round)
{
	const uint64_t pages = 1 + round % MAX_PAGES;
	int fd = export_range(&stress.device, 0, start + round % 64 * PAGE, pages * PAGE), r;
	volatile uint32_t *memory;
	uint32_t got;

	expect(fd >= 0, "export");
	if (fd < 0)
		return;
	if (round % 3 == 0)
		expect(set_memattr(&stress.device, fd, MEMATTR_WC) == 0, "attribute");
	memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	expect(memory != MAP_FAILED, "mmap");
	if (memory != MAP_FAILED) {
		touch(memory, pages, (uint32_t)round * MAX_PAGES);
		r = round % 2 ? revoke_by_ioctl(&stress.device, fd)
			      : revoke_by_feature(&stress.device, fd);
		expect(r == 0, "revoke");
		for (uint64_t i = 0; i < pages; i++)
			expect(try_read(memory + i * (PAGE / 4), &got) == -EFAULT, "revoked");
		munmap((void *)(uintptr_t)memory, pages * PAGE);
	}
	close(fd);
}

static void *work(void *data)
{
	const uint64_t start = (uint64_t)(uintptr_t)data * PART;
	unsigned long round;

	while ((round = atomic_fetch_add(&stress.next, 1)) < stress.rounds)
		one_round(start, round);
	return NULL;
}

static void run(unsigned int threads, unsigned long rounds)
{
	pthread_t ids[MAX_THREADS];

	stress.rounds = rounds;
	stress.next = 0;
	for (unsigned int i = 0; i < threads; i++)
		if (pthread_create(&ids[i], NULL, work, (void *)(uintptr_t)i))
			exit(2);
	for (unsigned int i = 0; i < threads; i++)
		pthread_join(ids[i], NULL);
}

/* Buffers of VFIO that the kernel knows of. */
static int count_buffers(void)
{
	FILE *file = fopen("/sys/kernel/debug/dma_buf/bufinfo", "re");
	char line[512];
	int count = 0;

	if (!file)
		return -1;
	while (fgets(line, sizeof(line), file))
		count += strstr(line, "vfio") != NULL;
	fclose(file);
	return count;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"threads", required_argument, NULL, 't'},
		{"rounds", required_argument, NULL, 'r'},
		{"cgroup", required_argument, NULL, 'c'},
		{NULL, 0, NULL, 0},
	};
	unsigned int threads = 8, fds;
	const char *cgroup = NULL;
	unsigned long rounds = 1000;
	char address[16];
	int64_t before, after;
	int option, r, buffers;
	bool good;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 't':
			threads = (unsigned int)strtoul(optarg, NULL, 0);
			break;
		case 'r':
			rounds = strtoul(optarg, NULL, 0);
			break;
		case 'c':
			cgroup = optarg; /* the one that this process is in */
			break;
		default:
			return 2;
		}
	}
	if (threads < 1 || threads > MAX_THREADS || !cgroup || pci_find(0x1234, 0x1111, address)) {
		fprintf(stderr, "vfio-stress: 1 to %u threads, --cgroup, and a bochs-display\n",
			MAX_THREADS);
		return 2;
	}
	catch_sigbus();
	r = pci_bind(address);
	if (!r)
		r = device_open(address, &stress.device);
	if (r) {
		fprintf(stderr, "vfio-stress: %s: %s\n", address, strerror(-r));
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("1..4\n");
	/* So that what the kernel keeps from the first rounds is there before. */
	run(threads, 8UL * threads);
	fds = count_fds();
	before = cgroup_slab(cgroup);
	run(threads, rounds);
	good = result(stress.faults == 0, "%lu rounds in %u threads", rounds, threads);
	good &= result(count_fds() == fds, "as many descriptors as before");
	buffers = count_buffers();
	good &= result(buffers == 0, "%d buffers are left", buffers);
	after = cgroup_slab_drained(cgroup, before + MEMORY_SLACK);
	good &= result(after <= before + MEMORY_SLACK, "bytes of slab: %lld before, %lld after",
		       (long long)before, (long long)after);
	device_close(&stress.device);
	return !good;
}
