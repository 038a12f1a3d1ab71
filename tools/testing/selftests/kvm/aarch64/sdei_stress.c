// SPDX-License-Identifier: GPL-2.0-only
/*
 * sdei_stress - Signals from vCPU to vCPU, many times, each acknowledged.
 *
 * Usage: sdei_stress [-n SIGNALS]	acknowledged signals in all (100000)
 *
 * Every vCPU sits in WFI, with interrupts masked, for ever: nothing but an event
 * ends that, and all the work is done in the handler. Should a wake-up be lost,
 * everything stops. Nothing here depends on time, but a watchdog says what each
 * vCPU was about if there is no progress for long, before it fails the test.
 *
 * A signal to a vCPU that runs, and does not exit by itself, would reach it at
 * the host's next tick even if it were not kicked. So, that is told by counting:
 * see running_vcpu_is_kicked_by_*.
 */

#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <time.h>

#include "kvm_util.h"
#include "processor.h"
#include "sdei.h"
#include "test_util.h"

#include "kvm_test_harness.h"

/* Acknowledged signals of all tests and variants together */
static uint64_t nr_signals = 100000;

/* Seconds without any progress until the watchdog gives up */
#define STUCK_SECONDS	300

/* Not until the harness does: it is the watchdog's turn. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	3600

FIXTURE(sdei_stress) {
};

FIXTURE_VARIANT(sdei_stress) {
	enum sdei_conduit conduit;
	unsigned int nr_vcpus;
};

FIXTURE_VARIANT_ADD(sdei_stress, hvc_2_vcpus) {
	.conduit = SDEI_HVC,
	.nr_vcpus = 2,
};

FIXTURE_VARIANT_ADD(sdei_stress, smc_2_vcpus) {
	.conduit = SDEI_SMC,
	.nr_vcpus = 2,
};

FIXTURE_VARIANT_ADD(sdei_stress, hvc_8_vcpus) {
	.conduit = SDEI_HVC,
	.nr_vcpus = 8,
};

FIXTURE_VARIANT_ADD(sdei_stress, smc_8_vcpus) {
	.conduit = SDEI_SMC,
	.nr_vcpus = 8,
};

FIXTURE_SETUP(sdei_stress)
{
}

FIXTURE_TEARDOWN(sdei_stress)
{
}

/*
 * Who sends: the vCPUs, and two threads of the VMM. One of the latter sends the
 * same event as the vCPUs, so that their events coalesce, the other one an event
 * that preempts the handler of the former.
 */
#define FROM_VMM		SDEI_MAX_VCPUS
#define FROM_VMM_CRITICAL	(SDEI_MAX_VCPUS + 1)
#define NR_SENDERS		(SDEI_MAX_VCPUS + 2)

/* Written by the host before the guest starts */
static uint64_t guest_mpidr[SDEI_MAX_VCPUS];
static unsigned int guest_nr_vcpus;
/* How many signals each sender is to get acknowledged; the ring's in all */
static uint64_t guest_quota[NR_SENDERS];
/* All signals go to vCPU 0 */
static bool guest_gather;

static bool guest_ready[SDEI_MAX_VCPUS];
static bool guest_finished[NR_SENDERS];
static bool guest_stop;

/* A ring's token: how often it has been passed on */
static uint64_t guest_token;

/* By sender and receiver, written by the one and the other */
static uint64_t guest_request[NR_SENDERS][SDEI_MAX_VCPUS];
static uint64_t guest_ack[NR_SENDERS][SDEI_MAX_VCPUS];

/* By vCPU */
static uint64_t guest_nr_handled[SDEI_MAX_VCPUS];
static uint64_t guest_nr_acked[SDEI_MAX_VCPUS];
static unsigned int guest_target[SDEI_MAX_VCPUS];
static uint64_t guest_random[SDEI_MAX_VCPUS];

static void guest_signal(unsigned int vcpu)
{
	GUEST_ASSERT_CALL(0, SDEI_EVENT_SIGNAL, EV_SOFT, guest_mpidr[vcpu]);
}

