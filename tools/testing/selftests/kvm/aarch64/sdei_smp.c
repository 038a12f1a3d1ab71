// SPDX-License-Identifier: GPL-2.0-only
/*
 * sdei_smp - SDEI events for vCPUs that spin, sleep, sit in the VMM, were never
 *	      run or are off; more than one vCPU; PSCI and SDEI.
 *
 * Every test runs with HVC and with SMC as the conduit. No test depends on time:
 * the host waits for a state of the guest, or for a vCPU to be blocked as its
 * statistics tell.
 *
 * Earlier attempts at an SDEI dispatcher for KVM had the defects that the
 * following tests are for:
 *
 *  defect  5	neither kick nor wake-up: event_reaches_a_spinning_vcpu,
 *		event_ends_wfi_*, event_ends_cpu_suspend, no_wake_up_is_lost
 *  defect  6	EVENT_SIGNAL ignores its target: signal_reaches_its_target_only
 *  defect  7	CPU_OFF and CPU_ON keep the state of SDEI:
 *		cpu_off_in_nested_handlers_leaves_nothing_behind,
 *		cpu_off_outside_handlers_leaves_nothing_behind
 */

#include <linux/psci.h>

#include "kvm_util.h"
#include "processor.h"
#include "sdei.h"
#include "test_util.h"
#include "vgic.h"

#include "kvm_test_harness.h"

/* Slow machines are no failure: somebody else has the time-out. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	3600

#define MPIDR_HWID	0xff00ffffffull

/*
 * How often a race is run: often, or, where two vCPUs spin for each other and
 * each round may cost time slices of a busy host, less often
 */
#define NR_ROUNDS	1000
#define NR_SPIN_ROUNDS	50

SDEI_CONDUIT_FIXTURE(sdei_smp)

static const uint64_t all_events[] = {
	EV_SOFT, EV_NORMAL, EV_CRITICAL, EV_NORMAL_2, EV_CRITICAL_2,
};

/* By vCPU, and written by that vCPU only */
static uint64_t guest_nr_handled[SDEI_MAX_VCPUS];
static uint64_t guest_last_event[SDEI_MAX_VCPUS];
static bool guest_ready[SDEI_MAX_VCPUS];

/* Written by the host, or by another vCPU */
static uint64_t guest_mpidr[SDEI_MAX_VCPUS];
static bool guest_go;

static void guest_count_handler(struct sdei_frame *frame)
{
	uint32_t me = guest_get_vcpuid();

	WRITE_ONCE(guest_last_event[me], frame->x[0]);
	WRITE_ONCE(guest_nr_handled[me], guest_nr_handled[me] + 1);
}

static uint64_t guest_handled(void)
{
	return READ_ONCE(guest_nr_handled[guest_get_vcpuid()]);
}

static void guest_set_ready(void)
{
	WRITE_ONCE(guest_ready[guest_get_vcpuid()], true);
}

static void guest_setup_all(void)
{
	int i;

	sdei_guest_warm_up();
	for (i = 0; i < ARRAY_SIZE(all_events); i++)
		sdei_guest_setup(all_events[i], 0, guest_count_handler);
}

static int64_t guest_signal(unsigned int vcpu)
{
	return sdei_call(SDEI_EVENT_SIGNAL, EV_SOFT, guest_mpidr[vcpu]);
}

static int64_t guest_psci(uint32_t fn, uint64_t arg0, uint64_t arg1, uint64_t arg2)
{
	const uint64_t args[5] = { arg0, arg1, arg2 };

	return __sdei_call(fn, args);
}

static void host_create(struct sdei_vm *svm, unsigned int nr_vcpus,
			enum sdei_conduit conduit, void *guest_code)
{
	unsigned int i;

	sdei_vm_create(svm, nr_vcpus, conduit, guest_code);
	for (i = 0; i < nr_vcpus; i++)
		guest_ptr(svm, guest_mpidr)[0][i] = svm->mpidr[i];
}

static uint64_t host_handled(struct sdei_vm *svm, unsigned int vcpu)
{
	return READ_ONCE((*guest_ptr(svm, guest_nr_handled))[vcpu]);
}

static bool host_blocked(struct sdei_vm *svm, unsigned int vcpu)
{
	return sdei_vcpu_stat(svm, vcpu, "blocking");
}

static void host_wait_ready(struct sdei_vm *svm, unsigned int vcpu)
{
	host_wait_for(READ_ONCE((*guest_ptr(svm, guest_ready))[vcpu]));
}

static void host_go(struct sdei_vm *svm)
{
	WRITE_ONCE(*guest_ptr(svm, guest_go), true);
}

static void host_join(pthread_t thread)
{
	TEST_ASSERT(!pthread_join(thread, NULL), "pthread_join() failed");
}

/* An interrupt of a vCPU without a vGIC */
static void host_irq(struct sdei_vm *svm, unsigned int vcpu, bool level)
{
	kvm_irq_line(svm->vm, KVM_ARM_IRQ_TYPE_CPU << KVM_ARM_IRQ_TYPE_SHIFT |
		     vcpu << KVM_ARM_IRQ_VCPU_SHIFT | KVM_ARM_IRQ_CPU_IRQ, level);
}

/*
 * A vCPU that spins, and never exits by itself
 */

