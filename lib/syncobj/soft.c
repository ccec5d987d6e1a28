/* SPDX-License-Identifier: MIT */
/* The soft backend: syncobjs in user space alone, by shared memory and futexes. */
#include <limits.h>
#include <linux/dma-buf.h>
#include <linux/futex.h>
#include <linux/sync_file.h>
#include <linux/udmabuf.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "internal.h"
#include "soft.h"

/* Newer than the C libraries we build with. */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x8U
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x20
#endif
#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

#define SOFT_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

#define UDMABUF_PATH "/dev/udmabuf"

/* No honest peers collide so often in a row. */
#define UPDATE_TRIES 10000
#define LOAD_TRIES 64

/* What TRANSFER waits for its source, as the kernel does. */
#define TRANSFER_NSEC INT64_C(5000000000)

/*
 * Nobody sleeps longer without a look: a signaller may have been killed between
 * its update and its wake-up call.
 */
#define SLEEP_NSEC INT64_C(500000000)
/* The same for objects that there is no futex to sleep on for. */
#define SCAN_NSEC INT64_C(1000000)

/* Objects waited for without an allocation. */
#define LOOKS_ON_STACK 16

/*
 * ThreadSanitizer's own 16-byte operations take a lock that other processes and
 * 8-byte loads do not see, so it is told about the order that these make.
 */
#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#else
#define __tsan_acquire(address) ((void)(address))
#define __tsan_release(address) ((void)(address))
#endif

#if (defined(__x86_64__) || defined(__aarch64__)) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define SOFT_SUPPORTED true
#ifdef __x86_64__
#define SOFT_ATOMIC __attribute__((target("cx16"), noinline, no_sanitize("thread")))
#else
#define SOFT_ATOMIC __attribute__((noinline, no_sanitize("thread")))
#endif

/* Return: what was there; it was replaced if that is @old. */
SOFT_ATOMIC static unsigned __int128 compare_and_swap(union soft_state *state,
						      unsigned __int128 old, unsigned __int128 new)
{
	return __sync_val_compare_and_swap(&state->whole, old, new);
}
#else
#define SOFT_SUPPORTED false
static unsigned __int128 compare_and_swap(union soft_state *state, unsigned __int128 old,
					  unsigned __int128 new)
{
	return ~old;
}
#endif

/* The page in this process; of a syncobj and of its registrations. */
struct soft_mapping {
	atomic_uint refs;
	struct soft_page *page;
};

/* One who waits for a point, and how far he has looked. */
struct soft_look {
	struct soft_page *page;
	uint64_t point;
	uint64_t generation;
	bool ready;
	union soft_state seen; /* what made it ready */
};

/* What to sleep on. */
struct soft_words {
	struct futex_waitv words[FUTEX_WAITV_MAX];
	uint32_t count;
	bool incomplete; /* not all had room */
};

struct syncobj_registration {
	struct syncobj_registration *prev, *next;
	struct soft_events *events;
	struct soft_mapping *mapping;
	struct soft_look look;
	int eventfd;
	bool listed;
	bool kept; /* somebody will call syncobj_soft_cancel() */
};

/* The thread that serves the eventfds of a device, in device->priv from the first one on. */
struct soft_events {
	pid_t pid; /* a forked child has the memory, not the thread */
	pthread_t thread;
	pthread_mutex_t lock;
	struct syncobj_registration list; /* head of a ring */
	uint32_t control;                 /* a futex: goes up when the list or stop changes */
	bool stop;
};

/* ---- the state ---------------------------------------------------------- */

static uint64_t generation_of(union soft_state state)
{
	return state.tag & SOFT_GENERATION_MASK;
}

static unsigned int kind_of(union soft_state state)
{
	return (unsigned int)(state.tag >> SOFT_KIND_SHIFT);
}

static union soft_state load_state(union soft_state *state)
{
	union soft_state now;

