package main

import (
	"io"
	"log/slog"
	"os"
)

// newLog returns the log of a command: text on w, from level on. Under journald
// lines have no time of their own, since the journal keeps one.
func newLog(w io.Writer, level slog.Level) *slog.Logger {
	journal := os.Getenv("JOURNAL_STREAM") != ""
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key == slog.TimeKey {
				if journal {
					return slog.Attr{}
				}
				return slog.String(slog.TimeKey, a.Value.Time().Format("15:04:05.000"))
			}
			return a
		}}))
}
