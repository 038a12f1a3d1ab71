# SPDX-License-Identifier: GPL-2.0
# The demonstration's page, and its verdict: on=LOG off=LOG are what the guest
# said with sdei=on and with sdei=off.  Only what the guest said is shown; the
# lines must be there, and in this order.

function load(file, lines,	n, line)
{
	n = 0
	while ((getline line < file) > 0)
		lines[++n] = line
	close(file)
	return n
}

function missing(side, what)
{
	printf "\ndemo: with sdei=%s the guest's console lacks this step: %s (all of it: %s).\n",
		side, what, side == "on" ? on : off > "/dev/stderr"
	failed = 1
	exit 1
}

function title(text)
{
	printf "\n%d. %s\n", ++section, text
}

function line(side, text)
{
	if (length(text) > 100)
		text = substr(text, 1, 97) "..."
	printf "   sdei=%s | %s\n", side, text
}

# Show the next line of one guest that matches, from where we are in its log
function show(side, re, what,	i)
{
	if (side == "on") {
		for (i = at_on + 1; i <= n_on; i++)
			if (said_on[i] ~ re) {
				line("on ", said_on[i])
				at_on = i
				return
			}
	} else {
		for (i = at_off + 1; i <= n_off; i++)
			if (said_off[i] ~ re) {
				line("off", said_off[i])
				at_off = i
				return
			}
	}
	missing(side, what)
}

BEGIN {
	n_on = load(on, said_on)
	n_off = load(off, said_off)

	print "An SDEI event reaches a vCPU that has interrupts masked.  What the guest's kernel"
	print "said, in two runs of the same guest: with -machine virt,sdei=on and with sdei=off."
	print ""
	show("on", "^host: ", "the host and the QEMU it runs in")
	show("off", "^host: ", "the host and the QEMU it runs in")
	show("on", "^QEMU emulator version ", "the version of QEMU")
	show("off", "^QEMU emulator version ", "the version of QEMU")
	show("on", "Linux version ", "the start of its kernel")
	show("off", "Linux version ", "the start of its kernel")

	title("The guest's kernel looks for SDEI in its firmware")
	show("on", "sdei: SDEIv1\\.1 .*detected in firmware", "SDEI found by the guest's kernel")
	for (i = 1; i <= n_off; i++)
		if (said_off[i] ~ /sdei: SDEI.* detected in firmware/)
			missing("off", "no sign of SDEI, and there is one")
	print "   sdei=off | (no word of SDEI)"

	title("It registers and enables event 0 for every vCPU")
	show("on", "sdei_demo: event 0 is registered and enabled: .* 0x3$", "event 0 registered and enabled")
	show("off", "sdei_demo: event 0 cannot be registered", "event 0 refused")

	title("vCPU 1 spins with interrupts masked (DAIF 0x3c0: all four kinds)")
	show("on", "sdei_demo: CPU 1 spins with interrupts masked: DAIF 0x3c0$", "vCPU 1 spinning with interrupts masked")
	show("off", "sdei_demo: CPU 1 spins with interrupts masked: DAIF 0x3c0$", "vCPU 1 spinning with interrupts masked")

	title("An interrupt from vCPU 0 does not reach it")
	show("on", "sdei_demo: an IPI to CPU 1 does not get through", "an interrupt that does not get through")
	show("off", "sdei_demo: an IPI to CPU 1 does not get through", "an interrupt that does not get through")

	title("vCPU 0 signals event 0 to it")
	show("on", "sdei_demo: CPU 0 signals event 0 to CPU 1", "the event signalled")
	show("off", "sdei_demo: CPU 0 signals event 0 to CPU 1", "the event signalled")
	show("off", "sdei_demo: the signal is refused: EVENT_SIGNAL answers -1$", "the signal refused")

	title("The handler runs on vCPU 1 and shows the spinning code (without SDEI: nothing does)")
	show("on", "sdei_demo: the handler of event 0 runs on CPU 1", "the handler running")
	show("on", "pstate: .*\\(.* DAIF ", "the interrupted PSTATE, with interrupts masked")
	show("on", "pc : spin_with_interrupts_masked\\+", "the interrupted PC, in the spinning code")
	show("on", "Call trace:", "the handler's backtrace")
	show("on", " spin_with_interrupts_masked\\+", "the spinning function in the backtrace")
	show("on", " wedge_this_cpu\\+", "its caller in the backtrace")
	show("on", " wedged_thread\\+", "the thread's function in the backtrace")
	show("on", " kthread\\+", "the thread in the backtrace")
	show("on", " ret_from_fork\\+", "the end of the backtrace")
	show("on", "sdei_demo: the handler ran: events handled 1, IPIs taken 0$", "the handler's end, with no interrupt taken")

	title("vCPU 1 goes on where it was, interrupts masked all the time")
	show("on", "sdei_demo: CPU 1 spins on after the handler", "the vCPU spinning on after the handler")
	show("on", "sdei_demo: CPU 1 is let go: DAIF was 0x3c0 to the end, IPIs taken 0$", "interrupts masked to the end")
	show("on", "sdei_demo: CPU 1 unmasks interrupts and goes on: IPIs taken 1$", "the vCPU going on")
	show("off", "sdei_demo: CPU 1 is let go: DAIF was 0x3c0 to the end, IPIs taken 0$", "interrupts masked to the end")
	show("off", "sdei_demo: CPU 1 unmasks interrupts and goes on: IPIs taken 1$", "the vCPU going on")
	show("on", "sdei_demo: end$", "the end")
	show("off", "sdei_demo: end$", "the end")

	print "\nSDEI works: every step above was there, and in this order."
}
