/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * latch.pml - a connection, its latch, the SAs that come and go: everything that could happen.
 *
 * Two workers and the control context. Worker 0 owns the keys; worker 1 owns the connection. What
 * worker 0 decrypts is tagged and handed over in a ring; what worker 1 sends is handed over with a
 * request tag. The control context adds, deletes and revokes SAs of two peers, worker by worker,
 * and uses their slots again. docs/model.md says which function of the code each part stands for;
 * run.py searches all interleavings, and those of variants that are wrong on purpose.
 *
 * A step that is atomic here runs to its end between two looks of a worker at its messages.
 * What starts with g_ is not in the code: it is what the assertions know.
 */

/* How far the search goes. */
#ifndef SLOTS
#define SLOTS 2
#endif
#ifndef SAS
#define SAS 3 /* that are ever added */
#endif
#ifndef DELS
#define DELS 2
#endif
#ifndef EDITS
#define EDITS 1 /* of the policy */
#endif
#ifndef ADMIN
#define ADMIN 1 /* break or close */
#endif
#ifndef RING
#define RING 2
#endif
#ifndef LIVES
#define LIVES 2 /* connections on one 5-tuple, one after the other */
#endif
#ifndef DRAIN_ROUNDS
#define DRAIN_ROUNDS 1
#endif

/* Profiles: two protections of peer B, one of peer C, whose SA covers B's address. */
#define NOBODY 0
#define B_STRONG 1
#define B_OTHER 2
#define C_STRONG 3
#define PEER_B 1
#define PEER_C 2
#define peer_of(profile) ((profile) == C_STRONG -> PEER_C : PEER_B)

mtype = { NONE, WANTED, ESTABLISHED, BROKEN, CLOSED };
mtype = { BYPASS, PROTECT, DISCARD };
mtype = { S_FREE, S_LIVE, S_DRAINING };

/* ---- the control context's tables ---- */
mtype m_state[SLOTS] = S_FREE;
byte m_gen[SLOTS];
byte m_sa[SLOTS]; /* the SA in a live slot */
byte round[SLOTS];

/* What an SA is, immutable; number 0 is none. */
byte sa_slot[SAS + 1], sa_gen[SAS + 1], sa_profile[SAS + 1];
byte sas, dels, edits, admins;

/* ---- the workers' tables: which SA is in a slot ---- */
byte sad0[SLOTS], sad1[SLOTS];
byte revoked_gen[SLOTS]; /* of worker 1 */
mtype policy = PROTECT;  /* of worker 1 */

/* ---- queues that outlive a turn ---- */
/* tagged, slot, generation, profile; and the SA that really decrypted it, 0: clear */
chan in_ring = [RING] of { bit, byte, byte, byte, byte };
/* slot, generation, profile; and the profile of the latch that sent it */
chan out_ring = [RING] of { byte, byte, byte, byte };
byte reass; /* the SA whose datagram worker 0 is putting together; 0: nothing */

/* What must pass before a slot is used again: packets in each ring, the datagram. */
byte drain_in[SLOTS], drain_out[SLOTS];
bit drain_reass[SLOTS];

/* ---- the connection and its latch, worker 1's ---- */
bit is_listening; /* a LISTENER latch exists */
bit is_live;
mtype state = NONE;
byte profile; /* latched */
byte lives;

/* ---- what the program asked for, chosen once ---- */
bit by_listen, wish_b; /* listen() or connect(); only peer B will do */

/* ---- what the assertions know ---- */
bit g_wanted;       /* this connection must have a channel */
bit g_established;  /* it had one */
byte g_profile;     /* with whom, and how */
bit g_revoked[SAS + 1]; /* worker 1 was told */

/* ================================================================ the latch */

/* The one place that writes the state (CLOSED is final, LISTENER is a state of its own). */
inline set_state(to)
{
	assert(state != CLOSED);
	assert(!(state == ESTABLISHED && (to == WANTED || to == NONE)));
	assert(!(state == BROKEN && (to == WANTED || to == NONE)));
	assert(!(state == NONE && to == BROKEN));
	state = to;
}

inline establish(p)
{
	set_state(ESTABLISHED);
	profile = p;
	assert(!g_established); /* G-16: once */
	assert(!wish_b || peer_of(p) == PEER_B); /* L-2, C-6 */
	g_established = 1;
	g_profile = p;
}

