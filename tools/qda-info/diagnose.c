/* SPDX-License-Identifier: MIT */
/* Why a DSP does not work, and what the user can do: node, permission, driver, shell. */
#include <dirent.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common.h"
#include "diagnose.h"
#include "dsp.h"
#include "qda-info.h"
#include "tool.h"

#define UDEV_RULE "SUBSYSTEM==\"accel\", DRIVERS==\"qda\", GROUP=\"render\", MODE=\"0660\""

char *text(const char *format, ...)
{
	char *result;
	va_list args;
	int r;

	va_start(args, format);
	r = vasprintf(&result, format, args);
	va_end(args);
	if (r == -1) {
		tool_error("out of memory");
		exit(EXIT_FAILED);
	}
	return result;
}

char *user_name(uint32_t uid)
{
	const struct passwd *user = getpwuid(uid);

	return user ? text("%s", user->pw_name) : text("%u", uid);
}

char *group_name(uint32_t gid)
{
	const struct group *group = getgrgid(gid);

	return group ? text("%s", group->gr_name) : text("%u", gid);
}

static void set_problem(struct report *report, char *cause, char *cure)
{
	free(report->cause);
	free(report->cure);
	report->cause = cause;
	report->cure = cure;
}

/* ---- permission --------------------------------------------------------- */

/* The groups of this process, which may be fewer than the user's. */
static bool in_group(gid_t gid)
{
	int n = getgroups(0, NULL);
	_cleanup_free_ gid_t *groups = n > 0 ? calloc((size_t)n, sizeof(*groups)) : NULL;

	if (gid == getegid())
		return true;
	if (!groups)
		return false;
	n = getgroups(n, groups);
	for (int i = 0; i < n; i++)
		if (groups[i] == gid)
			return true;
	return false;
}

static bool is_member(uint32_t gid, const char *user)
{
	const struct group *group = getgrgid(gid);

	for (char **member = group ? group->gr_mem : NULL; member && *member; member++)
		if (!strcmp(*member, user))
			return true;
	return false;
}

static char *permission_cure(const struct report *report)
{
	_cleanup_free_ char *user = user_name(geteuid());
	_cleanup_free_ char *group = group_name(report->gid);
	bool owner = report->uid == geteuid(), member = in_group(report->gid);
	uint32_t bits = owner ? report->mode >> 6 : member ? report->mode >> 3 : report->mode;

	if (!geteuid() || (bits & 6) == 6)
		return text("the mode allows it, so a security module or the container's device "
			    "list does not: allow %s there",
			    report->node);
	if (owner)
		return text("chmod u+rw %s", report->node);
	if (member || !report->gid || (report->mode & 060) != 060)
		return text("run as root, or let a udev rule give the node to a group: %s",
			    UDEV_RULE);
	if (is_member(report->gid, user))
		return text("log in again: %s is in group %s, but not yet in this login", user,
			    group);
	return text("join group %s: sudo usermod -a -G %s %s, then log in again", group, group,
		    user);
}

static void diagnose_permission(struct report *report, int error)
{
	_cleanup_free_ char *user = NULL, *group = NULL;

	if (!report->has_access) {
		set_problem(report, text("%s: %s", report->node, qda_strerror(error)),
			    text("run as root"));
		return;
	}
	user = user_name(report->uid);
	group = group_name(report->gid);
	set_problem(report,
		    text("%s: permission denied: mode %04o, owner %s, group %s", report->node,
			 report->mode, user, group),
		    permission_cure(report));
}

/* ---- driver and node ---------------------------------------------------- */

/* The nodes of the FastRPC driver that came before, NULL if there are none; the caller's. */
static char *fastrpc_nodes(void)
{
	char *nodes = NULL;
	DIR *dir = opendir("/dev");
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char *more;

		if (strncmp(entry->d_name, "fastrpc-", strlen("fastrpc-")) != 0)
			continue;
		more = text("%s%s/dev/%s", nodes ? nodes : "", nodes ? ", " : "", entry->d_name);
		free(nodes);
		nodes = more;
	}
	if (dir)
		closedir(dir);
	return nodes;
}

void diagnose_no_device(struct report *report)
{
	_cleanup_free_ char *nodes = fastrpc_nodes();

	/* A driver built into the kernel has no directory under module/. */
	if (!access("/sys/module/qda", F_OK) || !access("/sys/bus/rpmsg/drivers/qda", F_OK))
		set_problem(report, text("no DSP: driver qda is loaded but has no device"),
			    text("see that the DSP runs (/sys/class/remoteproc/*/state) and that "
				 "no other driver has it"));
	else if (nodes)
		set_problem(report,
			    text("no DSP: driver fastrpc has them (%s), driver qda is not loaded",
				 nodes),
			    text("modprobe -r fastrpc && modprobe qda, with a kernel that has "
				 "CONFIG_DRM_ACCEL_QDA"));
	else
		set_problem(report, text("no DSP: driver qda is not loaded"),
			    text("modprobe qda, with a kernel that has CONFIG_DRM_ACCEL_QDA; on a "
				 "machine without a Qualcomm DSP use soft:cdsp"));
}

void diagnose_node(struct report *report, int error)
{
	const char *hint = error_hint(error);

	switch (error) {
	case -EACCES:
	case -EPERM:
		diagnose_permission(report, error);
		break;
	case -ENOENT:
		set_problem(report, text("%s: the node is missing", report->node),
			    text("udevadm trigger --subsystem-match=accel creates it again; a "
				 "container must be given the node"));
		break;
	case -ENODEV:
		set_problem(report, text("%s: not a node of the driver qda", report->node),
			    text("qda-info without a name lists them"));
		break;
	default:
		set_problem(report, text("%s: %s", report->node, qda_strerror(error)),
			    text("%s", hint ? hint : "the kernel's log (dmesg) says more"));
	}
}

/* ---- sessions ----------------------------------------------------------- */

void diagnose_session(struct report *report, const char *what, int error, const char *line)
{
	const char *hint = error_hint(error);

	if (error == -ENOEXEC) {
		set_problem(report, text("cannot %s: %s is not qda-softdsp", what, report->node),
			    text("%s", hint));
		return;
	}
	if (error == -ENOENT)
		hint = "install the DSP's files, or name the directory that has the shell in "
		       "DSP_LIBRARY_PATH";
	if (error == -EREMOTEIO)
		hint = "the DSP may offer only signed (--signed) or only unsigned processes, and "
		       "needs its root-PD daemon (cdsprpcd, adsprpcd)";
	set_problem(report, text("cannot %s: %s", what, *line ? line : qda_strerror(error)),
		    text("%s", hint ? hint : "-v shows what the library did"));
}

void diagnose_program(struct report *report, int error)
{
	set_problem(report,
		    text("the software DSP's program %s cannot be run: %s", report->node,
			 qda_strerror(error)),
		    text("install qda-softdsp, or name it in QDA_SOFTDSP"));
}
