/* SPDX-License-Identifier: MIT */
/* Texts of the errors. */
#include <string.h>

#include "internal.h"

DMABUF_EXPORT const char *dmabuf_strerror(int error)
{
	const char *text;

	if (error > 0 || error < -4095) /* the kernel's highest */
		return "unknown error";
	switch (-error) {
	case 0:
		return "success";
	case EINVAL:
		return "invalid argument, or a descriptor that is no buffer";
	case EBADF:
		return "the file descriptor is closed, or of another kind";
	case ENOENT:
		return "no such heap, cgroup or node";
	case EACCES:
		return "permission denied";
	case EPERM:
		return "forbidden by a policy, or by what the memory is";
	case ESRCH:
		return "the process to charge, or the client, is gone";
	case EDQUOT:
		return "a memory limit of the cgroup to charge is in the way";
	case EOPNOTSUPP:
		return "the kernel, the heap or the device does not support this";
	case ENODEV:
		return "no such device, or what the buffer showed was taken away";
	case EBADFD:
		return "the buffer was revoked before";
	case ENOTCONN:
		return "the device has no VFIO driver, or the socket no other side";
	case EBUSY:
		return "somebody else has the device or the range";
	case ENOSPC:
		return "no range is free that is large enough";
	case EUSERS:
		return "more leases than one client may have";
	case ENODATA:
		return "the other side has closed the socket";
	case EBADMSG:
		return "what came over the socket is no message of buffers";
	case EMSGSIZE:
		return "the message is larger than the room for it";
	case E2BIG:
		return "too many buffers or bytes in one message";
	case EPIPE:
		return "the other side of the socket is gone";
	case EEXIST:
		return "something is mapped at that address";
	case ENOMEM:
		return "out of memory";
	case EMFILE:
		return "too many open files in the process";
	case ENFILE:
		return "too many open files in the system";
	}
	text = strerrordesc_np(-error);
	return text ? text : "unknown error";
}
