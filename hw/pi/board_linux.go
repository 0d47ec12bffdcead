package pi

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"runtime"
	"sync"

	"periph.io/x/conn/v3/driver/driverreg"

	"pithings/hw"
)

// Board is the real board. Use [Open].
type Board struct {
	log     *slog.Logger
	model   string
	restore func() // gives package log's output back
	console *console

	gpio sync.Mutex // one OpenPin at a time: look, then claim

	buses  sync.Mutex
	busyOn map[int]*sync.Mutex // one transaction at a time on each I²C adapter

	root func() (*hw.Folder, error) // opened once
}

var _ hw.Board = (*Board)(nil)

// Open finds the board's GPIO chips and prepares the rest. Call it once, and
// before the program opens anything else: periph's initialisation closes some
// file descriptors twice when two GPIO device nodes name one chip, as on the
// Pi, and would close another package's (see keepStdin). A machine without any
// of the parts is fine; opening a part then says what is missing.
//
// Only periph's gpioioctl and sysfs drivers are loaded, not all of
// periph.io/x/host: the others map /dev/mem when run as root, at an address
// that is wrong on a Pi 5, and nothing here needs them.
//
// log must not write through package log: periph's messages in package log are
// passed to it at debug level until Close.
func Open(log *slog.Logger) (*Board, error) {
	restoreStdin, err := keepStdin()
	if err != nil {
		return nil, err
	}
	b := &Board{
		log:     log,
		model:   model("/proc/device-tree/model"),
		restore: redirectPeriph(log),
		console: &console{log: log, tty: openConsole},
		busyOn:  map[int]*sync.Mutex{},
		root:    sync.OnceValues(func() (*hw.Folder, error) { return hw.OpenFolder("/") }),
	}
	state, err := driverreg.Init()
	if err != nil {
		err = fmt.Errorf("set up periph's drivers: %w", err)
	}
	if err := errors.Join(restoreStdin(), err); err != nil {
		b.restore()
		return nil, err
	}
	// A driver that failed is normal: no SPI, no permission for the old GPIO
	// files, no chip at all. What matters is reported when a part is opened.
	for _, f := range state.Failed {
		log.Debug("periph driver not usable", "driver", f.D.String(), "reason", f.Err)
	}
	if os.Geteuid() == 0 {
		log.Info("running as root is not needed: use a user in the groups gpio, i2c and video")
	}
	return b, nil
}

// Close gives back what the board itself holds. Parts are closed by whoever
// opened them.
func (b *Board) Close() { b.restore() }

// String names the board's model, as the firmware reports it.
func (b *Board) String() string { return b.model }

// Sysfs returns the machine's root folder.
func (b *Board) Sysfs(string) (fs.FS, error) { return b.root() }

func model(file string) string {
	text, err := os.ReadFile(file)
	if text = bytes.Trim(text, "\x00\n "); err != nil || len(text) == 0 || len(text) > 200 {
		return "Linux " + runtime.GOARCH + " machine"
	}
	return string(text)
}
