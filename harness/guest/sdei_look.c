// SPDX-License-Identifier: GPL-2.0
/*
 * What SDEI thinks of each PE: a line in the log for each of them,
 *
 *	sdei_look: PE 2: event 0 unregistered, no handler runs, masked
 *	sdei_look: PE 3: not up, and PSCI says that it is on
 *
 * and a last one, "sdei_look: no more PEs". A PE is named by its MPIDR: a kernel
 * that has been started on another CPU than the first numbers them in another
 * way. All of it is asked of SDEI itself, so that it does not matter whether the
 * kernel's client for SDEI has come up. What can only be found out by changing
 * it is changed back.
 *
 * Nothing of the module stays: insmod always fails (and may try twice).
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/arm-smccc.h>
#include <linux/arm_sdei.h>
#include <linux/cpu.h>
#include <linux/cpumask.h>
#include <linux/module.h>
#include <linux/smp.h>
#include <uapi/linux/psci.h>

#include <asm/cputype.h>

#include "sdei_guest.h"

#define MAX_PES		16	/* the lowest field of an MPIDR on GICv3 machines of KVM */
#define DENIED		-3

static struct pe {
	bool up;
	long status;		/* of event 0 */
	bool handler;		/* any handler runs */
	bool masked;
} pes[MAX_PES];

static long call(u32 function, u64 arg0, u64 arg1)
{
	struct arm_smccc_res res;

	arm_smccc_1_1_hvc(function, arg0, arg1, &res);

	return res.a0;
}

/* Interrupts are masked: nobody else masks the PE meanwhile. */
static void look(void *unused)
{
	u64 mpidr = read_cpuid_mpidr() & MPIDR_HWID_BITMASK;
	struct pe *pe = &pes[mpidr % MAX_PES];

	pe->status = call(SDEI_1_0_FN_SDEI_EVENT_STATUS, SOFTWARE_EVENT, 0);
	pe->handler = call(SDEI_1_0_FN_SDEI_EVENT_CONTEXT, 0, 0) != DENIED;
	pe->masked = call(SDEI_1_0_FN_SDEI_PE_MASK, 0, 0) != 1;
	if (!pe->masked)
		call(SDEI_1_0_FN_SDEI_PE_UNMASK, 0, 0);
	pe->up = true;
}

static int __init sdei_look_init(void)
{
	if (call(SDEI_1_0_FN_SDEI_VERSION, 0, 0) < 0) {
		pr_info("there is no SDEI\n");
		return -ENODEV;
	}

	on_each_cpu(look, NULL, true);
	for (unsigned int n = 0; n < min(num_possible_cpus(), MAX_PES); n++) {
		const struct pe *pe = &pes[n];

		if (!pe->up)
			pr_info("PE %u: not up, and PSCI says that it is %s\n", n,
				call(PSCI_0_2_FN64_AFFINITY_INFO, n, 0) ==
				PSCI_0_2_AFFINITY_LEVEL_OFF ? "off" : "on");
		else
			pr_info("PE %u: event 0 %s%s, %s, %s\n", n,
				pe->status & 2 ? "enabled" :
				pe->status & 1 ? "registered" : "unregistered",
				pe->status & 4 ? " and running" : "",
				pe->handler ? "a handler runs" : "no handler runs",
				pe->masked ? "masked" : "unmasked");
	}
	pr_info("no more PEs\n");

	return -ENODEV;
}
module_init(sdei_look_init);

MODULE_DESCRIPTION("What SDEI thinks of each PE");
MODULE_LICENSE("GPL");
