# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# What the scripts about bases and series share. Sourced, from any directory; leaves the caller in the
# repository's top directory with $top, $here (where the user is), $build and, after load_base, $base and the base_* variables set.
# SDEI_BASES and SDEI_BUILD put other directories in the place of bases and build, for harness/bases-test.
#
# A step is a directory series/NN-topic: its message, its owned files (files) and its hunks (BASE.patch).
# Steps are applied in a scratch repository that holds nothing but the files which the series touches.
# So they are applied in the same way to Debian's source, to a git checkout and to an unpacked tarball,
# none of which is written to, and in no time.

top=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
here=$PWD
cd "$top" || exit
bases=${SDEI_BASES:-bases}
build=${SDEI_BUILD:-build}
cache=${SDEI_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kvm-arm64-sdei}
export LC_ALL=C

me=$(basename -- "$0")
say() { printf '%s\n' "$*"; }
warn() { printf '%s: %s\n' "$me" "$*" >&2; }
die() { warn "$*"; exit 1; }

# The lines of a file as one line
words() { tr '\n' ' ' <"$1" | sed 's/ $//'; }

# A path that the user gave, which is relative to where he stands
user_path() {
	case $1 in
	/*|'') say "$1" ;;
	*) say "$here/$1" ;;
	esac
}

need() {
	for need_tool; do
		command -v "$need_tool" >/dev/null ||
			die "'$need_tool' is missing: run 'make setup', or install the packages listed in harness/packages."
	done
}

# The user's git settings (diff.*, core.autocrlf, hooks) must not shape what is generated.
plain_git() {
	GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 git -c core.quotePath=false -c core.autocrlf=false \
		-c gc.auto=0 -c advice.detachedHead=false "$@"
}

# shellcheck disable=SC2034	# the base_* variables are the callers'
load_base() {
	base=$1
	case $base in
	''|*/*|.*) die "'$base' is no name of a base; there are: $(all_bases)." ;;
	esac
	[ -f "$bases/$base" ] || die "there is no base '$base'; there are: $(all_bases)."
	base_version='' base_package='' base_tarball='' base_suite='' base_home='' base_paths=''
	base_selftests='' base_oldest=''
	# shellcheck source=/dev/null
	case $bases in
	/*) . "$bases/$base" ;;
	*) . "./$bases/$base" ;;
	esac
	src=$build/$base/src
}

all_bases() {
	(cd "$bases" && ls) | tr '\n' ' ' | sed 's/ $//'
}

steps() {
	for steps_dir in series/[0-9][0-9]-*/; do
		[ -d "$steps_dir" ] || continue
		steps_dir=${steps_dir%/}
		say "${steps_dir#series/}"
	done
}

# The owned files of one step, without comments and blank lines.
step_files() {
	[ -f "series/$1/files" ] || return 0
	sed -e 's/#.*//' -e 's/[[:space:]]*$//' -e '/^$/d' "series/$1/files"
}

# Our path -> the base's path, on standard input and output (map_paths) or back (unmap_paths).
map_paths() { translate_paths 1 2; }
unmap_paths() { translate_paths 2 1; }
translate_paths() {
	BASE_PATHS=$base_paths awk -v f="$1" -v t="$2" '
	BEGIN {
		n = split(ENVIRON["BASE_PATHS"], line, "\n")
		for (i = 1; i <= n; i++)
			if (split(line[i], w, /[ \t]+/) >= 2) {
				# A leading blank makes an empty first field.
				o = (w[1] == "")
				from[++m] = w[f + o]; to[m] = w[t + o]
			}
	}
	{
		for (i = 1; i <= m; i++)
			if ($0 == from[i] || index($0, from[i] "/") == 1) {
				$0 = to[i] substr($0, length(from[i]) + 1)
				break
			}
		print
	}'
}

# Every file that this project owns, tracked by git or not yet, except what git is told to ignore.
owned_files() {
	owned_dirs=
	for owned_dir in arch include tools Documentation drivers virt; do
		[ ! -d "$owned_dir" ] || owned_dirs="$owned_dirs $owned_dir"
	done
	[ -n "$owned_dirs" ] || return 0
	# shellcheck disable=SC2086
	if [ -e .git ] && git rev-parse -q --verify HEAD >/dev/null 2>&1; then
		# A file that was deleted but is still in the index is not listed.
		git ls-files -co --exclude-standard -- $owned_dirs | sort -u |
		while read -r owned_file; do
			[ ! -f "$owned_file" ] || say "$owned_file"
		done
	else
		find $owned_dirs -type f | sort
	fi
}

