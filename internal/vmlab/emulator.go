package vmlab

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// nobody is whom the emulator runs as, user and group.
const nobody = 65534

const kvm = "/dev/kvm"

// accelerator chooses the processor's own virtualisation where it is there for a stock kernel and for more than root; a module
// kvm_pvm alone runs no such kernel. Everywhere else instructions are translated, some ten times slower.
func accelerator() []string {
	if _, ok := kvmGroup(); ok {
		return []string{"-accel", "kvm"}
	}
	return []string{"-accel", "tcg,thread=multi,tb-size=256"}
}

func kvmGroup() (group uint32, ok bool) {
	var st unix.Stat_t
	if unix.Stat(kvm, &st) != nil || st.Mode&0o060 != 0o060 {
		return 0, false
	}
	for _, module := range []string{"kvm_intel", "kvm_amd"} {
		if _, err := os.Stat("/sys/module/" + module); err == nil {
			return st.Gid, true
		}
	}
	return 0, false
}

// unprivileged is nobody, in the group that may use the processor's virtualisation.
func unprivileged() *syscall.Credential {
	c := &syscall.Credential{Uid: nobody, Gid: nobody}
	if group, ok := kvmGroup(); ok {
		c.Groups = []uint32{group}
	}
	return c
}
