/* SPDX-License-Identifier: MIT */
/* Exit statuses of qda-info. */
#ifndef QDA_INFO_H
#define QDA_INFO_H

#define EXIT_FINE 0
#define EXIT_TROUBLE 1 /* see qda-info(1) */
#define EXIT_USAGE 2
#define EXIT_FAILED 3 /* no memory, udev, or the output was lost */

#endif
