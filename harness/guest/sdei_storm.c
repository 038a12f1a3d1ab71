// SPDX-License-Identifier: GPL-2.0
/*
 * A storm of SDEI events in a guest, which keeps books.
 *
 * A thread on each CPU signals event 0 to random CPUs, itself included, for as
 * long as the module runs.  Signals coalesce, so that there are fewer handlers
 * than signals, and nobody can say how many there ought to be.  Therefore each
 * thread withdraws its own CPU from the storm now and then, waits until the
 * signals to it that are under way have been sent, and takes what is pending.
 * Then every signal must have been followed by a handler.  Next it asks for one
 * more signal, or a few, and gets them with interrupts masked, with the PE
 * masked or while asleep: there must be one handler, then, neither fewer nor
 * more, and none while the PE is masked.  Before the CPU goes offline, it does
 * the same.
 *
 *	insmod sdei_storm.ko [critical=EVENT] [take=1]
 *	cat /sys/kernel/debug/sdei_storm	stop the storm, and show the books
 *	echo 1 > /sys/kernel/debug/sdei_storm	go on (0: stop)
 *	cat /sys/kernel/debug/sdei_storm_now	what the handlers have interrupted so far
 *
 * It pauses while the machine hibernates, from before anything is frozen, and stops
 * before a reboot.
 *
 * The last line of the books is "sound: ..." or "FAILED: ..."; the first failure
 * is in the kernel's log at once.  If event 0 belongs to the kernel itself
 * (CONFIG_ARM_SDEI_NMI), it is only signalled; with take=1 it is taken away from
 * there.  EVENT, which the guest cannot signal, is for the VMM to inject: who
 * has access to the guest's memory can see from the board how often it has been
 * handled.  The board is a page, and its address is in the log.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/arm-smccc.h>
#include <linux/arm_sdei.h>
#include <linux/atomic.h>
#include <linux/cpuhotplug.h>
#include <linux/cpumask.h>
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/freezer.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/reboot.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/smp.h>
#include <linux/suspend.h>
#include <linux/timekeeping.h>

#include <asm/cputype.h>
#include <asm/daifflags.h>
#include <asm/ptrace.h>

#include "sdei_guest.h"

#define PATIENCE	(300ULL * NSEC_PER_SEC)	/* only if it never comes */

static unsigned int critical;
module_param(critical, uint, 0444);
MODULE_PARM_DESC(critical, "a critical event to handle as well, for the VMM to inject");

static bool take;
module_param(take, bool, 0444);
MODULE_PARM_DESC(take, "take event 0 away from the kernel's own use of it");

static bool counting;		/* event 0 is ours */
static bool has_critical;

static struct {
	int (*event_register)(u32 event, sdei_event_callback *cb, void *arg);
	int (*event_enable)(u32 event);
	int (*event_disable)(u32 event);
	int (*event_unregister)(u32 event);
	void (*kthread_set_per_cpu)(struct task_struct *k, int cpu);
} kernel;

static bool find_kernel_functions(void)
{
	kernel.event_register = kernel_function("sdei_event_register");
	kernel.event_enable = kernel_function("sdei_event_enable");
	kernel.event_disable = kernel_function("sdei_event_disable");
	kernel.event_unregister = kernel_function("sdei_event_unregister");
	kernel.kthread_set_per_cpu = kernel_function("kthread_set_per_cpu");

	return kernel.event_register && kernel.event_enable &&
	       kernel.event_disable && kernel.event_unregister &&
	       kernel.kthread_set_per_cpu;
}

#define BOARD_MAGIC	0x44524f4249454453ULL	/* "SDEIBORD" */
#define BOARD_MAX_CPUS	32

/* What a CPU is doing */
#define STATE_NORMAL	BIT(0)		/* its normal handler runs */
#define STATE_CRITICAL	BIT(1)		/* its critical handler runs */
#define STATE_PE_MASKED	BIT(2)
#define STATE_IRQ_MASKED BIT(3)		/* by its thread */

/* For the eyes of the VMM (harness/migrate.c), which has a copy of this */
static struct board {
	u64 magic;
	atomic64_t failures;
	u64 unused[6];
	struct {
		u64 critical;		/* handlers that began */
		u64 normal;
		u64 rounds;		/* how often the thread checked its books */
		u64 state;
		u64 unused[4];
	} cpu[BOARD_MAX_CPUS];
} *board;

