# For the comparisons in this folder: sourced, not run.

# clock COMMAND...: sets wall and cpu (seconds) and rss (MiB, the peak). Its standard output goes to $clock_output, or nowhere; its messages are shown when it fails.
clock() {
	local user system notes
	sync -f .   # what the run before left to write is not this one's
	notes=$(mktemp -d)
	/usr/bin/time -q -o "$notes/times" -f '%e %U %S %M' "$@" >"${clock_output:-/dev/null}" 2>"$notes/messages" ||
		{ tail -n 5 "$notes/messages" >&2; rm -rf "$notes"; echo "failed: $*" >&2; exit 1; }
	read -r wall user system rss <"$notes/times"
	rm -rf "$notes"
	cpu=$(awk "BEGIN{print $user+$system}") rss=$(awk "BEGIN{printf \"%.0f\", $rss/1024}")
}

# least A B: the smaller number. Start from 1e9.
least() { awk "BEGIN{print ($2 < $1) ? $2 : $1}"; }
