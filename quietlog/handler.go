package quietlog

import (
	"context"
	"hash/maphash"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// The policies of a Handler. A line's key is its level, message and what it is
// about; lines that have a reason (reasons) are also counted by their kind, which is
// the key without it. So one kind has at most 30 lines at once and then one in two to
// ten seconds, and everything together 500 and then ten a second.
var (
	sameLine = policy{first: 10, every: time.Second, pause: time.Second, longest: time.Minute, forget: 10 * time.Second}
	sameKind = policy{first: 30, every: 2 * time.Second, pause: time.Second, longest: 10 * time.Second, forget: 10 * time.Second}
	anyLine  = policy{first: 500, every: time.Second / 10, pause: time.Second, longest: time.Second, forget: 10 * time.Second}
)

// maxGates is how many lines and kinds are counted apart. What is beyond has the
// bound of the whole log.
const maxGates = 256

// about are the attributes that make lines different: what the line is about, which
// the configuration bounds. All attributes of a logger's With are among them.
var about = map[string]bool{"thing": true, "flow": true, "deployment": true, "connection": true, "device": true, "dir": true}

// reasons are the attributes that make lines different and that others may choose.
var reasons = map[string]bool{"err": true, "error": true, "reason": true, "topic": true, "filter": true, "kind": true, "trigger": true}

// Handler is a slog.Handler that limits what reaches another one.
type Handler struct {
	next        slog.Handler
	with        uint64 // hash of the logger's own attributes
	part, thing string // that its lines are of
	*limiter
}

// limiter is what all loggers of a New share.
type limiter struct {
	seed   maphash.Seed
	levels atomic.Pointer[setLevels] // nil: those of next

	mu    sync.Mutex
	gates map[uint64]*line
	all   line
	timer *time.Timer // nil until it is needed
	due   time.Time   // when it fires; zero while nothing is held back
	over  bool        // closed
}

// line is a gate and the last record that it held back.
type line struct {
	gate
	*policy
	last slog.Record
	to   slog.Handler
}

// New returns a handler that passes on to next what is not too much. Close should
// follow.
func New(next slog.Handler) *Handler {
	return &Handler{next: next, limiter: &limiter{
		seed: maphash.MakeSeed(), gates: map[uint64]*line{}, all: line{policy: &anyLine},
	}}
}

// Limit returns a logger that writes to what log does, within the bounds of a
// Handler; end is its Close. A logger that has the bounds already is returned as it is.
func Limit(log *slog.Logger) (limited *slog.Logger, end func()) {
	h, ok := log.Handler().(*Handler)
	if !ok {
		h = New(log.Handler())
		log = slog.New(h)
	}
	return log, h.Close
}

// Enabled implements slog.Handler.
func (h *Handler) Enabled(ctx context.Context, l slog.Level) bool {
	set := h.levels.Load()
	return set != nil && set.maybe(l) || h.next.Enabled(ctx, l)
}

// WithAttrs implements slog.Handler.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	var m maphash.Hash
	m.SetSeed(h.seed)
	maphash.WriteComparable(&m, h.with)
	for _, a := range attrs {
		m.WriteString(a.Key)
		m.WriteByte(0)
		m.WriteString(a.Value.String())
		m.WriteByte(0)
	}
	part, thing := named(attrs, h.part, h.thing)
	return &Handler{h.next.WithAttrs(attrs), m.Sum64(), part, thing, h.limiter}
}

// WithGroup implements slog.Handler.
func (h *Handler) WithGroup(name string) slog.Handler {
	return &Handler{h.next.WithGroup(name), h.with, h.part, h.thing, h.limiter}
}

// Handle implements slog.Handler.
func (h *Handler) Handle(ctx context.Context, r slog.Record) error {
	if set := h.levels.Load(); set != nil && !set.passes(ctx, h, &r) {
		return nil
	}
	own, kind := h.keys(&r)
	r = cut(r)
	before, ok := h.pass(h.next, &r, own, kind, now(&r))
	if !ok {
		return nil
	}
	if before > 0 {
		r = r.Clone()
		r.AddAttrs(slog.Int("repeated", before))
	}
	return h.next.Handle(ctx, r)
}

// now is the time of a record, which the logger has read already.
func now(r *slog.Record) time.Time {
	if r.Time.IsZero() {
		return time.Now()
	}
	return r.Time
}

// keys returns the hashes of a line and of its kind, which are the same if it has no
// reason.
func (h *Handler) keys(r *slog.Record) (own, kind uint64) {
	var m maphash.Hash
	m.SetSeed(h.seed)
	maphash.WriteComparable(&m, h.with)
	m.WriteByte(byte(r.Level))
	m.WriteString(r.Message)
	reasoned := false
	r.Attrs(func(a slog.Attr) bool {
		if about[a.Key] {
			m.WriteByte(0)
			m.WriteString(a.Value.String())
		}
		reasoned = reasoned || reasons[a.Key]
		return true
	})
	kind = m.Sum64()
	if !reasoned {
		return kind, kind
	}
	r.Attrs(func(a slog.Attr) bool {
		if reasons[a.Key] {
			m.WriteByte(1)
			writeSteady(&m, text(a.Value))
		}
		return true
	})
	return m.Sum64(), kind
}

