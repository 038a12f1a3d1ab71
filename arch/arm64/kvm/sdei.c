// SPDX-License-Identifier: GPL-2.0-only
/*
 * Software Delegated Exception Interface (SDEI): the dispatcher for KVM guests.
 *
 * "Section" refers to Arm DEN0054C, version 1.1 of the interface: delivery is
 * in section 4.3, the calls are in section 5.1, the states in section 6.1. The
 * guest is the client, at EL1; each vCPU is a PE. All events are private to a
 * PE: there are no shared events and no interrupts bound to events.
 *
 * An event's state on a PE is one bit in each of four words of struct
 * kvm_sdei_vcpu: <asm/kvm_sdei_state.h> has them, and what leads from one state
 * to the next. The word that holds what is pending is the only one that other
 * threads write. Whoever sets a bit there requests KVM_REQ_SDEI afterwards and
 * kicks the vCPU, which then delivers on its way into the guest. The vCPU's own
 * calls can make a pending event deliverable, too: each that is served here ends
 * by delivering what can be delivered.
 */

#include <linux/bitops.h>
#include <linux/kvm_host.h>
#include <linux/string.h>

#include <asm/kvm_emulate.h>
#include <asm/kvm_sdei.h>
#include <asm/kvm_sdei_state.h>

#include <kvm/arm_hypercalls.h>
#include <kvm/arm_vgic.h>

#include <uapi/linux/arm_sdei.h>

#include "trace_arm.h"

/**
 * kvm_sdei_event_slot() - find an exposed event
 * @kvm: the VM, with SDEI
 * @num: event number: of an event argument, only the low 32 bits count
 *
 * Return: its slot, or -1.
 */
int kvm_sdei_event_slot(struct kvm *kvm, u32 num)
{
	const struct kvm_sdei *exposed = kvm->arch.sdei;

	/* Always there, and the one that matters for speed */
	if (num == KVM_SDEI_EVENT_SW)
		return KVM_SDEI_SLOT_SW;

	for (int slot = KVM_SDEI_SLOT_SW + 1; slot < exposed->nr_events; slot++) {
		if (exposed->events[slot].num == num)
			return slot;
	}

	return -1;
}

/* The same for a vCPU of any VM: without SDEI, nothing is exposed. */
static int kvm_sdei_vcpu_event_slot(struct kvm_vcpu *vcpu, u32 num)
{
	return vcpu_has_sdei(vcpu) ? kvm_sdei_event_slot(vcpu->kvm, num) : -1;
}

static unsigned long kvm_sdei_pending(const struct kvm_vcpu *vcpu)
{
	return atomic_long_read(&vcpu->arch.sdei->pending);
}

/**
 * kvm_sdei_vcpu_has_deliverable() - would the vCPU take an event if it ran now?
 * @vcpu: the vCPU, of a VM with SDEI
 *
 * Only this ends WFI; what is pending but masked, disabled or of too low a
 * priority does not.
 *
 * Return: true or false; exact in the vCPU's own thread, a hint elsewhere.
 */
bool kvm_sdei_vcpu_has_deliverable(struct kvm_vcpu *vcpu)
{
	return kvm_sdei_next_event(vcpu->arch.sdei, kvm_sdei_pending(vcpu)) >= 0;
}

/*
 * What has been queued for the vCPU is over and done with before it reaches the
 * instruction that it continues with. If a debugger in the VMM is stepping the
 * vCPU, that was the step.
 */
static void kvm_sdei_end_step(struct kvm_vcpu *vcpu)
{
	if (unlikely(vcpu->guest_debug & KVM_GUESTDBG_SINGLESTEP))
		vcpu_set_flag(vcpu, DBG_SS_ACTIVE_PENDING);
}