static void guest_sleeper(sdei_handler_fn handler)
{
	uint32_t me = guest_get_vcpuid();

	sdei_guest_setup(EV_SOFT, 0, handler);
	sdei_guest_setup(EV_CRITICAL, 0, handler);
	GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
	WRITE_ONCE(guest_ready[me], true);
	for (;;)
		wfi();
}

/* The others end in their handlers, as soon as they get a signal. */
static void guest_stop_all(uint32_t me)
{
	unsigned int i;

	WRITE_ONCE(guest_stop, true);
	for (i = 0; i < guest_nr_vcpus; i++) {
		if (i != me)
			guest_signal(i);
	}
	GUEST_DONE();
}

/*
 * A token goes round in a ring: to signal back, the next vCPU has to be woken.
 */

static void guest_ring_handler(struct sdei_frame *frame)
{
	uint32_t me = guest_get_vcpuid();
	uint64_t token;

	GUEST_ASSERT_EQ(frame->x[0], EV_SOFT);
	if (READ_ONCE(guest_stop))
		GUEST_DONE();

	/* Whoever sent it wrote that before: neither stale nor out of turn. */
	token = READ_ONCE(guest_token);
	GUEST_ASSERT_EQ(token % guest_nr_vcpus, me);

	guest_nr_handled[me]++;
	WRITE_ONCE(guest_token, token + 1);
	if (token == guest_quota[0])
		guest_stop_all(me);
	guest_signal((me + 1) % guest_nr_vcpus);
}

static void guest_ring(void)
{
	guest_sleeper(guest_ring_handler);
}

/*
 * Every vCPU has one request at a time to another one, which acknowledges it by
 * a signal of its own.
 */

static void guest_send_request(uint32_t me)
{
	unsigned int to = 0;

	if (!guest_gather) {
		/* Another one at random */
		guest_random[me] = guest_random[me] * 6364136223846793005ull + 1;
		to = (guest_random[me] >> 33) % (guest_nr_vcpus - 1);
		to += to >= me;
	}

	guest_target[me] = to;
	WRITE_ONCE(guest_request[me][to], guest_request[me][to] + 1);
	guest_signal(to);
}

/* A receiver looks at all requests, as their signals may have coalesced. */
static void guest_acknowledge(uint32_t me, unsigned int from)
{
	uint64_t request = READ_ONCE(guest_request[from][me]);

	if (request == guest_ack[from][me])
		return;

	GUEST_ASSERT_EQ(request, guest_ack[from][me] + 1);
	WRITE_ONCE(guest_ack[from][me], request);
	if (from < SDEI_MAX_VCPUS)
		guest_signal(from);
}

static void guest_finish(uint32_t me)
{
	unsigned int i;

	/* Whoever finishes last sees that all have. */
	if (guest_nr_acked[me] == guest_quota[me]) {
		WRITE_ONCE(guest_finished[me], true);
		dsb(sy);
	}

	for (i = 0; i < NR_SENDERS; i++) {
		if (!READ_ONCE(guest_finished[i]))
			return;
	}
	guest_stop_all(me);
}

static void guest_pairs_handler(struct sdei_frame *frame)
{
	uint32_t me = guest_get_vcpuid();
	unsigned int i, to = guest_target[me];

	/* This one may come while the other handler runs. */
	if (frame->x[0] == EV_CRITICAL) {
		guest_acknowledge(me, FROM_VMM_CRITICAL);
		return;
	}

	GUEST_ASSERT_EQ(frame->x[0], EV_SOFT);
	if (READ_ONCE(guest_stop))
		GUEST_DONE();

	for (i = 0; i < NR_SENDERS; i++) {
		if (i != FROM_VMM_CRITICAL)
			guest_acknowledge(me, i);
	}

	/* The first time, there is none: a signal of the VMM starts it all. */
	if (guest_nr_handled[me]++) {
		if (guest_nr_acked[me] == guest_quota[me] ||
		    READ_ONCE(guest_ack[me][to]) != guest_request[me][to]) {
			guest_finish(me);
			return;
		}
		guest_nr_acked[me]++;
	}

	if (guest_nr_acked[me] == guest_quota[me])
		guest_finish(me);
	else
		guest_send_request(me);
}

