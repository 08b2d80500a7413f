package lab

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
)

// Tag is a VLAN tag.
type Tag struct {
	Type uint16 // EtherType: 0x8100 (802.1Q) or 0x88a8 (802.1ad)
	TCI  uint16 // priority, DEI and VLAN identifier
}

// Offsets in struct __sk_buff (include/uapi/linux/bpf.h).
const (
	skbVLANPresent = 20
	skbVLANTCI     = 24
	skbVLANProto   = 28
)

// PushTag has each frame that leaves by a link get one more tag in front of those it has. It travels beside the frame, as
// what the kernel's VLAN devices and bridges tag does; it is put into the frame only if the link does not do that
// (txvlan off). Close ends it, and so does the end of the lab.
func (h *Host) PushTag(device string, t Tag) (io.Closer, error) {
	return h.attachFilter(device, ebpf.AttachTCXEgress, asm.Instructions{
		asm.Mov.Imm(asm.R2, int32(networkOrder(t.Type))),
		asm.Mov.Imm(asm.R3, int32(t.TCI)),
		asm.FnSkbVlanPush.Call(),
		asm.Mov.Imm(asm.R0, verdictPass),
		asm.Return(),
	})
}

// JoinVLAN makes a link one of a host that is in one VLAN only, without a kernel that has VLAN devices: what it sends is
// tagged as by PushTag, what it receives must have that very tag, and loses it. Close ends it.
func (h *Host) JoinVLAN(device string, t Tag) (io.Closer, error) {
	out, err := h.PushTag(device, t)
	if err != nil {
		return nil, err
	}
	in, err := h.attachFilter(device, ebpf.AttachTCXIngress, asm.Instructions{
		asm.LoadMem(asm.R2, asm.R1, skbVLANPresent, asm.Word),
		asm.JEq.Imm(asm.R2, 0, "drop"),
		asm.LoadMem(asm.R2, asm.R1, skbVLANTCI, asm.Word),
		asm.JNE.Imm(asm.R2, int32(t.TCI), "drop"),
		asm.LoadMem(asm.R2, asm.R1, skbVLANProto, asm.Word),
		asm.JNE.Imm(asm.R2, int32(networkOrder(t.Type)), "drop"),
		asm.FnSkbVlanPop.Call(),
		asm.Mov.Imm(asm.R0, verdictPass),
		asm.Return(),
		asm.Mov.Imm(asm.R0, verdictDrop).WithSymbol("drop"),
		asm.Return(),
	})
	if err != nil {
		return nil, errors.Join(err, out.Close())
	}
	return both{out, in}, nil
}

// both closes two.
type both [2]io.Closer

func (b both) Close() error { return errors.Join(b[0].Close(), b[1].Close()) }

// networkOrder is v as it lies in a packet.
func networkOrder(v uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, v))
}