// text is an attribute's text, if it has a cheap one.
func text(v slog.Value) string {
	switch v.Kind() {
	case slog.KindString:
		return v.String()
	case slog.KindAny:
		switch v := v.Any().(type) {
		case error:
			return v.Error()
		case string: // such as what was recovered from a panic
			return v
		}
	}
	return ""
}

// writeSteady hashes s without its digits: texts that differ in a time or a port only
// are the same.
func writeSteady(m *maphash.Hash, s string) {
	from := 0
	for i := range len(s) {
		if c := s[i]; c >= '0' && c <= '9' {
			m.WriteString(s[from:i])
			from = i + 1
		}
	}
	m.WriteString(s[from:])
}

// pass reports whether a line may be written, and how many like it were not before.
func (l *limiter) pass(to slog.Handler, r *slog.Record, own, kind uint64, now time.Time) (repeated int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	mine := l.gates[own]
	if mine != nil {
		if repeated, ok = mine.pass(now); !ok {
			l.hold(mine, to, r)
			return 0, false
		}
	}
	if own != kind {
		if of := l.gate(kind, &sameKind, now); of != nil {
			n, ok := of.pass(now)
			if !ok {
				of.held += repeated
				l.hold(of, to, r)
				return 0, false
			}
			repeated += n
		}
	}
	if mine == nil {
		if mine = l.gate(own, &sameLine, now); mine != nil {
			mine.pass(now) // the first one always does
		}
	}
	n, ok := l.all.pass(now)
	if !ok {
		l.all.held += repeated
		l.hold(&l.all, to, r)
		return 0, false
	}
	return repeated + n, true
}

func (l *line) pass(now time.Time) (repeated int, ok bool) { return l.gate.pass(l.policy, now) }

// gate returns the gate of a key, or nil if there are too many.
func (l *limiter) gate(key uint64, p *policy, now time.Time) *line {
	g := l.gates[key]
	if g != nil {
		return g
	}
	if len(l.gates) >= maxGates {
		for k, g := range l.gates {
			if g.calm(g.policy, now) {
				delete(l.gates, k)
			}
		}
		if len(l.gates) >= maxGates {
			return nil
		}
	}
	g = &line{policy: p}
	l.gates[key] = g
	return g
}

// hold keeps the last record of a gate, and has it summed up when its pause is over.
func (l *limiter) hold(g *line, to slog.Handler, r *slog.Record) {
	g.last, g.to = plain(r), to
	at, _ := g.due()
	if l.due.IsZero() || at.Before(l.due) {
		l.wake(at)
	}
}

// wake has the sums written at a time. A timer that has fired meanwhile finds nothing
// due.
func (l *limiter) wake(at time.Time) {
	switch l.due = at; {
	case l.over:
	case l.timer == nil:
		l.timer = time.AfterFunc(time.Until(at), func() { l.sum(time.Now(), false) })
	default:
		l.timer.Reset(time.Until(at))
	}
}

// sum writes the counts of the pauses that are over, or all.
func (l *limiter) sum(now time.Time, all bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.due = time.Time{}
	var next time.Time
	for g := range l.each {
		at, held := g.due()
		switch {
		case !held:
		case all || !at.After(now):
			g.tell(now)
		case next.IsZero() || at.Before(next):
			next = at
		}
	}
	if !next.IsZero() {
		l.wake(next)
	}
}

func (l *limiter) each(yield func(*line) bool) {
	for _, g := range l.gates {
		if !yield(g) {
			return
		}
	}
	yield(&l.all)
}

// tell writes how many lines were held back: the last one of them, with their number.
func (l *line) tell(now time.Time) {
	r, to := l.last, l.to
	l.last, l.to = slog.Record{}, nil
	n, within := l.sum(l.policy, now)
	if l.policy == &anyLine {
		r = slog.NewRecord(now, slog.LevelWarn, "log lines left out", 0)
	}
	r.Time = now
	r.AddAttrs(slog.Int(l.count(), n), slog.Duration("within", within.Round(time.Millisecond)))
	_ = to.Handle(context.Background(), r) // as slog.Logger does
}

// count is the attribute that counts: repeated says that all were the same.
func (l *line) count() string {
	if l.policy == &sameLine {
		return "repeated"
	}
	return "left_out"
}

// Close writes the counts of what is held back. Lines still pass afterwards, and are
// limited, but no sum is written any more.
func (h *Handler) Close() {
	h.mu.Lock()
	h.over = true
	if h.timer != nil {
		h.timer.Stop()
	}
	h.mu.Unlock()
	h.sum(time.Now(), true)
}
