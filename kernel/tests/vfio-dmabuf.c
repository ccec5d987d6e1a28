/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * BARs as dma-bufs by VFIO's raw ioctls: mapping, revocation, memory attributes, and what happens
 * to all of them when the device is reset, closed or taken away.
 *
 * timeout: 600
 * kernel-args: intel_iommu=on
 * qemu-args: -device intel-iommu,intremap=on,caching-mode=on
 * qemu-args: -device pcie-root-port,id=rp1,chassis=1,slot=1
 * qemu-args: -device bochs-display,bus=rp1,vgamem=64M
 * qemu-args: -device pcie-root-port,id=rp2,chassis=2,slot=2 -device edu,bus=rp2
 * modules: vfio-pci
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <linux/udmabuf.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "fds.h"
#include "pass-fd.h"
#include "programs/vfio.h"

#define PAGE UINT64_C(4096)
#define MIB (UINT64_C(1) << 20)

/* bochs-display: memory, and registers with its version among them. */
#define MEMORY 0U
#define MEMORY_SIZE (64 * MIB)
#define REGISTERS 2U
#define VERSION 0x500U
#define VERSION_VALUE 0xb0c5U

/* edu: registers, the first of which says what it is. */
#define EDU_SIZE MIB
#define EDU_ID 0x010000edU

#define CLOSED_FD 900

static struct {
	char bochs_address[16], edu_address[16];
	struct device bochs;
	unsigned int fds; /* before it was opened */
} fx;

static int find_devices(void **state)
{
	if (pci_find(0x1234, 0x1111, fx.bochs_address) || pci_find(0x1234, 0x11e8, fx.edu_address))
		return -1;
	return pci_bind(fx.bochs_address) || pci_bind(fx.edu_address) ? -1 : 0;
}

static int setup(void **state)
{
	fx.fds = count_fds();
	return device_open(fx.bochs_address, &fx.bochs);
}

static int teardown(void **state)
{
	device_close(&fx.bochs);
	return count_fds() == fx.fds ? 0 : -1;
}

static int export_memory(uint64_t offset, uint64_t length)
{
	int fd = export_range(&fx.bochs, MEMORY, offset, length);

	assert_true(fd >= 0);
	return fd;
}

static volatile uint32_t *map_at(int fd, uint64_t offset, uint64_t length)
{
	void *address = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);

	assert_ptr_not_equal(address, MAP_FAILED);
	return address;
}

static volatile uint32_t *map(int fd, uint64_t length)
{
	return map_at(fd, 0, length);
}

static void unmap(volatile uint32_t *address, uint64_t length)
{
	assert_int_equal(munmap((void *)(uintptr_t)address, length), 0);
}

/* Offset of a BAR in the device file. */
static uint64_t bar_offset(uint32_t bar)
{
	uint64_t size, offset;

	assert_int_equal(bar_info(&fx.bochs, bar, &size, &offset), 0);
	return offset;
}

static void map_fails(int fd, uint64_t offset, uint64_t length, int prot, int flags, int error)
{
	assert_ptr_equal(mmap(NULL, length, prot, flags, fd, (off_t)offset), MAP_FAILED);
	assert_int_equal(errno, error);
}

#define WORDS(bytes) ((bytes) / sizeof(uint32_t))

static bool reads(volatile uint32_t *word, uint32_t expected)
{
	uint32_t value;

	return try_read(word, &value) == 0 && value == expected;
}

static bool is_out_of_reach(volatile uint32_t *word)
{
	uint32_t value;

	return try_read(word, &value) == -EFAULT && try_write(word, 1) == -EFAULT;
}

/* Address space for a mapping that huge pages fit into; undone by unmap(). */
static void *aligned_space(uint64_t length)
{
	char *space = mmap(NULL, length + 2 * MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t before;

	assert_ptr_not_equal(space, MAP_FAILED);
	before = -(uintptr_t)space & (2 * MIB - 1);
	if (before)
		munmap(space, before);
	munmap(space + before + length, 2 * MIB - before);
	return space + before;
}

/*
 * What the page table says of pages: "PWT" for write-combining, "PCD" for uncached, and whether it
 * is in a "pte" or in a "pmd", which is a huge page. All of one reading of it, which takes seconds.
 */
static void page_attributes(volatile uint32_t *const *pages, size_t count, char attributes[][128])
{
	FILE *file = fopen("/sys/kernel/debug/page_tables/current_kernel", "re");
	unsigned long start, end;
	size_t found = 0;
	char line[256];

	assert_non_null(file);
	while (found < count && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "0x%lx-0x%lx", &start, &end) != 2)
			continue;
		for (size_t i = 0; i < count; i++) {
			if ((uintptr_t)pages[i] < start || (uintptr_t)pages[i] >= end)
				continue;
			snprintf(attributes[i], 128, "%.127s", line);
			found++;
		}
	}
	fclose(file);
	assert_int_equal(found, count);
}

/* ---- mapping ------------------------------------------------------------ */

static void registers_answer_through_a_mapping(void **state)
{
	int fd = export_range(&fx.bochs, REGISTERS, 0, PAGE);
	volatile uint32_t *registers = map(fd, PAGE);

	assert_int_equal(*(volatile uint16_t *)((uintptr_t)registers + VERSION), VERSION_VALUE);
	unmap(registers, PAGE);
	close(fd);
}

static void mapping_shows_what_the_device_file_shows(void **state)
{
	int fd = export_memory(0, MEMORY_SIZE);
	volatile uint32_t *memory = map(fd, MEMORY_SIZE), value;
	const uint64_t offset = 5 * MIB + 8;

	memory[WORDS(offset)] = 0x12345678;
	assert_int_equal(pread(fx.bochs.fd, (void *)(uintptr_t)&value, sizeof(value),
			       (off_t)(bar_offset(MEMORY) + offset)),
			 sizeof(value));
	assert_int_equal(value, 0x12345678);
	unmap(memory, MEMORY_SIZE);
	close(fd);
}

static void device_file_can_be_mapped_beside(void **state)
{
	int fd = export_memory(0, 2 * PAGE);
	volatile uint32_t *ours = map(fd, 2 * PAGE);
	volatile uint32_t *device = map_at(fx.bochs.fd, bar_offset(MEMORY), 2 * PAGE);

	ours[WORDS(PAGE)] = 1111;
	assert_int_equal(device[WORDS(PAGE)], 1111);
	device[WORDS(PAGE)] = 2222;
	assert_int_equal(ours[WORDS(PAGE)], 2222);
	unmap(device, 2 * PAGE);
	unmap(ours, 2 * PAGE);
	close(fd);
}