static void guest_pairs(void)
{
	guest_sleeper(guest_pairs_handler);
}

/*
 * Host side
 */

struct stress {
	struct sdei_vm svm;
	pthread_t threads[SDEI_MAX_VCPUS];
	pthread_t watchdog;
	/* Posted when the test is over */
	sem_t over;
	/* The watchdog wants the vCPUs' threads to say what they are about. */
	bool stuck;
	sem_t told;
};

struct stress_vcpu {
	struct stress *s;
	unsigned int id;
};

static void tell_vcpu(struct stress *s, unsigned int id)
{
	struct kvm_vcpu *vcpu = s->svm.vcpu[id];

	ksft_print_msg("vCPU %u: pc 0x%lx, masked %lu, STATE of the signal 0x%lx, running %d\n",
		       id, sdei_get_reg(vcpu, ARM64_CORE_REG(regs.pc)),
		       sdei_get_reg(vcpu, SDEI_REG_PE),
		       sdei_get_reg(vcpu, SDEI_REG_EVENT(SLOT_SOFT, SDEI_F_STATE)),
		       !!sdei_get_reg(vcpu, SDEI_REG_CTX(0, SDEI_CTX_RUNNING)));
}

static void *stress_vcpu_thread(void *data)
{
	struct stress_vcpu *sv = data;
	struct kvm_vcpu *vcpu = sv->s->svm.vcpu[sv->id];
	struct ucall uc;

	for (;;) {
		if (__vcpu_run(vcpu)) {
			TEST_ASSERT(errno == EINTR && READ_ONCE(sv->s->stuck),
				    "KVM_RUN of vCPU %u: %s", sv->id, strerror(errno));
			tell_vcpu(sv->s, sv->id);
			sem_post(&sv->s->told);
			break;
		}

		switch (get_ucall(vcpu, &uc)) {
		case UCALL_DONE:
			free(sv);
			return NULL;
		case UCALL_ABORT:
			REPORT_GUEST_ASSERT(uc);
			break;
		default:
			assert_on_unhandled_exception(vcpu);
			TEST_FAIL("Unexpected exit %u", vcpu->run->exit_reason);
		}
	}
	free(sv);
	return NULL;
}

/* Grows as long as anything works; all counters only ever grow. */
static uint64_t progress(struct stress *s)
{
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < SDEI_MAX_VCPUS; i++)
		sum += READ_ONCE((*guest_ptr(&s->svm, guest_nr_handled))[i]) +
		       READ_ONCE((*guest_ptr(&s->svm, guest_ack))[FROM_VMM][i]) +
		       READ_ONCE((*guest_ptr(&s->svm, guest_ack))[FROM_VMM_CRITICAL][i]);
	return sum;
}

/* Who waits for whom, from memory, then what each vCPU has in its registers. */
static void tell_all(struct stress *s)
{
	uint64_t (*request)[SDEI_MAX_VCPUS] = *guest_ptr(&s->svm, guest_request);
	uint64_t (*ack)[SDEI_MAX_VCPUS] = *guest_ptr(&s->svm, guest_ack);
	unsigned int from, to, i;

	ksft_print_msg("No progress for %d s. Token %lu of %lu, next is vCPU %lu\n",
		       STUCK_SECONDS, *guest_ptr(&s->svm, guest_token),
		       (*guest_ptr(&s->svm, guest_quota))[0],
		       *guest_ptr(&s->svm, guest_token) % s->svm.nr_vcpus);

	for (from = 0; from < NR_SENDERS; from++) {
		for (to = 0; to < s->svm.nr_vcpus; to++) {
			if (request[from][to] != ack[from][to])
				ksft_print_msg("%u (%s) waits for vCPU %u: sent %lu, got %lu\n",
					       from, from < FROM_VMM ? "a vCPU" : "the VMM",
					       to, request[from][to], ack[from][to]);
		}
	}

	for (i = 0; i < s->svm.nr_vcpus; i++)
		ksft_print_msg("vCPU %u: handled %lu, blocks %lu, exits %lu\n", i,
			       (*guest_ptr(&s->svm, guest_nr_handled))[i],
			       sdei_vcpu_stat(&s->svm, i, "blocking"),
			       sdei_vcpu_stat(&s->svm, i, "exits"));

	WRITE_ONCE(s->stuck, true);
	for (i = 0; i < s->svm.nr_vcpus; i++) {
		s->svm.vcpu[i]->run->immediate_exit = 1;
		if (!pthread_kill(s->threads[i], SIGUSR1))
			sem_wait(&s->told);
	}
}

