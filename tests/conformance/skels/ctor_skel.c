/* SPDX-License-Identifier: MIT */
/* A skel that crashes while it is loaded. */
#include <qda_skel.h>

AEEResult ctor_skel_handle_invoke(remote_handle64 h, uint32_t sc, remote_arg *pra);

static volatile uintptr_t bad_address = 0x20;

static __attribute__((constructor)) void crash(void)
{
	*(volatile int *)bad_address = 1;
}

QDA_SKEL_EXPORT AEEResult ctor_skel_handle_invoke(remote_handle64 h, uint32_t sc, remote_arg *pra)
{
	return AEE_SUCCESS;
}
