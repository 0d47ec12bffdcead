package quietlog

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of what a Recent keeps, in bytes.
const (
	maxRecent     = 64 << 10
	maxRecentText = 1024 // of a message, and of its attributes
	lineOverhead  = 128  // of a Line besides its texts
)

// Line is a line of a log.
type Line struct {
	N       uint64    `json:"n" jsonschema:"counts the lines of this run"`
	Time    time.Time `json:"time"`
	Level   string    `json:"level" jsonschema:"DEBUG, INFO, WARN or ERROR"`
	Part    string    `json:"part" jsonschema:"the part of the agent that it is of"`
	Message string    `json:"message"`
	Attrs   string    `json:"attrs,omitempty" jsonschema:"its attributes, as the log has them: thing=porch"`
}

// String is the line as text.
func (l *Line) String() string {
	text := fmt.Sprintf("time=%s level=%s msg=%q", l.Time.Format("2006-01-02T15:04:05.000Z07:00"), l.Level, l.Message)
	if l.Attrs != "" {
		text += " " + l.Attrs
	}
	return text
}

// Recent keeps the end of a log, at most 64 KiB of it. The zero value keeps none; see Keep.
type Recent struct {
	on   atomic.Bool
	hide atomic.Pointer[func(string) string]

	mu     sync.Mutex
	text   bytes.Buffer // of the attributes that are being written
	lines  []Line       // the oldest first
	n      uint64       // how many there were
	bytes  int
	follow *func(Line)
}

// Keep sets whether lines are kept from now on. Those that are kept are dropped if not.
func (r *Recent) Keep(on bool) {
	if r.on.Swap(on) == on || on {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines, r.bytes = nil, 0
}

// Hide sets what each text goes through from now on before it is kept, and before it is cut: it
// removes what must not leave the machine.
func (r *Recent) Hide(hide func(text string) string) { r.hide.Store(&hide) }

// Lines returns what is kept, the oldest first.
func (r *Recent) Lines() []Line {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.lines)
}

// Follow calls call with each line that is kept from now on, in order, until stop, or another
// follows. call returns at once, and logs nothing.
func (r *Recent) Follow(call func(Line)) (stop func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.follow = &call
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.follow == &call {
			r.follow = nil
		}
	}
}

// Below returns a logger that writes to what log does, and whose lines are kept while Keep says
// so. Lines that a Handler of log holds back are not.
func (r *Recent) Below(log *slog.Logger) *slog.Logger {
	own := func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey || a.Key == slog.MessageKey) {
			return slog.Attr{} // fields of Line
		}
		return a
	}
	keeps := keeper{text: slog.NewTextHandler(&r.text, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: own}), of: r}
	h, ok := log.Handler().(*Handler)
	if !ok {
		keeps.next = log.Handler()
		return slog.New(keeps)
	}
	below := *h
	keeps.next, keeps.part = h.next, h.part
	below.next = keeps
	return slog.New(&below)
}

// take keeps a line.
func (r *Recent) take(ctx context.Context, k *keeper, record slog.Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.text.Reset()
	_ = k.text.Handle(ctx, record) // memory
	tidy := func(text string) string {
		if hide := r.hide.Load(); hide != nil {
			text = (*hide)(text)
		}
		return Clip(text, maxRecentText)
	}
	r.n++
	l := Line{r.n, record.Time, record.Level.String(), k.part, tidy(record.Message), tidy(strings.TrimSuffix(r.text.String(), "\n"))}
	if l.Part == "" {
		l.Part = Unnamed
	}
	if r.text.Cap() > MaxText { // of a stack
		r.text = bytes.Buffer{}
	}
	r.lines = append(r.lines, l)
	r.bytes += l.size()
	n := 0
	for ; r.bytes > maxRecent; n++ {
		r.bytes -= r.lines[n].size()
	}
	r.lines = slices.Delete(r.lines, 0, n)
	if r.follow != nil {
		(*r.follow)(l)
	}
}

func (l *Line) size() int { return len(l.Message) + len(l.Attrs) + lineOverhead }

// keeper hands records to next, and has them kept while they are to be.
type keeper struct {
	next, text slog.Handler
	of         *Recent
	part       string
}

// The methods of slog.Handler.
func (k keeper) Enabled(ctx context.Context, l slog.Level) bool { return k.next.Enabled(ctx, l) }
func (k keeper) WithAttrs(attrs []slog.Attr) slog.Handler {
	part, _ := named(attrs, k.part, "")
	return keeper{k.next.WithAttrs(attrs), k.text.WithAttrs(attrs), k.of, part}
}
func (k keeper) WithGroup(name string) slog.Handler {
	return keeper{k.next.WithGroup(name), k.text.WithGroup(name), k.of, k.part}
}
func (k keeper) Handle(ctx context.Context, r slog.Record) error {
	if k.of.on.Load() {
		k.of.take(ctx, &k, r)
	}
	return k.next.Handle(ctx, r)
}
