package bench

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
)

// maxCalls is more system calls than there are; traffic.c has it, too.
const maxCalls = 512

// callCounter counts the system calls of one process, of all its threads, where the kernel
// enters them.
type callCounter struct {
	objs struct {
		Program *ebpf.Program `ebpf:"syscalls"`
		Calls   *ebpf.Map     `ebpf:"calls"`
	}
	at link.Link
}

func countCalls(process int) (_ *callCounter, err error) {
	ns, err := os.Stat("/proc/self/ns/pid")
	if err != nil {
		return nil, err
	}
	id, ok := ns.Sys().(*syscall.Stat_t)
	if !ok {
		return nil, fmt.Errorf("no number of the namespace of processes")
	}
	c := &callCounter{}
	err = loadEnd(&c.objs, map[string]any{"ns_dev": uint64(id.Dev), "ns_ino": id.Ino, "tgid": uint32(process)}, 1)
	if err != nil {
		return nil, fmt.Errorf("load what counts system calls: %w", err)
	}
	c.at, err = link.AttachRawTracepoint(link.RawTracepointOptions{Name: "sys_enter", Program: c.objs.Program})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("count system calls: %w", err), closeAll(c.objs.Program, c.objs.Calls))
	}
	return c, nil
}

// counts returns how often each call was made so far, by its number.
func (c *callCounter) counts() (all [maxCalls]uint64, err error) {
	var each []uint64
	for i := range all {
		if err := c.objs.Calls.Lookup(uint32(i), &each); err != nil {
			return all, fmt.Errorf("read the counts of system calls: %w", err)
		}
		for _, n := range each {
			all[i] += n
		}
	}
	return all, nil
}

func (c *callCounter) close() error {
	return errors.Join(c.at.Close(), c.objs.Program.Close(), c.objs.Calls.Close())
}

// callNames are those that forwarding makes. The rest is "other".
var callNames = map[int]string{
	syscall.SYS_SENDTO: "sendto", syscall.SYS_RECVFROM: "recvfrom", syscall.SYS_SENDMSG: "sendmsg", syscall.SYS_RECVMSG: "recvmsg",
	syscall.SYS_PPOLL: "ppoll", syscall.SYS_FUTEX: "futex", syscall.SYS_READ: "read", syscall.SYS_WRITE: "write",
}

// perPacket says how many calls there were for each of a number of packets, by name and in
// all.
func perPacket(before, after [maxCalls]uint64, packets uint64) map[string]float64 {
	m := map[string]float64{"all": 0}
	for i := range after {
		n := float64(after[i]-before[i]) / float64(max(packets, 1))
		if n == 0 {
			continue
		}
		name := callNames[i]
		if name == "" {
			name = "other"
		}
		m[name] += n
		m["all"] += n
	}
	return m
}
