/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Calls the ioctls of the QDA driver with random and mutated arguments, from threads that share
 * files, handles and DMA-BUFs and close each other's, while a DSP answers as it ought to or, told
 * to be hostile, as it likes. What it looks for are reports of the kernel, what is left of memory,
 * and context banks that do not become free.
 */
#include <linux/dma-heap.h>
#include <setjmp.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "fds.h"
#include "fuzz.h"
#include "qda.h"
#include "tap.h"

#define FILES 4
#define POOL 16
#define MAX_THREADS 4
#define ARENA (2UL << 20)
#define N_REQUESTS 11
#define UNMAPPED(p) ((p) == NULL || (p) == MAP_FAILED)

enum request {
	QUERY,
	CREATE_OBJECT,
	OFFSET,
	SESSION,
	MAP,
	MUNMAP,
	INVOKE,
	CLOSE_OBJECT,
	EXPORT,
	IMPORT,
	OPEN,
};

static const char *const names[N_REQUESTS] = {
	"query",  "gem create", "mmap offset", "session create", "map",  "munmap",
	"invoke", "gem close",  "export",      "import",         "open",
};

static struct {
	struct dsp dsp;
	atomic_int files[FILES], dmabufs[POOL];
	atomic_uint handles[POOL];
	_Atomic uint64_t addresses[POOL]; /* mappings at the DSP */
	char *_Atomic mapped[POOL];       /* DMA-BUFs in this program */
	atomic_ulong good[N_REQUESTS], bad[N_REQUESTS];
	atomic_ulong answers; /* that a hostile DSP sent */
	atomic_ulong held;    /* calls that a slow one never answers */
	bool hostile;
} fuzz;

struct worker {
	pthread_t thread;
	uint64_t state; /* of the random numbers */
	unsigned long calls;
	char *arena; /* what the kernel may write to; then nothing for as long */
};

static uint32_t below(struct worker *w, uint32_t n)
{
	return random_below(&w->state, n);
}

static bool one_in(struct worker *w, uint32_t n)
{
	return below(w, n) == 0;
}

/* ---- the DSP ------------------------------------------------------------ */

static uint64_t dsp_random = 0x123456789abcdef1;

static uint32_t dsp_below(uint32_t n)
{
	return random_below(&dsp_random, n);
}

/* Lets some calls of programs wait until a signal ends that. */
static int64_t moody(struct dsp *dsp, const struct fastrpc_msg *msg, void *payload)
{
	dsp->n_msgs = 0;
	if (!msg->client_id)
		return dsp_below(8) ? dsp_default(dsp, msg, payload) : dsp_below(100);
	return dsp_below(16) ? (int32_t)dsp_below(3) : HOLD;
}

static void scribble(const struct fastrpc_msg *msg, void *payload)
{
	uint64_t *words = payload;
	size_t n = msg->size / sizeof(*words);

	for (uint32_t i = dsp_below(64); i; i--)
		words[dsp_below((uint32_t)n)] =
			dsp_below(2) ? random_next(&dsp_random) : dsp_below(64);
	if (dsp_below(2)) {
		uint64_t *list = payload_fd_list(payload, FASTRPC_LENGTH(msg->sc));

		for (uint32_t i = dsp_below(FASTRPC_FDLIST + 1); i; i--)
			list[i - 1] = dsp_below(4) ? dsp_below(64) : random_next(&dsp_random);
	}
}

static sigjmp_buf memory_gone;

static void on_bus_error(int number)
{
	siglongjmp(memory_gone, 1);
}

