package doctor

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"

	"vxgw/gateway"
	"vxgw/internal/genl"
	"vxgw/netdev"
	"vxgw/ring"
)

func lookAtKernel() (k kernelFacts) {
	k.cpus = runtime.NumCPU()
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		k.release = unix.ByteSliceToString(u.Release[:])
	}
	var fd int
	if fd, k.afXDP = unix.Socket(unix.AF_XDP, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); k.afXDP == nil {
		const leastBudget = 32 // TX_BATCH_SIZE in net/xdp/xsk.c
		err := unix.SetsockoptInt(fd, unix.SOL_XDP, unix.XDP_MAX_TX_SKB_BUDGET, leastBudget)
		k.budget = known(err != unix.ENOPROTOOPT, nil) // it has no tx ring yet, which is another error
		unix.Close(fd)
		k.parts = known(ring.TakesParts())
	}
	_, err := genl.Family("netdev")
	k.features = known(err == nil, nil)
	prog, err := ebpf.NewProgram(passing())
	if k.bpf = err; err == nil {
		prog.Close()
	}
	k.jit = number("/proc/sys/net/core/bpf_jit_enable")
	if errors.Is(k.jit.err, fs.ErrNotExist) {
		k.jit.err = errNone // as in network namespaces other than the first one
	}
	const clocks = "/sys/devices/system/clocksource/clocksource0/"
	k.clock = known(line(clocks + "current_clocksource"))
	k.clocks, _ = line(clocks + "available_clocksource")
	return k
}

// passing is an XDP program that lets everything pass.
func passing() *ebpf.ProgramSpec {
	const pass = 2 // XDP_PASS
	return &ebpf.ProgramSpec{Name: "gw_doctor", Type: ebpf.XDP, License: "GPL", Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, pass), asm.Return()}}
}

// line is what a file of one line has.
func line(path string) (string, error) {
	b, err := os.ReadFile(path)
	return strings.TrimSpace(string(b)), err
}

func lookAtUser(paths netdev.Paths) (u userFacts) {
	u.uid = os.Geteuid()
	u.missing = known(gateway.MissingCapabilities())
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if unix.Capget(&head, &data[0]) == nil {
		has := func(bit uint) bool { return data[bit/32].Effective&(1<<(bit%32)) != 0 }
		u.nice, u.ipcLock, u.raise = has(unix.CAP_SYS_NICE), has(unix.CAP_IPC_LOCK), has(unix.CAP_SYS_RESOURCE)
	}
	var limit unix.Rlimit
	err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &limit)
	u.memlock = known(limit.Max, err)
	u.dir = filepath.Dir(paths.Lock)
	dir := u.dir // or where it would be made
	for {
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) || dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	u.runDir = unix.Faccessat(unix.AT_FDCWD, dir, unix.W_OK|unix.X_OK, unix.AT_EACCESS)
	return u
}

func lookAtMemory() (m memoryFacts) {
	m.available = known[uint64](0, fs.ErrNotExist)
	if b, err := os.ReadFile("/proc/meminfo"); err == nil {
		for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
			if words := strings.Fields(s.Text()); len(words) > 1 && words[0] == "MemAvailable:" {
				kib, err := strconv.ParseUint(words[1], 10, 64)
				m.available = known(kib<<10, err)
			}
		}
	}
	m.reserved = uint64(max(number("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages").value, 0))
	thp, err := line("/sys/kernel/mm/transparent_hugepage/enabled")
	if errors.Is(err, fs.ErrNotExist) {
		thp, err = "[never]", nil // a kernel without them
	}
	_, word, _ := strings.Cut(thp, "[")
	word, _, _ = strings.Cut(word, "]")
	m.thp = known(word, err)
	return m
}

// patience bounds programs that are run.
const patience = time.Second

// oldTables is what iptables-save prints of tables that are not nftables', nothing where there are none.
func oldTables(patience time.Duration) fact[string] {
	names, err := line("/proc/thread-self/net/ip_tables_names")
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && names == "":
		return known("", nil)
	case err != nil:
		return known("", err)
	}
	for _, program := range []string{"iptables-legacy-save", "iptables-save"} {
		path, err := exec.LookPath(program)
		if err != nil {
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		out, err := exec.CommandContext(ctx, path).Output()
		if err != nil {
			return known("", err)
		}
		return known(string(out), nil)
	}
	return known("", errors.New("iptables-legacy-save is not installed, and would print the tables "+strings.ReplaceAll(names, "\n", ", ")))
}