/**
 * struct storm_cpu - the books of a CPU
 * @closed:	it is withdrawn from the storm
 * @wanted:	how many signals it asks for all the same
 * @senders:	CPUs that may be about to signal to it
 * @begun:	signals to it, counted before EVENT_SIGNAL is called
 * @done:	and after that has returned success
 * @seen:	@begun as the latest handler found it
 * @sent:	signals by it
 * @nested:	critical handlers that interrupted a normal one
 * @user:	normal handlers that interrupted user space
 * @stepped:	of these, such as interrupted a process that was single-stepped
 * @mpidr:	what it is called
 * @random:	state of the thread's generator
 * @random_nmi:	and of that of the handlers
 * @thread:	the thread
 */
struct storm_cpu {
	bool closed;
	atomic_t wanted;
	atomic_t senders;
	atomic64_t begun;
	atomic64_t done;
	u64 seen;
	u64 sent;
	u64 nested;
	u64 user;
	u64 stepped;
	u64 mpidr;
	u64 random;
	u64 random_nmi;
	struct task_struct *thread;
} ____cacheline_aligned;

static struct storm_cpu storm[BOARD_MAX_CPUS];

/* The first failure; handlers have them too, and cannot print. */
static struct {
	atomic_t taken;
	bool complete;
	bool printed;
	const char *what;
	unsigned int cpu;
	u64 a, b;
} failure;

static void fail(const char *what, u64 a, u64 b)
{
	atomic64_inc(&board->failures);
	if (atomic_xchg(&failure.taken, 1))
		return;

	failure.what = what;
	failure.cpu = raw_smp_processor_id();
	failure.a = a;
	failure.b = b;
	smp_store_release(&failure.complete, true);	/* after what it consists of */
}

static void print_failure(void)
{
	/* Before what it consists of */
	if (!smp_load_acquire(&failure.complete) || xchg(&failure.printed, true))
		return;
	pr_err("failure on CPU %u: %s (%llu, %llu)\n", failure.cpu, failure.what,
	       failure.a, failure.b);
}

static u32 random_below(u64 *state, u32 limit)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;

	return (*state >> 20) % limit;
}

static long sdei_call(u32 function, u64 arg0, u64 arg1)
{
	struct arm_smccc_res res;

	arm_smccc_1_1_hvc(function, arg0, arg1, &res);

	return res.a0;
}

/*
 * Spend some time with known values in the registers that a handler's context
 * consists of.
 */
static void keep_registers(u64 turns)
{
	u64 wrong = 0;

#define EACH(op) op(0) op(1) op(2) op(3) op(4) op(5) op(6) op(7) op(8) op(9) \
	op(10) op(11) op(12) op(13) op(14) op(15) op(16) op(17)
#define FILL(n) "mov x" #n ", #(0x5d0 + " #n ")\n"
#define TEST(n) "sub x" #n ", x" #n ", #(0x5d0 + " #n ")\norr %1, %1, x" #n "\n"
	asm volatile(EACH(FILL)
		     "1: subs %0, %0, #1\n"
		     "b.ne 1b\n"
		     EACH(TEST)
		     : "+&r" (turns), "+&r" (wrong) :
		     : "cc", "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8",
		       "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17");

	if (wrong)
		fail("a handler left other values in the registers", wrong, 0);
}

/* Some handlers are short, some are long enough to be signalled again */
static void dawdle(struct storm_cpu *me)
{
	u32 turns = random_below(&me->random_nmi, 64);

	if (turns < 16)
		keep_registers(1 + turns * 8192);
}

/*
 * Handlers interrupt this, and each other, but leave the other bits as they are.
 */
static void set_state(unsigned int cpu, u64 bit)
{
	WRITE_ONCE(board->cpu[cpu].state, board->cpu[cpu].state | bit);
	barrier();
}

static void clear_state(unsigned int cpu, u64 bit)
{
	barrier();
	WRITE_ONCE(board->cpu[cpu].state, board->cpu[cpu].state & ~bit);
}

