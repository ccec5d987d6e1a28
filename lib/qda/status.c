/* SPDX-License-Identifier: MIT */
/* Texts: what the library's errors and the DSP's statuses mean, and what to do about them. */
#include <string.h>

#include "internal.h"

struct error_text {
	int error;
	const char *text;
	const char *hint;
};

/* The errors that qda.h names. Others have the system's text and no hint. */
static const struct error_text errors[] = {
	{EPERM, "operation not permitted",
	 "remote handle 1 is the kernel's own; a memfd must be sealable against shrinking"},
	{ENOENT, "no such file",
	 "check the node, the search path (DSP_LIBRARY_PATH) and, for soft:, QDA_SOFTDSP"},
	{EINTR, "interrupted by a signal; whether the DSP carried the call out is unknown",
	 "interruptible sessions let signals end their calls"},
	{E2BIG, "too many arguments for one call",
	 "a call has at most 255 in buffers, 255 out buffers and 15 handles each way"},
	{ENOEXEC, "the program of the software DSP is another program",
	 "QDA_SOFTDSP has to name qda-softdsp"},
	{EAGAIN, "nothing to receive yet", NULL},
	{ENOMEM, "out of memory, or the DSP has no free context bank",
	 "close sessions that are not needed, or allocate smaller buffers"},
	{EACCES, "permission denied",
	 "add the user to the group that owns the node, or give the node a udev rule"},
	{EBUSY, "busy: no free session on the DSP, cookie taken, or too many calls in flight",
	 "close sessions that are not needed, or let calls end first"},
	{ENODEV, "no such DSP, or it is gone",
	 "qda-info lists the DSPs; after a restart of the DSP open it again"},
	{EINVAL, "invalid argument", NULL},
	{EMFILE, "too many open files", "raise RLIMIT_NOFILE (ulimit -n)"},
	{ENOSPC, "no room left in the arena", "make the arena larger, or reset it between calls"},
	{EPIPE, "the DSP restarted", "free the session and open the device again"},
	{EPROTO, "the driver's answer makes no sense",
	 "the kernel's driver has another version of the QDA interface"},
	{EXDEV, "the file lies outside the search path",
	 "put the file itself below a directory of the search path, not a link or '..' to it"},
	{EREMOTEIO, "the DSP refused", "its status says why"},
	{ETIMEDOUT, "the call's time limit passed; the session is ended",
	 "create a new session; give the call more time if the DSP is only slow"},
	{ECONNRESET, "the process on the DSP ended",
	 "look at the reason the session ended for; create a new session"},
	{ESHUTDOWN, "the session is closed", "create a new session"},
	{EALREADY, "the buffer is mapped at the DSP already", "unmap it first"},
	{EOVERFLOW, "value out of range", NULL},
	{EOPNOTSUPP, "the DSP does not support this", NULL},
	{ENOTTY, "the driver does not know this request",
	 "the kernel's driver has another version of the QDA interface"},
};

static const struct error_text *find_error(int error)
{
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
		if (error == -errors[i].error)
			return &errors[i];
	return NULL;
}

QDA_EXPORT const char *qda_strerror(int error)
{
	const struct error_text *found;
	const char *text;

	if (error >= 0)
		return "success";
	found = find_error(error);
	if (found)
		return found->text;
	/* Unlike strerror() static in every thread. */
	text = error > -4096 ? strerrordesc_np(-error) : NULL;
	return text ? text : "unknown error";
}

QDA_EXPORT const char *qda_error_hint(int error)
{
	const struct error_text *found = error < 0 ? find_error(error) : NULL;

	return found ? found->hint : NULL;
}

struct status_text {
	uint32_t status; /* without the DSP's offset */
	const char *name;
	const char *text;
	const char *hint;
};

#define STATUS(status) status, #status

