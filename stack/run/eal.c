/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * eal.c - DPDK's start: its arguments made from the configuration.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_mbuf.h>

#include "stack/base/flow_dir.h"
#include "stack/base/log.h"
#include "stack/run/conf_value.h"
#include "stack/run/run.h"
#include "stack/udp/udp.h"

LOG_MODULE(eal, NOTICE);

enum { MAX_ARGS = 64, ARG_LEN = 320, HUGE_KB = 2048 };
/* Of a control block, with what a mempool adds, rounded up. */
enum { PCB_BYTES = 1536, UDP_BYTES = 768 };

struct args {
	int n;
	char text[MAX_ARGS][ARG_LEN];
	char *v[MAX_ARGS + 1];
};

static void arg_add(struct args *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void
arg_add(struct args *a, const char *fmt, ...)
{
	va_list ap;

	if (a->n == MAX_ARGS)
		return;
	va_start(ap, fmt);
	vsnprintf(a->text[a->n], ARG_LEN, fmt, ap);
	va_end(ap);
	a->v[a->n] = a->text[a->n];
	a->n++;
}

static uint64_t
number_of(const struct tl_conf *c, const char *section, const char *key, uint64_t otherwise)
{
	const struct conf_ent *e = conf_find(c, section, key);

	return e == NULL ? otherwise : strtoull(e->value, NULL, 0);
}

/* What the pools of all workers need, with some room for DPDK itself. */
static uint64_t
memory_mb(const struct tl_conf *c)
{
	uint64_t workers = number_of(c, "stack", "workers", 1);
	uint64_t mbufs = number_of(c, "stack", "mbufs", 16384);
	uint64_t chunks = number_of(c, "stack", "buffer-chunks", 8192);
	uint64_t connections = number_of(c, "tcp", "max-connections", 4096);
	uint64_t sockets = number_of(c, "stack", "sockets", 16384);
	uint64_t udp = number_of(c, "udp", "max-sockets", udp_sockets_default((uint32_t)sockets));
	uint64_t pcbs = connections * PCB_BYTES + udp * UDP_BYTES;
	struct sctp_conf sctp;
	uint64_t mtu = 1500, bytes;

	sctp_conf_default(&sctp);
	sctp.max_assocs = (uint32_t)number_of(c, "sctp", "max-associations", sctp.max_assocs);
	sctp.max_chunks = (uint32_t)number_of(c, "sctp", "max-chunks", sctp.max_chunks);
	sctp.max_paths = (uint32_t)number_of(c, "sctp", "max-paths", 0);
	sctp.out_streams = (uint16_t)number_of(c, "sctp", "out-streams", sctp.out_streams);
	sctp.in_streams = (uint16_t)number_of(c, "sctp", "in-streams", sctp.in_streams);
	pcbs += sctp_conf_memory(&sctp);
	for (const struct conf_ent *e = c->head; e != NULL; e = e->next) {
		if (strncmp(e->section, "port ", 5) == 0 && strcmp(e->key, "mtu") == 0)
			mtu = RTE_MAX(mtu, strtoull(e->value, NULL, 0));
	}
	bytes = workers * (mbufs * (mtu + 1024) + chunks * 8256 + pcbs + (32u << 20));
	if (workers > 1)
		bytes += workers * (connections + udp) * FLOW_DIR_ENTRY_BYTES;
	return number_of(c, "eal", "memory-mb", (bytes >> 20) + 96);
}

static uint64_t
free_hugepages(void)
{
	FILE *f = fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "re");
	unsigned long n = 0;

	if (f == NULL)
		return 0;
	if (fscanf(f, "%lu", &n) != 1)
		n = 0;
	fclose(f);
	return n;
}

static int
memory_args(const struct tl_conf *c, struct args *a, struct tl_error *e)
{
	const struct conf_ent *at = conf_find(c, "eal", "hugepages");
	const char *want = at == NULL ? "auto" : at->value;
	uint64_t mb = memory_mb(c), free_mb = free_hugepages() * HUGE_KB / 1024;

	if (strcmp(want, "auto") != 0 && strcmp(want, "yes") != 0 && strcmp(want, "no") != 0)
		return conf_fail(e, at, "expected auto, yes or no, got \"%s\"", want);
	if (strcmp(want, "yes") == 0 && free_mb < mb)
		return conf_fail(e, at,
			"%lu MB of hugepages needed, %lu MB free; write %lu to "
			"/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages, or set it to auto",
			(unsigned long)mb, (unsigned long)free_mb,
			(unsigned long)(mb * 1024 / HUGE_KB + 1));
	if (strcmp(want, "no") != 0 && free_mb >= mb) {
		arg_add(a, "--in-memory"); /* no hugetlbfs has to be mounted */
	} else {
		arg_add(a, "--no-huge");
		arg_add(a, "--no-shconf"); /* no files that outlive the process */
		arg_add(a, "-m");
		arg_add(a, "%lu", (unsigned long)mb);
	}
	return 0;
}