/* Enter the handler of a pending event instead of what would come next. */
static noinline void kvm_sdei_take_event(struct kvm_vcpu *vcpu, int slot)
{
	struct user_pt_regs *regs = vcpu_gp_regs(vcpu);
	struct kvm_sdei_vcpu *sdei = vcpu->arch.sdei;
	struct kvm_sdei_vcpu_context *ctxt;
	u32 num;

	/*
	 * Full barrier: what the sender stored before it set the bit is visible
	 * to the handler. If the event has been cancelled under our feet, there
	 * may be another one.
	 */
	if (!(atomic_long_fetch_andnot(BIT(slot), &sdei->pending) & BIT(slot))) {
		kvm_make_request(KVM_REQ_SDEI, vcpu);
		return;
	}

	/* What has been queued comes first. */
	if (kvm_vcpu_adjust_pc(vcpu))
		kvm_sdei_end_step(vcpu);

	num = vcpu->kvm->arch.sdei->events[slot].num;
	ctxt = kvm_sdei_context(sdei, sdei->critical & BIT(slot));
	kvm_sdei_copy_regs(ctxt->regs, regs->regs, 0);
	regs->pc = kvm_sdei_enter_handler(vcpu, sdei, ctxt, slot, num,
					  regs->pc, regs->pstate);
	regs->pstate = kvm_sdei_entry_pstate(vcpu, regs->pstate);

	trace_kvm_sdei_deliver(vcpu, num, regs->regs[2], regs->pc);
}

/* Inline for kvm_sdei_call(), whose callers rarely have anything pending */
static __always_inline void __kvm_sdei_deliver(struct kvm_vcpu *vcpu)
{
	int slot = kvm_sdei_next_event(vcpu->arch.sdei, kvm_sdei_pending(vcpu));

	if (slot >= 0)
		kvm_sdei_take_event(vcpu, slot);
}

/**
 * kvm_sdei_deliver() - enter the handler of a pending event that can be taken
 * @vcpu: the vCPU, of a VM with SDEI, loaded, in its own thread
 *
 * Serves KVM_REQ_SDEI (section 4.3). One event is enough: a second one can't be
 * taken before the handler entered here completes, unless it is critical and
 * has become pending since, with a request of its own.
 */
void kvm_sdei_deliver(struct kvm_vcpu *vcpu)
{
	__kvm_sdei_deliver(vcpu);
}

/* Make the event in @slot pending, if it is registered: true if it is. */
static __always_inline bool kvm_sdei_make_pending(struct kvm_vcpu *vcpu,
						  int slot)
{
	struct kvm_sdei_vcpu *sdei = vcpu->arch.sdei;

	if (!(READ_ONCE(sdei->registered) & BIT(slot)))
		return false;

	/* Full barrier: the sender's stores come first. */
	atomic_long_fetch_or(BIT(slot), &sdei->pending);

	trace_kvm_sdei_inject(vcpu, vcpu->kvm->arch.sdei->events[slot].num);

	return true;
}

/*
 * The same from any thread. Always request and kick, also for an event that is
 * pending already: the sender that made it so may not have come that far.
 */
static bool kvm_sdei_send(struct kvm_vcpu *vcpu, int slot)
{
	if (!kvm_sdei_make_pending(vcpu, slot))
		return false;

	kvm_make_request(KVM_REQ_SDEI, vcpu);
	kvm_vcpu_kick(vcpu);

	return true;
}

/**
 * kvm_sdei_inject_event() - make an event pending on a vCPU
 * @vcpu: the vCPU, of any VM
 * @num: event number
 *
 * Callable from any thread and wherever kvm_vcpu_kick() is: in atomic context,
 * but not in NMI, nor with locks of the scheduler held. The vCPU is woken up or
 * kicked; the event is delivered as soon as the guest can take it. Instances of
 * an event that is still pending coalesce.
 *
 * Return: 0 if the event is pending now, -ENOENT if the VM does not expose it,
 * -ENOTCONN if the guest has not registered it on this vCPU.
 */
