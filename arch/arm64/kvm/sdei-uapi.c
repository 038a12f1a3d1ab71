// SPDX-License-Identifier: GPL-2.0-only
/*
 * Software Delegated Exception Interface (SDEI): what the VMM drives.
 *
 * The capability, the VM device attributes that expose and inject events, and
 * the pseudo-registers that save and restore the state of a vCPU. See
 * Documentation/virt/kvm/arm/sdei.rst.
 */

#include <linux/bitops.h>
#include <linux/kvm_host.h>
#include <linux/lockdep.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include <asm/kvm_emulate.h>
#include <asm/kvm_mmu.h>
#include <asm/kvm_sdei.h>

#include <uapi/linux/arm_sdei.h>

/* Event numbers that are the vendor's: bit 30 set, bits 31 and 29:24 clear */
#define SDEI_EVENT_VENDOR_FIRST		0x40000000
#define SDEI_EVENT_VENDOR_LAST		0x40ffffff

/**
 * kvm_sdei_enable() - KVM_ENABLE_CAP(KVM_CAP_ARM_SDEI)
 * @kvm: the VM
 * @cap: arguments, all of them zero
 *
 * Exposes event 0. Enabling it again makes no difference.
 *
 * Return: 0, -EINVAL for an argument, -EBUSY once a vCPU exists, -ENOMEM.
 */
int kvm_sdei_enable(struct kvm *kvm, struct kvm_enable_cap *cap)
{
	struct kvm_sdei *sdei;
	int ret = 0;

	if (memchr_inv(cap->args, 0, sizeof(cap->args)))
		return -EINVAL;

	mutex_lock(&kvm->lock);

	if (kvm->created_vcpus) {
		ret = -EBUSY;
		goto out;
	}

	if (kvm->arch.sdei)
		goto out;

	sdei = kzalloc(sizeof(*sdei), GFP_KERNEL_ACCOUNT);
	if (!sdei) {
		ret = -ENOMEM;
		goto out;
	}

	sdei->nr_events = 1;
	sdei->events[0].num = KVM_SDEI_EVENT_SW;
	sdei->events[0].priority = SDEI_EVENT_PRIORITY_NORMAL;

	/* Some only ask, without kvm->lock, whether it is there. */
	WRITE_ONCE(kvm->arch.sdei, sdei);
out:
	mutex_unlock(&kvm->lock);
	return ret;
}

/**
 * kvm_sdei_destroy_vm() - free what the VM exposed
 * @kvm: the VM, whose vCPUs are gone
 */
void kvm_sdei_destroy_vm(struct kvm *kvm)
{
	kfree(kvm->arch.sdei);
}

/**
 * kvm_sdei_vcpu_create() - allocate the SDEI state of a vCPU
 * @vcpu: the vCPU that is being created
 *
 * Return: 0, also for a VM without SDEI, which gets none; -ENOMEM.
 */
int kvm_sdei_vcpu_create(struct kvm_vcpu *vcpu)
{
	struct kvm_sdei_vcpu *sdei;

	BUILD_BUG_ON(sizeof(*sdei) > SZ_1K);
	BUILD_BUG_ON(KVM_SDEI_MAX_EVENTS > BITS_PER_LONG);

	if (!vcpu->kvm->arch.sdei)
		return 0;

	sdei = kzalloc(sizeof(*sdei), GFP_KERNEL_ACCOUNT);
	if (!sdei)
		return -ENOMEM;

	sdei->critical = vcpu->kvm->arch.sdei->critical;
	vcpu->arch.sdei = sdei;
	kvm_sdei_vcpu_reset(vcpu);

	return 0;
}

/**
 * kvm_sdei_vcpu_destroy() - free the SDEI state of a vCPU
 * @vcpu: the vCPU that is being destroyed, of any VM
 */
void kvm_sdei_vcpu_destroy(struct kvm_vcpu *vcpu)
{
	kfree(vcpu->arch.sdei);
	vcpu->arch.sdei = NULL;
}

