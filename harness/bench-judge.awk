# SPDX-License-Identifier: GPL-2.0
# Print and judge the figures of make bench: awk -f bench-judge.awk REFERENCE
# FIGURES, with modes, config and verdicts (a file) set. harness/bench says what
# holds.

function judge(where, good, what)
{
	print (good ? "pass " : "fail ") where " bench: " what >> verdicts
	if (!good)
		bad[++nbad] = where ": " what
}

# SMCCC_VERSION by the same conduit
function floor_of(file, mode, name)
{
	return before[file, mode, name ~ / \(SMC\)/ ? "SMCCC_VERSION (SMC)" : "SMCCC_VERSION"]
}

# Of a figure in MODE: at most that many FLOORS; of another configuration than
# host.config, that many INSTRUCTIONS
function at_most(mode, name, floors, instructions,    p, f)
{
	p = now[2, mode, name]
	f = floor_of(2, mode, name)
	if (config == "")
		judge(mode, p <= floors * f, name " costs at most " floors " floors (" p " of " f ")")
	else
		judge(mode, p <= instructions, name " costs at most " instructions " instructions (" p ")")
}

function flat(mode, what,    few, many)
{
	few = now[2, mode, what " the last of 2 vCPUs"]
	many = now[2, mode, what " the last of 256 vCPUs"]
	judge(mode, few && many <= 1.05 * few, what " the last of 256 vCPUs costs at most 1.05 times what the last of 2 costs (" many ", " few ")")
}

FNR == 1	{ file++ }
/^# (kernel|compiler|emulator) / {
	what = $2
	sub(/^# [^ ]* /, "")
	version[file, what] = $0
	next
}
/^#/		{ next }
{
	mode = $1; kind = $2; b = $3; p = $4
	sub(/^[^ ]* [^ ]* [^ ]* [^ ]* /, "")
	if (file == 1 && mode != "bytes" && index(" " modes " ", " " mode " ") == 0)
		next
	if (b != "-")
		before[file, mode, $0] = b
	now[file, mode, $0] = p
	if (file == 1) {
		expected[++nexpected] = mode SUBSEP $0
		next
	}
	names[mode, ++count[mode]] = $0
	kinds[mode, $0] = kind
}

END {
	n = split("kernel compiler emulator", w, " ")
	comparable = 1
	for (i = 1; i <= n; i++) {
		if (version[1, w[i]] == version[2, w[i]])
			continue
		printf "Another %s than the reference has: %s; there: %s\n",
		       w[i], version[2, w[i]], version[1, w[i]]
		if (w[i] != "emulator")
			comparable = 0
	}

	nmodes = split(modes " bytes", m, " ")
	for (i = 1; i <= nmodes; i++) {
		mode = m[i]
		if (mode == "bytes")
			printf "\n%-54s %9s %9s %7s %8s\n", "bytes", "", "", "", "ref."
		else
			printf "\n%-54s %9s %9s %7s %8s\n",
			       mode ": instructions (median)", "unpatched",
			       "patched", "floors", "ref."
		for (j = 1; j <= count[mode]; j++) {
			k = names[mode, j]
			b = (2, mode, k) in before ? before[2, mode, k] : "-"
			p = now[2, mode, k]
			f = mode == "bytes" ? 0 : floor_of(2, mode, k)
			r = (1, mode, k) in now ? now[1, mode, k] : ""
			printf "  %-52s %9s %9d %7s %8s\n", k,
			       mode == "bytes" ? "" : b, p,
			       f ? sprintf("%.3f", p / f) : "",
			       r == "" ? "new" : r == p ? "=" : sprintf("%+d", p - r)
			total++
			moved += r != p

			kind = kinds[mode, k]
			if (kind == "vmm")
				judge(mode, p <= 1.005 * b, k " costs what it costs on the unpatched kernel (" b ", " p ")")
			else if (kind == "same")
				judge(mode, p <= b, k " costs no more than on the unpatched kernel (" b ", " p ")")
			else if (kind == "other")
				judge(mode, p <= b + 8, k " costs at most 8 instructions more than on the unpatched kernel (" b ", " p ")")
			else if (kind == "call" && mode == "vhe")
				at_most(mode, k, 1.09, 960)
			else if (kind == "fast")
				at_most(mode, k, 0.22, 195)
			else if (kind == "trip")
				at_most(mode, k, 0.52, 460)
			else if (kind == "linux")
				at_most(mode, k, 1.4, 1220)

			if (r == "")
				judge(mode, 0, k " is not in the reference: run 'make bench" (config == "" ? "" : " CONFIG=" config) " UPDATE=1'")
			else if (mode == "bytes") {
				if (comparable)
					judge(mode, p <= 1.03 * r, k ": at most 3 % more than the reference (" p ", there " r ")")
			} else
				judge(mode, p / f <= 1.03 * r / floor_of(1, mode, k), k ": at most 3 % above the reference (" p " of " f ", there " r " of " floor_of(1, mode, k) ")")
		}
		if (mode == "bytes")
			continue
		flat(mode, "EVENT_SIGNAL to")
		flat(mode, "injection into")
	}
	for (i = 1; i <= nexpected; i++) {
		split(expected[i], e, SUBSEP)
		if (!((2, e[1], e[2]) in now))
			judge(e[1], 0, e[2] " is in the reference, but has not been measured")
	}
	printf "\n%d of %d figures differ from the reference.\n", moved, total
	for (i = 1; i <= nbad; i++)
		print "bench: FAIL: " bad[i]
	exit nbad > 0
}
