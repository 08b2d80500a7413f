package logs

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// How much is logged at most.
const (
	// Lines is how many lines of a kind are logged in a Span; one more says how many were left out.
	Lines = 60
	Span  = time.Minute
	// DebugLines is the same for a VNI at level debug, in a DebugSpan.
	DebugLines = 50
	DebugSpan  = time.Second
	// mostKinds bounds memory: what is of yet another kind shares one with the rest. The code has far fewer messages.
	mostKinds = 1024
)

// kind is what lines have in common that are counted together.
type kind struct {
	level   slog.Level
	message string
	vni     int64 // of lines at level debug that have one, which are all one kind; else -1
}

// count is of lines of one kind in its present span.
type count struct {
	until    time.Time
	logged   int
	left     uint64
	handler  slog.Handler // of the first that was left out
	lastLeft slog.Record
}

type bound struct {
	total atomic.Uint64
	mu    sync.Mutex
	kinds map[kind]*count
}

// admit counts a line and reports whether it is to be logged.
func (b *bound) admit(next slog.Handler, r slog.Record, vni int64) bool {
	k, most, span := kind{r.Level, r.Message, -1}, Lines, Span
	if r.Level < slog.LevelInfo && vni >= 0 {
		k, most, span = kind{slog.LevelDebug, "", vni}, DebugLines, DebugSpan
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	c := b.kinds[k]
	if c == nil {
		if len(b.kinds) >= mostKinds {
			b.sweep(now)
		}
		if len(b.kinds) >= mostKinds {
			k = kind{message: "other lines", vni: -1}
			c = b.kinds[k]
		}
		if c == nil {
			c = new(count)
			b.kinds[k] = c
		}
	}
	if c.left == 0 && now.After(c.until) {
		*c = count{until: now.Add(span)}
	}
	if c.logged < most {
		c.logged++
		return true
	}
	b.total.Add(1)
	if c.left++; c.left == 1 {
		c.handler = next
		time.AfterFunc(time.Until(c.until), func() { b.tell(k) })
	}
	c.lastLeft = r
	return false
}

// sweep forgets kinds whose span is over. b.mu is held.
func (b *bound) sweep(now time.Time) {
	for k, c := range b.kinds {
		if c.left == 0 && now.After(c.until) {
			delete(b.kinds, k)
		}
	}
}

// tell logs how many lines of a kind were left out, and the last of them.
func (b *bound) tell(k kind) {
	b.mu.Lock()
	c := b.kinds[k]
	if c == nil || c.left == 0 {
		b.mu.Unlock()
		return
	}
	n, handler, last := c.left, c.handler, c.lastLeft
	delete(b.kinds, k)
	b.mu.Unlock()
	_ = handler.Handle(context.Background(), summary(k, n, last)) // nobody could be told
}

// summary is the line about n lines that were left out.
func summary(k kind, n uint64, last slog.Record) slog.Record {
	r := slog.NewRecord(time.Now(), last.Level, "more lines like this were left out", 0)
	r.AddAttrs(slog.String("like", last.Message), slog.Uint64("count", n))
	if k.vni >= 0 {
		r.Message = "more lines of the VNI were left out"
	}
	last.Attrs(func(a slog.Attr) bool {
		if a.Key != "cure" && a.Key != "count" && a.Key != "like" {
			r.AddAttrs(a)
		}
		return true
	})
	return r
}

// Flush says at once what was left out until now: for the end of the program.
func (h *Handler) Flush() {
	h.bound.mu.Lock()
	var all []kind
	for k, c := range h.bound.kinds {
		if c.left > 0 {
			all = append(all, k)
		}
	}
	h.bound.mu.Unlock()
	for _, k := range all {
		h.bound.tell(k)
	}
}
