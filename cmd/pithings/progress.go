package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"pithings/spool/pub"
)

// progress shows how far a drain or a replay has come: on a terminal in one line that is
// written again, elsewhere in a line every ten seconds. What else is written there goes
// through it, and takes the place of that line.
type progress struct {
	w        io.Writer
	terminal bool

	mu    sync.Mutex
	shown time.Time
	dirty bool // the terminal's line has not been ended
}

func newProgress(w io.Writer) *progress {
	p := &progress{w: w}
	if f, ok := w.(*os.File); ok {
		if st, err := f.Stat(); err == nil {
			p.terminal = st.Mode()&os.ModeCharDevice != 0
		}
	}
	return p
}

// Write implements io.Writer for whole lines.
func (p *progress) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dirty {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.dirty = false
	}
	return p.w.Write(b)
}

func (p *progress) show(now pub.Progress) { p.line(progressLine(now)) }

// line shows a line, as often as that is of use.
func (p *progress) line(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.terminal && time.Since(p.shown) < 10*time.Second {
		return
	}
	p.shown = time.Now()
	if p.terminal {
		fmt.Fprintf(p.w, "\r\x1b[K%.100s", line)
		p.dirty = true
		return
	}
	fmt.Fprintln(p.w, line)
}

// progressLine is how far it has come, in words.
func progressLine(p pub.Progress) string {
	line := fmt.Sprintf("%d messages wait, %d delivered", p.Left, p.Delivered)
	rate := float64(p.Delivered) / max(p.Since.Seconds(), 0.001)
	switch {
	case p.Trouble != "":
		line += ": " + p.Trouble
	case p.Delivered > 0 && p.Left > 0:
		line += fmt.Sprintf(" (%d %%), %.0f/s, %v left", 100*p.Delivered/(p.Delivered+p.Left), rate,
			time.Duration(float64(p.Left)/rate*float64(time.Second)).Round(time.Second))
	}
	return line
}

func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dirty {
		fmt.Fprintln(p.w)
	}
}