static int64_t hostile(struct dsp *dsp, const struct fastrpc_msg *msg, void *payload)
{
	unsigned char bytes[QDA_SIM_MSG_MAX];

	dsp->n_msgs = 0;
	/* A lie may have ended this call before. */
	if (sigsetjmp(memory_gone, 1))
		return 0;
	if (dsp_below(2))
		dsp_default(dsp, msg, payload);
	scribble(msg, payload);
	for (uint32_t i = dsp_below(6); i; i--) {
		uint64_t ctx = msg->ctx;

		switch (dsp_below(5)) {
		case 0: /* another id */
			ctx ^= (uint64_t)dsp_below(256) << 8;
			break;
		case 1: /* a call of before or after */
			ctx += (uint64_t)dsp_below(20) * 0x10100 - 0xa0a00;
			break;
		case 2:
			ctx ^= dsp_below(16);
			break;
		case 3:
			ctx = random_next(&dsp_random);
			break;
		}
		dsp_answer(dsp, ctx, (int32_t)random_next(&dsp_random));
		for (size_t k = 0; k < sizeof(bytes); k++)
			bytes[k] = (unsigned char)dsp_below(256);
		if (write(dsp->fd, bytes, 1 + dsp_below(sizeof(bytes))) > 0)
			atomic_fetch_add(&fuzz.answers, 2);
		/* What it answered may be gone, and it goes on. */
		if (dsp_below(2) && dsp_reaches(dsp, msg->addr))
			atomic_fetch_add(&fuzz.answers, 1);
	}
	/* Calls of the kernel's would wait for 10 s. */
	if (msg->client_id && dsp_below(4) == 0)
		return HOLD;
	return dsp_below(3) ? 0 : (int32_t)random_next(&dsp_random);
}

/* ---- arguments ---------------------------------------------------------- */

static uint32_t some_handle(struct worker *w)
{
	return one_in(w, 20) ? (uint32_t)random_next(&w->state) >> below(w, 32)
			     : atomic_load(&fuzz.handles[below(w, POOL)]);
}

static int some_fd(struct worker *w, uint32_t *ret_place)
{
	*ret_place = below(w, POOL);
	switch (below(w, 30)) {
	case 0:
		return -1 - (int)below(w, 3);
	case 1:
		return (int)(random_next(&w->state) >> below(w, 64));
	case 2:
		return atomic_load(&fuzz.files[below(w, FILES)]);
	case 3:
		return 0;
	default:
		return atomic_load(&fuzz.dmabufs[*ret_place]);
	}
}

static uint64_t some_size(struct worker *w)
{
	switch (below(w, 12)) {
	case 0:
		return 0;
	case 1:
		return random_next(&w->state) >> below(w, 64);
	case 2:
		return PAGE * below(w, 40);
	default:
		return below(w, 3 * PAGE);
	}
}

static uint64_t some_offset(struct worker *w)
{
	switch (below(w, 10)) {
	case 0:
		return random_next(&w->state) >> below(w, 64);
	case 1:
		return PAGE * below(w, 8);
	default:
		return below(w, PAGE);
	}
}

static uint64_t some_address(struct worker *w)
{
	switch (below(w, 24)) {
	case 0:
		return 0;
	case 1:
		return address(w->arena) + ARENA - below(w, 64);
	case 2:
		return UINT64_C(0xffff888000000000) + below(w, 1 << 30);
	case 3:
		return address(w->arena) + ARENA + below(w, 4096);
	default:
		return address(w->arena) + below(w, ARENA / 2);
	}
}

static void fill_args(struct worker *w, struct drm_qda_fastrpc_invoke_args *args, uint32_t sc)
{
	uint32_t n = FASTRPC_LENGTH(sc), place;

	for (uint32_t i = 0; i < n; i++) {
		struct drm_qda_fastrpc_invoke_args *arg = &args[i];

		memset(arg, 0, sizeof(*arg));
		arg->length = some_size(w);
		arg->fd = -1;
		if (i >= FASTRPC_BUFS(sc)) {
			arg->fd = some_fd(w, &place);
			arg->ptr = some_offset(w);
		} else if (one_in(w, 3)) {
			arg->attr = one_in(w, 10) ? (uint32_t)random_next(&w->state)
						  : QDA_INVOKE_ARG_GEM;
			arg->fd = (int32_t)some_handle(w);
			arg->ptr =
				arg->attr & QDA_INVOKE_ARG_GEM ? some_offset(w) : some_address(w);
		} else if (one_in(w, 2)) {
			char *mapped;

			arg->fd = some_fd(w, &place);
			mapped = atomic_load(&fuzz.mapped[place]);
			arg->ptr = UNMAPPED(mapped) || arg->fd <= 0
					   ? some_address(w)
					   : address(mapped) + some_offset(w);
		} else {
			arg->ptr = some_address(w);
		}
	}
}