static void guest_spin(void)
{
	uint64_t nr;

	guest_setup_all();
	GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
	guest_set_ready();

	for (nr = 1; nr <= ARRAY_SIZE(all_events); nr++) {
		while (guest_handled() < nr)
			cpu_relax();
	}
	GUEST_DONE();
}

/* Defect 5 */
TEST_F(sdei_smp, event_reaches_a_spinning_vcpu)
{
	struct sdei_vm svm;
	pthread_t thread;
	int i;

	host_create(&svm, 1, variant->conduit, guest_spin);
	sdei_run_thread(&svm, 0, &thread);
	host_wait_ready(&svm, 0);

	for (i = 0; i < ARRAY_SIZE(all_events); i++) {
		sdei_inject(&svm, 0, all_events[i]);
		host_wait_for(host_handled(&svm, 0) == i + 1);
		TEST_ASSERT_EQ(READ_ONCE((*guest_ptr(&svm, guest_last_event))[0]),
			       all_events[i]);
	}

	host_join(thread);
	TEST_ASSERT_EQ(host_handled(&svm, 0), ARRAY_SIZE(all_events));
	sdei_vm_free(&svm);
}

/*
 * A vCPU that sleeps, with interrupts masked
 *
 * A WFI that meets a pending interrupt of the host's completes at once, without
 * a trap: guests repeat it until there is what they wait for. One that KVM has
 * trapped, or a CPU_SUSPEND, ends for a reason of the guest's only.
 */

#define SLEEP_WFI	0
#define SLEEP_WFIT	1
#define SLEEP_SUSPEND	2

static int guest_sleep_kind;

static bool guest_has_wfxt(void)
{
	return read_sysreg_s(SYS_ID_AA64ISAR2_EL1) & 0xf;
}

static void guest_sleep(uint64_t deadline)
{
	register uint64_t x0 asm("x0") = deadline;

	switch (guest_sleep_kind) {
	case SLEEP_WFIT:
		/* WFIT x0 */
		asm volatile(".inst 0xd5031020" : : "r" (x0) : "memory");
		break;
	case SLEEP_SUSPEND:
		/* Standby */
		GUEST_ASSERT_EQ(guest_psci(PSCI_0_2_FN64_CPU_SUSPEND, 0, 0, 0), 0);
		break;
	default:
		wfi();
	}
}

static void guest_sleeper(void)
{
	uint64_t nr;

	if (guest_sleep_kind == SLEEP_WFIT && !guest_has_wfxt())
		GUEST_DONE();

	guest_setup_all();
	GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
	guest_set_ready();

	for (nr = 1; nr <= 10 * ARRAY_SIZE(all_events); nr++) {
		do {
			guest_sleep(-1ull >> 8);
		} while (guest_sleep_kind != SLEEP_SUSPEND && guest_handled() < nr);
		/* Nothing else is there to end the sleep. */
		GUEST_ASSERT_EQ(guest_handled(), nr);
		GUEST_ASSERT_EQ(read_sysreg(isr_el1), 0);
	}

	/* All of it is kept. */
	for (nr = 0; nr < ARRAY_SIZE(all_events); nr++)
		GUEST_ASSERT_STATUS(all_events[nr], SDEI_REGISTERED | SDEI_ENABLED);
	GUEST_ASSERT_CALL(1, SDEI_PE_MASK);
	GUEST_DONE();
}

/* False if it cannot sleep that way here */
static bool host_wake_sleeper(enum sdei_conduit conduit, int kind, bool vgic)
{
	struct sdei_vm svm;
	pthread_t thread;
	int i, gic = -1;
	uint64_t isar2;

	host_create(&svm, 1, conduit, guest_sleeper);
	if (vgic) {
		gic = vgic_v3_setup(svm.vm, 1, 64);
		if (gic < 0)
			return false;
	}
	isar2 = sdei_get_reg(svm.vcpu[0], KVM_ARM64_SYS_REG(SYS_ID_AA64ISAR2_EL1));
	if (kind == SLEEP_WFIT && !(isar2 & 0xf))
		return false;

	write_guest_global(svm.vm, guest_sleep_kind, kind);
	sdei_run_thread(&svm, 0, &thread);
	host_wait_ready(&svm, 0);

	for (i = 0; i < 10 * ARRAY_SIZE(all_events); i++) {
		host_wait_for(host_blocked(&svm, 0));
		sdei_inject(&svm, 0, all_events[i % ARRAY_SIZE(all_events)]);
		host_wait_for(host_handled(&svm, 0) == i + 1);
	}

	host_join(thread);
	if (vgic)
		close(gic);
	sdei_vm_free(&svm);
	return true;
}

/* Defect 5 */
TEST_F(sdei_smp, event_ends_wfi_and_wfit)
{
	TEST_ASSERT(host_wake_sleeper(variant->conduit, SLEEP_WFI, false), "No WFI");
	if (!host_wake_sleeper(variant->conduit, SLEEP_WFIT, false))
		ksft_print_msg("This CPU has no WFIT: tried WFI only.\n");
}

TEST_F(sdei_smp, event_ends_wfi_of_a_vcpu_with_a_vgic)
{
	if (!host_wake_sleeper(variant->conduit, SLEEP_WFI, true))
		SKIP(return, "no vGICv3");
}