	for (int i = 0; i < LOAD_TRIES; i++) {
		now.tag = __atomic_load_n(&state->tag, __ATOMIC_ACQUIRE);
		now.seqno = __atomic_load_n(&state->seqno, __ATOMIC_ACQUIRE);
		if (__atomic_load_n(&state->tag, __ATOMIC_ACQUIRE) == now.tag) {
			__tsan_acquire(state);
			return now;
		}
	}
	now.whole = compare_and_swap(state, 0, 0);
	return now;
}

static bool reaches(union soft_state state, uint64_t point)
{
	switch (kind_of(state)) {
	case SOFT_BINARY:
		return point == 0;
	case SOFT_TIMELINE:
		return state.seqno >= point;
	default:
		return false;
	}
}

/* A waiter must see the state or the signaller must see the waiter: both orders are total. */
static void wake(struct soft_page *page)
{
	if (__atomic_load_n(&page->waiters, __ATOMIC_SEQ_CST))
		syscall(SYS_futex, (uint32_t *)&page->state.tag, FUTEX_WAKE, INT_MAX, NULL, NULL,
			0);
}

/*
 * Whoever replaces a state does this, and before: who made it may be slow or dead by then, and
 * a waiter that sees the new state looks for the old one here.
 */
static void record(struct soft_page *page, union soft_state state)
{
	union soft_state *place = &page->history[generation_of(state) % SOFT_HISTORY];

	for (int i = 0; i < LOAD_TRIES; i++) {
		union soft_state old = load_state(place);

		/* Whoever is ahead by a round has the place. */
		if (old.tag && ((generation_of(old) - generation_of(state)) &
				SOFT_GENERATION_MASK) < SOFT_GENERATION_MASK / 2)
			return;
		if (compare_and_swap(place, old.whole, state.whole) == old.whole)
			return;
	}
}

/*
 * Make the object of @kind. @seqno: of a timeline; it does not go below that of
 * the timeline that is there if @add.
 */
static int change(struct soft_page *page, unsigned int kind, uint64_t seqno, bool add)
{
	for (int i = 0; i < UPDATE_TRIES; i++) {
		union soft_state old = load_state(&page->state), new;

		new.seqno = seqno;
		if (add && kind_of(old) == SOFT_TIMELINE)
			new.seqno = MAX(seqno, old.seqno);
		new.tag = (uint64_t)kind << SOFT_KIND_SHIFT |
			  ((generation_of(old) + 1) & SOFT_GENERATION_MASK);
		/* Who made it so may have been killed before he woke the waiters. */
		if (kind_of(old) == kind && old.seqno == new.seqno) {
			wake(page);
			return 0;
		}
		/* A point that is added keeps ready what was ready. */
		if (!add && kind_of(old) != SOFT_NONE)
			record(page, old);
		__tsan_release(&page->state);
		if (compare_and_swap(&page->state, old.whole, new.whole) == old.whole) {
			wake(page);
			return 0;
		}
	}
	/* The object's memory is being scribbled over. */
	return -EIO;
}

static int add_point(struct soft_page *page, uint64_t point)
{
	return change(page, SOFT_TIMELINE, point, true);
}

static int replace_by_binary(struct soft_page *page)
{
	return change(page, SOFT_BINARY, 0, false);
}

static struct soft_page *page_of(const struct syncobj *syncobj)
{
	return ((struct soft_mapping *)syncobj->priv)->page;
}

/* ---- looking and sleeping ----------------------------------------------- */

static void begin_look(struct soft_look *look, struct soft_page *page, uint64_t point)
{
	union soft_state state = load_state(&page->state);

	*look = (struct soft_look){.page = page,
				   .point = point,
				   .generation = generation_of(state),
				   .ready = reaches(state, point),
				   .seen = state};
}

/* Whoever slept through a signal and a reset finds the signal in the history. */
static void look_again(struct soft_look *look)
{
	union soft_state state = load_state(&look->page->state);
	uint64_t behind = (generation_of(state) - look->generation) & SOFT_GENERATION_MASK;

	if (reaches(state, look->point)) {
		look->seen = state;
		look->ready = true;
		return;
	}
	behind = MIN(behind, SOFT_HISTORY);
	for (uint64_t i = 1; i < behind; i++) {
		uint64_t generation = (generation_of(state) - i) & SOFT_GENERATION_MASK;
		union soft_state past = load_state(&look->page->history[generation % SOFT_HISTORY]);

		if (generation_of(past) == generation && reaches(past, look->point)) {
			look->seen = past;
			look->ready = true;
			return;
		}
	}
	look->generation = generation_of(state);
}