/* A conflict, by disposition: as if reset, or as if packets were lost (RFC 5660 s5.5). What is
 * configured is not modelled but chosen each time, which allows more than any configuration. */
inline conflict()
{
	if
	:: state == ESTABLISHED -> set_state(BROKEN)
	:: state == ESTABLISHED -> set_state(CLOSED)
	:: state == NONE -> set_state(CLOSED)
	:: else -> skip
	fi
}

/* Whether an SA of another peer, or of another protection, covers the 5-tuple. */
#define differs(s) (sad1[s] != 0 && sa_profile[sad1[s]] != profile)
#define conflicting (differs(0) || differs(1))
#define fits(s, p) (sad1[s] != 0 && sa_profile[sad1[s]] == p)
#define available(p) (fits(0, p) || fits(1, p))
#define wished(s) (sad1[s] != 0 && (!wish_b || peer_of(sa_profile[sad1[s]]) == PEER_B))
/* C-7: SAs of two peers cover a new connection. */
#define two_peers \
	(sad1[0] != 0 && sad1[1] != 0 && \
		peer_of(sa_profile[sad1[0]]) != peer_of(sa_profile[sad1[1]]))

/* ================================================================ acceptance */

/* Bytes of a packet reach the connection. said: the profile that the verdict compared. */
inline accept(sa, said)
{
	assert(state != BROKEN && state != CLOSED);            /* B-3 */
	assert(!(g_wanted && !g_established));                 /* G-13 */
	assert(!(g_established && sa == 0));                   /* G-15: in clear */
	assert(!(g_established && sa_profile[sa] != g_profile)); /* G-15: not matching */
	assert(sa == 0 || peer_of(sa_profile[sa]) == peer_of(said)); /* F-1 */
	assert(!g_revoked[sa]);                                /* F-3 */
	assert(sa != 0 || policy == BYPASS);
}

/* What the verdict compares: the tag's own profile, valid only with its flag. */
#ifdef TAG_BY_INDEX
#define tag_profile (sad1[slot] == 0 -> NOBODY : sa_profile[sad1[slot]])
#else
#define tag_profile prof
#endif

inline judge_clear_latch()
{
	if
	:: is_tagged -> skip /* M6 */
	:: !is_tagged && policy == BYPASS -> accept(sa, NOBODY)
	:: else -> skip
	fi
}

inline judge_latched()
{
	if
	:: !is_tagged -> skip /* M0: never breaks */
	:: is_tagged && tag_profile == profile -> accept(sa, tag_profile)
#ifdef NO_QOP
	:: is_tagged && tag_profile != profile && peer_of(tag_profile) == peer_of(profile) ->
		accept(sa, tag_profile)
#else
	:: is_tagged && tag_profile != profile && tag_profile != NOBODY &&
		peer_of(tag_profile) == peer_of(profile) -> /* M2 */
		if
		:: skip
		:: conflict()
		fi
#endif
	:: is_tagged && tag_profile == NOBODY -> skip /* M5 */
	:: is_tagged && tag_profile != NOBODY && peer_of(tag_profile) != peer_of(profile) -> /* M3 */
#ifdef RELATCH
		profile = tag_profile;
		accept(sa, tag_profile)
#else
		conflict()
#endif
	fi
}

/* An initiating packet for the listener: policy decides, then the listener's wish. */
inline judge_new()
{
	if
#ifdef SPAWN_CLEAR
	:: !is_tagged && policy != DISCARD -> spawn_clear()
#else
	:: !is_tagged && policy == BYPASS && !wish_b -> spawn_clear()
#endif
	:: is_tagged && policy != DISCARD && tag_profile != NOBODY &&
#ifndef NO_WISH
		(!wish_b || peer_of(tag_profile) == PEER_B) &&
#endif
		available(tag_profile) ->
		spawn(tag_profile);
		accept(sa, tag_profile)
	:: else -> skip
	fi
}

inline spawn(p)
{
	is_live = 1;
	lives++;
	g_wanted = 1;
	establish(p)
}

inline spawn_clear()
{
	is_live = 1;
	lives++;
	g_wanted = (policy == PROTECT);
	accept(sa, NOBODY)
}

