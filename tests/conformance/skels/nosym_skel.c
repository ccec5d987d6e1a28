/* SPDX-License-Identifier: MIT */
/* A library that is no skel: it exports something else. */
#include <qda_skel.h>

QDA_SKEL_EXPORT int nosym_something(void);

int nosym_something(void)
{
	return 0;
}
