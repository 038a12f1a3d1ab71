// SPDX-License-Identifier: GPL-2.0-only
/*
 * sdei_inkernel - kvm_sdei_inject_event(), kvm_sdei_inject_event_now() and
 *		   kvm_sdei_cancel_event(), as code within KVM uses them.
 *
 * Calls them by way of a module, kvm_sdei_test.ko, which is not part of the
 * kernel, and has to lie beside this program. The functions are not exported:
 * the module gets their addresses, which take root to read.
 *
 * Only delivery depends on the conduit, and only insofar as what is queued
 * differs, so all tests are run with both.
 */

#include <fcntl.h>
#include <libgen.h>
#include <linux/limits.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kvm_util.h"
#include "processor.h"
#include "sdei.h"
#include "test_util.h"

#include "kvm_test_harness.h"

#define MODULE		"kvm_sdei_test"

/* How often a race is run */
#define NR_ROUNDS	2000

/* Slow kernels on busy machines are no failure: somebody else has the time-out. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	3600

/* Neither is exposed, the second one can't be */
static const uint32_t unknown_events[] = {
	1, 0x3fffffff, 0x40000000, 0x40000004, EV_ASYNC_PF, 0x80000000, 0xffffffff,
};

static const uint64_t all_events[] = {
	[SLOT_SOFT] = EV_SOFT,
	[SLOT_CRITICAL] = EV_CRITICAL,
	[SLOT_NORMAL] = EV_NORMAL,
	[SLOT_CRITICAL_2] = EV_CRITICAL_2,
	[SLOT_NORMAL_2] = EV_NORMAL_2,
};

static bool is_critical(int slot)
{
	return slot == SLOT_CRITICAL || slot == SLOT_CRITICAL_2;
}

SDEI_CONDUIT_FIXTURE(sdei_inkernel)

/*
 * The module
 */

static int module_fd;

/* What the function returned: 0 or a negative error number */
static int in_kernel(const char *op, int vcpu_fd, uint32_t event)
{
	char line[64];
	int len, ret;

	len = snprintf(line, sizeof(line), "%s %d 0x%x", op, vcpu_fd, event);
	ret = write(module_fd, line, len);
	if (ret < 0)
		return -errno;
	TEST_ASSERT_EQ(ret, len);
	return 0;
}

#define inject(p, event)	in_kernel("inject", (p)->vcpu->fd, event)
#define inject_now(p, event)	in_kernel("inject_now", (p)->vcpu->fd, event)
#define cancel(p, event)	in_kernel("cancel", (p)->vcpu->fd, event)

#define ASSERT_RET(want, call)						\
do {									\
	int __want = (want), __ret = (call);				\
									\
	TEST_ASSERT(__ret == __want, "%s: %d (%s), want %d (%s)", #call,\
		    __ret, strerror(-__ret), __want, strerror(-__want));\
} while (0)

/* The address of a kernel function; 0 if it is hidden or missing. */
static unsigned long kernel_address(const char *function)
{
	unsigned long addr, found = 0;
	char line[512], name[256];
	FILE *f;

	f = fopen("/proc/kallsyms", "r");
	if (!f)
		return 0;
	while (!found && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx %*c %255s", &addr, name) == 2 &&
		    !strcmp(name, function))
			found = addr;
	}
	fclose(f);
	return found;
}

/* Skips everything, and says why, if it can't be loaded here. */
static void load_module(void)
{
	unsigned long inject, inject_now, cancel;
	char exe[PATH_MAX] = "", path[PATH_MAX + 32], params[128];
	int fd;

	if (readlink("/proc/self/exe", exe, sizeof(exe) - 1) < 0)
		ksft_exit_skip("/proc/self/exe can't be read\n");
	snprintf(path, sizeof(path), "%s/" MODULE ".ko", dirname(exe));

	fd = open(path, O_RDONLY);
	if (fd < 0)
		ksft_exit_skip("%s, a module outside of the kernel tree, is not there\n", path);

	inject = kernel_address("kvm_sdei_inject_event");
	inject_now = kernel_address("kvm_sdei_inject_event_now");
	cancel = kernel_address("kvm_sdei_cancel_event");
	if (!inject || !inject_now || !cancel)
		ksft_exit_skip("/proc/kallsyms does not give the functions' addresses\n");

	snprintf(params, sizeof(params), "inject=0x%lx inject_now=0x%lx cancel=0x%lx",
		 inject, inject_now, cancel);
	if (syscall(__NR_finit_module, fd, params, 0) && errno != EEXIST)
		ksft_exit_fail_msg("%s can't be loaded: %s\n", path, strerror(errno));
	close(fd);

	module_fd = open("/dev/" MODULE, O_WRONLY);
	if (module_fd < 0)
		ksft_exit_fail_msg("/dev/" MODULE ": %s\n", strerror(errno));
}