/* Defect 5 */
TEST_F(sdei_smp, event_ends_cpu_suspend)
{
	TEST_ASSERT(host_wake_sleeper(variant->conduit, SLEEP_SUSPEND, false),
		    "No CPU_SUSPEND");
}

static void guest_sleeping_handler(struct sdei_frame *frame)
{
	guest_count_handler(frame);
	if (frame->x[0] != EV_NORMAL)
		return;

	guest_set_ready();
	while (guest_handled() < 2)
		wfi();
	GUEST_ASSERT_EQ(guest_handled(), 2);
	GUEST_ASSERT_EQ(guest_last_event[0], EV_CRITICAL);
}

static void guest_sleeps_in_handler(void)
{
	sdei_guest_setup(EV_NORMAL, 0, guest_sleeping_handler);
	sdei_guest_setup(EV_CRITICAL, 0, guest_sleeping_handler);
	GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
	sdei_guest_trigger(EV_NORMAL);
	GUEST_ASSERT_EQ(guest_handled(), 2);
	GUEST_DONE();
}

TEST_F(sdei_smp, critical_event_ends_wfi_in_a_normal_handler)
{
	struct sdei_vm svm;
	pthread_t thread;

	host_create(&svm, 1, variant->conduit, guest_sleeps_in_handler);
	sdei_run_thread(&svm, 0, &thread);
	host_wait_ready(&svm, 0);
	host_wait_for(host_blocked(&svm, 0));
	sdei_inject(&svm, 0, EV_CRITICAL);
	host_join(thread);
	sdei_vm_free(&svm);
}

/* What keeps the event of the sleeper from being delivered */
enum held_by {
	HELD_BY_MASK,
	HELD_BY_DISABLE,
	HELD_BY_HANDLER,
	NR_HELD_BY,
};

static enum held_by guest_held_by;
static bool guest_pending_before;
/* The event that is held */
static uint64_t guest_held_event;

static void guest_sleep_held(void)
{
	if (guest_pending_before)
		sdei_guest_trigger(guest_held_event);
	guest_set_ready();
	do {
		guest_sleep(-1ull >> 8);
	} while (guest_sleep_kind != SLEEP_SUSPEND && !read_sysreg(isr_el1));
	/* Only the interrupt, which the VMM raises later, may have ended it. */
	GUEST_ASSERT_EQ(read_sysreg(isr_el1), ISR_EL1_I);
}

static void guest_held_handler(struct sdei_frame *frame)
{
	uint32_t me = guest_get_vcpuid();

	if (guest_held_by == HELD_BY_HANDLER && !guest_nr_handled[me]) {
		guest_nr_handled[me]++;
		guest_sleep_held();
		GUEST_ASSERT_EQ(guest_nr_handled[me], 1);
	} else {
		guest_count_handler(frame);
	}
}

static void guest_held_sleeper(void)
{
	sdei_guest_setup(guest_held_event, 0, guest_held_handler);

	switch (guest_held_by) {
	case HELD_BY_MASK:
		guest_sleep_held();
		GUEST_ASSERT_EQ(guest_handled(), 0);
		GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
		GUEST_ASSERT_EQ(guest_handled(), 1);
		break;
	case HELD_BY_DISABLE:
		GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
		GUEST_ASSERT_CALL(0, SDEI_EVENT_DISABLE, guest_held_event);
		guest_sleep_held();
		GUEST_ASSERT_EQ(guest_handled(), 0);
		GUEST_ASSERT_CALL(0, SDEI_EVENT_ENABLE, guest_held_event);
		GUEST_ASSERT_EQ(guest_handled(), 1);
		break;
	case HELD_BY_HANDLER:
		GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
		sdei_guest_trigger(guest_held_event);
		/* The handler slept, and ran once more after its completion. */
		GUEST_ASSERT_EQ(guest_handled(), 2);
		break;
	default:
		GUEST_FAIL("Bad test");
	}
	GUEST_DONE();
}

static void host_held_sleeper(enum sdei_conduit conduit, int kind,
			      enum held_by held_by, bool before, uint64_t event)
{
	struct sdei_vm svm;
	pthread_t thread;
	int i;

	host_create(&svm, 1, conduit, guest_held_sleeper);
	write_guest_global(svm.vm, guest_sleep_kind, kind);
	write_guest_global(svm.vm, guest_held_by, held_by);
	write_guest_global(svm.vm, guest_pending_before, before);
	write_guest_global(svm.vm, guest_held_event, event);
	sdei_run_thread(&svm, 0, &thread);
	host_wait_ready(&svm, 0);

	/*
	 * Should the event end the sleep, the guest finds no interrupt pending,
	 * and goes to sleep once more if that was a WFI. A first event that ends
	 * it may lose the race against the interrupt below; a hundred of them,
	 * each of a vCPU found asleep, do not.
	 */
	for (i = 0; i < 100; i++) {
		host_wait_for(host_blocked(&svm, 0));
		sdei_inject(&svm, 0, event);
	}
	host_wait_for(host_blocked(&svm, 0));

