# SPDX-License-Identifier: GPL-2.0
# The picture of the figures of make savings, for the README: what each way to
# have an NMI adds to workloads, and what backtraces cost. See bench-svg.awk.

function bar(y, class, value, unit, s)
{
	if (value < 0)
		value = 0
	printf "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" class=\"%s\"/>\n",
	       left, y, value * unit, thick, class
	text(left + value * unit + 6, y + thick - 2, "value", s)
}

function added(class, n, base)
{
	bar(y, class, 100 * (n - base) / base, 70,
	    sprintf("%+.1f %%  (%d)", 100 * (n - base) / base, n))
	y += thick + 1
}

function backtrace(class, n)
{
	bar(y, class, n, 300 / most, sprintf("%d 000", n / 1000))
	y += thick + 1
}

/^#/	{ next }
{
	neither = $1; pseudo = $2; sdei = $3
	sub(/^[^ ]* [^ ]* [^ ]* /, "")
	name[++n] = $0
	none[n] = neither; nmi[n] = pseudo; event[n] = sdei
	if (/^sysrq-l/) {
		most = nmi[n] > most ? nmi[n] : most
		most = event[n] > most ? event[n] : most
	}
}

END {
	width = 940; left = 400; thick = 12; y = 82
	height = 118 + n * (2 * thick + 12) + 60
	begin(width, height)
	print ".value { font-size: 11px; fill: #57606a }"
	print ".sdei { fill: #1f6feb } .nmi { fill: #d98a29 }"
	frame(width, height)
	text(20, 34, "title", "What a Linux guest pays for being reachable")
	text(20, 56, "note", "Instructions, guest and host together, counted by the emulator: latencies, of barriers above all, are not in them.")
	legend(width - 200, "sdei", "SDEI")
	legend(width - 120, "nmi", "pseudo-NMI")

	for (i = 1; i <= n; i++) {
		if (i == 1)
			heading("all the time: more than with neither")
		if (name[i] ~ /^sysrq-l/ && name[i - 1] !~ /^sysrq-l/)
			heading("when it is needed: a backtrace of 8 vCPUs")
		text(left - 10, y + thick + 5, "label", name[i])
		if (name[i] ~ /^sysrq-l/) {
			backtrace("sdei", event[i])
			backtrace("nmi", nmi[i])
		} else {
			added("sdei", event[i], none[i])
			added("nmi", nmi[i], none[i])
		}
		y += 10
	}
	print "</svg>"
}
