package gateway

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"

	"vxgw/logs"
	"vxgw/vxlan"
)

// However often routers complain, VTEPs speak for the first time, and a port goes down and up: at level debug, too, each kind of line is
// logged so often in a minute, and how much more there was is said.
func TestAttackCostsFewLines(t *testing.T) {
	begin := time.Now()
	var out logged
	h := logs.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}), slog.LevelDebug)
	b := newBedWith(t, func(g *Gateway) []func() error {
		g.log = slog.New(h)
		return append(g.steps(), g.startSteward)
	})
	b.direct()
	const many = 10_000
	message := complaintTo(10, 0, 0, 2)
	for i := range many {
		binary.BigEndian.PutUint16(message[26:], uint16(600+i%800)) // MTU
		binary.BigEndian.PutUint16(message[22:], 0)
		binary.BigEndian.PutUint16(message[22:], ^vxlan.Fold(vxlan.Sum(message[20:], 0)))
		b.g.heed(message)
	}
	if got := b.g.heard(); got.Believed+got.Ignored != many {
		t.Fatalf("%+v complaints were heeded", got)
	}
	frames := make([][]byte, 0, many)
	for i := range many {
		p := b.packet(frame(0xff, byte(i), 60))
		binary.BigEndian.PutUint16(p[28:], uint16(i))
		p[27] = 77
		binary.BigEndian.PutUint16(p[24:], 0)
		binary.BigEndian.PutUint16(p[24:], ^vxlan.Fold(vxlan.Sum(p[14:34], 0)))
		frames = append(frames, p)
	}
	for at := 0; at < many; at += 100 {
		// No more are under way than a ring has room for.
		b.await("VTEPs by the thousand are known", func() bool { return len(b.g.plane.Remotes.Addrs()) > at-1500 })
		must(t, b.remote.SendFrame("ens18", frames[at:at+100]...))
	}
	for range 100 {
		must(t, b.host.SetDown("veth1"))
		must(t, b.host.SetUp("veth1"))
	}
	b.await("flapping was more than is logged", func() bool { return out.count("port changed") >= logs.Lines })
	b.close()
	h.Flush()

	most := logs.Lines * int(1+time.Since(begin)/logs.Span) // in each span there may be so many
	for message, n := range out.kinds() {
		if n > most && message != "more lines like this were left out" {
			t.Errorf("%d lines say %q", n, message)
		}
	}
	for _, like := range []string{"what a router says of a packet is not believed", "port changed"} {
		if n := out.count(like); n < logs.Lines || n > most || !out.says("more lines like this were left out", like) {
			t.Errorf("%q: %d lines: %v", like, out.count(like), out.kinds())
		}
	}
	if h.LeftOut() < uint64(many-most) {
		t.Errorf("%d lines were left out", h.LeftOut())
	}
}

// complaintTo is a router's complaint about a packet that the gateway's host has sent to an address.
func complaintTo(to ...byte) []byte {
	b := make([]byte, 28+36)
	copy(b, []byte{0x45, 0, 0, byte(len(b)), 8: 64, 9: 1, 12: 10, 0, 0, 254, 10, 0, 0, 1})
	b[20], b[21] = 3, 4
	copy(b[28:], []byte{0x45, 0, 1500 >> 8, 1500 & 0xff, 6: 0x40, 8: 63, 9: 17, 12: 10, 0, 0, 1, to[0], to[1], to[2], to[3],
		20: 0xc0, 1, 4789 >> 8, 4789 & 0xff, 1480 >> 8, 1480 & 0xff, 28: 8, 34: 42})
	return b
}

// logged collects lines in JSON.
type logged struct {
	mu    sync.Mutex
	lines []map[string]any
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range bytes.Lines(p) {
		var one map[string]any
		if err := json.Unmarshal(line, &one); err != nil {
			return 0, err
		}
		l.lines = append(l.lines, one)
	}
	return len(p), nil
}

func (l *logged) kinds() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := map[string]int{}
	for _, one := range l.lines {
		all[one["msg"].(string)]++
	}
	return all
}

func (l *logged) count(message string) int { return l.kinds()[message] }

// says reports whether a line with a message is about lines like another.
func (l *logged) says(message, like string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, one := range l.lines {
		if one["msg"] == message && one["like"] == like {
			return true
		}
	}
	return false
}

// The bound counts lines by their message: no message has in it what differs.
func TestMessagesAreConstant(t *testing.T) {
	call := regexp.MustCompile(`(?i)\blog\.(Debug|Info|Warn|Error)\(([^"].*)`)
	for _, pattern := range []string{"*.go", "../underlay/*.go"} {
		files, err := filepath.Glob(pattern)
		must(t, err)
		for _, file := range files {
			text, err := os.ReadFile(file)
			must(t, err)
			for _, found := range call.FindAllSubmatch(text, -1) {
				if base := filepath.Base(file); base != "journal.go" { // which speaks at the start alone
					t.Errorf("%s: message %s", base, found[2])
				}
			}
		}
	}
}
