/* The filters of raw UDP sockets on the underlay, one per IP version: they pick
 * what is ours from what underlay.c left to the kernel, and return how many
 * bytes the socket gets.
 *
 *   1. It came from outside: neither from this host to an address of its own,
 *      nor a copy of what it sent to a group.
 *   2. UDP, to our port.
 *   3. To an address of ours, with a VNI of ours, from who may send to it.
 *
 * The kernel has put fragments together, and checked the IP header and its
 * options, when the packet comes here. The data starts at the IPv4 header
 * (raw_rcv in net/ipv4/raw.c), of IPv6 at the UDP header (rawv6_rcv in
 * net/ipv6/raw.c), and may be in pieces.
 */
#ifndef LEFTOVER_H
#define LEFTOVER_H

#include "ours.h"

#define PACKET_LOOPBACK 5  /* include/uapi/linux/if_packet.h */
#define LOOPBACK_IFINDEX 1 /* include/net/flow.h: that of lo, everywhere */

/* The start of include/uapi/linux/bpf.h's, which only grows at its end. */
struct __sk_buff {
	__u32 len;
	__u32 pkt_type;
	__u32 mark;
	__u32 queue_mapping;
	__u32 protocol;
	__u32 vlan_present;
	__u32 vlan_tci;
	__u32 vlan_proto;
	__u32 priority;
	__u32 ingress_ifindex;
};

/* What a datagram at offset at, to dstport, is by its VNI and its source. As in
 * underlay.c, one too short for a VXLAN header is ours to count.
 */
static __always_inline int datagram_at(struct __sk_buff *skb, __u32 at, struct udp *udp, struct addr6 from)
{
	struct vxlan vx;

	if (bpf_ntohs(udp->len) < sizeof(*udp) + sizeof(vx))
		return OURS;
	if (bpf_skb_load_bytes(skb, at + sizeof(*udp), &vx, sizeof(vx)))
		return OURS;
	return of_vni(bpf_ntohl(vx.vni) >> 8, from);
}

/* How much of a datagram the socket gets; one that is refused is counted. */
static __always_inline int keep(struct __sk_buff *skb, int is)
{
	__u32 zero = 0;
	struct counters *c;

	if (is == OURS)
		return skb->len;
	if (is == REFUSED) {
		c = bpf_map_lookup_elem(&counters, &zero);
		if (c)
			c->late++;
	}
	return 0;
}

/* Whether a packet comes from this host. */
static __always_inline int own(struct __sk_buff *skb)
{
	return skb->pkt_type == PACKET_LOOPBACK || skb->ingress_ifindex == LOOPBACK_IFINDEX;
}

SEC("socket")
int leftover(struct __sk_buff *skb)
{
	struct ipv4 ip;
	struct udp udp;
	__u32 at;

	if (own(skb))
		return 0;
	if (bpf_skb_load_bytes(skb, 0, &ip, sizeof(ip)) || ip.version_ihl >> 4 != 4 || ip.proto != IPPROTO_UDP)
		return 0;
	at = (ip.version_ihl & 0x0f) * 4;
	if (at < sizeof(ip) || bpf_skb_load_bytes(skb, at, &udp, sizeof(udp)))
		return 0;
	if (udp.dst != bpf_htons(dstport))
		return 0;
	if (!ours4(ip.dst))
		return 0;
	return keep(skb, datagram_at(skb, at, &udp, mapped(ip.src)));
}

#define BPF_HDR_START_NET 1 /* include/uapi/linux/bpf.h: from the IP header */

SEC("socket")
int leftover6(struct __sk_buff *skb)
{
	struct ipv6 ip;
	struct udp udp;

	if (own(skb) || bpf_skb_load_bytes(skb, 0, &udp, sizeof(udp)) || udp.dst != bpf_htons(dstport))
		return 0;
	if (bpf_skb_load_bytes_relative(skb, 0, &ip, sizeof(ip), BPF_HDR_START_NET) || ip.version_class >> 4 != 6)
		return 0;
	if (!ours6(ip.dst))
		return 0;
	return keep(skb, datagram_at(skb, 0, &udp, ip.src));
}

#endif