	/*
	 * The last event's kick makes the vCPU's thread look once more, and so
	 * it passes vcpu_load(), which may undo what is done to the line (a bit
	 * of hcr_el2) at that moment. Nothing happens if the line is up.
	 */
	while (pthread_tryjoin_np(thread, NULL)) {
		host_irq(&svm, 0, true);
		sched_yield();
	}
	TEST_ASSERT_EQ(sdei_vcpu_stat(&svm, 0, "wfi_exit_stat"), kind == SLEEP_WFI);
	sdei_vm_free(&svm);
}

static void host_held_sleepers(enum sdei_conduit conduit, int kind)
{
	enum held_by held_by;
	int before;

	for (held_by = 0; held_by < NR_HELD_BY; held_by++) {
		for (before = 0; before < 2; before++) {
			host_held_sleeper(conduit, kind, held_by, before, EV_SOFT);
			host_held_sleeper(conduit, kind, held_by, before, EV_CRITICAL);
		}
	}
}

TEST_F(sdei_smp, event_that_cannot_be_delivered_does_not_end_wfi)
{
	host_held_sleepers(variant->conduit, SLEEP_WFI);
}

TEST_F(sdei_smp, event_that_cannot_be_delivered_does_not_end_cpu_suspend)
{
	host_held_sleepers(variant->conduit, SLEEP_SUSPEND);
}

/*
 * Each event is acknowledged before the next one is injected, and a vCPU that
 * misses one sleeps for ever.
 */
static void guest_race(void)
{
	guest_setup_all();
	GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
	guest_set_ready();

	/* Go is set by the host behind the last round, with an event to follow. */
	while (!READ_ONCE(guest_go))
		wfi();
	GUEST_DONE();
}

/* Defect 5 */
TEST_F(sdei_smp, no_wake_up_is_lost)
{
	struct sdei_vm svm;
	pthread_t thread;
	uint64_t i;

	host_create(&svm, 1, variant->conduit, guest_race);
	sdei_run_thread(&svm, 0, &thread);
	host_wait_ready(&svm, 0);

	for (i = 0; i < NR_ROUNDS; i++) {
		sdei_inject(&svm, 0, all_events[i % ARRAY_SIZE(all_events)]);
		host_wait_for(host_handled(&svm, 0) == i + 1);
	}

	/* The vCPU sleeps, or is on its way to sleep or to the end. */
	host_go(&svm);
	while (pthread_tryjoin_np(thread, NULL)) {
		sdei_inject(&svm, 0, EV_NORMAL);
		sched_yield();
	}
	sdei_vm_free(&svm);
}

/*
 * Arms and disarms its events while the VMM injects. Handlers may only run
 * while they are armed.
 */
static bool guest_armed;

static void guest_armed_handler(struct sdei_frame *frame)
{
	GUEST_ASSERT(READ_ONCE(guest_armed));
	guest_count_handler(frame);
}

static void guest_arm_and_disarm(void)
{
	uint64_t nr;
	int i, round;

	guest_set_ready();

	for (round = 0; round < NR_ROUNDS / 10; round++) {
		for (i = 0; i < ARRAY_SIZE(all_events); i++) {
			GUEST_ASSERT_STATUS(all_events[i], 0);
			sdei_guest_setup(all_events[i], 0, guest_armed_handler);
		}

		nr = guest_handled();
		WRITE_ONCE(guest_armed, true);
		GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
		while (guest_handled() < nr + 3)
			cpu_relax();
		GUEST_ASSERT_CALL(1, SDEI_PE_MASK);
		WRITE_ONCE(guest_armed, false);

		if (round & 1) {
			GUEST_ASSERT_CALL(0, SDEI_PRIVATE_RESET);
		} else {
			for (i = 0; i < ARRAY_SIZE(all_events); i++)
				GUEST_ASSERT_CALL(0, SDEI_EVENT_UNREGISTER, all_events[i]);
		}
	}
	GUEST_DONE();
}

TEST_F(sdei_smp, injecting_at_any_time_delivers_to_armed_handlers_only)
{
	struct sdei_vm svm;
	pthread_t thread;
	unsigned int i;
	int ret;

	host_create(&svm, 1, variant->conduit, guest_arm_and_disarm);
	sdei_run_thread(&svm, 0, &thread);
	host_wait_ready(&svm, 0);

	for (i = 0; pthread_tryjoin_np(thread, NULL); i++) {
		ret = __sdei_inject(svm.vm, svm.mpidr[0],
				    all_events[i % ARRAY_SIZE(all_events)]);
		TEST_ASSERT(!ret || ret == -ENOTCONN, "Injecting: %s", strerror(-ret));
		/* Without a pause, each entry to a slow guest is cut short by the next. */
		usleep(i % 100);
	}
	sdei_vm_free(&svm);
}

/*
 * More than one vCPU
 */

/* The other vCPUs wait in the VMM, at stage 1; what they do next is the test's. */
static void guest_wait_in_vmm(void)
{
	uint32_t me = guest_get_vcpuid();

	guest_setup_all();
	GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
	GUEST_SYNC(1);
	GUEST_ASSERT_EQ(guest_handled(), me == 1);
	GUEST_ASSERT_EQ(guest_last_event[me], EV_SOFT);
	GUEST_DONE();
}

