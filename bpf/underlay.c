//go:build ignore

/* Steers the underlay: takes the VXLAN packets that are ours, leaves all else
 * to the kernel.
 *
 *   1. Ethernet II without a tag; one branch per IP version.
 *   2. IP: a whole datagram (no fragment, no options, no extension headers)
 *      that carries UDP.
 *   3. UDP: our port, and a VNI of ours.
 *   4. The destination is an address of ours.
 *   5. The VNI takes packets from anyone, or from this source: else dropped,
 *      so that forged packets cost user space nothing.
 *
 * The cheap questions come first: a packet that isn't for our port costs no
 * look-up. Nothing else is judged here: checksums, flags and lengths are checked,
 * and counted, by user space. What is left to the kernel although it may be
 * ours, such as fragments, comes back by another way: leftover.h.
 */
#include "leftover.h"
#include "ours.h"
#include "steer.h"

#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86dd
#define IPV4_NO_OPTIONS 0x45  /* version 4, five words of header */
#define IPV4_FRAGMENT 0x3fff  /* more fragments, or an offset */

/* What a datagram to dstport is by its VNI and its source. One too short for a
 * VXLAN header, by its own length or because the frame ends, belongs to no VNI
 * and no kernel device would take it: it is ours to count. Behind such a
 * datagram a NIC shows padding, which must not be read as a VNI.
 */
static __always_inline int datagram(struct udp *udp, void *end, struct addr6 from)
{
	struct vxlan *vx = (void *)(udp + 1);

	if ((void *)(vx + 1) > end)
		return OURS;
	if (bpf_ntohs(udp->len) < sizeof(*udp) + sizeof(*vx))
		return OURS;
	return of_vni(bpf_ntohl(vx->vni) >> 8, from);
}

/* What the IPv4 packet at ip is. */
static __always_inline int ipv4_packet(struct ipv4 *ip, void *end)
{
	struct udp *udp = (void *)(ip + 1);

	if ((void *)(udp + 1) > end)
		return FOREIGN;
	if (ip->version_ihl != IPV4_NO_OPTIONS || ip->proto != IPPROTO_UDP)
		return FOREIGN;
	if (ip->frag & bpf_htons(IPV4_FRAGMENT))
		return FOREIGN;
	if (udp->dst != bpf_htons(dstport))
		return FOREIGN;
	if (!ours4(ip->dst))
		return FOREIGN;
	return datagram(udp, end, mapped(ip->src));
}

/* What the IPv6 packet at ip is. */
static __always_inline int ipv6_packet(struct ipv6 *ip, void *end)
{
	struct udp *udp = (void *)(ip + 1);

	if ((void *)(udp + 1) > end)
		return FOREIGN;
	if (ip->version_class >> 4 != 6 || ip->next != IPPROTO_UDP)
		return FOREIGN;
	if (udp->dst != bpf_htons(dstport))
		return FOREIGN;
	if (!ours6(ip->dst))
		return FOREIGN;
	return datagram(udp, end, ip->src);
}

/* What the packet behind an Ethernet header is. */
static __always_inline int judge(__be16 type, void *l3, void *end)
{
	if (type == bpf_htons(ETH_P_IP))
		return ipv4_packet(l3, end);
	if (type == bpf_htons(ETH_P_IPV6))
		return ipv6_packet(l3, end);
	return FOREIGN;
}

SEC("xdp")
int underlay(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct eth *eth = (void *)(long)ctx->data;

	if ((void *)(eth + 1) > end)
		return pass();
	switch (judge(eth->type, eth + 1, end)) {
	case OURS:
		return redirect(ctx, XDP_PASS);
	case REFUSED:
		return refuse();
	}
	return pass();
}

#include "vlan.h"

char __license[] SEC("license") = "GPL";
