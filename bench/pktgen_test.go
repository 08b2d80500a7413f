package bench

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What bench/pktgen/pktgen.sh writes for the kernel. That the kernel takes it, and what it sends then, is for TestCardPktgen of
// cmd/gw in the lab of virtual machines, which have the module.

// shells are those that are here: any POSIX shell has to do.
func shells(t *testing.T) (all [][]string) {
	t.Helper()
	for _, s := range [][]string{{"sh"}, {"dash"}, {"bash", "--posix"}, {"busybox", "sh"}} {
		if _, err := exec.LookPath(s[0]); err == nil {
			all = append(all, s)
		}
	}
	return all
}

// pktgen runs the script.
func pktgen(t *testing.T, shell []string, env []string, args string) (stdout, stderr string, err error) {
	t.Helper()
	c := exec.CommandContext(t.Context(), shell[0], append(append(shell[1:len(shell):len(shell)], "pktgen/pktgen.sh"), strings.Fields(args)...)...)
	c.Env = append(os.Environ(), env...)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	err = c.Run()
	return out.String(), errs.String(), err
}

const common = "-m 02:00:00:00:00:01 -d 172.17.1.3 "

// TestPktgenWrites wants the lines for one thread, in order.
func TestPktgenWrites(t *testing.T) {
	want := `kpktgend_0 rem_device_all
kpktgend_0 add_device ens19@0
ens19@0 count 0
ens19@0 pkt_size 60
ens19@0 clone_skb 0
ens19@0 delay 0
ens19@0 dst_mac 02:00:00:00:00:01
ens19@0 dst_mac_count 1
ens19@0 src_mac_count 1
ens19@0 dst 172.17.1.3
ens19@0 src_min 172.17.2.1
ens19@0 src_max 172.17.2.254
ens19@0 udp_src_min 1024
ens19@0 udp_src_max 5120
ens19@0 udp_dst_min 9
ens19@0 udp_dst_max 9
ens19@0 flag IPSRC_RND
ens19@0 flag UDPSRC_RND
pgctrl start
`
	for _, shell := range shells(t) {
		got, errs, err := pktgen(t, shell, nil, "-p -i ens19 "+common)
		if err != nil || errs != "" || got != want {
			t.Errorf("%s: %v %s\n%s\ninstead of\n%s", shell, err, errs, got, want)
		}
	}
}

// TestPktgenShares wants what is given for all threads to be divided among them, each on a CPU of its own.
func TestPktgenShares(t *testing.T) {
	for _, shell := range shells(t) {
		got, _, err := pktgen(t, shell, nil, "-p -i a -i b -t 2 -c 3 -n 10 -r 7 -M 1000 -s 02:00:00:00:01:00 -S 500 -b 8 -a 10.0.0.1 -f 1 -l 1400 "+common)
		must(t, err)
		for _, want := range []string{
			"kpktgend_3 add_device a@3", "kpktgend_4 add_device a@4", "kpktgend_5 add_device b@5", "kpktgend_6 add_device b@6",
			"a@3 count 3", "a@4 count 3", "b@5 count 2", "b@6 count 2", "a@3 ratep 2", "a@4 ratep 2", "b@5 ratep 2", "b@6 ratep 1",
			"a@3 dst_mac_count 1000", "a@3 flag MACDST_RND", "b@6 src_mac 02:00:00:00:01:00", "b@6 src_mac_count 500", "b@6 flag MACSRC_RND",
			"b@6 flag QUEUE_MAP_CPU", "a@4 burst 8", "a@3 src_min 10.0.0.1", "a@3 src_max 10.0.0.1", "a@3 udp_src_max 1025", "a@3 pkt_size 1400",
		} {
			if !strings.Contains(got, "\n"+want+"\n") {
				t.Errorf("%s: no %q in\n%s", shell, want, got)
			}
		}
		if strings.Count(got, "pgctrl start\n") != 1 || strings.Contains(got, "delay") {
			t.Errorf("%s: %s", shell, got)
		}
	}
}

// TestPktgenRefuses wants a reason and exit status 2, and nothing written.
func TestPktgenRefuses(t *testing.T) {
	for args, want := range map[string]string{
		common:                             "-i DEV is missing",
		"-i a -d 1.2.3.4":                  "-m MAC is missing",
		"-i a -m 02:00:00:00:00:01":        "-d ADDRESS is missing",
		"-i a -r fast " + common:           "-r fast: give a number",
		"-i a -r -1 " + common:             "-r -1: give a number",
		"-i a -l 20 " + common:             "-l 20: at least 42",
		"-i a -t 0 " + common:              "-t 0: at least 1",
		"-i a -t 4 -n 3 " + common:         "-n 3: fewer than the 4 threads",
		"-i a -t 4 -r 3 " + common:         "-r 3: fewer than the 4 threads",
		"-i a -f 70000 " + common:          "-f 70000: at most 64512 ports",
		"-i a " + common + " more":         "more: no such option",
		"-i a -n 99999999999999 " + common: "-n 99999999999999: give a number",
	} {
		for _, shell := range shells(t) {
			out, errs, err := pktgen(t, shell, []string{"PKTGEN_DIR=" + t.TempDir()}, args)
			var status int
			if exit, ok := err.(*exec.ExitError); ok {
				status = exit.ExitCode()
			}
			if status != 2 || out != "" || !strings.Contains(errs, want) {
				t.Errorf("%s %s: status %d, %q, %q instead of %q", shell, args, status, out, errs, want)
			}
		}
	}
	out, errs, err := pktgen(t, []string{"sh"}, []string{"PKTGEN_DIR=" + filepath.Join(t.TempDir(), "none")}, "-i a "+common)
	if err == nil || out != "" || !strings.Contains(errs, "modprobe pktgen") {
		t.Errorf("without the module: %v, %q, %q", err, out, errs)
	}
}

// TestPktgenReports gives the script files instead of the kernel's. No thread says in them that it has sent anything, so it has to
// fail, and to take the interfaces away from the threads all the same.
func TestPktgenReports(t *testing.T) {
	for _, shell := range shells(t) {
		dir := t.TempDir()
		for _, name := range []string{"pgctrl", "kpktgend_0", "kpktgend_1", "kpktgend_2", "a@0", "a@1", "a@2"} {
			must(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
		}
		out, errs, err := pktgen(t, shell, []string{"PKTGEN_DIR=" + dir}, "-i a -t 3 -n 9 "+common)
		if err == nil || !strings.Contains(out, "a@2: ") || !strings.Contains(out, "all: 0pps") || errs != "" {
			t.Errorf("%s: %v, %q, %q", shell, err, out, errs)
		}
		for file, want := range map[string]string{"pgctrl": "start\n", "kpktgend_2": "rem_device_all\n", "a@2": "flag QUEUE_MAP_CPU\n"} {
			if told, _ := os.ReadFile(filepath.Join(dir, file)); string(told) != want {
				t.Errorf("%s: %s was told last: %q", shell, file, told)
			}
		}
		out, errs, err = pktgen(t, shell, []string{"PKTGEN_DIR=" + dir}, "-i a -t 4 -n 9 "+common)
		if err == nil || !strings.Contains(errs, "no CPU 3 for the thread 3 of a") {
			t.Errorf("%s: more threads than CPUs: %v, %q, %q", shell, err, out, errs)
		}
	}
}
