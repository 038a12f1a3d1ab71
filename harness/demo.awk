# SPDX-License-Identifier: GPL-2.0
# The demonstration's page, and its verdict: off=LOG on=LOG are the consoles of
# the same guest with sdei=off and with sdei=on.  Only what its kernel said is
# shown, without the time; the lines must be there, and in this order.  What comes
# between them does not matter: on a slow machine, Linux gives up on CPUs that are
# only slow, and says so.  So the last line, in brackets, is where QEMU saw CPU 1 at
# the end.  why, in the environment: what the run itself had to complain of.

function load(file, lines,	n, line)
{
	n = 0
	while ((getline line < file) > 0) {
		sub(/\r$/, "", line)
		sub(/^\[ *[0-9.]+\] /, "", line)
		lines[++n] = line
	}
	close(file)
	return n
}

function missing(side, what)
{
	flush()
	if (ENVIRON["why"] != "")
		printf "\ndemo: %s\n", ENVIRON["why"] > "/dev/stderr"
	printf "\ndemo: with sdei=%s the guest's console lacks this: %s (all of it: %s).\n",
		side, what, side == "on" ? on : off > "/dev/stderr"
	failed = 1
	exit 1
}

function put(side, text)
{
	# Which CPUs, and where, is at the end.
	if (length(text) > WIDTH && text ~ /: [0-9,-]+$/)
		text = "..." substr(text, length(text) - WIDTH + 4)
	else if (length(text) > WIDTH)
		text = substr(text, 1, WIDTH - 3) "..."
	column[side, ++height[side]] = text
}

# The two columns of the step before
function flush(	i)
{
	for (i = 1; i <= height["off"] || i <= height["on"]; i++)
		printf "   %-" WIDTH "s | %s\n", column["off", i], column["on", i]
	delete column
	height["off"] = height["on"] = 0
}

function step(title)
{
	flush()
	printf "\n%d. %s\n", ++steps, title
}

function find(side, re, from,	i)
{
	for (i = from; i <= size[side]; i++)
		if ((side == "on" ? said_on[i] : said_off[i]) ~ re)
			return i
	return 0
}

# The next line of one guest that matches, from where we are on its console
function show(side, re, what,	i)
{
	i = find(side, re, at[side] + 1)
	if (!i)
		missing(side, what)
	put(side, side == "on" ? said_on[i] : said_off[i])
	at[side] = i
}

function both(re, what)
{
	show("off", re, what)
	show("on", re, what)
}

# There is none on all of the console; say so
function nothing(side, re, remark)
{
	if (find(side, re, 1))
		missing(side, "\"" remark "\", but there is one")
	put(side, "(" remark ")")
}

BEGIN {
	WIDTH = 66
	size["off"] = load(off, said_off)
	size["on"] = load(on, said_on)

	print "A vCPU hangs with its interrupts masked.  What the guest's kernel says, an unmodified"
	print "one, with -machine virt,sdei=off (left) and with sdei=on (right):"
	print ""
	both("Linux version ", "the start of its kernel")

	step("It looks for SDEI, and for something to use as NMI")
	nothing("off", "sdei: SDEIv1", "no SDEI")
	show("on", "sdei: SDEIv1\\.1 .*detected in firmware", "SDEI found")
	nothing("off", "sdei_nmi: ", "no NMI")
	show("on", "sdei_nmi: using SDEI cross-CPU NMI", "SDEI used as NMI")

	step("CPU 1 masks interrupts and spins (LKDTM's HARDLOCKUP)")
	both("lkdtm: Performing direct entry HARDLOCKUP", "the lock-up")

	step("The operator asks for a backtrace of all CPUs: echo l > /proc/sysrq-trigger")
	both("sysrq: Show backtrace of all active CPUs", "the request")
	show("off", "these CPUS still haven't responded to the NMI: 1([^0-9]|$)", "CPU 1 that does not answer")
	nothing("off", "NMI backtrace for cpu 1$", "none of CPU 1")
	show("on", "NMI backtrace for cpu 1", "CPU 1's backtrace")
	show("on", "pstate: .*\\(.* daIF ", "CPU 1's PSTATE, with interrupts masked")
	show("on", "pc : lkdtm_HARDLOCKUP\\+", "where it spins")
	show("on", "Call trace:", "its call trace")
	show("on", " lkdtm_HARDLOCKUP\\+", "the function that spins")
	show("on", " direct_entry\\+", "its caller")
	show("on", " full_proxy_write\\+", "and the caller of that")

	step("It gives up and has the guest panic: echo c > /proc/sysrq-trigger")
	both("sysrq: Trigger a crash", "the request")
	both("Kernel panic - not syncing: sysrq triggered crash", "the panic")
	both("SMP: stopping secondary CPUs", "the attempt to stop the others")
	show("on", "SMP: retry stop with SDEI NMI for CPUs 1([^0-9]|$)", "the attempt by SDEI")
	if (find("on", "SMP: failed to stop secondary CPUs", 1)) {
		show("on", "SMP: failed to stop secondary CPUs", "")
		put("on", "(it waits 0.1 s for that: this machine was slower)")
	}
	show("off", "SMP: failed to stop secondary CPUs 1([^0-9]|$)", "CPU 1 that cannot be stopped")
	both("end Kernel panic", "the end")

	step("Where is CPU 1 now?  In its loop, or where Linux stops a CPU for good")
	show("off", "^\\(QEMU: CPU 1 is in lkdtm_HARDLOCKUP now", "CPU 1 in its loop")
	show("on", "^\\(QEMU: CPU 1 is in arm64_nmi_cpu_stop now", "CPU 1, stopped")
	flush()

	print "\nEvery line above was there, and in this order."
}
