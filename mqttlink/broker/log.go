package broker

import (
	"context"
	"log/slog"

	"pithings/quietlog"
)

// short cuts names that clients choose.
func short(s string) string { return quietlog.Clip(s, 64) }

// quieter lowers the library's messages to debug: that a client left without a
// goodbye is no news to the user of this program.
type quieter struct{ slog.Handler }

// Enabled reports whether debug messages are wanted.
func (q quieter) Enabled(ctx context.Context, _ slog.Level) bool {
	return q.Handler.Enabled(ctx, slog.LevelDebug)
}

// Handle passes a record on at debug level.
func (q quieter) Handle(ctx context.Context, r slog.Record) error {
	d := slog.NewRecord(r.Time, slog.LevelDebug, "broker: "+r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool { d.AddAttrs(a); return true })
	return q.Handler.Handle(ctx, d)
}

// WithAttrs implements slog.Handler.
func (q quieter) WithAttrs(a []slog.Attr) slog.Handler { return quieter{q.Handler.WithAttrs(a)} }

// WithGroup implements slog.Handler.
func (q quieter) WithGroup(name string) slog.Handler { return quieter{q.Handler.WithGroup(name)} }
