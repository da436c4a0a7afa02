#!/bin/sh
# help.sh: what the programs say about themselves: --help, man pages and completion come from the same rows.
# shellcheck disable=SC2317 # functions are called through ok
set -u
# shellcheck source=tests/testlib.sh
. "$(dirname "$0")/../testlib.sh"

narrow() { ! grep -nE '^.{81,}' "$1"; }

# undocumented PROGRAM LIST PAGE - the rows of `help --list` that the page does not have. A command's part begins with
# a line "## COMMAND" or "*COMMAND*..." (the program's name may stand before it) and ends at the next "# HEADING";
# an option is in bold, "*--NAME*", in that part or in one that belongs to no command.
undocumented() {
	awk -v program="$1" '
	FNR == NR {
		rows[++n] = $0
		if (!/-/)
			commands[$0]
		next
	}
	{ gsub(/\\/, "") }
	/^# / { current = "" }
	/^(## |\*)/ {
		head = $0
		sub(/^(## )?\*?/, "", head)
		if (index(head, program " ") == 1)
			head = substr(head, length(program) + 2)
		sub(/[^a-z].*/, "", head)
		if (head in commands) {
			current = head
			seen[head]
		}
	}
	{
		for (text = $0; match(text, /\*--[a-z0-9-]+/); text = substr(text, RSTART + RLENGTH)) {
			option = substr(text, RSTART + 1, RLENGTH - 1)
			seen[current " " option]
			seen[option]
		}
	}
	END {
		for (i = 1; i <= n; i++) {
			split(rows[i], part, " ")
			if (!(rows[i] in seen) && !(part[2] && (" " part[2]) in seen))
				print rows[i]
		}
	}' "$2" "$3"
}

for program in bundler deployer; do
	bin=$B/bin/$program
	if [ ! -x "$bin" ]; then
		skip "$program says what it can do" "it is not built"
		continue
	fi
	ok "$program help ends well" "$bin" help
	"$bin" --help >"$T/help"
	ok "$program --help fits 80 columns" narrow "$T/help"
	like "$program --version names itself" "$("$bin" --version)" "^$program [0-9]+\.[0-9]+\.[0-9]+$"
	fails "$program without a command is a usage error" 2 "$bin"
	fails "$program with an unknown command is a usage error" 2 "$bin" no-such-command
	for shell in bash zsh fish; do
		"$bin" completion "$shell" >"$T/completion"
		if command -v "$shell" >/dev/null; then
			ok "$program's completion is valid $shell" "$shell" -n "$T/completion"
		else
			ok "$program has a completion for $shell" test -s "$T/completion"
		fi
	done

	"$bin" help --list >"$T/list"
	grep -v -e - "$T/list" >"$T/commands"
	while read -r command; do
		"$bin" help "$command" >"$T/help"
		ok "$program help $command fits 80 columns" narrow "$T/help"
		is "$program $command --help is the same" "$("$bin" "$command" --help)" "$(cat "$T/help")"
		fails "$program $command refuses an unknown option" 2 "$bin" "$command" --no-such-option
	done <"$T/commands"

	page=docs/$program.1.scd
	if [ ! -f "$page" ]; then
		skip "$page tells about every command and option" "it is not written"
		continue
	fi
	is "$page tells about every command and option" "$(undocumented "$program" "$T/list" "$page")" ''
	if command -v scdoc >/dev/null; then
		ok "$page is valid scdoc" sh -c "scdoc <'$page'"
	else
		skip "$page is valid scdoc" "there is no scdoc"
	fi
done
