// SPDX-License-Identifier: GPL-2.0-only
// What is left over in functions that were converted: variables for what is returned at once, braces
// around that, and variables that nothing uses.
@initialize:python@
@@
import os
converted = set(os.environ['CONVERTED'].split())
used = set()  # (function, name)

@value@ identifier r; expression X; position q; @@
r = X;
return r@q;
@script:python here@ q << value.q; @@
if q[0].current_element not in converted: cocci.include_match(False)

@depends on here@
identifier value.r; expression X; position value.q;
@@
- r = X;
- return r@q;
+ return X;

@braces@ expression C, X; position q; @@
if (C) {
	return@q X;
}
@script:python alone@ q << braces.q; @@
if q[0].current_element not in converted: cocci.include_match(False)

@depends on alone@
expression C, X; position braces.q;
@@
if (C)
- {
	return@q X;
- }

@uses@ identifier r; position w; @@
r@w
@script:python@ r << uses.r; w << uses.w; @@
used.add((w[0].current_element, str(r)))

@declares@ identifier r; type T; position q; @@
(
T r@q;
|
T r@q = 0;
)
@script:python unused@ q << declares.q; r << declares.r; @@
name = q[0].current_element
if name not in converted - {str(r)} or (name, str(r)) in used: cocci.include_match(False)

@depends on unused@
identifier declares.r; type T; position declares.q;
@@
(
- T r@q;
|
- T r@q = 0;
)