/*
 * Puppets
 */

static void register_and_enable(struct puppet *p, uint64_t event)
{
	TEST_ASSERT_EQ(puppet_call(p, SDEI_EVENT_REGISTER, event,
				   puppet_text(p, PUPPET_ENTRY), 0), SDEI_SUCCESS);
	TEST_ASSERT_EQ(puppet_call(p, SDEI_EVENT_ENABLE, event), SDEI_SUCCESS);
}

/* At a place to go on from, with all events enabled and the PE unmasked */
static void create(struct puppet *p, struct puppet_regs *in, enum sdei_conduit conduit)
{
	int i;

	puppet_create(p, conduit);
	for (i = 0; i < NR_SLOTS; i++)
		register_and_enable(p, all_events[i]);
	TEST_ASSERT_EQ(puppet_call(p, SDEI_PE_UNMASK), 0);
	puppet_pattern(p, in, PUPPET_STOP, PUPPET_EL1H);
	puppet_set(p, in);
}

static bool is_pending(struct puppet *p, int slot)
{
	return sdei_get_reg(p->vcpu, SDEI_REG_EVENT(slot, SDEI_F_STATE)) & SDEI_ST_PENDING;
}

/* Which of the events are pending: a bit mask of slots */
static unsigned int pending(struct puppet *p)
{
	unsigned int mask = 0;
	int i;

	for (i = 0; i < NR_SLOTS; i++)
		mask |= is_pending(p, i) << i;
	return mask;
}

/* The puppet goes on, and comes to the handler of the event before anything else. */
static void assert_taken(struct puppet *p, int slot)
{
	uint64_t from = sdei_get_reg(p->vcpu, ARM64_CORE_REG(regs.pc));

	TEST_ASSERT_EQ(puppet_run(p), puppet_text(p, PUPPET_ENTRY));
	TEST_ASSERT_EQ(sdei_get_reg(p->vcpu, ARM64_CORE_REG(regs.regs[0])), all_events[slot]);
	TEST_ASSERT_EQ(sdei_get_reg(p->vcpu, ARM64_CORE_REG(regs.regs[2])), from);
	TEST_ASSERT(!is_pending(p, slot), "Event 0x%lx is still pending", all_events[slot]);
}

/* It goes on, and no handler is entered. */
static void assert_none_taken(struct puppet *p)
{
	TEST_ASSERT_EQ(puppet_run(p), puppet_text(p, PUPPET_STOP));
}

/* The handler ends, and the puppet is back at @text without another handler. */
static void complete(struct puppet *p, enum puppet_text text)
{
	TEST_ASSERT_EQ(__puppet_call(p, SDEI_EVENT_COMPLETE), puppet_text(p, text));
}

/* Into the handler of an event, whose code then is to go on from PUPPET_STOP */
static void enter_handler(struct puppet *p, int slot)
{
	ASSERT_RET(0, inject(p, all_events[slot]));
	assert_taken(p, slot);
	vcpu_set_reg(p->vcpu, ARM64_CORE_REG(regs.pc), puppet_text(p, PUPPET_STOP));
}

/*
 * kvm_sdei_inject_event()
 */

TEST_F(sdei_inkernel, injected_event_is_delivered)
{
	struct puppet_regs in;
	struct puppet p;
	int i;

	create(&p, &in, variant->conduit);
	for (i = 0; i < NR_SLOTS; i++) {
		ASSERT_RET(0, inject(&p, all_events[i]));
		TEST_ASSERT_EQ(pending(&p), BIT(i));
		/* Once */
		ASSERT_RET(0, inject(&p, all_events[i]));
		assert_taken(&p, i);
		complete(&p, PUPPET_STOP);
	}
	puppet_free(&p);
}

