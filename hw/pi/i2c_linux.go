package pi

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/host/v3/sysfs"

	"pithings/hw"
)

const (
	i2cFuncs   = 0x0705 // I2C_FUNCS, linux/i2c-dev.h
	i2cFuncI2C = 0x1    // I2C_FUNC_I2C, linux/i2c.h: plain messages
	i2cMaxSize = 8192   // of one message, drivers/i2c/i2c-dev.c

	i2cMissing = "there is no such I²C bus; switch I²C on with `sudo raspi-config nonint do_i2c 0` (or dtparam=i2c_arm=on in config.txt and the module i2c-dev), then look with `ls /dev/i2c-*`"
)

// OpenBus implements [hw.Board].
func (b *Board) OpenBus(name string) (i2c.BusCloser, error) {
	n, err := findBus("/sys", name)
	if err != nil {
		return nil, err
	}
	node := fmt.Sprintf("/dev/i2c-%d", n)
	if err := checkBus(node); err != nil {
		return nil, err
	}
	// Straight to the number: periph's registry knows only the adapters that
	// were there at the program's start.
	dev, err := sysfs.NewI2C(n)
	if err != nil {
		return nil, openError(node, err, i2cMissing)
	}
	return &bus{
		node: node, number: n, name: adapterName("/sys", n), entry: adapterEntry("/sys", n),
		dev: dev, turn: b.turn(n),
	}, nil
}

// turn returns the lock that lets one transaction at a time on the adapter.
func (b *Board) turn(n int) *sync.Mutex {
	b.buses.Lock()
	defer b.buses.Unlock()
	if b.busyOn[n] == nil {
		b.busyOn[n] = new(sync.Mutex)
	}
	return b.busyOn[n]
}

// checkBus opens the node once to explain what periph would only report as text.
func checkBus(node string) error {
	f, _, err := openAdapter(node)
	if err != nil {
		return err
	}
	return f.Close()
}

