//go:build ignore

/* Steers the underlay: takes the VXLAN packets that are ours, leaves all else
 * to the kernel.
 *
 *   1. Ethernet II without a tag; one branch per IP version.
 *   2. IP: a whole datagram (no fragment, no options, no extension headers)
 *      that carries UDP.
 *   3. UDP: our port, and a VNI of ours.
 *   4. The destination is an address of ours.
 *
 * The cheap questions come first: a packet that isn't for our port costs no
 * look-up. Nothing is judged here: checksums, flags and lengths are checked,
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

/* Whether a datagram to dstport belongs to a VNI of ours. One too short for a
 * VXLAN header, by its own length or because the frame ends, belongs to no VNI
 * and no kernel device would take it: it is ours to count. Behind such a
 * datagram a NIC shows padding, which must not be read as a VNI.
 */
static __always_inline int vni_ours(struct udp *udp, void *end)
{
	struct vxlan *vx = (void *)(udp + 1);
	__u32 vni;

	if ((void *)(vx + 1) > end)
		return 1;
	if (bpf_ntohs(udp->len) < sizeof(*udp) + sizeof(*vx))
		return 1;
	vni = bpf_ntohl(vx->vni) >> 8;
	return bpf_map_lookup_elem(&vnis, &vni) != 0;
}

/* Whether the IPv4 packet at ip is ours. */
static __always_inline int ipv4_ours(struct ipv4 *ip, void *end)
{
	struct udp *udp = (void *)(ip + 1);
	__be32 dst;

	if ((void *)(udp + 1) > end)
		return 0;
	if (ip->version_ihl != IPV4_NO_OPTIONS || ip->proto != IPPROTO_UDP)
		return 0;
	if (ip->frag & bpf_htons(IPV4_FRAGMENT))
		return 0;
	if (udp->dst != bpf_htons(dstport))
		return 0;
	dst = ip->dst;
	return bpf_map_lookup_elem(&addrs, &dst) && vni_ours(udp, end);
}

/* Whether the IPv6 packet at ip is ours. */
static __always_inline int ipv6_ours(struct ipv6 *ip, void *end)
{
	struct udp *udp = (void *)(ip + 1);
	struct addr6 dst;

	if ((void *)(udp + 1) > end)
		return 0;
	if (ip->version_class >> 4 != 6 || ip->next != IPPROTO_UDP)
		return 0;
	if (udp->dst != bpf_htons(dstport))
		return 0;
	dst = ip->dst;
	return bpf_map_lookup_elem(&addrs6, &dst) && vni_ours(udp, end);
}

/* Whether what is behind an Ethernet header is ours. */
static __always_inline int ours(__be16 type, void *l3, void *end)
{
	if (type == bpf_htons(ETH_P_IP))
		return ipv4_ours(l3, end);
	return type == bpf_htons(ETH_P_IPV6) && ipv6_ours(l3, end);
}

SEC("xdp")
int underlay(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct eth *eth = (void *)(long)ctx->data;

	if ((void *)(eth + 1) > end)
		return pass();
	if (ours(eth->type, eth + 1, end))
		return redirect(ctx, XDP_PASS);
	return pass();
}

#include "vlan.h"

char __license[] SEC("license") = "GPL";
