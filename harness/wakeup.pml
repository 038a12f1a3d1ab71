/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Can an event get lost on its way to a vCPU?
 *
 * A model, for spin, of everything that takes part in sending an SDEI event to
 * a vCPU: make pending, request, kick, wake up; the vCPU's loop around the
 * guest; WFI; delivery; and whatever else changes what is deliverable. 'make
 * model' searches every interleaving of it.
 *
 * Claimed, and checked in each reachable state:
 *
 *  - Nothing is lost: when nothing moves any more (the guest spins without
 *    leaving guest mode or sleeps in WFI, all senders are done), no event is
 *    pending that the vCPU would take. See observer().
 *  - The host never loops for ever on the way into the guest: each cycle passes
 *    a label that starts with "progress".
 *  - When a sender is done, the vCPU does not execute the guest without
 *    knowing. See sender().
 *  - What has ended WFI, and what is injected "now", is taken before the guest
 *    executes another instruction.
 *  - A handler is entered for what its registration allows only: see deliver().
 *  - Nobody waits where waiting is not meant: spin's "invalid end states".
 *
 * Each step stands for the C statements above it, in the form
 *
 *	FILE FUNCTION: STATEMENT
 *
 * 'make model' checks that FUNCTION in FILE still has STATEMENT, and that no
 * statement of the dispatcher on the pending bits or the request is missing
 * here: so C can't change behind the model's back.
 *
 * What runs: the vCPU's thread, which is its VMM's thread, too; SENDERS other
 * threads, each of which sends and cancels any event, as often as it likes, and
 * stops whenever it likes; another vCPU that turns this one on. What the guest
 * does between two exits is arbitrary. Two events stand for all: a normal one
 * and a critical one. No timer tick and no other interrupt helps out. Left out
 * is KVM_MP_STATE_SUSPENDED, in which the VMM has the last word (CPU_SUSPEND is
 * not that, but WFI).
 *
 * Memory: spin's is sequentially consistent, arm64's is not. Where a store can
 * be overtaken by a later load of the same CPU, and someone looks, it goes into
 * a buffer (sb_*, store_buffers()) that empties at any time and in any order,
 * and barriers wait until it is empty. That is more than arm64 does to stores;
 * loads are not moved. The loads that matter cannot move:
 *
 *  - kvm_check_request(), then the load of the pending bits: a full barrier is
 *    between them.
 *  - In kvm_sdei_make_pending(), the load of @registered and the full barrier
 *    of the atomic operation behind it.
 *  - The loads of the requests after vcpu->mode = IN_GUEST_MODE, of what ends
 *    WFI after set_current_state(), and of the waiting task in
 *    rcuwait_wake_up(): each directly follows a full barrier.
 *
 * Fully ordered atomic operations, such as atomic_long_fetch_or(), are one step
 * that empties the buffer first. @registered is stored without a buffer: the
 * full barrier before the store in kvm_sdei_set_registered() keeps it in order
 * with what is forgotten; and who is told by the guest that an event is
 * registered is told by a later store of the same CPU, with a barrier of the
 * guest's. @masked, @enabled and @running are the vCPU's own.
 *
 * Defects, each of which the model has to find, or it proves nothing: the names
 * after #ifdef and #ifndef, one at a time (-DNAME).
 *
 * To add a way of delivery: what it reads and writes becomes steps of vcpu(),
 * between "guest" and "exit" if it does not leave guest mode, and what a sender
 * does to reach it, steps of sender().
 */

/*
 * Scope: how many senders, and one event, a normal one, or a critical one, too,
 * but then the vCPU is not turned off.
 */
#ifndef SENDERS
#define SENDERS		2
#endif
#ifndef EVENTS
#define EVENTS		1
#endif

/* The events, one bit each, as in the words of struct kvm_sdei_vcpu */
#define NORMAL		1
#if EVENTS == 2
#define CRITICAL	2
#else
#define CRITICAL	0
#endif
#define ALL		(NORMAL | CRITICAL)

/* vcpu->requests */
#define REQ_SDEI	1
#define REQ_SLEEP	2
#define REQ_RESET	4

/* struct kvm_sdei_vcpu */
byte pending, registered, enabled_events, running;
bool masked = true;

/* struct kvm_vcpu */
byte requests;
mtype = { OUTSIDE_GUEST_MODE, IN_GUEST_MODE, EXITING_GUEST_MODE };
mtype mode = OUTSIDE_GUEST_MODE;
bool stopped;			/* mp_state is KVM_MP_STATE_STOPPED */
bool waiting;			/* rcuwait->task is the vCPU's */
bool asleep;			/* its __state is TASK_INTERRUPTIBLE */

/* Its CPU */
bool irqs_off, ipi;

