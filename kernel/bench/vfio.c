/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Prices VFIO's dma-bufs: revoking, by mapped pages and by mappings, the first touch of a BAR in
 * small and in huge pages, and mappings of the device file. Under QEMU's -icount the clock counts
 * instructions.
 *
 * timeout: 900
 * kernel-args: intel_iommu=on
 * qemu-args: -device intel-iommu,intremap=on,caching-mode=on
 * qemu-args: -device pcie-root-port,id=rp1,chassis=1,slot=1
 * qemu-args: -device bochs-display,bus=rp1,vgamem=64M
 * modules: vfio-pci
 */
#include <stdarg.h>

#include "median.h"
#include "vfio.h"

#define PAGE UINT64_C(4096)
#define HUGE_PAGE (UINT64_C(2) << 20)
#define BAR_SIZE (UINT64_C(64) << 20)
#define ROUNDS 15

static struct device device;
static uint64_t bar_start; /* in the device file */

static void must(const char *what, bool is_good)
{
	if (is_good)
		return;
	fprintf(stderr, "vfio: %s: %s\n", what, strerror(errno));
	exit(1);
}

__attribute__((format(printf, 2, 3))) static void print(int64_t *times, const char *format, ...)
{
	va_list args;

	printf("| ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf(" | %.1f |\n", (double)median(times, ROUNDS) / 1000);
}

static int export_bar(void)
{
	int fd = export_range(&device, 0, 0, BAR_SIZE);

	must("export", fd >= 0);
	return fd;
}

static void touch(char *memory, uint64_t length)
{
	for (uint64_t i = 0; i < length; i += PAGE)
		*(volatile char *)(memory + i) = 1;
}

/* Where huge pages fit, or where they do not. */
static char *map(int fd, uint64_t offset, uint64_t length, bool is_huge)
{
	static char *space;
	char *address;

	if (!space) {
		space = mmap(NULL, BAR_SIZE + 2 * HUGE_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			     -1, 0);
		must("mmap", space != MAP_FAILED);
		space += -(uintptr_t)space & (HUGE_PAGE - 1);
	}
	address = mmap(space + (is_huge ? 0 : PAGE), length, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_FIXED, fd, (off_t)offset);
	must("mmap", address != MAP_FAILED);
	return address;
}

static void revoke_by_pages(uint64_t pages, bool is_huge)
{
	int64_t times[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		int fd = export_bar();
		char *memory = map(fd, 0, BAR_SIZE, is_huge);
		int64_t start;

		touch(memory, pages * PAGE);
		start = now_nsec();
		must("revoke", revoke_by_feature(&device, fd) == 0);
		times[i] = now_nsec() - start;
		munmap(memory, BAR_SIZE);
		close(fd);
	}
	print(times, "revoke, %llu pages mapped, %s", (unsigned long long)pages,
	      is_huge ? "huge" : "small");
}

static void revoke_by_mappings(uint32_t count)
{
	char **mappings = calloc(count, sizeof(*mappings));
	int64_t times[ROUNDS];

	must("calloc", mappings != NULL);
	for (int i = 0; i < ROUNDS; i++) {
		int fd = export_bar();
		int64_t start;

		for (uint32_t j = 0; j < count; j++) {
			mappings[j] = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
					   (off_t)(j % 1024 * PAGE));
			must("mmap", mappings[j] != MAP_FAILED);
			touch(mappings[j], PAGE);
		}
		start = now_nsec();
		must("revoke", revoke_by_feature(&device, fd) == 0);
		times[i] = now_nsec() - start;
		for (uint32_t j = 0; j < count; j++)
			munmap(mappings[j], PAGE);
		close(fd);
	}
	free(mappings);
	print(times, "revoke, %u mappings of a page", count);
}

static void first_touch(bool is_huge)
{
	int64_t first[ROUNDS], all[ROUNDS];
	int fd = export_bar();

	for (int i = 0; i < ROUNDS; i++) {
		char *memory = map(fd, 0, BAR_SIZE, is_huge);
		int64_t start = now_nsec();

		touch(memory, PAGE);
		first[i] = now_nsec() - start;
		touch(memory, BAR_SIZE);
		all[i] = now_nsec() - start;
		munmap(memory, BAR_SIZE);
	}
	close(fd);
	print(first, "dma-buf of 64 MiB, %s pages, the first one", is_huge ? "huge" : "small");
	print(all, "dma-buf of 64 MiB, %s pages, all of them", is_huge ? "huge" : "small");
}

static void device_file(uint64_t length, bool is_touched, bool is_huge)
{
	int64_t times[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		int64_t start = now_nsec();
		char *memory = map(device.fd, bar_start, length, is_huge);

		if (is_touched)
			touch(memory, length);
		munmap(memory, length);
		times[i] = now_nsec() - start;
	}
	print(times, "device file: mmap(), %s, munmap() of %llu %s pages",
	      is_touched ? "touch" : "nothing", (unsigned long long)(length / PAGE),
	      is_huge ? "huge" : "small");
}

int main(int argc, char **argv)
{
	/* A kernel without our patches has only these to measure. */
	const bool is_device_only = argc > 1 && strcmp(argv[1], "--device-file") == 0;
	char address[16];
	uint64_t size = 0;
	int r = pci_find(0x1234, 0x1111, address);

	if (!r)
		r = pci_bind(address);
	if (!r)
		r = device_open(address, &device);
	if (!r)
		r = bar_info(&device, 0, &size, &bar_start);
	errno = -r;
	must("bochs-display with 64 MiB", r == 0 && size == BAR_SIZE);

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("| | us |\n|---|---:|\n");
	device_file(PAGE, false, false);
	device_file(PAGE, true, false);
	device_file(BAR_SIZE, true, false);
	device_file(BAR_SIZE, true, true);
	if (!is_device_only) {
		for (uint64_t pages = 1; pages <= BAR_SIZE / PAGE; pages *= 4)
			revoke_by_pages(pages, false);
		revoke_by_pages(BAR_SIZE / PAGE, true);
		for (uint32_t count = 1; count <= 4096; count *= 8)
			revoke_by_mappings(count);
		first_touch(false);
		first_touch(true);
	}
	device_close(&device);
	return 0;
}
