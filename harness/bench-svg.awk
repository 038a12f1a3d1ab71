# SPDX-License-Identifier: GPL-2.0
# The picture of the figures of make bench, for the README: how many of the
# cheapest hypercalls a thing costs. Drawn here rather than by a plotting
# program, so that the same figures are the same bytes everywhere.

function bar(y, mode, name,    f, v)
{
	if (!((mode, name) in now))
		return
	f = floor[mode]
	v = now[mode, name] / f
	printf "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" class=\"%s\"/>\n",
	       left, y, v * unit, thick, mode
	text(left + v * unit + 6, y + thick - 2, "value", \
	     sprintf("%.2f  (%d)", v, now[mode, name]))
}

function row(label, name)
{
	text(left - 10, y + thick + 5, "label", label)
	bar(y, "vhe", name)
	bar(y + thick + 1, "nvhe", name)
	y += 2 * thick + 12
}

/^#/	{ next }
$1 == "bytes" { next }
{
	mode = $1; p = $4; b = $3
	sub(/^[^ ]* [^ ]* [^ ]* [^ ]* /, "")
	now[mode, $0] = p
	if ($0 == "SMCCC_VERSION")
		floor[mode] = b
}

END {
	width = 940; left = 400; unit = 46; thick = 12; y = 104
	height = 720
	begin(width, height)
	print ".value, .tick { font-size: 11px; fill: #57606a }"
	print ".tick { text-anchor: middle }"
	print ".vhe { fill: #1f6feb } .nvhe { fill: #d98a29 }"
	print ".grid { stroke: #d8dee4 } .one { stroke: #57606a; stroke-dasharray: 4 3 }"
	frame(width, height)
	text(20, 34, "title", "What SDEI costs, in hypercalls")
	text(20, 56, "note", sprintf("1 = SMCCC_VERSION, the cheapest call that KVM answers, on the unpatched kernel: %d instructions on VHE, %d on nVHE.",
	     floor["vhe"], floor["nvhe"]))
	text(20, 74, "note", "In brackets: instructions, guest and host together, counted by the emulator.")
	legend(width - 170, "vhe", "VHE")
	legend(width - 100, "nvhe", "nVHE")

	for (i = 0; i <= 9; i++) {
		printf "<line x1=\"%d\" x2=\"%d\" y1=\"96\" y2=\"%d\" class=\"%s\"/>\n",
		       left + i * unit, left + i * unit, height - 34, i == 1 ? "one" : "grid"
		text(left + i * unit, height - 18, "tick", i)
	}

	heading("for scale: nothing to do with SDEI")
	row("trapped ID register", "trapped ID register")
	row("MMIO read, answered by the VMM", "MMIO to the VMM")
	heading("one call")
	row("EVENT_STATUS", "EVENT_STATUS")
	row("EVENT_CONTEXT", "EVENT_CONTEXT")
	row("EVENT_SIGNAL to self, kept pending", "EVENT_SIGNAL to self, kept pending")
	heading("one event: EVENT_SIGNAL to self, and back")
	row("empty handler, EVENT_COMPLETE", "round trip, EVENT_COMPLETE")
	row("empty handler, EVENT_COMPLETE_AND_RESUME", "round trip, EVENT_COMPLETE_AND_RESUME")
	row("as Linux does it: 4 EVENT_CONTEXT, EVENT_COMPLETE", "SIGNAL, 4 CONTEXT, COMPLETE")
	heading("to another vCPU that spins, both vCPUs together")
	row("an interrupt (SGI), until it is taken", "SGI to a vCPU that spins, until it is taken")
	row("EVENT_SIGNAL, until its handler begins", "EVENT_SIGNAL to a vCPU that spins, until its handler")
	heading("to another vCPU in WFI, both vCPUs together")
	row("an interrupt (SGI), until it is taken", "SGI to a vCPU in WFI, until it is taken")
	row("EVENT_SIGNAL, until its handler begins", "EVENT_SIGNAL to a vCPU in WFI, until its handler")
	print "</svg>"
}
