/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Exports, maps, touches, revokes and closes dma-bufs of a VFIO device with random and mutated
 * arguments, from several threads that share descriptors, while the device is reset and its memory
 * switched off and on. What it looks for are reports of the kernel, descriptors that are left, and
 * whether the device does its work afterwards.
 */
#include <pthread.h>

#include "fds.h"
#include "fuzz.h"
#include "tap.h"
#include "vfio.h"

#define PAGE UINT64_C(4096)
#define POOL 32
#define MAPPINGS 16
#define MAX_THREADS 8
#define MAX_RANGES 8U
#define MAX_PAGES 600U /* of a mapping: more than a huge page has */
#define BARS 3U

enum what { EXPORT, REVOKE, REVOKE_IOCTL_FORM, MEMATTR, MAP, MAP_DEVICE, TOUCH, DISTURB, N_WHAT };

static const char *const names[N_WHAT] = {
	"exports",    "revocations",        "revocations by ioctl",
	"attributes", "mappings",           "mappings of the device",
	"accesses",   "resets and switches"};

static struct {
	struct device device;
	uint64_t size[BARS], offset[BARS];
	int null;
	bool fail; /* of the options */
	atomic_int buffers[POOL];
	atomic_ulong good[N_WHAT], bad[N_WHAT];
} fuzz;

struct mapping {
	char *address;
	uint64_t length;
};

struct worker {
	pthread_t thread;
	uint64_t state; /* of the random numbers */
	unsigned long calls;
	struct mapping mappings[MAPPINGS];
	unsigned char *arena; /* a page, and nothing after it */
};

static uint64_t next(struct worker *w)
{
	return random_next(&w->state);
}

static uint32_t below(struct worker *w, uint32_t n)
{
	return random_below(&w->state, n);
}

static bool one_in(struct worker *w, uint32_t n)
{
	return below(w, n) == 0;
}

static int some_fd(struct worker *w)
{
	switch (below(w, 30)) {
	case 0:
		return -1;
	case 1:
		return fuzz.null;
	case 2:
		return fuzz.device.fd;
	case 3:
		return (int)next(w);
	default:
		return atomic_load(&fuzz.buffers[below(w, POOL)]);
	}
}

static uint64_t some_offset(struct worker *w, uint64_t size)
{
	switch (below(w, 20)) {
	case 0:
		return next(w);
	case 1:
		return next(w) & ~(PAGE - 1);
	case 2:
		return size;
	default:
		return size ? next(w) % size & ~(PAGE - 1) : 0;
	}
}

/* Mostly few, so that what is mapped is often within the buffer. */
static uint64_t some_pages(struct worker *w)
{
	return 1 + below(w, one_in(w, 4) ? MAX_PAGES : 4);
}

/* Mostly the large one. */
static uint32_t some_bar(struct worker *w)
{
	return one_in(w, 4) ? below(w, BARS) : 0;
}

/* Where the arguments begin: sometimes so that they reach into the hole. */
static void *some_place(struct worker *w, size_t size)
{
	if (one_in(w, 40))
		return w->arena + PAGE - below(w, (uint32_t)size);
	return w->arena;
}

static void mutate(struct worker *w, unsigned char *bytes, size_t size)
{
	while (one_in(w, 12)) {
		unsigned char *byte = bytes + below(w, (uint32_t)size);

		if (byte < w->arena + PAGE)
			*byte ^= 1U << below(w, 8);
	}
}

/* Arguments at the end of the arena are cut off there. */
static void put(struct worker *w, void *place, const void *args, size_t size)
{
	const size_t room = (size_t)(w->arena + PAGE - (unsigned char *)place);

	memcpy(place, args, size < room ? size : room);
	mutate(w, place, size);
}