int kvm_sdei_inject_event(struct kvm_vcpu *vcpu, u32 num)
{
	int slot;

	slot = kvm_sdei_vcpu_event_slot(vcpu, num);
	if (slot < 0)
		return -ENOENT;

	return kvm_sdei_send(vcpu, slot) ? 0 : -ENOTCONN;
}

/**
 * kvm_sdei_inject_event_now() - inject an event if it would be taken at once
 * @vcpu: the vCPU, whose own thread this is
 * @num: event number
 *
 * For events that are of use only before the guest executes another
 * instruction. If another thread injects an event meanwhile that the vCPU takes
 * first, a critical one or one of the same priority and a lower number, this
 * one stays pending: to be taken back by kvm_sdei_cancel_event().
 *
 * Return: 0 if the vCPU takes the event at its next entry into the guest,
 * -EBUSY, and nothing is pending, if it would not, or does anyway because the
 * event is pending already; otherwise as kvm_sdei_inject_event().
 */
int kvm_sdei_inject_event_now(struct kvm_vcpu *vcpu, u32 num)
{
	struct kvm_sdei_vcpu *sdei = vcpu->arch.sdei;
	unsigned long pending;
	int slot;

	slot = kvm_sdei_vcpu_event_slot(vcpu, num);
	if (slot < 0)
		return -ENOENT;

	if (!(sdei->registered & BIT(slot)))
		return -ENOTCONN;

	pending = kvm_sdei_pending(vcpu);
	if ((pending & BIT(slot)) ||
	    kvm_sdei_next_event(sdei, pending | BIT(slot)) != slot)
		return -EBUSY;

	kvm_sdei_make_pending(vcpu, slot);
	kvm_make_request(KVM_REQ_SDEI, vcpu);

	return 0;
}

/**
 * kvm_sdei_cancel_event() - take back an event that has not been delivered
 * @vcpu: the vCPU, of any VM
 * @num: event number
 *
 * Callable from any thread and from any context.
 *
 * Return: 0 if the event was pending and is no longer; -ENOENT if it was not
 * pending, because it has been delivered, say, or is not exposed.
 */
int kvm_sdei_cancel_event(struct kvm_vcpu *vcpu, u32 num)
{
	unsigned long pending;
	int slot;

	slot = kvm_sdei_vcpu_event_slot(vcpu, num);
	if (slot < 0)
		return -ENOENT;

	pending = atomic_long_fetch_andnot(BIT(slot), &vcpu->arch.sdei->pending);
	pending &= READ_ONCE(vcpu->arch.sdei->registered);

	return (pending & BIT(slot)) ? 0 : -ENOENT;
}

/**
 * kvm_sdei_set_registered() - register an event
 * @sdei: state of the vCPU, whose own thread this is (or its mutex is held)
 * @slot: the event
 *
 * A sender that saw an earlier registration may have set the pending bit after
 * it was cleared along with that registration. The bit counts for nothing while
 * the event is not registered, and must not count for the next registration.
 * From here on, senders may set it.
 */
void kvm_sdei_set_registered(struct kvm_sdei_vcpu *sdei, int slot)
{
	/* Full barrier: forget before senders may send. */
	atomic_long_fetch_andnot(BIT(slot), &sdei->pending);
	WRITE_ONCE(sdei->registered, sdei->registered | BIT(slot));
}

/**
 * kvm_sdei_clear_registered() - unregister events, and forget what is pending
 * @sdei: state of the vCPU, whose own thread this is (or its mutex is held)
 * @slots: the events, a bit mask
 *
 * If a handler runs, its event becomes unregister pending.
 */
void kvm_sdei_clear_registered(struct kvm_sdei_vcpu *sdei, unsigned long slots)
{
	WRITE_ONCE(sdei->registered, sdei->registered & ~slots);
	WRITE_ONCE(sdei->enabled, sdei->enabled & ~slots);
	sdei->relative &= ~slots;
	atomic_long_andnot(slots, &sdei->pending);
}

