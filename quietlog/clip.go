package quietlog

import (
	"log/slog"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxText is the longest message or attribute that a Handler passes on, in bytes. The
// stack of a panic fits.
const MaxText = 4096

// Clip cuts s to at most so many bytes, between characters, and marks the cut with
// an ellipsis.
func Clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	n := most
	for n > 0 && n > most-utf8.UTFMax && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// Short cuts s to what one value in a line can be, 80 bytes of UTF-8.
func Short(s string) string { return strings.ToValidUTF8(Clip(s, 80), "?") }

// OneLine makes text that may come from outside fit for one line of a log: without control
// characters, at most 600 bytes of UTF-8.
func OneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if len(s) > 600 {
		s = strings.ToValidUTF8(s[:600], "") + "…"
	}
	return strings.TrimSpace(s)
}

// cut returns r with its texts cut to MaxText.
func cut(r slog.Record) slog.Record {
	long := len(r.Message) > MaxText
	r.Attrs(func(a slog.Attr) bool {
		long = long || len(text(a.Value)) > MaxText
		return !long
	})
	if !long {
		return r
	}
	return plain(&r)
}

// plain returns a copy of r that holds short texts in the place of long ones, and of
// errors, which may hold anything.
func plain(r *slog.Record) slog.Record {
	c := slog.NewRecord(r.Time, r.Level, Clip(r.Message, MaxText), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		if s := text(a.Value); s != "" {
			a.Value = slog.StringValue(Clip(s, MaxText))
		}
		c.AddAttrs(a)
		return true
	})
	return c
}