static int do_export(struct worker *w)
{
	union {
		struct export_args args;
		char room[sizeof(struct export_args) + MAX_RANGES * sizeof(struct dma_range)];
	} all = {.room = ""};
	uint32_t count = 1 + below(w, one_in(w, 3) ? MAX_RANGES : 1), bar = some_bar(w);
	size_t size = sizeof(all.args) + count * sizeof(struct dma_range);
	void *place = some_place(w, size);
	int r;

	all.args.argsz = (uint32_t)size;
	all.args.flags = DMA_BUF_EXPORT | VFIO_DEVICE_FEATURE_GET;
	all.args.region_index = one_in(w, 20) ? below(w, 12) : bar;
	all.args.open_flags = O_CLOEXEC | (one_in(w, 5) ? O_RDONLY : O_RDWR);
	all.args.attributes = one_in(w, 3) ? ATTR_WC : ATTR_UC;
	all.args.nr_ranges = one_in(w, 30) ? (uint32_t)next(w) : count;
	for (uint32_t i = 0; i < count; i++)
		all.args.ranges[i] =
			(struct dma_range){some_offset(w, fuzz.size[bar]), some_pages(w) * PAGE};
	put(w, place, &all, size);
	r = call(fuzz.device.fd, VFIO_DEVICE_FEATURE, place);
	/* A mutated flag may have made it another feature. */
	if (r > 2)
		pool_put(&fuzz.buffers[below(w, POOL)], r);
	return r;
}

static int do_revoke(struct worker *w, bool by_ioctl)
{
	struct revoke_feature feature = {
		.argsz = sizeof(feature),
		.flags = DMA_BUF_REVOKE | VFIO_DEVICE_FEATURE_SET,
		.fd = some_fd(w),
	};
	struct revoke_args args = {.argsz = sizeof(args), .fd = some_fd(w)};
	void *place = some_place(w, by_ioctl ? sizeof(args) : sizeof(feature));

	if (by_ioctl)
		put(w, place, &args, sizeof(args));
	else
		put(w, place, &feature, sizeof(feature));
	return call(fuzz.device.fd, by_ioctl ? REVOKE_IOCTL : VFIO_DEVICE_FEATURE, place);
}

static int do_memattr(struct worker *w)
{
	struct memattr_feature args = {
		.argsz = sizeof(args),
		.flags = DMA_BUF_MEMATTR | VFIO_DEVICE_FEATURE_SET,
		.fd = some_fd(w),
		.memattr = below(w, 3),
	};
	void *place = some_place(w, sizeof(args));

	put(w, place, &args, sizeof(args));
	return call(fuzz.device.fd, VFIO_DEVICE_FEATURE, place);
}

static int do_map(struct worker *w, int fd, uint64_t offset)
{
	struct mapping *mapping = &w->mappings[below(w, MAPPINGS)];
	uint64_t length = some_pages(w) * PAGE;
	void *address;

	if (mapping->address)
		munmap(mapping->address, mapping->length);
	mapping->address = NULL;
	address = mmap(NULL, length, one_in(w, 4) ? PROT_READ : PROT_READ | PROT_WRITE,
		       one_in(w, 30) ? MAP_PRIVATE : MAP_SHARED, fd, (off_t)offset);
	if (address == MAP_FAILED)
		return -errno;
	*mapping = (struct mapping){address, length};
	return 0;
}

static int do_touch(struct worker *w)
{
	const struct mapping *mapping = &w->mappings[below(w, MAPPINGS)];
	volatile uint32_t *word;
	uint32_t value;

	if (!mapping->address)
		return -ENOENT;
	word = (volatile uint32_t *)(mapping->address + next(w) % mapping->length / PAGE * PAGE);
	return try_read(word, &value);
}

static int do_disturb(struct worker *w)
{
	if (one_in(w, 8))
		return call(fuzz.device.fd, VFIO_DEVICE_RESET, NULL);
	return enable_memory(&fuzz.device, !one_in(w, 4));
}

static void one_call(struct worker *w)
{
	uint32_t bar = some_bar(w);
	enum what what = below(w, 100);
	int r;

	/* More of what the others need. */
	if (what < 20)
		r = do_export(w), what = EXPORT;
	else if (what < 28)
		r = do_revoke(w, false), what = REVOKE;
	else if (what < 36)
		r = do_revoke(w, true), what = REVOKE_IOCTL_FORM;
	else if (what < 44)
		r = do_memattr(w), what = MEMATTR;
	else if (what < 60)
		r = do_map(w, some_fd(w), one_in(w, 4) ? some_offset(w, 8 * PAGE) : 0), what = MAP;
	else if (what < 66)
		r = do_map(w, fuzz.device.fd, fuzz.offset[bar] + some_offset(w, fuzz.size[bar])),
		what = MAP_DEVICE;
	else if (what < 98 || one_in(w, 10))
		r = do_touch(w), what = TOUCH;
	else
		r = do_disturb(w), what = DISTURB;
	atomic_fetch_add(r >= 0 ? &fuzz.good[what] : &fuzz.bad[what], 1);
}

