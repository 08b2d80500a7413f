/* What the two programs for a port share: which frames they take. */
#ifndef PORT_H
#define PORT_H

#include "steer.h"

#define ETH_P_SLOW 0x8809 /* LACP and its kin, IEEE 802.3 annex 57A */
#define ETH_P_LLDP 0x88cc /* IEEE 802.1AB */

/* Whether the frame goes to the group address 01:80:c2:00:00:last. */
static __always_inline int to_group(struct eth *eth, __u8 last)
{
	return eth->dst[0] == 0x01 && eth->dst[1] == 0x80 && eth->dst[2] == 0xc2 &&
	       eth->dst[3] == 0x00 && eth->dst[4] == 0x00 && eth->dst[5] == last;
}

/* Whether the frame is between the host's NIC and the switch it hangs on. */
static __always_inline int hosts_own(struct eth *eth)
{
	if (eth->type == bpf_htons(ETH_P_SLOW))
		return to_group(eth, 0x02);
	if (eth->type == bpf_htons(ETH_P_LLDP))
		return to_group(eth, 0x0e);
	return 0;
}

/* Take every frame, save the link-local ones by which a NIC talks to its switch
 * on the host's behalf. A frame for us on a queue without a socket is dropped:
 * it belongs to the overlay and must not leak into the host.
 */
static __always_inline int steer_port(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct eth *eth = (void *)(long)ctx->data;

	if ((void *)(eth + 1) <= end && hosts_own(eth))
		return pass();
	return redirect(ctx, XDP_DROP);
}

#endif
