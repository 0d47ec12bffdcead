package quietlog

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Bounds of what a Recent keeps, in bytes.
const (
	maxRecent     = 32 << 10
	maxRecentLine = 1024
)

// Recent keeps the end of a log, for a diagnosis from afar: lines as text with their time, at
// most 32 KiB. The zero value keeps none; see Keep.
type Recent struct {
	on   atomic.Bool
	hide atomic.Pointer[func(string) string]

	mu    sync.Mutex
	lines []string // the oldest first
	bytes int
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

// Hide sets what each line goes through from now on before it is kept, and before it is cut: it
// removes what must not leave the machine.
func (r *Recent) Hide(hide func(line string) string) { r.hide.Store(&hide) }

// Lines returns what is kept, the oldest first.
func (r *Recent) Lines() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.lines)
}

// Below returns a logger that writes to what log does, and whose lines are kept while Keep says
// so. Lines that a Handler of log holds back are not.
func (r *Recent) Below(log *slog.Logger) *slog.Logger {
	text := slog.NewTextHandler(r, &slog.HandlerOptions{Level: slog.LevelDebug})
	if h, ok := log.Handler().(*Handler); ok {
		return slog.New(&Handler{both{h.next, text, r}, h.with, h.limiter})
	}
	return slog.New(both{log.Handler(), text, r})
}

// Write takes one line. It implements io.Writer for a slog.Handler.
func (r *Recent) Write(line []byte) (int, error) {
	kept := strings.TrimSuffix(string(line), "\n")
	if hide := r.hide.Load(); hide != nil {
		kept = (*hide)(kept)
	}
	kept = Clip(kept, maxRecentLine)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, kept)
	r.bytes += len(kept)
	n := 0
	for ; r.bytes > maxRecent; n++ {
		r.bytes -= len(r.lines[n])
	}
	r.lines = slices.Delete(r.lines, 0, n)
	return len(line), nil
}

// both hands records to next, and to text while they are to be kept.
type both struct {
	next, text slog.Handler
	of         *Recent
}

// The methods of slog.Handler.
func (b both) Enabled(ctx context.Context, l slog.Level) bool { return b.next.Enabled(ctx, l) }
func (b both) WithAttrs(attrs []slog.Attr) slog.Handler {
	return both{b.next.WithAttrs(attrs), b.text.WithAttrs(attrs), b.of}
}
func (b both) WithGroup(name string) slog.Handler {
	return both{b.next.WithGroup(name), b.text.WithGroup(name), b.of}
}
func (b both) Handle(ctx context.Context, r slog.Record) error {
	if b.of.on.Load() {
		_ = b.text.Handle(ctx, r) // memory
	}
	return b.next.Handle(ctx, r)
}