static void *work(void *data)
{
	struct worker *w = data;
	int faults = fuzz.fail ? faults_open("make-it-fail") : -1;

	if (fuzz.fail)
		faults_set(faults, 1);
	for (unsigned long i = 0; i < w->calls; i++)
		one_call(w);
	if (fuzz.fail) {
		faults_set(faults, 0);
		close(faults);
	}
	for (size_t i = 0; i < MAPPINGS; i++)
		if (w->mappings[i].address)
			munmap(w->mappings[i].address, w->mappings[i].length);
	return NULL;
}

/* Whether a buffer can be exported, mapped, written and revoked. */
static bool does_its_work(void)
{
	volatile uint32_t *memory;
	uint32_t value;
	bool good;
	int fd;

	if (enable_memory(&fuzz.device, true))
		return false;
	fd = export_range(&fuzz.device, 0, 0, PAGE);
	if (fd < 0)
		return false;
	memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	good = memory != MAP_FAILED && try_write(memory, 55) == 0 &&
	       try_read(memory, &value) == 0 && value == 55 &&
	       revoke_by_feature(&fuzz.device, fd) == 0 && try_read(memory, &value) == -EFAULT;
	if (memory != MAP_FAILED)
		munmap((void *)(uintptr_t)memory, PAGE);
	close(fd);
	return good;
}

static int make_arena(struct worker *w)
{
	w->arena = mmap(NULL, 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (w->arena == MAP_FAILED || mprotect(w->arena, PAGE, PROT_READ | PROT_WRITE)) {
		perror("arena");
		return -1;
	}
	return 0;
}

static int run(const char *address, const struct fuzz_options *o)
{
	static struct worker workers[MAX_THREADS];
	unsigned int before = count_fds(), after;
	bool works, good = true;
	int r;

	r = pci_bind(address);
	if (!r)
		r = device_open(address, &fuzz.device);
	if (r) {
		fprintf(stderr, "vfio-fuzz: %s: %s\n", address, strerror(-r));
		return 2;
	}
	for (uint32_t i = 0; i < BARS; i++)
		bar_info(&fuzz.device, i, &fuzz.size[i], &fuzz.offset[i]);
	fuzz.null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int i = 0; i < POOL; i++)
		fuzz.buffers[i] = -1;
	/* A page of this program that cannot be read in would raise SIGBUS. */
	if (fuzz.fail && mlockall(MCL_CURRENT)) {
		perror("vfio-fuzz: mlockall");
		return 2;
	}
	for (unsigned int i = 0; i < o->threads; i++) {
		workers[i].state = random_seed(o->seed + i);
		workers[i].calls = o->calls / o->threads;
		if (make_arena(&workers[i]) ||
		    pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			return 2;
	}
	for (unsigned int i = 0; i < o->threads; i++)
		pthread_join(workers[i].thread, NULL);
	pool_close(fuzz.buffers, POOL);
	works = does_its_work();
	close(fuzz.null);
	device_close(&fuzz.device);
	after = count_fds();

	printf("# seed %llu, %lu calls\n", (unsigned long long)o->seed, o->calls);
	printf("1..%d\n", N_WHAT + 2);
	for (int i = 0; i < N_WHAT; i++)
		good &= result(fuzz.good[i] && (fuzz.bad[i] || i == DISTURB),
			       "%s: %lu succeed, %lu fail", names[i], fuzz.good[i], fuzz.bad[i]);
	good &= result(after == before, "descriptors: %u before, %u after", before, after);
	good &= result(works, "the device does its work afterwards");
	return !good;
}

int main(int argc, char **argv)
{
	struct fuzz_options options = {.seed = 1, .calls = 100000, .threads = 2};
	char address[16];

	if (!fuzz_parse(argc, argv, MAX_THREADS, &options) || options.fail_nth)
		return 2;
	if (pci_find(0x1234, 0x1111, address)) {
		fprintf(stderr, "vfio-fuzz: there is no bochs-display\n");
		return 2;
	}
	fuzz.fail = options.fail;
	catch_sigbus();
	return run(address, &options);
}
