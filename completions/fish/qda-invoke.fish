# SPDX-License-Identifier: MIT
# Completion of qda-invoke for fish.

# Unlike an argument, a wildcard in set may match nothing.
function __qda_invoke_nodes
	set -l nodes /dev/accel/accel*
	printf '%s\n' $nodes
end

# Methods are the words before a bracket in the file of --idl.
function __qda_invoke_methods
	set -l words (commandline -opc)
	set -l at (contains -i -- --idl $words)
	or return
	set -l idl (string replace -r '^~/' "$HOME/" -- $words[(math $at + 1)])
	test -r "$idl"
	and string match -arg '([A-Za-z_]\w*)\s*\(' <$idl
end

complete -c qda-invoke -a '(__qda_invoke_methods)' -d 'Method'
complete -c qda-invoke -s d -l device -x -a 'adsp cdsp soft:adsp soft:cdsp (__qda_invoke_nodes)' -d 'The DSP'
complete -c qda-invoke -l idl -r -F -d 'Interface description'
complete -c qda-invoke -l interface -x -d 'Interface to look in'
complete -c qda-invoke -s L -l search-path -x -a '(__fish_complete_directories)' -d 'Directories of modules'
complete -c qda-invoke -l room -x -d 'Elements a rout parameter has room for'
complete -c qda-invoke -l out -r -F -d 'Write a rout parameter to a file'
complete -c qda-invoke -l buffer -x -d 'Pass a sequence in a shared buffer'
complete -c qda-invoke -l timeout -x -d 'Give up after so many milliseconds'
complete -c qda-invoke -l repeat -x -d 'Call so many times'
complete -c qda-invoke -l dry-run -d 'Print the packed arguments, call nothing'
complete -c qda-invoke -l signed -d 'Create a signed process'
complete -c qda-invoke -l attrs -x -d 'More attributes of the process'
complete -c qda-invoke -l shell -r -F -d 'Shell of the process'
complete -c qda-invoke -l json -d 'Print JSON'
complete -c qda-invoke -l full -d 'Print long lists in full'
complete -c qda-invoke -s q -l quiet -d 'Print no results'
complete -c qda-invoke -s v -l verbose -d 'Print the library\'s log'
complete -c qda-invoke -s h -l help -d 'Print a short help'
complete -c qda-invoke -l version -d 'Print the version'