static uint32_t some_scalars(struct worker *w)
{
	if (one_in(w, 200))
		return (uint32_t)random_next(&w->state);
	return FASTRPC_SCALARS(below(w, 32), below(w, 4), below(w, 4),
			       one_in(w, 4) ? below(w, 3) : 0, one_in(w, 4) ? below(w, 3) : 0);
}

/* Flip bits of a struct that holds no address the kernel writes to. */
static void mutate(struct worker *w, void *data, size_t size)
{
	while (one_in(w, 12))
		((unsigned char *)data)[below(w, (uint32_t)size)] ^= 1U << below(w, 8);
}

/* ---- calls -------------------------------------------------------------- */

static void replace_fd(struct worker *w, int fd)
{
	uint32_t place = below(w, POOL);
	off_t size = lseek(fd, 0, SEEK_END);
	char *data = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), *old_data;

	pool_put(&fuzz.dmabufs[place], fd);
	old_data = atomic_exchange(&fuzz.mapped[place], size >= (off_t)PAGE ? data : NULL);
	if (!UNMAPPED(old_data))
		munmap(old_data, PAGE);
}

static int heap_alloc(struct worker *w)
{
	struct dma_heap_allocation_data data = {.len = PAGE * (1 + below(w, 8)),
						.fd_flags = O_RDWR | O_CLOEXEC};
	int heap = open("/dev/dma_heap/system", O_RDONLY | O_CLOEXEC);
	int r = heap < 0 ? -1 : ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &data);

	if (heap >= 0)
		close(heap);
	return r < 0 ? -1 : (int)data.fd;
}

static long do_session(struct worker *w, int fd)
{
	uint32_t place;
	struct drm_qda_init_create create = {
		.filelen = 1 + below(w, 2 * PAGE),
		.filefd = one_in(w, 2) ? some_fd(w, &place) : -1,
		.attrs = 8,
		.file = some_address(w),
	};

	mutate(w, &create, offsetof(struct drm_qda_init_create, file));
	return call(fd, DRM_IOCTL_QDA_REMOTE_SESSION_CREATE, &create);
}

static long do_map(struct worker *w, int fd)
{
	uint32_t place;
	struct drm_qda_mem_map map = {
		.request = 1 + below(w, 2),
		.flags = one_in(w, 4) ? below(w, 20) : 0,
		.fd = some_fd(w, &place),
		.offset = one_in(w, 3) ? (uint32_t)some_offset(w) : 0,
		.size = 1 + some_size(w),
	};
	long r;

	mutate(w, &map, sizeof(map));
	r = call(fd, DRM_IOCTL_QDA_REMOTE_MAP, &map);
	if (r == 0)
		atomic_store(&fuzz.addresses[below(w, POOL)], map.vaddrout);
	return r;
}

static long do_munmap(struct worker *w, int fd)
{
	struct drm_qda_mem_unmap unmap = {
		.request = 1 + below(w, 2),
		.fd = -1,
		.vaddr = atomic_load(&fuzz.addresses[below(w, POOL)]),
		.size = some_size(w),
	};

	unmap.vaddrout = unmap.vaddr;
	mutate(w, &unmap, sizeof(unmap));
	return call(fd, DRM_IOCTL_QDA_REMOTE_MUNMAP, &unmap);
}

static long do_invoke(struct worker *w, int fd)
{
	struct drm_qda_fastrpc_invoke_args args[FASTRPC_MAX_ARGS];
	struct drm_qda_invoke_args in = {
		.handle = one_in(w, 10) ? below(w, 20) : 0x100,
		.sc = some_scalars(w),
		.args = one_in(w, 40) ? some_address(w) : address(args),
	};

	if (in.args == address(args))
		fill_args(w, args, in.sc);
	return call(fd, DRM_IOCTL_QDA_REMOTE_INVOKE, &in);
}