/*
 * Insert an event into the sorted table, so that slots depend on the set of
 * exposed events and not on the order in which they were exposed.
 */
static int kvm_sdei_expose_event(struct kvm *kvm, u32 num, u32 priority)
{
	struct kvm_sdei *sdei = kvm->arch.sdei;
	unsigned int slot;

	lockdep_assert_held(&kvm->lock);

	if (kvm->created_vcpus)
		return -EBUSY;

	if (kvm_sdei_event_slot(kvm, num) >= 0)
		return -EEXIST;

	if (sdei->nr_events == KVM_SDEI_MAX_EVENTS)
		return -ENOSPC;

	for (slot = sdei->nr_events++; sdei->events[slot - 1].num > num; slot--)
		sdei->events[slot] = sdei->events[slot - 1];

	sdei->events[slot].num = num;
	sdei->events[slot].priority = priority;

	sdei->critical = 0;
	for (slot = 0; slot < sdei->nr_events; slot++) {
		if (sdei->events[slot].priority == SDEI_EVENT_PRIORITY_CRITICAL)
			sdei->critical |= BIT(slot);
	}

	return 0;
}

static int kvm_sdei_set_event(struct kvm *kvm,
			      struct kvm_arm_sdei_event __user *uaddr)
{
	struct kvm_arm_sdei_event event;
	int ret;

	if (copy_from_user(&event, uaddr, sizeof(event)))
		return -EFAULT;

	if (event.event < SDEI_EVENT_VENDOR_FIRST ||
	    event.event > SDEI_EVENT_VENDOR_LAST ||
	    event.event == KVM_SDEI_EVENT_ASYNC_PF ||
	    event.type != SDEI_EVENT_TYPE_PRIVATE ||
	    event.priority > SDEI_EVENT_PRIORITY_CRITICAL || event.pad)
		return -EINVAL;

	mutex_lock(&kvm->lock);
	ret = kvm_sdei_expose_event(kvm, event.event, event.priority);
	mutex_unlock(&kvm->lock);

	return ret;
}

static int kvm_sdei_get_event(struct kvm *kvm,
			      struct kvm_arm_sdei_event __user *uaddr)
{
	struct kvm_arm_sdei_event event = {};
	int slot;

	if (get_user(event.event, &uaddr->event))
		return -EFAULT;

	mutex_lock(&kvm->lock);
	slot = kvm_sdei_event_slot(kvm, event.event);
	if (slot >= 0) {
		event.type = SDEI_EVENT_TYPE_PRIVATE;
		event.priority = kvm->arch.sdei->events[slot].priority;
	}
	mutex_unlock(&kvm->lock);

	if (slot < 0)
		return -ENOENT;

	return copy_to_user(uaddr, &event, sizeof(event)) ? -EFAULT : 0;
}

static int kvm_sdei_inject(struct kvm *kvm,
			   struct kvm_arm_sdei_inject __user *uaddr)
{
	struct kvm_arm_sdei_inject inject;
	struct kvm_vcpu *vcpu;

	if (copy_from_user(&inject, uaddr, sizeof(inject)))
		return -EFAULT;

	if (inject.pad)
		return -EINVAL;

	/* Where there is a vCPU, the table of events is constant. */
	vcpu = kvm_sdei_mpidr_to_vcpu(kvm, inject.mpidr);
	if (!vcpu)
		return -ESRCH;

	return kvm_sdei_inject_event(vcpu, inject.event);
}

/**
 * kvm_sdei_has_attr() - KVM_HAS_DEVICE_ATTR for KVM_ARM_VM_SDEI_CTRL
 * @kvm: the VM
 * @attr: the attribute
 *
 * Return: 0, -ENXIO if the attribute or the VM's SDEI does not exist, -EINVAL
 * for an unknown flag.
 */
int kvm_sdei_has_attr(struct kvm *kvm, struct kvm_device_attr *attr)
{
	if (attr->flags)
		return -EINVAL;

	if (!READ_ONCE(kvm->arch.sdei))
		return -ENXIO;

	switch (attr->attr) {
	case KVM_ARM_VM_SDEI_EVENT:
	case KVM_ARM_VM_SDEI_INJECT:
		return 0;
	default:
		return -ENXIO;
	}
}

