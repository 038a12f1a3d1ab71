# SPDX-License-Identifier: GPL-2.0
# The figures of make bench as JSON.

function quote(s)
{
	gsub(/\\/, "\\\\", s)
	gsub(/"/, "\\\"", s)
	return "\"" s "\""
}

BEGIN	{ print "{" }
/^# (kernel|compiler|emulator) / {
	what = $2
	sub(/^# [^ ]* /, "")
	printf "  %s: %s,\n", quote(what), quote($0)
	next
}
/^#/	{ next }
{
	mode = $1; kind = $2; b = $3; p = $4
	sub(/^[^ ]* [^ ]* [^ ]* [^ ]* /, "")
	if ($0 ~ /^SMCCC_VERSION( \(SMC\))?$/)
		floor[mode, $0] = b
	smc = / \(SMC\)/ ? " (SMC)" : ""
	lines[++n] = mode SUBSEP kind SUBSEP b SUBSEP p SUBSEP $0 SUBSEP smc
}
END {
	print "  \"figures\": ["
	for (i = 1; i <= n; i++) {
		split(lines[i], a, SUBSEP)
		f = floor[a[1], "SMCCC_VERSION" a[6]]
		printf "    { \"name\": %s, \"kind\": %s, ", quote(a[5]), quote(a[2])
		if (a[1] == "bytes")
			printf "\"bytes\": %d", a[4]
		else
			printf "\"mode\": %s, \"unpatched\": %s, \"patched\": %d, \"ratio\": %.4f",
			       quote(a[1]), a[3] == "-" ? "null" : a[3], a[4], a[4] / f
		print " }" (i < n ? "," : "")
	}
	print "  ]"
	print "}"
}