static void mapping_must_be_within_the_buffer(void **state)
{
	int fd = export_memory(0, 4 * PAGE);
	const int prot = PROT_READ | PROT_WRITE;

	map_fails(fd, 0, 5 * PAGE, prot, MAP_SHARED, EINVAL);
	map_fails(fd, 4 * PAGE, PAGE, prot, MAP_SHARED, EINVAL);
	map_fails(fd, 3 * PAGE, 2 * PAGE, prot, MAP_SHARED, EINVAL);
	map_fails(fx.bochs.fd, bar_offset(MEMORY), MEMORY_SIZE + PAGE, prot, MAP_SHARED, EINVAL);
	map_fails(fx.bochs.fd, bar_offset(MEMORY) + MEMORY_SIZE, PAGE, prot, MAP_SHARED, EINVAL);
	close(fd);
}

static void mapping_must_be_shared(void **state)
{
	int fd = export_memory(0, PAGE);

	map_fails(fd, 0, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, EINVAL);
	close(fd);
}

static void mappings_of_a_buffer_show_the_same(void **state)
{
	int fd = export_memory(0, 4 * PAGE);
	volatile uint32_t *one = map(fd, 4 * PAGE), *two = map(fd, 4 * PAGE);

	one[WORDS(3 * PAGE)] = 7;
	assert_int_equal(two[WORDS(3 * PAGE)], 7);
	unmap(one, 4 * PAGE);
	two[WORDS(3 * PAGE)] = 8;
	assert_int_equal(two[WORDS(3 * PAGE)], 8);
	unmap(two, 4 * PAGE);
	close(fd);
}

static void overlapping_buffers_show_the_same(void **state)
{
	int one = export_memory(0, 4 * PAGE), two = export_memory(2 * PAGE, 4 * PAGE);
	volatile uint32_t *first = map(one, 4 * PAGE), *second = map(two, 4 * PAGE);

	first[WORDS(3 * PAGE)] = 99;
	assert_int_equal(second[WORDS(PAGE)], 99);
	unmap(first, 4 * PAGE);
	unmap(second, 4 * PAGE);
	close(one);
	close(two);
}

/* Marks the first pages of the memory with their numbers. */
static void number_pages(uint32_t count)
{
	volatile uint32_t *device = map_at(fx.bochs.fd, bar_offset(MEMORY), count * PAGE);

	for (uint32_t i = 0; i < count; i++)
		device[WORDS(i * PAGE)] = 1000 + i;
	unmap(device, count * PAGE);
}

static int export_three_ranges(void)
{
	static const struct dma_range ranges[] = {{6 * PAGE, 2 * PAGE},
						  {1 * PAGE, PAGE},
						  {6 * PAGE, PAGE}};
	int fd = export_ranges(&fx.bochs, MEMORY, O_RDWR | O_CLOEXEC, 0, ranges, 3);

	assert_true(fd >= 0);
	return fd;
}

static void ranges_follow_each_other(void **state)
{
	static const uint32_t expected[] = {1006, 1007, 1001, 1006};
	volatile uint32_t *memory;
	int fd;

	number_pages(8);
	fd = export_three_ranges();
	assert_int_equal(lseek(fd, 0, SEEK_END), 4 * PAGE);
	memory = map(fd, 4 * PAGE);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(memory[WORDS(i * PAGE)], expected[i]);
	unmap(memory, 4 * PAGE);
	close(fd);
}

static void mapping_may_begin_in_a_later_range(void **state)
{
	volatile uint32_t *memory;
	int fd;

	number_pages(8);
	fd = export_three_ranges();
	memory = map_at(fd, 2 * PAGE, 2 * PAGE);
	assert_int_equal(memory[0], 1001);
	assert_int_equal(memory[WORDS(PAGE)], 1006);
	unmap(memory, 2 * PAGE);
	close(fd);
}

/* Every page its own number, in mappings that are aligned for huge pages and such that are not. */
static void huge_pages_show_the_right_memory(void **state)
{
	static const struct dma_range ranges[] = {{8 * MIB, 4 * MIB},
						  {2 * MIB, 2 * MIB},
						  {16 * MIB + PAGE, 4 * MIB}};
	const uint64_t size = 10 * MIB, starts[] = {0, PAGE, 2 * MIB};
	volatile uint32_t *device;
	int fd;

	device = map_at(fx.bochs.fd, bar_offset(MEMORY), MEMORY_SIZE);
	for (uint64_t i = 0; i < MEMORY_SIZE; i += PAGE)
		device[WORDS(i)] = (uint32_t)(i / PAGE);
	unmap(device, MEMORY_SIZE);

	fd = export_ranges(&fx.bochs, MEMORY, O_RDWR | O_CLOEXEC, 0, ranges, 3);
	assert_true(fd >= 0);
	for (size_t j = 0; j < 3; j++) {
		char *space = aligned_space(size);
		volatile uint32_t *memory = mmap(space, size - starts[j], PROT_READ | PROT_WRITE,
						 MAP_SHARED | MAP_FIXED, fd, (off_t)starts[j]);
		uint64_t at = 0;

		assert_ptr_equal(memory, space);
		for (size_t i = 0; i < 3; i++)
			for (uint64_t k = 0; k < ranges[i].length; k += PAGE, at += PAGE)
				if (at >= starts[j])
					assert_int_equal(memory[WORDS(at - starts[j])],
							 (ranges[i].offset + k) / PAGE);
		munmap(space, size);
	}
	close(fd);
}

