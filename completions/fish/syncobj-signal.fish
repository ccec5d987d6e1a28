# SPDX-License-Identifier: MIT
# Completion of syncobj-signal for fish.

# Unlike an argument, a wildcard in set may match nothing.
function __syncobj_devices
	set -l nodes /dev/syncobj* /dev/dri/renderD*
	printf '%s\n' device drm soft $nodes
end

complete -c syncobj-signal -n 'not contains -- -- (commandline -opc)' -f
complete -c syncobj-signal -s d -l device -x -a '(__syncobj_devices)' -d 'Device for syncobjs'
complete -c syncobj-signal -l pid -x -a '(__fish_complete_pids)' -d 'Descriptors are those of this process'
complete -c syncobj-signal -l reset -d 'Take the fences away'
complete -c syncobj-signal -l transfer -d 'Put the fence of the first at the second'
complete -c syncobj-signal -l for-submit -d 'Wait for the fence to be submitted'
complete -c syncobj-signal -l export -d 'Make sync_files'
complete -c syncobj-signal -l create -d 'Make objects for a command'
complete -c syncobj-signal -l json -d 'Print JSON'
complete -c syncobj-signal -s h -l help -d 'Print a short help'
complete -c syncobj-signal -l version -d 'Print the version'