/**
 * kvm_sdei_get_attr() - KVM_GET_DEVICE_ATTR for KVM_ARM_VM_SDEI_CTRL
 * @kvm: the VM
 * @attr: the attribute; @attr->addr is a user address
 *
 * Return: 0, -EFAULT, -ENXIO, -EINVAL, or the attribute's error.
 */
int kvm_sdei_get_attr(struct kvm *kvm, struct kvm_device_attr *attr)
{
	int ret = kvm_sdei_has_attr(kvm, attr);

	if (ret)
		return ret;

	if (attr->attr != KVM_ARM_VM_SDEI_EVENT)
		return -ENXIO;	/* Can only be set */

	return kvm_sdei_get_event(kvm, u64_to_user_ptr(attr->addr));
}

/**
 * kvm_sdei_set_attr() - KVM_SET_DEVICE_ATTR for KVM_ARM_VM_SDEI_CTRL
 * @kvm: the VM
 * @attr: the attribute; @attr->addr is a user address
 *
 * Return: 0, -EFAULT, -ENXIO, -EINVAL, or the attribute's error.
 */
int kvm_sdei_set_attr(struct kvm *kvm, struct kvm_device_attr *attr)
{
	int ret = kvm_sdei_has_attr(kvm, attr);

	if (ret)
		return ret;

	if (attr->attr == KVM_ARM_VM_SDEI_INJECT)
		return kvm_sdei_inject(kvm, u64_to_user_ptr(attr->addr));

	return kvm_sdei_set_event(kvm, u64_to_user_ptr(attr->addr));
}

/*
 * Pseudo-registers: the PE's, four for each exposed event, and two contexts.
 * Each can be judged without the others, and any combination of them is a state
 * that the dispatcher copes with: so they can be written in any order.
 */
#define SDEI_EVENT_REGS		(KVM_REG_ARM_SDEI_EVENT_ARG + 1)
#define SDEI_CTXT_REGS		(KVM_REG_ARM_SDEI_CTXT_RUNNING + 1)

/**
 * struct sdei_reg - a pseudo-register of a vCPU
 * @kind:	which of the three kinds
 * @index:	slot of the event or priority of the context, in bounds
 * @field:	field of the event or of the context, in bounds
 */
struct sdei_reg {
	enum { SDEI_REG_PE, SDEI_REG_EVENT, SDEI_REG_CTXT } kind;
	unsigned int index;
	unsigned int field;
};

/* What @id is on this vCPU; -ENOENT if it has no such register. */
static int kvm_sdei_decode_reg(struct kvm_vcpu *vcpu, u64 id,
			       struct sdei_reg *reg)
{
	u64 n;

	if (id == KVM_REG_ARM_SDEI_PE) {
		reg->kind = SDEI_REG_PE;
		return 0;
	}

	n = id - KVM_REG_ARM_SDEI_EVENT(0, 0);
	if (n < vcpu->kvm->arch.sdei->nr_events * SDEI_EVENT_REGS) {
		n = array_index_nospec(n, KVM_SDEI_MAX_EVENTS * SDEI_EVENT_REGS);
		reg->kind = SDEI_REG_EVENT;
		reg->index = n / SDEI_EVENT_REGS;
		reg->field = n % SDEI_EVENT_REGS;
		return 0;
	}

	for (int i = 0; i < KVM_SDEI_NR_PRIORITIES; i++) {
		n = id - KVM_REG_ARM_SDEI_CTXT(i, 0);
		if (n < SDEI_CTXT_REGS) {
			reg->kind = SDEI_REG_CTXT;
			reg->index = i;
			reg->field = array_index_nospec(n, SDEI_CTXT_REGS);
			return 0;
		}
	}

	return -ENOENT;
}