/* One lcore for the control thread, one for each worker, all on the CPUs of [eal] cpus. */
static void
lcore_args(const struct tl_conf *c, struct args *a)
{
	const struct conf_ent *at = conf_find(c, "eal", "cpus");
	uint64_t workers = number_of(c, "stack", "workers", 1);
	char cpus[128] = "", list[ARG_LEN] = "";
	cpu_set_t set;
	size_t n = 0;

	if (at != NULL) {
		snprintf(cpus, sizeof(cpus), "%s", at->value);
	} else if (sched_getaffinity(0, sizeof(set), &set) == 0) {
		for (size_t i = 0; i < CPU_SETSIZE && n < sizeof(cpus) - 8; i++) {
			if (CPU_ISSET(i, &set))
				n += (size_t)snprintf(
					cpus + n, sizeof(cpus) - n, "%s%zu", n ? "," : "", i);
		}
	}
	n = 0;
	for (uint64_t i = 0; i <= workers && n < sizeof(list) - 160; i++)
		n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%lu@(%s)", n ? "," : "",
			(unsigned long)i, cpus);
	arg_add(a, "--lcores=%s", list);
}

static void
device_args(const struct tl_conf *c, struct args *a)
{
	bool pci = false;

	for (const struct conf_ent *e = c->head; e != NULL; e = e->next) {
		if (strncmp(e->section, "port ", 5) != 0 || strcmp(e->key, "device") != 0)
			continue;
		if (strncmp(e->value, "net_", 4) == 0) {
			arg_add(a, "--vdev=%.300s", e->value);
		} else if (strcmp(e->value, "memory") != 0) {
			arg_add(a, "--allow=%.300s", e->value);
			pci = true;
		}
	}
	if (!pci)
		arg_add(a, "--no-pci");
}

static void
extra_args(const struct tl_conf *c, struct args *a)
{
	const struct conf_ent *at = conf_find(c, "eal", "args");
	char buf[CONF_NAME * 4], *save = NULL, *word;

	if (at == NULL)
		return;
	snprintf(buf, sizeof(buf), "%s", at->value);
	for (word = strtok_r(buf, " \t", &save); word != NULL; word = strtok_r(NULL, " \t", &save))
		arg_add(a, "%s", word);
}

static bool
wants_telemetry(const struct tl_conf *c)
{
	const struct conf_ent *at = conf_find(c, "stack", "telemetry");
	bool on = false;

	return at != NULL && conf_read_bool(at->value, &on) && on;
}

/* Keys are in memory from here on: neither a core dump nor a debugger of the same user shows them.
 */
static int
core_dumps_set(const struct tl_conf *c, struct tl_error *e)
{
	const struct conf_ent *at = conf_find(c, "eal", "core-dumps");
	const struct rlimit none = {0, 0};
	bool wanted = false;

	if (at != NULL && !conf_read_bool(at->value, &wanted))
		return conf_fail(e, at, "expected yes or no, got \"%s\"", at->value);
	if (wanted)
		return 0;
	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0);
	return 0;
}

int
tl_eal_init(const struct tl_conf *c, struct tl_error *e)
{
	struct args a = {.n = 0};
	int rc;

	arg_add(&a, "taglatch");
	rc = core_dumps_set(c, e);
	if (rc == 0)
		rc = memory_args(c, &a, e);
	if (rc != 0)
		return rc;
	lcore_args(c, &a);
	device_args(c, &a);
	if (!wants_telemetry(c))
		arg_add(&a, "--no-telemetry");
	arg_add(&a, "--file-prefix=taglatch%d", (int)getpid());
	arg_add(&a, "--log-level=lib.eal:error");
	extra_args(c, &a);
	rc = rte_eal_init(a.n, a.v);
	if (rc >= 0)
		return 0;
	conf_fail(e, NULL, "DPDK does not start (%s); see its messages above",
		rte_strerror(rte_errno));
	return rte_errno == EALREADY ? -EALREADY : -EINVAL;
}
