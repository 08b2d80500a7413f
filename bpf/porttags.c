//go:build ignore

/* Steers a port as port.c does, but first puts a VLAN tag that travels beside
 * the frame back into it: the sender's kernel keeps the outermost tag there on
 * veth (txvlan), a NIC puts it there (rxvlan). Needs Linux 6.8, a driver that
 * tells the tag, and a program bound to the one interface.
 */
#include "port.h"

/* net/core/xdp.c; an error when there is no tag beside the frame. */
extern int bpf_xdp_metadata_rx_vlan_tag(const struct xdp_md *ctx, __be16 *vlan_proto,
					__u16 *vlan_tci) __ksym;

struct tagged {
	__u32 addrs[3];
	__be16 proto;
	__be16 tci;
};

/* Drop a frame of ours that the tag does not fit into. XDP promises more room
 * in front and no driver hands out shorter frames: it has no counter of its own.
 */
static __always_inline int lose(void)
{
	__u32 zero = 0;
	struct counters *c = bpf_map_lookup_elem(&counters, &zero);

	if (c)
		c->nosocket++;
	return XDP_DROP;
}

SEC("xdp")
int porttags(struct xdp_md *ctx)
{
	__be16 proto;
	__u16 tci;
	void *end;
	struct tagged *t;
	__u32 *old;
	__u32 word[3];

	if (bpf_xdp_metadata_rx_vlan_tag(ctx, &proto, &tci))
		return steer_port(ctx);
	if (bpf_xdp_adjust_head(ctx, -4))
		return lose();
	end = (void *)(long)ctx->data_end;
	t = (void *)(long)ctx->data;
	if ((void *)(t + 1) > end)
		return lose();
	old = &t->addrs[1];
	word[0] = old[0];
	word[1] = old[1];
	word[2] = old[2];
	t->addrs[0] = word[0];
	t->addrs[1] = word[1];
	t->addrs[2] = word[2];
	t->proto = proto;
	t->tci = bpf_htons(tci);
	/* A tagged frame is never one between the NIC and its switch. */
	return redirect(ctx, XDP_DROP);
}

char __license[] SEC("license") = "GPL";
