# serve.sh: starts and stops a background server whose files are in one folder. Sourced, not run.
#
#   DIR/NAME.pid   its process and that process's start time, so that a reused number is not taken for it
#   DIR/NAME.log   what it printed
#
# shellcheck shell=sh

# started_at PID - the kernel's start time of a process; nothing if it is gone or a zombie.
started_at() { sed -n 's/^.*) [^ZX] //p' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 19; }

# server_running DIR NAME
server_running() {
	[ -s "$1/$2.pid" ] && read -r server_pid server_start <"$1/$2.pid" && [ -n "$server_start" ] &&
		[ "$(started_at "$server_pid")" = "$server_start" ]
}

# start_server DIR NAME COMMAND...
start_server() {
	server_dir=$1 server_name=$2
	shift 2
	# Closed beyond the usual three: a lock or a pipe of the caller must not live on in the server.
	setsid "$@" </dev/null >>"$server_dir/$server_name.log" 2>&1 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- &
	printf '%s %s\n' "$!" "$(started_at "$!")" >"$server_dir/$server_name.pid"
}

# stop_server DIR NAME - asks, waits five seconds, then kills. Fine if it is not running.
stop_server() {
	if server_running "$1" "$2"; then
		kill "$server_pid" 2>/dev/null || :
		server_tries=0
		while server_running "$1" "$2"; do
			server_tries=$((server_tries + 1))
			[ "$server_tries" -ne 100 ] || kill -9 "$server_pid" 2>/dev/null || :
			[ "$server_tries" -lt 200 ] || return 1
			sleep 0.05
		done
	fi
	rm -f "$1/$2.pid"
}

# wait_server DIR NAME SECONDS TEST... - until TEST succeeds; fails, showing the log's end, if the server ends first.
wait_server() {
	server_dir=$1 server_name=$2 server_tries=$(($3 * 20))
	shift 3
	while ! "$@"; do
		server_tries=$((server_tries - 1))
		if [ "$server_tries" -le 0 ] || ! server_running "$server_dir" "$server_name"; then
			printf '%s: did not come up: the end of %s:\n' "$server_name" "$server_dir/$server_name.log" >&2
			tail -n 10 "$server_dir/$server_name.log" >&2
			return 1
		fi
		sleep 0.05
	done
}
