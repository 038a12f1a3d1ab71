// SPDX-License-Identifier: GPL-2.0-only
/*
 * sdei_vmm - The VMM's side of KVM's SDEI dispatcher: the capability, exposing
 *	      and injecting events, save and restore, reset, the SMCCC filter.
 *
 * Earlier attempts at an SDEI dispatcher for KVM had the defects that the
 * following tests are for:
 *
 *  defect  3	restored contexts may hold any PSTATE:
 *		hostile_context_pstate_is_refused
 *  defect  7	vCPU reset keeps the state of SDEI:
 *		vcpu_init_resets_every_register
 *  defect 14	event numbers beyond the vendor range:
 *		exposing_a_bad_event_is_einval
 *  defect 16	guests with a 32-bit EL1 are not refused:
 *		vcpus_with_32bit_el1_or_el2_are_refused
 *  defect 18	registers of other sizes than VMMs can handle:
 *		register_list_is_exact_and_of_64_bits
 *  defect 19	register writes depend on their order, and raise no request:
 *		register_writes_deliver_in_any_order,
 *		migrated_at_every_point_the_guest_notices_nothing
 */

#include <pthread.h>

#include <linux/arm-smccc.h>
#include <linux/psci.h>

#include "kvm_util.h"
#include "processor.h"
#include "sdei.h"
#include "test_util.h"

#include "kvm_test_harness.h"

/* Slow machines are no failure: somebody else has the time-out. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	3600

#define NORMAL		SDEI_EVENT_PRIORITY_NORMAL
#define CRITICAL	SDEI_EVENT_PRIORITY_CRITICAL
#define MAX_EVENTS	16
#define ARG		0x0f1e2d3c4b5a6978ull
#define RUNNING(event)	(BIT(63) | (event))

static const uint64_t all_events[] = {
	[SLOT_SOFT] = EV_SOFT,
	[SLOT_CRITICAL] = EV_CRITICAL,
	[SLOT_NORMAL] = EV_NORMAL,
	[SLOT_CRITICAL_2] = EV_CRITICAL_2,
	[SLOT_NORMAL_2] = EV_NORMAL_2,
};

/* What does not involve a conduit runs once, the rest with HVC and with SMC. */
FIXTURE(sdei_uapi) {
};

FIXTURE_SETUP(sdei_uapi)
{
}

FIXTURE_TEARDOWN(sdei_uapi)
{
}

SDEI_CONDUIT_FIXTURE(sdei_vmm)

/* Here, all calls return 0 or a negative error number. */
#define ASSERT_ERR(want, call)						\
do {									\
	int __want = (want), __err = (call);				\
									\
	TEST_ASSERT(__err == __want, "%s: %s, want %s", #call,		\
		    strerror(-__err), strerror(-__want));		\
} while (0)

static int negative_errno(int ret)
{
	return ret < 0 ? -errno : ret;
}

static int has_attr(struct kvm_vm *vm, uint64_t attr)
{
	return negative_errno(__kvm_has_device_attr(vm->fd, KVM_ARM_VM_SDEI_CTRL, attr));
}

static int get_attr(struct kvm_vm *vm, uint64_t attr, void *val)
{
	return negative_errno(__kvm_device_attr_get(vm->fd, KVM_ARM_VM_SDEI_CTRL,
						    attr, val));
}

static int set_attr(struct kvm_vm *vm, uint64_t attr, void *val)
{
	return negative_errno(__kvm_device_attr_set(vm->fd, KVM_ARM_VM_SDEI_CTRL,
						    attr, val));
}

static int get_reg(struct kvm_vcpu *vcpu, uint64_t id)
{
	/* Large enough for any size */
	uint64_t val[32];

	return negative_errno(__vcpu_get_reg(vcpu, id, val));
}

/*
 * The capability
 */

static int enable_cap(struct kvm_vm *vm, const struct kvm_enable_cap *cap)
{
	return negative_errno(__vm_ioctl(vm, KVM_ENABLE_CAP, cap));
}

TEST_F(sdei_uapi, capability_is_enabled_before_the_first_vcpu_only)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_ARM_SDEI };
	struct kvm_vm *vm = vm_create_barebones();

	TEST_ASSERT(kvm_check_cap(KVM_CAP_ARM_SDEI) > 0, "Not offered");
	TEST_ASSERT(vm_check_cap(vm, KVM_CAP_ARM_SDEI) > 0, "Not offered by the VM");

	/* Twice is once. */
	ASSERT_ERR(0, enable_cap(vm, &cap));
	ASSERT_ERR(0, enable_cap(vm, &cap));
	__vm_vcpu_add(vm, 0);
	ASSERT_ERR(-EBUSY, enable_cap(vm, &cap));
	kvm_vm_free(vm);

	vm = vm_create_barebones();
	__vm_vcpu_add(vm, 0);
	ASSERT_ERR(-EBUSY, enable_cap(vm, &cap));
	ASSERT_ERR(-ENXIO, __sdei_expose(vm, EV_NORMAL, NORMAL));
	kvm_vm_free(vm);
}

TEST_F(sdei_uapi, capability_with_flags_or_arguments_is_einval)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_ARM_SDEI };
	struct kvm_vm *vm = vm_create_barebones();
	int i;

	for (i = 0; i < 32; i++) {
		cap.flags = BIT(i);
		ASSERT_ERR(-EINVAL, enable_cap(vm, &cap));
	}
	cap.flags = 0;

	for (i = 0; i < ARRAY_SIZE(cap.args); i++) {
		cap.args[i] = 1;
		ASSERT_ERR(-EINVAL, enable_cap(vm, &cap));
		cap.args[i] = BIT(63);
		ASSERT_ERR(-EINVAL, enable_cap(vm, &cap));
		cap.args[i] = 0;
	}

	/* None of that enabled it. */
	ASSERT_ERR(-ENXIO, __sdei_expose(vm, EV_NORMAL, NORMAL));
	ASSERT_ERR(0, enable_cap(vm, &cap));
	ASSERT_ERR(0, __sdei_expose(vm, EV_NORMAL, NORMAL));
	kvm_vm_free(vm);
}

static void guest_sdei_absent(void)
{
	const uint64_t args[5] = { EV_SOFT, (uint64_t)sdei_guest_entry };
	int n;

	for (n = 0; n < 0x20; n++)
		GUEST_ASSERT_EQ(__sdei_call(SDEI_1_0_FN_BASE + n, args),
				SMCCC_RET_NOT_SUPPORTED);
	GUEST_DONE();
}

static void host_create_without_sdei(struct sdei_vm *svm, enum sdei_conduit conduit,
				     void *guest_code)
{
	memset(svm, 0, sizeof(*svm));
	svm->vm = sdei_new_vm(1);
	vm_init_descriptor_tables(svm->vm);
	sdei_vcpu_add(svm, 0, guest_code);
	write_guest_global(svm->vm, sdei_conduit, conduit);
}

TEST_F(sdei_vmm, without_the_capability_all_calls_are_not_supported)
{
	struct sdei_vm svm;

	host_create_without_sdei(&svm, variant->conduit, guest_sdei_absent);
	TEST_ASSERT_EQ(sdei_run(&svm, 0), SDEI_STAGE_DONE);
	sdei_vm_free(&svm);
}

TEST_F(sdei_uapi, without_the_capability_there_are_no_attributes_and_registers)
{
	struct kvm_arm_sdei_event event = {};
	struct kvm_reg_list *list;
	struct sdei_vm svm;
	int i, attr;

	host_create_without_sdei(&svm, SDEI_HVC, NULL);

	for (attr = 0; attr < 4; attr++)
		ASSERT_ERR(-ENXIO, has_attr(svm.vm, attr));
	ASSERT_ERR(-ENXIO, __sdei_expose(svm.vm, EV_NORMAL, NORMAL));
	ASSERT_ERR(-ENXIO, __sdei_inject(svm.vm, svm.mpidr[0], EV_SOFT));
	ASSERT_ERR(-ENXIO, get_attr(svm.vm, KVM_ARM_VM_SDEI_EVENT, &event));

	list = vcpu_get_reg_list(svm.vcpu[0]);
	for (i = 0; i < list->n; i++)
		TEST_ASSERT(!sdei_is_sdei_reg(list->reg[i]),
			    "Register 0x%llx is listed", list->reg[i]);
	free(list);

	ASSERT_ERR(-ENOENT, get_reg(svm.vcpu[0], SDEI_REG_PE));
	ASSERT_ERR(-ENOENT, sdei_set_reg(svm.vcpu[0], SDEI_REG_PE, 0));
	ASSERT_ERR(-ENOENT, get_reg(svm.vcpu[0], SDEI_REG_EVENT(0, SDEI_F_INFO)));
	sdei_vm_free(&svm);
}

static int init_vcpu(struct kvm_vm *vm, unsigned int feature)
{
	struct kvm_vcpu *vcpu = __vm_vcpu_add(vm, 0);
	struct kvm_vcpu_init init = sdei_vcpu_init(vm);

	init.features[0] |= BIT(feature);
	return negative_errno(__vcpu_ioctl(vcpu, KVM_ARM_VCPU_INIT, &init));
}

/* Defect 16 */
TEST_F(sdei_uapi, vcpus_with_32bit_el1_or_el2_are_refused)
{
	struct kvm_vm *vm;
	int ret;

	/* Without SDEI, the host can do it, or else this shows nothing. */
	vm = vm_create_barebones();
	if (kvm_has_cap(KVM_CAP_ARM_EL1_32BIT))
		ASSERT_ERR(0, init_vcpu(vm, KVM_ARM_VCPU_EL1_32BIT));
	else
		ksft_print_msg("This host cannot run a 32-bit EL1 anyway.\n");
	kvm_vm_free(vm);

	vm = vm_create_barebones();
	vm_enable_cap(vm, KVM_CAP_ARM_SDEI, 0);
	ASSERT_ERR(-EINVAL, init_vcpu(vm, KVM_ARM_VCPU_EL1_32BIT));
	kvm_vm_free(vm);

	/* This kernel may not know of EL2 for guests, and say so first. */
	vm = vm_create_barebones();
	ret = init_vcpu(vm, KVM_ARM_VCPU_HAS_EL2);
	kvm_vm_free(vm);

	vm = vm_create_barebones();
	vm_enable_cap(vm, KVM_CAP_ARM_SDEI, 0);
	ASSERT_ERR(ret ?: -EINVAL, init_vcpu(vm, KVM_ARM_VCPU_HAS_EL2));
	kvm_vm_free(vm);

	vm = vm_create_barebones();
	vm_enable_cap(vm, KVM_CAP_ARM_SDEI, 0);
	ASSERT_ERR(0, init_vcpu(vm, KVM_ARM_VCPU_PSCI_0_2));
	kvm_vm_free(vm);
}

