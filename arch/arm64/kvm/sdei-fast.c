// SPDX-License-Identifier: GPL-2.0-only
/*
 * Software Delegated Exception Interface (SDEI): which calls may be served
 * without leaving for the run loop (<hyp/sdei.h>), and when.
 */

#include <linux/bitops.h>
#include <linux/kvm_host.h>
#include <linux/lockdep.h>
#include <linux/maple_tree.h>
#include <linux/mutex.h>

#include <asm/kvm_mmu.h>
#include <asm/kvm_sdei.h>
#include <asm/kvm_sdei_fast.h>

#include <uapi/linux/arm_sdei.h>

/* What <hyp/sdei.h> can serve */
#define KVM_SDEI_FAST_CALLS						\
	(SDEI_NR_BIT(SDEI_1_0_FN_SDEI_EVENT_CONTEXT) |			\
	 SDEI_NR_BIT(SDEI_1_0_FN_SDEI_EVENT_COMPLETE) |			\
	 SDEI_NR_BIT(SDEI_1_0_FN_SDEI_EVENT_COMPLETE_AND_RESUME) |	\
	 SDEI_NR_BIT(SDEI_1_0_FN_SDEI_EVENT_STATUS) |			\
	 SDEI_NR_BIT(SDEI_1_0_FN_SDEI_PE_MASK) |			\
	 SDEI_NR_BIT(SDEI_1_0_FN_SDEI_PE_UNMASK) |			\
	 SDEI_NR_BIT(SDEI_1_0_FN_SDEI_EVENT_SIGNAL))

/*
 * Of the number of tracepoints that are on, and of every vCPU's mask, which is
 * read without it. Taken within vcpu->mutex, and within kvm_lock.
 */
static DEFINE_MUTEX(kvm_sdei_fast_lock);
static unsigned int kvm_sdei_nr_tracepoints;

static void kvm_sdei_update_locked(struct kvm_vcpu *vcpu)
{
	struct kvm_arch *arch = &vcpu->kvm->arch;
	unsigned long nr, calls = 0;

	lockdep_assert_held(&kvm_sdei_fast_lock);

	vcpu->arch.sdei_hyp = kern_hyp_va(vcpu->arch.sdei);

	/* Before the VM runs, the VMM may change the filter, which is no RCU tree. */
	if (vcpu_has_sdei(vcpu) && !READ_ONCE(vcpu->guest_debug) &&
	    !kvm_sdei_nr_tracepoints &&
	    test_bit_acquire(KVM_ARCH_FLAG_HAS_RAN_ONCE, &arch->flags))
		calls = KVM_SDEI_FAST_CALLS;

	for_each_set_bit(nr, &calls, 32) {
		if (mtree_load(&arch->smccc_filter, SDEI_1_0_FN_BASE + nr))
			__clear_bit(nr, &calls);
	}

	WRITE_ONCE(vcpu->arch.sdei_fast, calls);
}

/**
 * kvm_sdei_vcpu_update_fast_path() - find out which calls may be served without
 * leaving for the run loop
 * @vcpu: the vCPU, of any VM
 *
 * To be called when the vCPU has been created, when it is about to run for the
 * first time, which settles what the VMM filters, and when the VMM begins or
 * ends to debug the guest. May sleep. There is nothing else in the way: a vCPU
 * with SDEI has neither EL2 nor AArch32 EL1, and what runs in protected mode is
 * the hypervisor's own copy of the vCPU, whose mask is never set.
 */
void kvm_sdei_vcpu_update_fast_path(struct kvm_vcpu *vcpu)
{
	mutex_lock(&kvm_sdei_fast_lock);
	kvm_sdei_update_locked(vcpu);
	mutex_unlock(&kvm_sdei_fast_lock);
}

/*
 * Not a static key: in protected mode, the hypervisor's code can't be patched
 * any more.
 */
static void kvm_sdei_update_all(void)
{
	struct kvm_vcpu *vcpu;
	unsigned long i;
	struct kvm *kvm;

	lockdep_assert_held(&kvm_lock);

	list_for_each_entry(kvm, &vm_list, vm_list) {
		kvm_for_each_vcpu(i, vcpu, kvm)
			kvm_sdei_update_locked(vcpu);
	}
}

/**
 * kvm_sdei_trace_on() - have every call of every VM take the run loop
 *
 * For tracepoints that are to show all of them, when one is turned on. A call
 * that is being served meanwhile may still be one that it does not show.
 *
 * Return: 0.
 */
int kvm_sdei_trace_on(void)
{
	mutex_lock(&kvm_lock);
	mutex_lock(&kvm_sdei_fast_lock);
	if (!kvm_sdei_nr_tracepoints++)
		kvm_sdei_update_all();
	mutex_unlock(&kvm_sdei_fast_lock);
	mutex_unlock(&kvm_lock);

	return 0;
}

/**
 * kvm_sdei_trace_off() - undo kvm_sdei_trace_on()
 */
void kvm_sdei_trace_off(void)
{
	mutex_lock(&kvm_lock);
	mutex_lock(&kvm_sdei_fast_lock);
	if (!--kvm_sdei_nr_tracepoints)
		kvm_sdei_update_all();
	mutex_unlock(&kvm_sdei_fast_lock);
	mutex_unlock(&kvm_lock);
}