static void add_word(struct soft_words *words, const void *address, uint32_t value)
{
	uint64_t uaddr = (uint64_t)(uintptr_t)address;

	if (words->incomplete)
		return;
	for (uint32_t i = 0; i < words->count; i++)
		if (words->words[i].uaddr == uaddr)
			return;
	if (words->count == FUTEX_WAITV_MAX) {
		words->incomplete = true;
		return;
	}
	words->words[words->count++] =
		(struct futex_waitv){.val = value, .uaddr = uaddr, .flags = FUTEX_32};
}

static void add_look(struct soft_words *words, const struct soft_look *look)
{
	add_word(words, &look->page->state.tag, (uint32_t)look->generation);
}

static long sleep_on_one(const struct soft_words *words, int64_t until)
{
	struct timespec ts = {.tv_sec = until / 1000000000, .tv_nsec = until % 1000000000};

	return syscall(SYS_futex, (uint32_t *)(uintptr_t)words->words[0].uaddr, FUTEX_WAIT_BITSET,
		       (uint32_t)words->words[0].val, &ts, NULL, FUTEX_BITSET_MATCH_ANY);
}

/*
 * Sleep until one of the words has changed, @until, or sooner: the caller looks
 * and decides. There is no sleeping on more words than futex_waitv() takes, nor
 * on more than one before Linux 5.16: the others are looked at each millisecond.
 */
static void sleep_on(const struct soft_words *words, int64_t until)
{
	int64_t now = now_nsec();
	struct timespec ts;

	until = MIN(until, now + (words->incomplete ? SCAN_NSEC : SLEEP_NSEC));
	if (words->count == 1) {
		sleep_on_one(words, until);
		return;
	}
	ts = (struct timespec){.tv_sec = until / 1000000000, .tv_nsec = until % 1000000000};
	if (syscall(SYS_futex_waitv, words->words, words->count, 0, &ts, CLOCK_MONOTONIC) >= 0)
		return;
	switch (errno) {
	case EAGAIN:
	case EINTR:
	case ETIMEDOUT:
	case EFAULT: /* a registration was cancelled meanwhile */
		return;
	default:
		sleep_on_one(words, MIN(until, now + SCAN_NSEC));
	}
}

/* Whether that ends the wait. @ret_first: the first that is ready. */
static bool enough(const struct soft_look *looks, size_t count, bool all, size_t *ret_first)
{
	size_t ready = 0;

	for (size_t i = 0; i < count; i++) {
		if (!looks[i].ready)
			continue;
		if (!ready++)
			*ret_first = i;
		if (!all)
			return true;
	}
	return ready == count;
}

/* @looks have been begun. */
static int wait_for(struct soft_look *looks, size_t count, bool all, int64_t timeout_nsec,
		    size_t *ret_first)
{
	struct soft_words words;
	int r;

	if (enough(looks, count, all, ret_first))
		return 0;
	if (timeout_nsec <= 0)
		return -ETIME;

	for (size_t i = 0; i < count; i++)
		__atomic_add_fetch(&looks[i].page->waiters, 1, __ATOMIC_SEQ_CST);
	for (;;) {
		words.count = 0;
		words.incomplete = false;
		for (size_t i = 0; i < count; i++) {
			if (!looks[i].ready)
				look_again(&looks[i]);
			if (!looks[i].ready)
				add_look(&words, &looks[i]);
		}
		if (enough(looks, count, all, ret_first)) {
			r = 0;
			break;
		}
		if (timeout_nsec != INT64_MAX && now_nsec() >= timeout_nsec) {
			r = -ETIME;
			break;
		}
		sleep_on(&words, timeout_nsec);
	}
	for (size_t i = 0; i < count; i++)
		__atomic_sub_fetch(&looks[i].page->waiters, 1, __ATOMIC_SEQ_CST);
	return r;
}

/* ---- eventfds ----------------------------------------------------------- */