/*
 * Exposing events
 */

static int set_event(struct kvm_vm *vm, struct kvm_arm_sdei_event *event)
{
	return set_attr(vm, KVM_ARM_VM_SDEI_EVENT, event);
}

static int get_event(struct kvm_vm *vm, struct kvm_arm_sdei_event *event)
{
	return get_attr(vm, KVM_ARM_VM_SDEI_EVENT, event);
}

static struct kvm_vm *create_empty(void)
{
	struct kvm_vm *vm = vm_create_barebones();

	vm_enable_cap(vm, KVM_CAP_ARM_SDEI, 0);
	return vm;
}

static void assert_exposed(struct kvm_vm *vm, uint32_t number, uint32_t priority)
{
	struct kvm_arm_sdei_event event = { .event = number };

	ASSERT_ERR(0, get_event(vm, &event));
	TEST_ASSERT(event.event == number && event.type == SDEI_EVENT_TYPE_PRIVATE &&
		    event.priority == priority && !event.pad,
		    "Event 0x%x is read back as 0x%x, type %u, priority %u, pad %u",
		    number, event.event, event.type, event.priority, event.pad);
}

static const uint32_t bad_events[] = {
	0, 1, 0x00ffffff, 0x01000000, 0x3fffffff, 0x41000000, 0x42000001,
	0x44000001, 0x48000001, 0x50000001, 0x60000001, 0x7fffffff,
	0x80000000, 0xc0000000, 0xc0000042, 0xc0ffffff, 0xffffffff, EV_ASYNC_PF,
};

/* Defect 14 */
TEST_F(sdei_uapi, exposing_a_bad_event_is_einval)
{
	struct kvm_vm *vm = create_empty();
	struct kvm_arm_sdei_event event;
	int i;

	for (i = 0; i < ARRAY_SIZE(bad_events); i++) {
		ASSERT_ERR(-EINVAL, __sdei_expose(vm, bad_events[i], NORMAL));
		ASSERT_ERR(-EINVAL, __sdei_expose(vm, bad_events[i], CRITICAL));
	}

	for (i = 0; i < 32; i++) {
		event = (struct kvm_arm_sdei_event) { .event = EV_NORMAL };
		event.type = BIT(i);
		ASSERT_ERR(-EINVAL, set_event(vm, &event));
		event.type = 0;
		event.pad = BIT(i);
		ASSERT_ERR(-EINVAL, set_event(vm, &event));
		event.pad = 0;
		event.priority = i + 2;
		ASSERT_ERR(-EINVAL, set_event(vm, &event));
		event.priority = BIT(i) | 2;
		ASSERT_ERR(-EINVAL, set_event(vm, &event));
		event.priority = 0;
		ASSERT_ERR(-ENOENT, get_event(vm, &event));
	}
	kvm_vm_free(vm);
}

TEST_F(sdei_uapi, exposed_events_are_read_back)
{
	struct kvm_vm *vm = create_empty();
	struct kvm_arm_sdei_event event;
	int i;

	/* Event 0 is there without any doing. */
	assert_exposed(vm, EV_SOFT, NORMAL);

	/* The ends of the range, too */
	ASSERT_ERR(0, __sdei_expose(vm, 0x40ffffff, CRITICAL));
	ASSERT_ERR(0, __sdei_expose(vm, 0x40000000, NORMAL));
	ASSERT_ERR(0, __sdei_expose(vm, EV_ASYNC_PF - 1, NORMAL));
	ASSERT_ERR(0, __sdei_expose(vm, EV_ASYNC_PF + 1, CRITICAL));

	for (i = 0; i < 2; i++) {
		assert_exposed(vm, EV_SOFT, NORMAL);
		assert_exposed(vm, 0x40ffffff, CRITICAL);
		assert_exposed(vm, 0x40000000, NORMAL);
		assert_exposed(vm, EV_ASYNC_PF - 1, NORMAL);
		assert_exposed(vm, EV_ASYNC_PF + 1, CRITICAL);

		event.event = EV_NORMAL;
		ASSERT_ERR(-ENOENT, get_event(vm, &event));
		event.event = EV_ASYNC_PF;
		ASSERT_ERR(-ENOENT, get_event(vm, &event));
		event.event = BIT(31);
		ASSERT_ERR(-ENOENT, get_event(vm, &event));
		event.event = BIT(31) | 0x40000000;
		ASSERT_ERR(-ENOENT, get_event(vm, &event));

		/* A vCPU makes no difference for that. */
		if (!i)
			__vm_vcpu_add(vm, 0);
	}
	kvm_vm_free(vm);
}