/* The @i-th register of a vCPU, in the order of KVM_GET_REG_LIST. */
static u64 kvm_sdei_reg_id(struct kvm_vcpu *vcpu, unsigned long i)
{
	unsigned long nr_event_regs;

	nr_event_regs = vcpu->kvm->arch.sdei->nr_events * SDEI_EVENT_REGS;

	if (i == 0)
		return KVM_REG_ARM_SDEI_PE;

	i -= 1;
	if (i < nr_event_regs)
		return KVM_REG_ARM_SDEI_EVENT(i / SDEI_EVENT_REGS,
					      i % SDEI_EVENT_REGS);

	i -= nr_event_regs;
	return KVM_REG_ARM_SDEI_CTXT(i / SDEI_CTXT_REGS,
				     i % SDEI_CTXT_REGS);
}

/**
 * kvm_sdei_num_regs() - number of pseudo-registers
 * @vcpu: the vCPU, of any VM
 *
 * Return: the number, 0 for a VM without SDEI.
 */
unsigned long kvm_sdei_num_regs(struct kvm_vcpu *vcpu)
{
	if (!vcpu_has_sdei(vcpu))
		return 0;

	return 1 + vcpu->kvm->arch.sdei->nr_events * SDEI_EVENT_REGS +
	       KVM_SDEI_NR_PRIORITIES * SDEI_CTXT_REGS;
}

/**
 * kvm_sdei_copy_reg_indices() - list the pseudo-registers
 * @vcpu: the vCPU, of any VM
 * @uindices: where the kvm_sdei_num_regs() ids go
 *
 * Return: 0 or -EFAULT.
 */
int kvm_sdei_copy_reg_indices(struct kvm_vcpu *vcpu, u64 __user *uindices)
{
	unsigned long n = kvm_sdei_num_regs(vcpu);

	for (unsigned long i = 0; i < n; i++) {
		if (put_user(kvm_sdei_reg_id(vcpu, i), uindices++))
			return -EFAULT;
	}

	return 0;
}

static u64 kvm_sdei_event_info(struct kvm_vcpu *vcpu, int slot)
{
	const struct kvm_sdei_exposed_event *event;

	event = &vcpu->kvm->arch.sdei->events[slot];

	return event->num |
	       (u64)event->priority << KVM_REG_ARM_SDEI_INFO_PRIORITY_SHIFT |
	       (u64)SDEI_EVENT_TYPE_PRIVATE << KVM_REG_ARM_SDEI_INFO_TYPE_SHIFT;
}

static u64 kvm_sdei_event_state(const struct kvm_sdei_vcpu *sdei, int slot)
{
	u64 val = KVM_REG_ARM_SDEI_STATE_REGISTERED;

	if (!(sdei->registered & BIT(slot)))
		return 0;

	if (sdei->enabled & BIT(slot))
		val |= KVM_REG_ARM_SDEI_STATE_ENABLED;
	if (atomic_long_read(&sdei->pending) & BIT(slot))
		val |= KVM_REG_ARM_SDEI_STATE_PENDING;
	if (sdei->relative & BIT(slot))
		val |= KVM_REG_ARM_SDEI_STATE_RELATIVE;

	return val;
}

static int kvm_sdei_set_event_state(struct kvm_sdei_vcpu *sdei, int slot,
				    u64 val)
{
	if (val & ~(u64)(KVM_REG_ARM_SDEI_STATE_REGISTERED |
			 KVM_REG_ARM_SDEI_STATE_ENABLED |
			 KVM_REG_ARM_SDEI_STATE_PENDING |
			 KVM_REG_ARM_SDEI_STATE_RELATIVE))
		return -EINVAL;

	if (!val) {
		kvm_sdei_clear_registered(sdei, BIT(slot));
		return 0;
	}

	if (!(val & KVM_REG_ARM_SDEI_STATE_REGISTERED))
		return -EINVAL;

	if (!(sdei->registered & BIT(slot)))
		kvm_sdei_set_registered(sdei, slot);

	if (val & KVM_REG_ARM_SDEI_STATE_ENABLED)
		WRITE_ONCE(sdei->enabled, sdei->enabled | BIT(slot));
	else
		WRITE_ONCE(sdei->enabled, sdei->enabled & ~BIT(slot));

	if (val & KVM_REG_ARM_SDEI_STATE_RELATIVE)
		sdei->relative |= BIT(slot);
	else
		sdei->relative &= ~BIT(slot);

	/*
	 * The value may have been read a while ago, and the event sent since
	 * then: what is pending stays so.
	 */
	if (val & KVM_REG_ARM_SDEI_STATE_PENDING)
		atomic_long_or(BIT(slot), &sdei->pending);

	return 0;
}