static s64 kvm_sdei_event_register(struct kvm_vcpu *vcpu, int slot)
{
	struct kvm_sdei_vcpu *sdei = vcpu->arch.sdei;
	u64 entry = smccc_get_arg2(vcpu);
	u64 arg = smccc_get_arg3(vcpu);
	u64 flags = vcpu_get_reg(vcpu, 4);

	/* The routing flag and the affinity in x5 are for shared events. */
	if (!IS_ALIGNED(entry, 4) ||
	    (flags & ~(SDEI_EVENT_REGISTER_RM_PE | SDEI_EVENT_REGISTER_RELATIVE)))
		return SDEI_INVALID_PARAMETERS;

	if ((sdei->registered | sdei->running) & BIT(slot))
		return SDEI_DENIED;

	sdei->event[slot].entry = entry;
	sdei->event[slot].arg = arg;
	if (flags & SDEI_EVENT_REGISTER_RELATIVE)
		sdei->relative |= BIT(slot);
	kvm_sdei_set_registered(sdei, slot);

	return SDEI_SUCCESS;
}

static s64 kvm_sdei_event_enable(struct kvm_vcpu *vcpu, int slot)
{
	struct kvm_sdei_vcpu *sdei = vcpu->arch.sdei;

	if (!(sdei->registered & BIT(slot)))
		return SDEI_DENIED;

	WRITE_ONCE(sdei->enabled, sdei->enabled | BIT(slot));

	return SDEI_SUCCESS;
}

static s64 kvm_sdei_event_disable(struct kvm_vcpu *vcpu, int slot)
{
	struct kvm_sdei_vcpu *sdei = vcpu->arch.sdei;

	if (!(sdei->registered & BIT(slot)))
		return SDEI_DENIED;

	WRITE_ONCE(sdei->enabled, sdei->enabled & ~BIT(slot));

	return SDEI_SUCCESS;
}

/*
 * End the innermost handler. Go on where it interrupted the guest or, if
 * @resume is given, there, as if the interrupted code had taken an exception.
 */
static void kvm_sdei_end_handler(struct kvm_vcpu *vcpu, const u64 *resume)
{
	bool critical = kvm_sdei_runs_critical(vcpu->arch.sdei);
	unsigned long running = vcpu->arch.sdei->running;
	struct user_pt_regs *regs = vcpu_gp_regs(vcpu);
	const struct kvm_sdei_vcpu_context *ctxt;
	unsigned long from = regs->pc;

	ctxt = kvm_sdei_leave_handler(vcpu, vcpu->arch.sdei, critical);
	regs->pc = ctxt->pc;
	regs->pstate = ctxt->pstate;

	if (resume) {
		kvm_sdei_set_return(vcpu, ctxt->pc, ctxt->pstate);
		regs->pc = *resume;
		regs->pstate = kvm_sdei_entry_pstate(vcpu, ctxt->pstate);
	}

	/* SMC, unlike HVC, has queued an increment: of a PC that is gone now. */
	if (vcpu_get_flag(vcpu, INCREMENT_PC)) {
		vcpu_clear_flag(vcpu, INCREMENT_PC);
		kvm_sdei_end_step(vcpu);
	}

	running ^= vcpu->arch.sdei->running;
	trace_kvm_sdei_complete(vcpu,
				vcpu->kvm->arch.sdei->events[__ffs(running)].num,
				from, regs->pc);
}

/* The handler has completed, whatever its status argument is. */
static s64 kvm_sdei_event_complete(struct kvm_vcpu *vcpu)
{
	if (!vcpu->arch.sdei->running)
		return SDEI_DENIED;

	kvm_sdei_end_handler(vcpu, NULL);

	return SDEI_SUCCESS;
}

static s64 kvm_sdei_event_complete_and_resume(struct kvm_vcpu *vcpu)
{
	u64 resume = smccc_get_arg1(vcpu);

	if (!vcpu->arch.sdei->running)
		return SDEI_DENIED;

	if (!IS_ALIGNED(resume, 4))
		return SDEI_INVALID_PARAMETERS;

	kvm_sdei_end_handler(vcpu, &resume);

	return SDEI_SUCCESS;
}

