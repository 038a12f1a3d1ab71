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
export CCACHE_DIR="${CCACHE_DIR:-$SDEI_CACHE/ccache}"
# The selftests are compiled with absolute paths, which differ between clones.
export CCACHE_BASEDIR="$TOP" CCACHE_NOHASHDIR=1

# Kernel builds are not part of the make that may have called us.
unset MAKEFLAGS MFLAGS MAKELEVEL M T