/* Stores that have not reached memory yet; 0: none, else value + 1 */
mtype sb_mode;
byte sb_waiting, sb_asleep;
byte sb_requests_clear;		/* the vCPU's own: which bit */
bool sb_requests_set[SENDERS];	/* REQ_SDEI, of a sender */

#define VCPU_MB		(!sb_mode && !sb_waiting && !sb_asleep && \
			 !sb_requests_clear)
#define SENDER_MB(me)	(!sb_requests_set[me])

/* What the vCPU sees of its requests: its own stores first */
#define REQUESTS	(requests & ~sb_requests_clear)

/*
 * Which event the vCPU would take if those in @p were pending; 0: none.
 *
 * arch/arm64/include/asm/kvm_sdei_state.h kvm_sdei_may_take:
 *	unsigned long running = data_race(sdei->running);
 * arch/arm64/include/asm/kvm_sdei_state.h kvm_sdei_may_take:
 *	if (critical) running &= sdei->critical;
 * arch/arm64/include/asm/kvm_sdei_state.h kvm_sdei_may_take:
 *	return !(running | data_race(sdei->masked));
 * arch/arm64/include/asm/kvm_sdei_state.h kvm_sdei_next_event:
 *	unsigned long ready = pending & READ_ONCE(sdei->enabled);
 * arch/arm64/include/asm/kvm_sdei_state.h kvm_sdei_next_event:
 *	if ((ready & sdei->critical) && kvm_sdei_may_take(sdei, true))
 *		return __ffs(ready & sdei->critical);
 * arch/arm64/include/asm/kvm_sdei_state.h kvm_sdei_next_event:
 *	if (ready && kvm_sdei_may_take(sdei, false)) return __ffs(ready);
 */
#define NEXT_EVENT(p) \
	(masked || (running & CRITICAL) -> 0 : \
	 ((p) & enabled_events & CRITICAL -> CRITICAL : \
	  (running -> 0 : (p) & enabled_events & NORMAL)))

/*
 * arch/arm64/kvm/sdei.c kvm_sdei_vcpu_has_deliverable:
 *	return kvm_sdei_next_event(vcpu->arch.sdei, kvm_sdei_pending(vcpu)) >= 0;
 * arch/arm64/kvm/sdei.c kvm_sdei_pending:
 *	return atomic_long_read(&vcpu->arch.sdei->pending);
 */
#define HAS_DELIVERABLE	(NEXT_EVENT(pending) != 0)

/* Not pending, and would be taken at once if it were */
#define TAKEN_NOW(event) \
	(!(pending & (event)) && NEXT_EVENT(pending | (event)) == (event))

/*
 * Only for the assertions: events that have been pending since before the
 * REGISTER that is under way; events that have been made pending for the
 * registration that is in force now; which one a sender has found registered.
 */
byte stale, fresh;
byte found[SENDERS];

/* Of each of several senders: what it made pending and nobody has taken yet. */
#if SENDERS > 1
byte mine[SENDERS];
#endif

/*
 * The guest is not to go on before an event is taken: one that has ended WFI,
 * or one that has been injected "now".
 */
bool due;

inline make_pending(event)
{
	pending = pending | (event);
	fresh = fresh | ((event) & registered)
}

inline forget(events)
{
	pending = pending & ~(events);
	stale = stale & ~(events);
	fresh = fresh & ~(events);
	due = false;
#if SENDERS > 1
	mine[0] = mine[0] & ~(events);
	mine[1] = mine[1] & ~(events)
#endif
}

/* Memory takes one store of the buffers, whichever. */
proctype store_buffers()
{
end:	do
	:: d_step { sb_mode -> mode = sb_mode; sb_mode = 0 }
	:: d_step { sb_waiting -> waiting = sb_waiting - 1; sb_waiting = 0 }
	:: d_step { sb_asleep -> asleep = sb_asleep - 1; sb_asleep = 0 }
	:: d_step { sb_requests_clear ->
		requests = requests & ~sb_requests_clear;
		sb_requests_clear = 0
	   }
	:: d_step { sb_requests_set[0] ->
		requests = requests | REQ_SDEI;
		sb_requests_set[0] = false
	   }
#if SENDERS > 1
	:: d_step { sb_requests_set[1] ->
		requests = requests | REQ_SDEI;
		sb_requests_set[1] = false
	   }
#endif
	od
}

/*
 * The vCPU's own request: nobody else looks at it, so that it does not matter
 * when it reaches memory.
 */
inline make_own_request(req)
{
	atomic { !sb_requests_clear -> requests = requests | (req) }
}

/*
 * include/linux/kvm_host.h kvm_check_request: if (kvm_test_request(req, vcpu)) {
 * include/linux/kvm_host.h kvm_check_request: kvm_clear_request(req, vcpu);
 * include/linux/kvm_host.h kvm_check_request: smp_mb__after_atomic();
 *
 * For a request that has been found set.
 */