static int normal_handler(u32 event, struct pt_regs *regs, void *arg)
{
	unsigned int cpu = smp_processor_id();
	struct storm_cpu *me = &storm[cpu];
	u64 begun = atomic64_read(&me->begun);
	u64 entries = board->cpu[cpu].normal + 1;
	u64 state = board->cpu[cpu].state;

	if (event != SOFTWARE_EVENT)
		fail("a handler was called for another event", event, SOFTWARE_EVENT);
	if (state & (STATE_NORMAL | STATE_CRITICAL))
		fail("a normal handler interrupted a handler", state, entries);
	if (state & STATE_PE_MASKED)
		fail("a normal handler ran while the PE was masked", state, entries);
	if (entries > begun)
		fail("more handlers than signals", entries, begun);

	set_state(cpu, STATE_NORMAL);
	WRITE_ONCE(board->cpu[cpu].normal, entries);
	if (user_mode(regs)) {
		WRITE_ONCE(me->user, me->user + 1);
		if (test_thread_flag(TIF_SINGLESTEP))
			WRITE_ONCE(me->stepped, me->stepped + 1);
	}
	smp_store_release(&me->seen, begun);	/* after the count of handlers */
	dawdle(me);
	clear_state(cpu, STATE_NORMAL);

	return 0;
}

static int critical_handler(u32 event, struct pt_regs *regs, void *arg)
{
	unsigned int cpu = smp_processor_id();
	struct storm_cpu *me = &storm[cpu];
	u64 entries = board->cpu[cpu].critical + 1;
	u64 state = board->cpu[cpu].state;

	if (event != critical)
		fail("a handler was called for another event", event, critical);
	if (state & STATE_CRITICAL)
		fail("a critical handler interrupted itself", state, entries);
	if (state & STATE_PE_MASKED)
		fail("a critical handler ran while the PE was masked", state, entries);
	if (state & STATE_NORMAL)
		me->nested++;

	set_state(cpu, STATE_CRITICAL);
	WRITE_ONCE(board->cpu[cpu].critical, entries);
	dawdle(me);
	clear_state(cpu, STATE_CRITICAL);

	return 0;
}

/* One signal to some CPU, unless it does not want any */
static void signal_someone(struct storm_cpu *me)
{
	struct storm_cpu *to = &storm[random_below(&me->random, nr_cpu_ids)];
	long ret;

	preempt_disable();
	atomic_inc(&to->senders);
	/* Either it sees a sender, or the sender sees that it is closed. */
	smp_mb__after_atomic();
	if (READ_ONCE(to->closed) && atomic_dec_if_positive(&to->wanted) < 0)
		goto out;

	/* Before the call: KVM promises that the handler sees it. */
	atomic64_inc(&to->begun);
	ret = sdei_call(EVENT_SIGNAL, SOFTWARE_EVENT, to->mpidr);
	if (ret)
		fail("EVENT_SIGNAL was refused", ret, to->mpidr);
	else
		atomic64_inc(&to->done);
	me->sent++;
out:
	smp_mb__before_atomic();	/* whoever sees no sender sees what was sent */
	atomic_dec(&to->senders);
	preempt_enable();
}

/*
 * Wait, for what others do or for a handler on this CPU, and serve the others
 * meanwhile: they may be waiting, too.
 */
#define wait_for(me, condition, what, a, b)				\
({									\
	u64 end = ktime_get_mono_fast_ns() + PATIENCE;			\
	bool ok;							\
									\
	while (!(ok = (condition)) && ktime_get_mono_fast_ns() < end) {	\
		signal_someone(me);					\
		keep_registers(64);					\
		if (preemptible())					\
			cond_resched();					\
	}								\
	if (!ok)							\
		fail(what, a, b);					\
	ok;								\
})

/*
 * No signal is under way to this CPU, which is closed. What is pending is
 * delivered before PE_UNMASK returns.
 */
static void take_pending(struct storm_cpu *me)
{
	wait_for(me, !atomic_read(&me->senders), "a CPU is stuck in EVENT_SIGNAL",
		 atomic_read(&me->senders), 0);

	preempt_disable();
	sdei_call(SDEI_1_0_FN_SDEI_PE_MASK, 0, 0);
	sdei_call(SDEI_1_0_FN_SDEI_PE_UNMASK, 0, 0);
	preempt_enable();
}

static u64 normal_entries(unsigned int cpu)
{
	return READ_ONCE(board->cpu[cpu].normal);
}