// openAdapter opens the node of an I²C adapter, and returns what the adapter can do
// (I2C_FUNC_…).
func openAdapter(node string) (f *os.File, funcs uintptr, err error) {
	f, err = os.OpenFile(node, os.O_RDWR, 0)
	if err != nil {
		return nil, 0, openError(node, err, i2cMissing)
	}
	switch cause := ioctl(int(f.Fd()), i2cFuncs, unsafe.Pointer(&funcs)); {
	case cause != nil:
		err = because(hw.ErrUnsupported, cause, node, "this is not an I²C adapter")
	case funcs&i2cFuncI2C == 0:
		err = because(hw.ErrUnsupported, nil, node, "the adapter speaks SMBus only")
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, funcs, nil
}

// findBus returns the number of the adapter called name: "1", "i2c-1",
// "/dev/i2c-1", a link to that, or the adapter's own name or its first words.
func findBus(sys, name string) (int, error) {
	title := fmt.Sprintf("I²C bus %.200q", name)
	node := name
	if strings.HasPrefix(name, "/") {
		if real, err := filepath.EvalSymlinks(name); err == nil {
			node = real
		}
		node = strings.TrimPrefix(node, "/dev/")
	}
	number := strings.TrimPrefix(node, "i2c-")
	if n, err := strconv.ParseUint(number, 10, 20); err == nil {
		return int(n), nil
	}
	if strings.HasPrefix(name, "/") {
		return 0, because(hw.ErrNotFound, nil, title, "an I²C device node is called /dev/i2c-N")
	}
	var exact, begun []int
	var names []string
	for _, n := range adapters(sys) {
		own := adapterName(sys, n)
		names = append(names, fmt.Sprintf("%d (%s)", n, own))
		switch {
		case own == name:
			exact = append(exact, n)
		case name != "" && strings.HasPrefix(own, name+" "):
			// USB bridges end their names with where they are plugged in.
			begun = append(begun, n)
		}
	}
	numbers := exact
	if len(numbers) == 0 {
		numbers = begun
	}
	switch {
	case len(numbers) == 1:
		return numbers[0], nil
	case len(numbers) > 1:
		return 0, because(hw.ErrNotFound, nil, title, "several adapters have that name: use one of the numbers %v", numbers)
	case len(names) == 0:
		return 0, because(hw.ErrNotFound, nil, title, "%s", i2cMissing)
	}
	return 0, because(hw.ErrNotFound, nil, title, "this machine has %s", strings.Join(names[:min(len(names), 8)], ", "))
}

// adapters lists the numbers of the adapters that have a device node.
func adapters(sys string) []int {
	entries, _ := filepath.Glob(adapterDir(sys, "*"))
	var numbers []int
	for _, e := range entries {
		if n, err := strconv.Atoi(strings.TrimPrefix(filepath.Base(e), "i2c-")); err == nil {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers
}

func adapterDir(sys, number string) string {
	return filepath.Join(sys, "class/i2c-dev/i2c-"+number)
}

func adapterName(sys string, n int) string {
	text, err := os.ReadFile(filepath.Join(adapterDir(sys, strconv.Itoa(n)), "name"))
	if err != nil {
		return "unknown adapter"
	}
	return strings.TrimSpace(string(text))
}

// adapterEntry is the place in sysfs that the adapter's entry links to, which
// differs between two adapters that had the same number one after the other
// when they are different devices. Empty when there is none.
func adapterEntry(sys string, n int) string {
	entry, err := os.Readlink(adapterDir(sys, strconv.Itoa(n)))
	if err != nil {
		return ""
	}
	return entry
}

// bus is an open adapter.
type bus struct {
	node        string // "/dev/i2c-1"
	number      int
	name, entry string      // of the adapter in sysfs
	turn        *sync.Mutex // shared by all users of this adapter
	dev         *sysfs.I2C
	closed      bool
}

var _ i2c.BusCloser = (*bus)(nil)

func (b *bus) String() string { return fmt.Sprintf("%s (%s)", b.node, b.name) }

// Tx implements i2c.Bus. An adapter that was removed gives hw.ErrGone: close
// the bus then, for the kernel cannot finish removing it before.
func (b *bus) Tx(addr uint16, w, r []byte) error {
	if len(w) > i2cMaxSize || len(r) > i2cMaxSize {
		return fmt.Errorf("%s: a transfer of %d bytes out and %d in: at most %d each way", b, len(w), len(r), i2cMaxSize)
	}
	b.turn.Lock()
	defer b.turn.Unlock()
	if b.closed {
		return fmt.Errorf("%s: %w", b, os.ErrClosed)
	}
	// periph keeps the address of its request as a number across two calls
	// (host v3.8.5, sysfs/i2c.go), so this stack must not grow, and move, there.
	growStack()
	if err := b.dev.Tx(addr, w, r); err != nil {
		return b.explain(addr, err)
	}
	return nil
}

//go:noinline
func growStack() byte {
	var room [8 << 10]byte
	return room[len(os.Args)&7]
}

func (b *bus) explain(addr uint16, err error) error {
	switch {
	case b.entry != "" && adapterEntry("/sys", b.number) != b.entry, is(err, unix.ENODEV, unix.ESHUTDOWN):
		return because(hw.ErrGone, err, b.String(), "the adapter was removed")
	case is(err, unix.ENXIO, unix.EREMOTEIO):
		return fmt.Errorf("%s: nothing answers at address %#02x (%w); check the wiring and the address", b, addr, err)
	case is(err, unix.ETIMEDOUT, unix.EAGAIN):
		return fmt.Errorf("%s: time-out talking to address %#02x (%w); look for a wire that holds SDA or SCL low, or power the chip off and on", b, addr, err)
	}
	return fmt.Errorf("%s: address %#02x: %w", b, addr, err)
}

// SetSpeed implements i2c.Bus. Linux sets the speed when the adapter's driver starts.
func (b *bus) SetSpeed(f physic.Frequency) error {
	return because(hw.ErrUnsupported, nil, b.String(), "set the speed with dtparam=i2c_arm_baudrate=%d in config.txt", int64(f/physic.Hertz))
}

// Close gives the adapter back. It may be called twice.
func (b *bus) Close() error {
	b.turn.Lock()
	defer b.turn.Unlock()
	if b.closed {
		return nil
	}
	b.closed = true
	return b.dev.Close()
}