TEST_F(sdei_inkernel, injected_event_that_cannot_be_taken_stays_pending)
{
	struct puppet_regs in;
	struct puppet p;
	int i;

	create(&p, &in, variant->conduit);
	for (i = 0; i < NR_SLOTS; i++) {
		TEST_ASSERT_EQ(puppet_call(&p, SDEI_PE_MASK), 1);
		ASSERT_RET(0, inject(&p, all_events[i]));
		assert_none_taken(&p);
		TEST_ASSERT_EQ(pending(&p), BIT(i));
		TEST_ASSERT_EQ(__puppet_call(&p, SDEI_PE_UNMASK), puppet_text(&p, PUPPET_ENTRY));
		__puppet_call(&p, SDEI_EVENT_COMPLETE);

		puppet_set(&p, &in);
		TEST_ASSERT_EQ(puppet_call(&p, SDEI_EVENT_DISABLE, all_events[i]), 0);
		ASSERT_RET(0, inject(&p, all_events[i]));
		assert_none_taken(&p);
		TEST_ASSERT_EQ(pending(&p), BIT(i));
		TEST_ASSERT_EQ(__puppet_call(&p, SDEI_EVENT_ENABLE, all_events[i]),
			       puppet_text(&p, PUPPET_ENTRY));
		__puppet_call(&p, SDEI_EVENT_COMPLETE);
		puppet_set(&p, &in);
	}
	puppet_free(&p);
}

/* By whichever function: -ENOTCONN, -ENOENT, and nothing pending later */
static void refused_unless_registered(struct puppet *p, const char *op, int ret)
{
	int i;

	for (i = 0; i < NR_SLOTS; i++) {
		TEST_ASSERT_EQ(puppet_call(p, SDEI_EVENT_UNREGISTER, all_events[i]), 0);
		ASSERT_RET(ret, in_kernel(op, p->vcpu->fd, all_events[i]));
		register_and_enable(p, all_events[i]);
		TEST_ASSERT_EQ(pending(p), 0);
		assert_none_taken(p);
	}
	for (i = 0; i < ARRAY_SIZE(unknown_events); i++)
		ASSERT_RET(-ENOENT, in_kernel(op, p->vcpu->fd, unknown_events[i]));
	assert_none_taken(p);
}

TEST_F(sdei_inkernel, injecting_an_unregistered_event_is_enotconn_an_unknown_one_enoent)
{
	struct puppet_regs in;
	struct puppet p;

	create(&p, &in, variant->conduit);
	refused_unless_registered(&p, "inject", -ENOTCONN);
	refused_unless_registered(&p, "inject_now", -ENOTCONN);
	puppet_free(&p);
}

TEST_F(sdei_inkernel, injecting_an_event_that_is_unregister_pending_is_enotconn)
{
	struct puppet_regs in;
	struct puppet p;
	int i;

	create(&p, &in, variant->conduit);
	for (i = 0; i < NR_SLOTS; i++) {
		enter_handler(&p, i);
		TEST_ASSERT_EQ(puppet_call(&p, SDEI_EVENT_UNREGISTER, all_events[i]),
			       SDEI_PENDING);
		ASSERT_RET(-ENOTCONN, inject(&p, all_events[i]));
		ASSERT_RET(-ENOTCONN, inject_now(&p, all_events[i]));
		ASSERT_RET(-ENOENT, cancel(&p, all_events[i]));
		complete(&p, PUPPET_STOP);
		register_and_enable(&p, all_events[i]);
		TEST_ASSERT_EQ(pending(&p), 0);
		assert_none_taken(&p);
	}
	puppet_free(&p);
}

TEST_F(sdei_inkernel, without_sdei_everything_is_enoent)
{
	struct kvm_vm *vm = vm_create_barebones();
	struct kvm_vcpu *vcpu = __vm_vcpu_add(vm, 0);
	struct kvm_vcpu_init init = sdei_vcpu_init(vm);
	int i;

	for (i = 0; i < 2; i++) {
		/* On a vCPU that is not initialised, too */
		ASSERT_RET(-ENOENT, in_kernel("inject", vcpu->fd, EV_SOFT));
		ASSERT_RET(-ENOENT, in_kernel("inject_now", vcpu->fd, EV_SOFT));
		ASSERT_RET(-ENOENT, in_kernel("cancel", vcpu->fd, EV_SOFT));
		vcpu_ioctl(vcpu, KVM_ARM_VCPU_INIT, &init);
	}
	kvm_vm_free(vm);
}