static u64 kvm_sdei_get_event_reg(struct kvm_vcpu *vcpu, int slot, int field)
{
	const struct kvm_sdei_vcpu *sdei = vcpu->arch.sdei;

	switch (field) {
	case KVM_REG_ARM_SDEI_EVENT_INFO:
		return kvm_sdei_event_info(vcpu, slot);
	case KVM_REG_ARM_SDEI_EVENT_STATE:
		return kvm_sdei_event_state(sdei, slot);
	case KVM_REG_ARM_SDEI_EVENT_ENTRY:
		return sdei->event[slot].entry;
	default:
		return sdei->event[slot].arg;
	}
}

static int kvm_sdei_set_event_reg(struct kvm_vcpu *vcpu, int slot, int field,
				  u64 val)
{
	struct kvm_sdei_vcpu *sdei = vcpu->arch.sdei;

	switch (field) {
	case KVM_REG_ARM_SDEI_EVENT_INFO:
		/* Invariant: shows that the other side exposed other events. */
		return val == kvm_sdei_event_info(vcpu, slot) ? 0 : -EINVAL;
	case KVM_REG_ARM_SDEI_EVENT_STATE:
		return kvm_sdei_set_event_state(sdei, slot, val);
	case KVM_REG_ARM_SDEI_EVENT_ENTRY:
		if (!IS_ALIGNED(val, 4))
			return -EINVAL;
		sdei->event[slot].entry = val;
		return 0;
	default:
		sdei->event[slot].arg = val;
		return 0;
	}
}

/* The events of a priority, a bit mask of slots. */
static unsigned long kvm_sdei_priority_mask(struct kvm_vcpu *vcpu, int priority)
{
	unsigned long critical = vcpu->kvm->arch.sdei->critical;

	return priority == SDEI_EVENT_PRIORITY_CRITICAL ? critical : ~critical;
}

static u64 kvm_sdei_running(struct kvm_vcpu *vcpu, int priority)
{
	unsigned long running = vcpu->arch.sdei->running;

	running &= kvm_sdei_priority_mask(vcpu, priority);
	if (!running)
		return 0;

	return KVM_REG_ARM_SDEI_RUNNING_VALID |
	       vcpu->kvm->arch.sdei->events[__ffs(running)].num;
}

static int kvm_sdei_set_running(struct kvm_vcpu *vcpu, int priority, u64 val)
{
	unsigned long mask = kvm_sdei_priority_mask(vcpu, priority);
	struct kvm_sdei_vcpu *sdei = vcpu->arch.sdei;
	unsigned long running = 0;
	int slot;

	if (val) {
		val ^= KVM_REG_ARM_SDEI_RUNNING_VALID;
		if (upper_32_bits(val))
			return -EINVAL;

		slot = kvm_sdei_event_slot(vcpu->kvm, val);
		if (slot < 0 || !(mask & BIT(slot)))
			return -EINVAL;

		running = BIT(slot);
	}

	WRITE_ONCE(sdei->running, (sdei->running & ~mask) | running);
	return 0;
}

static u64 kvm_sdei_get_ctxt_reg(struct kvm_vcpu *vcpu, int priority, int field)
{
	const struct kvm_sdei_vcpu_context *ctxt = &vcpu->arch.sdei->ctxt[priority];

	switch (field) {
	case KVM_REG_ARM_SDEI_CTXT_PC:
		return ctxt->pc;
	case KVM_REG_ARM_SDEI_CTXT_PSTATE:
		return ctxt->pstate;
	case KVM_REG_ARM_SDEI_CTXT_RUNNING:
		return kvm_sdei_running(vcpu, priority);
	default:
		return ctxt->regs[field];
	}
}