/* A signal to a CPU that spins with interrupts masked, or is idle */
static void one_signal(unsigned int cpu, struct storm_cpu *me, bool masked)
{
	u64 begun = atomic64_read(&me->begun) + 1;
	u64 end = ktime_get_mono_fast_ns() + PATIENCE;
	unsigned long flags = 0;

	if (masked) {
		flags = local_daif_save();
		set_state(cpu, STATE_IRQ_MASKED);
	}
	atomic_set(&me->wanted, 1);
	while (!masked && READ_ONCE(me->seen) < begun && ktime_get_mono_fast_ns() < end) {
		usleep_range(100, 2000);
		signal_someone(me);
	}
	wait_for(me, READ_ONCE(me->seen) >= begun, "a signal was lost", begun, me->seen);
	if (masked) {
		clear_state(cpu, STATE_IRQ_MASKED);
		local_daif_restore(flags);
	}
}

/* A few signals to a CPU that has masked itself */
static void masked_signals(unsigned int cpu, struct storm_cpu *me, unsigned int nr)
{
	u64 entries = normal_entries(cpu), done = atomic64_read(&me->done) + nr;

	preempt_disable();
	if (sdei_call(SDEI_1_0_FN_SDEI_PE_MASK, 0, 0) != 1)
		fail("PE_MASK found the PE masked", 0, 0);
	set_state(cpu, STATE_PE_MASKED);
	atomic_set(&me->wanted, nr);
	wait_for(me, atomic64_read(&me->done) == done, "nobody sends", done,
		 atomic64_read(&me->done));
	keep_registers(1000);
	if (normal_entries(cpu) != entries)
		fail("a handler ran while the PE was masked", normal_entries(cpu), entries);
	clear_state(cpu, STATE_PE_MASKED);
	sdei_call(SDEI_1_0_FN_SDEI_PE_UNMASK, 0, 0);
	if (normal_entries(cpu) == entries)
		fail("what was pending did not come when the PE was unmasked", entries, nr);
	preempt_enable();
}

/* Close this CPU, and check that all signals to it have been handled. */
static void withdraw(struct storm_cpu *me)
{
	WRITE_ONCE(me->closed, true);
	/* Either it sees a sender, or the sender sees that it is closed. */
	smp_mb();
	take_pending(me);
	if (me->seen != atomic64_read(&me->begun))
		fail("a signal was lost", atomic64_read(&me->begun), me->seen);
}

static void check_books(unsigned int cpu, struct storm_cpu *me)
{
	u64 entries;

	withdraw(me);
	entries = normal_entries(cpu);
	switch (random_below(&me->random, 3)) {
	case 0:
		one_signal(cpu, me, true);
		break;
	case 1:
		one_signal(cpu, me, false);
		break;
	case 2:
		masked_signals(cpu, me, 1 + random_below(&me->random, 4));
		break;
	}
	take_pending(me);
	if (normal_entries(cpu) != entries + 1)
		fail("not one handler for the signals of one pending event",
		     normal_entries(cpu), entries);
	WRITE_ONCE(me->closed, false);
}

static int storm_thread(void *unused)
{
	unsigned int cpu = smp_processor_id();
	struct storm_cpu *me = &storm[cpu];

	set_freezable();
	me->mpidr = read_cpuid_mpidr() & MPIDR_HWID_BITMASK;
	smp_store_release(&me->closed, false);	/* mpidr comes first */

	while (!kthread_should_stop()) {
		for (u32 n = random_below(&me->random, 256); n; n--) {
			signal_someone(me);
			keep_registers(1 + random_below(&me->random, 256));
		}
		if (counting)
			check_books(cpu, me);
		WRITE_ONCE(board->cpu[cpu].rounds, board->cpu[cpu].rounds + 1);
		print_failure();

		/* Others want to run, too, and some events are to end WFI. */
		if (!random_below(&me->random, 4))
			usleep_range(100, 2000);
		cond_resched();
		try_to_freeze();
	}

	/* Signals to CPUs that are offline are forgotten: let there be none. */
	if (counting) {
		withdraw(me);
	} else {
		WRITE_ONCE(me->closed, true);
		smp_mb();	/* as in withdraw() */
		wait_for(me, !atomic_read(&me->senders), "a CPU is stuck in EVENT_SIGNAL",
			 atomic_read(&me->senders), 0);
	}

	return 0;
}

/*
 * The SDEI client registers events before this on a CPU that comes, and
 * unregisters them after this on one that goes: it was there first.
 */
