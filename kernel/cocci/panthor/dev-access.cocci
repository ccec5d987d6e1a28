// SPDX-License-Identifier: GPL-2.0-only
// drm_dev_enter() and drm_dev_exit(): the guard drm_dev_access.

// Gotos to a label that exits and returns.
@@
expression D; identifier idx, out, r; statement S;
@@
- if (!drm_dev_enter(D, &idx))
+ ACQUIRE(drm_dev_access, dev_guard)(D);
+ if (ACQUIRE_ERR(drm_dev_access, &dev_guard))
S
<...
- goto out;
+ return r;
...>
- out:
- drm_dev_exit(idx);
return r;

// Only a return comes after the exit.
@@
expression D; identifier idx, r; constant C; statement S; identifier f;
@@
f(...) {
... when any
- if (!drm_dev_enter(D, &idx))
+ ACQUIRE(drm_dev_access, dev_guard)(D);
+ if (ACQUIRE_ERR(drm_dev_access, &dev_guard))
S
... when != drm_dev_exit(idx)
    when strict
- drm_dev_exit(idx);
(
return r;
|
return C;
|
return;
)
}

// The body of an if.
@@
expression D, X; identifier idx;
iterator name scoped_guard;
@@
- if (drm_dev_enter(D, &idx)) {
+ scoped_guard(drm_dev_access, D)
X;
- drm_dev_exit(idx);
- }

@@
expression D; identifier idx;
iterator name scoped_guard;
@@
- if (drm_dev_enter(D, &idx)) {
+ scoped_guard(drm_dev_access, D) {
...
- drm_dev_exit(idx);
}