inline judge()
{
	if
	:: !is_live && is_listening && lives < LIVES -> judge_new()
	:: !is_live && !(is_listening && lives < LIVES) -> skip
	:: is_live && state == NONE -> judge_clear_latch()
	:: is_live && state == ESTABLISHED -> judge_latched()
#ifdef ACCEPT_WHEN_BROKEN
	:: is_live && state == BROKEN -> judge_latched()
#else
	:: is_live && state == BROKEN -> skip
#endif
#ifdef ACCEPT_IN_WANTED
	:: is_live && state == WANTED -> accept(sa, tag_profile)
#else
	:: is_live && state == WANTED -> skip
#endif
	:: is_live && state == CLOSED -> skip
	fi
}

/* ================================================================ worker 0: it has the keys */

inline hand_in(s)
{
	in_ring ! 1, sa_slot[s], sa_gen[s], sa_profile[s], s
}

/* The wire, in ESP: s is the SA that encrypts. */
inline leave(s)
{
	assert(sa_profile[s] == want);       /* G-14 */
}

inline send_out()
{
	if
#ifdef OUT_BY_INDEX
	:: sad0[slot] != 0 -> leave(sad0[slot])
	:: else -> skip
#else
	:: sad0[slot] != 0 && sa_gen[sad0[slot]] == gen && sa_profile[sad0[slot]] == prof ->
		leave(sad0[slot])
	:: !(sad0[slot] != 0 && sa_gen[sad0[slot]] == gen && sa_profile[sad0[slot]] == prof) ->
		/* The hint is stale: any SA with the latched parameters will do. */
		if
		:: sad0[0] != 0 && sa_profile[sad0[0]] == prof -> leave(sad0[0])
		:: sad0[1] != 0 && sa_profile[sad0[1]] == prof -> leave(sad0[1])
		:: else -> skip /* lost, never in clear */
		fi
#endif
	fi
}

inline one_less(count)
{
	if
	:: count > 0 -> count--
	:: else -> skip
	fi
}

proctype worker0()
{
	byte slot, gen, prof, want;
	byte s;

end:
	do
	/* Somebody sends in clear; the buffer still has a tag of an earlier packet in it (F-5). */
#ifndef NO_IN
	:: atomic { nfull(in_ring) -> in_ring ! 0, 0, 1, B_STRONG, 0 }
	/* A peer, or one who took its place, sends under an SA that is known here. */
	:: atomic { nfull(in_ring) && sad0[0] != 0 -> hand_in(sad0[0]) }
	:: atomic { nfull(in_ring) && sad0[1] != 0 -> hand_in(sad0[1]) }
	/* The same in fragments: the datagram waits here for its last one. */
	:: atomic { reass == 0 && sad0[0] != 0 -> reass = sad0[0] }
	:: atomic { reass == 0 && sad0[1] != 0 -> reass = sad0[1] }
	:: atomic { reass != 0 && nfull(in_ring) ->
		s = reass;
		reass = 0;
		drain_reass[0] = 0;
		drain_reass[1] = 0;
		hand_in(s);
		s = 0 }
#endif
	/* Plaintext of worker 1, with its request. */
	:: atomic { out_ring ? slot, gen, prof, want ->
		one_less(drain_out[0]);
		one_less(drain_out[1]);
		send_out();
		slot = 0; gen = 0; prof = 0; want = 0 }
	od
}

/* ================================================================ worker 1: it has the connection */

/* A packet of the connection leaves for worker 0, or in clear. */
inline send()
{
	assert(state != BROKEN); /* B-3 */
	assert(state != CLOSED);
	assert(!(g_wanted && !g_established)); /* G-12 */
	/* A newer SA of the same profile is preferred; without one the packet is lost. */
	if
#ifdef ANY_SA
	:: sad1[0] != 0 -> s = sad1[0]
	:: sad1[1] != 0 -> s = sad1[1]
#else
	:: fits(0, profile) -> s = sad1[0]
	:: fits(1, profile) -> s = sad1[1]
#endif
	:: else -> s = 0
	fi;
	if
	:: s != 0 -> out_ring ! sa_slot[s], sa_gen[s], sa_profile[s], g_profile
#ifdef STAMP_CLEAR
	:: else -> send_clear()
#else
	:: else -> skip
#endif
	fi
}