/* Of dma-bufs and of the device file: where the address is aligned, and not beyond the end. */
static void huge_pages_are_where_they_fit(void **state)
{
	static const char *const levels[] = {"pmd", "pte", "pte", "pmd", "pte", "pte"};
	int fd = export_memory(0, 8 * MIB), fds[] = {fd, fx.bochs.fd};
	const uint64_t starts[] = {0, bar_offset(MEMORY)};
	volatile uint32_t *pages[6];
	char attributes[6][128];
	char *spaces[4];

	for (size_t i = 0; i < 4; i++) {
		char *space = spaces[i] = aligned_space(8 * MIB);
		void *memory = mmap(space + i % 2 * PAGE, 8 * MIB - PAGE, PROT_READ | PROT_WRITE,
				    MAP_SHARED | MAP_FIXED, fds[i / 2], (off_t)starts[i / 2]);

		assert_ptr_not_equal(memory, MAP_FAILED);
	}
	for (size_t i = 0; i < 2; i++) {
		pages[3 * i] = (volatile uint32_t *)(spaces[2 * i] + 3 * MIB);
		pages[3 * i + 1] = (volatile uint32_t *)(spaces[2 * i] + 7 * MIB);
		pages[3 * i + 2] = (volatile uint32_t *)(spaces[2 * i + 1] + 3 * MIB);
	}
	for (size_t i = 0; i < 6; i++)
		*pages[i] = 1;
	page_attributes(pages, 6, attributes);
	for (size_t i = 0; i < 6; i++)
		if (!strstr(attributes[i], levels[i]))
			fail_msg("page %zu is in no %s: %s", i, levels[i], attributes[i]);
	for (size_t i = 0; i < 4; i++)
		munmap(spaces[i], 8 * MIB);
	close(fd);
}

static void mapping_of_the_device_file_can_be_split(void **state)
{
	volatile uint32_t *device;

	number_pages(8);
	device = map_at(fx.bochs.fd, bar_offset(MEMORY) + 2 * PAGE, 6 * PAGE);
	assert_int_equal(device[0], 1002);
	unmap(device + WORDS(2 * PAGE), PAGE);
	assert_int_equal(device[WORDS(PAGE)], 1003);
	/* Not touched before it was split off. */
	assert_int_equal(device[WORDS(3 * PAGE)], 1005);
	assert_int_equal(device[WORDS(5 * PAGE)], 1007);
	unmap(device, 2 * PAGE);
	unmap(device + WORDS(3 * PAGE), 3 * PAGE);
}

static void mapping_outlives_the_descriptor(void **state)
{
	int fd = export_memory(0, PAGE);
	volatile uint32_t *memory = map(fd, PAGE);

	close(fd);
	assert_int_equal(try_write(memory, 5), 0);
	assert_true(reads(memory, 5));
	unmap(memory, PAGE);
}