static long do_object(struct worker *w, int fd)
{
	struct drm_qda_gem_create create = {.size = PAGE * (1 + below(w, 16))};
	long r;

	if (one_in(w, 8))
		create.size = some_size(w);
	mutate(w, &create.handle, 8);
	/* Memory for all that fits into 32 bits is not there. */
	create.size = create.size > (64 << 20) ? create.size << 12 : create.size;
	r = call(fd, DRM_IOCTL_QDA_GEM_CREATE, &create);
	if (r == 0)
		atomic_store(&fuzz.handles[below(w, POOL)], create.handle);
	return r;
}

static long do_open(struct worker *w)
{
	int fd = node_open("cdsp"), old;

	if (fd < 0)
		return -ENODEV;
	session_create(fd, 8);
	old = atomic_exchange(&fuzz.files[below(w, FILES)], fd);
	close(old);
	return old < 0 ? -EBADF : 0;
}

static long one(struct worker *w, enum request which, int fd)
{
	struct drm_qda_query query;
	struct drm_qda_gem_mmap_offset offset = {.handle = some_handle(w)};
	uint32_t handle, place;
	long r;

	switch (which) {
	case QUERY:
		return call(one_in(w, 2) ? fd : -1, DRM_IOCTL_QDA_QUERY, &query);
	case CREATE_OBJECT:
		return do_object(w, fd);
	case OFFSET:
		mutate(w, &offset, sizeof(offset));
		return call(fd, DRM_IOCTL_QDA_GEM_MMAP_OFFSET, &offset);
	case SESSION:
		return do_session(w, fd);
	case MAP:
		return do_map(w, fd);
	case MUNMAP:
		return do_munmap(w, fd);
	case CLOSE_OBJECT:
		return gem_close(fd, some_handle(w));
	case EXPORT:
		r = prime_export(fd, some_handle(w));
		if (r >= 0)
			replace_fd(w, (int)r);
		return r < 0 ? r : 0;
	case IMPORT:
		if (one_in(w, 4)) {
			int heap_fd = heap_alloc(w);

			if (heap_fd >= 0)
				replace_fd(w, heap_fd);
		}
		r = prime_import(fd, some_fd(w, &place), &handle);
		if (r == 0)
			atomic_store(&fuzz.handles[below(w, POOL)], handle);
		return r;
	case OPEN:
		return do_open(w);
	default:
		return do_invoke(w, fd);
	}
}

static void on_timer(int number)
{
}

static timer_t start_timer(void)
{
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1};
	const struct itimerspec often = {{0, 10000000}, {0, 10000000}};
	timer_t timer;

	event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) ||
	    timer_settime(timer, 0, &often, NULL)) {
		perror("timer");
		exit(2);
	}
	return timer;
}

static void *work(void *data)
{
	struct worker *w = data;
	timer_t timer = start_timer();

	for (unsigned long i = 0; i < w->calls; i++) {
		enum request which = below(w, 12);
		long r;

		/* Opening and starting take long, and most of the work is calls. */
		if (which >= OPEN)
			which = one_in(w, 100) ? OPEN : INVOKE;
		if (which == SESSION && !one_in(w, 10))
			which = INVOKE;
		r = one(w, which, atomic_load(&fuzz.files[below(w, FILES)]));
		atomic_fetch_add(r == 0 ? &fuzz.good[which] : &fuzz.bad[which], 1);
	}
	timer_delete(timer);
	return NULL;
}

/* Return: how many of the DSP's context banks are free. */
static unsigned int free_banks(void)
{
	unsigned int banks = 0;
	int fds[CONTEXT_BANKS];

	for (unsigned int i = 0; i < CONTEXT_BANKS; i++) {
		fds[i] = node_open("cdsp");
		banks += session_create(fds[i], 8) == 0 && invoke(fds[i], 0x100, 0, NULL) == 0;
	}
	for (unsigned int i = 0; i < CONTEXT_BANKS; i++)
		close(fds[i]);
	return banks;
}

