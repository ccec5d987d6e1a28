/* SPDX-License-Identifier: MIT */
/* What the tools for DSPs share beside the library: hints, and the names of devices. */
#ifndef DSP_H
#define DSP_H

/*
 * What to do about @error, for who runs a command, or NULL. The library's hints are for
 * who writes a program.
 */
const char *error_hint(int error);

/* What qda_device_open() takes; it returns -EINVAL for everything else. */
#define DEVICE_NAMES                                                                   \
	"a DSP's name such as cdsp, a node /dev/accel/accelN, or soft:NAME; NAME has " \
	"only a-z, 0-9, _ and -, at most 16 of them"

#endif