static s64 kvm_sdei_event_unregister(struct kvm_vcpu *vcpu, int slot)
{
	struct kvm_sdei_vcpu *sdei = vcpu->arch.sdei;

	if (!((sdei->registered | sdei->running) & BIT(slot)))
		return SDEI_DENIED;

	kvm_sdei_clear_registered(sdei, BIT(slot));

	return (sdei->running & BIT(slot)) ? SDEI_PENDING : SDEI_SUCCESS;
}

/* Routing information is for shared events, and INVALID for private ones. */
static s64 kvm_sdei_event_get_info(struct kvm_vcpu *vcpu, int slot)
{
	const struct kvm_sdei_exposed_event *event;

	event = &vcpu->kvm->arch.sdei->events[slot];

	switch ((u32)smccc_get_arg2(vcpu)) {
	case SDEI_EVENT_INFO_EV_TYPE:
		return SDEI_EVENT_TYPE_PRIVATE;
	case SDEI_EVENT_INFO_EV_SIGNALED:
		/* 0: can be signalled; the specification has it that way round. */
		return slot != KVM_SDEI_SLOT_SW;
	case SDEI_EVENT_INFO_EV_PRIORITY:
		return event->priority;
	default:
		return SDEI_INVALID_PARAMETERS;
	}
}

/* There are no slots for bound events, but arguments are judged first. */
static s64 kvm_sdei_interrupt_bind(struct kvm_vcpu *vcpu)
{
	u32 intid = smccc_get_arg1(vcpu);

	if (intid < VGIC_NR_SGIS ||
	    (intid >= VGIC_NR_PRIVATE_IRQS && !vgic_valid_spi(vcpu->kvm, intid)))
		return SDEI_INVALID_PARAMETERS;

	return SDEI_OUT_OF_RESOURCE;
}

/**
 * kvm_sdei_mpidr_to_vcpu() - find a vCPU by its MPIDR
 * @kvm: the VM
 * @mpidr: only the affinity fields count
 *
 * What kvm_mpidr_to_vcpu() does, in a time that does not depend on the number
 * of vCPUs where they have the MPIDRs that KVM gives them (reset_mpidr()) and
 * have been created in the order of their ids.
 *
 * Return: the vCPU, or NULL.
 */
struct kvm_vcpu *kvm_sdei_mpidr_to_vcpu(struct kvm *kvm, u64 mpidr)
{
	struct kvm_vcpu *vcpu;

	vcpu = kvm_get_vcpu(kvm, MPIDR_AFFINITY_LEVEL(mpidr, 0) |
				 MPIDR_AFFINITY_LEVEL(mpidr, 1) << 4 |
				 MPIDR_AFFINITY_LEVEL(mpidr, 2) << 12);
	if (vcpu && kvm_vcpu_get_mpidr_aff(vcpu) == (mpidr & MPIDR_HWID_BITMASK))
		return vcpu;

	return kvm_mpidr_to_vcpu(kvm, mpidr);
}

/*
 * A PE that is off, or has not registered the event, takes the signal and
 * forgets it.
 */
static s64 kvm_sdei_event_signal(struct kvm_vcpu *vcpu, int slot)
{
	u64 mpidr = smccc_get_arg2(vcpu) & MPIDR_HWID_BITMASK;
	struct kvm_vcpu *target;

	if (slot != KVM_SDEI_SLOT_SW)
		return SDEI_INVALID_PARAMETERS;

	if (mpidr == kvm_vcpu_get_mpidr_aff(vcpu)) {
		kvm_sdei_make_pending(vcpu, slot);
		return SDEI_SUCCESS;
	}

	target = kvm_sdei_mpidr_to_vcpu(vcpu->kvm, mpidr);
	if (!target)
		return SDEI_INVALID_PARAMETERS;

	kvm_sdei_send(target, slot);

	return SDEI_SUCCESS;
}

