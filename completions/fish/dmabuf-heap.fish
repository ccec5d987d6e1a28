# SPDX-License-Identifier: MIT
# Completion of dmabuf-heap for fish.

# Unlike an argument, a wildcard in set may match nothing.
function __dmabuf_heaps
	set -l nodes /dev/dma_heap/*
	printf '%s\n' memfd udmabuf (string replace /dev/dma_heap/ '' $nodes)
end

complete -c dmabuf-heap -f
complete -c dmabuf-heap -n __fish_use_subcommand -a list -d 'Show heaps and what they are'
complete -c dmabuf-heap -n __fish_use_subcommand -a alloc -d 'Allocate a buffer, for a command'
complete -c dmabuf-heap -s H -l heap -x -a '(__dmabuf_heaps)' -d 'This heap'
complete -c dmabuf-heap -l require -x -a 'contiguous protected uncached cc-shared system' -d 'Heaps with this property'
complete -c dmabuf-heap -l charging -d 'Ask how heaps charge'
complete -c dmabuf-heap -s c -l charge -x -a 'self (__fish_complete_pids)' -d 'Charge it to this process or cgroup'
complete -c dmabuf-heap -l strict -d 'Fail if that cannot be done'
complete -c dmabuf-heap -l name -x -d 'Name of the buffer'
complete -c dmabuf-heap -l read-only -d 'Cannot be mapped to write'
complete -c dmabuf-heap -l watch-cgroup -d 'Show what the cgroup counts'
complete -c dmabuf-heap -l json -d 'Print JSON'
complete -c dmabuf-heap -s h -l help -d 'Print a short help'
complete -c dmabuf-heap -l version -d 'Print the version'
