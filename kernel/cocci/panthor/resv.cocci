// SPDX-License-Identifier: GPL-2.0-only
// dma_resv_lock_interruptible() and dma_resv_trylock(): the guards dma_resv_intr and dma_resv_try.

@@
expression R; identifier e, out, r;
@@
- e = dma_resv_lock_interruptible(R, NULL);
+ ACQUIRE(dma_resv_intr, resv_guard)(R);
+ e = ACQUIRE_ERR(dma_resv_intr, &resv_guard);
if (e)
	return ...;
<... when != dma_resv_unlock(R)
- goto out;
+ return r;
...>
- out:
- dma_resv_unlock(R);
return r;

@@
expression R; identifier e, r;
@@
- e = dma_resv_lock_interruptible(R, NULL);
+ ACQUIRE(dma_resv_intr, resv_guard)(R);
+ e = ACQUIRE_ERR(dma_resv_intr, &resv_guard);
if (e)
	return ...;
... when != dma_resv_unlock(R)
    when strict
- dma_resv_unlock(R);
return r;

@@
expression R; identifier r; statement S;
@@
- if (!dma_resv_trylock(R))
+ ACQUIRE(dma_resv_try, resv_guard)(R);
+ if (ACQUIRE_ERR(dma_resv_try, &resv_guard))
S
... when != dma_resv_unlock(R)
    when strict
- dma_resv_unlock(R);
return r;