static s64 kvm_sdei_features(struct kvm_vcpu *vcpu)
{
	switch ((u32)smccc_get_arg1(vcpu)) {
	case SDEI_FEATURE_BIND_SLOTS:
		return 0;
	case SDEI_FEATURE_RELATIVE_MODE:
		return 1;
	default:
		return SDEI_INVALID_PARAMETERS;
	}
}

/* An event whose handler runs becomes unregister pending. */
static s64 kvm_sdei_private_reset(struct kvm_vcpu *vcpu)
{
	struct kvm_sdei_vcpu *sdei = vcpu->arch.sdei;

	kvm_sdei_clear_registered(sdei, ~0UL);

	return sdei->running ? SDEI_DENIED : SDEI_SUCCESS;
}

/* The calls that name an event, in x1 */
#define SDEI_EVENT_CALLS						\
	(SDEI_NR_BIT(SDEI_1_0_FN_SDEI_EVENT_REGISTER) |			\
	 SDEI_NR_BIT(SDEI_1_0_FN_SDEI_EVENT_ENABLE) |			\
	 SDEI_NR_BIT(SDEI_1_0_FN_SDEI_EVENT_DISABLE) |			\
	 SDEI_NR_BIT(SDEI_1_0_FN_SDEI_EVENT_UNREGISTER) |		\
	 SDEI_NR_BIT(SDEI_1_0_FN_SDEI_EVENT_STATUS) |			\
	 SDEI_NR_BIT(SDEI_1_0_FN_SDEI_EVENT_GET_INFO) |			\
	 SDEI_NR_BIT(SDEI_1_0_FN_SDEI_EVENT_ROUTING_SET) |		\
	 SDEI_NR_BIT(SDEI_1_0_FN_SDEI_INTERRUPT_RELEASE) |		\
	 SDEI_NR_BIT(SDEI_1_0_FN_SDEI_EVENT_SIGNAL))

/**
 * kvm_sdei_call() - handle a call to SDEI (section 5.1)
 * @vcpu: the vCPU that calls, by HVC or SMC; the function in x0 is one of
 *	  VERSION to SHARED_RESET
 *
 * Every call of the interface is here. A VM without SDEI answers NOT_SUPPORTED.
 *
 * Return: 1, to go on with the guest.
 */