TEST_F(sdei_inkernel, vcpu_that_is_not_initialised_has_nothing_registered)
{
	struct kvm_vm *vm = vm_create_barebones();
	struct kvm_vcpu *vcpu;
	int i;

	sdei_vm_setup(vm);
	vcpu = __vm_vcpu_add(vm, 0);
	for (i = 0; i < NR_SLOTS; i++) {
		ASSERT_RET(-ENOTCONN, in_kernel("inject", vcpu->fd, all_events[i]));
		ASSERT_RET(-ENOTCONN, in_kernel("inject_now", vcpu->fd, all_events[i]));
		ASSERT_RET(-ENOENT, in_kernel("cancel", vcpu->fd, all_events[i]));
	}
	kvm_vm_free(vm);
}

/*
 * kvm_sdei_inject_event_now()
 */

TEST_F(sdei_inkernel, event_injected_now_is_taken_before_another_instruction)
{
	struct puppet_regs in;
	struct puppet p;
	int i;

	create(&p, &in, variant->conduit);
	for (i = 0; i < NR_SLOTS; i++) {
		ASSERT_RET(0, inject_now(&p, all_events[i]));
		TEST_ASSERT_EQ(pending(&p), BIT(i));
		assert_taken(&p, i);
		complete(&p, PUPPET_STOP);
	}
	puppet_free(&p);
}

/* -EBUSY, and nothing that was not pending before is pending now */
static void assert_busy(struct puppet *p, int slot)
{
	unsigned int before = pending(p);

	ASSERT_RET(-EBUSY, inject_now(p, all_events[slot]));
	TEST_ASSERT(pending(p) == before, "Pending: 0x%x, before: 0x%x",
		    pending(p), before);
}

TEST_F(sdei_inkernel, now_is_ebusy_while_the_pe_is_masked)
{
	struct puppet_regs in;
	struct puppet p;
	int i;

	create(&p, &in, variant->conduit);
	TEST_ASSERT_EQ(puppet_call(&p, SDEI_PE_MASK), 1);
	for (i = 0; i < NR_SLOTS; i++)
		assert_busy(&p, i);
	TEST_ASSERT_EQ(puppet_call(&p, SDEI_PE_UNMASK), 0);
	assert_none_taken(&p);
	puppet_free(&p);
}

TEST_F(sdei_inkernel, now_is_ebusy_while_the_event_is_disabled)
{
	struct puppet_regs in;
	struct puppet p;
	int i;

	create(&p, &in, variant->conduit);
	for (i = 0; i < NR_SLOTS; i++) {
		TEST_ASSERT_EQ(puppet_call(&p, SDEI_EVENT_DISABLE, all_events[i]), 0);
		assert_busy(&p, i);
		TEST_ASSERT_EQ(puppet_call(&p, SDEI_EVENT_ENABLE, all_events[i]), 0);
		assert_none_taken(&p);
	}
	puppet_free(&p);
}

TEST_F(sdei_inkernel, now_is_ebusy_in_a_handler_of_the_same_or_a_higher_priority)
{
	struct puppet_regs in;
	struct puppet p;
	int i, running;

	create(&p, &in, variant->conduit);
	for (running = 0; running < NR_SLOTS; running++) {
		enter_handler(&p, running);
		for (i = 0; i < NR_SLOTS; i++) {
			if (is_critical(running) || !is_critical(i)) {
				assert_busy(&p, i);
				continue;
			}
			/* Critical preempts normal. */
			ASSERT_RET(0, inject_now(&p, all_events[i]));
			assert_taken(&p, i);
			/* In both handlers now */
			assert_busy(&p, running);
			assert_busy(&p, i);
			complete(&p, PUPPET_STOP);
		}
		complete(&p, PUPPET_STOP);
		assert_none_taken(&p);
	}
	puppet_free(&p);
}

