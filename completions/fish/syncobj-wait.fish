# SPDX-License-Identifier: MIT
# Completion of syncobj-wait for fish.

# Unlike an argument, a wildcard in set may match nothing.
function __syncobj_devices
	set -l nodes /dev/syncobj* /dev/dri/renderD*
	printf '%s\n' device drm soft $nodes
end

complete -c syncobj-wait -f
complete -c syncobj-wait -s d -l device -x -a '(__syncobj_devices)' -d 'Device for syncobjs of the kernel'
complete -c syncobj-wait -l pid -x -a '(__fish_complete_pids)' -d 'Descriptors are those of this process'
complete -c syncobj-wait -l fd -x -d 'The same as an operand'
complete -c syncobj-wait -l all -d 'Wait for all points'
complete -c syncobj-wait -l any -d 'Wait for one of the points'
complete -c syncobj-wait -l available -d 'Wait until points are submitted only'
complete -c syncobj-wait -l submitted -d 'A point that is not submitted is an error'
complete -c syncobj-wait -s t -l timeout -x -d 'Give up after this time'
complete -c syncobj-wait -l deadline -x -d 'When it is needed'
complete -c syncobj-wait -l json -d 'Print JSON'
complete -c syncobj-wait -s v -l verbose -d 'Print how far each object is'
complete -c syncobj-wait -s h -l help -d 'Print a short help'
complete -c syncobj-wait -l version -d 'Print the version'