# Complains about each owned file that is in no step or in two, and each listed file that does not exist.
# Prints the owned files that are in no step to $1.
check_ownership() {
	bad=0
	owned_files >"$1.owned"
	for own_step in $(steps); do
		step_files "$own_step" | sed "s|^|$own_step |"
	done >"$1.listed"
	cut -d' ' -f2- "$1.listed" | sort | uniq -d >"$1.twice"
	while read -r own_file; do
		warn "$own_file is listed by more than one step: $(grep -F " $own_file" "$1.listed" |
			sed -n "s|^\([^ ]*\) $own_file\$|\1|p" | tr '\n' ' ')"
		bad=1
	done <"$1.twice"
	while read -r own_step own_file; do
		[ -f "$own_file" ] || { warn "series/$own_step/files lists $own_file, which does not exist."; bad=1; }
	done <"$1.listed"
	cut -d' ' -f2- "$1.listed" | sort -u | comm -13 - "$1.owned" >"$1"
	return $bad
}

# --- The scratch repository -------------------------------------------------------------------------

scratch=
make_scratch() {
	need git awk
	scratch=$(mktemp -d "${TMPDIR:-/tmp}/series.XXXXXX")
	# shellcheck disable=SC2064	# This directory, whatever the variable says later
	trap "rm -rf '$scratch'" EXIT
	trap 'exit 1' HUP INT TERM
	plain_git init -q --bare --template= "$scratch/git"
	# The kernel's own, for the function names in hunk headers
	mkdir "$scratch/git/info"
	printf '%s\n' '*.c diff=cpp' '*.h diff=cpp' '*.rs diff=rust' >"$scratch/git/info/attributes"
}

# git on the scratch repository, with the index named first.
sgit() {
	sgit_index=$1; shift
	GIT_DIR="$scratch/git" GIT_INDEX_FILE="$scratch/$sgit_index" plain_git "$@"
}

# The existing kernel files that the hunks of base $1 touch, in the names of the base.
hunk_files() {
	for hf_step in $(steps); do
		[ ! -s "series/$hf_step/$1.patch" ] || patch_files "series/$hf_step/$1.patch"
	done | sort -u
}