TEST_F(sdei_inkernel, now_is_ebusy_while_an_event_that_goes_first_is_pending)
{
	struct puppet_regs in;
	struct puppet p;
	bool goes_first;
	int i, first;

	create(&p, &in, variant->conduit);
	for (first = 0; first < NR_SLOTS; first++) {
		for (i = 0; i < NR_SLOTS; i++) {
			if (i == first)
				continue;
			ASSERT_RET(0, inject(&p, all_events[first]));

			goes_first = is_critical(i) != is_critical(first) ?
				     is_critical(i) : i < first;
			if (goes_first) {
				ASSERT_RET(0, inject_now(&p, all_events[i]));
				assert_taken(&p, i);
				TEST_ASSERT_EQ(pending(&p), BIT(first));
				TEST_ASSERT_EQ(__puppet_call(&p, SDEI_EVENT_COMPLETE),
					       puppet_text(&p, PUPPET_ENTRY));
				TEST_ASSERT_EQ(sdei_get_reg(p.vcpu, ARM64_CORE_REG(regs.regs[0])),
					       all_events[first]);
			} else {
				assert_busy(&p, i);
				assert_taken(&p, first);
			}
			complete(&p, PUPPET_STOP);
			assert_none_taken(&p);
		}
	}
	puppet_free(&p);
}

TEST_F(sdei_inkernel, now_is_ebusy_while_the_event_is_pending_already)
{
	struct puppet_regs in;
	struct puppet p;
	int i;

	create(&p, &in, variant->conduit);
	for (i = 0; i < NR_SLOTS; i++) {
		ASSERT_RET(0, inject(&p, all_events[i]));
		assert_busy(&p, i);
		assert_taken(&p, i);
		complete(&p, PUPPET_STOP);

		ASSERT_RET(0, inject_now(&p, all_events[i]));
		assert_busy(&p, i);
		assert_taken(&p, i);
		complete(&p, PUPPET_STOP);
	}
	puppet_free(&p);
}

TEST_F(sdei_inkernel, overtaken_by_a_critical_event_it_can_be_taken_back)
{
	struct puppet_regs in;
	struct puppet p;

	create(&p, &in, variant->conduit);
	ASSERT_RET(0, inject_now(&p, EV_NORMAL));
	ASSERT_RET(0, inject(&p, EV_CRITICAL));
	assert_taken(&p, SLOT_CRITICAL);
	TEST_ASSERT_EQ(pending(&p), BIT(SLOT_NORMAL));
	ASSERT_RET(0, cancel(&p, EV_NORMAL));
	complete(&p, PUPPET_STOP);
	assert_none_taken(&p);
	puppet_free(&p);
}

/*
 * kvm_sdei_cancel_event()
 */

TEST_F(sdei_inkernel, cancelled_event_is_not_delivered)
{
	struct puppet_regs in;
	struct puppet p;
	int i;

	create(&p, &in, variant->conduit);
	for (i = 0; i < NR_SLOTS; i++) {
		ASSERT_RET(0, inject(&p, all_events[i]));
		ASSERT_RET(0, cancel(&p, all_events[i]));
		TEST_ASSERT_EQ(pending(&p), 0);
		assert_none_taken(&p);

		ASSERT_RET(0, inject_now(&p, all_events[i]));
		ASSERT_RET(0, cancel(&p, all_events[i]));
		assert_none_taken(&p);

		/* It can be injected again. */
		ASSERT_RET(0, inject_now(&p, all_events[i]));
		assert_taken(&p, i);
		complete(&p, PUPPET_STOP);
	}
	puppet_free(&p);
}

TEST_F(sdei_inkernel, cancelling_what_is_not_pending_is_enoent)
{
	struct puppet_regs in;
	struct puppet p;
	int i;

	create(&p, &in, variant->conduit);
	for (i = 0; i < NR_SLOTS; i++) {
		/* Never injected */
		ASSERT_RET(-ENOENT, cancel(&p, all_events[i]));

		/* Delivered; its handler runs, or has run. */
		enter_handler(&p, i);
		ASSERT_RET(-ENOENT, cancel(&p, all_events[i]));
		complete(&p, PUPPET_STOP);
		ASSERT_RET(-ENOENT, cancel(&p, all_events[i]));

		/* Cancelled */
		ASSERT_RET(0, inject(&p, all_events[i]));
		ASSERT_RET(0, cancel(&p, all_events[i]));
		ASSERT_RET(-ENOENT, cancel(&p, all_events[i]));
		assert_none_taken(&p);
	}
	/* Unregistered, or unknown */
	refused_unless_registered(&p, "cancel", -ENOENT);
	puppet_free(&p);
}