inline send_clear()
{
	assert(!g_wanted); /* G-12, G-14 */
	assert(policy == BYPASS);
}

#ifdef SEND_WHEN_BROKEN
#define may_send (state == ESTABLISHED || state == BROKEN)
#else
#define may_send (state == ESTABLISHED)
#endif

proctype worker1()
{
	bit is_tagged;
	byte slot, gen, prof, sa, s;

end:
	do
	/* connect(): by policy, and what the program asked for. */
	:: atomic { !by_listen && !is_live && lives == 0 ->
		is_live = 1;
		lives++;
		if
		:: policy == DISCARD -> set_state(CLOSED)
		:: policy == BYPASS && !wish_b -> skip /* NONE */
		:: policy == PROTECT || (policy == BYPASS && wish_b) -> set_state(WANTED); g_wanted = 1
		fi }
	/* An SA is there, or came. */
	:: atomic { is_live && state == WANTED && (sad1[0] != 0 || sad1[1] != 0) ->
		if
		:: two_peers && !wish_b -> set_state(CLOSED)
#ifdef NO_WISH
		:: sad1[0] != 0 -> establish(sa_profile[sad1[0]])
		:: sad1[1] != 0 -> establish(sa_profile[sad1[1]])
#else
		:: !(two_peers && !wish_b) && wished(0) -> establish(sa_profile[sad1[0]])
		:: !(two_peers && !wish_b) && wished(1) -> establish(sa_profile[sad1[1]])
#endif
		:: else -> skip
		fi }
	:: atomic { by_listen && !is_listening && lives == 0 -> is_listening = 1 }
	/* The listener is closed; its children live on. */
	:: atomic { is_listening && lives > 0 -> is_listening = 0; lives = LIVES }

#ifdef NO_IN
	/* A packet could have done this. */
	:: atomic { is_live && state == ESTABLISHED -> conflict() }
	:: atomic { !is_live && is_listening && lives < LIVES && wished(0) -> spawn(sa_profile[sad1[0]]) }
	:: atomic { !is_live && is_listening && lives < LIVES && wished(1) -> spawn(sa_profile[sad1[1]]) }
	:: atomic { !is_live && is_listening && lives < LIVES && policy == BYPASS && !wish_b ->
		is_live = 1; lives++ }
#endif
	/* What was handed over. */
	:: atomic { in_ring ? is_tagged, slot, gen, prof, sa ->
		one_less(drain_in[0]);
		one_less(drain_in[1]);
#ifdef IGNORE_FLAG
		is_tagged = 1;
#endif
		if
#ifndef NO_CHECK_ON_HANDOFF
		:: is_tagged && revoked_gen[slot] >= gen -> skip /* stale */
		:: else -> judge()
#else
		:: true -> judge()
#endif
		fi;
		is_tagged = 0; slot = 0; gen = 0; prof = 0; sa = 0 }

	/* What is sent. */
#ifndef NO_OUT
	:: atomic { is_live && may_send && nfull(out_ring) -> send(); s = 0 }
	:: atomic { is_live && state == NONE && policy == BYPASS -> send_clear() }
#ifdef SEND_IN_WANTED
	:: atomic { is_live && state == WANTED && nfull(out_ring) -> send() }
#endif
#ifdef POLICY_JUDGES_LATCHED
	:: atomic { is_live && state == ESTABLISHED && policy == BYPASS -> send_clear() }
#endif

#endif
	/* e8, K-10: nothing left of our peer, and another one at its address. */
	:: atomic { is_live && state == ESTABLISHED && !available(profile) && conflicting -> conflict() }
	/* e10: it is quiet again. */
#ifdef RESTORE_CLOSED
	:: atomic { is_live && (state == BROKEN || state == CLOSED) && !conflicting -> set_state(ESTABLISHED) }
#else
	:: atomic { is_live && state == BROKEN && !conflicting && available(profile) -> set_state(ESTABLISHED) }
#endif
	/* The connection ends by itself, or by its own timer. */
	:: atomic { is_live && state != CLOSED && lives < LIVES -> set_state(CLOSED) }
	:: atomic { is_live && (state == BROKEN || state == WANTED) -> set_state(CLOSED) }
	/* The socket is closed; a listener may accept another one. */
	:: atomic { is_live && state == CLOSED ->
		is_live = 0;
		state = NONE;
		profile = 0;
		g_wanted = 0; g_established = 0; g_profile = 0 }
	od
}

