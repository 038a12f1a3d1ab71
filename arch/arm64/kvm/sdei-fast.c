// SPDX-License-Identifier: GPL-2.0-only
/*
 * Software Delegated Exception Interface (SDEI): which calls may be served
 * without leaving for the run loop (<hyp/sdei.h>), and when.
 */

#include <linux/bitops.h>
#include <linux/jump_label.h>
#include <linux/kvm_host.h>
#include <linux/maple_tree.h>

#include <asm/kvm_sdei.h>
#include <asm/kvm_sdei_fast.h>

#include <uapi/linux/arm_sdei.h>

#define SDEI_NR_BIT(fn)		BIT((fn) & ~SDEI_1_0_MASK)

/* What <hyp/sdei.h> can serve */
#define KVM_SDEI_FAST_CALLS						\
	(SDEI_NR_BIT(SDEI_1_0_FN_SDEI_EVENT_CONTEXT) |			\
	 SDEI_NR_BIT(SDEI_1_0_FN_SDEI_EVENT_COMPLETE) |			\
	 SDEI_NR_BIT(SDEI_1_0_FN_SDEI_EVENT_COMPLETE_AND_RESUME) |	\
	 SDEI_NR_BIT(SDEI_1_0_FN_SDEI_EVENT_STATUS) |			\
	 SDEI_NR_BIT(SDEI_1_0_FN_SDEI_PE_MASK) |			\
	 SDEI_NR_BIT(SDEI_1_0_FN_SDEI_PE_UNMASK) |			\
	 SDEI_NR_BIT(SDEI_1_0_FN_SDEI_EVENT_SIGNAL))

DEFINE_STATIC_KEY_FALSE(kvm_sdei_no_fast_path);

/**
 * kvm_sdei_vcpu_update_fast_path() - find out which calls may be served without
 * leaving for the run loop
 * @vcpu: the vCPU, of any VM, whose mutex is held
 *
 * To be called when the vCPU is about to run for the first time, which settles
 * what the VMM filters, and when the VMM begins or ends to debug the guest. There
 * is nothing else in the way: a vCPU with SDEI has neither EL2 nor AArch32 EL1,
 * and what runs in protected mode is the hypervisor's own copy of the vCPU,
 * where no call is.
 */
void kvm_sdei_vcpu_update_fast_path(struct kvm_vcpu *vcpu)
{
	unsigned long nr, calls = 0;

	if (vcpu_has_sdei(vcpu) && !vcpu->guest_debug)
		calls = KVM_SDEI_FAST_CALLS;

	for_each_set_bit(nr, &calls, 32) {
		if (mtree_load(&vcpu->kvm->arch.smccc_filter,
			       SDEI_1_0_FN_BASE + nr))
			__clear_bit(nr, &calls);
	}

	vcpu->arch.sdei_fast = calls;
}

/**
 * kvm_sdei_leave_fast_path() - have every call take the run loop
 *
 * For tracepoints that are to show every call, when they are turned on. A call
 * that is being served meanwhile may still be one that they don't show.
 *
 * Return: 0.
 */
int kvm_sdei_leave_fast_path(void)
{
	static_branch_inc(&kvm_sdei_no_fast_path);
	return 0;
}

/**
 * kvm_sdei_return_to_fast_path() - undo kvm_sdei_leave_fast_path()
 */
void kvm_sdei_return_to_fast_path(void)
{
	static_branch_dec(&kvm_sdei_no_fast_path);
}
