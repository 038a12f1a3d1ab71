/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Software Delegated Exception Interface (SDEI) for KVM guests.
 *
 * "Section" refers to Arm DEN0054C, version 1.1 of the interface.
 */

#ifndef __ARM64_KVM_SDEI_H__
#define __ARM64_KVM_SDEI_H__

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/types.h>

struct kvm;
struct kvm_device_attr;
struct kvm_enable_cap;
struct kvm_one_reg;
struct kvm_vcpu;

/* Events a VM can expose, the software signalled event 0 included */
#define KVM_SDEI_MAX_EVENTS	16

/*
 * The software signalled event, which every instance of SDEI has. It is the
 * first of the exposed events, as these are sorted by number.
 */
#define KVM_SDEI_EVENT_SW	0
#define KVM_SDEI_SLOT_SW	0

/*
 * Reserved for asynchronous page fault (private, critical). Userspace can't
 * expose it; KVM does, once it has a use for it.
 */
#define KVM_SDEI_EVENT_ASYNC_PF	0x40400001

/* Registers that a context holds: x0 to x17, what EVENT_CONTEXT can ask for */
#define KVM_SDEI_NR_REGS	18

/* The number of a call within the range of SDEI */
#define SDEI_NR(fn)		((fn) & ~SDEI_1_0_MASK)
#define SDEI_NR_BIT(fn)		BIT(SDEI_NR(fn))

/* Priorities of events: SDEI_EVENT_PRIORITY_{NORMAL,CRITICAL} */
#define KVM_SDEI_NR_PRIORITIES	2

/**
 * struct kvm_sdei_exposed_event - an event that the guest can register
 * @num:	event number, as the guest knows it
 * @priority:	SDEI_EVENT_PRIORITY_NORMAL or SDEI_EVENT_PRIORITY_CRITICAL
 *
 * All events are private (one instance for each PE).
 */
struct kvm_sdei_exposed_event {
	u32 num;
	u32 priority;
};

/**
 * struct kvm_sdei - the events that a VM exposes
 * @nr_events:	number of exposed events, at least one: event 0
 * @critical:	one bit for each slot in @events whose event is critical
 * @events:	the exposed events, sorted by number
 *
 * Allocated by KVM_ENABLE_CAP and written under kvm->lock until the first vCPU
 * is created; constant, and read without a lock, from then on. An index into
 * @events is called a slot: bit numbers in the words of struct kvm_sdei_vcpu
 * are slots, and so are indices into its @event.
 */
struct kvm_sdei {
	unsigned int nr_events;
	unsigned long critical;
	struct kvm_sdei_exposed_event events[KVM_SDEI_MAX_EVENTS];
};

/**
 * struct kvm_sdei_event - what the guest registered for an event on one PE
 * @entry:	handler, or its offset from VBAR_EL1 in relative mode
 * @arg:	argument, handed to the handler in x1
 *
 * Meaningful while the event is registered or its handler runs.
 */
struct kvm_sdei_event {
	u64 entry;
	u64 arg;
};

/**
 * struct kvm_sdei_vcpu_context - what a handler interrupted (section 4.3)
 * @regs:	x0 to x17
 * @pc:		where the interrupted code goes on
 * @pstate:	its PSTATE, in the format of SPSR_EL2
 *
 * Meaningful while a handler of the context's priority runs.
 */
struct kvm_sdei_vcpu_context {
	u64 regs[KVM_SDEI_NR_REGS];
	u64 pc;
	u64 pstate;
};

/**
 * struct kvm_sdei_vcpu - SDEI state of one PE
 * @pending:	events that are to be delivered, set by any thread. A bit counts
 *		only while its event is registered: kvm_sdei_set_registered()
 *		tells about stale ones
 * @registered:	events with a registered handler
 * @enabled:	events whose handler may be called; a subset of @registered
 * @masked:	1 if the PE is masked (PE_MASK), else 0
 * @running:	events whose handler has been entered and has not completed: at
 *		most one of each priority. Not registered and running is what
 *		the specification calls unregister pending
 * @critical:	events of critical priority: that of struct kvm_sdei, constant
 * @relative:	events registered in relative mode; a subset of @registered
 * @event:	registrations, by slot
 * @ctxt:	interrupted contexts, by priority
 *
 * The handler state of an event (section 6.1) is its bit in @registered,
 * @enabled and @running. All but @pending is written by the vCPU's own thread
 * only, or with vcpu->mutex held, and thus needs no lock. Other threads rely on
 * @registered; kvm_sdei_vcpu_has_deliverable() gives them a hint from the rest.
 */
struct kvm_sdei_vcpu {
	atomic_long_t pending;
	unsigned long registered;
	unsigned long enabled;
	unsigned long masked;
	unsigned long running;
	unsigned long critical;
	unsigned long relative;
	struct kvm_sdei_event event[KVM_SDEI_MAX_EVENTS];
	struct kvm_sdei_vcpu_context ctxt[KVM_SDEI_NR_PRIORITIES];
};

/* Life of a VM and of its vCPUs */
#define vcpu_has_sdei(vcpu)	(!!(vcpu)->arch.sdei)

int kvm_sdei_enable(struct kvm *kvm, struct kvm_enable_cap *cap);
void kvm_sdei_destroy_vm(struct kvm *kvm);
int kvm_sdei_vcpu_create(struct kvm_vcpu *vcpu);
void kvm_sdei_vcpu_reset(struct kvm_vcpu *vcpu);
void kvm_sdei_vcpu_destroy(struct kvm_vcpu *vcpu);

/* What the guest calls, and what it gets */
int kvm_sdei_call(struct kvm_vcpu *vcpu);
bool kvm_sdei_vcpu_has_deliverable(struct kvm_vcpu *vcpu);
void kvm_sdei_deliver(struct kvm_vcpu *vcpu);

/* What raises events */
int kvm_sdei_inject_event(struct kvm_vcpu *vcpu, u32 num);
int kvm_sdei_inject_event_now(struct kvm_vcpu *vcpu, u32 num);
int kvm_sdei_cancel_event(struct kvm_vcpu *vcpu, u32 num);

/* State, for what the VMM drives */
int kvm_sdei_event_slot(struct kvm *kvm, u32 num);
struct kvm_vcpu *kvm_sdei_mpidr_to_vcpu(struct kvm *kvm, u64 mpidr);
void kvm_sdei_set_registered(struct kvm_sdei_vcpu *sdei, int slot);
void kvm_sdei_clear_registered(struct kvm_sdei_vcpu *sdei, unsigned long slots);

/* What the VMM drives */
int kvm_sdei_has_attr(struct kvm *kvm, struct kvm_device_attr *attr);
int kvm_sdei_get_attr(struct kvm *kvm, struct kvm_device_attr *attr);
int kvm_sdei_set_attr(struct kvm *kvm, struct kvm_device_attr *attr);
unsigned long kvm_sdei_num_regs(struct kvm_vcpu *vcpu);
int kvm_sdei_copy_reg_indices(struct kvm_vcpu *vcpu, u64 __user *uindices);
int kvm_sdei_get_reg(struct kvm_vcpu *vcpu, const struct kvm_one_reg *one_reg);
int kvm_sdei_set_reg(struct kvm_vcpu *vcpu, const struct kvm_one_reg *one_reg);

#endif /* __ARM64_KVM_SDEI_H__ */
