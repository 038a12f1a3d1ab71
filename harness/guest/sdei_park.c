// SPDX-License-Identifier: GPL-2.0
/*
 * A CPU goes into its handler of SDEI event 0, and never comes back.
 *
 *	insmod sdei_park.ko [cpu=1] [off=1 | crash=1]
 *
 * Load it on another CPU, or it never returns. With off=1, the machine is
 * switched off then, by PSCI: Linux' own way there waits for the CPU, to have it
 * unregister its events. With crash=1, the handler panics instead; that may be
 * on the CPU which loads the module, too.
 *
 * Where event 0 belongs to the kernel itself (CONFIG_ARM_SDEI_NMI), it is taken
 * away from there.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/arm-smccc.h>
#include <linux/arm_sdei.h>
#include <linux/delay.h>
#include <linux/module.h>
#include <uapi/linux/psci.h>
#include <linux/smp.h>

#include <asm/cputype.h>

#include "sdei_guest.h"

static unsigned int cpu = 1;
module_param(cpu, uint, 0444);
MODULE_PARM_DESC(cpu, "the CPU, if not 1");

static bool off;
module_param(off, bool, 0444);
MODULE_PARM_DESC(off, "switch the machine off when the CPU is parked");

static bool crash;
module_param(crash, bool, 0444);
MODULE_PARM_DESC(crash, "panic in the handler");

static bool parked;

static int park_handler(u32 event, struct pt_regs *regs, void *arg)
{
	/* A backtrace is asked of the others, too. */
	if (smp_processor_id() != cpu)
		return 0;

	if (crash)
		panic("CPU %u panics in its handler", cpu);

	smp_store_release(&parked, true);
	for (;;)
		wfe();
}

static void read_mpidr(void *mpidr)
{
	*(u64 *)mpidr = read_cpuid_mpidr() & MPIDR_HWID_BITMASK;
}

static int __init sdei_park_init(void)
{
	int (*event_register)(u32 event, sdei_event_callback *cb, void *arg) =
		kernel_function("sdei_event_register");
	int (*event_enable)(u32 event) = kernel_function("sdei_event_enable");
	int (*event_unregister)(u32 event) = kernel_function("sdei_event_unregister");
	struct arm_smccc_res res;
	u64 mpidr;
	int ret;

	if (!event_register || !event_enable || !event_unregister)
		return -ENOENT;

	ret = event_register(SOFTWARE_EVENT, park_handler, NULL);
	if (ret == -EBUSY) {
		event_unregister(SOFTWARE_EVENT);
		ret = event_register(SOFTWARE_EVENT, park_handler, NULL);
	}
	if (!ret)
		ret = event_enable(SOFTWARE_EVENT);
	if (!ret)
		ret = smp_call_function_single(cpu, read_mpidr, &mpidr, true);
	if (ret)
		return ret;

	arm_smccc_1_1_hvc(EVENT_SIGNAL, SOFTWARE_EVENT, mpidr, &res);
	pr_info("EVENT_SIGNAL to CPU %u: %ld\n", cpu, res.a0);
	while (!smp_load_acquire(&parked))
		msleep(1);
	pr_info("CPU %u is in its handler, and stays there\n", cpu);
	if (off)
		arm_smccc_1_1_hvc(PSCI_0_2_FN_SYSTEM_OFF, &res);

	return 0;
}
module_init(sdei_park_init);

MODULE_DESCRIPTION("A CPU that stays in the handler of an SDEI event for ever");
MODULE_LICENSE("GPL");
