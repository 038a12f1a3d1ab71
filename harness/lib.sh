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
export CCACHE_DIR="${CCACHE_DIR:-$SDEI_CACHE/ccache}"
# The selftests are compiled with absolute paths, which differ between clones.
export CCACHE_BASEDIR="$TOP" CCACHE_NOHASHDIR=1

# Kernel builds are not part of the make that may have called us.
unset MAKEFLAGS MFLAGS MAKELEVEL M T