static int storm_online(unsigned int cpu)
{
	struct storm_cpu *me = &storm[cpu];

	me->random = (get_cycles() ^ (cpu + 1) * 0x9e3779b97f4a7c15ULL) | 1;
	me->random_nmi = me->random;
	me->thread = kthread_create_on_cpu(storm_thread, NULL, cpu, "storm/%u");
	if (IS_ERR(me->thread))
		return PTR_ERR(me->thread);
	/* Or it would be moved away before storm_offline() */
	kernel.kthread_set_per_cpu(me->thread, cpu);
	wake_up_process(me->thread);

	return 0;
}

static int storm_offline(unsigned int cpu)
{
	return kthread_stop(storm[cpu].thread);
}

static DEFINE_MUTEX(storm_lock);
static int storm_state;		/* of CPU hotplug; 0: the storm is over */

static int start_storm(void)
{
	int ret = 0;

	mutex_lock(&storm_lock);
	if (!storm_state) {
		ret = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "sdei_storm:online",
					storm_online, storm_offline);
		if (ret > 0)
			storm_state = ret;
	}
	mutex_unlock(&storm_lock);

	return min(ret, 0);
}

/* The threads of CPUs that are stuck would never stop. */
static bool all_get_on(void)
{
	u64 end = ktime_get_mono_fast_ns() + PATIENCE;
	u64 rounds[BOARD_MAX_CPUS];
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		rounds[cpu] = READ_ONCE(board->cpu[cpu].rounds);
	for_each_online_cpu(cpu) {
		while (READ_ONCE(board->cpu[cpu].rounds) == rounds[cpu]) {
			if (ktime_get_mono_fast_ns() > end) {
				fail("a CPU does not get on", cpu, rounds[cpu]);
				return false;
			}
			usleep_range(1000, 2000);
		}
	}

	return true;
}

static void stop_storm(void)
{
	mutex_lock(&storm_lock);
	if (storm_state && all_get_on()) {
		cpuhp_remove_state(storm_state);
		storm_state = 0;
	}
	mutex_unlock(&storm_lock);
}

static int storm_show(struct seq_file *m, void *unused)
{
	u64 sent = 0, entries = 0, rounds = 0, criticals = 0, nested = 0, user = 0, stepped = 0;
	unsigned int cpu;

	stop_storm();
	for_each_possible_cpu(cpu) {
		struct storm_cpu *c = &storm[cpu];

		seq_printf(m, "CPU %u: sent %llu, received %lld, handlers %llu, rounds %llu; critical %llu, nested %llu\n",
			   cpu, c->sent, atomic64_read(&c->begun),
			   board->cpu[cpu].normal, board->cpu[cpu].rounds,
			   board->cpu[cpu].critical, c->nested);
		if (counting && c->seen != atomic64_read(&c->begun))
			fail("a signal was lost", atomic64_read(&c->begun), c->seen);
		if (cpu_online(cpu) && !board->cpu[cpu].rounds)
			fail("a CPU never took part", cpu, 0);
		sent += c->sent;
		entries += board->cpu[cpu].normal;
		rounds += board->cpu[cpu].rounds;
		criticals += board->cpu[cpu].critical;
		nested += c->nested;
		user += c->user;
		stepped += c->stepped;
	}
	print_failure();

	if (atomic64_read(&board->failures))
		seq_printf(m, "FAILED: %lld times; the first on CPU %u: %s (%llu, %llu)\n",
			   atomic64_read(&board->failures), failure.cpu, failure.what, failure.a,
			   failure.b);
	else if (!counting)
		seq_printf(m, "sound: %llu signals, none refused; event 0 is the kernel's own, its handlers are not counted\n",
			   sent);
	else
		seq_printf(m, "sound: %llu signals, %llu handlers, the books checked %llu times; critical %llu, of which %llu nested; %llu interrupted user space, %llu a single step there\n",
			   sent, entries, rounds, criticals, nested, user, stepped);

	return 0;
}

static int storm_open(struct inode *inode, struct file *file)
{
	return single_open(file, storm_show, NULL);
}

static int now_show(struct seq_file *m, void *unused)
{
	unsigned int cpu;

	for_each_online_cpu(cpu)
		seq_printf(m, "CPU %u: handlers %llu, in user space %llu, single-stepped %llu\n",
			   cpu, normal_entries(cpu), READ_ONCE(storm[cpu].user),
			   READ_ONCE(storm[cpu].stepped));

	return 0;
}
DEFINE_SHOW_ATTRIBUTE(now);

