/* SPDX-License-Identifier: MIT */
/* A skel that needs a function which nothing provides. */
#include <qda_skel.h>

AEEResult needs_skel_handle_invoke(remote_handle64 h, uint32_t sc, remote_arg *pra);
int function_that_nobody_has(int value);

QDA_SKEL_EXPORT AEEResult needs_skel_handle_invoke(remote_handle64 h, uint32_t sc, remote_arg *pra)
{
	return function_that_nobody_has((int)sc);
}
