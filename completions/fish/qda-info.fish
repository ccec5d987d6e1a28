# SPDX-License-Identifier: MIT
# Completion of qda-info for fish.

# Unlike an argument, a wildcard in set may match nothing.
function __qda_info_nodes
	set -l nodes /dev/accel/accel*
	printf '%s\n' $nodes
end

complete -c qda-info -f -a 'adsp cdsp soft:adsp soft:cdsp (__qda_info_nodes)' -d 'Only this DSP'
complete -c qda-info -s d -l device -x -a 'adsp cdsp soft:adsp soft:cdsp (__qda_info_nodes)' -d 'Only this DSP'
complete -c qda-info -l check -d 'Create and close a session on each DSP'
complete -c qda-info -l attributes -d 'Ask each DSP for its attributes'
complete -c qda-info -l signed -d 'Sessions are signed processes'
complete -c qda-info -l shell -r -F -d 'Shell of the processes'
complete -c qda-info -s L -l search-path -x -a '(__fish_complete_directories)' -d 'Directories of shells'
complete -c qda-info -l watch -d 'Follow DSPs that come and go'
complete -c qda-info -l strerror -x -d 'Explain a status of a DSP'
complete -c qda-info -l json -d 'Print JSON'
complete -c qda-info -s v -l verbose -d 'Print the library\'s log'
complete -c qda-info -s h -l help -d 'Print a short help'
complete -c qda-info -l version -d 'Print the version'