inline clear_request(req)
{
	sb_requests_clear = req;
#ifndef NO_MB_AFTER_CHECKING_REQUEST
	VCPU_MB;
#endif
}

/* Deliver what can be delivered, in the vCPU's thread. */
inline deliver()
{
	/*
	 * arch/arm64/kvm/sdei.c __kvm_sdei_deliver:
	 *	int slot = kvm_sdei_next_event(vcpu->arch.sdei, kvm_sdei_pending(vcpu));
	 */
	next = NEXT_EVENT(pending);
	if
	/* arch/arm64/kvm/sdei.c __kvm_sdei_deliver: if (slot >= 0) */
	:: !next
	:: else ->
		if
		/*
		 * arch/arm64/kvm/sdei.c kvm_sdei_take_event:
		 *	if (!(atomic_long_fetch_andnot(BIT(slot),
		 *		&sdei->pending) & BIT(slot))) {
		 */
		:: atomic { !(pending & next) ->
#ifndef NO_REQUEST_AFTER_CANCEL
			/*
			 * arch/arm64/kvm/sdei.c kvm_sdei_take_event:
			 *	kvm_make_request(KVM_REQ_SDEI, vcpu);
			 */
			requests = requests | REQ_SDEI;
#endif
			next = 0
		   }
		:: atomic { (pending & next) ->
			assert(registered & next);
			assert(!(stale & next));
			forget(next);
			/*
			 * arch/arm64/include/asm/kvm_sdei_state.h kvm_sdei_enter_handler:
			 *	WRITE_ONCE(sdei->running,
			 *		   sdei->running | BIT(slot));
			 */
			running = running | next;
			next = 0
		   }
		fi
	fi
}

/*
 * arch/arm64/kvm/sdei.c kvm_sdei_clear_registered:
 *	WRITE_ONCE(sdei->registered, sdei->registered & ~slots);
 * arch/arm64/kvm/sdei.c kvm_sdei_clear_registered:
 *	WRITE_ONCE(sdei->enabled, sdei->enabled & ~slots);
 * arch/arm64/kvm/sdei.c kvm_sdei_clear_registered:
 *	atomic_long_andnot(slots, &sdei->pending);
 */
inline clear_registered(events)
{
	d_step {
		registered = registered & ~(events);
		enabled_events = enabled_events & ~(events);
		found[0] = found[0] & ~(events);
#if SENDERS > 1
		found[1] = found[1] & ~(events)
#endif
	}
	d_step { forget(events) }
}

/*
 * arch/arm64/kvm/sdei.c kvm_sdei_set_registered:
 *	atomic_long_fetch_andnot(BIT(slot), &sdei->pending);
 *	WRITE_ONCE(sdei->registered, sdei->registered | BIT(slot));
 */
inline set_registered(event)
{
#ifdef REGISTER_DOES_NOT_FORGET
	stale = stale | (pending & (event));
#else
#ifdef PUBLISH_BEFORE_FORGET
	registered = registered | (event);
#endif
	d_step {
		assert(!(fresh & (event)));
		forget(event)
	}
#endif
	registered = registered | (event)
}

/* arch/arm64/kvm/sdei.c kvm_sdei_vcpu_reset: kvm_sdei_clear_registered(sdei, ~0UL); */
inline vcpu_reset()
{
	clear_registered(ALL);
	d_step {
		/* arch/arm64/kvm/sdei.c kvm_sdei_vcpu_reset: WRITE_ONCE(sdei->running, 0); */
		running = 0;
		/* arch/arm64/kvm/sdei.c kvm_sdei_vcpu_reset: WRITE_ONCE(sdei->masked, true); */
		masked = true
	}
}

/*
 * include/linux/rcuwait.h prepare_to_rcuwait: rcu_assign_pointer(w->task, current);
 */
inline prepare_to_rcuwait()
{
	sb_waiting = true + 1
}

/*
 * include/linux/sched.h set_current_state: smp_store_mb(current->__state, (state_value));
 */
inline set_current_state()
{
	sb_asleep = true + 1;
#ifndef NO_MB_IN_SET_CURRENT_STATE
	VCPU_MB
#endif
}

/*
 * kernel/rcu/update.c finish_rcuwait: rcu_assign_pointer(w->task, NULL);
 * kernel/rcu/update.c finish_rcuwait: __set_current_state(TASK_RUNNING);
 */
inline finish_rcuwait()
{
	atomic { !sb_waiting -> sb_waiting = false + 1 }
	atomic { !sb_asleep -> sb_asleep = false + 1 }
}