static void put_mapping(struct soft_mapping *mapping)
{
	if (atomic_fetch_sub(&mapping->refs, 1) != 1)
		return;
	munmap(mapping->page, (size_t)sysconf(_SC_PAGESIZE));
	free(mapping);
}

/* As the kernel does it: a counter that is full stays so, and nobody is held up. */
static void count_up(int eventfd)
{
	struct pollfd pfd = {.fd = eventfd, .events = POLLOUT};
	const uint64_t one = 1;
	ssize_t n;

	do
		n = poll(&pfd, 1, 0);
	while (n == -1 && errno == EINTR);
	if (n != 1 || !(pfd.revents & POLLOUT))
		return;
	do
		n = write(eventfd, &one, sizeof(one));
	while (n == -1 && errno == EINTR);
}

/* With the lock, or when there is no thread any more. */
static void unlist(struct syncobj_registration *registration)
{
	registration->prev->next = registration->next;
	registration->next->prev = registration->prev;
	registration->listed = false;
	__atomic_sub_fetch(&registration->look.page->waiters, 1, __ATOMIC_SEQ_CST);
	close(registration->eventfd);
	put_mapping(registration->mapping);
}

static void poke(struct soft_events *events)
{
	__atomic_add_fetch(&events->control, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &events->control, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static void *serve_events(void *data)
{
	struct soft_events *events = data;
	struct soft_words words;

	pthread_setname_np(pthread_self(), "syncobj-eventfd");
	for (;;) {
		struct syncobj_registration *registration, *next;

		pthread_mutex_lock(&events->lock);
		if (events->stop)
			break;
		words.count = 0;
		words.incomplete = false;
		add_word(&words, &events->control,
			 __atomic_load_n(&events->control, __ATOMIC_SEQ_CST));
		for (registration = events->list.next; registration != &events->list;
		     registration = next) {
			next = registration->next;
			look_again(&registration->look);
			if (!registration->look.ready) {
				add_look(&words, &registration->look);
				continue;
			}
			count_up(registration->eventfd);
			unlist(registration);
			if (!registration->kept)
				free(registration);
		}
		pthread_mutex_unlock(&events->lock);
		if (words.count == 1) /* no one dies between these updates and wake-ups */
			sleep_on_one(&words, INT64_MAX);
		else
			sleep_on(&words, INT64_MAX);
	}
	pthread_mutex_unlock(&events->lock);
	return NULL;
}

static void stop_events(struct soft_events *events)
{
	pthread_mutex_lock(&events->lock);
	events->stop = true;
	pthread_mutex_unlock(&events->lock);
	poke(events);
	pthread_join(events->thread, NULL);
	while (events->list.next != &events->list) {
		struct syncobj_registration *registration = events->list.next;

		unlist(registration);
		free(registration);
	}
	pthread_mutex_destroy(&events->lock);
	free(events);
}

/* The device's thread, which is started if it is not there, or only in the parent process. */
static int get_events(struct syncobj_device *device, struct soft_events **ret_events)
{
	struct soft_events *events;
	void *old = __atomic_load_n(&device->priv, __ATOMIC_ACQUIRE);
	int r;

	if (old && ((struct soft_events *)old)->pid == getpid()) {
		*ret_events = old;
		return 0;
	}
	events = calloc(1, sizeof(*events));
	if (!events)
		return -ENOMEM;
	events->pid = getpid();
	events->list.next = events->list.prev = &events->list;
	pthread_mutex_init(&events->lock, NULL);
	r = start_thread(&events->thread, serve_events, events);
	if (r < 0) {
		pthread_mutex_destroy(&events->lock);
		free(events);
		return r == -EAGAIN ? -ENOMEM : r;
	}
	/* What a fork left there cannot be freed: its lock and list may be half-way. */
	if (!__atomic_compare_exchange_n(&device->priv, &old, events, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_ACQUIRE)) {
		stop_events(events);
		events = old;
	}
	*ret_events = events;
	return 0;
}

static void soft_device_close(struct syncobj_device *device)
{
	struct soft_events *events = device->priv;

	if (events && events->pid == getpid())
		stop_events(events);
	device->priv = NULL;
}

/* Return: a duplicate of @eventfd, or a negative errno if it is none. */
static int duplicate_eventfd(int eventfd)
{
	static const char eventfd_name[] = "anon_inode:[eventfd]";
	_cleanup_close_ int fd = fcntl(eventfd, F_DUPFD_CLOEXEC, 3);
	char path[sizeof("/proc/self/fd/") + 11], name[sizeof(eventfd_name) + 1];
	ssize_t n;

	if (fd == -1)
		return -errno;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, name, sizeof(name));
	if (n != (ssize_t)sizeof(eventfd_name) - 1 || memcmp(name, eventfd_name, (size_t)n))
		return -EINVAL;
	return steal_fd(&fd);
}

static int soft_eventfd(struct syncobj *syncobj, uint64_t point, int eventfd, uint32_t flags,
			struct syncobj_registration **ret_registration)
{
	_cleanup_free_ struct syncobj_registration *registration = NULL;
	_cleanup_close_ int fd = duplicate_eventfd(eventfd);
	struct soft_mapping *mapping = syncobj->priv;
	struct soft_events *events;
	int r;

	if (fd < 0)
		return fd;
	registration = calloc(1, sizeof(*registration));
	if (!registration)
		return -ENOMEM;
	begin_look(&registration->look, mapping->page, point);
	if (registration->look.ready) {
		count_up(fd);
		if (ret_registration)
			*ret_registration = NULL;
		return 0;
	}
	r = get_events(syncobj->device, &events);
	if (r < 0)
		return r;

	registration->events = events;
	registration->mapping = mapping;
	registration->eventfd = steal_fd(&fd);
	registration->listed = true;
	registration->kept = ret_registration;
	if (ret_registration)
		*ret_registration = registration;
	atomic_fetch_add(&mapping->refs, 1);
	__atomic_add_fetch(&mapping->page->waiters, 1, __ATOMIC_SEQ_CST);

	pthread_mutex_lock(&events->lock);
	registration->prev = events->list.prev;
	registration->next = &events->list;
	registration->prev->next = registration->next->prev = registration;
	registration = NULL;
	pthread_mutex_unlock(&events->lock);
	poke(events);
	return 0;
}

/* After it the eventfd does not fire. */
void syncobj_soft_cancel(struct syncobj_registration *registration)
{
	struct soft_events *events;
	bool listed;

	if (!registration || registration->events->pid != getpid())
		return;
	events = registration->events;
	pthread_mutex_lock(&events->lock);
	listed = registration->listed;
	if (listed)
		unlist(registration);
	pthread_mutex_unlock(&events->lock);
	free(registration);
	if (listed)
		poke(events);
}

/* ---- objects ------------------------------------------------------------ */

static int soft_map(int fd, struct soft_mapping **ret_mapping)
{
	struct soft_mapping *mapping = calloc(1, sizeof(*mapping));
	void *page;
	int r;

	if (!mapping)
		return -ENOMEM;
	page = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_POPULATE, fd, 0);
	if (page == MAP_FAILED) {
		r = -errno;
		free(mapping);
		return r;
	}
	atomic_init(&mapping->refs, 1);
	mapping->page = page;
	*ret_mapping = mapping;
	return 0;
}