static void *watchdog_thread(void *data)
{
	uint64_t before = 0, now;
	struct stress *s = data;
	struct timespec until;

	for (;;) {
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += STUCK_SECONDS;
		if (!sem_timedwait(&s->over, &until))
			return NULL;
		now = progress(s);
		if (now == before)
			break;
		before = now;
	}
	tell_all(s);
	TEST_FAIL("A wake-up was lost, see above");
	return NULL;
}

static void interrupt_nothing(int sig)
{
}

static void stress_create(struct stress *s, enum sdei_conduit conduit,
			  unsigned int nr_vcpus, void *guest_code)
{
	unsigned int i;

	memset(s, 0, sizeof(*s));
	sdei_vm_create(&s->svm, nr_vcpus, conduit, guest_code);
	for (i = 0; i < nr_vcpus; i++) {
		(*guest_ptr(&s->svm, guest_mpidr))[i] = s->svm.mpidr[i];
		(*guest_ptr(&s->svm, guest_random))[i] = i;
	}
	for (i = 0; i < NR_SENDERS; i++)
		(*guest_ptr(&s->svm, guest_finished))[i] = i >= nr_vcpus;
	write_guest_global(s->svm.vm, guest_nr_vcpus, nr_vcpus);
	/* Really sleep: polling would hide that a wake-up is missing. */
	vm_enable_cap(s->svm.vm, KVM_CAP_HALT_POLL, 0);
}

static void stress_run(struct stress *s)
{
	struct stress_vcpu *sv;
	unsigned int i;

	signal(SIGUSR1, interrupt_nothing);
	sem_init(&s->over, 0, 0);
	sem_init(&s->told, 0, 0);

	for (i = 0; i < s->svm.nr_vcpus; i++) {
		sv = malloc(sizeof(*sv));
		TEST_ASSERT(sv, "malloc() failed");
		*sv = (struct stress_vcpu) { s, i };
		TEST_ASSERT(!pthread_create(&s->threads[i], NULL, stress_vcpu_thread, sv),
			    "pthread_create() failed");
	}
	TEST_ASSERT(!pthread_create(&s->watchdog, NULL, watchdog_thread, s),
		    "pthread_create() failed");

	for (i = 0; i < s->svm.nr_vcpus; i++)
		host_wait_for(READ_ONCE((*guest_ptr(&s->svm, guest_ready))[i]));
}

static void stress_end(struct stress *s)
{
	unsigned int i;

	for (i = 0; i < s->svm.nr_vcpus; i++)
		TEST_ASSERT(!pthread_join(s->threads[i], NULL), "pthread_join() failed");
	sem_post(&s->over);
	TEST_ASSERT(!pthread_join(s->watchdog, NULL), "pthread_join() failed");
	sem_destroy(&s->over);
	sem_destroy(&s->told);
}

/* Says how many, and makes sure that vCPUs have slept at all. */
static void stress_free(struct stress *s, uint64_t nr_acked)
{
	uint64_t woken = 0;
	unsigned int i;

	for (i = 0; i < s->svm.nr_vcpus; i++)
		woken += sdei_vcpu_stat(&s->svm, i, "halt_wakeup");
	ksft_print_msg("%lu signals acknowledged, vCPUs woken up %lu times\n", nr_acked, woken);
	TEST_ASSERT(woken, "No vCPU ever slept");
	sdei_vm_free(&s->svm);
}

/*
 * A share of all signals, for a test that runs in each of the four variants:
 * the four tests' shares add up to all of them.
 */
