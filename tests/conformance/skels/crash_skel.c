/* SPDX-License-Identifier: MIT */
/* A skel that ends its process, never returns, or writes where it may not. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <qda_skel.h>

#include "conf.h"

AEEResult crash_skel_handle_invoke(remote_handle64 h, uint32_t sc, remote_arg *pra);

/* Kept out of the compiler's sight, so that nothing is proven about it. */
static volatile uintptr_t bad_address = 0x10;
static volatile int zero;

static int eat_stack(volatile char *above)
{
	volatile char page[4096];

	page[0] = (char)(above[0] + 1);
	page[sizeof(page) - 1] = page[0];
	return eat_stack(page) + page[sizeof(page) - 1];
}

static int overrun(uint32_t sc, remote_arg *pra)
{
	const remote_arg *out = pra + REMOTE_SCALARS_INBUFS(sc);
	volatile char *end = (char *)out->buf.pv + out->buf.nLen;
	uint32_t n;

	memcpy(&n, pra[0].buf.pv, sizeof(n));
	memset(out->buf.pv, 'x', out->buf.nLen);
	for (uint32_t i = 0; i < n; i++)
		end[i] = 'X';
	return AEE_SUCCESS;
}

/* Mappings of closed files are reached too, through map_files. */
static AEEResult truncate_all(void)
{
	static const char *const dirs[] = {"/proc/self/fd", "/proc/self/map_files"};

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		DIR *dir = opendir(dirs[i]);
		const struct dirent *entry;

		while (dir && (entry = readdir(dir))) {
			int fd = openat(dirfd(dir), entry->d_name, O_RDWR | O_NONBLOCK | O_CLOEXEC);

			if (fd >= 0 && ftruncate(fd, 0) == -1)
				errno = 0;
			if (fd >= 0)
				close(fd);
		}
		if (dir)
			closedir(dir);
	}
	return AEE_SUCCESS;
}

QDA_SKEL_EXPORT AEEResult crash_skel_handle_invoke(remote_handle64 h, uint32_t sc, remote_arg *pra)
{
	char seed = 1;

	switch (REMOTE_SCALARS_METHOD(sc)) {
	case 0:
		pra[2].h64 = 1;
		return AEE_SUCCESS;
	case 1:
	case CRASH_NOTHING:
		return AEE_SUCCESS;
	case CRASH_SEGV:
		return *(volatile int *)bad_address;
	case CRASH_ABORT:
		abort();
	case CRASH_EXIT:
		exit(3);
	case CRASH_UNDERSCORE_EXIT:
		_exit(3);
	case CRASH_HANG:
		for (;;)
			pause();
	case CRASH_STACK:
		return eat_stack(&seed);
	case CRASH_OVERRUN:
		return overrun(sc, pra);
	case CRASH_KILL:
		kill(getpid(), SIGKILL);
		return AEE_SUCCESS;
	case CRASH_CLOSE_FDS:
		syscall(SYS_close_range, 0U, ~0U, 0U);
		return AEE_SUCCESS;
	case CRASH_TRUNCATE:
		return truncate_all();
	case CRASH_STOP:
		for (;;) /* the other threads may be the first to stop */
			kill(getpid(), SIGSTOP);
	case CRASH_FPE:
		return 100 / zero;
	default:
		return AEE_EUNSUPPORTED;
	}
}