TEST_F(sdei_uapi, exposing_errors_come_in_their_order)
{
	struct kvm_vm *vm = create_empty();
	struct kvm_arm_sdei_event event = { .event = EV_NORMAL, .pad = 1 };
	void *nowhere;
	int i;

	nowhere = mmap(NULL, getpagesize(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	TEST_ASSERT(nowhere != MAP_FAILED, "mmap() failed");
	ASSERT_ERR(-EFAULT, set_event(vm, nowhere));
	ASSERT_ERR(-EFAULT, get_event(vm, nowhere));

	ASSERT_ERR(0, __sdei_expose(vm, EV_NORMAL, NORMAL));
	ASSERT_ERR(-EEXIST, __sdei_expose(vm, EV_NORMAL, NORMAL));
	/* No second thoughts about the priority */
	ASSERT_ERR(-EEXIST, __sdei_expose(vm, EV_NORMAL, CRITICAL));
	assert_exposed(vm, EV_NORMAL, NORMAL);
	ASSERT_ERR(-EINVAL, set_event(vm, &event));

	/* Event 0 is one of them. */
	for (i = 2; i < MAX_EVENTS; i++)
		ASSERT_ERR(0, __sdei_expose(vm, EV_NORMAL + i, i & 1));
	ASSERT_ERR(-ENOSPC, __sdei_expose(vm, EV_CRITICAL, CRITICAL));
	ASSERT_ERR(-EEXIST, __sdei_expose(vm, EV_NORMAL, NORMAL));
	ASSERT_ERR(-EINVAL, __sdei_expose(vm, 1, NORMAL));
	for (i = 2; i < MAX_EVENTS; i++)
		assert_exposed(vm, EV_NORMAL + i, i & 1);
	kvm_vm_free(vm);

	vm = create_empty();
	ASSERT_ERR(0, __sdei_expose(vm, EV_NORMAL, NORMAL));
	__vm_vcpu_add(vm, 0);
	ASSERT_ERR(-EBUSY, __sdei_expose(vm, EV_CRITICAL, CRITICAL));
	ASSERT_ERR(-EBUSY, __sdei_expose(vm, EV_NORMAL, NORMAL));
	ASSERT_ERR(-EINVAL, set_event(vm, &event));
	event = (struct kvm_arm_sdei_event) { .event = EV_CRITICAL };
	ASSERT_ERR(-ENOENT, get_event(vm, &event));
	kvm_vm_free(vm);
}

TEST_F(sdei_uapi, attributes_are_the_documented_ones)
{
	struct kvm_vm *vm = create_empty();
	struct kvm_arm_sdei_inject inject = {};
	struct kvm_arm_sdei_event event = { .event = EV_NORMAL };
	int attr;

	ASSERT_ERR(0, has_attr(vm, KVM_ARM_VM_SDEI_EVENT));
	ASSERT_ERR(0, has_attr(vm, KVM_ARM_VM_SDEI_INJECT));
	for (attr = 2; attr < 10; attr++) {
		ASSERT_ERR(-ENXIO, has_attr(vm, attr));
		ASSERT_ERR(-ENXIO, set_attr(vm, attr, &event));
		ASSERT_ERR(-ENXIO, get_attr(vm, attr, &event));
	}
	ASSERT_ERR(-ENXIO, get_attr(vm, KVM_ARM_VM_SDEI_INJECT, &inject));
	kvm_vm_free(vm);
}

/* Nor does any group but the documented one have an attribute to read. */
TEST_F(sdei_uapi, reading_unknown_attributes_is_enxio)
{
	struct kvm_vm *vm = create_empty();
	struct kvm_arm_sdei_event event = {};
	struct kvm_device_attr attr = {
		.group = KVM_ARM_VM_SDEI_CTRL,
		.attr = KVM_ARM_VM_SDEI_EVENT,
		.addr = (uint64_t)&event,
	};

	ASSERT_ERR(0, negative_errno(__vm_ioctl(vm, KVM_GET_DEVICE_ATTR, &attr)));
	attr.group++;
	ASSERT_ERR(-ENXIO, negative_errno(__vm_ioctl(vm, KVM_GET_DEVICE_ATTR, &attr)));
	attr.group = KVM_ARM_VM_SMCCC_CTRL;
	ASSERT_ERR(-ENXIO, negative_errno(__vm_ioctl(vm, KVM_GET_DEVICE_ATTR, &attr)));

	attr.group = KVM_ARM_VM_SDEI_CTRL;
	attr.flags = 1;
	ASSERT_ERR(-EINVAL, negative_errno(__vm_ioctl(vm, KVM_GET_DEVICE_ATTR, &attr)));
	ASSERT_ERR(-EINVAL, negative_errno(__vm_ioctl(vm, KVM_SET_DEVICE_ATTR, &attr)));
	ASSERT_ERR(-EINVAL, negative_errno(__vm_ioctl(vm, KVM_HAS_DEVICE_ATTR, &attr)));
	kvm_vm_free(vm);
}

/* The VM of the test below */
static uint32_t guest_full_event(int i)
{
	return i ? 0x40000100 + 0x1111 * (MAX_EVENTS - i) : EV_SOFT;
}

static uint64_t guest_handled_mask;

static void guest_full_handler(struct sdei_frame *frame)
{
	GUEST_ASSERT_EQ(frame->x[1], ~frame->x[0]);
	GUEST_ASSERT_EQ(guest_full_event(guest_handled_mask ?
					 fls64(guest_handled_mask) : 0), frame->x[0]);
	guest_handled_mask = guest_handled_mask << 1 | 1;
}

static void guest_full_table(void)
{
	int i;

	for (i = 0; i < MAX_EVENTS; i++) {
		GUEST_ASSERT_CALL(i & 1, SDEI_EVENT_GET_INFO, guest_full_event(i),
				  SDEI_EVENT_INFO_EV_PRIORITY);
		sdei_guest_setup(guest_full_event(i), ~(uint64_t)guest_full_event(i),
				 guest_full_handler);
	}
	GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
	for (i = 0; i < MAX_EVENTS; i++) {
		sdei_guest_trigger(guest_full_event(i));
		GUEST_ASSERT_EQ(guest_handled_mask, BIT(i + 1) - 1);
	}
	GUEST_DONE();
}

TEST_F(sdei_vmm, all_sixteen_events_can_be_used)
{
	struct sdei_vm svm = {};
	int i;

	svm.vm = sdei_new_vm(1);
	vm_init_descriptor_tables(svm.vm);
	vm_enable_cap(svm.vm, KVM_CAP_ARM_SDEI, 0);
	for (i = 1; i < MAX_EVENTS; i++)
		ASSERT_ERR(0, __sdei_expose(svm.vm, guest_full_event(i), i & 1));
	sdei_vcpu_add(&svm, 0, guest_full_table);
	write_guest_global(svm.vm, sdei_conduit, variant->conduit);
	TEST_ASSERT_EQ(sdei_run(&svm, 0), SDEI_STAGE_DONE);

	/* The slots are in the order of the numbers. */
	for (i = 0; i < MAX_EVENTS; i++) {
		int n = i ? MAX_EVENTS - i : 0;

		TEST_ASSERT_EQ(sdei_get_reg(svm.vcpu[0], SDEI_REG_EVENT(i, SDEI_F_INFO)),
			       guest_full_event(n) | (uint64_t)(n & 1) << 32);
		TEST_ASSERT_EQ(sdei_get_reg(svm.vcpu[0], SDEI_REG_EVENT(i, SDEI_F_ARG)),
			       ~(uint64_t)guest_full_event(n));
	}
	sdei_vm_free(&svm);
}

/*
 * Injecting events
 */

TEST_F(sdei_vmm, injecting_errors)
{
	struct kvm_arm_sdei_inject inject = { .event = EV_NORMAL };
	struct puppet p;
	struct kvm_vm *vm;
	uint64_t mpidr, hwid;
	void *nowhere;
	int i;

	puppet_create(&p, variant->conduit);
	vm = p.svm.vm;
	mpidr = p.svm.mpidr[0];
	hwid = mpidr & 0xff00ffffffull;

	nowhere = mmap(NULL, getpagesize(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	TEST_ASSERT(nowhere != MAP_FAILED, "mmap() failed");
	ASSERT_ERR(-EFAULT, set_attr(vm, KVM_ARM_VM_SDEI_INJECT, nowhere));

	/* Not registered */
	for (i = 0; i < NR_SLOTS; i++)
		ASSERT_ERR(-ENOTCONN, __sdei_inject(vm, mpidr, all_events[i]));

	TEST_ASSERT_EQ(puppet_call(&p, SDEI_EVENT_REGISTER, EV_NORMAL,
				   puppet_text(&p, PUPPET_ENTRY)), 0);
	for (i = 0; i < 32; i++) {
		inject.mpidr = mpidr;
		inject.pad = BIT(i);
		ASSERT_ERR(-EINVAL, set_attr(vm, KVM_ARM_VM_SDEI_INJECT, &inject));
	}

	/* Not exposed */
	for (i = 1; i < ARRAY_SIZE(bad_events); i++)
		ASSERT_ERR(-ENOENT, __sdei_inject(vm, mpidr, bad_events[i]));
	ASSERT_ERR(-ENOENT, __sdei_inject(vm, mpidr, EV_NORMAL + 1));
	ASSERT_ERR(-ENOENT, __sdei_inject(vm, mpidr, EV_NORMAL | BIT(31)));
	for (i = 24; i < 30; i++)
		ASSERT_ERR(-ENOENT, __sdei_inject(vm, mpidr, EV_NORMAL | BIT(i)));

	/* No such vCPU */
	for (i = 0; i < 40; i++) {
		if (i < 24 || i >= 32)
			ASSERT_ERR(-ESRCH, __sdei_inject(vm, hwid ^ BIT(i), EV_NORMAL));
	}
	ASSERT_ERR(-ESRCH, __sdei_inject(vm, -1ull, EV_NORMAL));

	TEST_ASSERT_EQ(sdei_get_reg(p.vcpu, SDEI_REG_EVENT(SLOT_NORMAL, SDEI_F_STATE)),
		       SDEI_ST_REGISTERED);

	/* Disabled: kept. Once pending, it stays so. */
	ASSERT_ERR(0, __sdei_inject(vm, hwid, EV_NORMAL));
	ASSERT_ERR(0, __sdei_inject(vm, mpidr, EV_NORMAL));
	ASSERT_ERR(0, __sdei_inject(vm, hwid | BIT(31) | BIT(30) | BIT(24), EV_NORMAL));
	TEST_ASSERT_EQ(sdei_get_reg(p.vcpu, SDEI_REG_EVENT(SLOT_NORMAL, SDEI_F_STATE)),
		       SDEI_ST_REGISTERED | SDEI_ST_PENDING);

	/* Unregister pending is not registered. */
	TEST_ASSERT_EQ(puppet_call(&p, SDEI_PE_UNMASK), 0);
	TEST_ASSERT_EQ(__puppet_call(&p, SDEI_EVENT_ENABLE, EV_NORMAL),
		       puppet_text(&p, PUPPET_ENTRY));
	ASSERT_ERR(0, __sdei_inject(vm, mpidr, EV_NORMAL));
	TEST_ASSERT_EQ(puppet_call(&p, SDEI_EVENT_UNREGISTER, EV_NORMAL), SDEI_PENDING);
	ASSERT_ERR(-ENOTCONN, __sdei_inject(vm, mpidr, EV_NORMAL));
	puppet_free(&p);
}

/* Event 0 included, even if the guest is to signal that itself. */
TEST_F(sdei_vmm, every_exposed_event_can_be_injected)
{
	struct puppet p;
	int i;

	puppet_create(&p, variant->conduit);
	TEST_ASSERT_EQ(puppet_call(&p, SDEI_PE_UNMASK), 0);
	for (i = 0; i < NR_SLOTS; i++) {
		TEST_ASSERT_EQ(puppet_call(&p, SDEI_EVENT_REGISTER, all_events[i],
					   puppet_text(&p, PUPPET_ENTRY)), 0);
		TEST_ASSERT_EQ(puppet_call(&p, SDEI_EVENT_ENABLE, all_events[i]), 0);
		vcpu_set_reg(p.vcpu, ARM64_CORE_REG(regs.pc), puppet_text(&p, PUPPET_STOP));
		sdei_inject(&p.svm, 0, all_events[i]);
		TEST_ASSERT_EQ(puppet_run(&p), puppet_text(&p, PUPPET_ENTRY));
		TEST_ASSERT_EQ(sdei_get_reg(p.vcpu, ARM64_CORE_REG(regs.regs[0])),
			       all_events[i]);
		TEST_ASSERT_EQ(__puppet_call(&p, SDEI_EVENT_COMPLETE),
			       puppet_text(&p, PUPPET_STOP));
	}
	puppet_free(&p);
}

/*
 * Registers
 */

static uint64_t slot_info(int slot)
{
	uint64_t ev = all_events[slot];

	return ev | (uint64_t)(ev == EV_CRITICAL || ev == EV_CRITICAL_2) << 32;
}

/* Ours, in the order of their numbers; returns how many */
static int sdei_regs(uint64_t *ids)
{
	int slot, f, prio, r, n = 0;

	ids[n++] = SDEI_REG_PE;
	for (slot = 0; slot < NR_SLOTS; slot++) {
		for (f = SDEI_F_INFO; f <= SDEI_F_ARG; f++)
			ids[n++] = SDEI_REG_EVENT(slot, f);
	}
	for (prio = NORMAL; prio <= CRITICAL; prio++) {
		for (r = 0; r < SDEI_NR_CTX_REGS; r++)
			ids[n++] = SDEI_REG_CTX(prio, r);
	}
	return n;
}

#define NR_SDEI_REGS	(1 + 4 * NR_SLOTS + 2 * SDEI_NR_CTX_REGS)

static bool reg_listed(struct kvm_reg_list *list, uint64_t id)
{
	int i;

	for (i = 0; i < list->n; i++) {
		if (list->reg[i] == id)
			return true;
	}
	return false;
}

/* The numbers are for other programs to keep. */
TEST_F(sdei_uapi, register_numbers_are_the_documented_ones)
{
	uint64_t base = KVM_REG_ARM64 | KVM_REG_SIZE_U64 | 0x05deull << KVM_REG_ARM_COPROC_SHIFT;
	int slot, f, prio, r;

	TEST_ASSERT_EQ(KVM_CAP_ARM_SDEI, 0x53444549);
	TEST_ASSERT_EQ(KVM_ARM_VM_SDEI_CTRL, 0x5344);
	TEST_ASSERT_EQ(KVM_ARM_VM_SDEI_EVENT, 0);
	TEST_ASSERT_EQ(KVM_ARM_VM_SDEI_INJECT, 1);
	TEST_ASSERT_EQ(sizeof(struct kvm_arm_sdei_event), 16);
	TEST_ASSERT_EQ(sizeof(struct kvm_arm_sdei_inject), 16);

	TEST_ASSERT_EQ(SDEI_REG_PE, base);
	TEST_ASSERT_EQ(SDEI_PE_MASKED, 1);
	for (slot = 0; slot < MAX_EVENTS; slot++) {
		for (f = SDEI_F_INFO; f <= SDEI_F_ARG; f++)
			TEST_ASSERT_EQ(SDEI_REG_EVENT(slot, f), base + 0x100 + 4 * slot + f);
	}
	TEST_ASSERT_EQ(SDEI_F_INFO, 0);
	TEST_ASSERT_EQ(SDEI_F_STATE, 1);
	TEST_ASSERT_EQ(SDEI_F_ENTRY, 2);
	TEST_ASSERT_EQ(SDEI_F_ARG, 3);
	TEST_ASSERT_EQ(SDEI_ST_REGISTERED, 1);
	TEST_ASSERT_EQ(SDEI_ST_ENABLED, 2);
	TEST_ASSERT_EQ(SDEI_ST_PENDING, 4);
	TEST_ASSERT_EQ(SDEI_ST_RELATIVE, 8);
	for (prio = NORMAL; prio <= CRITICAL; prio++) {
		for (r = 0; r < SDEI_NR_CTX_REGS; r++)
			TEST_ASSERT_EQ(SDEI_REG_CTX(prio, r), base + 0x200 + (prio << 5) + r);
	}
	TEST_ASSERT_EQ(SDEI_CTX_PC, 18);
	TEST_ASSERT_EQ(SDEI_CTX_PSTATE, 19);
	TEST_ASSERT_EQ(SDEI_CTX_RUNNING, 20);
}

/* Defect 18 */
TEST_F(sdei_uapi, register_list_is_exact_and_of_64_bits)
{
	uint64_t ids[NR_SDEI_REGS], val;
	struct kvm_reg_list *without, *with;
	struct sdei_vm plain, svm;
	int i, nr = 0;

	host_create_without_sdei(&plain, SDEI_HVC, NULL);
	sdei_vm_create(&svm, 1, SDEI_HVC, NULL);
	without = vcpu_get_reg_list(plain.vcpu[0]);
	with = vcpu_get_reg_list(svm.vcpu[0]);

	TEST_ASSERT_EQ(sdei_regs(ids), NR_SDEI_REGS);
	for (i = 0; i < NR_SDEI_REGS; i++) {
		TEST_ASSERT(reg_listed(with, ids[i]), "0x%lx is not listed", ids[i]);
		TEST_ASSERT(!reg_listed(without, ids[i]), "0x%lx is listed", ids[i]);
		val = sdei_get_reg(svm.vcpu[0], ids[i]);
		vcpu_set_reg(svm.vcpu[0], ids[i], val);
	}
	for (i = 0; i < with->n; i++) {
		if ((with->reg[i] & KVM_REG_ARM_COPROC_MASK) != KVM_REG_ARM_SDEI)
			continue;
		nr++;
		TEST_ASSERT_EQ(with->reg[i] & KVM_REG_SIZE_MASK, KVM_REG_SIZE_U64);
	}
	TEST_ASSERT_EQ(nr, NR_SDEI_REGS);

	/* All the others are the same with and without SDEI. */
	TEST_ASSERT_EQ(without->n + NR_SDEI_REGS, with->n);
	for (i = 0; i < without->n; i++)
		TEST_ASSERT(reg_listed(with, without->reg[i]),
			    "0x%llx is missing", without->reg[i]);

	free(without);
	free(with);
	sdei_vm_free(&plain);
	sdei_vm_free(&svm);
}

TEST_F(sdei_uapi, unknown_registers_are_enoent)
{
	uint64_t ids[NR_SDEI_REGS], id, zeros[32] = {};
	struct kvm_one_reg reg = { .addr = (uint64_t)zeros };
	struct sdei_vm svm;
	int i, n;

	sdei_vm_create(&svm, 1, SDEI_HVC, NULL);
	sdei_regs(ids);
	for (n = 0; n <= 0x10000; n++) {
		/* All of the ones nearby, then a sample */
		if (n > 0x300)
			n += 0xfe;
		id = KVM_REG_ARM_SDEI_REG(0) + n;
		for (i = 0; i < NR_SDEI_REGS && ids[i] != id; i++)
			;
		if (i < NR_SDEI_REGS)
			continue;
		ASSERT_ERR(-ENOENT, get_reg(svm.vcpu[0], id));
		ASSERT_ERR(-ENOENT, sdei_set_reg(svm.vcpu[0], id, 0));
	}

	/* Of the wrong size */
	for (i = 0; i < NR_SDEI_REGS; i++) {
		for (n = 0; n < 9; n++) {
			id = (ids[i] & ~KVM_REG_SIZE_MASK) |
			     (uint64_t)n << KVM_REG_SIZE_SHIFT;
			if (id == ids[i])
				continue;
			reg.id = id;
			ASSERT_ERR(-ENOENT, get_reg(svm.vcpu[0], id));
			ASSERT_ERR(-ENOENT, negative_errno(__vcpu_ioctl(svm.vcpu[0],
									KVM_SET_ONE_REG,
									&reg)));
		}
	}
	sdei_vm_free(&svm);
}

/* Two pages, the second of which can't be accessed */
static void *half_a_buffer(void)
{
	void *buf = mmap(NULL, 2 * getpagesize(), PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	TEST_ASSERT(buf != MAP_FAILED, "mmap() failed");
	TEST_ASSERT(!mprotect(buf + getpagesize(), getpagesize(), PROT_NONE),
		    "mprotect() failed");
	return buf;
}

TEST_F(sdei_uapi, bad_addresses_are_efault)
{
	void *buf = half_a_buffer(), *nowhere = buf + getpagesize();
	struct kvm_arm_sdei_event *event = buf;
	struct kvm_reg_list *list, *short_list;
	struct kvm_one_reg reg = {
		.id = SDEI_REG_PE,
		.addr = (uint64_t)nowhere,
	};
	struct kvm_vm *vm = create_empty();
	struct sdei_vm svm;
	int i, nr = 0;

	ASSERT_ERR(-EFAULT, negative_errno(ioctl(vm->fd, KVM_GET_DEVICE_ATTR, nowhere)));

	/* The event's number can be read, the rest not written. */
	ASSERT_ERR(-EFAULT, get_event(vm, nowhere - sizeof(event->event)));
	event->event = EV_SOFT;
	ASSERT_ERR(0, get_event(vm, event));
	TEST_ASSERT(!mprotect(buf, getpagesize(), PROT_READ), "mprotect() failed");
	ASSERT_ERR(-EFAULT, get_event(vm, event));
	TEST_ASSERT(!mprotect(buf, getpagesize(), PROT_READ | PROT_WRITE),
		    "mprotect() failed");
	kvm_vm_free(vm);

	sdei_vm_create(&svm, 1, SDEI_HVC, NULL);
	ASSERT_ERR(-EFAULT, negative_errno(__vcpu_ioctl(svm.vcpu[0], KVM_GET_ONE_REG, &reg)));
	ASSERT_ERR(-EFAULT, negative_errno(__vcpu_ioctl(svm.vcpu[0], KVM_SET_ONE_REG, &reg)));

	/* Room for the list up to one of the registers */
	list = vcpu_get_reg_list(svm.vcpu[0]);
	for (i = 0; i < list->n; i++) {
		if (!sdei_is_sdei_reg(list->reg[i]))
			continue;
		short_list = nowhere - sizeof(*list) - i * sizeof(list->reg[0]);
		short_list->n = list->n;
		ASSERT_ERR(-EFAULT, negative_errno(__vcpu_ioctl(svm.vcpu[0], KVM_GET_REG_LIST,
								short_list)));
		nr++;
	}
	TEST_ASSERT_EQ(nr, NR_SDEI_REGS);
	free(list);
	sdei_vm_free(&svm);
	munmap(buf, 2 * getpagesize());
}

static void assert_reset_regs(struct kvm_vcpu *vcpu)
{
	int slot, prio, i;

	TEST_ASSERT_EQ(sdei_get_reg(vcpu, SDEI_REG_PE), SDEI_PE_MASKED);
	for (slot = 0; slot < NR_SLOTS; slot++) {
		TEST_ASSERT_EQ(sdei_get_reg(vcpu, SDEI_REG_EVENT(slot, SDEI_F_INFO)),
			       slot_info(slot));
		TEST_ASSERT_EQ(sdei_get_reg(vcpu, SDEI_REG_EVENT(slot, SDEI_F_STATE)), 0);
		TEST_ASSERT_EQ(sdei_get_reg(vcpu, SDEI_REG_EVENT(slot, SDEI_F_ENTRY)), 0);
		TEST_ASSERT_EQ(sdei_get_reg(vcpu, SDEI_REG_EVENT(slot, SDEI_F_ARG)), 0);
	}
	for (prio = NORMAL; prio <= CRITICAL; prio++) {
		for (i = 0; i < SDEI_NR_CTX_REGS; i++)
			TEST_ASSERT_EQ(sdei_get_reg(vcpu, SDEI_REG_CTX(prio, i)), 0);
	}
}

static void puppet_register_all(struct puppet *p)
{
	int i;

	for (i = 0; i < NR_SLOTS; i++) {
		TEST_ASSERT_EQ(puppet_call(p, SDEI_EVENT_REGISTER, all_events[i],
					   puppet_text(p, PUPPET_ENTRY), ARG + i), 0);
		TEST_ASSERT_EQ(puppet_call(p, SDEI_EVENT_ENABLE, all_events[i]), 0);
	}
	TEST_ASSERT_EQ(puppet_call(p, SDEI_PE_UNMASK), 0);
}

/* From a context with a pattern in its registers into nested handlers */
static void puppet_enter_nested(struct puppet *p, struct puppet_regs *normal,
				struct puppet_regs *critical)
{
	puppet_pattern(p, normal, PUPPET_STOP, PSR_MODE_EL0t | PSR_N_BIT);
	puppet_set(p, normal);
	sdei_inject(&p->svm, 0, EV_NORMAL);
	TEST_ASSERT_EQ(puppet_run(p), puppet_text(p, PUPPET_ENTRY));
	puppet_get(p, critical);
	sdei_inject(&p->svm, 0, EV_CRITICAL);
	TEST_ASSERT_EQ(puppet_run(p), puppet_text(p, PUPPET_ENTRY));
}

/* What the registers hold is what the guest did. */
TEST_F(sdei_vmm, registers_tell_the_state)
{
	struct puppet_regs normal, critical;
	uint64_t state;
	struct puppet p;
	int i;

	puppet_create(&p, variant->conduit);
	assert_reset_regs(p.vcpu);
	puppet_register_all(&p);
	TEST_ASSERT_EQ(sdei_get_reg(p.vcpu, SDEI_REG_PE), 0);
	puppet_enter_nested(&p, &normal, &critical);
	TEST_ASSERT_EQ(puppet_call(&p, SDEI_EVENT_DISABLE, EV_NORMAL_2), 0);
	TEST_ASSERT_EQ(puppet_call(&p, SDEI_EVENT_UNREGISTER, EV_SOFT), 0);
	TEST_ASSERT_EQ(puppet_call(&p, SDEI_EVENT_REGISTER, EV_SOFT, 0x1234, 0x99,
				   SDEI_EVENT_REGISTER_RELATIVE), 0);
	TEST_ASSERT_EQ(puppet_call(&p, SDEI_EVENT_UNREGISTER, EV_CRITICAL), SDEI_PENDING);
	TEST_ASSERT_EQ(puppet_call(&p, SDEI_PE_MASK), 1);
	sdei_inject(&p.svm, 0, EV_NORMAL);
	sdei_inject(&p.svm, 0, EV_NORMAL_2);

	TEST_ASSERT_EQ(sdei_get_reg(p.vcpu, SDEI_REG_PE), SDEI_PE_MASKED);
	for (i = 0; i < NR_SLOTS; i++) {
		state = sdei_get_reg(p.vcpu, SDEI_REG_EVENT(i, SDEI_F_STATE));
		TEST_ASSERT_EQ(sdei_get_reg(p.vcpu, SDEI_REG_EVENT(i, SDEI_F_INFO)),
			       slot_info(i));
		switch (all_events[i]) {
		case EV_SOFT:
			TEST_ASSERT_EQ(state, SDEI_ST_REGISTERED | SDEI_ST_RELATIVE);
			TEST_ASSERT_EQ(sdei_get_reg(p.vcpu, SDEI_REG_EVENT(i, SDEI_F_ENTRY)),
				       0x1234);
			TEST_ASSERT_EQ(sdei_get_reg(p.vcpu, SDEI_REG_EVENT(i, SDEI_F_ARG)),
				       0x99);
			continue;
		case EV_NORMAL:
			TEST_ASSERT_EQ(state, SDEI_ST_REGISTERED | SDEI_ST_ENABLED |
					      SDEI_ST_PENDING);
			break;
		case EV_NORMAL_2:
			TEST_ASSERT_EQ(state, SDEI_ST_REGISTERED | SDEI_ST_PENDING);
			break;
		case EV_CRITICAL:
			TEST_ASSERT_EQ(state, 0);
			continue;
		default:
			TEST_ASSERT_EQ(state, SDEI_ST_REGISTERED | SDEI_ST_ENABLED);
		}
		TEST_ASSERT_EQ(sdei_get_reg(p.vcpu, SDEI_REG_EVENT(i, SDEI_F_ENTRY)),
			       puppet_text(&p, PUPPET_ENTRY));
		TEST_ASSERT_EQ(sdei_get_reg(p.vcpu, SDEI_REG_EVENT(i, SDEI_F_ARG)), ARG + i);
	}

	TEST_ASSERT_EQ(sdei_get_reg(p.vcpu, SDEI_REG_CTX(NORMAL, SDEI_CTX_RUNNING)),
		       RUNNING(EV_NORMAL));
	TEST_ASSERT_EQ(sdei_get_reg(p.vcpu, SDEI_REG_CTX(CRITICAL, SDEI_CTX_RUNNING)),
		       RUNNING(EV_CRITICAL));
	for (i = 0; i < 18; i++) {
		TEST_ASSERT_EQ(sdei_get_reg(p.vcpu, SDEI_REG_CTX(NORMAL, i)), normal.x[i]);
		TEST_ASSERT_EQ(sdei_get_reg(p.vcpu, SDEI_REG_CTX(CRITICAL, i)),
			       critical.x[i]);
	}
	TEST_ASSERT_EQ(sdei_get_reg(p.vcpu, SDEI_REG_CTX(NORMAL, SDEI_CTX_PC)), normal.pc);
	TEST_ASSERT_EQ(sdei_get_reg(p.vcpu, SDEI_REG_CTX(NORMAL, SDEI_CTX_PSTATE)),
		       normal.pstate);
	TEST_ASSERT_EQ(sdei_get_reg(p.vcpu, SDEI_REG_CTX(CRITICAL, SDEI_CTX_PC)),
		       critical.pc);
	TEST_ASSERT_EQ(sdei_get_reg(p.vcpu, SDEI_REG_CTX(CRITICAL, SDEI_CTX_PSTATE)),
		       critical.pstate);
	puppet_free(&p);
}

/* Defect 7 */
TEST_F(sdei_vmm, vcpu_init_resets_every_register)
{
	struct puppet_regs normal, critical;
	struct kvm_vcpu_init init;
	struct puppet p;
	int i;

	puppet_create(&p, variant->conduit);
	puppet_register_all(&p);
	puppet_enter_nested(&p, &normal, &critical);
	for (i = 0; i < NR_SLOTS; i++)
		sdei_inject(&p.svm, 0, all_events[i]);

	init = sdei_vcpu_init(p.svm.vm);
	vcpu_ioctl(p.vcpu, KVM_ARM_VCPU_INIT, &init);
	assert_reset_regs(p.vcpu);
	for (i = 0; i < NR_SLOTS; i++)
		ASSERT_ERR(-ENOTCONN, __sdei_inject(p.svm.vm, p.svm.mpidr[0], all_events[i]));
	puppet_free(&p);
}

/* Each of them must be refused, and change nothing. */
static void assert_refused(struct kvm_vcpu *vcpu, uint64_t id, uint64_t val)
{
	uint64_t old = sdei_get_reg(vcpu, id);
	int ret = sdei_set_reg(vcpu, id, val);

	TEST_ASSERT(ret == -EINVAL, "Writing 0x%lx to register 0x%lx: %s",
		    val, id, strerror(-ret));
	TEST_ASSERT_EQ(sdei_get_reg(vcpu, id), old);
}

static void assert_accepted(struct kvm_vcpu *vcpu, uint64_t id, uint64_t val)
{
	int ret = sdei_set_reg(vcpu, id, val);

	TEST_ASSERT(!ret, "Writing 0x%lx to register 0x%lx: %s", val, id, strerror(-ret));
	TEST_ASSERT_EQ(sdei_get_reg(vcpu, id), val);
}

TEST_F(sdei_uapi, hostile_event_registers_are_refused)
{
	struct kvm_vcpu *vcpu;
	struct sdei_vm svm;
	int i, bit;

	sdei_vm_create(&svm, 1, SDEI_HVC, NULL);
	vcpu = svm.vcpu[0];

	for (bit = 1; bit < 64; bit++) {
		assert_refused(vcpu, SDEI_REG_PE, BIT(bit));
		assert_refused(vcpu, SDEI_REG_PE, BIT(bit) | SDEI_PE_MASKED);
	}
	assert_accepted(vcpu, SDEI_REG_PE, 0);
	assert_accepted(vcpu, SDEI_REG_PE, SDEI_PE_MASKED);

	for (i = 0; i < NR_SLOTS; i++) {
		uint64_t info = SDEI_REG_EVENT(i, SDEI_F_INFO);
		uint64_t state = SDEI_REG_EVENT(i, SDEI_F_STATE);
		uint64_t entry = SDEI_REG_EVENT(i, SDEI_F_ENTRY);

		for (bit = 0; bit < 64; bit++)
			assert_refused(vcpu, info, slot_info(i) ^ BIT(bit));
		assert_refused(vcpu, info, slot_info((i + 1) % NR_SLOTS));
		assert_refused(vcpu, info, -1ull);
		assert_accepted(vcpu, info, slot_info(i));

		/* Nothing but "registered" goes without "registered". */
		for (bit = 2; bit < 16; bit += 2)
			assert_refused(vcpu, state, bit);
		for (bit = 4; bit < 64; bit++) {
			assert_refused(vcpu, state, BIT(bit));
			assert_refused(vcpu, state, BIT(bit) | SDEI_ST_REGISTERED);
		}
		for (bit = 1; bit < 16; bit += 2) {
			assert_accepted(vcpu, state, bit);
			/* That ends the registration, and what is pending. */
			assert_accepted(vcpu, state, 0);
		}

		for (bit = 1; bit < 4; bit++) {
			assert_refused(vcpu, entry, bit);
			assert_refused(vcpu, entry, -1ull << 2 | bit);
		}
		assert_accepted(vcpu, entry, -1ull << 2);
		assert_accepted(vcpu, entry, 0);
		assert_accepted(vcpu, SDEI_REG_EVENT(i, SDEI_F_ARG), -1ull);
	}
	sdei_vm_free(&svm);
}

/* Defect 3 */
TEST_F(sdei_uapi, hostile_context_pstate_is_refused)
{
	struct kvm_vcpu *vcpu;
	struct sdei_vm svm;
	uint64_t pfr0, id;
	int prio, mode;
	bool legal;

	sdei_vm_create(&svm, 1, SDEI_HVC, NULL);
	vcpu = svm.vcpu[0];
	pfr0 = sdei_get_reg(vcpu, KVM_ARM64_SYS_REG(SYS_ID_AA64PFR0_EL1));

	for (prio = NORMAL; prio <= CRITICAL; prio++) {
		id = SDEI_REG_CTX(prio, SDEI_CTX_PSTATE);
		for (mode = 0; mode < 0x20; mode++) {
			legal = mode == PSR_MODE_EL0t || mode == PSR_MODE_EL1t ||
				mode == PSR_MODE_EL1h ||
				(mode == 0x10 && (pfr0 & 0xf) == 2);
			if (legal) {
				assert_accepted(vcpu, id, mode | PSR_N_BIT | PSR_I_BIT);
				assert_accepted(vcpu, id, mode);
			} else {
				assert_refused(vcpu, id, mode);
				assert_refused(vcpu, id, mode | PSR_N_BIT | PSR_I_BIT);
			}
		}
	}
	sdei_vm_free(&svm);
}

/* The same judgement, where it has been before SDEI */
static void assert_core_pstates(unsigned int feature, uint32_t legal_modes)
{
	struct kvm_vm *vm = vm_create_barebones();
	struct kvm_vcpu *vcpu = __vm_vcpu_add(vm, 0);
	struct kvm_vcpu_init init = sdei_vcpu_init(vm);
	int mode;

	init.features[0] |= BIT(feature);
	vcpu_ioctl(vcpu, KVM_ARM_VCPU_INIT, &init);

	for (mode = 0; mode < 0x20; mode++) {
		if (legal_modes & BIT(mode))
			assert_accepted(vcpu, ARM64_CORE_REG(regs.pstate), mode | PSR_N_BIT);
		else
			ASSERT_ERR(-EINVAL, sdei_set_reg(vcpu, ARM64_CORE_REG(regs.pstate),
							 mode | PSR_N_BIT));
	}
	kvm_vm_free(vm);
}

TEST_F(sdei_uapi, core_pstate_holds_the_modes_of_the_vcpu)
{
	uint32_t aarch64 = BIT(PSR_MODE_EL0t) | BIT(PSR_MODE_EL1t) | BIT(PSR_MODE_EL1h);
	uint32_t privileged = BIT(0x11) | BIT(0x12) | BIT(0x13) | BIT(0x17) |
			      BIT(0x1b) | BIT(0x1f);
	uint32_t user = 0;
	struct sdei_vm svm;

	sdei_vm_create(&svm, 1, SDEI_HVC, NULL);
	if ((sdei_get_reg(svm.vcpu[0], KVM_ARM64_SYS_REG(SYS_ID_AA64PFR0_EL1)) & 0xf) == 2)
		user = BIT(0x10);
	sdei_vm_free(&svm);

	assert_core_pstates(KVM_ARM_VCPU_PSCI_0_2, aarch64 | user);
	if (kvm_has_cap(KVM_CAP_ARM_EL1_32BIT))
		assert_core_pstates(KVM_ARM_VCPU_EL1_32BIT, privileged | user);
	else
		ksft_print_msg("This host cannot run a 32-bit EL1 anyway.\n");
}

TEST_F(sdei_uapi, hostile_running_event_is_refused)
{
	uint64_t id, ev, mine[2][3] = {
		{ EV_SOFT, EV_NORMAL, EV_NORMAL_2 },
		{ EV_CRITICAL, EV_CRITICAL_2, EV_CRITICAL },
	};
	struct kvm_vcpu *vcpu;
	struct sdei_vm svm;
	int i, bit, prio;

	sdei_vm_create(&svm, 1, SDEI_HVC, NULL);
	vcpu = svm.vcpu[0];

	for (prio = NORMAL; prio <= CRITICAL; prio++) {
		id = SDEI_REG_CTX(prio, SDEI_CTX_RUNNING);
		for (i = 0; i < 3; i++) {
			ev = mine[prio][i];
			assert_accepted(vcpu, id, RUNNING(ev));
			for (bit = 0; bit < 63; bit++) {
				if (prio == NORMAL && (ev ^ BIT(bit)) == EV_SOFT)
					continue;
				assert_refused(vcpu, id, RUNNING(ev ^ BIT(bit)));
			}
			if (ev)
				assert_refused(vcpu, id, ev);
			assert_refused(vcpu, id, RUNNING(mine[!prio][i]));
			assert_accepted(vcpu, id, 0);
		}
		assert_refused(vcpu, id, 1);
		assert_refused(vcpu, id, RUNNING(EV_ASYNC_PF));
		assert_refused(vcpu, id, -1ull);
	}

	/* Any value is fine for what is no more than a register of the guest. */
	for (prio = NORMAL; prio <= CRITICAL; prio++) {
		for (i = 0; i <= SDEI_CTX_PC; i++)
			assert_accepted(vcpu, SDEI_REG_CTX(prio, i), -1ull - i);
	}
	sdei_vm_free(&svm);
}

/* Defect 19: whichever register comes last completes the picture. */
TEST_F(sdei_vmm, register_writes_deliver_in_any_order)
{
	uint64_t entry, ids[4] = {
		SDEI_REG_PE,
		SDEI_REG_EVENT(SLOT_NORMAL, SDEI_F_STATE),
		SDEI_REG_EVENT(SLOT_NORMAL, SDEI_F_ENTRY),
		SDEI_REG_EVENT(SLOT_NORMAL, SDEI_F_ARG),
	};
	uint64_t vals[4], pc;
	struct puppet_regs in, out;
	struct puppet p;
	int a, b, c, d;

	puppet_create(&p, variant->conduit);
	entry = puppet_text(&p, PUPPET_ENTRY);
	vals[0] = 0;
	vals[1] = SDEI_ST_REGISTERED | SDEI_ST_ENABLED | SDEI_ST_PENDING;
	vals[2] = entry;
	vals[3] = ARG;
	puppet_pattern(&p, &in, PUPPET_STOP, PSR_MODE_EL1h | PSR_C_BIT);

	for (a = 0; a < 4; a++) {
		for (b = 0; b < 4; b++) {
			for (c = 0; c < 4; c++) {
				if (a == b || b == c || a == c)
					continue;
				d = 6 - a - b - c;

				vcpu_set_reg(p.vcpu, ids[0], SDEI_PE_MASKED);
				vcpu_set_reg(p.vcpu, ids[1], 0);
				vcpu_set_reg(p.vcpu, ids[2], 0);
				vcpu_set_reg(p.vcpu, ids[3], 0);
				puppet_set(&p, &in);
				TEST_ASSERT_EQ(puppet_run(&p), in.pc);

				vcpu_set_reg(p.vcpu, ids[a], vals[a]);
				vcpu_set_reg(p.vcpu, ids[b], vals[b]);
				vcpu_set_reg(p.vcpu, ids[c], vals[c]);
				vcpu_set_reg(p.vcpu, ids[d], vals[d]);
				TEST_ASSERT_EQ(puppet_run(&p), entry);
				puppet_get(&p, &out);
				TEST_ASSERT_EQ(out.x[0], EV_NORMAL);
				TEST_ASSERT_EQ(out.x[1], ARG);
				TEST_ASSERT_EQ(out.x[2], in.pc);
				pc = __puppet_call(&p, SDEI_EVENT_COMPLETE);
				TEST_ASSERT_EQ(pc, in.pc);
			}
		}
	}

	/* The end of a handler, too, makes way for what is pending. */
	puppet_set(&p, &in);
	sdei_inject(&p.svm, 0, EV_NORMAL);
	TEST_ASSERT_EQ(puppet_run(&p), entry);
	sdei_inject(&p.svm, 0, EV_NORMAL);
	vcpu_set_reg(p.vcpu, ARM64_CORE_REG(regs.pc), puppet_text(&p, PUPPET_STOP));
	TEST_ASSERT_EQ(puppet_run(&p), puppet_text(&p, PUPPET_STOP));
	vcpu_set_reg(p.vcpu, SDEI_REG_CTX(NORMAL, SDEI_CTX_RUNNING), 0);
	TEST_ASSERT_EQ(puppet_run(&p), entry);
	puppet_free(&p);
}

/* Handlers that only ever ran by the grace of the VMM complete as well. */
TEST_F(sdei_vmm, restored_contexts_complete_as_written)
{
	struct puppet_regs in[2], out;
	uint64_t pc;
	struct puppet p;
	int i, prio;

	puppet_create(&p, variant->conduit);
	puppet_pattern(&p, &in[NORMAL], PUPPET_STOP, PSR_MODE_EL0t | PSR_V_BIT);
	puppet_pattern(&p, &in[CRITICAL], PUPPET_RESUME, PSR_MODE_EL1t | PSR_C_BIT);

	for (prio = CRITICAL; prio >= NORMAL; prio--) {
		for (i = 0; i < 18; i++) {
			in[prio].x[i] ^= prio;
			vcpu_set_reg(p.vcpu, SDEI_REG_CTX(prio, i), in[prio].x[i]);
		}
		vcpu_set_reg(p.vcpu, SDEI_REG_CTX(prio, SDEI_CTX_RUNNING),
			     RUNNING(prio == NORMAL ? EV_NORMAL_2 : EV_CRITICAL_2));
		vcpu_set_reg(p.vcpu, SDEI_REG_CTX(prio, SDEI_CTX_PSTATE), in[prio].pstate);
		vcpu_set_reg(p.vcpu, SDEI_REG_CTX(prio, SDEI_CTX_PC), in[prio].pc);
	}

	/* Running and not registered: unregister pending */
	TEST_ASSERT_EQ(puppet_call(&p, SDEI_EVENT_STATUS, EV_NORMAL_2), SDEI_RUNNING);
	TEST_ASSERT_EQ(puppet_call(&p, SDEI_EVENT_UNREGISTER, EV_CRITICAL_2), SDEI_PENDING);

	for (prio = CRITICAL; prio >= NORMAL; prio--) {
		for (i = 0; i < 18; i++)
			TEST_ASSERT_EQ((uint64_t)puppet_call(&p, SDEI_EVENT_CONTEXT, i),
				       in[prio].x[i]);
		pc = __puppet_call(&p, SDEI_EVENT_COMPLETE);
		TEST_ASSERT_EQ(pc, in[prio].pc);
		puppet_get(&p, &out);
		TEST_ASSERT_EQ(out.pstate, in[prio].pstate);
		for (i = 0; i < 18; i++)
			TEST_ASSERT_EQ(out.x[i], in[prio].x[i]);
	}
	TEST_ASSERT_EQ(puppet_call(&p, SDEI_EVENT_COMPLETE), SDEI_DENIED);
	TEST_ASSERT_EQ(puppet_call(&p, SDEI_EVENT_STATUS, EV_NORMAL_2), 0);
	TEST_ASSERT_EQ(puppet_call(&p, SDEI_EVENT_STATUS, EV_CRITICAL_2), 0);
	puppet_free(&p);
}

static void shuffle(uint64_t *ids, int nr, unsigned int *seed)
{
	uint64_t id;
	int i, j;

	for (i = nr - 1; i > 0; i--) {
		j = rand_r(seed) % (i + 1);
		id = ids[i];
		ids[i] = ids[j];
		ids[j] = id;
	}
}

/*
 * As for QEMU's "info registers" or a debugger: the VMM reads all registers of
 * a stopped vCPU, and writes them back. Meanwhile another vCPU signals, or a
 * device injects.
 */
TEST_F(sdei_vmm, writing_registers_back_does_not_lose_an_event)
{
	uint64_t ids[NR_SDEI_REGS], vals[NR_SDEI_REGS];
	struct puppet_regs in;
	unsigned int seed = 1;
	struct puppet p;
	int i, round;

	puppet_create(&p, variant->conduit);
	puppet_register_all(&p);
	puppet_pattern(&p, &in, PUPPET_STOP, PUPPET_EL1H);

	for (round = 0; round < 20; round++) {
		puppet_set(&p, &in);
		TEST_ASSERT_EQ(puppet_run(&p), in.pc);
		sdei_regs(ids);
		shuffle(ids, NR_SDEI_REGS, &seed);
		for (i = 0; i < NR_SDEI_REGS; i++)
			vals[i] = sdei_get_reg(p.vcpu, ids[i]);

		sdei_inject(&p.svm, 0, all_events[round % NR_SLOTS]);

		for (i = 0; i < NR_SDEI_REGS; i++)
			vcpu_set_reg(p.vcpu, ids[i], vals[i]);

		TEST_ASSERT_EQ(puppet_run(&p), puppet_text(&p, PUPPET_ENTRY));
		TEST_ASSERT_EQ(sdei_get_reg(p.vcpu, ARM64_CORE_REG(regs.regs[0])),
			       all_events[round % NR_SLOTS]);
		TEST_ASSERT_EQ(__puppet_call(&p, SDEI_EVENT_COMPLETE), in.pc);
	}
	puppet_free(&p);
}

/* The host must survive whatever it accepts, and accept or refuse it cleanly. */
TEST_F(sdei_vmm, random_registers_do_no_harm)
{
	static const uint64_t samples[] = {
		0, 1, 3, 5, 7, 9, 15, 4, 8, 0x3c5, 0x3c4, 0x10, 0x1f, -1ull, BIT(63),
		RUNNING(EV_NORMAL), RUNNING(EV_CRITICAL), RUNNING(EV_SOFT),
		RUNNING(EV_CRITICAL_2), RUNNING(-1u), 0xfffffffffffffffcull,
	};
	uint64_t ids[NR_SDEI_REGS], val;
	unsigned int seed = 42;
	struct puppet_regs in;
	struct puppet p;
	int i, n, ret;

	puppet_create(&p, variant->conduit);
	puppet_pattern(&p, &in, PUPPET_STOP, PUPPET_EL1H);
	sdei_regs(ids);

	for (i = 0; i < 300; i++) {
		for (n = 0; n < 20; n++) {
			val = samples[rand_r(&seed) % ARRAY_SIZE(samples)];
			if (!(rand_r(&seed) % 4))
				val = puppet_text(&p, rand_r(&seed) % 0x40 * 4);
			ret = sdei_set_reg(p.vcpu, ids[rand_r(&seed) % NR_SDEI_REGS], val);
			TEST_ASSERT(!ret || ret == -EINVAL, "%s", strerror(-ret));
		}

		puppet_set(&p, &in);
		/* Wherever that leads: there is a BRK, or a vector with a BRK. */
		puppet_run(&p);
		__puppet_call(&p, rand_r(&seed) % 2 ? SDEI_EVENT_COMPLETE : SDEI_PE_UNMASK);
		__puppet_call(&p, SDEI_EVENT_COMPLETE_AND_RESUME, puppet_text(&p, PUPPET_RESUME));
	}
	puppet_free(&p);
}

/*
 * Migration
 */

#define MAX_REG_SIZE	256

/*
 * A VM that has nothing but a vCPU, and the memory of another one: it holds
 * host addresses, for ucalls, and therefore changes hands as it is.
 */
static void host_create_fresh(struct sdei_vm *svm, struct kvm_vm *origin)
{
	struct userspace_mem_region *region = memslot2region(origin, 0);
	struct kvm_vcpu_init init;

	memset(svm, 0, sizeof(*svm));
	svm->vm = vm_create_barebones();
	svm->vm->ucall_mmio_addr = origin->ucall_mmio_addr;
	vm_set_user_memory_region(svm->vm, 0, 0, region->region.guest_phys_addr,
				  region->region.memory_size, region->host_mem);
	sdei_vm_setup(svm->vm);
	svm->vcpu[0] = __vm_vcpu_add(svm->vm, 0);
	init = sdei_vcpu_init(svm->vm);
	vcpu_ioctl(svm->vcpu[0], KVM_ARM_VCPU_INIT, &init);
	assert_reset_regs(svm->vcpu[0]);
}

/* Everything a VMM would send, written into a fresh VM in random order */
static void host_migrate(struct kvm_vcpu *from, struct kvm_vcpu *to, unsigned int *seed)
{
	struct kvm_vcpu_events events;
	struct kvm_mp_state mp_state;
	struct kvm_reg_list *list;
	struct kvm_one_reg reg;
	uint64_t *ids;
	void *vals;
	int i, n;

	/* An exit for MMIO is finished by the next entry. */
	vcpu_run_complete_io(from);

	list = vcpu_get_reg_list(from);
	ids = calloc(list->n, sizeof(*ids));
	vals = calloc(list->n, MAX_REG_SIZE);
	TEST_ASSERT(ids && vals, "calloc() failed");
	for (n = 0; n < list->n; n++)
		ids[n] = list->reg[n];
	shuffle(ids, n, seed);
	for (i = 0; i < n; i++) {
		reg.id = ids[i];
		reg.addr = (uint64_t)vals + i * MAX_REG_SIZE;
		vcpu_ioctl(from, KVM_GET_ONE_REG, &reg);
	}
	vcpu_events_get(from, &events);
	vcpu_mp_state_get(from, &mp_state);

	for (i = 0; i < n; i++) {
		reg.id = ids[i];
		reg.addr = (uint64_t)vals + i * MAX_REG_SIZE;
		vcpu_ioctl(to, KVM_SET_ONE_REG, &reg);
	}
	vcpu_events_set(to, &events);
	vcpu_mp_state_set(to, &mp_state);

	/* What arrives is what was sent. */
	for (i = 0; i < n; i++) {
		if (sdei_is_sdei_reg(ids[i]))
			TEST_ASSERT_EQ(sdei_get_reg(to, ids[i]),
				       *(uint64_t *)(vals + i * MAX_REG_SIZE));
	}

	free(ids);
	free(vals);
	free(list);
}

static void host_run_migrating(enum sdei_conduit conduit, void *guest_code,
			       unsigned int seed)
{
	struct sdei_vm origin, cur, next;
	int migrations = 0;
	struct ucall uc;

	sdei_vm_create(&origin, 1, conduit, guest_code);
	cur = origin;

	for (;;) {
		vcpu_run(cur.vcpu[0]);
		switch (get_ucall(cur.vcpu[0], &uc)) {
		case UCALL_SYNC:
			if (uc.args[1] == SDEI_ASK_INJECT)
				ASSERT_ERR(0, __sdei_inject(cur.vm, origin.mpidr[0],
							    uc.args[2]));
			break;
		case UCALL_DONE:
			TEST_ASSERT(migrations > 40, "Only %d migrations", migrations);
			kvm_vm_free(cur.vm);
			sdei_vm_free(&origin);
			return;
		case UCALL_ABORT:
			REPORT_GUEST_ASSERT(uc);
			break;
		default:
			assert_on_unhandled_exception(cur.vcpu[0]);
			TEST_FAIL("Unexpected exit %u", cur.vcpu[0]->run->exit_reason);
		}

		host_create_fresh(&next, origin.vm);
		host_migrate(cur.vcpu[0], next.vcpu[0], &seed);
		if (migrations++)
			kvm_vm_free(cur.vm);
		cur = next;
	}
}

#define LEFT		BIT(63)
static uint64_t guest_log[64];
static int guest_nr_logged;
static void (*guest_action)(struct sdei_frame *frame);

static void guest_log_add(uint64_t entry)
{
	GUEST_ASSERT(guest_nr_logged < ARRAY_SIZE(guest_log));
	guest_log[guest_nr_logged++] = entry;
}

static void __guest_assert_log(const uint64_t *want, int nr)
{
	int i;

	for (i = 0; i < nr && i < guest_nr_logged; i++)
		__GUEST_ASSERT(guest_log[i] == want[i], "Step %d is 0x%lx, want 0x%lx",
			       i, guest_log[i], want[i]);
	__GUEST_ASSERT(guest_nr_logged == nr, "%d steps, want %d", guest_nr_logged, nr);
	guest_nr_logged = 0;
}

#define guest_assert_log(...)						\
	__guest_assert_log((const uint64_t[]) { __VA_ARGS__ },		\
			   sizeof((const uint64_t[]) { __VA_ARGS__ }) / 8)

/* Each GUEST_SYNC() is a migration, and so is each injection. */
static void guest_migrating_handler(struct sdei_frame *frame)
{
	uint64_t event = frame->x[0];
	int i;

	guest_log_add(event);
	GUEST_SYNC(1);
	GUEST_ASSERT_EQ(frame->x[1], event + ARG);
	for (i = 4; i < 18; i++)
		GUEST_ASSERT_EQ((uint64_t)sdei_call(SDEI_EVENT_CONTEXT, i), frame->x[i]);
	if (guest_action)
		guest_action(frame);
	for (i = 4; i < 18; i++)
		GUEST_ASSERT_EQ((uint64_t)sdei_call(SDEI_EVENT_CONTEXT, i), frame->x[i]);
	GUEST_SYNC(2);
	guest_log_add(event | LEFT);
}

static void guest_nested_action(struct sdei_frame *frame)
{
	uint64_t idle = SDEI_REGISTERED | SDEI_ENABLED;

	if (frame->x[0] == EV_NORMAL) {
		sdei_guest_trigger(EV_CRITICAL);
		GUEST_ASSERT_STATUS(EV_NORMAL, idle | SDEI_RUNNING);
		GUEST_ASSERT_STATUS(EV_CRITICAL, idle);
	} else if (frame->x[0] == EV_CRITICAL) {
		/* Two more of each kind, in the handlers of both kinds */
		guest_action = NULL;
		sdei_guest_trigger(EV_CRITICAL);
		sdei_guest_trigger(EV_CRITICAL_2);
		sdei_guest_trigger(EV_NORMAL);
		sdei_guest_trigger(EV_SOFT);
		GUEST_SYNC(3);
		GUEST_ASSERT_STATUS(EV_NORMAL, idle | SDEI_RUNNING);
		GUEST_ASSERT_STATUS(EV_CRITICAL, idle | SDEI_RUNNING);
		GUEST_ASSERT_STATUS(EV_CRITICAL_2, idle);
	}
}

static void guest_unregister_action(struct sdei_frame *frame)
{
	GUEST_ASSERT_CALL(SDEI_PENDING, SDEI_EVENT_UNREGISTER, frame->x[0]);
	GUEST_SYNC(4);
	GUEST_ASSERT_STATUS(frame->x[0], SDEI_RUNNING);
	GUEST_ASSERT_CALL(SDEI_PENDING, SDEI_EVENT_UNREGISTER, frame->x[0]);
}

static void guest_resume_action(struct sdei_frame *frame)
{
	frame->fn = SDEI_1_0_FN_BASE + SDEI_EVENT_COMPLETE_AND_RESUME;
	frame->arg = (uint64_t)sdei_guest_resume;
}

static void guest_migrating_resumed(struct ex_regs *regs)
{
	GUEST_SYNC(5);
	guest_log_add(LEFT);
	GUEST_ASSERT_CALL(SDEI_DENIED, SDEI_EVENT_COMPLETE);
}

static void guest_mask_action(struct sdei_frame *frame)
{
	GUEST_ASSERT_CALL(1, SDEI_PE_MASK);
	sdei_guest_trigger(frame->x[0]);
	GUEST_SYNC(6);
	GUEST_ASSERT_CALL(0, SDEI_PE_MASK);
}

static void guest_migrated_registered(void)
{
	uint64_t vbar = read_sysreg(vbar_el1);
	int i;

	for (i = 0; i < NR_SLOTS; i++) {
		GUEST_ASSERT_STATUS(all_events[i], 0);
		GUEST_ASSERT_CALL(0, SDEI_EVENT_REGISTER, all_events[i],
				  (uint64_t)sdei_guest_entry - (i & 1 ? vbar : 0),
				  all_events[i] + ARG, i & 1 ? SDEI_EVENT_REGISTER_RELATIVE : 0);
		GUEST_SYNC(7);
		GUEST_ASSERT_STATUS(all_events[i], SDEI_REGISTERED);
		GUEST_ASSERT_CALL(SDEI_DENIED, SDEI_EVENT_REGISTER, all_events[i],
				  (uint64_t)sdei_guest_entry);
		GUEST_ASSERT_CALL(0, SDEI_EVENT_ENABLE, all_events[i]);
		GUEST_SYNC(8);
		GUEST_ASSERT_STATUS(all_events[i], SDEI_REGISTERED | SDEI_ENABLED);
	}
}

static void guest_migrated(void)
{
	uint64_t ev;
	int i;

	sdei_guest_handler = guest_migrating_handler;
	sdei_guest_resumed = guest_migrating_resumed;

	GUEST_SYNC(9);
	GUEST_ASSERT_CALL(0, SDEI_PE_MASK);
	guest_migrated_registered();

	/* One of each kind: each migration is a new VM, which takes its time. */
	for (i = SLOT_SOFT; i <= SLOT_NORMAL; i++) {
		ev = all_events[i];

		/* Masked, and pending */
		sdei_guest_trigger(ev);
		GUEST_SYNC(10);
		guest_assert_log();
		GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
		guest_assert_log(ev, ev | LEFT);
		GUEST_SYNC(11);

		/* Disabled, and pending */
		GUEST_ASSERT_CALL(0, SDEI_EVENT_DISABLE, ev);
		sdei_guest_trigger(ev);
		GUEST_SYNC(12);
		guest_assert_log();
		GUEST_ASSERT_CALL(0, SDEI_EVENT_ENABLE, ev);
		guest_assert_log(ev, ev | LEFT);

		/* Deliverable; for the VMM's events, injected before the migration */
		sdei_guest_trigger(ev);
		guest_assert_log(ev, ev | LEFT);

		guest_action = guest_resume_action;
		sdei_guest_trigger(ev);
		guest_assert_log(ev, ev | LEFT, LEFT);

		guest_action = guest_mask_action;
		sdei_guest_trigger(ev);
		guest_assert_log(ev, ev | LEFT);
		guest_action = NULL;
		GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
		guest_assert_log(ev, ev | LEFT);
		GUEST_ASSERT_CALL(1, SDEI_PE_MASK);
	}

	GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
	guest_action = guest_nested_action;
	sdei_guest_trigger(EV_NORMAL);
	GUEST_ASSERT_EQ(guest_log[0], EV_NORMAL);
	GUEST_ASSERT_EQ(guest_log[1], EV_CRITICAL);
	GUEST_ASSERT_EQ(guest_log[2], EV_CRITICAL | LEFT);
	/* Both critical ones, in either order, before the normal handler goes on */
	GUEST_ASSERT_EQ(guest_log[3] | LEFT, guest_log[4]);
	GUEST_ASSERT_EQ(guest_log[5] | LEFT, guest_log[6]);
	GUEST_ASSERT_EQ(guest_log[3] ^ guest_log[5], EV_CRITICAL ^ EV_CRITICAL_2);
	GUEST_ASSERT_EQ(guest_log[7], EV_NORMAL | LEFT);
	GUEST_ASSERT_EQ(guest_log[8] | LEFT, guest_log[9]);
	GUEST_ASSERT_EQ(guest_log[10] | LEFT, guest_log[11]);
	GUEST_ASSERT_EQ(guest_log[8] ^ guest_log[10], EV_NORMAL ^ EV_SOFT);
	GUEST_ASSERT_EQ(guest_nr_logged, 12);
	guest_nr_logged = 0;

	guest_action = guest_unregister_action;
	for (i = SLOT_CRITICAL; i <= SLOT_NORMAL; i++) {
		ev = all_events[i];
		sdei_guest_trigger(ev);
		guest_assert_log(ev, ev | LEFT);
		GUEST_SYNC(13);
		GUEST_ASSERT_STATUS(ev, 0);
	}
	GUEST_ASSERT_CALL(1, SDEI_PE_MASK);
	GUEST_DONE();
}

/* Defect 19, with another order of the registers for each conduit */
TEST_F(sdei_vmm, migrated_at_every_point_the_guest_notices_nothing)
{
	host_run_migrating(variant->conduit, guest_migrated, 12345 + variant->conduit);
}

/* And all of it without a migration, lest the guest code itself be wrong */
TEST_F(sdei_vmm, not_migrated_the_guest_does_the_same)
{
	struct sdei_vm svm;
	uint64_t stage;

	sdei_vm_create(&svm, 1, variant->conduit, guest_migrated);
	do {
		stage = sdei_run(&svm, 0);
	} while (stage != SDEI_STAGE_DONE);
	sdei_vm_free(&svm);
}

/*
 * The SMCCC filter keeps its precedence.
 */

static int set_filter(struct kvm_vm *vm, uint32_t base, uint32_t nr,
		      enum kvm_smccc_filter_action action)
{
	struct kvm_smccc_filter filter = {
		.base = base,
		.nr_functions = nr,
		.action = action,
	};

	return negative_errno(__kvm_device_attr_set(vm->fd, KVM_ARM_VM_SMCCC_CTRL,
						    KVM_ARM_VM_SMCCC_FILTER, &filter));
}

TEST_F(sdei_vmm, filter_denies_the_calls)
{
	struct sdei_vm svm;

	sdei_vm_create(&svm, 1, variant->conduit, guest_sdei_absent);
	ASSERT_ERR(0, set_filter(svm.vm, SDEI_1_0_FN_BASE, 0x20, KVM_SMCCC_FILTER_DENY));
	TEST_ASSERT_EQ(sdei_run(&svm, 0), SDEI_STAGE_DONE);
	sdei_vm_free(&svm);
}

static void guest_denied_version(void)
{
	GUEST_ASSERT_CALL(SMCCC_RET_NOT_SUPPORTED, SDEI_VERSION);
	GUEST_ASSERT_CALL(0, SDEI_SHARED_RESET);
	GUEST_ASSERT_CALL(1, SDEI_FEATURES, 1);
	GUEST_DONE();
}

TEST_F(sdei_vmm, filter_denies_a_single_call)
{
	struct sdei_vm svm;

	sdei_vm_create(&svm, 1, variant->conduit, guest_denied_version);
	ASSERT_ERR(0, set_filter(svm.vm, SDEI_1_0_FN_SDEI_VERSION, 1, KVM_SMCCC_FILTER_DENY));
	TEST_ASSERT_EQ(sdei_run(&svm, 0), SDEI_STAGE_DONE);
	sdei_vm_free(&svm);
}

/* Of those that KVM serves without its run loop once it has served them there */
static void guest_denied_status(void)
{
	int i;

	for (i = 0; i < 3; i++) {
		GUEST_ASSERT_CALL(SMCCC_RET_NOT_SUPPORTED, SDEI_EVENT_STATUS, EV_SOFT);
		GUEST_ASSERT_CALL(i == 0 ? 0 : 1, SDEI_PE_MASK);
		GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
	}
	GUEST_DONE();
}

TEST_F(sdei_vmm, filter_denies_a_call_and_lets_its_neighbours_pass)
{
	struct sdei_vm svm;

	sdei_vm_create(&svm, 1, variant->conduit, guest_denied_status);
	ASSERT_ERR(0, set_filter(svm.vm, SDEI_1_0_FN_BASE + SDEI_EVENT_STATUS, 1,
				 KVM_SMCCC_FILTER_DENY));
	TEST_ASSERT_EQ(sdei_run(&svm, 0), SDEI_STAGE_DONE);
	sdei_vm_free(&svm);
}

TEST_F(sdei_vmm, filter_forwards_the_calls_to_the_vmm)
{
	struct kvm_run *run;
	struct puppet p;
	uint64_t x0, pc;
	int fn;

	puppet_create(&p, variant->conduit);
	ASSERT_ERR(0, set_filter(p.svm.vm, SDEI_1_0_FN_BASE, 0x20,
				 KVM_SMCCC_FILTER_FWD_TO_USER));
	run = p.vcpu->run;

	for (fn = 0; fn < 0x20; fn++) {
		vcpu_set_reg(p.vcpu, ARM64_CORE_REG(regs.regs[0]), SDEI_1_0_FN_BASE + fn);
		vcpu_set_reg(p.vcpu, ARM64_CORE_REG(regs.pc), puppet_conduit(&p));
		vcpu_run(p.vcpu);
		TEST_ASSERT_KVM_EXIT_REASON(p.vcpu, KVM_EXIT_HYPERCALL);
		TEST_ASSERT_EQ(run->hypercall.nr, SDEI_1_0_FN_BASE + fn);
		TEST_ASSERT_EQ(!!(run->hypercall.flags & KVM_HYPERCALL_EXIT_SMC),
			       variant->conduit == SDEI_SMC);

		/* The VMM's answer is the guest's. */
		vcpu_set_reg(p.vcpu, ARM64_CORE_REG(regs.regs[0]), 0x5dedull + fn);
		pc = puppet_run(&p);
		TEST_ASSERT_EQ(pc, puppet_conduit(&p) + 4);
		x0 = sdei_get_reg(p.vcpu, ARM64_CORE_REG(regs.regs[0]));
		TEST_ASSERT_EQ(x0, 0x5dedull + fn);
	}
	assert_reset_regs(p.vcpu);
	puppet_free(&p);
}

static bool debug_stop;

static void *debug_on_and_off(void *vcpu)
{
	struct kvm_guest_debug debug = {};

	while (!READ_ONCE(debug_stop)) {
		debug.control ^= KVM_GUESTDBG_ENABLE;
		vcpu_guest_debug_set(vcpu, &debug);
	}
	return NULL;
}

/*
 * What is called from a vCPU's ioctls does not look at a filter that may still
 * change. Looking is what a kernel with KASAN complains about.
 */
TEST_F(sdei_uapi, filter_can_be_set_while_a_vcpu_is_being_debugged)
{
	struct sdei_vm svm;
	pthread_t thread;
	uint32_t i;

	sdei_vm_create(&svm, 1, SDEI_HVC, guest_sdei_absent);
	debug_stop = false;
	pthread_create(&thread, NULL, debug_on_and_off, svm.vcpu[0]);

	ASSERT_ERR(0, set_filter(svm.vm, SDEI_1_0_FN_BASE, 0x20, KVM_SMCCC_FILTER_DENY));
	for (i = 0; i < 1000; i++)
		ASSERT_ERR(0, set_filter(svm.vm, 0xc5000100 + 2 * i, 1, i & 1));

	WRITE_ONCE(debug_stop, true);
	pthread_join(thread, NULL);
	TEST_ASSERT_EQ(sdei_run(&svm, 0), SDEI_STAGE_DONE);
	sdei_vm_free(&svm);
}

static void guest_handled_version(void)
{
	GUEST_ASSERT_CALL(BIT(48) | BIT(32), SDEI_VERSION);
	GUEST_ASSERT_CALL(0, SDEI_SHARED_RESET);
	GUEST_DONE();
}

TEST_F(sdei_vmm, filter_that_leaves_the_calls_to_kvm_changes_nothing)
{
	struct sdei_vm svm;

	sdei_vm_create(&svm, 1, variant->conduit, guest_handled_version);
	ASSERT_ERR(0, set_filter(svm.vm, SDEI_1_0_FN_BASE, 0x20, KVM_SMCCC_FILTER_HANDLE));
	TEST_ASSERT_EQ(sdei_run(&svm, 0), SDEI_STAGE_DONE);
	sdei_vm_free(&svm);

	/* Nor does one for other calls. */
	sdei_vm_create(&svm, 1, variant->conduit, guest_handled_version);
	ASSERT_ERR(0, set_filter(svm.vm, SDEI_1_0_FN_BASE + 0x20, 0x20, KVM_SMCCC_FILTER_DENY));
	TEST_ASSERT_EQ(sdei_run(&svm, 0), SDEI_STAGE_DONE);
	sdei_vm_free(&svm);
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_ARM_SDEI));

	return test_harness_run(argc, argv);
}