static uint64_t share(unsigned int percent)
{
	return DIV_ROUND_UP(nr_signals * percent, 4 * 100);
}

TEST_F(sdei_stress, signals_round_a_ring_of_sleepers_wake_each_in_turn)
{
	uint64_t nr = share(40);
	struct stress s;

	stress_create(&s, variant->conduit, variant->nr_vcpus, guest_ring);
	(*guest_ptr(&s.svm, guest_quota))[0] = nr;
	stress_run(&s);
	sdei_inject(&s.svm, 0, EV_SOFT);
	stress_end(&s);
	TEST_ASSERT_EQ(*guest_ptr(&s.svm, guest_token), nr + 1);
	stress_free(&s, nr);
}

static uint64_t stress_acked(struct stress *s)
{
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < s->svm.nr_vcpus; i++)
		sum += (*guest_ptr(&s->svm, guest_nr_acked))[i];
	return sum;
}

/* Start each vCPU by an event that nobody waits for. */
static void stress_start_pairs(struct stress *s)
{
	unsigned int i;

	for (i = 0; i < s->svm.nr_vcpus; i++)
		sdei_inject(&s->svm, i, EV_SOFT);
}

TEST_F(sdei_stress, signals_between_random_pairs_of_sleepers_are_all_acknowledged)
{
	uint64_t nr = DIV_ROUND_UP(share(30), variant->nr_vcpus);
	struct stress s;
	unsigned int i;

	stress_create(&s, variant->conduit, variant->nr_vcpus, guest_pairs);
	for (i = 0; i < variant->nr_vcpus; i++)
		(*guest_ptr(&s.svm, guest_quota))[i] = nr;
	stress_run(&s);
	stress_start_pairs(&s);
	stress_end(&s);
	TEST_ASSERT_EQ(stress_acked(&s), nr * variant->nr_vcpus);
	stress_free(&s, stress_acked(&s));
}

TEST_F(sdei_stress, signals_of_all_to_one_sleeper_are_all_acknowledged)
{
	uint64_t nr = DIV_ROUND_UP(share(15), variant->nr_vcpus - 1);
	struct stress s;
	unsigned int i;

	stress_create(&s, variant->conduit, variant->nr_vcpus, guest_pairs);
	write_guest_global(s.svm.vm, guest_gather, true);
	for (i = 1; i < variant->nr_vcpus; i++)
		(*guest_ptr(&s.svm, guest_quota))[i] = nr;
	stress_run(&s);
	stress_start_pairs(&s);
	stress_end(&s);
	TEST_ASSERT_EQ(stress_acked(&s), nr * (variant->nr_vcpus - 1));
	stress_free(&s, stress_acked(&s));
}

struct vmm_sender {
	struct stress *s;
	unsigned int sender;
	uint64_t nr;
};

/* Send to each vCPU in turn, and wait until it has acknowledged. */
static void *vmm_sender_thread(void *data)
{
	struct vmm_sender *vs = data;
	struct stress *s = vs->s;
	uint64_t *request, *ack, i;
	unsigned int to;

	for (i = 0; i < vs->nr; i++) {
		to = i % s->svm.nr_vcpus;
		request = &(*guest_ptr(&s->svm, guest_request))[vs->sender][to];
		ack = &(*guest_ptr(&s->svm, guest_ack))[vs->sender][to];
		WRITE_ONCE(*request, *request + 1);
		sdei_inject(&s->svm, to, vs->sender == FROM_VMM ? EV_SOFT : EV_CRITICAL);
		host_wait_for(READ_ONCE(*ack) == *request);
	}

	/* The vCPUs may be waiting for this to be over. */
	WRITE_ONCE((*guest_ptr(&s->svm, guest_finished))[vs->sender], true);
	sdei_inject(&s->svm, 0, EV_SOFT);
	return NULL;
}

