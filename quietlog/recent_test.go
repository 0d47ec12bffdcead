package quietlog

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestRecent(t *testing.T) {
	var out bytes.Buffer
	limited, end := Limit(slog.New(slog.NewTextHandler(&out, nil)))
	defer end()
	r := new(Recent)
	log := r.Below(limited)
	log.Info("before")
	if len(r.Lines()) != 0 {
		t.Errorf("kept although it is off: %+v", r.Lines())
	}
	r.Keep(true)
	log.With("thing", "TG_MS").WithGroup("g").Warn("pin lost", "pin", 17)
	log.Debug("below the level")
	if got := r.Lines(); len(got) != 1 || !strings.Contains(got[0].String(), `level=WARN msg="pin lost" thing=TG_MS g.pin=17`) || !strings.HasPrefix(got[0].String(), "time=2") {
		t.Errorf("%+v", got)
	}
	if !strings.Contains(out.String(), "before") || !strings.Contains(out.String(), "pin lost") {
		t.Errorf("the log itself has\n%s", &out)
	}
	// What the log holds back is not kept either.
	for range 100 {
		log.Error("again")
	}
	if n := len(r.Lines()); n > 15 {
		t.Errorf("%d lines are kept of those that are too many", n)
	}
	r.Keep(false)
	if len(r.Lines()) != 0 {
		t.Error("lines stay when it is switched off")
	}
}

// What is hidden is so before a line is cut, and stays so when something else is hidden.
func TestRecentHides(t *testing.T) {
	r := new(Recent)
	r.Keep(true)
	hide := func(secret string) {
		r.Hide(func(line string) string { return strings.ReplaceAll(line, secret, "[secret]") })
	}
	log := r.Below(slog.New(slog.NewTextHandler(new(bytes.Buffer), nil)))
	hide("old-password")
	for n := range maxRecentText {
		log.Info(strings.Repeat("x", n) + " old-password")
		if lines := r.Lines(); strings.Contains(lines[len(lines)-1].Message, " o") {
			t.Fatalf("%+v", lines[len(lines)-1])
		}
	}
	hide("new-password")
	log.Info("old-password is none any more")
	lines := r.Lines()
	if l := lines[len(lines)-1]; !strings.Contains(l.Message, "old-password is none") {
		t.Errorf("%+v", l)
	}
	if strings.Contains(fmt.Sprint(lines[:len(lines)-1]), "old") {
		t.Error("earlier lines show what was hidden")
	}
}

// Whatever is logged, the newest lines are kept and the memory is bounded.
func TestRecentIsBounded(t *testing.T) {
	r := new(Recent)
	r.Keep(true)
	log := r.Below(slog.New(slog.DiscardHandler))
	if log.Enabled(t.Context(), slog.LevelError) {
		t.Fatal("a log that discards all does not")
	}
	log = r.Below(slog.New(slog.NewTextHandler(new(bytes.Buffer), nil)))
	for i := range 500 {
		log.Info(fmt.Sprint("line ", i), "text", strings.Repeat("ü", i*7))
	}
	lines := r.Lines()
	n := 0
	for _, l := range lines {
		n += l.size()
		if len(l.Attrs) > maxRecentText+len("…") {
			t.Errorf("a line has %d bytes", len(l.Attrs))
		}
	}
	if n > maxRecent || n < maxRecent-2*maxRecentText || lines[len(lines)-1].Message != "line 499" || lines[len(lines)-1].N != 500 {
		t.Errorf("%d bytes, the last line is %+v", n, lines[len(lines)-1])
	}
}
