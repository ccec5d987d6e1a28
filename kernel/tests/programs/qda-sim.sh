# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# For tests that run in the guest: DSPs that the daemon plays, under the driver qda.

# dsp_start LABEL [OPTION]: have a DSP; returns when its accel node is there, or after a minute
# with 1.
dsp_start() {
	"$BUILD/lib/softdsp/qda-softdspd" --restart "/dev/qda-sim/$1" ${2+"$2"} &
	tries=600
	while [ $tries -gt 0 ]; do
		for node in /sys/class/accel/accel*; do
			case $(readlink -f "$node/device") in
			*/"$1.fastrpcglink"*) return 0 ;;
			esac
		done
		sleep 0.1
		tries=$((tries - 1))
	done
	return 1
}

# What a real DSP's process starts from, in this directory; the software DSP does not look at it.
dsp_shells() {
	for dsp in 0 3 4; do
		echo shell >fastrpc_shell_unsigned_$dsp
		echo shell >fastrpc_shell_$dsp
	done
}

number=0

# result STATUS NAME: one line of TAP.
result() {
	number=$((number + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $number - $2"
	else
		echo "not ok $number - $2"
	fi
}
