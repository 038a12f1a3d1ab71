# SPDX-License-Identifier: GPL-2.0
# Judge an lcov trace (see harness/coverage).  Variables: ours (ranges of
# lines), exceptions, tree (the source), trace (to be written: what is ours),
# lines_wanted, branches_wanted (percentages).

function fail(what) { failures[++nfailures] = what }

function trim(s) { gsub(/[ \t]+/, " ", s); gsub(/^ | $/, "", s); return s }

# The text of the source, and the function that each of its lines is in
function read_source(f,    n, path, line, where) {
	path = tree "/" f
	while ((getline line < path) > 0) {
		n++
		if (line ~ /^[A-Za-z_].*\(/ && line !~ /;$/) {
			where = line
			sub(/\(.*/, "", where)
			sub(/.*[ *]/, "", where)
		} else if (line ~ /^}/)
			ends = 1
		text[f, n] = trim(line)
		func_of[f, n] = where
		lines_of[f, where, trim(line)] = 1
		if (ends)
			where = ends = ""
	}
	close(path)
	known[f] = n
}

# A reason for what is not executed, or ""
function reason(kind, f, n,    k) {
	k = kind SUBSEP f SUBSEP func_of[f, n] SUBSEP text[f, n]
	# A line that is not executed takes no branch.
	if (kind == "branch" && !(k in why))
		return reason("line", f, n)
	if (!(k in why))
		return ""
	used[k] = 1
	return why[k]
}

function missing(kind, f, n, what,    r) {
	r = reason(kind, f, n)
	list[++nlist] = sprintf("%s:%d: %s: %s\n\t%s\n\t%s", f, n, func_of[f, n], what,
				text[f, n], r == "" ? "NO REASON GIVEN" : "because " r)
	if (r == "")
		fail(f ":" n " (" what "): there is no reason for it in harness/coverage-exceptions")
}

function percent(n, of) { return of ? 100 * n / of : 100 }

BEGIN {
	while ((getline < ours) > 0) {
		if (!($1 in known))
			read_source($1)
		for (i = $2; i <= $3; i++)
			is_ours[$1, i] = 1
	}
	# "line|branch|macro FILE FUNCTION | TEXT | REASON"
	while ((getline l < exceptions) > 0) {
		nr++
		if (l ~ /^#/ || l ~ /^[ \t]*$/)
			continue
		if (split(l, part, / \| /) != 3 || split(part[1], w, " ") != 3 ||
		    w[1] !~ /^(line|branch|macro)$/) {
			fail("harness/coverage-exceptions:" nr " is not \"line|branch|macro FILE FUNCTION | TEXT | REASON\"")
			continue
		}
		k = w[1] SUBSEP w[2] SUBSEP w[3] SUBSEP trim(part[2])
		why[k] = trim(part[3])
		at[k] = nr
	}
	printf "" > trace
}

/^SF:/ {
	f = substr($0, 4)
	sub(/.*\/obj-gcov\/\.\.\//, "", f)
	if (index(f, tree "/") == 1)
		f = substr(f, length(tree) + 2)
	counted[f] = 1
	mine = f in known
	if (mine)
		print "TN:\nSF:" tree "/" f > trace
	next
}
!mine	{ next }
/^DA:/ {
	split(substr($0, 4), a, ",")
	if (!((f, a[1]) in is_ours))
		next
	print > trace
	n_lines[f]++
	if (a[2] > 0)
		hit_lines[f]++
	else
		missing("line", f, a[1], "not executed")
	next
}
/^BRDA:/ {
	split(substr($0, 6), a, ",")
	if (!((f, a[1]) in is_ours))
		next
	total[f, a[1]]++
	if (a[4] != "-" && a[4] > 0)
		hit_branches[f]++
	else {
		untaken[f, a[1]] = untaken[f, a[1]] " " a[3]
		if (reason("macro", f, a[1]) != "") {
			macros++
			next
		}
	}
	print > trace
	n_branches[f]++
	next
}
/^end_of_record/ {
	print > trace
	for (i = 1; i <= known[f]; i++)
		if ((f, i) in untaken)
			missing(reason("macro", f, i) == "" ? "branch" : "macro", f, i,
				"branch" untaken[f, i] " of " total[f, i] " not taken")
}

END {
	for (f in known)
		if (f ~ /\.c$/ && !(f in counted))
			fail(f " is not counted: add it to harness/config/gcov.config")
	for (k in why)
		if (!(k in used)) {
			split(k, part, SUBSEP)
			# Some depend on the moment: there is no error as
			# long as the line is there.
			if (part[1] == "macro" && (part[2], part[3], part[4]) in lines_of)
				continue
			fail("harness/coverage-exceptions:" at[k] " is out of date: " part[2] " has no such " part[1] " in " part[3] "(), or it is executed now")
		}
	for (i = 1; i <= nlist; i++)
		print list[i]
	print ""
	for (f in counted)
		if (n_lines[f]) {
			printf "  %-48s %4d of %4d lines, %4d of %4d branches\n", f,
			       hit_lines[f], n_lines[f], hit_branches[f], n_branches[f] | "sort"
			lines += n_lines[f]; lines_hit += hit_lines[f]
			branches += n_branches[f]; branches_hit += hit_branches[f]
		}
	close("sort")
	printf "  coverage: %.1f %% of %d lines, %.1f %% of %d branches\n",
	       percent(lines_hit, lines), lines, percent(branches_hit, branches), branches
	printf "  (%.1f %% of %d branches with the %d untaken ones that the kernel's macros bring along)\n",
	       percent(branches_hit, branches + macros), branches + macros, macros
	if (!lines)
		fail("Nothing was counted at all")
	if (percent(lines_hit, lines) < lines_wanted)
		fail("less than " lines_wanted " % of the lines are executed")
	if (percent(branches_hit, branches) < branches_wanted)
		fail("less than " branches_wanted " % of the branches are taken")
	for (i = 1; i <= nfailures; i++)
		print "coverage: FAIL: " failures[i]
	exit nfailures > 0
}