static void guest_signal_vcpu_1(void)
{
	guest_setup_all();
	GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
	GUEST_ASSERT_EQ(guest_signal(1), 0);
	/* This one is not for us, nor is it vCPU 2's. */
	GUEST_ASSERT_EQ(guest_handled(), 0);
	GUEST_SYNC(1);
	GUEST_ASSERT_EQ(guest_handled(), 0);
	GUEST_DONE();
}

/* Defect 6. The target sits in the VMM meanwhile. */
TEST_F(sdei_smp, signal_reaches_its_target_only)
{
	struct sdei_vm svm;

	host_create(&svm, 3, variant->conduit, guest_wait_in_vmm);
	vcpu_arch_set_entry_point(svm.vcpu[0], guest_signal_vcpu_1);

	TEST_ASSERT_EQ(sdei_run(&svm, 1), 1);
	TEST_ASSERT_EQ(sdei_run(&svm, 2), 1);
	TEST_ASSERT_EQ(sdei_run(&svm, 0), 1);
	TEST_ASSERT_EQ(host_handled(&svm, 1), 0);
	TEST_ASSERT_EQ(sdei_run(&svm, 1), SDEI_STAGE_DONE);
	TEST_ASSERT_EQ(sdei_run(&svm, 2), SDEI_STAGE_DONE);
	TEST_ASSERT_EQ(sdei_run(&svm, 0), SDEI_STAGE_DONE);
	TEST_ASSERT_EQ(host_handled(&svm, 1), 1);
	TEST_ASSERT_EQ(host_handled(&svm, 2), 0);
	sdei_vm_free(&svm);
}

static void guest_private_state(void)
{
	int i;

	if (guest_get_vcpuid() == 0) {
		guest_setup_all();
		GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
		GUEST_SYNC(1);
		/* vCPU 1 has reset its events and masked itself: not these. */
		for (i = 0; i < ARRAY_SIZE(all_events); i++)
			GUEST_ASSERT_STATUS(all_events[i], SDEI_REGISTERED | SDEI_ENABLED);
		GUEST_ASSERT_CALL(1, SDEI_PE_MASK);
	} else {
		for (i = 0; i < ARRAY_SIZE(all_events); i++)
			GUEST_ASSERT_STATUS(all_events[i], 0);
		GUEST_ASSERT_CALL(0, SDEI_PE_MASK);
		GUEST_ASSERT_EQ(sdei_register(EV_SOFT, 0), 0);
		GUEST_ASSERT_STATUS(EV_SOFT, SDEI_REGISTERED);
		GUEST_ASSERT_CALL(SDEI_DENIED, SDEI_EVENT_ENABLE, EV_NORMAL);
		GUEST_ASSERT_CALL(0, SDEI_PRIVATE_RESET);
		GUEST_ASSERT_CALL(0, SDEI_PE_MASK);
	}
	GUEST_DONE();
}

TEST_F(sdei_smp, private_events_and_mask_belong_to_one_pe)
{
	struct sdei_vm svm;

	host_create(&svm, 2, variant->conduit, guest_private_state);
	TEST_ASSERT_EQ(sdei_run(&svm, 0), 1);
	TEST_ASSERT_EQ(sdei_run(&svm, 1), SDEI_STAGE_DONE);
	TEST_ASSERT_EQ(sdei_run(&svm, 0), SDEI_STAGE_DONE);
	sdei_vm_free(&svm);
}

static void guest_signal_unready(void)
{
	/* Raw MPIDR_EL1 values, as Linux passes them */
	GUEST_ASSERT(guest_mpidr[1] & BIT(31));
	GUEST_ASSERT_EQ(guest_signal(1), 0);
	GUEST_ASSERT_EQ(guest_signal(1), 0);
	/* It neither turns a PE on, */
	GUEST_SYNC(guest_psci(PSCI_0_2_FN64_AFFINITY_INFO, guest_mpidr[1] & MPIDR_HWID, 0, 0));
	GUEST_DONE();
}

static void guest_was_unready(void)
{
	guest_setup_all();
	GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
	/* nor is it kept for later. */
	GUEST_ASSERT_EQ(guest_handled(), 0);
	GUEST_SYNC(1);
	GUEST_ASSERT_EQ(guest_handled(), 0);
	GUEST_DONE();
}

static void host_signal_unready(enum sdei_conduit conduit, bool off)
{
	struct kvm_mp_state stopped = { .mp_state = KVM_MP_STATE_STOPPED };
	struct kvm_mp_state runnable = { .mp_state = KVM_MP_STATE_RUNNABLE };
	struct sdei_vm svm;

	host_create(&svm, 2, conduit, guest_signal_unready);
	vcpu_arch_set_entry_point(svm.vcpu[1], guest_was_unready);
	if (off)
		vcpu_mp_state_set(svm.vcpu[1], &stopped);

	TEST_ASSERT_EQ(__sdei_inject(svm.vm, svm.mpidr[1], EV_NORMAL), -ENOTCONN);
	TEST_ASSERT_EQ(sdei_run(&svm, 0), off ? PSCI_0_2_AFFINITY_LEVEL_OFF :
						PSCI_0_2_AFFINITY_LEVEL_ON);
	TEST_ASSERT_EQ(sdei_run(&svm, 0), SDEI_STAGE_DONE);

	vcpu_mp_state_set(svm.vcpu[1], &runnable);
	TEST_ASSERT_EQ(sdei_run(&svm, 1), 1);
	TEST_ASSERT_EQ(sdei_run(&svm, 1), SDEI_STAGE_DONE);
	sdei_vm_free(&svm);
}

