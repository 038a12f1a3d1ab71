# SPDX-License-Identifier: GPL-2.0
# Print and judge the figures of make savings: awk -f savings-judge.awk
# REFERENCE FIGURES. harness/savings says what holds.

function bad(what)
{
	problems[++nproblems] = what
}

function percent(n, base)
{
	return sprintf("%+.1f %%", 100 * (n - base) / base)
}

FNR == 1	{ file++ }
/^#/		{ next }
{
	neither = $1; pseudo = $2; sdei = $3
	sub(/^[^ ]* [^ ]* [^ ]* /, "")
	# Backtraces have nothing in common with those of a guest with neither.
	base = /^sysrq-l/ ? pseudo : neither
	if (file == 1) {
		reference[$0] = sdei / base
		next
	}
	seen[$0] = 1
	if (!titled++)
		printf "%-52s %9s %9s %18s %9s %18s\n", "instructions", "neither", "SDEI", "", "pseudo-NMI", ""
	printf "%-52s %9s %9s %18s %9s %18s\n", $0, neither, sdei,
	       neither == "-" ? "" : percent(sdei, neither), pseudo,
	       neither == "-" ? "" : percent(pseudo, neither)
	if (!/^sysrq-l/) {
		if (sdei > 1.005 * neither)
			bad($0 ": with SDEI, it costs " percent(sdei, neither))
		if (pseudo <= neither)
			bad($0 ": with pseudo-NMI, it costs " percent(pseudo, neither) ": was there any?")
	}
	if (!($0 in reference))
		bad($0 ": not in the reference: run 'make savings UPDATE=1'")
	else if (sdei / base > (/^sysrq-l/ ? 1.1 : 1.03) * reference[$0])
		bad(sprintf("%s: SDEI's is %.3f times the other's, %.3f in the reference", $0, sdei / base, reference[$0]))
}

END {
	for (name in reference)
		if (!(name in seen))
			bad(name ": missing")
	for (i = 1; i <= nproblems; i++)
		print "savings: FAIL: " problems[i]
	exit nproblems > 0
}
