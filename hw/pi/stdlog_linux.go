package pi

import (
	"bytes"
	"io"
	"log"
	"log/slog"
	"runtime"
	"strings"
)

// redirectPeriph takes what periph prints with package log (permission denied,
// line gone, …) and passes it to to at debug level: the errors themselves come
// back from the calls and are reported once, by the caller. Everything else
// that is printed with package log goes where it went before. The returned
// function undoes it.
func redirectPeriph(to *slog.Logger) (restore func()) {
	w := &periphWriter{to: to, before: log.Writer()}
	log.SetOutput(w)
	return func() {
		if log.Writer() == io.Writer(w) {
			log.SetOutput(w.before)
		}
	}
}

type periphWriter struct {
	to     *slog.Logger
	before io.Writer
}

func (w *periphWriter) Write(line []byte) (int, error) {
	if !calledFrom("periph.io/x/") {
		return w.before.Write(line)
	}
	w.to.Debug("periph", "says", string(bytes.TrimSpace(line)))
	return len(line), nil
}

// calledFrom reports whether a function of a package under prefix is on the
// calling goroutine's stack above package log.
func calledFrom(prefix string) bool {
	pcs := make([]uintptr, 16)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	for {
		f, more := frames.Next()
		if strings.HasPrefix(f.Function, prefix) {
			return true
		}
		// Only the direct caller of package log counts: a handler called by
		// periph may print on its own account.
		if !more || !strings.HasPrefix(f.Function, "log.") && !strings.HasPrefix(f.Function, "pithings/hw/pi.") {
			return false
		}
	}
}
