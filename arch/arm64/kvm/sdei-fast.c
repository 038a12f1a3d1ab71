// SPDX-License-Identifier: GPL-2.0-only
/*
 * Software Delegated Exception Interface (SDEI): which calls may be served
 * without leaving for the run loop (<hyp/sdei.h>), and when.
 */

#include <linux/kvm_host.h>

#include <asm/kvm_mmu.h>
#include <asm/kvm_sdei.h>
#include <asm/kvm_sdei_fast.h>

int kvm_sdei_nr_tracepoints;

/**
 * kvm_sdei_allow_fast() - allow a call to be served without leaving for the run
 * loop from now on
 * @vcpu: the vCPU that calls, of any VM, in its own thread
 * @func_id: the function, one of KVM_SDEI_FAST_CALLS
 *
 * To be called where the run loop is about to serve the call: so it has passed
 * the VMM's filter, which does not change any more once a VM has run. A vCPU
 * that the VMM debugs is not allowed anything; when the VMM begins to debug,
 * what has been allowed is forgotten. Nor is one in protected mode, where the
 * hypervisor runs its own copy of the vCPU and reaches nothing of the host's.
 * There is nothing else in the way: a vCPU with SDEI has neither EL2 nor AArch32
 * EL1. May sleep.
 */
void kvm_sdei_allow_fast(struct kvm_vcpu *vcpu, u32 func_id)
{
	if (!vcpu_has_sdei(vcpu) || vcpu->guest_debug || is_protected_kvm_enabled())
		return;

	/* On nVHE, EL2 has it mapped from now on, like the vCPU. */
	if (kvm_share_hyp(vcpu->arch.sdei, vcpu->arch.sdei + 1))
		return;

	vcpu->arch.sdei_hyp = kern_hyp_va(vcpu->arch.sdei);
	vcpu->arch.sdei_fast |= SDEI_NR_BIT(func_id);
}

/**
 * kvm_sdei_trace_on() - have every call of every VM take the run loop
 *
 * For tracepoints that are to show all of them, when one is turned on, with
 * tracepoints_mutex held. A call that is being served meanwhile may still be
 * one that it does not show.
 *
 * Return: 0.
 */
int kvm_sdei_trace_on(void)
{
	WRITE_ONCE(kvm_sdei_nr_tracepoints, kvm_sdei_nr_tracepoints + 1);

	return 0;
}

/**
 * kvm_sdei_trace_off() - undo kvm_sdei_trace_on()
 */
void kvm_sdei_trace_off(void)
{
	WRITE_ONCE(kvm_sdei_nr_tracepoints, kvm_sdei_nr_tracepoints - 1);
}