static int run(const struct fuzz_options *o)
{
	static struct worker workers[MAX_THREADS];
	unsigned int before = count_fds(), after, banks = 0;
	struct sigaction action = {.sa_handler = on_timer};
	bool ok = true;

	sigaction(SIGUSR1, &action, NULL);
	action.sa_handler = on_bus_error;
	if (fuzz.hostile)
		sigaction(SIGBUS, &action, NULL);
	if (!dsp_boot(&fuzz.dsp, "cdsp")) {
		perror("cdsp");
		return 2;
	}
	fuzz.dsp.handler = fuzz.hostile ? hostile : moody;
	for (int i = 0; i < FILES; i++) {
		fuzz.files[i] = node_open("cdsp");
		session_create(fuzz.files[i], 8);
	}
	for (int i = 0; i < POOL; i++)
		fuzz.dmabufs[i] = -1;
	for (unsigned int i = 0; i < o->threads; i++) {
		workers[i].state = random_seed(o->seed + i);
		workers[i].calls = o->calls / o->threads;
		workers[i].arena =
			mmap(NULL, 2 * ARENA, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (workers[i].arena == MAP_FAILED ||
		    mprotect(workers[i].arena, ARENA, PROT_READ | PROT_WRITE) ||
		    pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			return 2;
	}
	for (unsigned int i = 0; i < o->threads; i++)
		pthread_join(workers[i].thread, NULL);
	pool_close(fuzz.files, FILES);
	pool_close(fuzz.dmabufs, POOL);
	for (int i = 0; i < POOL; i++)
		if (!UNMAPPED(fuzz.mapped[i]))
			munmap(fuzz.mapped[i], PAGE);

	/* With the files all banks are free, and what was left unanswered is forgotten. */
	fuzz.dsp.handler = NULL;
	banks = free_banks();
	dsp_halt(&fuzz.dsp);
	after = count_fds();

	printf("# seed %llu, %lu calls, %lu lies of the DSP\n", (unsigned long long)o->seed,
	       o->calls, atomic_load(&fuzz.answers));
	printf("1..%d\n", N_REQUESTS + 2);
	/* A fuzzer whose calls are all refused proves nothing. */
	for (int i = 0; i < N_REQUESTS; i++)
		ok &= result(fuzz.good[i] && (fuzz.bad[i] || i == OPEN),
			     "%s: %lu succeeded, %lu failed", names[i], fuzz.good[i], fuzz.bad[i]);
	ok &= result(banks == CONTEXT_BANKS, "context banks: %u of %d are free", banks,
		     CONTEXT_BANKS);
	ok &= result(before == after, "file descriptors: %u before, %u after", before, after);
	return !ok;
}

/* ---- every allocation fails once ---------------------------------------- */

struct setting {
	int fd; /* with a process */
	struct buffer buffer;
	int foreign; /* a DMA-BUF of the heap's */
};

/* One call of each kind with good arguments; what it made goes again. */
static long fail_one(enum request which, struct setting *s)
{
	struct drm_qda_fastrpc_invoke_args args[8];
	char data[9000];
	struct drm_qda_mem_map map = {.request = QDA_MAP_REQUEST_ATTR,
				      .fd = s->buffer.fd,
				      .size = PAGE};
	struct drm_qda_mem_unmap unmap = {.request = QDA_MUNMAP_REQUEST_ATTR, .fd = -1};
	struct drm_qda_gem_mmap_offset offset = {.handle = s->buffer.handle};
	struct drm_qda_query query;
	uint32_t handle;
	bool created;
	long r;
	int fd;

	switch (which) {
	case QUERY:
		return call(s->fd, DRM_IOCTL_QDA_QUERY, &query);
	case OFFSET:
		return call(s->fd, DRM_IOCTL_QDA_GEM_MMAP_OFFSET, &offset);
	case CREATE_OBJECT:
	case CLOSE_OBJECT:
		r = gem_create(s->fd, 4 * PAGE, &handle);
		created = r == 0;
		return created ? gem_close(s->fd, handle) : r;
	case SESSION:
	case OPEN:
		/* A new file with a bank, and its end with the fault to come. */
		fd = node_open("cdsp");
		if (fd < 0)
			return -ENODEV;
		r = session_create(fd, 8);
		close(fd);
		return r;
	case MAP:
	case MUNMAP:
		r = call(s->fd, DRM_IOCTL_QDA_REMOTE_MAP, &map);
		if (r)
			return r;
		unmap.vaddr = map.vaddrout;
		r = call(s->fd, DRM_IOCTL_QDA_REMOTE_MUNMAP, &unmap);
		if (r == -ENOMEM || r == -EFAULT) {
			/* After a fault in the copy back the mapping is gone already. */
			long again = call(s->fd, DRM_IOCTL_QDA_REMOTE_MUNMAP, &unmap);

			return again && (r != -EFAULT || again != -ENOENT) ? again : r;
		}
		return r;
	case EXPORT:
		/* Before DRM copies the number back, which may fail, the descriptor is there. */
		fd = dup(s->fd);
		close(fd);
		r = prime_export(s->fd, s->buffer.handle);
		if (r >= 0 || r == -EFAULT)
			close(r >= 0 ? (int)r : fd);
		return r < 0 ? r : 0;
	case IMPORT:
		r = prime_import(s->fd, s->foreign, &handle);
		return r ? r : gem_close(s->fd, handle);
	default:
		args[0] = plain(data, sizeof(data));
		args[1] = by_gem(&s->buffer, 0, 100);
		args[2] = by_fd(&s->buffer, 100, 100);
		args[3] = plain(data, 100);
		args[4] = by_fd(&s->buffer, 0, 10);
		args[4].ptr = 0;
		return invoke(s->fd, 0x100, FASTRPC_SCALARS(2, 3, 1, 1, 0), args);
	}
}

/* Return: how many faults there were, or -1. */
static int fail_each(int faults_fd, enum request which, struct setting *s)
{
	for (unsigned int n = 1; n < 2000; n++) {
		unsigned int before = count_fds();
		bool unreached;
		long r;

		faults_set(faults_fd, n);
		r = fail_one(which, s);
		unreached = faults_end_nth(faults_fd);
		if (count_fds() != before) {
			printf("# fault %u: %u descriptors before, %u after\n", n, before,
			       count_fds());
			return -1;
		}
		if (r != 0 && r != -ENOMEM && r != -EFAULT && r != -ENFILE && r != -EMFILE &&
		    r != -ENOSPC) {
			printf("# fault %u: %ld\n", n, r);
			return -1;
		}
		if (unreached)
			return r == 0 ? (int)n - 1 : -1;
	}
	return -1;
}

static int fail_nth(void)
{
	struct worker w = {.state = 1};
	struct setting s;
	int faults_fd = faults_open("fail-nth");
	unsigned int banks;
	bool ok = true;

	if (!dsp_boot(&fuzz.dsp, "cdsp"))
		die("cdsp");
	s.fd = node_open("cdsp");
	s.foreign = heap_alloc(&w);
	if (session_create(s.fd, 8) || s.foreign < 0) {
		perror("session");
		return 2;
	}
	s.buffer = buffer_new(s.fd, PAGE);
	printf("1..%d\n", N_REQUESTS + 1);
	for (int i = 0; i < N_REQUESTS; i++) {
		int faults = fail_each(faults_fd, i, &s);

		/* All of them at least copy their arguments. */
		ok &= result(faults > 0, "%s: %d faults", names[i], faults);
	}
	/* No bank was lost on the way. */
	buffer_free(s.fd, &s.buffer);
	close(s.foreign);
	close(s.fd);
	banks = free_banks();
	ok &= result(banks == CONTEXT_BANKS, "context banks: %u of %d are free", banks,
		     CONTEXT_BANKS);
	dsp_halt(&fuzz.dsp);
	return !ok;
}

/* ---- programs that are killed -------------------------------------------- */

/* Whatever a program does with a DSP, over and over; @calls: those that were made. */
static void be_killed(uint64_t seed, atomic_uint *calls)
{
	struct worker w = {.state = random_seed(seed)};

	for (;;) {
		struct drm_qda_fastrpc_invoke_args args[3];
		struct drm_qda_mem_map map = {.request = QDA_MAP_REQUEST_ATTR, .size = PAGE};
		char data[5000];
		struct buffer buffer;
		int fd = node_open("cdsp");

		if (fd < 0 || session_create(fd, 8))
			_exit(1);
		buffer = buffer_new(fd, 8 * PAGE);
		args[0] = plain(data, sizeof(data));
		args[1] = by_gem(&buffer, 0, 4 * PAGE);
		args[2] = (struct drm_qda_fastrpc_invoke_args){.fd = buffer.fd, .length = 1};
		map.fd = buffer.fd;
		call(fd, DRM_IOCTL_QDA_REMOTE_MAP, &map);
		for (uint32_t i = below(&w, 20); i; i--) {
			invoke(fd, 0x100, FASTRPC_SCALARS(2, 1, 1, 1, 0), args);
			atomic_fetch_add(calls, 1);
		}
		buffer_free(fd, &buffer);
		close(fd);
	}
}

static int64_t slow(struct dsp *dsp, const struct fastrpc_msg *msg, void *payload)
{
	dsp->n_msgs = 0;
	/* Every other call is one in which the program will be killed. */
	if (!msg->client_id || dsp_below(8))
		return dsp_default(dsp, msg, payload);
	atomic_fetch_add(&fuzz.held, 1);
	return HOLD;
}

/* At some time, whatever the program does then; or, of every other one, after some calls. */
static void wait_to_kill(unsigned long round, uint64_t *state, atomic_uint *calls)
{
	unsigned long held = fuzz.held;
	unsigned int until = *calls + 1 + random_below(state, 8);

	if (round % 2 == 0) {
		usleep(1000 + random_below(state, 60000));
		return;
	}
	for (int i = 0; i < 6000 && *calls < until && fuzz.held == held; i++)
		usleep(10000);
}

static int kill_rounds(const struct fuzz_options *o)
{
	atomic_uint *calls =
		mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned int before = count_fds(), banks, killed = 0;
	uint64_t state = random_seed(o->seed);
	bool ok;
	int status;

	if (calls == MAP_FAILED || !dsp_boot(&fuzz.dsp, "cdsp"))
		die("cdsp");
	dsp_random = state;
	fuzz.dsp.handler = slow;
	for (unsigned long i = 0; i < o->calls; i++) {
		pid_t pid = fork();

		if (pid == 0)
			be_killed(o->seed + i, calls);
		wait_to_kill(i, &state, calls);
		kill(pid, SIGKILL);
		killed += waitpid(pid, &status, 0) == pid && WIFSIGNALED(status);
	}
	fuzz.dsp.handler = NULL;
	banks = free_banks();
	dsp_halt(&fuzz.dsp);
	printf("1..4\n");
	ok = result(killed == o->calls, "%u of %lu programs were killed", killed, o->calls);
	/* Each that was held had its program killed in it. */
	ok &= result(*calls + fuzz.held >= o->calls / 2 && fuzz.held > 0,
		     "they had made %u calls, and were killed in %lu more", *calls, fuzz.held);
	ok &= result(banks == CONTEXT_BANKS, "context banks: %u of %d are free", banks,
		     CONTEXT_BANKS);
	ok &= result(before == count_fds(), "file descriptors");
	return !ok;
}

int main(int argc, char **argv)
{
	struct fuzz_options options = {.seed = 1, .calls = 10000, .threads = 2};
	const char *mode;

	if (!fuzz_parse(argc, argv, MAX_THREADS, &options))
		return 2;
	mode = optind < argc ? argv[optind] : "";
	if (!strcmp(mode, "kill"))
		return kill_rounds(&options);
	fuzz.hostile = !strcmp(mode, "hostile");
	if (*mode && !fuzz.hostile) {
		fprintf(stderr,
			"usage: %s [hostile|kill] [--calls N] [--threads N] [--seed N]\n"
			"       %s --fail-nth\n",
			argv[0], argv[0]);
		return 2;
	}
	return options.fail_nth ? fail_nth() : run(&options);
}
