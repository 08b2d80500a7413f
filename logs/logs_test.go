package logs

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// buffer is what was logged, by any goroutine.
type buffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func (b *buffer) Reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.buf.Reset()
}

func newTest() (*Handler, *slog.Logger, *buffer) {
	out := new(buffer)
	h := New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug}), slog.LevelInfo)
	return h, slog.New(h), out
}

func lines(out *buffer) int { return strings.Count(out.String(), "\n") }

// Of ten thousand lines of a kind a few are logged in a minute, and one that says how many more there were.
func TestLinesOfAKindAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, log, out := newTest()
		for i := range 10_000 {
			log.Warn("port changed", "port", fmt.Sprintf("veth%d", i), "cure", "none")
			log.Info("another", "n", i)
			time.Sleep(time.Millisecond)
		}
		if n := lines(out); n != 2*Lines {
			t.Errorf("%d lines", n)
		}
		log.Error("alone")
		if !strings.Contains(out.String(), "level=ERROR msg=alone") {
			t.Error("a line of another kind is lost")
		}
		time.Sleep(Span)
		synctest.Wait()
		for _, want := range []string{
			fmt.Sprintf(`level=WARN msg="more lines like this were left out" like="port changed" count=%d port=veth9999`, 10_000-Lines),
			fmt.Sprintf(`level=INFO msg="more lines like this were left out" like=another count=%d n=9999`, 10_000-Lines),
		} {
			if strings.Count(out.String(), want+"\n") != 1 {
				t.Errorf("lacks %s:\n%s", want, out)
			}
		}
		if got := h.LeftOut(); got != 2*(10_000-Lines) {
			t.Errorf("%d left out", got)
		}
		out.Reset()
		log.Warn("port changed") // in another minute
		if lines(out) != 1 {
			t.Errorf("after a quiet minute: %s", out)
		}
	})
}

// What goes on for an hour costs so many lines a minute.
func TestLinesAreBoundedForever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, log, out := newTest()
		for range 60 * 60 * 20 {
			log.Warn("storm")
			time.Sleep(50 * time.Millisecond)
		}
		if n := lines(out); n < 59*(Lines+1) || n > 61*(Lines+1) {
			t.Errorf("%d lines in an hour", n)
		}
		time.Sleep(Span)
	})
}

// Debug lines of one VNI are switched on alone, and are bounded by the second.
func TestDebugOfOneVNI(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, log, out := newTest()
		log.Debug("nothing", "vni", uint32(42))
		h.SetVNI(42, true)
		log.Debug("yes", "vni", uint32(42))
		log.Debug("no", "vni", uint32(43))
		log.Debug("no")
		log.With("vni", 42).Debug("yes too")
		if s := out.String(); lines(out) != 2 || !strings.Contains(s, "msg=yes vni=42") || !strings.Contains(s, `msg="yes too" vni=42`) {
			t.Errorf("logged:\n%s", s)
		}
		if got := fmt.Sprint(h.VNIs()); got != "[42]" {
			t.Errorf("VNIs %s", got)
		}
		time.Sleep(2 * DebugSpan)
		out.Reset()
		for i := range 1000 {
			log.Debug(fmt.Sprintf("line %d", i%100), "vni", uint32(42))
		}
		time.Sleep(DebugSpan + time.Millisecond)
		synctest.Wait()
		want := fmt.Sprintf(`msg="more lines of the VNI were left out" like="line 99" count=%d vni=42`, 1000-DebugLines)
		if lines(out) != DebugLines+1 || !strings.Contains(out.String(), want) {
			t.Errorf("%d lines:\n%s", lines(out), out)
		}
		out.Reset()
		h.SetVNI(42, false)
		log.Debug("no", "vni", uint32(42))
		h.SetLevel(slog.LevelDebug)
		log.Debug("everything")
		h.SetLevel(slog.LevelError)
		log.Warn("no")
		if out.String() == "" || lines(out) != 1 {
			t.Errorf("logged:\n%s", out)
		}
	})
}

// Memory is bounded however many messages there are, and what is left out is told at the end.
func TestKindsAreBounded(t *testing.T) {
	h, log, out := newTest()
	for i := range 3 * mostKinds {
		log.Info(fmt.Sprintf("message %d", i))
	}
	if n := len(h.bound.kinds); n > mostKinds+1 {
		t.Errorf("%d kinds", n)
	}
	h.Flush()
	if !strings.Contains(out.String(), `msg="more lines like this were left out"`) || lines(out) != mostKinds+Lines+1 {
		t.Errorf("%d lines", lines(out))
	}
}

// Many log at once while levels change.
func TestConcurrent(t *testing.T) {
	h, log, out := newTest()
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := range 1000 {
				log.Info("at once", "n", n)
				log.Debug("debug", "vni", uint32(i))
				h.SetVNI(uint32(i), n%2 == 0)
				h.Enabled(t.Context(), slog.LevelDebug)
			}
		})
	}
	all.Wait()
	h.Flush()
	if n := strings.Count(out.String(), `msg="at once"`); n != Lines {
		t.Errorf("%d lines", n)
	}
}
