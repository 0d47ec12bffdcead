// Package hwtest is the suite that every implementation of [hw.Board] has to
// pass. It holds the implementation to the comments in package hw.
//
// It runs against the simulated board in unit tests, and against real device
// nodes on a machine whose devices can be stimulated (gpio-sim, an I²C adapter
// with a BME680 on it, vivid or v4l2loopback, a framebuffer):
//
//	func TestBoard(t *testing.T) {
//		hwtest.Run(t, hwtest.Harness{
//			Open: func(t *testing.T) hw.Board { return board },
//			Pin:  &hwtest.Pin{Name: "GPIO17", Set: pull},
//			Bus:  &hwtest.Bus{Name: "1", Address: 0x76, ChipID: 0x61},
//		})
//	}
//
// What a harness cannot do is skipped, with the reason.
package hwtest

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pithings/hw"
)

// Harness tells the suite where it runs.
type Harness struct {
	// Open gives the board. It is called once in each test, and may always give
	// the same; what it makes, it closes by t.Cleanup.
	Open func(t *testing.T) hw.Board
	// The parts to test; those that are nil are skipped.
	Pin         *Pin
	Bus         *Bus
	Video       *Video
	Framebuffer *Framebuffer
	// Patience is how long the hardware may take for what it does at once, 5 s
	// when zero. Nothing fails for being slower than usual, only for this.
	Patience time.Duration
	// Around, when set, runs each test, for example in a bubble of
	// testing/synctest.
	Around func(t *testing.T, test func(t *testing.T))
	// NoFiles says that device names are not file names here, so that a name
	// cannot be that of a regular file.
	NoFiles bool
}

// Run runs the whole suite.
func Run(t *testing.T, h Harness) {
	if h.Patience == 0 {
		h.Patience = 5 * time.Second
	}
	if h.Around == nil {
		h.Around = func(t *testing.T, test func(t *testing.T)) { test(t) }
	}
	h.test(t, "Board", func(t *testing.T, b hw.Board) {
		if s := b.String(); s == "" || strings.Contains(s, "\n") {
			t.Errorf("String() = %q, want a name for a log line", s)
		}
	})
	t.Run("Pin", func(t *testing.T) {
		skipUnless(t, h.Pin != nil, "no pin to test")
		h.pin(t, *h.Pin)
	})
	t.Run("Bus", func(t *testing.T) {
		skipUnless(t, h.Bus != nil, "no bus to test")
		h.bus(t, *h.Bus)
	})
	t.Run("Video", func(t *testing.T) {
		skipUnless(t, h.Video != nil, "no video device to test")
		h.video(t, *h.Video)
	})
	t.Run("Framebuffer", func(t *testing.T) {
		skipUnless(t, h.Framebuffer != nil, "no framebuffer to test")
		h.framebuffer(t, *h.Framebuffer)
	})
}

// test runs one test with a board.
func (h Harness) test(t *testing.T, name string, f func(t *testing.T, b hw.Board)) {
	t.Run(name, func(t *testing.T) {
		h.Around(t, func(t *testing.T) { f(t, h.Open(t)) })
	})
}

func skipUnless(t *testing.T, can bool, reason string) {
	t.Helper()
	if !can {
		t.Skip("skipped: " + reason)
	}
}

// opener opens a part and closes it again, when it could be opened.
type opener func(name string) (release func(), err error)

// names tests what all parts promise about the names they are opened by.
// missing is a name that does not exist now.
func (h Harness) names(t *testing.T, missing string, open func(b hw.Board) opener) {
	h.test(t, "unknown name", func(t *testing.T, b hw.Board) {
		skipUnless(t, missing != "", "the harness knows no missing name")
		release, err := open(b)(missing)
		if err == nil {
			release()
		}
		refused(t, err, hw.ErrNotFound, missing)
	})
	h.test(t, "empty name", func(t *testing.T, b hw.Board) {
		if release, err := open(b)(""); err == nil {
			release()
			t.Error("a part without a name was opened")
		}
	})
	h.test(t, "regular file", func(t *testing.T, b hw.Board) {
		skipUnless(t, !h.NoFiles, "names are not files here")
		file := filepath.Join(t.TempDir(), "not-a-device")
		if err := os.WriteFile(file, []byte("text\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		release, err := open(b)(file)
		if err == nil {
			release()
		}
		refused(t, err, nil, file)
	})
}

// refused checks an error that a user will see: of the kind want (any when
// nil), in one line that names the part.
func refused(t *testing.T, err, want error, name string) {
	t.Helper()
	switch {
	case err == nil:
		t.Errorf("%s was opened, want an error", name)
	case want != nil && !errors.Is(err, want):
		t.Errorf("%s: error %q, want one that is %q", name, err, want)
	case !strings.Contains(err.Error(), name):
		t.Errorf("the error %q does not name %s", err, name)
	case strings.Contains(strings.TrimSpace(err.Error()), "\n"):
		t.Errorf("the error %q has several lines", err)
	}
}

// eventually waits until a condition holds.
func (h Harness) eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(h.Patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, h.Patience)
		}
	}
}

// within waits for a channel to close.
func (h Harness) within(t *testing.T, what string, done <-chan struct{}) {
	t.Helper()
	timer := time.NewTimer(h.Patience)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		t.Fatalf("%s: not within %v", what, h.Patience)
	}
}