/* Numbers of AEEStdErr.h. On the DSP they have AEE_DSP_OFFSET, on this side they do not. */
static const struct status_text statuses[] = {
	{STATUS(AEE_EFAILED), "general failure", "the module's own log on the DSP says more"},
	{STATUS(AEE_ENOMEMORY), "out of memory on the DSP",
	 "use smaller buffers, or close other sessions on this DSP"},
	{STATUS(AEE_EUNABLETOLOAD), "the library could not be loaded",
	 "check that it and every library it needs lie on the search path (DSP_LIBRARY_PATH) "
	 "and are built for this DSP"},
	{STATUS(AEE_EEXPIRED), "expired: the DSP or a session on it is not available",
	 "create a new session; if that fails too the DSP is restarting"},
	{STATUS(AEE_EBADSTATE), "not possible in this state", "create a new session"},
	{STATUS(AEE_EBADPARM), "a parameter is not valid",
	 "check number, order and sizes of the arguments against the IDL"},
	{STATUS(AEE_EUNSUPPORTED), "not supported, or the module has no such method",
	 "check the method's number; own methods of a remote_handle64 interface begin at 2"},
	{STATUS(AEE_EALREADY), "already done", NULL},
	{STATUS(AEE_EBUFFERTOOSMALL), "a buffer is too small", "give the out buffer more room"},
	{STATUS(AEE_ENOSUCH), "no such thing", "check the names and numbers that were passed"},
	{STATUS(AEE_EINVHANDLE), "the remote handle is not valid",
	 "open the module in the session that calls it"},
	{STATUS(AEE_EINTERRUPTED), "interrupted",
	 "the call may be made again if it can be repeated"},
	{STATUS(AEE_EINVALIDDOMAIN), "no such domain", "check &_dom= in the URI"},
	{STATUS(AEE_ENOSUCHMOD), "no such module",
	 "check the module's name and the search path (DSP_LIBRARY_PATH)"},
	{STATUS(AEE_ENOSUCHSYMBOL), "no such symbol in the library",
	 "build the library with IFACE_skel_handle_invoke for the interface in the URI, and "
	 "with all symbols it uses"},
	{STATUS(AEE_ENOSUCHFILE), "no such file",
	 "put the library below a directory of the search path (DSP_LIBRARY_PATH)"},
	{STATUS(AEE_ENOSUCHHANDLE), "no such handle",
	 "the module was closed, or never opened here"},
	{STATUS(AEE_ENOSUCHMAP), "no such mapping", "map the buffer at the DSP first"},
	{STATUS(AEE_EBADSIZE), "a size is not valid", "check the sizes of the arguments"},
	{STATUS(AEE_EBADPERMS), "no permission",
	 "an unsigned process may not do this; a signed session needs a signed "
	 "library or a test signature"},
	{STATUS(AEE_EBADFD), "a file descriptor is not valid",
	 "pass memory that belongs to the session and is still allocated"},
	{STATUS(AEE_EBADELF), "not an ELF file this DSP can load",
	 "build the library for this DSP's architecture"},
	{STATUS(AEE_ECONNRESET), "the process on the DSP ended", "create a new session"},
	{STATUS(AEE_ECONNREFUSED), "connection refused",
	 "the DSP is not running, or its root-PD daemon (cdsprpcd, adsprpcd) is not"},
	{STATUS(AEE_ERPC), "remote call failed, or the library cannot run standalone",
	 "the DSP needs its root-PD daemon (cdsprpcd, adsprpcd) running with the right search "
	 "path, and a test signature (testsig-SERIAL.so) for a signed process"},
	{STATUS(AEE_EFILE), "file error", "check that the library is whole and can be read"},
	{STATUS(AEE_EWOULDBLOCK), "would block", "try again"},
};

static const struct status_text *find_status(uint32_t status)
{
	if (status >= AEE_DSP_OFFSET)
		status -= AEE_DSP_OFFSET;
	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++)
		if (statuses[i].status == status)
			return &statuses[i];
	return NULL;
}

QDA_EXPORT const char *qda_status_name(uint32_t status)
{
	const struct status_text *found = find_status(status);

	if (!status)
		return "AEE_SUCCESS";
	return found ? found->name : NULL;
}

QDA_EXPORT const char *qda_status_text(uint32_t status)
{
	const struct status_text *found = find_status(status);

	if (!status)
		return "success";
	if (found)
		return found->text;
	return status >= AEE_DSP_OFFSET ? "unknown status of the DSP"
					: "status of the method's own";
}

QDA_EXPORT const char *qda_status_hint(uint32_t status)
{
	const struct status_text *found = find_status(status);

	return found ? found->hint : NULL;
}
