/* The underlay as a VLAN of an interface that other VLANs share. Two programs,
 * either in the place of underlay.c's:
 *
 *   vlan      the tag is in the frame
 *   vlantags  the driver is asked for the tag that travels beside it: the
 *             sender's kernel puts it there on veth (txvlan), a NIC does that
 *             (rxvlan). Needs what porttags.c needs.
 *
 * What is tagged otherwise or not at all goes up, as do priority tags. What is
 * ours comes to user space without its tag, like any other underlay's packets.
 * Whoever includes this has told judge() what a packet behind the Ethernet header is.
 */
#ifndef VLAN_H
#define VLAN_H

#include "steer.h"

#define VLAN_ID 0x0fff

/* The tag: its type and the VLAN, host byte order. The loader sets them. */
volatile const __u16 vlan_type = 0;
volatile const __u16 vlan_id = 0;

struct tagged {
	__u16 addrs[6]; /* both MAC addresses */
	__be16 tpid;
	__be16 tci;
	__be16 type;
};

/* net/core/xdp.c; an error when there is no tag beside the frame. */
extern int bpf_xdp_metadata_rx_vlan_tag(const struct xdp_md *ctx, __be16 *vlan_proto,
					__u16 *vlan_tci) __ksym;

/* Take the tag out of a frame of ours and hand it over. It must stay in what the
 * kernel gets, so whether the queue has a socket is asked before.
 */
static __always_inline int redirect_untagged(struct xdp_md *ctx, struct tagged *t)
{
	__u32 queue = ctx->rx_queue_index, zero = 0;
	struct counters *c = bpf_map_lookup_elem(&counters, &zero);
	__u16 addrs[6];
	int i;

	if (!bpf_map_lookup_elem(&xsks, &queue)) {
		if (c)
			c->nosocket++;
		return XDP_PASS;
	}
	for (i = 0; i < 6; i++)
		addrs[i] = t->addrs[i];
	for (i = 0; i < 4; i++)
		t->addrs[i + 2] = addrs[i];
	t->tpid = addrs[4];
	t->tci = addrs[5];
	if (bpf_xdp_adjust_head(ctx, sizeof(t->tpid) + sizeof(t->tci))) {
		/* Cannot be: the frame is longer than that. It has no addresses now. */
		if (c)
			c->nosocket++;
		return XDP_DROP;
	}
	return redirect(ctx, XDP_DROP);
}

/* Steer a frame that has no tag beside it. */
static __always_inline int steer_tagged(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct tagged *t = (void *)(long)ctx->data;

	if ((void *)(t + 1) > end)
		return pass();
	if (t->tpid != bpf_htons(vlan_type) || (bpf_ntohs(t->tci) & VLAN_ID) != vlan_id)
		return pass();
	switch (judge(t->type, t + 1, end)) {
	case OURS:
		return redirect_untagged(ctx, t);
	case REFUSED:
		return refuse();
	}
	return pass();
}

SEC("xdp")
int vlan(struct xdp_md *ctx)
{
	return steer_tagged(ctx);
}

SEC("xdp")
int vlantags(struct xdp_md *ctx)
{
	void *end;
	struct eth *eth;
	__be16 tpid;
	__u16 tci;

	if (bpf_xdp_metadata_rx_vlan_tag(ctx, &tpid, &tci))
		return steer_tagged(ctx);
	end = (void *)(long)ctx->data_end;
	eth = (void *)(long)ctx->data;
	if (tpid != bpf_htons(vlan_type) || (tci & VLAN_ID) != vlan_id || (void *)(eth + 1) > end)
		return pass();
	switch (judge(eth->type, eth + 1, end)) {
	case OURS:
		return redirect(ctx, XDP_PASS);
	case REFUSED:
		return refuse();
	}
	return pass();
}

#endif
