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
	"image"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"periph.io/x/conn/v3/gpio"

	"pithings/hw"
)

// Harness is where the suite runs.
type Harness struct {
	// Open gives the board. It is called once in each test, and may always give
	// the same; what it makes, it closes by t.Cleanup.
	Open func(t *testing.T) hw.Board
	// The parts to test; those that are nil are skipped.
	Pin         *Pin
	Output      *Output
	Bus         *Bus
	Serial      *Serial
	Video       *Video
	Framebuffer *Framebuffer
	Sysfs       *Sysfs
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

// Pin is a digital input line to test.
type Pin struct {
	// Name is what OpenPin takes. No other program may have the line.
	Name string
	// Missing is the name of a line that does not exist; "" skips that test.
	Missing string
	// Set drives the line from outside; it returns when the line has the level.
	// nil skips the tests of levels and edges.
	Set func(t *testing.T, l gpio.Level)
	// Float leaves the line to its pull; it has a pull-up and a pull-down. nil skips
	// the test of pulls.
	Float func(t *testing.T)
	// Hold lets another program have the line until release is called. nil
	// skips that test.
	Hold func(t *testing.T) (release func())
}

// Output is a digital line to test as an output.
type Output struct {
	// Name is what OpenOutput takes. No other program may have the line.
	Name string
	// Missing is the name of a line that does not exist; "" skips that test.
	Missing string
	// Level looks at the line from outside. nil skips the tests of levels; what
	// Value reads is tested all the same.
	Level func(t *testing.T) gpio.Level
	// Rest gives the line a level while it is not in use. nil skips the tests of
	// StartKeep.
	Rest func(t *testing.T, l gpio.Level)
	// Hold lets another program have the line until release is called. nil
	// skips that test.
	Hold func(t *testing.T) (release func())
}

// Bus is an I²C bus to test, with a BME680 or BME688 on it.
type Bus struct {
	// Name is what OpenBus takes.
	Name string
	// Missing is the name of a bus that does not exist; "" skips that test.
	Missing string
	// Address of the sensor.
	Address uint16
	// ChipID is what register 0xD0 of the sensor holds (0x61).
	ChipID byte
	// Static says that the sensor is a memory with a BME680's registers, which
	// does not measure.
	Static bool
	// Empty is an address at which no device answers; 0 skips that test.
	Empty uint16
	// NACK lets all transfers fail until heal is called. nil skips that test.
	NACK func(t *testing.T) (heal func())
	// Hang lets the bus hang until heal is called. nil skips that test.
	Hang func(t *testing.T) (heal func())
}

// Video is a video capture device to test. It must deliver frames.
type Video struct {
	// Device is what OpenVideo takes. No other program may have it.
	Device string
	// Missing is the name of a device that does not exist; "" skips that test.
	Missing string
	// Refused is a device that offers no capture format (a metadata node, a
	// codec); "" skips that test.
	Refused string
	// Shared says that several programs may stream from it at once. Then no program keeps its
	// source from a buffer that one of them reads, and a frame may be torn.
	Shared bool
	// Hold lets another program stream from the device until release is called.
	// nil skips that test.
	Hold func(t *testing.T) (release func())
	// Stall stops the frames from coming, without an error, until resume is
	// called. nil skips that test.
	Stall func(t *testing.T) (resume func())
	// Unplug takes the device away and replug brings it back. nil skips that
	// test.
	Unplug func(t *testing.T) (replug func())
}

// Framebuffer is a screen to test.
type Framebuffer struct {
	// Device is what OpenFramebuffer takes.
	Device string
	// Missing is the name of a device that does not exist; "" skips that test.
	Missing string
	// Geometry, when not zero, is what the screen must say of itself.
	Geometry hw.Geometry
	// Screenshot, when set, is what the screen shows now.
	Screenshot func(t *testing.T) image.Image
	// Vanish takes the screen away and bring brings it back. nil skips that
	// test.
	Vanish func(t *testing.T) (bring func())
}

// test runs one test with a board.
func (h Harness) test(t *testing.T, name string, f func(t *testing.T, b hw.Board)) {
	t.Run(name, func(t *testing.T) {
		h.Around(t, func(t *testing.T) { f(t, h.Open(t)) })
	})
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
