# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# What the scripts about bases and series share. Sourced, from any directory; leaves the caller in the
# repository's top directory with $top, $here (where the user is), $build and, after load_base, $base and the base_* variables set.
#
# A step is a directory series/NN-topic: its message, its owned files (files) and its hunks (BASE.patch).
# Steps are applied in a scratch repository that holds nothing but the files which the series touches.
# So they are applied in the same way to Debian's source, to a git checkout and to an unpacked tarball,
# none of which is written to, and in no time.

top=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
here=$PWD
cd "$top" || exit
build=build
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
	[ -f "bases/$base" ] || die "there is no base '$base'; there are: $(all_bases)."
	base_version='' base_package='' base_tarball='' base_suite='' base_home='' base_paths=''
	base_selftests=''
	# shellcheck source=/dev/null
	. "./bases/$base"
	src=$build/$base/src
}

all_bases() {
	(cd bases && ls) | tr '\n' ' ' | sed 's/ $//'
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
	trap 'rm -rf "$scratch"' EXIT
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

# add_sources INDEX READER LIST: enters the files in LIST as far as the kernel tree has them.
# READER PATH TO copies one file out of the kernel tree, and fails where there is none.
add_sources() {
	while read -r as_path; do
		if "$2" "$as_path" "$scratch/blob"; then
			add_blob "$1" "$scratch/blob" "$as_path"
		fi
		rm -f "$scratch/blob"
	done <"$3"
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
		add_blob "$1" "$ao_ours" "$ao_theirs"
	done <"$scratch/step.owned"
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

# The whole series on top of the base's pristine source: prints the tree after the last step.
# The trees after each step are left in $scratch/trees, one line each: "step tree".
base_trees() {
	hunk_files "$base" >"$scratch/hunk.files"
	add_sources base read_src "$scratch/hunk.files"
	: >"$scratch/trees"
	[ -f "$scratch/base" ] || sgit base read-tree --empty
	say "- $(sgit base write-tree)" >>"$scratch/trees"
	bt_version=$(kernel_version "$src/Makefile")
	for bt_step in $(steps); do
		add_owned base "$bt_step" read_src "Linux $bt_version"
		apply_hunks base "$bt_step" ||
			die "step $bt_step: the hunks of series/$bt_step/$base.patch in $(misfits) do not fit base $base (Linux $bt_version)."
		say "$bt_step $(sgit base write-tree)" >>"$scratch/trees"
	done
}