static int kvm_sdei_set_ctxt_reg(struct kvm_vcpu *vcpu, int priority, int field,
				 u64 val)
{
	struct kvm_sdei_vcpu_context *ctxt = &vcpu->arch.sdei->ctxt[priority];

	switch (field) {
	case KVM_REG_ARM_SDEI_CTXT_PC:
		ctxt->pc = val;
		return 0;
	case KVM_REG_ARM_SDEI_CTXT_PSTATE:
		/* EVENT_COMPLETE is going to install it. */
		if (!kvm_pstate_mode_valid(vcpu, val))
			return -EINVAL;
		ctxt->pstate = val;
		return 0;
	case KVM_REG_ARM_SDEI_CTXT_RUNNING:
		return kvm_sdei_set_running(vcpu, priority, val);
	default:
		ctxt->regs[field] = val;
		return 0;
	}
}

/**
 * kvm_sdei_get_reg() - KVM_GET_ONE_REG of a pseudo-register
 * @vcpu: the vCPU, of any VM, with its mutex held
 * @one_reg: id, and user address of the value
 *
 * Return: 0, -ENOENT if the vCPU has no such register, -EFAULT.
 */
int kvm_sdei_get_reg(struct kvm_vcpu *vcpu, const struct kvm_one_reg *one_reg)
{
	u64 __user *uaddr = u64_to_user_ptr(one_reg->addr);
	struct sdei_reg reg;
	u64 val = 0;
	int ret;

	if (!vcpu_has_sdei(vcpu))
		return -ENOENT;

	ret = kvm_sdei_decode_reg(vcpu, one_reg->id, &reg);
	if (ret)
		return ret;

	switch (reg.kind) {
	case SDEI_REG_PE:
		if (vcpu->arch.sdei->masked)
			val = KVM_REG_ARM_SDEI_PE_MASKED;
		break;
	case SDEI_REG_EVENT:
		val = kvm_sdei_get_event_reg(vcpu, reg.index, reg.field);
		break;
	case SDEI_REG_CTXT:
		val = kvm_sdei_get_ctxt_reg(vcpu, reg.index, reg.field);
		break;
	}

	return put_user(val, uaddr);
}

/**
 * kvm_sdei_set_reg() - KVM_SET_ONE_REG of a pseudo-register
 * @vcpu: the vCPU, of any VM, with its mutex held
 * @one_reg: id, and user address of the value
 *
 * Return: 0, -ENOENT if the vCPU has no such register, -EINVAL for a value that
 * the register can't hold, -EFAULT.
 */
int kvm_sdei_set_reg(struct kvm_vcpu *vcpu, const struct kvm_one_reg *one_reg)
{
	u64 __user *uaddr = u64_to_user_ptr(one_reg->addr);
	struct sdei_reg reg;
	u64 val;
	int ret;

	if (!vcpu_has_sdei(vcpu))
		return -ENOENT;

	ret = kvm_sdei_decode_reg(vcpu, one_reg->id, &reg);
	if (ret)
		return ret;

	if (get_user(val, uaddr))
		return -EFAULT;

	switch (reg.kind) {
	case SDEI_REG_PE:
		if (val & ~(u64)KVM_REG_ARM_SDEI_PE_MASKED)
			return -EINVAL;
		WRITE_ONCE(vcpu->arch.sdei->masked, val);
		break;
	case SDEI_REG_EVENT:
		ret = kvm_sdei_set_event_reg(vcpu, reg.index, reg.field, val);
		break;
	case SDEI_REG_CTXT:
		ret = kvm_sdei_set_ctxt_reg(vcpu, reg.index, reg.field, val);
		break;
	}

	/* What is pending may have become deliverable. */
	if (!ret)
		kvm_make_request(KVM_REQ_SDEI, vcpu);

	return ret;
}