static int soft_create(struct syncobj *syncobj, uint32_t flags)
{
	_cleanup_close_ int fd = memfd_create("syncobj", MFD_CLOEXEC | MFD_NOEXEC_SEAL);
	struct soft_mapping *mapping;
	struct soft_page *page;
	int r;

	if (fd == -1 && errno == EINVAL) /* before Linux 6.3 */
		fd = memfd_create("syncobj", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd == -1)
		return -errno;
	fd = move_fd(fd, 3);
	if (fd < 0)
		return fd;
	if (ftruncate(fd, sysconf(_SC_PAGESIZE)) == -1)
		return -errno;
	r = soft_map(fd, &mapping);
	if (r < 0)
		return r;

	page = mapping->page;
	page->version = SOFT_VERSION;
	page->magic = SOFT_MAGIC;
	if (flags & SYNCOBJ_CREATE_SIGNALED)
		page->state.tag = (uint64_t)SOFT_BINARY << SOFT_KIND_SHIFT;
	if (fcntl(fd, F_ADD_SEALS, SOFT_SEALS) == -1) {
		r = -errno;
		put_mapping(mapping);
		return r;
	}
	syncobj->fd = steal_fd(&fd);
	syncobj->priv = mapping;
	return 0;
}

bool syncobj_soft_is(int fd)
{
	struct soft_page page;
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);

	/* Without the seals a peer could shrink the file and have us killed. */
	return SOFT_SUPPORTED && seals != -1 && (seals & ~F_SEAL_EXEC) == SOFT_SEALS &&
	       fstat(fd, &st) == 0 && st.st_size == sysconf(_SC_PAGESIZE) &&
	       pread(fd, &page, sizeof(page), 0) == (ssize_t)sizeof(page) &&
	       page.magic == SOFT_MAGIC && page.version == SOFT_VERSION;
}