static void child_inherits_a_mapping(void **state)
{
	int fd = export_memory(0, PAGE), status;
	volatile uint32_t *memory = map(fd, PAGE);
	pid_t pid;

	*memory = 41;
	pid = fork();
	if (pid == 0) {
		*memory += 1;
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(*memory, 42);
	unmap(memory, PAGE);
	close(fd);
}

static void buffer_opened_for_reading_cannot_be_written(void **state)
{
	static const struct dma_range range = {0, PAGE};
	int fd = export_ranges(&fx.bochs, MEMORY, O_RDONLY | O_CLOEXEC, 0, &range, 1);
	volatile uint32_t *memory;

	number_pages(1);
	map_fails(fd, 0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, EACCES);
	memory = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(memory, MAP_FAILED);
	assert_int_equal(*memory, 1000);
	assert_int_equal(mprotect((void *)(uintptr_t)memory, PAGE, PROT_READ | PROT_WRITE), -1);
	assert_int_equal(errno, EACCES);
	unmap(memory, PAGE);
	close(fd);
}

static void export_checks_its_ranges(void **state)
{
	const struct device *bochs = &fx.bochs;
	static const struct dma_range page = {0, PAGE};

	assert_int_equal(export_range(bochs, MEMORY, 0, 0), -EINVAL);
	assert_int_equal(export_range(bochs, MEMORY, 1, PAGE), -EINVAL);
	assert_int_equal(export_range(bochs, MEMORY, 0, PAGE + 1), -EINVAL);
	assert_int_equal(export_range(bochs, MEMORY, MEMORY_SIZE, PAGE), -EINVAL);
	assert_int_equal(export_range(bochs, MEMORY, 0, MEMORY_SIZE + PAGE), -EINVAL);
	assert_int_equal(export_range(bochs, MEMORY, -PAGE, PAGE), -EOVERFLOW);
	assert_int_equal(export_ranges(bochs, MEMORY, O_RDWR, 0, &page, 0), -EINVAL);
	assert_int_equal(export_range(bochs, VFIO_PCI_ROM_REGION_INDEX, 0, PAGE), -ENODEV);
	assert_int_equal(export_range(bochs, 1, 0, PAGE), -ENODEV);
}

/* ---- names -------------------------------------------------------------- */

/* The line of /proc/self/maps that has the address. */
static void maps_line(volatile uint32_t *address, char line[256])
{
	FILE *file = fopen("/proc/self/maps", "re");
	unsigned long start, end;

	assert_non_null(file);
	while (fgets(line, 256, file))
		if (sscanf(line, "%lx-%lx", &start, &end) == 2 && (uintptr_t)address >= start &&
		    (uintptr_t)address < end) {
			line[strcspn(line, "\n")] = '\0';
			fclose(file);
			return;
		}
	fclose(file);
	fail_msg("%p is not in /proc/self/maps", (void *)(uintptr_t)address);
}

static bool ends_with(const char *text, const char *end)
{
	const size_t length = strlen(text), tail = strlen(end);

	return length >= tail && strcmp(text + length - tail, end) == 0;
}

static void mapping_of_a_bar_is_named_after_it(void **state)
{
	char expected[64], line[256];
	volatile uint32_t *device = map_at(fx.bochs.fd, bar_offset(REGISTERS), PAGE);

	snprintf(expected, sizeof(expected), " /dmabuf:%s:%s/2", fx.bochs.name, fx.bochs.address);
	maps_line(device, line);
	assert_true(ends_with(line, expected));
	unmap(device, PAGE);
}

static void mapping_of_a_buffer_has_the_name_it_was_given(void **state)
{
	int fd = export_memory(0, PAGE);
	volatile uint32_t *memory = map(fd, PAGE);
	char line[256];

	maps_line(memory, line);
	assert_true(ends_with(line, " /dmabuf:"));
	assert_int_equal(ioctl(fd, DMA_BUF_SET_NAME, "queue 5"), 0);
	maps_line(memory, line);
	assert_true(ends_with(line, " /dmabuf:queue 5"));
	unmap(memory, PAGE);
	close(fd);
}

/* ---- revocation --------------------------------------------------------- */

typedef int (*revoke_fn)(const struct device *device, int fd);

/* Both ways to ask have to do the same. */
static const revoke_fn revokes[] = {revoke_by_feature, revoke_by_ioctl};

static void revoked_buffer_is_out_of_reach(void **state)
{
	for (size_t i = 0; i < 2; i++) {
		int fd = export_memory(0, 2 * PAGE);
		volatile uint32_t *memory = map(fd, 2 * PAGE);

		memory[0] = 1;
		assert_int_equal(revokes[i](&fx.bochs, fd), 0);
		assert_true(is_out_of_reach(memory));
		/* A page that had not been touched. */
		assert_true(is_out_of_reach(memory + WORDS(PAGE)));
		unmap(memory, 2 * PAGE);
		close(fd);
	}
}

static void revoked_buffer_cannot_be_mapped(void **state)
{
	for (size_t i = 0; i < 2; i++) {
		int fd = export_memory(0, PAGE);

		assert_int_equal(revokes[i](&fx.bochs, fd), 0);
		map_fails(fd, 0, PAGE, PROT_READ, MAP_SHARED, ENODEV);
		close(fd);
	}
}

static void buffer_is_revoked_once(void **state)
{
	for (size_t i = 0; i < 2; i++) {
		int fd = export_memory(0, PAGE);

		assert_int_equal(revokes[i](&fx.bochs, fd), 0);
		assert_int_equal(revokes[i](&fx.bochs, fd), -EBADFD);
		assert_int_equal(revokes[!i](&fx.bochs, fd), -EBADFD);
		close(fd);
	}
}

static void revocation_leaves_others_alone(void **state)
{
	int fd = export_memory(0, PAGE), other = export_memory(0, PAGE);
	volatile uint32_t *memory = map(fd, PAGE), *others = map(other, PAGE);
	volatile uint32_t *device = map_at(fx.bochs.fd, bar_offset(MEMORY), PAGE);

	*memory = 17;
	assert_int_equal(revoke_by_feature(&fx.bochs, fd), 0);
	assert_true(is_out_of_reach(memory));
	assert_true(reads(others, 17));
	assert_true(reads(device, 17));
	unmap(memory, PAGE);
	unmap(others, PAGE);
	unmap(device, PAGE);
	close(fd);
	close(other);
}

static void revoked_range_can_be_exported_again(void **state)
{
	int fd = export_memory(0, PAGE), again;
	volatile uint32_t *memory;

	number_pages(1);
	assert_int_equal(revoke_by_feature(&fx.bochs, fd), 0);
	again = export_memory(0, PAGE);
	memory = map(again, PAGE);
	assert_true(reads(memory, 1000));
	unmap(memory, PAGE);
	close(again);
	close(fd);
}

static void revocation_through_a_duplicate_hits_all_mappings(void **state)
{
	int fd = export_memory(0, PAGE), copy = dup(fd);
	volatile uint32_t *one = map(fd, PAGE), *two = map(copy, PAGE);

	*one = *two = 3;
	assert_int_equal(revoke_by_feature(&fx.bochs, copy), 0);
	assert_true(is_out_of_reach(one));
	assert_true(is_out_of_reach(two));
	unmap(one, PAGE);
	unmap(two, PAGE);
	close(copy);
	close(fd);
}

static void revocation_hits_huge_pages(void **state)
{
	int fd = export_memory(0, 8 * MIB);
	void *space = aligned_space(8 * MIB);
	volatile uint32_t *memory =
		mmap(space, 8 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);

	assert_ptr_equal(memory, space);
	memory[WORDS(3 * MIB)] = 1;
	assert_int_equal(revoke_by_feature(&fx.bochs, fd), 0);
	assert_true(is_out_of_reach(memory + WORDS(3 * MIB)));
	unmap(memory, 8 * MIB);
	close(fd);
}

static void revocation_hits_a_childs_mapping(void **state)
{
	int fd = export_memory(0, PAGE), ready[2], go[2], status;
	volatile uint32_t *memory = map(fd, PAGE);
	char byte = 0;
	pid_t pid;

	assert_int_equal(pipe(ready) | pipe(go), 0);
	*memory = 1;
	pid = fork();
	if (pid == 0) {
		bool was_there = reads(memory, 1);

		if (write(ready[1], &byte, 1) != 1 || read(go[0], &byte, 1) != 1)
			_exit(1);
		_exit(was_there && is_out_of_reach(memory) ? 0 : 2);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(revoke_by_feature(&fx.bochs, fd), 0);
	assert_int_equal(write(go[1], &byte, 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	for (int i = 0; i < 2; i++) {
		close(ready[i]);
		close(go[i]);
	}
	unmap(memory, PAGE);
	close(fd);
}

/* A process that has the buffer and nothing else: no device, no IOMMU. */
static int client(int socket)
{
	volatile uint32_t *memory;
	char byte = 0;
	int fd;

	for (fd = 3; fd < 1024; fd++)
		if (fd != socket)
			close(fd);
	fd = receive_fd(socket);
	memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED || !reads(memory, 1003) || try_write(memory, 77))
		return 1;
	if (write(socket, &byte, 1) != 1 || read(socket, &byte, 1) != 1)
		return 2;
	if (!is_out_of_reach(memory) ||
	    mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0) != MAP_FAILED || errno != ENODEV)
		return 3;
	return 0;
}

static void process_that_was_sent_a_buffer_loses_it(void **state)
{
	int fd = export_memory(3 * PAGE, PAGE), sockets[2], status;
	volatile uint32_t *device = map_at(fx.bochs.fd, bar_offset(MEMORY), 4 * PAGE);
	char byte = 0;
	pid_t pid;

	number_pages(4);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
	pid = fork();
	if (pid == 0)
		_exit(client(sockets[1]));
	close(sockets[1]);
	assert_int_equal(send_fd(sockets[0], fd), 0);
	assert_int_equal(read(sockets[0], &byte, 1), 1);
	assert_int_equal(device[WORDS(3 * PAGE)], 77);
	assert_int_equal(revoke_by_feature(&fx.bochs, fd), 0);
	assert_int_equal(write(sockets[0], &byte, 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(sockets[0]);
	unmap(device, 4 * PAGE);
	close(fd);
}

static int foreign_dma_buf(void)
{
	struct udmabuf_create create = {.size = PAGE, .flags = UDMABUF_FLAGS_CLOEXEC};
	int node = open("/dev/udmabuf", O_RDWR | O_CLOEXEC), fd;

	create.memfd = (uint32_t)memfd_create("foreign", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	assert_int_equal(ftruncate((int)create.memfd, PAGE), 0);
	assert_int_equal(fcntl((int)create.memfd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	fd = ioctl(node, UDMABUF_CREATE, &create);
	assert_true(fd >= 0);
	close((int)create.memfd);
	close(node);
	return fd;
}

static void only_buffers_of_the_device_can_be_revoked(void **state)
{
	struct device edu;
	int theirs, foreign = foreign_dma_buf(), null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int path;

	assert_int_equal(device_open(fx.edu_address, &edu), 0);
	theirs = export_range(&edu, 0, 0, EDU_SIZE);
	assert_true(theirs >= 0);
	path = open("/dev/null", O_PATH | O_CLOEXEC);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(revokes[i](&fx.bochs, theirs), -ENODEV);
		assert_int_equal(revokes[i](&fx.bochs, foreign), -ENODEV);
		assert_int_equal(revokes[i](&fx.bochs, null), -EINVAL);
		assert_int_equal(revokes[i](&fx.bochs, fx.bochs.fd), -EINVAL);
		assert_int_equal(revokes[i](&fx.bochs, path), -EBADF);
		assert_int_equal(revokes[i](&fx.bochs, CLOSED_FD), -EBADF);
		assert_int_equal(revokes[i](&fx.bochs, -1), -EBADF);
	}
	assert_int_equal(revoke_by_feature(&edu, theirs), 0);
	close(path);
	close(null);
	close(foreign);
	close(theirs);
	device_close(&edu);
}

static void arguments_of_revoke_are_checked(void **state)
{
	struct revoke_args by_ioctl = {.argsz = sizeof(by_ioctl) - 1, .fd = -1};
	struct revoke_feature feature = {
		.argsz = sizeof(feature) - 1,
		.flags = DMA_BUF_REVOKE | VFIO_DEVICE_FEATURE_SET,
		.fd = -1,
	};

	assert_int_equal(probe_feature(&fx.bochs, DMA_BUF_REVOKE), 0);
	assert_int_equal(call(fx.bochs.fd, REVOKE_IOCTL, &by_ioctl), -EINVAL);
	assert_int_equal(call(fx.bochs.fd, REVOKE_IOCTL, NULL), -EFAULT);
	assert_int_equal(call(fx.bochs.fd, VFIO_DEVICE_FEATURE, &feature), -EINVAL);
	feature.argsz = sizeof(feature);
	feature.flags = DMA_BUF_REVOKE | VFIO_DEVICE_FEATURE_GET;
	assert_int_equal(call(fx.bochs.fd, VFIO_DEVICE_FEATURE, &feature), -EINVAL);
}

static struct {
	volatile uint32_t *memory;
	atomic_bool revoked, started;
	atomic_uint late; /* reads that came through afterwards */
} race;

static void *read_all_the_time(void *arg)
{
	unsigned int checked = 0;
	uint32_t value;

	for (uint64_t i = 0;; i++) {
		bool was_revoked = atomic_load(&race.revoked);
		int r = try_read(race.memory + WORDS(i % 64 * PAGE), &value);

		atomic_store(&race.started, true);
		if (was_revoked) {
			atomic_fetch_add(&race.late, r == 0);
			if (++checked == 64)
				return NULL;
		}
	}
}

static void no_fault_gets_past_a_revocation(void **state)
{
	for (int round = 0; round < 50; round++) {
		int fd = export_memory(0, 64 * PAGE);
		pthread_t threads[2];

		race.memory = map(fd, 64 * PAGE);
		race.revoked = race.started = false;
		for (int i = 0; i < 2; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, read_all_the_time, NULL),
					 0);
		while (!atomic_load(&race.started))
			sched_yield();
		assert_int_equal(revokes[round % 2](&fx.bochs, fd), 0);
		atomic_store(&race.revoked, true);
		for (int i = 0; i < 2; i++)
			pthread_join(threads[i], NULL);
		unmap(race.memory, 64 * PAGE);
		close(fd);
	}
	assert_int_equal(race.late, 0);
}

/* ---- for a time only ---------------------------------------------------- */

static struct {
	int fd;
	volatile uint32_t *memory, *device;
} both;

static void map_both(void)
{
	both.fd = export_memory(0, PAGE);
	both.memory = map(both.fd, PAGE);
	both.device = map_at(fx.bochs.fd, bar_offset(MEMORY), PAGE);
	assert_int_equal(try_write(both.memory, 600), 0);
	assert_true(reads(both.device, 600));
}

static void unmap_both(void)
{
	unmap(both.memory, PAGE);
	unmap(both.device, PAGE);
	close(both.fd);
}

static bool both_work(void)
{
	uint32_t value;

	return !try_write(both.memory, 601) && reads(both.device, 601) &&
	       !try_read(both.memory, &value);
}

static void mappings_work_after_a_reset(void **state)
{
	map_both();
	assert_int_equal(call(fx.bochs.fd, VFIO_DEVICE_RESET, NULL), 0);
	assert_true(both_work());
	unmap_both();
}

static void mappings_are_dead_while_memory_is_disabled(void **state)
{
	map_both();
	assert_int_equal(enable_memory(&fx.bochs, false), 0);
	assert_true(is_out_of_reach(both.memory));
	assert_true(is_out_of_reach(both.device));
	assert_int_equal(enable_memory(&fx.bochs, true), 0);
	assert_true(both_work());
	unmap_both();
}

static void mappings_can_be_made_while_memory_is_disabled(void **state)
{
	assert_int_equal(enable_memory(&fx.bochs, false), 0);
	both.fd = export_memory(0, PAGE);
	both.memory = map(both.fd, PAGE);
	both.device = map_at(fx.bochs.fd, bar_offset(MEMORY), PAGE);
	assert_true(is_out_of_reach(both.memory));
	assert_true(is_out_of_reach(both.device));
	assert_int_equal(enable_memory(&fx.bochs, true), 0);
	assert_true(both_work());
	unmap_both();
}

static void mappings_are_dead_in_low_power(void **state)
{
	map_both();
	assert_int_equal(set_feature(&fx.bochs, LOW_POWER_ENTRY), 0);
	assert_true(is_out_of_reach(both.memory));
	assert_true(is_out_of_reach(both.device));
	assert_int_equal(set_feature(&fx.bochs, LOW_POWER_EXIT), 0);
	assert_true(both_work());
	unmap_both();
}

static void command_register_does_not_end_low_power(void **state)
{
	map_both();
	assert_int_equal(set_feature(&fx.bochs, LOW_POWER_ENTRY), 0);
	assert_int_equal(enable_memory(&fx.bochs, true), 0);
	assert_true(is_out_of_reach(both.memory));
	assert_true(is_out_of_reach(both.device));
	assert_int_equal(set_feature(&fx.bochs, LOW_POWER_EXIT), 0);
	assert_true(both_work());
	unmap_both();
}

/* Whatever wakes the device ends low power by itself then. */
static void mappings_work_after_a_wake_up(void **state)
{
	struct {
		uint32_t argsz, flags;
		int32_t eventfd;
		uint32_t reserved;
	} args = {
		.argsz = sizeof(args),
		.flags = LOW_POWER_ENTRY_WITH_WAKEUP | VFIO_DEVICE_FEATURE_SET,
		.eventfd = eventfd(0, EFD_CLOEXEC),
	};
	char control[64], text[16] = "";
	FILE *file;

	map_both();
	assert_int_equal(call(fx.bochs.fd, VFIO_DEVICE_FEATURE, &args), 0);
	/* Suspends as soon as it is let; the wake-up is by the next call. */
	snprintf(control, sizeof(control), "/sys/bus/pci/devices/%s/power/runtime_status",
		 fx.bochs_address);
	for (int i = 0; i < 1200 && strncmp(text, "suspended", 9) != 0; i++) {
		file = fopen(control, "re");
		assert_non_null(file);
		assert_non_null(fgets(text, sizeof(text), file));
		fclose(file);
		usleep(50000);
	}
	assert_true(strncmp(text, "suspended", 9) == 0);
	assert_true(is_out_of_reach(both.memory));
	assert_int_equal(probe_feature(&fx.bochs, DMA_BUF_EXPORT), 0);
	assert_true(both_work());
	unmap_both();
	close(args.eventfd);
}

static void reset_does_not_undo_a_revocation(void **state)
{
	map_both();
	assert_int_equal(revoke_by_feature(&fx.bochs, both.fd), 0);
	assert_int_equal(call(fx.bochs.fd, VFIO_DEVICE_RESET, NULL), 0);
	assert_true(is_out_of_reach(both.memory));
	assert_true(reads(both.device, *both.device));
	assert_int_equal(revoke_by_feature(&fx.bochs, both.fd), -EBADFD);
	unmap_both();
}

static void buffer_can_be_revoked_while_memory_is_disabled(void **state)
{
	map_both();
	assert_int_equal(enable_memory(&fx.bochs, false), 0);
	assert_int_equal(revoke_by_feature(&fx.bochs, both.fd), 0);
	assert_int_equal(enable_memory(&fx.bochs, true), 0);
	assert_true(is_out_of_reach(both.memory));
	unmap_both();
}

static struct {
	atomic_bool stop;
	atomic_uint reads, failures;
} resets;

static void *read_until_stopped(void *arg)
{
	volatile uint32_t *word = arg;
	uint32_t value;

	while (!atomic_load(&resets.stop)) {
		atomic_fetch_add(&resets.failures, try_read(word, &value) != 0);
		atomic_fetch_add(&resets.reads, 1);
	}
	return NULL;
}

static void accesses_wait_for_a_reset_to_end(void **state)
{
	pthread_t threads[2];

	map_both();
	resets.stop = false;
	resets.reads = resets.failures = 0;
	assert_int_equal(pthread_create(&threads[0], NULL, read_until_stopped,
					(void *)(uintptr_t)both.memory),
			 0);
	assert_int_equal(pthread_create(&threads[1], NULL, read_until_stopped,
					(void *)(uintptr_t)both.device),
			 0);
	while (resets.reads < 10)
		sched_yield();
	/* One after the other, so that some begin before those who have waited try again. */
	for (int i = 0; i < 20; i++)
		assert_int_equal(call(fx.bochs.fd, VFIO_DEVICE_RESET, NULL), 0);
	resets.stop = true;
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(resets.failures, 0);
	unmap_both();
}

/* ---- the end of the device ---------------------------------------------- */

static void mapping_of_a_bar_keeps_the_device_open(void **state)
{
	struct device *bochs = &fx.bochs;

	map_both();
	device_close(bochs);
	assert_true(both_work());
	unmap(both.device, PAGE);
	/* The last thing that kept it open. */
	assert_true(is_out_of_reach(both.memory));
	map_fails(both.fd, 0, PAGE, PROT_READ, MAP_SHARED, ENODEV);
	unmap(both.memory, PAGE);
	close(both.fd);
}

static void buffers_die_with_the_device(void **state)
{
	int fd = export_memory(0, PAGE);
	volatile uint32_t *memory = map(fd, PAGE);

	*memory = 4;
	device_close(&fx.bochs);
	assert_true(is_out_of_reach(memory));
	map_fails(fd, 0, PAGE, PROT_READ, MAP_SHARED, ENODEV);

	/* Who opens it next has nothing to do with that buffer. */
	assert_int_equal(device_open(fx.bochs_address, &fx.bochs), 0);
	assert_int_equal(revoke_by_feature(&fx.bochs, fd), -ENODEV);
	assert_true(is_out_of_reach(memory));
	unmap(memory, PAGE);
	close(fd);
}

static void tell_sysfs(const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", fx.bochs_address, name);
	assert_int_equal(write_text(path, text), 0);
}

static void buffer_may_outlive_the_driver_and_the_device(void **state)
{
	int fd = export_memory(0, PAGE);
	volatile uint32_t *memory = map(fd, PAGE);

	*memory = 4;
	device_close(&fx.bochs);
	tell_sysfs("driver/unbind", fx.bochs_address);
	assert_true(is_out_of_reach(memory));
	tell_sysfs("remove", "1");
	assert_true(is_out_of_reach(memory));
	map_fails(fd, 0, PAGE, PROT_READ, MAP_SHARED, ENODEV);
	unmap(memory, PAGE);
	close(fd);
	assert_int_equal(write_text("/sys/bus/pci/rescan", "1"), 0);
	assert_int_equal(pci_bind(fx.bochs_address), 0);
}

/* The file is freed when all CPUs have passed a quiescent state. */
static void wait_for_rcu(void)
{
	for (int i = 0; i < 3; i++)
		assert_int_equal(syscall(SYS_membarrier, 1, 0, 0), 0);
	usleep(100000);
}

static void buffer_may_outlive_its_file(void **state)
{
	char name[32];
	int fd = export_memory(0, PAGE), path;

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	path = open(name, O_PATH | O_CLOEXEC);
	assert_true(path >= 0);
	close(fd);
	wait_for_rcu();
	assert_int_equal(call(fx.bochs.fd, VFIO_DEVICE_RESET, NULL), 0);
	device_close(&fx.bochs);
	/* Does not wait for the path to be closed. */
	tell_sysfs("driver/unbind", fx.bochs_address);
	close(path);
	assert_int_equal(pci_bind(fx.bochs_address), 0);
}

/* ---- memory attributes -------------------------------------------------- */

/* Two pages, which are to have these attributes. */
static void assert_attributes(volatile uint32_t *one, bool one_combines, volatile uint32_t *two,
			      bool two_combines)
{
	volatile uint32_t *const pages[] = {one, two};
	const bool combines[] = {one_combines, two_combines};
	char attributes[2][128];

	*one = *two = 1;
	page_attributes(pages, 2, attributes);
	for (size_t i = 0; i < 2; i++) {
		assert_true(!strstr(attributes[i], "PWT") != combines[i]);
		assert_true(!strstr(attributes[i], "PCD") == combines[i]);
	}
}

static void mappings_are_uncached(void **state)
{
	int fd = export_memory(0, PAGE);
	volatile uint32_t *memory = map(fd, PAGE);
	volatile uint32_t *device = map_at(fx.bochs.fd, bar_offset(MEMORY), PAGE);

	assert_attributes(memory, false, device, false);
	unmap(memory, PAGE);
	unmap(device, PAGE);
	close(fd);
}

static void buffer_can_be_exported_as_write_combining(void **state)
{
	static const struct dma_range range = {0, 4 * PAGE};
	int fd = export_ranges(&fx.bochs, MEMORY, O_RDWR | O_CLOEXEC, ATTR_WC, &range, 1);
	volatile uint32_t *memory = map(fd, 4 * PAGE);
	volatile uint32_t *device = map_at(fx.bochs.fd, bar_offset(MEMORY), 4 * PAGE);

	assert_attributes(memory, true, device, false);
	memory[WORDS(2 * PAGE)] = 1234;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	assert_int_equal(device[WORDS(2 * PAGE)], 1234);
	unmap(device, 4 * PAGE);
	unmap(memory, 4 * PAGE);
	close(fd);
}

static void attribute_is_for_later_mappings(void **state)
{
	int fd = export_memory(0, PAGE);
	volatile uint32_t *before = map(fd, PAGE), *after, *last;

	assert_int_equal(set_memattr(&fx.bochs, fd, MEMATTR_WC), 0);
	after = map(fd, PAGE);
	assert_attributes(before, false, after, true);
	assert_int_equal(set_memattr(&fx.bochs, fd, MEMATTR_NC), 0);
	last = map(fd, PAGE);
	assert_attributes(after, true, last, false);
	unmap(before, PAGE);
	unmap(after, PAGE);
	unmap(last, PAGE);
	close(fd);
}

static void write_combining_mapping_is_revoked_and_restored(void **state)
{
	int fd = export_memory(0, 2 * MIB);
	volatile uint32_t *memory;

	assert_int_equal(set_memattr(&fx.bochs, fd, MEMATTR_WC), 0);
	memory = map(fd, 2 * MIB);
	for (uint64_t i = 0; i < 2 * MIB; i += PAGE)
		memory[WORDS(i)] = (uint32_t)i;
	assert_int_equal(enable_memory(&fx.bochs, false), 0);
	assert_true(is_out_of_reach(memory + WORDS(MIB)));
	assert_int_equal(enable_memory(&fx.bochs, true), 0);
	for (uint64_t i = 0; i < 2 * MIB; i += PAGE)
		assert_true(reads(memory + WORDS(i), (uint32_t)i));
	assert_int_equal(revoke_by_feature(&fx.bochs, fd), 0);
	assert_true(is_out_of_reach(memory + WORDS(MIB)));
	unmap(memory, 2 * MIB);
	close(fd);
}

static void arguments_of_attributes_are_checked(void **state)
{
	static const struct dma_range range = {0, PAGE};
	struct memattr_feature args = {
		.argsz = sizeof(args) - 1,
		.flags = DMA_BUF_MEMATTR | VFIO_DEVICE_FEATURE_SET,
		.fd = -1,
	};
	int fd = export_memory(0, PAGE), null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int foreign = foreign_dma_buf();

	for (uint32_t i = 2; i < 16; i++)
		assert_int_equal(export_ranges(&fx.bochs, MEMORY, O_RDWR, i << 28, &range, 1),
				 -EINVAL);
	for (uint32_t i = 0; i < 28; i++)
		assert_int_equal(export_ranges(&fx.bochs, MEMORY, O_RDWR, 1U << i, &range, 1),
				 -EINVAL);

	assert_int_equal(probe_feature(&fx.bochs, DMA_BUF_MEMATTR), 0);
	assert_int_equal(call(fx.bochs.fd, VFIO_DEVICE_FEATURE, &args), -EINVAL);
	assert_int_equal(set_memattr(&fx.bochs, -1, MEMATTR_WC), -EBADF);
	assert_int_equal(set_memattr(&fx.bochs, null, MEMATTR_WC), -EINVAL);
	assert_int_equal(set_memattr(&fx.bochs, foreign, MEMATTR_WC), -ENODEV);
	assert_int_equal(set_memattr(&fx.bochs, fd, 2), -ENOENT);
	assert_int_equal(set_memattr(&fx.bochs, fd, UINT32_MAX), -ENOENT);
	close(foreign);
	close(null);
	close(fd);
}

/* ---- importers ---------------------------------------------------------- */

#define IOVA UINT64_C(0x1000000) /* edu addresses 28 bits */
#define EDU_DMA_SOURCE WORDS(0x80)
#define EDU_DMA_TARGET WORDS(0x88)
#define EDU_DMA_COUNT WORDS(0x90)
#define EDU_DMA_COMMAND WORDS(0x98)
#define EDU_BUFFER UINT64_C(0x40000) /* the device's own memory, as its DMA engine knows it */
#define EDU_RUN 1U
#define EDU_TO_MEMORY 2U

static int ioas_map(const struct device *device, int fd, uint64_t length)
{
	struct ioas_map_file args = {
		.size = sizeof(args),
		.flags = IOAS_READABLE | IOAS_WRITEABLE | IOAS_FIXED_IOVA,
		.ioas_id = device->ioas,
		.fd = fd,
		.length = length,
		.iova = IOVA,
	};

	return call(device->iommu, IOAS_MAP_FILE, &args);
}

/* Have the device copy 4 bytes between its buffer and the IOVA. */
static void edu_copy(volatile uint32_t *registers, uint32_t direction)
{
	const bool to_memory = direction == EDU_TO_MEMORY;

	*(volatile uint64_t *)(registers + EDU_DMA_SOURCE) = to_memory ? EDU_BUFFER : IOVA;
	*(volatile uint64_t *)(registers + EDU_DMA_TARGET) = to_memory ? IOVA : EDU_BUFFER;
	*(volatile uint64_t *)(registers + EDU_DMA_COUNT) = 4;
	*(volatile uint64_t *)(registers + EDU_DMA_COMMAND) = EDU_RUN | direction;
	while (registers[EDU_DMA_COMMAND] & EDU_RUN)
		usleep(1000);
}

static void enable_dma(const struct device *device)
{
	const off_t command = (off_t)(UINT64_C(7) << 40) + 4;
	uint16_t value = 6;

	assert_int_equal(pwrite(device->fd, &value, sizeof(value), command), sizeof(value));
}

/* edu copies the first word of the memory to the second page, while it may. */
static void device_that_imported_a_buffer_loses_it(void **state)
{
	int fd = export_memory(0, PAGE);
	volatile uint32_t *memory = map_at(fx.bochs.fd, bar_offset(MEMORY), PAGE), *registers;
	struct device edu;

	assert_int_equal(device_open(fx.edu_address, &edu), 0);
	enable_dma(&edu);
	registers = map_at(edu.fd, 0, EDU_SIZE);
	assert_int_equal(registers[0], EDU_ID);

	assert_int_equal(ioas_map(&edu, fd, PAGE), 0);
	*memory = 0x11223344;
	edu_copy(registers, 0);
	*memory = 0;
	edu_copy(registers, EDU_TO_MEMORY);
	assert_int_equal(*memory, 0x11223344);

	assert_int_equal(revoke_by_feature(&fx.bochs, fd), 0);
	*memory = 0;
	edu_copy(registers, EDU_TO_MEMORY);
	assert_int_equal(*memory, 0);

	unmap(registers, EDU_SIZE);
	unmap(memory, PAGE);
	device_close(&edu);
	close(fd);
}

static void revoked_buffer_cannot_be_imported(void **state)
{
	int fd = export_memory(0, PAGE);

	assert_int_equal(revoke_by_feature(&fx.bochs, fd), 0);
	assert_int_equal(ioas_map(&fx.bochs, fd, PAGE), -ENODEV);
	close(fd);
}

static void several_ranges_cannot_be_imported(void **state)
{
	int fd = export_three_ranges();

	assert_int_equal(ioas_map(&fx.bochs, fd, 4 * PAGE), -EOPNOTSUPP);
	close(fd);
}

/* cmocka has a handler of its own, which it sets before each. */
static void run(void **state)
{
	const CMUnitTestFunction test = (CMUnitTestFunction)(uintptr_t)*state;

	catch_sigbus();
	test(state);
}

#define TEST(fn)                                                 \
	{                                                        \
#fn, run, setup, teardown, (void *)(uintptr_t)fn \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(registers_answer_through_a_mapping),
		TEST(mapping_shows_what_the_device_file_shows),
		TEST(device_file_can_be_mapped_beside),
		TEST(mapping_must_be_within_the_buffer),
		TEST(mapping_must_be_shared),
		TEST(mappings_of_a_buffer_show_the_same),
		TEST(overlapping_buffers_show_the_same),
		TEST(ranges_follow_each_other),
		TEST(mapping_may_begin_in_a_later_range),
		TEST(huge_pages_show_the_right_memory),
		TEST(huge_pages_are_where_they_fit),
		TEST(mapping_of_the_device_file_can_be_split),
		TEST(mapping_outlives_the_descriptor),
		TEST(child_inherits_a_mapping),
		TEST(buffer_opened_for_reading_cannot_be_written),
		TEST(export_checks_its_ranges),
		TEST(mapping_of_a_bar_is_named_after_it),
		TEST(mapping_of_a_buffer_has_the_name_it_was_given),
		TEST(revoked_buffer_is_out_of_reach),
		TEST(revoked_buffer_cannot_be_mapped),
		TEST(buffer_is_revoked_once),
		TEST(revocation_leaves_others_alone),
		TEST(revoked_range_can_be_exported_again),
		TEST(revocation_through_a_duplicate_hits_all_mappings),
		TEST(revocation_hits_huge_pages),
		TEST(revocation_hits_a_childs_mapping),
		TEST(process_that_was_sent_a_buffer_loses_it),
		TEST(only_buffers_of_the_device_can_be_revoked),
		TEST(arguments_of_revoke_are_checked),
		TEST(no_fault_gets_past_a_revocation),
		TEST(mappings_work_after_a_reset),
		TEST(mappings_are_dead_while_memory_is_disabled),
		TEST(mappings_can_be_made_while_memory_is_disabled),
		TEST(mappings_are_dead_in_low_power),
		TEST(command_register_does_not_end_low_power),
		TEST(mappings_work_after_a_wake_up),
		TEST(reset_does_not_undo_a_revocation),
		TEST(buffer_can_be_revoked_while_memory_is_disabled),
		TEST(accesses_wait_for_a_reset_to_end),
		TEST(mapping_of_a_bar_keeps_the_device_open),
		TEST(buffers_die_with_the_device),
		TEST(buffer_may_outlive_the_driver_and_the_device),
		TEST(buffer_may_outlive_its_file),
		TEST(mappings_are_uncached),
		TEST(buffer_can_be_exported_as_write_combining),
		TEST(attribute_is_for_later_mappings),
		TEST(write_combining_mapping_is_revoked_and_restored),
		TEST(arguments_of_attributes_are_checked),
		TEST(device_that_imported_a_buffer_loses_it),
		TEST(revoked_buffer_cannot_be_imported),
		TEST(several_ranges_cannot_be_imported),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("vfio-dmabuf", tests, find_devices, NULL);
}
