/* SPDX-License-Identifier: BSD-3-Clause */
/* tun.c - making and configuring a TUN interface. */
#include "stack/run/tun.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>

static struct ifreq
request(const char *name)
{
	struct ifreq r;

	memset(&r, 0, sizeof(r));
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	return r;
}

int
tun_open(const char *name)
{
	struct ifreq r = request(name);
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC), rc;

	if (fd < 0)
		return -errno;
	r.ifr_flags = IFF_TUN | IFF_NO_PI;
	if (ioctl(fd, TUNSETIFF, &r) == 0)
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}

int
tun_up(const char *name, uint16_t mtu_bytes)
{
	struct ifreq r = request(name);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc = 0;

	if (fd < 0)
		return -errno;
	r.ifr_mtu = mtu_bytes;
	if (ioctl(fd, SIOCSIFMTU, &r) != 0 || ioctl(fd, SIOCGIFFLAGS, &r) != 0)
		rc = -errno;
	r.ifr_flags |= IFF_UP;
	if (rc == 0 && ioctl(fd, SIOCSIFFLAGS, &r) != 0)
		rc = -errno;
	close(fd);
	return rc;
}

/* One message with room for both attributes. */
struct addr_msg {
	struct nlmsghdr n;
	struct ifaddrmsg a;
	uint8_t attrs[2 * RTA_SPACE(16)];
};

static void
attr_add(struct addr_msg *m, unsigned short type, const void *data, size_t len)
{
	struct rtattr *at = (struct rtattr *)(void *)((uint8_t *)m + NLMSG_ALIGN(m->n.nlmsg_len));

	at->rta_type = type;
	at->rta_len = (unsigned short)RTA_LENGTH(len);
	memcpy(RTA_DATA(at), data, len);
	m->n.nlmsg_len = (uint32_t)(NLMSG_ALIGN(m->n.nlmsg_len) + RTA_SPACE(len));
}

static int
ask(const struct addr_msg *m)
{
	struct {
		struct nlmsghdr n;
		struct nlmsgerr e;
		uint8_t more[sizeof(struct addr_msg)];
	} answer;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), rc = 0;

	if (fd < 0)
		return -errno;
	if (send(fd, m, m->n.nlmsg_len, 0) < 0 || recv(fd, &answer, sizeof(answer), 0) < 0)
		rc = -errno;
	else if (answer.n.nlmsg_type == NLMSG_ERROR)
		rc = answer.e.error;
	close(fd);
	return rc;
}

int
tun_add_addr(const char *name, const struct port_addr *a)
{
	bool v4 = ip_addr_is_v4(&a->addr);
	const uint8_t *bytes = v4 ? a->addr.b + 12 : a->addr.b;
	struct addr_msg m;
	int rc;

	memset(&m, 0, sizeof(m));
	m.n.nlmsg_len = NLMSG_LENGTH(sizeof(m.a));
	m.n.nlmsg_type = RTM_NEWADDR;
	m.n.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
	m.a.ifa_family = v4 ? AF_INET : AF_INET6;
	m.a.ifa_prefixlen = a->plen;
	m.a.ifa_flags = v4 ? 0 : IFA_F_NODAD; /* the port itself asks the link */
	m.a.ifa_index = if_nametoindex(name);
	attr_add(&m, IFA_LOCAL, bytes, v4 ? 4 : 16);
	attr_add(&m, IFA_ADDRESS, bytes, v4 ? 4 : 16);
	rc = ask(&m);
	return rc == -EEXIST ? 0 : rc;
}