static int soft_import(struct syncobj *syncobj)
{
	struct soft_mapping *mapping;
	int r;

	if (!syncobj_soft_is(syncobj->fd))
		return -EBADF;
	r = soft_map(syncobj->fd, &mapping);
	/* Opened anew for reading, it is of no use as an object. */
	if (r == -EACCES || r == -EPERM)
		return -EBADF;
	if (r < 0)
		return r;
	syncobj->priv = mapping;
	return 0;
}

static void soft_release(struct syncobj *syncobj)
{
	put_mapping(syncobj->priv);
	syncobj->priv = NULL;
}

/* ---- operations --------------------------------------------------------- */

static int soft_wait(struct syncobj *const *syncobjs, const uint64_t *points, size_t count,
		     int64_t timeout_nsec, uint32_t flags, uint64_t deadline_nsec,
		     size_t *ret_first)
{
	struct soft_look on_stack[LOOKS_ON_STACK], *looks = on_stack;
	_cleanup_free_ struct soft_look *allocated = NULL;
	size_t first;
	int r;

	if (count > LOOKS_ON_STACK) {
		looks = allocated = malloc(count * sizeof(*looks));
		if (!allocated)
			return -ENOMEM;
	}
	for (size_t i = 0; i < count; i++) {
		begin_look(&looks[i], page_of(syncobjs[i]), points ? points[i] : 0);
		if (!looks[i].ready &&
		    !(flags & (SYNCOBJ_WAIT_FOR_SUBMIT | SYNCOBJ_WAIT_AVAILABLE)))
			return -EINVAL;
	}
	/* All fences here are signalled, so available and signalled are the same. */
	r = wait_for(looks, count, flags & SYNCOBJ_WAIT_ALL, timeout_nsec, &first);
	if (r == 0 && ret_first)
		*ret_first = first;
	return r;
}

static int soft_reset(struct syncobj *const *syncobjs, size_t count)
{
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++)
		r = change(page_of(syncobjs[i]), SOFT_NONE, 0, false);
	return r;
}

static int soft_signal(struct syncobj *const *syncobjs, const uint64_t *points, size_t count)
{
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++)
		r = add_point(page_of(syncobjs[i]), points ? points[i] : 0);
	return r;
}

static int soft_query(struct syncobj *const *syncobjs, size_t count, uint32_t flags,
		      uint64_t *ret_points)
{
	for (size_t i = 0; i < count; i++) {
		union soft_state state = load_state(&page_of(syncobjs[i])->state);

		ret_points[i] = kind_of(state) == SOFT_TIMELINE ? state.seqno : 0;
	}
	return 0;
}

static int soft_transfer(struct syncobj *dst, uint64_t dst_point, struct syncobj *src,
			 uint64_t src_point, uint32_t flags)
{
	struct soft_look look;
	size_t first;
	int r;

	begin_look(&look, page_of(src), src_point);
	if (!look.ready) {
		if (!(flags & SYNCOBJ_WAIT_FOR_SUBMIT))
			return -EINVAL;
		r = wait_for(&look, 1, true, now_nsec() + TRANSFER_NSEC, &first);
		if (r < 0)
			return r;
	}
	if (dst_point)
		return add_point(page_of(dst), dst_point);
	/* The kernel takes the fence as it is: the whole timeline, or one point of it. */
	if (kind_of(look.seen) == SOFT_TIMELINE && (src_point == 0 || src_point == look.seen.seqno))
		return change(page_of(dst), SOFT_TIMELINE, look.seen.seqno, false);
	return replace_by_binary(page_of(dst));
}

