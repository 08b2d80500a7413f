package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/gopacket/gopacket/pcapgo"
	"golang.org/x/sys/unix"
)

// A capture that the gateway's end cuts short tells how many packets there were, and has a whole file where the gateway could say
// so; one that was killed could not.
func TestCaptureCutShort(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		end  func(g *vtep)
		said string
		told bool // how many were dropped
	}{
		{"stopped", func(g *vtep) { g.stop() }, `^gw: capturing \(Ctrl-C ends it\)\n([0-9]+) packets captured\n0 packets dropped by gw\ngw: capture: the gateway has stopped`, true},
		{"killed", func(g *vtep) {
			g.end(unix.SIGKILL)
			output(g.t, g.host, "cleanup", "--iface", "ens18")
		}, `^gw: capturing \(Ctrl-C ends it\)\n([0-9]+) packets captured\nhow many packets gw dropped it did not tell\ngw: capture: the gateway has stopped`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g, ping, _ := captureBed(t)
			file := filepath.Join(t.TempDir(), "cut.pcapng")
			lines := capturingShell(t, g.host, `exec "$GW" capture --vni 42 inner icmp`)
			whole := capturingShell(t, g.host, `exec "$GW" capture -w `+file+` inner icmp`)
			ping()
			const all = 12 // each packet of three pings, at the port and on the underlay
			eventually(t, func() string {
				if n := strings.Count(lines.stdout.String(), "\n"); n < all {
					return fmt.Sprintf("%d lines", n)
				}
				if n, _ := packetsIn(t, file); n < all {
					return fmt.Sprintf("%d packets in the file", n)
				}
				return ""
			})
			c.end(g)
			out, status := lines.end()
			_, statusFile := whole.end()
			n, ended := packetsIn(t, file)
			for at, said := range map[int]string{strings.Count(out, "\n"): lines.said.String(), n: whole.said.String()} {
				m := regexp.MustCompile(c.said).FindStringSubmatch(said)
				if m == nil || m[1] != strconv.Itoa(at) {
					t.Errorf("%d packets came, it says %q", at, said)
				}
			}
			if status != 1 || statusFile != 1 || ended != c.told {
				t.Errorf("exit status %d and %d, the file is whole: %v", status, statusFile, ended)
			}
		})
	}
}

// packetsIn is how many packets a file has, and whether statistics are at its end.
func packetsIn(t *testing.T, file string) (n int, ended bool) {
	t.Helper()
	f, err := os.Open(file)
	must(t, err)
	defer f.Close()
	r, err := pcapgo.NewNgReader(f, pcapgo.NgReaderOptions{})
	if err != nil {
		return 0, false
	}
	for _, _, err = r.ReadPacketData(); err == nil; _, _, err = r.ReadPacketData() {
		n++
	}
	in, err := r.Interface(0)
	must(t, err)
	return n, !in.Statistics.EndTime.IsZero()
}
