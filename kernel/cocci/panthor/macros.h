/* SPDX-License-Identifier: GPL-2.0-only */
/* What spatch 1.1.1 has to know of linux/cleanup.h: without it, it skips functions that use these. */
#define scoped_guard YACFE_ITERATOR
#define scoped_cond_guard YACFE_ITERATOR