/* 5 % from each thread of the VMM, and 5 % from the vCPUs */
TEST_F(sdei_stress, signals_and_injections_to_the_same_sleepers_are_all_acknowledged)
{
	uint64_t nr = DIV_ROUND_UP(share(5), variant->nr_vcpus);
	struct vmm_sender senders[2];
	pthread_t threads[2];
	struct stress s;
	unsigned int i;

	stress_create(&s, variant->conduit, variant->nr_vcpus, guest_pairs);
	for (i = 0; i < variant->nr_vcpus; i++)
		(*guest_ptr(&s.svm, guest_quota))[i] = nr;
	for (i = 0; i < 2; i++) {
		senders[i] = (struct vmm_sender) { &s, FROM_VMM + i, share(5) };
		(*guest_ptr(&s.svm, guest_finished))[FROM_VMM + i] = false;
	}
	stress_run(&s);
	stress_start_pairs(&s);
	for (i = 0; i < 2; i++)
		TEST_ASSERT(!pthread_create(&threads[i], NULL, vmm_sender_thread, &senders[i]),
			    "pthread_create() failed");
	for (i = 0; i < 2; i++)
		TEST_ASSERT(!pthread_join(threads[i], NULL), "pthread_join() failed");
	stress_end(&s);
	TEST_ASSERT_EQ(stress_acked(&s), nr * variant->nr_vcpus);
	stress_free(&s, stress_acked(&s) + 2 * share(5));
}

/*
 * A vCPU that runs, alone on its CPU, makes no exits but those that the host
 * forces upon it. A kick is an IPI, and the host counts these: if the event had
 * to wait for the tick, there would be none.
 */

#define NR_KICKS	100

SDEI_CONDUIT_FIXTURE(sdei_kick)

/* Turns of its loop: while they grow, it is in no handler. */
static uint64_t guest_turns;

static void guest_running_handler(struct sdei_frame *frame)
{
	guest_nr_handled[1]++;
	if (READ_ONCE(guest_stop))
		GUEST_DONE();
}

/* vCPU 1 */
static void guest_running(void)
{
	sdei_guest_setup(EV_SOFT, 0, guest_running_handler);
	sdei_guest_setup(EV_CRITICAL, 0, guest_running_handler);
	GUEST_ASSERT_CALL(0, SDEI_PE_UNMASK);
	WRITE_ONCE(guest_ready[1], true);
	for (;;) {
		WRITE_ONCE(guest_turns, guest_turns + 1);
		cpu_relax();
	}
}

#define wait_until_running(turns, wait_for)				\
do {									\
	uint64_t *__turns = (turns), __before = READ_ONCE(*__turns);	\
									\
	wait_for(READ_ONCE(*__turns) > __before + 1);			\
} while (0)

#define guest_wait_for(cond)						\
do {									\
	while (!(cond))							\
		cpu_relax();						\
} while (0)

/* vCPU 0 */
static void guest_kicks(void)
{
	uint64_t i;

	guest_wait_for(READ_ONCE(guest_ready[1]));
	for (i = 1; i <= NR_KICKS; i++) {
		wait_until_running(&guest_turns, guest_wait_for);
		guest_signal(1);
		guest_wait_for(READ_ONCE(guest_nr_handled[1]) == i);
	}
	GUEST_DONE();
}

/* What /proc/interrupts counts for an IPI on a CPU */
static uint64_t nr_rescheduling_ipis(int cpu)
{
	char line[4096], *p, *save;
	int column, i;
	uint64_t nr = 0;
	bool found = false;
	FILE *f;

	f = fopen("/proc/interrupts", "r");
	TEST_ASSERT(f, "/proc/interrupts: %s", strerror(errno));

	/* The first line names the CPUs that are online. */
	TEST_ASSERT(fgets(line, sizeof(line), f), "/proc/interrupts is empty");
	column = -1;
	i = 0;
	for (p = strtok_r(line, "\n ", &save); p; p = strtok_r(NULL, "\n ", &save), i++) {
		if (!strncmp(p, "CPU", 3) && atoi(p + 3) == cpu)
			column = i;
	}
	TEST_ASSERT(column >= 0, "/proc/interrupts has no CPU %d", cpu);

	while (!found && fgets(line, sizeof(line), f)) {
		found = strstr(line, "Rescheduling interrupts");
		if (!found)
			continue;
		p = strchr(line, ':') + 1;
		for (i = 0; i <= column; i++)
			nr = strtoull(p, &p, 0);
	}
	fclose(f);
	TEST_ASSERT(found, "/proc/interrupts does not count rescheduling interrupts");
	return nr;
}

