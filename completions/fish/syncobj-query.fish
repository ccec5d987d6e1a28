# SPDX-License-Identifier: MIT
# Completion of syncobj-query for fish.

# Unlike an argument, a wildcard in set may match nothing.
function __syncobj_devices
	set -l nodes /dev/syncobj* /dev/dri/renderD*
	printf '%s\n' device drm soft $nodes
end

complete -c syncobj-query -f -a '(__fish_complete_pids)' -d 'Only this process'
complete -c syncobj-query -s d -l device -x -a '(__syncobj_devices)' -d 'Device for syncobjs of the kernel'
complete -c syncobj-query -l own -d 'List what was inherited'
complete -c syncobj-query -l watch -d 'Look again and again'
complete -c syncobj-query -l interval -x -d 'Time between looks'
complete -c syncobj-query -l count -x -d 'End after so many looks'
complete -c syncobj-query -l json -d 'Print JSON'
complete -c syncobj-query -s v -l verbose -d 'Say how many processes may not be looked into'
complete -c syncobj-query -s h -l help -d 'Print a short help'
complete -c syncobj-query -l version -d 'Print the version'