int kvm_sdei_call(struct kvm_vcpu *vcpu)
{
	struct kvm_sdei_vcpu *sdei = vcpu->arch.sdei;
	u32 nr = SDEI_NR(smccc_get_function(vcpu));
	s64 ret = SDEI_NOT_SUPPORTED;
	int slot = -1;

	if (!sdei) {
		smccc_set_retval(vcpu, ret, 0, 0, 0);
		return 1;
	}

	if (BIT(nr) & SDEI_EVENT_CALLS) {
		slot = kvm_sdei_event_slot(vcpu->kvm, smccc_get_arg1(vcpu));
		if (slot < 0) {
			ret = SDEI_INVALID_PARAMETERS;
			goto out;
		}
	}

	switch (nr) {
	case SDEI_NR(SDEI_1_0_FN_SDEI_VERSION):
		ret = 1ULL << SDEI_VERSION_MAJOR_SHIFT |
		      1ULL << SDEI_VERSION_MINOR_SHIFT;
		break;
	case SDEI_NR(SDEI_1_0_FN_SDEI_EVENT_REGISTER):
		ret = kvm_sdei_event_register(vcpu, slot);
		break;
	case SDEI_NR(SDEI_1_0_FN_SDEI_EVENT_ENABLE):
		ret = kvm_sdei_event_enable(vcpu, slot);
		break;
	case SDEI_NR(SDEI_1_0_FN_SDEI_EVENT_DISABLE):
		ret = kvm_sdei_event_disable(vcpu, slot);
		break;
	case SDEI_NR(SDEI_1_0_FN_SDEI_EVENT_CONTEXT):
		ret = kvm_sdei_event_context(sdei, (u32)smccc_get_arg1(vcpu));
		break;
	case SDEI_NR(SDEI_1_0_FN_SDEI_EVENT_COMPLETE):
		ret = kvm_sdei_event_complete(vcpu);
		if (ret == SDEI_SUCCESS)
			goto deliver;	/* x0 to x3 are the interrupted ones */
		break;
	case SDEI_NR(SDEI_1_0_FN_SDEI_EVENT_COMPLETE_AND_RESUME):
		ret = kvm_sdei_event_complete_and_resume(vcpu);
		if (ret == SDEI_SUCCESS)
			goto deliver;
		break;
	case SDEI_NR(SDEI_1_0_FN_SDEI_EVENT_UNREGISTER):
		ret = kvm_sdei_event_unregister(vcpu, slot);
		break;
	case SDEI_NR(SDEI_1_0_FN_SDEI_EVENT_STATUS):
		ret = kvm_sdei_event_status(sdei, slot);
		break;
	case SDEI_NR(SDEI_1_0_FN_SDEI_EVENT_GET_INFO):
		ret = kvm_sdei_event_get_info(vcpu, slot);
		break;
	case SDEI_NR(SDEI_1_0_FN_SDEI_PE_MASK):
		ret = kvm_sdei_pe_mask(sdei, true);
		break;
	case SDEI_NR(SDEI_1_0_FN_SDEI_PE_UNMASK):
		ret = kvm_sdei_pe_mask(sdei, false);
		break;
	case SDEI_NR(SDEI_1_0_FN_SDEI_INTERRUPT_BIND):
		ret = kvm_sdei_interrupt_bind(vcpu);
		break;
	case SDEI_NR(SDEI_1_0_FN_SDEI_EVENT_ROUTING_SET):	/* None is shared, */
	case SDEI_NR(SDEI_1_0_FN_SDEI_INTERRUPT_RELEASE):	/* none is bound. */
		ret = SDEI_INVALID_PARAMETERS;
		break;
	case SDEI_NR(SDEI_1_0_FN_SDEI_EVENT_SIGNAL):
		ret = kvm_sdei_event_signal(vcpu, slot);
		break;
	case SDEI_NR(SDEI_1_1_FN_SDEI_FEATURES):
		ret = kvm_sdei_features(vcpu);
		break;
	case SDEI_NR(SDEI_1_0_FN_SDEI_PRIVATE_RESET):
		ret = kvm_sdei_private_reset(vcpu);
		break;
	case SDEI_NR(SDEI_1_0_FN_SDEI_SHARED_RESET):
		ret = SDEI_SUCCESS;	/* Nothing is shared, nothing bound. */
		break;
	}
out:
	smccc_set_retval(vcpu, ret, 0, 0, 0);
deliver:
	__kvm_sdei_deliver(vcpu);

	return 1;
}

/**
 * kvm_sdei_vcpu_reset() - put a PE into its reset state
 * @vcpu: the vCPU, of any VM, whose own thread this is (or its mutex is held)
 *
 * When a vCPU is reset, and when it turns itself off: handlers are completed
 * implicitly, events are unregistered, nothing is pending, the PE is masked. A
 * signal that is under way is forgotten.
 */
void kvm_sdei_vcpu_reset(struct kvm_vcpu *vcpu)
{
	struct kvm_sdei_vcpu *sdei = vcpu->arch.sdei;

	if (!vcpu_has_sdei(vcpu))
		return;

	kvm_sdei_clear_registered(sdei, ~0UL);
	WRITE_ONCE(sdei->running, 0);
	WRITE_ONCE(sdei->masked, true);

	/* Means nothing any more, but can be read. */
	memset(sdei->event, 0, sizeof(sdei->event));
	memset(sdei->ctxt, 0, sizeof(sdei->ctxt));
}