/*
 * arch/arm64/kvm/arm.c kvm_arch_vcpu_ioctl_run:
 *	smp_store_release(&vcpu->mode, OUTSIDE_GUEST_MODE);
 * arch/arm64/kvm/arm.c kvm_arch_vcpu_ioctl_run: local_irq_enable();
 *
 * The store is not buffered: if it is late, senders send interrupts that nobody
 * needs any more, and nothing else.
 */
inline outside_guest_mode()
{
	atomic {
		!sb_mode -> mode = OUTSIDE_GUEST_MODE
	}
	d_step {
		irqs_off = false;
		ipi = false
	}
}

/* Any of @events, of which there is one at least */
inline any_event(event, events)
{
	if
	:: (events) & NORMAL -> event = NORMAL
	:: (events) & CRITICAL -> event = CRITICAL
	fi
}

/* The thread of the vCPU, which is the VMM's as well */
proctype vcpu()
{
	byte next;

	/*
	 * In the VMM. With vcpu->mutex held, it writes any of the registers,
	 * or resets the vCPU, as often as it likes, and then runs it. What it
	 * reads makes no difference:
	 *
	 * arch/arm64/kvm/sdei-uapi.c kvm_sdei_event_state:
	 *	if (atomic_long_read(&sdei->pending) & BIT(slot))
	 */
vmm:
progress_vmm:
	if
	/* arch/arm64/kvm/sdei-uapi.c kvm_sdei_set_reg: WRITE_ONCE(vcpu->arch.sdei->masked, val); */
	:: masked = false; goto written
	:: masked = true; goto written
	/*
	 * arch/arm64/kvm/sdei-uapi.c kvm_sdei_set_running:
	 *	WRITE_ONCE(sdei->running, (sdei->running & ~mask) | running);
	 */
	:: atomic { true ->
			any_event(next, ALL);
			running = running ^ next;
			next = 0
		}
		goto written
	/*
	 * arch/arm64/kvm/sdei-uapi.c kvm_sdei_set_event_state:
	 *	kvm_sdei_clear_registered(sdei, BIT(slot));
	 */
	:: atomic { registered -> any_event(next, registered) }
		clear_registered(next);
		goto written
	/*
	 * arch/arm64/kvm/sdei-uapi.c kvm_sdei_set_event_state:
	 *	if (!(sdei->registered & BIT(slot)))
	 *		kvm_sdei_set_registered(sdei, slot);
	 */
	:: atomic { registered != ALL -> any_event(next, ALL & ~registered) }
		set_registered(next);
		goto enabling
	:: atomic { registered -> any_event(next, registered) }
enabling:	atomic {
			/*
			 * arch/arm64/kvm/sdei-uapi.c kvm_sdei_set_event_state:
			 *	WRITE_ONCE(sdei->enabled, sdei->enabled | BIT(slot));
			 * arch/arm64/kvm/sdei-uapi.c kvm_sdei_set_event_state:
			 *	WRITE_ONCE(sdei->enabled, sdei->enabled & ~BIT(slot));
			 */
			if
			:: enabled_events = enabled_events | next
			:: enabled_events = enabled_events & ~next
			fi;
			/*
			 * arch/arm64/kvm/sdei-uapi.c kvm_sdei_set_event_state:
			 *	if (val & KVM_REG_ARM_SDEI_STATE_PENDING)
			 *		atomic_long_or(BIT(slot), &sdei->pending);
			 */
			if
			:: make_pending(next)
			:: true
			fi
		}
written:	atomic {
#ifndef NO_REQUEST_AFTER_REGISTER_WRITE
			/*
			 * arch/arm64/kvm/sdei-uapi.c kvm_sdei_set_reg:
			 *	kvm_make_request(KVM_REQ_SDEI, vcpu);
			 */
			make_own_request(REQ_SDEI);
#endif
			next = 0
		}
		goto vmm
	/* arch/arm64/kvm/reset.c kvm_reset_vcpu: kvm_sdei_vcpu_reset(vcpu); */
	:: true ->
		vcpu_reset();
		goto vmm
	:: goto loop
	fi;

	/* arch/arm64/kvm/arm.c kvm_arch_vcpu_ioctl_run: while (ret > 0) { */
loop:
	/* arch/arm64/kvm/arm.c check_vcpu_requests: if (kvm_request_pending(vcpu)) { */
	if
	:: !REQUESTS -> goto enter
	:: REQUESTS == REQ_SDEI -> goto last_request
	:: else
	fi;

	/*
	 * arch/arm64/kvm/arm.c check_vcpu_requests:
	 *	if (kvm_check_request(KVM_REQ_SLEEP, vcpu)) kvm_vcpu_sleep(vcpu);
	 * arch/arm64/kvm/arm.c kvm_vcpu_sleep:
	 *	rcuwait_wait_event(wait, vcpu_can_run(vcpu), TASK_INTERRUPTIBLE);
	 */
	if
	:: REQUESTS & REQ_SLEEP ->
		clear_request(REQ_SLEEP);
		prepare_to_rcuwait();
sleep:		set_current_state();
		if
		:: !stopped
		:: stopped ->
end_off:
progress_off:		!asleep && !sb_asleep;
			goto sleep
		:: stopped ->
			/*
			 * A signal.
			 * arch/arm64/kvm/arm.c kvm_vcpu_sleep:
			 *	kvm_make_request(KVM_REQ_SLEEP, vcpu);
			 */
			finish_rcuwait();
			make_own_request(REQ_SLEEP);
			goto vmm
		fi;
		finish_rcuwait()
	:: else
	fi;

	/*
	 * arch/arm64/kvm/arm.c check_vcpu_requests:
	 *	if (kvm_check_request(KVM_REQ_VCPU_RESET, vcpu)) kvm_reset_vcpu(vcpu);
	 */
	if
	:: REQUESTS & REQ_RESET ->
		clear_request(REQ_RESET);
		vcpu_reset()
	:: else
	fi;

	/*
	 * arch/arm64/kvm/arm.c check_vcpu_requests:
	 *	if (!kvm_arm_vcpu_stopped(vcpu) &&
	 *	    kvm_check_request(KVM_REQ_SDEI, vcpu))
	 *		kvm_sdei_deliver(vcpu);
	 */
last_request:
	if
	:: !stopped && (REQUESTS & REQ_SDEI) ->
#ifdef DELIVER_BEFORE_CLEARING_REQUEST
		deliver();
		clear_request(REQ_SDEI)
#else
		clear_request(REQ_SDEI);
		deliver()
#endif
	:: else
	fi;

enter:
	/* arch/arm64/kvm/arm.c kvm_arch_vcpu_ioctl_run: local_irq_disable(); */
	/* arch/arm64/kvm/arm.c kvm_arch_vcpu_ioctl_run: smp_store_mb(vcpu->mode, IN_GUEST_MODE); */
	atomic {
		irqs_off = true;
		sb_mode = IN_GUEST_MODE
	}
#ifndef NO_MB_AFTER_MODE
	VCPU_MB;
#endif
	/*
	 * arch/arm64/kvm/arm.c kvm_arch_vcpu_ioctl_run: if (ret <= 0 || kvm_vcpu_exit_request(vcpu, &ret)) {
	 * arch/arm64/kvm/arm.c kvm_vcpu_exit_request:
	 *	return kvm_request_pending(vcpu) || xfer_to_guest_mode_work_pending();
	 */
#ifndef NO_RECHECK_BEFORE_ENTRY
	if
	:: REQUESTS ->
		outside_guest_mode();
		goto loop
	:: else
	fi;
#endif

	/*
	 * In the guest, which does whatever it can do, at any time: spin until
	 * an interrupt comes, or trap.
	 */
guest:
	assert(!stopped);
	assert(!due);
progress_guest:
	if
	:: true ->
end_spin:	ipi;
		goto exit
	:: true -> goto exit

	/*
	 * Or make a call that is served on the spot, with interrupts off and
	 * without a look at the requests. What is pending is read first, and
	 * what follows is done later.
	 *
	 * arch/arm64/kvm/hyp/include/hyp/sdei.h kvm_hyp_handle_call:
	 *	if (unlikely(atomic_long_read(&sdei->pending) & sdei->enabled))
	 *		goto decline;
	 *
	 * PE_MASK
	 */
	:: !masked && !(pending & enabled_events) ->
		masked = true;
		goto guest
	/*
	 * PE_UNMASK
	 *
	 * arch/arm64/kvm/hyp/include/hyp/sdei.h kvm_hyp_handle_call:
	 *	ret = kvm_sdei_pe_mask(sdei,
	 *			       nr == SDEI_NR(SDEI_1_0_FN_SDEI_PE_MASK));
	 */
#ifdef FAST_UNMASK_WITH_EVENTS_PENDING
	:: masked ->
#else
	:: masked && !(pending & enabled_events) ->
#endif
		masked = false;
		goto guest
	/*
	 * EVENT_COMPLETE, EVENT_COMPLETE_AND_RESUME
	 *
	 * arch/arm64/kvm/hyp/include/hyp/sdei.h kvm_hyp_handle_call:
	 *	if (unlikely(!sdei->running))
	 *		goto decline;
	 */
#ifdef FAST_COMPLETE_WITH_EVENTS_PENDING
	:: running ->
#else
	:: running && !(pending & enabled_events) ->
#endif
		running = (running & CRITICAL -> running & ~CRITICAL : 0);
		goto guest
	/*
	 * EVENT_SIGNAL to itself: what is not pending never becomes so.
	 *
	 * arch/arm64/kvm/hyp/include/hyp/sdei.h kvm_hyp_handle_call:
	 *	if (unlikely(!(sdei->enabled & BIT(KVM_SDEI_SLOT_SW)) ||
	 * arch/arm64/kvm/hyp/include/hyp/sdei.h kvm_hyp_handle_call:
	 *	!kvm_sdei_may_take(sdei, false) ||
	 */
	:: !(pending & enabled_events) && (enabled_events & NORMAL) && !running && !masked ->
		atomic {
			assert(registered & NORMAL);
			running = running | NORMAL
		}
		goto guest
	fi;

exit:
	outside_guest_mode();

	/* arch/arm64/kvm/arm.c kvm_arch_vcpu_ioctl_run: ret = handle_exit(vcpu, ret); */
	if
	:: goto loop		/* nothing of interest */
	:: goto vmm		/* MMIO, a signal ... */
	:: goto wfi
#if EVENTS == 1
	:: true ->
		/*
		 * PSCI CPU_OFF.
		 * arch/arm64/kvm/arm.c kvm_arm_vcpu_power_off:
		 *	kvm_sdei_vcpu_reset(vcpu);
		 *	spin_lock(&vcpu->arch.mp_state_lock);
		 *	__kvm_arm_vcpu_power_off(vcpu);
		 * arch/arm64/kvm/arm.c __kvm_arm_vcpu_power_off:
		 *	WRITE_ONCE(vcpu->arch.mp_state.mp_state, KVM_MP_STATE_STOPPED);
		 *	kvm_make_request(KVM_REQ_SLEEP, vcpu);
		 *	kvm_vcpu_kick(vcpu);
		 */
		vcpu_reset();
		atomic {
			!sb_requests_clear;
			stopped = true;
			requests = requests | REQ_SLEEP
		}
		goto loop
#endif
	/* arch/arm64/include/asm/kvm_sdei_state.h kvm_sdei_pe_mask: WRITE_ONCE(sdei->masked, mask); */
	:: !masked -> masked = true
	:: masked -> masked = false
	/*
	 * arch/arm64/include/asm/kvm_sdei_state.h kvm_sdei_leave_handler:
	 *	if (unlikely(critical)) running = sdei->running & ~sdei->critical;
	 * arch/arm64/include/asm/kvm_sdei_state.h kvm_sdei_leave_handler:
	 *	WRITE_ONCE(sdei->running, running);
	 */
	:: running -> running = (running & CRITICAL -> running & ~CRITICAL : 0)
	/* arch/arm64/kvm/sdei.c kvm_sdei_private_reset: kvm_sdei_clear_registered(sdei, ~0UL); */
	:: registered -> clear_registered(ALL)
	/*
	 * KVM itself has an event for the guest.
	 *
	 * arch/arm64/kvm/sdei.c kvm_sdei_inject_event_now:
	 *	if ((pending & BIT(slot)) ||
	 *	    kvm_sdei_next_event(sdei, pending | BIT(slot)) != slot)
	 *		return -EBUSY;
	 */
#if EVENTS == 2
	:: TAKEN_NOW(CRITICAL) -> next = CRITICAL;
		goto now
#endif
	:: TAKEN_NOW(NORMAL) -> next = NORMAL;
now:		atomic {
			/*
			 * arch/arm64/kvm/sdei.c kvm_sdei_inject_event_now:
			 *	kvm_sdei_make_pending(vcpu, slot);
			 */
			make_pending(next);
			due = true;
			next = 0
		}
#ifndef NO_REQUEST_AFTER_NOW
		/*
		 * arch/arm64/kvm/sdei.c kvm_sdei_inject_event_now:
		 *	kvm_make_request(KVM_REQ_SDEI, vcpu);
		 */
		make_own_request(REQ_SDEI);
#endif
		goto loop
	/*
	 * arch/arm64/kvm/sdei.c kvm_sdei_event_register:
	 *	if ((sdei->registered | sdei->running) & BIT(slot))
	 *		return SDEI_DENIED;
	 * arch/arm64/kvm/sdei.c kvm_sdei_event_register:
	 *	kvm_sdei_set_registered(sdei, slot);
	 */
	:: atomic { (registered | running) != ALL ->
			any_event(next, ALL & ~(registered | running))
		}
		set_registered(next)
	/* arch/arm64/kvm/sdei.c kvm_sdei_event_unregister: kvm_sdei_clear_registered(sdei, BIT(slot)); */
	:: atomic { registered -> any_event(next, registered) }
		clear_registered(next)
	:: atomic { registered -> any_event(next, registered);
			if
			/* arch/arm64/kvm/sdei.c kvm_sdei_event_enable: WRITE_ONCE(sdei->enabled, sdei->enabled | BIT(slot)); */
			:: enabled_events = enabled_events | next
			/* arch/arm64/kvm/sdei.c kvm_sdei_event_disable: WRITE_ONCE(sdei->enabled, sdei->enabled & ~BIT(slot)); */
			:: enabled_events = enabled_events & ~next
			/*
			 * arch/arm64/kvm/sdei.c kvm_sdei_event_signal:
			 *	if (mpidr == kvm_vcpu_get_mpidr_aff(vcpu)) {
			 *		kvm_sdei_make_pending(vcpu, slot);
			 */
			:: make_pending(next)
			fi
		}
	fi;
#ifndef NO_DELIVERY_AFTER_CALL
	/* arch/arm64/kvm/sdei.c kvm_sdei_call: __kvm_sdei_deliver(vcpu); */
	deliver();
#endif
	goto loop;

	/*
	 * arch/arm64/kvm/arm.c kvm_vcpu_wfi: kvm_vcpu_halt(vcpu);
	 *
	 * First it may poll.
	 * virt/kvm/kvm_main.c kvm_vcpu_halt: if (kvm_vcpu_check_block(vcpu) < 0) goto out;
	 * virt/kvm/kvm_main.c kvm_vcpu_halt: waited = kvm_vcpu_block(vcpu);
	 */
wfi:
	if
	:: atomic { HAS_DELIVERABLE -> due = true }
		goto halted
	:: true
	fi;
	/* virt/kvm/kvm_main.c kvm_vcpu_block: prepare_to_rcuwait(wait); */
	prepare_to_rcuwait();
block:
	/* virt/kvm/kvm_main.c kvm_vcpu_block: set_current_state(TASK_INTERRUPTIBLE); */
	set_current_state();
	/*
	 * virt/kvm/kvm_main.c kvm_vcpu_block: if (kvm_vcpu_check_block(vcpu) < 0) break;
	 * virt/kvm/kvm_main.c kvm_vcpu_check_block: if (kvm_arch_vcpu_runnable(vcpu)) goto out;
	 * arch/arm64/kvm/arm.c kvm_arch_vcpu_runnable:
	 *	irq_lines |= vcpu_has_sdei(v) && kvm_sdei_vcpu_has_deliverable(v);
	 */
	if
#ifndef NO_RUNNABLE
	:: atomic { HAS_DELIVERABLE -> due = true }
#endif
	/* virt/kvm/kvm_main.c kvm_vcpu_check_block: if (signal_pending(current)) goto out; */
	:: true			/* that, a timer, an interrupt */
#ifdef NO_RUNNABLE
	:: true ->
#else
	:: !HAS_DELIVERABLE ->
#endif
		/* virt/kvm/kvm_main.c kvm_vcpu_block: schedule(); */
end_wfi:
progress_wfi:	!asleep && !sb_asleep;
		goto block
	fi;
	/* virt/kvm/kvm_main.c kvm_vcpu_block: finish_rcuwait(wait); */
	finish_rcuwait();
halted:
#ifndef NO_REQUEST_AFTER_WFI
	/*
	 * arch/arm64/kvm/arm.c kvm_vcpu_wfi:
	 *	if (vcpu_has_sdei(vcpu)) kvm_make_request(KVM_REQ_SDEI, vcpu);
	 */
	make_own_request(REQ_SDEI);
#endif
	goto loop
}