TEST_F(sdei_inkernel, unregistering_leaves_nothing_to_cancel)
{
	struct puppet_regs in;
	struct puppet p;
	int i;

	create(&p, &in, variant->conduit);
	for (i = 0; i < NR_SLOTS; i++) {
		TEST_ASSERT_EQ(puppet_call(&p, SDEI_PE_MASK), 1);
		ASSERT_RET(0, inject(&p, all_events[i]));
		TEST_ASSERT_EQ(puppet_call(&p, SDEI_EVENT_UNREGISTER, all_events[i]), 0);
		ASSERT_RET(-ENOENT, cancel(&p, all_events[i]));
		register_and_enable(&p, all_events[i]);
		ASSERT_RET(-ENOENT, cancel(&p, all_events[i]));
		TEST_ASSERT_EQ(puppet_call(&p, SDEI_PE_UNMASK), 0);
		assert_none_taken(&p);
	}
	puppet_free(&p);
}

TEST_F(sdei_inkernel, cancelling_takes_back_no_other_event_and_no_running_handler)
{
	struct puppet_regs in;
	struct puppet p;
	int i, other;

	create(&p, &in, variant->conduit);
	for (i = 0; i < NR_SLOTS; i++) {
		for (other = 0; other < NR_SLOTS; other++) {
			if (other == i)
				continue;
			ASSERT_RET(0, inject(&p, all_events[i]));
			ASSERT_RET(0, inject(&p, all_events[other]));
			ASSERT_RET(0, cancel(&p, all_events[i]));
			TEST_ASSERT_EQ(pending(&p), BIT(other));
			assert_taken(&p, other);
			complete(&p, PUPPET_STOP);
			assert_none_taken(&p);
		}

		/* Sent again while its handler runs: the second one is gone. */
		enter_handler(&p, i);
		ASSERT_RET(0, inject(&p, all_events[i]));
		assert_none_taken(&p);
		ASSERT_RET(0, cancel(&p, all_events[i]));
		TEST_ASSERT_EQ(puppet_call(&p, SDEI_EVENT_STATUS, all_events[i]),
			       SDEI_REGISTERED | SDEI_ENABLED | SDEI_RUNNING);
		complete(&p, PUPPET_STOP);
		assert_none_taken(&p);
	}
	puppet_free(&p);
}

/*
 * Races with delivery
 */

/* Written by the guest; each is one event's, by slot. */
static uint64_t guest_nr_handled[NR_SLOTS];
static bool guest_ready;
/* Written by the host */
static bool guest_sleeps;
static bool guest_stop;

static void guest_count(struct sdei_frame *frame)
{
	int i;

	for (i = 0; i < NR_SLOTS; i++) {
		if (all_events[i] == frame->x[0])
			WRITE_ONCE(guest_nr_handled[i], guest_nr_handled[i] + 1);
	}
	if (READ_ONCE(guest_stop))
		GUEST_DONE();
}

static void guest_target(void)
{
	int i;

	for (i = 0; i < NR_SLOTS; i++)
		sdei_guest_setup(all_events[i], 0, guest_count);
	GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
	WRITE_ONCE(guest_ready, true);
	for (;;) {
		if (guest_sleeps)
			wfi();
		else
			cpu_relax();
	}
}

struct race {
	struct sdei_vm svm;
	pthread_t thread;
	/* How long to wait between injecting and cancelling, in loops */
	unsigned int delay;
	uint64_t nr_cancelled[NR_SLOTS];
	uint64_t nr_delivered[NR_SLOTS];
};

static void race_start(struct race *r, enum sdei_conduit conduit, bool sleeps)
{
	memset(r, 0, sizeof(*r));
	sdei_vm_create(&r->svm, 1, conduit, guest_target);
	write_guest_global(r->svm.vm, guest_sleeps, sleeps);
	sdei_run_thread(&r->svm, 0, &r->thread);
	host_wait_for(READ_ONCE(*guest_ptr(&r->svm, guest_ready)));
}

static uint64_t race_handled(struct race *r, int slot)
{
	return READ_ONCE((*guest_ptr(&r->svm, guest_nr_handled))[slot]);
}

static int race_do(struct race *r, const char *op, int slot)
{
	return in_kernel(op, r->svm.vcpu[0]->fd, all_events[slot]);
}

/* Leave the vCPU some time, as much as makes both ends of the race likely. */
static void race_wait(struct race *r)
{
	unsigned int i;

	for (i = 0; i < r->delay; i++)
		barrier();
}

