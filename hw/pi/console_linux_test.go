package pi

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// fakeTerminal is a virtual terminal that allows some things and not others.
type fakeTerminal struct {
	text                 bytes.Buffer
	kd                   int
	noMode, noWrite      bool
	elsewhere            bool
	opened, closed, sets int
}

func (f *fakeTerminal) String() string     { return "/dev/tty1" }
func (f *fakeTerminal) Close() error       { f.closed++; return nil }
func (f *fakeTerminal) mode() (int, error) { return f.kd, nil }
func (f *fakeTerminal) shownOn(int) bool   { return !f.elsewhere }
func (f *fakeTerminal) setMode(m int) error {
	if f.noMode {
		return unix.EPERM
	}
	f.kd = m
	f.sets++
	return nil
}
func (f *fakeTerminal) Write(p []byte) (int, error) {
	if f.noWrite {
		return 0, unix.EIO
	}
	return f.text.Write(p)
}

func testConsole(f *fakeTerminal) (*console, *bytes.Buffer) {
	var text bytes.Buffer
	c := &console{log: slog.New(slog.NewTextHandler(&text, nil)), tty: func() (terminal, error) {
		if f == nil {
			return nil, errors.New("open /dev/tty1: permission denied")
		}
		f.opened++
		return f, nil
	}}
	return c, &text
}

func TestTheConsoleIsTakenAndGivenBack(t *testing.T) {
	f := &fakeTerminal{}
	c, text := testConsole(f)
	first, second := c.take(0), c.take(0)
	if f.kd != kdGraphics || f.opened != 1 {
		t.Errorf("mode %d, opened %d times", f.kd, f.opened)
	}
	first()
	first() // twice
	if f.kd != kdGraphics {
		t.Error("the console came back under a second screen")
	}
	second()
	if f.kd != kdText || f.closed != 1 || text.Len() != 0 {
		t.Errorf("mode %d, closed %d times, log %q", f.kd, f.closed, text)
	}
	c.take(0)()
	if f.kd != kdText || f.sets != 4 {
		t.Errorf("the console cannot be taken again: mode %d", f.kd)
	}
}

func TestATerminalThatMayOnlyBeWrittenTo(t *testing.T) {
	f := &fakeTerminal{noMode: true}
	c, text := testConsole(f)
	give := c.take(0)
	if got := f.written(); got != "\x1b[?25l\x1b[9;0]" {
		t.Errorf("wrote %q", got)
	}
	f.text.Reset()
	give()
	if got := f.written(); !strings.Contains(got, "\x1b[?25h") || f.closed != 1 {
		t.Errorf("gave back with %q", got)
	}
	c.take(0)()
	if n := strings.Count(text.String(), "TTYPath=/dev/tty1"); n != 1 {
		t.Errorf("said how to hand the terminal over %d times: %s", n, text)
	}
}

// written is what was written; String is the terminal's name.
func (f *fakeTerminal) written() string { return f.text.String() }

func TestNoTerminalAtAll(t *testing.T) {
	for name, f := range map[string]*fakeTerminal{"none can be opened": nil, "nothing allowed": {noMode: true, noWrite: true}} {
		t.Run(name, func(t *testing.T) {
			c, text := testConsole(f)
			c.take(0)()
			c.take(0)()
			if n := strings.Count(text.String(), "\n"); n != 1 || !strings.Contains(text.String(), "StandardInput=tty") {
				t.Errorf("%d lines, want one that says what to do: %s", n, text)
			}
		})
	}
}

func TestSomebodyElsesGraphics(t *testing.T) {
	f := &fakeTerminal{kd: kdGraphics}
	c, text := testConsole(f)
	c.take(0)()
	if f.sets != 0 || f.closed != 1 || !strings.Contains(text.String(), "graphics mode already") {
		t.Errorf("set %d times, closed %d times: %s", f.sets, f.closed, text)
	}
}

func TestAConsoleOnAnotherScreenStays(t *testing.T) {
	f := &fakeTerminal{elsewhere: true}
	c, text := testConsole(f)
	give := c.take(1)
	if f.sets != 0 || f.text.Len() != 0 || text.Len() != 0 || f.closed != 1 {
		t.Error("the console was touched")
	}
	f.elsewhere = false
	other := c.take(0)
	give()
	if f.kd != kdGraphics {
		t.Error("a screen without the console gave it back")
	}
	other()
	if f.kd != kdText {
		t.Error("the console was not given back")
	}
}

func TestBlankMinutes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "consoleblank")
	for text, want := range map[string]int{"0\n": 0, "600\n": 10, "61\n": 2, "99999999\n": 60, "-1\n": 0, "x": 0} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := blankMinutes(file); got != want {
			t.Errorf("%q is %d minutes, want %d", text, got, want)
		}
	}
	if got := blankMinutes(file + "x"); got != 0 {
		t.Errorf("no file is %d minutes", got)
	}
}
