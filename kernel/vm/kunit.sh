#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Loads the KUnit modules whose names are given and prints the results of the suites in them.
results=/sys/kernel/debug/kunit
modprobe kunit || exit 1
status=0
for module; do
	modprobe "$module" || status=1
done
echo 'KTAP version 1'
for suite in "$results"/*/results; do
	# Those of modules that were there before are not meant.
	module=$(sed -n 's/^ *# module: //p' "$suite" | head -n 1)
	case " $(echo "$*" | tr - _) " in
	*" $(echo "${module:?"$suite does not name its module"}" | tr - _) "*)
		cat "$suite" || status=1
		;;
	esac
done
exit $status
