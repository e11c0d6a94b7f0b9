/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * uml_xstate.c - lets the User-Mode Linux 6.1 kernel run on CPUs with AMX.
 *
 * That kernel keeps 2696 bytes of extended registers for each thread and gives exactly these to
 * PTRACE_SETREGSET. A host whose CPU has AMX tiles wants the whole 11008 bytes and refuses, so the
 * first process dies. Preloaded into the UML process, this reads the whole state first, puts the
 * caller's part over it and writes the whole back. On other CPUs nothing changes.
 */
#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

long ptrace(enum __ptrace_request request, ...);

static long
set_xstate(long pid, const struct iovec *part)
{
	/* Static: the caller runs on a small stack of its own making, and in one thread. */
	static unsigned char whole[65536];
	struct iovec all = {.iov_base = whole, .iov_len = sizeof(whole)};

	if (syscall(SYS_ptrace, PTRACE_GETREGSET, pid, NT_X86_XSTATE, &all) != 0 ||
		all.iov_len < part->iov_len)
		return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, NT_X86_XSTATE, part);
	memcpy(whole, part->iov_base, part->iov_len);
	return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, NT_X86_XSTATE, &all);
}

/* The system call stores the word; the C function returns it. */
static long
peek(long request, long pid, void *addr)
{
	long word = -1;

	if (syscall(SYS_ptrace, request, pid, addr, &word) != 0)
		return -1;
	errno = 0;
	return word;
}

/* glibc declares it with variable arguments; the callers always pass four. */
long
ptrace(enum __ptrace_request request, ...)
{
	__builtin_va_list ap;
	long pid;
	void *addr, *data;

	__builtin_va_start(ap, request);
	pid = __builtin_va_arg(ap, long);
	addr = __builtin_va_arg(ap, void *);
	data = __builtin_va_arg(ap, void *);
	__builtin_va_end(ap);
	if (request == PTRACE_SETREGSET && (unsigned long)addr == NT_X86_XSTATE)
		return set_xstate((int)pid, data);
	if (request >= PTRACE_PEEKTEXT && request <= PTRACE_PEEKUSER)
		return peek(request, (int)pid, addr);
	return syscall(SYS_ptrace, request, (long)(int)pid, addr, data);
}
