package rule

import (
	"context"
	"fmt"
	"log/slog"
	"unicode/utf8"
)

// The bounds of what one call of a script writes to the log.
const (
	maxLines = 1000
	maxLine  = 4 << 10 // bytes
)

// lines counts what a call writes to the log.
type lines int

// next returns the next line as it is logged, or false if there are too many.
func (n *lines) next(text string) (string, bool) {
	*n++
	if *n > maxLines {
		return "", false
	}
	if len(text) <= maxLine {
		return text, true
	}
	end := maxLine
	for end > maxLine-utf8.UTFMax && !utf8.RuneStart(text[end]) {
		end--
	}
	return fmt.Sprintf("%s … (%d bytes in all)", text[:end], len(text)), true
}

// rest is what is logged of the lines that were left out; "" for none.
func (n lines) rest() string {
	switch more := n - maxLines; {
	case more == 1:
		return "1 more line of the script was left out"
	case more > 1:
		return fmt.Sprintf("%d more lines of the script were left out", more)
	}
	return ""
}

// write writes a line of a rule's script.
func (n *lines) write(log *slog.Logger, rule, level, text string) {
	text, ok := n.next(text)
	if !ok {
		return
	}
	l := slog.LevelInfo
	switch level {
	case "debug":
		l = slog.LevelDebug
	case "warning":
		l = slog.LevelWarn
	case "error", "critical":
		l = slog.LevelError
	}
	log.Log(context.Background(), l, text, "rule", rule)
}

// unfiltered is a handler that takes records of all levels.
type unfiltered struct{ slog.Handler }

// Enabled implements slog.Handler.
func (unfiltered) Enabled(context.Context, slog.Level) bool { return true }

// end logs how many lines of a call were left out.
func (n lines) end(log *slog.Logger, rule string) {
	if rest := n.rest(); rest != "" {
		log.Warn(rest, "rule", rule)
	}
}
