package main

import (
	"context"
	"io"
	"log/slog"
	"os"

	"pithings/quietlog"
)

// newLog returns the log of a command: text on w, or JSON, from level on, and no more of
// it than others may cause. Under journald lines have a priority, and no time of their
// own, since the journal keeps one.
func newLog(w io.Writer, level slog.Leveler, json bool) *slog.Logger {
	journal := toJournal(os.Stderr)
	o := &slog.HandlerOptions{Level: level, ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		switch {
		case len(groups) > 0 || a.Key != slog.TimeKey:
			return a
		case journal:
			return slog.Attr{}
		case json: // another program reads it
			return a
		}
		return slog.String(slog.TimeKey, a.Value.Time().Format("15:04:05.000"))
	}}
	handler := func(w io.Writer) slog.Handler {
		if json {
			return slog.NewJSONHandler(w, o)
		}
		return slog.NewTextHandler(w, o)
	}
	if !journal {
		return slog.New(quietlog.New(handler(w)))
	}
	return slog.New(quietlog.New(byPriority{
		handler(priority{w, "<7>"}), handler(priority{w, "<6>"}), handler(priority{w, "<4>"}), handler(priority{w, "<3>"}),
	}))
}

// byPriority has a handler for each of the levels debug, info, warning and error, whose
// lines begin with the priority of syslog(3) that sd-daemon(3) takes from them.
type byPriority [4]slog.Handler

func (h byPriority) of(l slog.Level) slog.Handler {
	switch {
	case l >= slog.LevelError:
		return h[3]
	case l >= slog.LevelWarn:
		return h[2]
	case l >= slog.LevelInfo:
		return h[1]
	}
	return h[0]
}

// The methods of slog.Handler.
func (h byPriority) Enabled(ctx context.Context, l slog.Level) bool { return h.of(l).Enabled(ctx, l) }
func (h byPriority) Handle(ctx context.Context, r slog.Record) error {
	return h.of(r.Level).Handle(ctx, r)
}

func (h byPriority) WithAttrs(attrs []slog.Attr) slog.Handler {
	return h.each(func(h slog.Handler) slog.Handler { return h.WithAttrs(attrs) })
}

func (h byPriority) WithGroup(name string) slog.Handler {
	return h.each(func(h slog.Handler) slog.Handler { return h.WithGroup(name) })
}

func (h byPriority) each(f func(slog.Handler) slog.Handler) byPriority {
	for i, one := range h {
		h[i] = f(one)
	}
	return h
}

// priority writes lines with a prefix. A handler of slog writes one record at a time, and
// escapes line ends in it.
type priority struct {
	w      io.Writer
	prefix string
}

func (p priority) Write(line []byte) (int, error) {
	if _, err := p.w.Write(append([]byte(p.prefix), line...)); err != nil {
		return 0, err
	}
	return len(line), nil
}
