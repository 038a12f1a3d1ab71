# SPDX-License-Identifier: GPL-2.0
# The figures of make savings, from what the three guests said: awk -f
# savings.awk NEITHER PSEUDO-NMI SDEI. What backtraces cost is in the guest's
# kernel log, whose clock counts instructions, in thousands.

function broken(what)
{
	print "savings: " FILENAME ": " what > "/dev/stderr"
	failed = 1
	exit 1
}

function figure(guest, name, n)
{
	if (!(name in known)) {
		known[name] = 1
		names[++nnames] = name
	}
	of[guest, name] = n
}

# Of list[guest, how, 1..n]
function median(list, guest, how, n,    i, j, sorted)
{
	for (i = 1; i <= n; i++) {
		for (j = i; j > 1 && sorted[j - 1] > list[guest, how, i]; j--)
			sorted[j] = sorted[j - 1]
		sorted[j] = list[guest, how, i]
	}
	return sorted[int((n + 1) / 2)]
}

FNR == 1	{ guest++ }

$1 == "figure" {
	n = $2
	sub(/^figure [0-9]+ /, "")
	figure(guest, $0, n)
	next
}
$1 != "log"	{ next }
{
	# log <6>[    1.234567] text
	at = $0
	sub(/^[^[]*\[ */, "", at)
	at = int(at * 1000000 + 0.5) * 1000
	sub(/^[^]]*\] /, "")
}
/^savings: (idle|wedged)$/ {
	if (inside)
		broken("the log of a backtrace (" how ") has no end")
	how = $2
	begin = sending = cpus = stuck = 0
	inside = 1
	next
}
!inside		{ next }
/^savings: done$/ {
	inside = 0
	if (!begin || !sending || cpus != 8)
		broken("a backtrace (" how ") has " cpus " vCPUs of 8 in it")
	if (stuck != (how == "wedged" ? 7 : 0))
		broken("a backtrace (" how ") has " stuck " wedged vCPUs in it")
	n = ++shots[guest, how]
	all[guest, how, n] = last - begin
	others[guest, how, n] = last - sending
	next
}
/^sysrq: Show backtrace of all active CPUs/ { begin = at }
/^Sending NMI from CPU /	{ sending = at }
/^NMI backtrace for cpu [0-7]/	{ cpus++ }
/^ lkdtm_HARDLOCKUP\+/		{ stuck++ }
{ last = at }

END {
	if (failed)
		exit 1
	if (inside)
		broken("the log of a backtrace (" how ") has no end")
	for (guest = 1; guest <= 3; guest++)
		for (i = split("idle wedged", hows); i > 0; i--) {
			how = hows[i]
			n = shots[guest, how]
			if (!n && guest == 1 && how == "wedged")
				continue
			if (!n)
				broken("guest " guest " has no backtrace (" how ")")
			figure(guest, "sysrq-l, the others " how ": in all", median(all, guest, how, n))
			figure(guest, "sysrq-l, the others " how ": from sending on", median(others, guest, how, n))
		}
	for (i = 1; i <= nnames; i++) {
		for (guest = 1; guest <= 3; guest++)
			printf "%s ", (guest, names[i]) in of ? of[guest, names[i]] : "-"
		print names[i]
	}
}