/* Two CPUs that may be used */
static bool two_cpus(int cpus[2])
{
	cpu_set_t set;
	int cpu, n = 0;

	TEST_ASSERT(!sched_getaffinity(0, sizeof(set), &set), "sched_getaffinity() failed");
	for (cpu = 0; cpu < CPU_SETSIZE && n < 2; cpu++) {
		if (CPU_ISSET(cpu, &set))
			cpus[n++] = cpu;
	}
	return n == 2;
}

static void pin(pthread_t thread, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	TEST_ASSERT(!pthread_setaffinity_np(thread, sizeof(set), &set),
		    "pthread_setaffinity_np() failed");
}

/* Signals from vCPU 0, or injections from here, both on the other CPU */
static void host_kicks(enum sdei_conduit conduit, int cpus[2], bool from_vcpu)
{
	uint64_t *turns, before, nr, i;
	pthread_t threads[2];
	struct sdei_vm svm;

	sdei_vm_create(&svm, 2, conduit, guest_kicks);
	vcpu_arch_set_entry_point(svm.vcpu[1], guest_running);
	for (i = 0; i < 2; i++)
		(*guest_ptr(&svm, guest_mpidr))[i] = svm.mpidr[i];
	turns = guest_ptr(&svm, guest_turns);

	pin(pthread_self(), cpus[0]);
	sdei_run_thread(&svm, 1, &threads[1]);
	pin(threads[1], cpus[1]);
	host_wait_for(READ_ONCE((*guest_ptr(&svm, guest_ready))[1]));

	before = nr_rescheduling_ipis(cpus[1]);
	if (from_vcpu) {
		/* Its thread inherits the CPU. */
		sdei_run_thread(&svm, 0, &threads[0]);
		TEST_ASSERT(!pthread_join(threads[0], NULL), "pthread_join() failed");
	} else {
		for (i = 1; i <= NR_KICKS; i++) {
			wait_until_running(turns, host_wait_for);
			sdei_inject(&svm, 1, i & 1 ? EV_SOFT : EV_CRITICAL);
			host_wait_for(READ_ONCE((*guest_ptr(&svm, guest_nr_handled))[1]) == i);
		}
	}
	nr = nr_rescheduling_ipis(cpus[1]) - before;

	WRITE_ONCE(*guest_ptr(&svm, guest_stop), true);
	sdei_inject(&svm, 1, EV_SOFT);
	TEST_ASSERT(!pthread_join(threads[1], NULL), "pthread_join() failed");
	sdei_vm_free(&svm);

	/*
	 * One that finds the vCPU on its way into the guest or out of it needs
	 * no IPI, but these are few: it exits for the host's interrupts only.
	 */
	ksft_print_msg("%d events for a vCPU that runs, %lu IPIs\n", NR_KICKS, nr);
	TEST_ASSERT(nr >= NR_KICKS / 2, "%d events, but only %lu IPIs", NR_KICKS, nr);
}

TEST_F(sdei_kick, running_vcpu_is_kicked_by_a_signal)
{
	int cpus[2];

	if (!two_cpus(cpus))
		SKIP(return, "this takes two CPUs");
	host_kicks(variant->conduit, cpus, true);
}

TEST_F(sdei_kick, running_vcpu_is_kicked_by_an_injection)
{
	int cpus[2];

	if (!two_cpus(cpus))
		SKIP(return, "this takes two CPUs");
	host_kicks(variant->conduit, cpus, false);
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_ARM_SDEI));

	/* The harness has no way to add an option to its own. */
	if (argc > 2 && !strcmp(argv[1], "-n")) {
		nr_signals = atoi_positive("SIGNALS", argv[2]);
		argv[2] = argv[0];
		argc -= 2;
		argv += 2;
	}

	return test_harness_run(argc, argv);
}