/* Take an injected event back. It either is, or has been delivered. */
static void race_cancel(struct race *r, int slot)
{
	int ret = race_do(r, "cancel", slot);

	TEST_ASSERT(!ret || ret == -ENOENT, "Cancelling: %s", strerror(-ret));
	if (!ret) {
		r->nr_cancelled[slot]++;
		r->delay += r->delay / 8 + 8;
	} else {
		r->nr_delivered[slot]++;
		r->delay -= r->delay / 8;
		host_wait_for(race_handled(r, slot) == r->nr_delivered[slot]);
	}
	TEST_ASSERT_EQ(race_handled(r, slot), r->nr_delivered[slot]);
}

static void race_end(struct race *r)
{
	int i;

	/* Anything that was to be delivered has been, before this event. */
	WRITE_ONCE(*guest_ptr(&r->svm, guest_stop), true);
	ASSERT_RET(0, race_do(r, "inject", SLOT_NORMAL_2));
	TEST_ASSERT(!pthread_join(r->thread, NULL), "pthread_join() failed");
	for (i = 0; i < SLOT_NORMAL_2; i++)
		TEST_ASSERT_EQ(race_handled(r, i), r->nr_delivered[i]);
	TEST_ASSERT_EQ(race_handled(r, SLOT_NORMAL_2), r->nr_delivered[SLOT_NORMAL_2] + 1);
	sdei_vm_free(&r->svm);
}

static void race_one_event(enum sdei_conduit conduit, bool sleeps)
{
	struct race r;
	uint64_t i;

	race_start(&r, conduit, sleeps);
	for (i = 0; i < NR_ROUNDS; i++) {
		ASSERT_RET(0, race_do(&r, "inject", SLOT_NORMAL));
		race_wait(&r);
		race_cancel(&r, SLOT_NORMAL);
	}
	TEST_ASSERT_EQ(r.nr_cancelled[SLOT_NORMAL] + r.nr_delivered[SLOT_NORMAL], NR_ROUNDS);
	TEST_ASSERT(r.nr_cancelled[SLOT_NORMAL] && r.nr_delivered[SLOT_NORMAL],
		    "No race: %lu cancelled, %lu delivered",
		    r.nr_cancelled[SLOT_NORMAL], r.nr_delivered[SLOT_NORMAL]);
	ksft_print_msg("%lu cancelled, %lu delivered\n",
		       r.nr_cancelled[SLOT_NORMAL], r.nr_delivered[SLOT_NORMAL]);
	race_end(&r);
}

TEST_F(sdei_inkernel, spinning_vcpu_each_event_is_either_cancelled_or_delivered)
{
	race_one_event(variant->conduit, false);
}

TEST_F(sdei_inkernel, sleeping_vcpu_each_event_is_either_cancelled_or_delivered)
{
	race_one_event(variant->conduit, true);
}

/*
 * The vCPU has made up its mind to take the critical event when that is
 * cancelled: it has to take the normal one then, if it has nothing else to run.
 */
static void race_two_events(enum sdei_conduit conduit, bool sleeps)
{
	struct race r;
	uint64_t i;

	race_start(&r, conduit, sleeps);
	for (i = 0; i < NR_ROUNDS; i++) {
		ASSERT_RET(0, race_do(&r, "inject", SLOT_CRITICAL));
		ASSERT_RET(0, race_do(&r, "inject", SLOT_NORMAL));
		race_wait(&r);
		race_cancel(&r, SLOT_CRITICAL);
		r.nr_delivered[SLOT_NORMAL]++;
		host_wait_for(race_handled(&r, SLOT_NORMAL) == r.nr_delivered[SLOT_NORMAL]);
	}
	ksft_print_msg("%lu cancelled, %lu delivered\n",
		       r.nr_cancelled[SLOT_CRITICAL], r.nr_delivered[SLOT_CRITICAL]);
	race_end(&r);
}

TEST_F(sdei_inkernel, spinning_vcpu_cancelling_one_event_delivers_the_other)
{
	race_two_events(variant->conduit, false);
}

TEST_F(sdei_inkernel, sleeping_vcpu_cancelling_one_event_delivers_the_other)
{
	race_two_events(variant->conduit, true);
}

int main(int argc, char **argv)
{
	int ret;

	TEST_REQUIRE(kvm_has_cap(KVM_CAP_ARM_SDEI));
	load_module();
	ret = test_harness_run(argc, argv);
	close(module_fd);
	syscall(__NR_delete_module, MODULE, O_NONBLOCK);
	return ret;
}
