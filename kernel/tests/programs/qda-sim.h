/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For programs that run in the test kernel: the attributes of the simulated DSPs, and
 * the daemon that plays one.
 */
#ifndef QDA_SIM_H
#define QDA_SIM_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>
#include <sys/wait.h>

#include "sys.h"

#define CONTEXT_BANKS 14

/* ---- the simulator ------------------------------------------------------ */

/* Return: 0 or a negative errno. */
static inline int sim_write(const char *label, const char *attribute, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/class/qda-sim/%s/%s", label, attribute);
	return write_text(path, value);
}

/* An attribute that is a number. */
static inline long sim_number(const char *label, const char *attribute)
{
	char path[128], text[32] = "";
	int fd;

	snprintf(path, sizeof(path), "/sys/class/qda-sim/%s/%s", label, attribute);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(fd);
	return strtol(text, NULL, 10);
}

/* Wait until a node is there, or gone, at most a minute. Return: whether it is so. */
static inline bool wait_node(const char *path, bool is_there)
{
	for (int i = 0; i < 6000; i++) {
		if ((access(path, F_OK) == 0) == is_there)
			return true;
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	}
	return false;
}

/* Start what plays the DSP, with our skels. Return: its pid. */
static inline pid_t daemon_start(const char *label, const char *option)
{
	const char *build = getenv("BUILD");
	char program[512], device[64], library[1024];
	pid_t pid = fork();

	if (pid)
		return pid;
	snprintf(program, sizeof(program), "%s/lib/softdsp/qda-softdspd", build);
	snprintf(device, sizeof(device), "/dev/qda-sim/%s", label);
	snprintf(library, sizeof(library), "%s/kernel/tests/programs;%s/examples/calculator", build,
		 build);
	execl(program, program, "-v", "-l", library, device, option, NULL);
	_exit(127);
}

static inline void daemon_stop(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

#endif
