# SPDX-License-Identifier: MIT
# Completion of dmabuf-vfio for fish.

# Unlike an argument, a wildcard in set may match nothing.
function __dmabuf_vfio_devices
	set -l nodes /dev/vfio/devices/*
	printf '%s\n' soft: $nodes
end

complete -c dmabuf-vfio -f
complete -c dmabuf-vfio -n __fish_use_subcommand -a list -d 'Show devices and what they can do'
complete -c dmabuf-vfio -n __fish_use_subcommand -a export -d 'Make a buffer for a command'
complete -c dmabuf-vfio -n __fish_use_subcommand -a serve -d 'Vend ranges over a Unix socket'
complete -c dmabuf-vfio -n __fish_use_subcommand -a attach -d 'Map a range, read and write'
complete -c dmabuf-vfio -n __fish_use_subcommand -a revoke -d 'Take a range back'
complete -c dmabuf-vfio -n '__fish_seen_subcommand_from list export serve' -a '(__dmabuf_vfio_devices)'
complete -c dmabuf-vfio -s s -l socket -r -F -d 'The Unix socket'
complete -c dmabuf-vfio -s p -l policy -r -F -d 'Which ranges there are, and who may have them'
complete -c dmabuf-vfio -l mode -x -d 'Who may connect'
complete -c dmabuf-vfio -l read -x -d 'Read words'
complete -c dmabuf-vfio -l write -x -d 'Write a word'
complete -c dmabuf-vfio -l width -x -a '1 2 4 8' -d 'Bytes of a word'
complete -c dmabuf-vfio -l wait -d 'Keep it until it is revoked'
complete -c dmabuf-vfio -l pid -x -a '(__fish_complete_pids)' -d 'Only what this process has'
complete -c dmabuf-vfio -l read-only -d 'Cannot be mapped to write'
complete -c dmabuf-vfio -l write-combining -d 'Mappings combine writes'
complete -c dmabuf-vfio -l name -x -d 'Name of the buffer'
complete -c dmabuf-vfio -l json -d 'Print JSON'
complete -c dmabuf-vfio -s h -l help -d 'Print a short help'
complete -c dmabuf-vfio -l version -d 'Print the version'
