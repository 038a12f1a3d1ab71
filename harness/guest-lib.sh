# SPDX-License-Identifier: GPL-2.0
# Sourced by the scripts that make guests, after lib.sh.
# shellcheck shell=sh

# guest_user_space ROOT: what all guests have: busybox, at a prompt on the console, kexec,
# a reader of core dumps, and step.c
guest_user_space() {
	"$HARNESS/debs" arm64 - "$BUILD/busybox" busybox-static
	"$HARNESS/debs" --deps arm64 - "$BUILD/guest-tools" kexec-tools elfutils

	rm -rf "$1"
	mkdir -p "$1/bin" "$1/lib/aarch64-linux-gnu" "$1/dev" "$1/tmp"
	cp "$HARNESS/guest/init" "$1/init"
	cp "$(find "$BUILD/busybox" -path '*/bin/busybox')" "$1/bin/busybox"
	ln -s busybox "$1/bin/sh"
	add_program "$BUILD/guest-tools/sbin/kexec" "$1" bin
	add_program "$BUILD/guest-tools/usr/bin/eu-readelf" "$1" bin
	cp -L "$(find "$BUILD/guest-tools" -name ld-linux-aarch64.so.1 | head -n 1)" "$1/lib/"
	${CROSS}gcc -Wall -Wextra -O2 -static -s "$HARNESS/guest/step.c" -o "$1/bin/step" ||
		die "step.c does not build; see above."
}

# add_program FILE ROOT TO: with the libraries that it needs, all the way down
add_program() {
	[ ! -e "$2/$3/${1##*/}" ] || return 0
	cp -L "$1" "$2/$3/"
	${CROSS}objdump -p "$1" | awk '$1 == "NEEDED" { print $2 }' |
	while read -r lib; do
		found=$(find "$BUILD/guest-tools" -name "$lib" | head -n 1)
		[ -n "$found" ] || die "${1##*/} needs $lib, which none of the packages has."
		add_program "$found" "$2" lib/aarch64-linux-gnu
	done
}
