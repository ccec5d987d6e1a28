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
	cat "$suite" || status=1
done
exit $status
