# SPDX-License-Identifier: GPL-2.0
# Sourced by the scripts of this directory, after set -eu.
# shellcheck shell=sh disable=SC2034

HARNESS=$(cd "$(dirname "$0")" && pwd)
TOP=$(dirname "$HARNESS")
BUILD=$TOP/build
BASE=${BASE:-6.12}
# What belongs to another base than the first is named after it.
case $BASE in
6.12)	OF_BASE= ;;
*)	OF_BASE=-$BASE ;;
esac

# Downloads and compiler results survive a fresh clone here.
SDEI_CACHE=${SDEI_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kvm-arm64-sdei}

CROSS=aarch64-linux-gnu-
# No cross prefix on an arm64 machine
[ "$(uname -m)" != aarch64 ] || CROSS=
JOBS=${JOBS:-$(nproc)}

say() { echo "  [$(basename "$0")] $*" >&2; }
die() { echo "$(basename "$0"): $*" >&2; exit 1; }
# pack DIR: an initramfs of what is in it, so that DIR/x becomes /x
pack() { (cd "$1" && find . -mindepth 1 | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0); }
# tally FILE: count its lines "pass ..." and "fail ...", say it, and succeed if nothing failed
tally() {
	passed=$(grep -c '^pass' "$1" || :)
	failed=$(grep -c '^fail' "$1" || :)
	echo "$passed passed, $failed failed"
	[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}
# watched LOG ABOUT WHAT COMMAND...: run it with its output in LOG. Says every 20
# seconds how far WHAT is, of ABOUT lines in LOG or as ninja counts; if it fails,
# what went wrong and where all of it can be read.
watched() (
	log=$1 about=$2 what=$3
	shift 3
	"$@" > "$log" 2>&1 9>&- & pid=$!
	(
		began=$(date +%s) i=0
		while sleep 1 && kill -0 $pid 2>/dev/null; do
			i=$((i + 1))
			[ $((i % 20)) -ne 0 ] ||
				awk -v what="$what" -v about="$about" -v took=$(($(date +%s) - began)) '
					match($0, /^\[[0-9]+\/[0-9]+\]/) {
						split(substr($0, 2, RLENGTH - 2), ninja, "/")
					}
					END {
						n = ninja[1] ? ninja[1] : NR
						m = ninja[2] ? ninja[2] : about
						left = ""
						if (n * 10 > m && n < m)
							left = sprintf(", %d min left", took * (m - n) / n / 60 + 1)
						print what ": " n " of " (ninja[2] ? "" : "about ") m " steps" left
					}' "$log" | while read -r line; do say "$line"; done
		done
	) 9>&- & ticker=$!
	if ! wait $pid; then
		kill $ticker 2>/dev/null || :
		grep -n -m 20 -E 'rror|FAILED|\*\*\*' "$log" >&2 || tail -n 20 "$log" >&2
		die "$what failed; all of its output is in $log."
	fi
	kill $ticker 2>/dev/null || :
)

# --- time
#
# A time-out is for what hangs, and its seconds are of an idle machine. So when they are
# over, they are looked at again: each counts as much less as this machine was slower
# meanwhile. SDEI_PATIENCE multiplies them besides.
SDEI_PATIENCE=${SDEI_PATIENCE:-1}
case $SDEI_PATIENCE in
''|0|*[!0-9]*)	die "SDEI_PATIENCE=$SDEI_PATIENCE is to be a whole number, by which all time-outs are multiplied." ;;
esac
export SDEI_PATIENCE

# slowness: how long a fixed piece of work takes now, in percent of the 0.45 s that it
# takes on the machine that all seconds were chosen on; 100 at least
slowness() {
	slowness_start=$(date +%s%N)
	# shellcheck disable=SC2016
	dash -c 'n=0; while [ $n -lt 400000 ]; do n=$((n + 1)); done'
	slowness_percent=$((($(date +%s%N) - slowness_start) / 4500000))
	[ $slowness_percent -ge 100 ] || slowness_percent=100
	echo $slowness_percent
}

# factor PERCENT: 3.6 for 365
factor() { echo "$(($1 / 100)).$(($1 % 100 / 10))"; }

too_slow='' lost=''
# within SECONDS COMMAND...: its exit status, or 124 if it was not done in time and
# had to be ended; $too_slow says so, then. $machine_slow is how slow it is, if the
# caller knows it already. Lines "lost WHAT SECONDS" of the file $lost are heeded: for
# who waits within the command, so many seconds have not counted.
within() {
	within_seconds=$1
	shift
	within_late=$(mktemp)
	# In a process group of its own, so that all of it can be ended; not in a session
	# of its own, which Linux would give a share of the processors for itself
	timeout 0 "$@" & within_pid=$!
	watch_over $within_pid $((within_seconds * SDEI_PATIENCE)) "${machine_slow:-$(slowness)}" "$within_late" &
	within_status=0
	wait $within_pid || within_status=$?
	if [ -s "$within_late" ]; then
		too_slow=$(cat "$within_late")
		within_status=124
	fi
	rm -f "$within_late"
	return $within_status
}

# It ends when the command has, and ends the command when the caller has.
watch_over() {	# PID SECONDS PERCENT FILE
	exec > /dev/null 2>&1 8>&- 9>&-
	trap '' TERM
	watch_start=$(date +%s) watch_counted=0 watch_spent=0 watch_last=$3
	while kill -0 "$1" && kill -0 $$; do
		sleep 1
		watch_passed=$(($(date +%s) - watch_start))
		# Should all seconds since the last look count, when would its time be up?
		[ $watch_passed -ge $((watch_counted + 10)) ] || continue
		[ $watch_passed -ge $((watch_counted + $2 - watch_spent)) ] || continue
		watch_now=$(slowness)
		watch_spent=$((watch_spent + (watch_passed - watch_counted) * 200 / (watch_last + watch_now)))
		watch_counted=$watch_passed watch_last=$watch_now
		watch_lost=$(awk '$1 == "lost" { s += $3 } END { printf "%d", s }' "${lost:-/dev/null}")
		[ $watch_spent -le $((watch_passed - ${watch_lost:-0})) ] ||
			watch_spent=$((watch_passed - watch_lost))
		[ $watch_spent -ge "$2" ] || continue
		late $watch_passed $watch_spent > "$4"
		break
	done
	kill -- "-$1" || return
	sleep 5
	kill -KILL -- "-$1"
}
late() {	# SECONDS COUNTED
	echo "not done after $1 s, which count as $2 s on an idle machine: it hangs, or this one, $(factor $(($1 * 100 / $2))) times slower, is too slow. Try again with less beside it, or with SDEI_PATIENCE=$((SDEI_PATIENCE * 3))"
}

# Busy loops beside whatever this is (harness/load), if it is to have them
if [ -n "${SDEI_LOAD-}" ] && [ -z "${SDEI_LOADED-}" ]; then
	exec "$HARNESS/load" "$SDEI_LOAD" "$0" "$@"
fi

export CCACHE_DIR="${CCACHE_DIR:-$SDEI_CACHE/ccache}"
# The selftests are compiled with absolute paths, which differ between clones.
export CCACHE_BASEDIR="$TOP" CCACHE_NOHASHDIR=1

# Kernel builds are not part of the make that may have called us.
unset MAKEFLAGS MFLAGS MAKELEVEL M T
