// Package logs bounds what a program logs, and lets it say more, or less, while it runs.
//
//	slog.Logger -> Handler: is the line's level on, or that of its VNI? -> bound: so many lines of a kind in a time -> the next handler
//
// Lines of a kind have the same level and message; messages are words of the code, and what differs stands in attributes. So whoever can make
// the program say something again and again (a flapping link, a router that complains, a thousand VTEPs) makes it say it a few times in a minute, and
// then how often more. Lines of a VNI (attribute "vni") at level debug are one kind for each VNI.
package logs

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// Handler is an slog.Handler whose level can be changed. Any goroutine.
type Handler struct {
	*state
	next slog.Handler
	vni  int64 // of WithAttrs, -1 for none
}

// state is what a Handler and those derived from it share.
type state struct {
	level atomic.Int64
	bound bound

	mu   sync.Mutex // of who changes vnis
	vnis atomic.Pointer[map[uint32]bool]
}

// New returns a handler of lines from a level on, which it hands to next; next takes all of them.
func New(next slog.Handler, level slog.Level) *Handler {
	h := &Handler{state: &state{}, next: next, vni: -1}
	h.level.Store(int64(level))
	h.vnis.Store(&map[uint32]bool{})
	h.bound.kinds = map[kind]*count{}
	return h
}

// Of is the handler of a logger, nil if it has another one.
func Of(l *slog.Logger) *Handler {
	h, _ := l.Handler().(*Handler)
	return h
}

// Level is the least level of lines.
func (h *Handler) Level() slog.Level { return slog.Level(h.level.Load()) }

// SetLevel changes it.
func (h *Handler) SetLevel(l slog.Level) { h.level.Store(int64(l)) }

// VNIs are those whose lines are logged from debug on, in order.
func (h *Handler) VNIs() []uint32 { return slices.Sorted(maps.Keys(*h.vnis.Load())) }

// SetVNI has lines of a VNI logged from debug on, or no longer.
func (h *Handler) SetVNI(vni uint32, debug bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	next := maps.Clone(*h.vnis.Load())
	if debug {
		next[vni] = true
	} else {
		delete(next, vni)
	}
	h.vnis.Store(&next)
}

// LeftOut is how many lines were left out since there were too many of their kind.
func (h *Handler) LeftOut() uint64 { return h.bound.total.Load() }

// Enabled reports whether lines of a level may be logged; Handle looks at their VNI.
func (h *Handler) Enabled(_ context.Context, l slog.Level) bool {
	return l >= h.Level() || l >= slog.LevelDebug && len(*h.vnis.Load()) > 0
}

// Handle logs a line, unless its level is off or there were too many like it.
func (h *Handler) Handle(ctx context.Context, r slog.Record) error {
	vni := h.vni
	if r.Level < slog.LevelInfo || r.Level < h.Level() {
		r.Attrs(func(a slog.Attr) bool {
			vni = numberOf(a, vni)
			return true
		})
	}
	if r.Level < h.Level() && (vni < 0 || !(*h.vnis.Load())[uint32(vni)]) {
		return nil
	}
	if !h.bound.admit(h.next, r, vni) {
		return nil
	}
	return h.next.Handle(ctx, r)
}

// numberOf is the VNI that an attribute names, else what was known before.
func numberOf(a slog.Attr, before int64) int64 {
	if a.Key != "vni" {
		return before
	}
	switch a.Value.Kind() {
	case slog.KindUint64:
		return int64(a.Value.Uint64())
	case slog.KindInt64:
		return a.Value.Int64()
	}
	return before
}

// WithAttrs and WithGroup are those of slog.Handler.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	vni := h.vni
	for _, a := range attrs {
		vni = numberOf(a, vni)
	}
	return &Handler{h.state, h.next.WithAttrs(attrs), vni}
}

// WithGroup is that of slog.Handler.
func (h *Handler) WithGroup(name string) slog.Handler {
	return &Handler{h.state, h.next.WithGroup(name), h.vni}
}

// Unbounded is a logger of the same level whose lines are never too many: for what is said once, however long it is.
func (h *Handler) Unbounded() *slog.Logger {
	return slog.New(unbounded{h})
}

type unbounded struct{ h *Handler }

func (u unbounded) Enabled(_ context.Context, l slog.Level) bool    { return l >= u.h.Level() }
func (u unbounded) Handle(ctx context.Context, r slog.Record) error { return u.h.next.Handle(ctx, r) }
func (u unbounded) WithAttrs(attrs []slog.Attr) slog.Handler {
	return unbounded{u.h.WithAttrs(attrs).(*Handler)}
}
func (u unbounded) WithGroup(name string) slog.Handler {
	return unbounded{u.h.WithGroup(name).(*Handler)}
}
