/* SPDX-License-Identifier: MIT */
/* What the tools for DSPs share beside the library: hints, and the names of devices. */
#include <errno.h>
#include <stddef.h>

#include <qda.h>

#include "dsp.h"

const char *error_hint(int error)
{
	switch (error) {
	case -EINTR:
	case -EPERM:
	case -ECONNRESET: /* why it ended is printed */
	case -ESHUTDOWN:
		return NULL;
	case -ENODEV:
	case -EPIPE:
		return "qda-info lists the DSPs; a DSP that restarts comes back after a while";
	case -ETIMEDOUT:
		return "give it more time if the DSP is only slow";
	case -ENOEXEC:
		return "name qda-softdsp in QDA_SOFTDSP, or unset it";
	default:
		return qda_error_hint(error);
	}
}