static ssize_t storm_write(struct file *file, const char __user *ubuf,
			   size_t count, loff_t *ppos)
{
	bool go_on;
	int ret;

	ret = kstrtobool_from_user(ubuf, count, &go_on);
	if (ret)
		return ret;

	if (go_on)
		ret = start_storm();
	else
		stop_storm();

	return ret ?: count;
}

static const struct file_operations storm_fops = {
	.owner		= THIS_MODULE,
	.open		= storm_open,
	.read		= seq_read,
	.write		= storm_write,
	.llseek		= seq_lseek,
	.release	= single_release,
};

/* Before the SDEI client unregisters everything, which forgets signals. */
static int storm_reboot(struct notifier_block *nb, unsigned long action, void *data)
{
	stop_storm();

	return NOTIFY_OK;
}

static struct notifier_block storm_reboot_nb = {
	.notifier_call	= storm_reboot,
	.priority	= INT_MAX,
};

/* And before hibernation has CPUs and devices frozen, which does the same */
static int storm_pm(struct notifier_block *nb, unsigned long action, void *data)
{
	static bool paused;

	switch (action) {
	case PM_HIBERNATION_PREPARE:
		paused = storm_state;
		stop_storm();
		break;
	case PM_POST_HIBERNATION:
		if (paused)
			start_storm();
		break;
	}

	return NOTIFY_OK;
}

static struct notifier_block storm_pm_nb = {
	.notifier_call	= storm_pm,
	.priority	= INT_MAX,
};

static int register_event(u32 event, sdei_event_callback *handler)
{
	int err;

	err = kernel.event_register(event, handler, NULL);
	if (err)
		return err;

	err = kernel.event_enable(event);
	if (err)
		kernel.event_unregister(event);

	return err;
}

static int register_events(void)
{
	int err;

	err = register_event(SOFTWARE_EVENT, normal_handler);
	if (err == -EBUSY && take) {
		kernel.event_disable(SOFTWARE_EVENT);
		err = kernel.event_unregister(SOFTWARE_EVENT) ?:
		      register_event(SOFTWARE_EVENT, normal_handler);
	}
	if (err && err != -EBUSY) {
		pr_err("event %d cannot be registered: error %d\n", SOFTWARE_EVENT, err);
		return err;
	}
	counting = !err;
	if (!counting)
		pr_info("event %d belongs to the kernel, and is only signalled\n",
			SOFTWARE_EVENT);

	if (critical) {
		err = register_event(critical, critical_handler);
		if (err)
			pr_err("event %#x cannot be registered: error %d\n", critical, err);
		has_critical = !err;
	}

	return 0;
}

static int __init storm_init(void)
{
	unsigned int cpu;
	int err;

	BUILD_BUG_ON(sizeof(*board) > PAGE_SIZE);
	if (nr_cpu_ids > BOARD_MAX_CPUS) {
		pr_err("more than %d CPUs\n", BOARD_MAX_CPUS);
		return -E2BIG;
	}
	if (!find_kernel_functions()) {
		pr_err("this kernel lacks the SDEI client (CONFIG_ARM_SDE_INTERFACE)\n");
		return -ENOENT;
	}

	board = (void *)get_zeroed_page(GFP_KERNEL);
	if (!board)
		return -ENOMEM;
	board->magic = BOARD_MAGIC;
	for_each_possible_cpu(cpu)
		storm[cpu].closed = true;

	err = register_events();
	if (err) {
		free_page((unsigned long)board);
		return err;
	}

	/* Handlers are in here from now on: there is no way back. */
	__module_get(THIS_MODULE);
	register_reboot_notifier(&storm_reboot_nb);
	register_pm_notifier(&storm_pm_nb);
	debugfs_create_file("sdei_storm", 0600, NULL, NULL, &storm_fops);
	debugfs_create_file("sdei_storm_now", 0400, NULL, NULL, &now_fops);

	err = start_storm();
	if (err)
		pr_err("the storm does not start: error %d\n", err);
	else
		pr_info("%u CPUs signal event %d%s; the board is at %#llx\n", num_online_cpus(),
			SOFTWARE_EVENT, has_critical ? ", and handle a critical one" : "",
			(u64)virt_to_phys(board));

	return 0;
}
module_init(storm_init);

MODULE_DESCRIPTION("A storm of SDEI events that keeps books");
MODULE_LICENSE("GPL");