/* ================================================================ the control context */

/* Every ask is a message to one worker; the next goes out when it was answered. */
inline ask_drain(s)
{
	atomic { drain_out[s] = len(out_ring); drain_reass[s] = (reass != 0) };
	atomic { drain_in[s] = len(in_ring) }
}

#define has_passed(s) (drain_out[s] == 0 && drain_reass[s] == 0 && drain_in[s] == 0)

/* F-1: when a slot is used again, no queue holds a packet that names it. */
inline check_drained(s)
{
#ifdef CHECK_DRAINED
	assert(!(in_ring ?? [1, eval(s), _, _, _]));
	assert(reass == 0 || sa_slot[reass] != s)
#else
	skip
#endif
}

#define is_free(s) \
	(sas < SAS && (m_state[s] == S_FREE || \
		(m_state[s] == S_DRAINING && round[s] == DRAIN_ROUNDS && has_passed(s))))

/* The owner comes last. Worker 1 looks for conflicts before it has the SA (K-5). */
inline add(s, p)
{
	atomic {
		check_drained(s);
		round[s] = 0;
		sas++;
		n = sas;
		m_gen[s]++;
		m_state[s] = S_LIVE;
		m_sa[s] = n;
		sa_slot[n] = s; sa_gen[n] = m_gen[s]; sa_profile[n] = p;
		if
		:: is_live && state == ESTABLISHED && profile != p -> conflict()
		:: skip /* the monitor is off */
		fi;
		sad1[s] = n
	};
	atomic { sad0[s] = n; n = 0 }
}

inline del(s)
{
#ifdef DRAIN_BEFORE_DEL
	ask_drain(s);
#endif
	atomic { dels++; n = m_sa[s]; sad0[s] = 0 };
	atomic {
		sad1[s] = 0;
		if
		:: revoked_gen[s] = sa_gen[n]; g_revoked[n] = 1
		:: skip /* rekeyed, or expired: what is on its way is still good */
		fi;
		m_sa[s] = 0;
		n = 0;
#ifdef NO_DRAIN
		m_state[s] = S_FREE
#endif
	};
#ifndef NO_DRAIN
#ifndef DRAIN_BEFORE_DEL
	ask_drain(s);
#endif
	atomic { round[s] = 1; m_state[s] = S_DRAINING }
#endif
}

inline edit()
{
	if
	:: next = BYPASS
	:: next = PROTECT
	:: next = DISCARD
	fi;
	/* S-2, S-5: the break comes before the edit. */
	if
	:: is_live && state == ESTABLISHED && next != PROTECT -> conflict()
	:: is_live && state == NONE && next != BYPASS -> conflict()
	:: skip /* preserve */
	fi;
	policy = next;
	next = 0
}

proctype control()
{
	byte n;
	mtype next;

end:
	do
	:: is_free(0) -> add(0, B_STRONG)
	:: is_free(0) -> add(0, C_STRONG)
	:: is_free(1) -> add(1, B_STRONG)
	:: is_free(1) -> add(1, B_OTHER)
	:: is_free(1) -> add(1, C_STRONG)
	:: dels < DELS && m_state[0] == S_LIVE -> del(0)
	:: dels < DELS && m_state[1] == S_LIVE -> del(1)
	/* Every queue once more: what worker 0 put together it may have handed over since. */
	:: m_state[0] == S_DRAINING && round[0] < DRAIN_ROUNDS && has_passed(0) ->
		round[0]++;
		ask_drain(0)
	:: m_state[1] == S_DRAINING && round[1] < DRAIN_ROUNDS && has_passed(1) ->
		round[1]++;
		ask_drain(1)
	:: atomic { edits < EDITS -> edits++; edit() }
	:: atomic { admins < ADMIN && is_live && state != CLOSED ->
		admins++;
		if
		:: state == ESTABLISHED || state == NONE -> conflict()
		:: set_state(CLOSED)
		fi }
	od
}

init
{
	atomic {
#ifdef LISTEN
		by_listen = 1;
#endif
		if :: wish_b = 1 :: wish_b = 0 fi;
		if :: policy = BYPASS :: policy = PROTECT fi;
		run worker0();
		run worker1();
		run control()
	}
}