static int soft_signal_binary(struct syncobj *syncobj)
{
	return replace_by_binary(page_of(syncobj));
}

/*
 * A dma-buf that nobody uses has a sync_file that is signalled, and the object's
 * memory makes a dma-buf. That is the one way to it without a driver.
 */
static int soft_export_sync_file(struct syncobj *syncobj, uint64_t point)
{
	struct udmabuf_create create = {.memfd = (uint32_t)syncobj->fd,
					.flags = UDMABUF_FLAGS_CLOEXEC,
					.size = (uint64_t)sysconf(_SC_PAGESIZE)};
	struct dma_buf_export_sync_file export = {.flags = DMA_BUF_SYNC_RW, .fd = -1};
	_cleanup_close_ int udmabuf = -1, dmabuf = -1;

	if (!reaches(load_state(&page_of(syncobj)->state), point))
		return -EINVAL;
	if (!(syncobj->device->features & SYNCOBJ_FEATURE_SIGNALED_SYNC_FILE))
		return -EOPNOTSUPP;
	udmabuf = open(UDMABUF_PATH, O_RDWR | O_CLOEXEC);
	if (udmabuf == -1)
		return errno == EMFILE || errno == ENFILE ? -errno : -EOPNOTSUPP;
	dmabuf = ioctl(udmabuf, UDMABUF_CREATE, &create);
	if (dmabuf == -1) /* -EINVAL would say that the point is not submitted */
		return errno == EINVAL ? -EOPNOTSUPP : -errno;
	if (ioctl(dmabuf, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &export) == -1)
		return errno == ENOTTY ? -EOPNOTSUPP : -errno; /* before Linux 6.0 */
	return move_fd(export.fd, 3);
}

static int soft_import_sync_file(struct syncobj *syncobj, uint64_t point, int sync_file)
{
	struct sync_file_info info = {0};

	if (ioctl(sync_file, SYNC_IOC_FILE_INFO, &info) == -1)
		return -EINVAL;
	if (info.status == 0)
		return -EOPNOTSUPP;
	if (point)
		return add_point(page_of(syncobj), point);
	return replace_by_binary(page_of(syncobj));
}

static const struct syncobj_ops soft_ops = {
	.backend = SYNCOBJ_BACKEND_SOFT,
	.device_close = soft_device_close,
	.create = soft_create,
	.import = soft_import,
	.release = soft_release,
	.wait = soft_wait,
	.reset = soft_reset,
	.signal = soft_signal,
	.query = soft_query,
	.transfer = soft_transfer,
	.eventfd = soft_eventfd,
	.export_sync_file = soft_export_sync_file,
	.import_sync_file = soft_import_sync_file,
	.signal_binary = soft_signal_binary,
};

int syncobj_soft_backend_open(struct syncobj_device *device)
{
	_cleanup_free_ char *path = strdup("soft");
	_cleanup_free_ char *description = strdup("soft (shared memory of user space)");
	_cleanup_close_ int udmabuf = -1;

	if (!SOFT_SUPPORTED)
		return -EOPNOTSUPP;
	if (!path || !description)
		return -ENOMEM;
	device->features = SYNCOBJ_FEATURE_TIMELINE | SYNCOBJ_FEATURE_EVENTFD;
	udmabuf = open(UDMABUF_PATH, O_RDWR | O_CLOEXEC);
	if (udmabuf != -1)
		device->features |= SYNCOBJ_FEATURE_SIGNALED_SYNC_FILE;
	device->fd = -1;
	device->path = steal_ptr(path);
	device->description = steal_ptr(description);
	device->priv = NULL;
	device->ops = &soft_ops;
	return 0;
}