TEST_F(sdei_smp, signal_to_a_pe_that_never_ran_is_forgotten)
{
	host_signal_unready(variant->conduit, false);
}

TEST_F(sdei_smp, signal_to_a_pe_that_is_off_is_forgotten)
{
	host_signal_unready(variant->conduit, true);
}

/*
 * Two vCPUs signal each other in turn. What one has stored before its signal
 * is what the other sees in its handler.
 */
static uint64_t guest_payload[SDEI_MAX_VCPUS];

static void guest_ping_pong_handler(struct sdei_frame *frame)
{
	uint32_t me = guest_get_vcpuid();

	guest_count_handler(frame);
	GUEST_ASSERT_EQ(READ_ONCE(guest_payload[!me]), guest_nr_handled[me]);
}

static void guest_ping_pong(void)
{
	uint32_t me = guest_get_vcpuid();
	uint64_t i;

	sdei_guest_setup(EV_SOFT, 0, guest_ping_pong_handler);
	GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
	guest_set_ready();
	while (!READ_ONCE(guest_ready[!me]))
		cpu_relax();

	for (i = 1; i <= NR_SPIN_ROUNDS; i++) {
		if (me == 1) {
			while (guest_handled() < i)
				cpu_relax();
		}
		WRITE_ONCE(guest_payload[me], i);
		GUEST_ASSERT_EQ(guest_signal(!me), 0);
		if (me == 0) {
			while (guest_handled() < i)
				cpu_relax();
		}
	}
	GUEST_DONE();
}

TEST_F(sdei_smp, vcpus_signal_each_other_with_their_stores_visible)
{
	pthread_t threads[2];
	struct sdei_vm svm;
	int i;

	host_create(&svm, 2, variant->conduit, guest_ping_pong);
	for (i = 0; i < 2; i++)
		sdei_run_thread(&svm, i, &threads[i]);
	for (i = 0; i < 2; i++)
		host_join(threads[i]);
	TEST_ASSERT_EQ(host_handled(&svm, 0), NR_SPIN_ROUNDS);
	TEST_ASSERT_EQ(host_handled(&svm, 1), NR_SPIN_ROUNDS);
	sdei_vm_free(&svm);
}

static void guest_signal_sleeper(void)
{
	uint32_t me = guest_get_vcpuid();
	uint64_t i;

	if (me == 1) {
		guest_setup_all();
		GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
		guest_set_ready();
		/* The last signal is repeated until this has ended. */
		while (guest_handled() < (NR_ROUNDS / 4))
			wfi();
		WRITE_ONCE(guest_go, true);
		GUEST_DONE();
	}

	while (!READ_ONCE(guest_ready[1]))
		cpu_relax();
	for (i = 1; i <= (NR_ROUNDS / 4); i++) {
		GUEST_ASSERT_EQ(guest_signal(1), 0);
		while (READ_ONCE(guest_nr_handled[1]) < i)
			cpu_relax();
	}
	while (!READ_ONCE(guest_go))
		GUEST_ASSERT_EQ(guest_signal(1), 0);
	GUEST_DONE();
}

/* Defect 5, vCPU to vCPU */
TEST_F(sdei_smp, signal_wakes_another_vcpu_each_time)
{
	pthread_t threads[2];
	struct sdei_vm svm;
	int i;

	host_create(&svm, 2, variant->conduit, guest_signal_sleeper);
	for (i = 0; i < 2; i++)
		sdei_run_thread(&svm, i, &threads[i]);
	for (i = 0; i < 2; i++)
		host_join(threads[i]);
	sdei_vm_free(&svm);
}

/*
 * Stopped by a backtrace or panic: parked in the handler for good
 */

static void guest_park_handler(struct sdei_frame *frame)
{
	guest_set_ready();
	sdei_call(SDEI_PE_MASK);
	for (;;)
		wfi();
}

static void guest_parked(void)
{
	sdei_guest_setup(EV_SOFT, 0, guest_park_handler);
	sdei_guest_setup(EV_CRITICAL, 0, guest_park_handler);
	GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
	GUEST_ASSERT_EQ(sdei_signal_self(), 0);
	GUEST_FAIL("The handler should not have returned");
}

static void guest_beside_parked(void)
{
	int i, round;

	while (!READ_ONCE(guest_ready[1]))
		cpu_relax();

	for (round = 0; round < 10; round++) {
		/* To the parked one: accepted, and without effect */
		GUEST_ASSERT_EQ(guest_signal(1), 0);
		guest_setup_all();
		GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
		for (i = 0; i < ARRAY_SIZE(all_events); i++)
			sdei_guest_trigger(all_events[i]);
		GUEST_ASSERT_EQ(guest_handled(), (round + 1) * ARRAY_SIZE(all_events));
		GUEST_ASSERT_CALL(1, SDEI_PE_MASK);
		GUEST_ASSERT_CALL(0, SDEI_SHARED_RESET);
		GUEST_ASSERT_CALL(0, SDEI_PRIVATE_RESET);
	}
	GUEST_DONE();
}