patch_files() {
	awk '
	# Hunk bodies are skipped by their line counts: a removed line "-- a/x" looks like a header.
	old > 0 || new > 0 {
		c = substr($0, 1, 1)
		if (c != "+" && c != "\\") old--
		if (c != "-" && c != "\\") new--
		next
	}
	/^@@ / {
		split($2, a, ","); old = (2 in a) ? a[2] : 1
		split($3, b, ","); new = (2 in b) ? b[2] : 1
		next
	}
	/^(---|\+\+\+) / { f = $2; if (f != "/dev/null") { sub(/^[ab]\//, "", f); print f } }
	' "$1" | sort -u
}

# add_blob INDEX FILE PATH: enters a file of this machine under PATH.
add_blob() {
	ab_mode=100644
	[ ! -x "$2" ] || ab_mode=100755
	sgit "$1" update-index --add --cacheinfo "$ab_mode,$(sgit "$1" hash-object -w --no-filters -- "$2"),$3"
}

# add_blobs INDEX: the same for many, "FILE<tab>PATH" a line on standard input, in the time of one.
add_blobs() {
	cat >"$scratch/blobs"
	cut -f1 "$scratch/blobs" | sgit "$1" hash-object -w --no-filters --stdin-paths >"$scratch/blobs.names"
	paste "$scratch/blobs.names" "$scratch/blobs" | while IFS='	' read -r ab_name ab_file ab_path; do
		ab_mode=100644
		[ ! -x "$ab_file" ] || ab_mode=100755
		printf '%s %s\t%s\n' "$ab_mode" "$ab_name" "$ab_path"
	done | sgit "$1" update-index --add --index-info
}

# add_sources INDEX READER LIST: enters the files in LIST as far as the kernel tree has them.
# READER PATH TO copies one file out of the kernel tree, and fails where there is none.
add_sources() {
	rm -rf "$scratch/in"
	mkdir "$scratch/in"
	as_number=0
	while read -r as_path; do
		as_number=$((as_number + 1))
		! "$2" "$as_path" "$scratch/in/$as_number" || printf '%s\t%s\n' "$scratch/in/$as_number" "$as_path"
	done <"$3" >"$scratch/in.list"
	add_blobs "$1" <"$scratch/in.list"
}

read_src() {
	[ -f "$src/$1" ] && cp -p "$src/$1" "$2"
}

# add_owned INDEX STEP READER WHAT: enters the owned files of a step.
add_owned() {
	step_files "$2" >"$scratch/step.ours"
	map_paths <"$scratch/step.ours" | paste "$scratch/step.ours" - >"$scratch/step.owned"
	while IFS='	' read -r ao_ours ao_theirs; do
		[ -f "$ao_ours" ] || die "series/$2/files lists $ao_ours, which does not exist."
		! "$3" "$ao_theirs" "$scratch/blob" ||
			die "step $2 adds $ao_theirs, but $4 has such a file already."
	done <"$scratch/step.owned"
	[ ! -s "$scratch/step.owned" ] || add_blobs "$1" <"$scratch/step.owned"
}

# apply_hunks INDEX STEP: applies the hunks literally (moved lines are allowed, changed context is not).
# Fails, with the names of the files that do not fit in $scratch/misfits, and changes nothing then.
apply_hunks() {
	: >"$scratch/misfits"
	if [ ! -f "series/$2/$base.patch" ]; then
		for ah_other in "series/$2"/*.patch; do
			[ ! -f "$ah_other" ] ||
				die "step $2 has hunks for another base ($ah_other) and none for $base: write series/$2/$base.patch (empty, if it needs none)."
		done
	fi
	[ -s "series/$2/$base.patch" ] || return 0
	if sgit "$1" apply --cached --whitespace=nowarn "series/$2/$base.patch" 2>"$scratch/apply.log"; then
		return 0
	fi
	sed -n -e 's/^error: patch failed: \(.*\):[0-9]*$/\1/p' \
		-e 's/^error: \(.*\): patch does not apply$/\1/p' \
		-e 's/^error: \(.*\): does not exist in index$/\1/p' "$scratch/apply.log" | sort -u >"$scratch/misfits"
	return 1
}

misfits() {
	if [ -s "$scratch/misfits" ]; then
		tr '\n' ' ' <"$scratch/misfits" | sed -e 's/ $//' -e 's/ /, /g'
	else
		# Not a context that differs but a patch that git cannot read.
		sed -n '1s/^error: //p' "$scratch/apply.log"
	fi
}

kernel_version() {
	awk '$2 == "=" && $1 ~ /^(VERSION|PATCHLEVEL|SUBLEVEL|EXTRAVERSION)$/ { v[$1] = $3 }
	     $1 == "NAME" { exit }
	     END { if (v["VERSION"] != "") print v["VERSION"] "." v["PATCHLEVEL"] "." v["SUBLEVEL"] v["EXTRAVERSION"] }' "$1"
}

# steps_on INDEX READER VERSION [literal]: the whole series on top of what READER reads, a Linux VERSION. Leaves the
# trees in $scratch/INDEX.trees, a line each, "step tree", the first one that of the pristine files.
#
# Hunks that do not fit are merged as far as that goes, which is said, and counted in $scratch/merged; where it
# does not go, the function fails once all steps have been tried, with "step: reason" in $scratch/unfit. With
# 'literal', it fails at the first hunk that does not fit as it is.
steps_on() {
	hunk_files "$base" >"$scratch/hunk.files"
	add_sources "$1" "$2" "$scratch/hunk.files"
	[ -f "$scratch/$1" ] || sgit "$1" read-tree --empty
	say "- $(sgit "$1" write-tree)" >"$scratch/$1.trees"
	: >"$scratch/merged"
	: >"$scratch/unfit"
	[ "${4:-}" = literal ] || rm -rf "$build/$base/conflicts"
	for so_step in $(steps); do
		add_owned "$1" "$so_step" "$2" "Linux $3"
		if ! apply_hunks "$1" "$so_step"; then
			[ "${4:-}" != literal ] || return 1
			[ -s "$scratch/misfits" ] || die "step $so_step: git cannot read series/$so_step/$base.patch: $(misfits)."
			merge_hunks "$1" "$so_step" "$2" "$3"
		fi
		say "$so_step $(sgit "$1" write-tree)" >>"$scratch/$1.trees"
	done
	[ ! -s "$scratch/unfit" ]
}

# merge_hunks INDEX STEP READER VERSION: one file at a time: literally; or by a three-way merge, with the source that
# the hunks were made on as the common ancestor; or, where there is no such source any more, at the place
# that has the next lines of a hunk's context.
merge_hunks() {
	patch_files "series/$2/$base.patch" >"$scratch/merge.files"
	while read -r mh_path; do
		if sgit "$1" apply --cached --whitespace=nowarn --include="$mh_path" "series/$2/$base.patch" 2>/dev/null; then
			continue
		fi
		if ! sgit "$1" cat-file blob ":$mh_path" >"$scratch/mine" 2>/dev/null; then
			say "$2: there is no $mh_path, which its hunks change" >>"$scratch/unfit"
			continue
		fi
		# A file that one step has been left out of does not have what the next one expects.
		if grep -q "^[^:]*: $mh_path\( \|\$\)" "$scratch/unfit"; then
			say "$2: $mh_path again" >>"$scratch/unfit"
			continue
		fi
		[ -f "$scratch/ancestor" ] || find_ancestor "$3" >"$scratch/ancestor"
		if [ -s "$scratch/ancestor" ]; then
			mh_how="merged into $mh_path with Linux $(cat "$scratch/ancestor") as the ancestor"
			merge_three "$1" "$2" "$mh_path" "$4"
		else
			mh_how="put into $mh_path with a line of context each, as the source that the hunks were made on is not at hand for a merge"
			sgit "$1" apply --cached --whitespace=nowarn -C1 --include="$mh_path" "series/$2/$base.patch" 2>/dev/null
		fi || {
			say "$2: $mh_path" >>"$scratch/unfit"
			continue
		}
		say "step $2: $mh_how: look at it" | tee -a "$scratch/merged"
	done <"$scratch/merge.files"
}

# merge_three INDEX STEP FILE VERSION: leaves what it cannot merge in build/BASE/conflicts.
merge_three() {
	mt_before=$(awk -v s="$2" '$1 == s { print last } { last = $2 }' "$scratch/ancestor.trees")
	mt_after=$(awk -v s="$2" '$1 == s { print $2 }' "$scratch/ancestor.trees")
	sgit "$1" cat-file blob "$mt_before:$3" >"$scratch/before"
	sgit "$1" cat-file blob "$mt_after:$3" >"$scratch/after"
	if ! plain_git merge-file -q -L "Linux $4" -L before -L "$2" "$scratch/mine" "$scratch/before" "$scratch/after"; then
		mkdir -p "$build/$base/conflicts/$(dirname -- "$3")"
		cp "$scratch/mine" "$build/$base/conflicts/$3"
		return 1
	fi
	case $(sgit "$1" ls-files -s -- "$3") in 100755*) chmod +x "$scratch/mine" ;; *) chmod -x "$scratch/mine" ;; esac
	add_blob "$1" "$scratch/mine" "$3"
}

# find_ancestor READER: prints the version of a source that all hunks fit as they are, and leaves its trees in
# $scratch/ancestor.trees; prints nothing if there is none. It may be the base's source, unless that is what is
# being patched; or what the user has put at build/BASE/ancestor; or of a package that was downloaded before.
find_ancestor() {
	if [ "$1" != read_src ]; then
		harness/source "$base" >&2 || :
		! try_ancestor "$src" || return 0
	fi
	! try_ancestor "$build/$base/ancestor" || return 0
	for fa_deb in "$cache"/apt/*/archives/"$base_package"_*.deb "$cache/$base_package"_*.deb; do
		[ ! -f "$fa_deb" ] || say "$(dpkg-deb -f "$fa_deb" Version) $fa_deb"
	done | sort -V -r >"$scratch/debs"
	{ say Makefile; cat "$scratch/hunk.files"; } | sed 's|^|*/|' >"$scratch/debs.files"
	while read -r fa_version fa_deb; do
		# What the base's source was unpacked from has been tried, or is what is being patched.
		[ "$(cat "$src/.unpacked" 2>/dev/null)" != "$base_package $fa_version" ] || continue
		warn "looking at $base_package $fa_version as an ancestor for merges"
		rm -rf "$scratch/debs.tree"
		mkdir "$scratch/debs.tree"
		# It does not have all of these files: some are ours.
		dpkg-deb --fsys-tarfile "$fa_deb" | tar -xO "./$base_tarball" |
			tar -C "$scratch/debs.tree" --strip-components=1 --wildcards --no-wildcards-match-slash \
				-T "$scratch/debs.files" -xJ 2>/dev/null || :
		! try_ancestor "$scratch/debs.tree" || return 0
	done <"$scratch/debs"
}

# try_ancestor DIR. Called from among the steps of another kernel, whose files and place among them it leaves alone;
# the scratch repository is for both.
try_ancestor() {
	[ -f "$1/Makefile" ] || return 1
	rm -rf "$scratch/aside"
	mkdir "$scratch/aside"
	ln -s ../git "$scratch/aside/git"
	ta_version=$(kernel_version "$1/Makefile")
	ta_scratch=$scratch ta_step=$so_step ta_fits=yes
	scratch=$scratch/aside ancestor=$1
	steps_on ancestor read_ancestor "$ta_version" literal || ta_fits=
	scratch=$ta_scratch so_step=$ta_step
	[ -n "$ta_fits" ] || return 1
	mv "$scratch/aside/ancestor.trees" "$scratch/"
	say "$ta_version"
}

read_ancestor() {
	[ -f "$ancestor/$1" ] && cp -p "$ancestor/$1" "$2"
}

# does_not_fit VERSION [SENTENCE]: says what is in $scratch/unfit, and ends.
does_not_fit() {
	warn "the hunks of base $base do not fit Linux $1, and cannot be merged, in"
	sed 's/^/    step /' "$scratch/unfit" >&2
	[ ! -d "$build/$base/conflicts" ] || warn "what git made of it, with conflict markers, is in $build/$base/conflicts."
	die "this kernel needs hunks of its own: CONTRIBUTING.md says how, in 'Adding a base kernel'.${2:+ $2}"
}
