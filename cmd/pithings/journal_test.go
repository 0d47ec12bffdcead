//go:build unix

package main

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// stream returns a stream as systemd makes it for a service, and $JOURNAL_STREAM for it.
func stream(t *testing.T) (f *os.File, variable string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "journal")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if f, err = c.(*net.UnixConn).File(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	st := info.Sys().(*syscall.Stat_t)
	return f, fmt.Sprintf("%d:%d", st.Dev, st.Ino)
}

// journald took every line for "info": `journalctl -p warning` showed none of ours.
func TestLinesInTheJournalHaveTheirPriority(t *testing.T) {
	journal, variable := stream(t)
	stderr := os.Stderr
	defer func() { os.Stderr = stderr }()
	os.Stderr = journal
	for variable, want := range map[string][]string{
		variable: {`<7>level=DEBUG msg=a b=c`, `<6>level=INFO msg=a b=c`, `<4>level=WARN msg=a b=c`, `<3>level=ERROR msg=a b=c`},
		"1:1":    {`time=`, `time=`, `time=`, `time=`},
	} {
		t.Setenv("JOURNAL_STREAM", variable)
		var out strings.Builder
		log := newLog(&out, slog.LevelDebug, false).With("b", "c")
		for _, l := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
			log.Log(t.Context(), l, "a")
		}
		lines := strings.Split(out.String(), "\n")
		for i, w := range want {
			if !strings.HasPrefix(lines[i], w) {
				t.Errorf("JOURNAL_STREAM=%s: %q, want %q", variable, lines[i], w)
			}
		}
	}
	var out strings.Builder
	t.Setenv("JOURNAL_STREAM", "")
	newLog(&out, slog.LevelInfo, true).Warn("a", "b", 1)
	if got := out.String(); !strings.HasPrefix(got, `{"time":"2`) || !strings.HasSuffix(got, `"level":"WARN","msg":"a","b":1}`+"\n") {
		t.Errorf("JSON: %s", got)
	}
}

// TestTranscriptIsOffInTheJournal, and nowhere else: a terminal that systemd started has
// both variables, too, and so has a pipe in a service.
func TestTranscriptIsOffInTheJournal(t *testing.T) {
	journal, variable := stream(t)
	second, _ := stream(t)
	r, pipe, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer pipe.Close()
	yes, no := optional{said: true, value: true}, optional{said: true}
	for name, c := range map[string]struct {
		stdout, stderr       *os.File
		invocation, variable string
		flag                 optional
		want                 bool
	}{
		"service":                          {journal, journal, "1", variable, optional{}, false},
		"service, two streams":             {second, journal, "1", variable, optional{}, false},
		"service, --transcript":            {journal, journal, "1", variable, yes, true},
		"service, output to a pipe":        {pipe, journal, "1", variable, optional{}, true},
		"in a terminal of the desktop":     {pipe, pipe, "1", variable, optional{}, true},
		"by hand":                          {pipe, pipe, "", "", optional{}, true},
		"by hand, --transcript=false":      {pipe, pipe, "", "", no, false},
		"no service (systemd-cat, logger)": {journal, journal, "", variable, optional{}, true},
		"another journal stream":           {journal, journal, "1", "1:1", optional{}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("INVOCATION_ID", c.invocation)
			t.Setenv("JOURNAL_STREAM", c.variable)
			stdout, stderr := os.Stdout, os.Stderr
			defer func() { os.Stdout, os.Stderr = stdout, stderr }()
			os.Stdout, os.Stderr = c.stdout, c.stderr
			if got := c.flag.asked(!service()); got != c.want {
				t.Errorf("%v", got)
			}
		})
	}
}