TEST_F(sdei_smp, vcpu_parked_in_its_handler_holds_up_nobody)
{
	struct sdei_vm svm;
	pthread_t thread;
	int i;

	host_create(&svm, 2, variant->conduit, guest_beside_parked);
	vcpu_arch_set_entry_point(svm.vcpu[1], guest_parked);
	sdei_run_thread(&svm, 1, &thread);
	host_wait_for(host_blocked(&svm, 1));
	for (i = 0; i < 10; i++)
		sdei_inject(&svm, 1, EV_CRITICAL);
	TEST_ASSERT_EQ(sdei_run(&svm, 0), SDEI_STAGE_DONE);
	host_wait_for(host_blocked(&svm, 1));
	/* vCPU 1's thread ends with this process. */
}

/*
 * PSCI
 */

static void guest_psci_handler(struct sdei_frame *frame)
{
	uint64_t self = sdei_guest_mpidr() & MPIDR_HWID;

	guest_nr_handled[0]++;
	GUEST_ASSERT_EQ(guest_psci(PSCI_0_2_FN_PSCI_VERSION, 0, 0, 0) >> 16, 1);
	GUEST_ASSERT_EQ(guest_psci(PSCI_0_2_FN64_AFFINITY_INFO, self, 0, 0),
			PSCI_0_2_AFFINITY_LEVEL_ON);
	GUEST_ASSERT_EQ(guest_psci(PSCI_1_0_FN_PSCI_FEATURES, PSCI_0_2_FN64_CPU_ON, 0, 0), 0);
	GUEST_ASSERT_EQ(guest_psci(PSCI_0_2_FN64_CPU_ON, self, 0, 0),
			PSCI_RET_ALREADY_ON);
	GUEST_ASSERT_EQ(guest_psci(PSCI_0_2_FN64_CPU_ON, guest_mpidr[1] & MPIDR_HWID,
				   sdei_cpu_on_pa[1], sdei_cpu_on_context_pa[1]), 0);
	GUEST_ASSERT_STATUS(frame->x[0], SDEI_REGISTERED | SDEI_ENABLED | SDEI_RUNNING);
}

static void guest_psci_in_handlers(void)
{
	sdei_guest_setup(EV_NORMAL, 0, guest_psci_handler);
	GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
	sdei_guest_trigger(EV_NORMAL);
	GUEST_ASSERT_EQ(guest_nr_handled[0], 1);
	GUEST_DONE();
}

static void guest_turned_on(void)
{
	guest_set_ready();
	GUEST_DONE();
}

TEST_F(sdei_smp, psci_calls_work_in_handlers)
{
	struct kvm_mp_state stopped = { .mp_state = KVM_MP_STATE_STOPPED };
	struct sdei_vm svm;
	pthread_t thread;

	host_create(&svm, 2, variant->conduit, guest_psci_in_handlers);
	sdei_prepare_cpu_on(&svm, 1, guest_turned_on);
	vcpu_mp_state_set(svm.vcpu[1], &stopped);
	sdei_run_thread(&svm, 1, &thread);
	TEST_ASSERT_EQ(sdei_run(&svm, 0), SDEI_STAGE_DONE);
	host_join(thread);
	sdei_vm_free(&svm);
}

static uint32_t guest_system_call;

static void guest_system_handler(struct sdei_frame *frame)
{
	guest_psci(guest_system_call, 0, 0, 0);
	GUEST_FAIL("The system is still on");
}

static void guest_system(void)
{
	sdei_guest_setup(EV_SOFT, 0, guest_system_handler);
	sdei_guest_setup(EV_CRITICAL, 0, guest_system_handler);
	GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
	GUEST_ASSERT_EQ(sdei_signal_self(), 0);
	GUEST_FAIL("The handler should not have returned");
}

static void guest_check_fresh(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(all_events); i++)
		GUEST_ASSERT_STATUS(all_events[i], 0);
	GUEST_ASSERT_CALL(0, SDEI_PE_MASK);
	GUEST_ASSERT_CALL(SDEI_DENIED, SDEI_EVENT_CONTEXT, 0);
	GUEST_ASSERT_CALL(SDEI_DENIED, SDEI_EVENT_COMPLETE);
	GUEST_ASSERT_CALL(SDEI_DENIED, SDEI_EVENT_COMPLETE_AND_RESUME, 0);

	/* Nothing is pending, and normal events are not held back by a handler. */
	guest_nr_handled[guest_get_vcpuid()] = 0;
	guest_setup_all();
	GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
	GUEST_ASSERT_EQ(guest_handled(), 0);
	for (i = 0; i < ARRAY_SIZE(all_events); i++)
		sdei_guest_trigger(all_events[i]);
	GUEST_ASSERT_EQ(guest_handled(), ARRAY_SIZE(all_events));
	GUEST_DONE();
}