/*
 * Wake the vCPU up if it waits; @woken tells whether it did.
 *
 * virt/kvm/kvm_main.c kvm_vcpu_wake_up: if (__kvm_vcpu_wake_up(vcpu)) {
 */
inline wake_up(me)
{
	/* kernel/exit.c rcuwait_wake_up: smp_mb(); */
#ifndef NO_MB_IN_WAKE_UP
	SENDER_MB(me);
#endif
	woken = false;
	/*
	 * kernel/exit.c rcuwait_wake_up: task = rcu_dereference(w->task);
	 * kernel/exit.c rcuwait_wake_up: if (task)
	 */
	if
	:: !waiting
	:: waiting ->
		/*
		 * kernel/exit.c rcuwait_wake_up: ret = wake_up_process(task);
		 * kernel/sched/core.c try_to_wake_up: smp_mb__after_spinlock();
		 * kernel/sched/core.c try_to_wake_up: if (!ttwu_state_match(p, state, &success))
		 */
		d_step { woken = asleep; asleep = false }
	fi
}

/* A thread that sends events to the vCPU, and takes them back */
proctype sender(byte me)
{
	byte event;
	bool woken;

again:
progress_again:
	if
	:: d_step { woken = false; event = NORMAL }
#if EVENTS == 2
	:: d_step { woken = false; event = CRITICAL }
#endif
	:: d_step { woken = false; event = 0 }
		goto done
	fi;

	if
	:: true
	:: d_step {
		/*
		 * arch/arm64/kvm/sdei.c kvm_sdei_cancel_event:
		 *	pending = atomic_long_fetch_andnot(BIT(slot),
		 *			&vcpu->arch.sdei->pending);
		 */
		forget(event);
		event = 0
	   }
		goto again
	fi;

#ifdef REQUEST_BEFORE_PENDING
	sb_requests_set[me] = true;
	SENDER_MB(me);
#endif
	/* arch/arm64/kvm/sdei.c kvm_sdei_make_pending: if (!(READ_ONCE(sdei->registered) & BIT(slot))) return false; */
	atomic {
		if
		:: !(registered & event) -> goto again
		:: else -> found[me] = event
		fi
	}

#ifdef COALESCED_SENDER_RETURNS_EARLY
	if
	:: atomic { pending & event ->
#if SENDERS > 1
		mine[me] = event
#endif
	   }
		goto sent
	:: else
	fi;
#endif
	/* arch/arm64/kvm/sdei.c kvm_sdei_make_pending: atomic_long_fetch_or(BIT(slot), &sdei->pending); */
	atomic {
		SENDER_MB(me);
		pending = pending | event;
		fresh = fresh | (found[me] & event);
#if SENDERS > 1
		mine[me] = event;
#endif
		found[me] = 0
	}

#ifndef REQUEST_BEFORE_PENDING
#ifndef NO_REQUEST
	/*
	 * arch/arm64/kvm/sdei.c kvm_sdei_send: kvm_make_request(KVM_REQ_SDEI, vcpu);
	 * include/linux/kvm_host.h __kvm_make_request: smp_wmb();
	 * include/linux/kvm_host.h __kvm_make_request:
	 *	set_bit(req & KVM_REQUEST_MASK, (void *)&vcpu->requests);
	 */
	sb_requests_set[me] = true;
#endif
#endif

#ifndef NO_KICK
	/*
	 * arch/arm64/kvm/sdei.c kvm_sdei_send: kvm_vcpu_kick(vcpu);
	 * virt/kvm/kvm_main.c kvm_vcpu_kick: if (kvm_vcpu_wake_up(vcpu)) return;
	 */
	wake_up(me);
	if
	:: woken -> goto sent
	:: else
	fi;
#ifndef NO_IPI
	/*
	 * virt/kvm/kvm_main.c kvm_vcpu_kick: if (kvm_arch_vcpu_should_kick(vcpu)) {
	 * include/linux/kvm_host.h kvm_vcpu_exiting_guest_mode:
	 *	return cmpxchg(&vcpu->mode, IN_GUEST_MODE, EXITING_GUEST_MODE);
	 */
	if
	:: atomic { mode == IN_GUEST_MODE -> mode = EXITING_GUEST_MODE }
		/*
		 * virt/kvm/kvm_main.c kvm_vcpu_kick: smp_send_reschedule(cpu);
		 *
		 * With interrupts on, it is taken outside the guest.
		 */
		ipi = irqs_off
	:: mode != IN_GUEST_MODE
	fi;
#endif
#endif

	/*
	 * Who sends may rely on it that the vCPU knows, or will before it is in
	 * the guest, even if another sender was first.
	 */
sent:
#if SENDERS > 1
	atomic {
		assert(!(NEXT_EVENT(mine[me]) && mode == IN_GUEST_MODE &&
			 !ipi && !(requests & REQ_SDEI)));
		mine[me] = 0
	}
#endif
	goto again;
done:
	skip
}

/* Another vCPU, which turns this one on when it likes */
proctype psci()
{
end:
progress:
	if
	:: stopped ->
		/*
		 * arch/arm64/kvm/psci.c kvm_psci_vcpu_on: kvm_make_request(KVM_REQ_VCPU_RESET, vcpu);
		 * arch/arm64/kvm/psci.c kvm_psci_vcpu_on: smp_wmb();
		 */
		requests = requests | REQ_RESET;
		/*
		 * arch/arm64/kvm/psci.c kvm_psci_vcpu_on:
		 *	WRITE_ONCE(vcpu->arch.mp_state.mp_state, KVM_MP_STATE_RUNNABLE);
		 *	kvm_vcpu_wake_up(vcpu);
		 */
		stopped = false;
		if
		:: waiting -> asleep = false
		:: !waiting
		fi;
		goto end
	fi
}

/* When nothing moves, is anything left to be delivered? */
proctype observer()
{
end:	timeout -> assert(stopped || !HAS_DELIVERABLE)
}

init
{
	atomic {
		run store_buffers();
		run vcpu();
		run sender(0);
#if SENDERS > 1
		run sender(1);
#endif
		run psci();
		run observer()
	}
}
