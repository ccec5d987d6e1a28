/* SPDX-License-Identifier: MIT */
/* A skel that never finishes loading. */
#include <unistd.h>

#include <qda_skel.h>

AEEResult hang_skel_handle_invoke(remote_handle64 h, uint32_t sc, remote_arg *pra);

static __attribute__((constructor)) void hang(void)
{
	for (;;)
		pause();
}

QDA_SKEL_EXPORT AEEResult hang_skel_handle_invoke(remote_handle64 h, uint32_t sc, remote_arg *pra)
{
	return AEE_SUCCESS;
}