/* Defect 7: the VMM resets the vCPU, as it does after SYSTEM_RESET. */
static void host_system_call(enum sdei_conduit conduit, uint32_t fn, uint32_t type)
{
	struct kvm_vcpu_init init;
	struct sdei_vm svm;
	uint64_t sp;
	int ret;

	host_create(&svm, 1, conduit, guest_system);
	init = sdei_vcpu_init(svm.vm);
	write_guest_global(svm.vm, guest_system_call, fn);
	sp = sdei_get_reg(svm.vcpu[0], ARM64_CORE_REG(sp_el1));

	vcpu_run(svm.vcpu[0]);
	TEST_ASSERT_KVM_EXIT_REASON(svm.vcpu[0], KVM_EXIT_SYSTEM_EVENT);
	TEST_ASSERT_EQ(svm.vcpu[0]->run->system_event.type, type);

	/* If it still counts as registered, that does not outlast the reset. */
	ret = __sdei_inject(svm.vm, svm.mpidr[0], EV_CRITICAL);
	TEST_ASSERT(!ret || ret == -ENOTCONN, "Injecting: %s", strerror(-ret));

	aarch64_vcpu_setup(svm.vcpu[0], &init);
	vcpu_init_descriptor_tables(svm.vcpu[0]);
	vcpu_set_reg(svm.vcpu[0], ARM64_CORE_REG(sp_el1), sp);
	vcpu_arch_set_entry_point(svm.vcpu[0], guest_check_fresh);
	TEST_ASSERT_EQ(__sdei_inject(svm.vm, svm.mpidr[0], EV_CRITICAL), -ENOTCONN);
	TEST_ASSERT_EQ(sdei_run(&svm, 0), SDEI_STAGE_DONE);
	sdei_vm_free(&svm);
}

TEST_F(sdei_smp, system_reset_in_a_handler_and_vcpu_init_leave_nothing_behind)
{
	host_system_call(variant->conduit, PSCI_0_2_FN_SYSTEM_RESET, KVM_SYSTEM_EVENT_RESET);
}

TEST_F(sdei_smp, system_off_in_a_handler_and_vcpu_init_leave_nothing_behind)
{
	host_system_call(variant->conduit, PSCI_0_2_FN_SYSTEM_OFF, KVM_SYSTEM_EVENT_SHUTDOWN);
}

static bool guest_off_in_handlers;

static void guest_cpu_off(void)
{
	guest_psci(PSCI_0_2_FN_CPU_OFF, 0, 0, 0);
	GUEST_FAIL("CPU_OFF should not have returned");
}

static void guest_cpu_off_handler(struct sdei_frame *frame)
{
	if (frame->x[0] == EV_NORMAL)
		sdei_guest_trigger(EV_CRITICAL);

	/* In the critical one: leave one of each kind pending, too. */
	sdei_guest_trigger(EV_NORMAL);
	sdei_guest_trigger(EV_CRITICAL);
	sdei_guest_trigger(EV_SOFT);
	guest_cpu_off();
}

static void guest_turns_off(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(all_events); i++)
		sdei_guest_setup(all_events[i], 0, guest_cpu_off_handler);

	if (guest_off_in_handlers) {
		GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
		sdei_guest_trigger(EV_NORMAL);
	} else {
		/* Enabled and pending, but masked; then the mask is lifted. */
		GUEST_ASSERT_CALL(0, SDEI_EVENT_DISABLE, EV_NORMAL);
		sdei_guest_trigger(EV_NORMAL);
		GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
		guest_cpu_off();
	}
	GUEST_FAIL("The handler should not have returned");
}

static void guest_turns_on(void)
{
	uint64_t target = guest_mpidr[1] & MPIDR_HWID;

	while (guest_psci(PSCI_0_2_FN64_AFFINITY_INFO, target, 0, 0) !=
	       PSCI_0_2_AFFINITY_LEVEL_OFF)
		cpu_relax();

	/* Forgotten, and no reason to turn it on */
	GUEST_ASSERT_EQ(guest_signal(1), 0);
	GUEST_ASSERT_EQ(guest_psci(PSCI_0_2_FN64_AFFINITY_INFO, target, 0, 0),
			PSCI_0_2_AFFINITY_LEVEL_OFF);
	GUEST_SYNC(1);
	GUEST_ASSERT_EQ(guest_psci(PSCI_0_2_FN64_CPU_ON, target,
				   sdei_cpu_on_pa[1], sdei_cpu_on_context_pa[1]), 0);
	GUEST_DONE();
}

static void host_cpu_off(enum sdei_conduit conduit, bool in_handlers)
{
	struct sdei_vm svm;
	pthread_t thread;

	host_create(&svm, 2, conduit, guest_turns_on);
	vcpu_arch_set_entry_point(svm.vcpu[1], guest_turns_off);
	write_guest_global(svm.vm, guest_off_in_handlers, in_handlers);
	sdei_prepare_cpu_on(&svm, 1, guest_check_fresh);

	sdei_run_thread(&svm, 1, &thread);
	TEST_ASSERT_EQ(sdei_run(&svm, 0), 1);
	TEST_ASSERT_EQ(__sdei_inject(svm.vm, svm.mpidr[1], EV_CRITICAL), -ENOTCONN);
	TEST_ASSERT_EQ(sdei_run(&svm, 0), SDEI_STAGE_DONE);
	host_join(thread);
	sdei_vm_free(&svm);
}

/* Defect 7 */
TEST_F(sdei_smp, cpu_off_in_nested_handlers_leaves_nothing_behind)
{
	host_cpu_off(variant->conduit, true);
}

TEST_F(sdei_smp, cpu_off_outside_handlers_leaves_nothing_behind)
{
	host_cpu_off(variant->conduit, false);
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_ARM_SDEI));

	return test_harness_run(argc, argv);
}
