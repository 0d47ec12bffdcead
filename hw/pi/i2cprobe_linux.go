package pi

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"pithings/hw"
)

// How a bus is searched. There is no safe way to ask any chip whether it is there;
// this is what i2cdetect of i2c-tools does, and says, by default (i2cdetect(8)):
//
//	0x08–0x2f, 0x38–0x4f, 0x60–0x77   an address for writing, and no byte ("quick")
//	0x30–0x37, 0x50–0x5f              one byte is read ("receive byte")
//
// The latter are EEPROMs and memory modules, some of which a quick write corrupts.
// Addresses that a kernel driver uses are not touched. Adapters that cannot send an
// address alone (CP2112, DesignWare without Raspberry Pi's patch) read a byte
// everywhere but at 0x69, where some clock chips lock the bus when they are read; a chip
// that does not answer a read out of the blue, as the SHT21, is not found there.
const (
	i2cSlave         = 0x0703 // I2C_SLAVE, linux/i2c-dev.h
	i2cSMBus         = 0x0720 // I2C_SMBUS
	i2cFuncQuick     = 0x00010000
	i2cFuncReadByte  = 0x00020000
	smbusWrite       = 0
	smbusRead        = 1
	smbusQuick       = 0
	smbusByte        = 1
	firstI2CAddress  = 0x08 // below and above are reserved by the specification
	lastI2CAddress   = 0x77
	clockChipAddress = 0x69
	// maxI2CTimeouts ends a search: each costs the adapter's time-out, and on a bus
	// that hangs all addresses have it. It takes that long at least: 100 ms with
	// i2c-gpio, 1 s with most. hid-cp2112 returns ETIMEDOUT at once where no chip
	// answers.
	maxI2CTimeouts = 2
	minI2CTimeout  = 50 * time.Millisecond
)

// smbusData is struct i2c_smbus_ioctl_data.
type smbusData struct {
	readWrite, command uint8
	size               uint32
	data               unsafe.Pointer // union i2c_smbus_data: 34 bytes
}

// prober asks the chip at one address of an adapter.
type prober interface {
	// choose selects the address. unix.EBUSY says that a kernel driver uses it.
	choose(address uint16) error
	quick() error
	readByte() error
}

// busPart describes the adapter n and searches it.
func (b *Board) busPart(ctx context.Context, n int) hw.I2CBus {
	number := strconv.Itoa(n)
	p := hw.I2CBus{Node: "/dev/i2c-" + number, Open: number, Adapter: adapterName("/sys", n)}
	f, funcs, err := openAdapter(p.Node)
	if err != nil {
		p.Err = err
		return p
	}
	defer f.Close()
	p.Devices, p.Err = search(ctx, funcs, smbus{int(f.Fd()), b.turn(n)})
	if p.Err != nil {
		p.Err = fmt.Errorf("%s: %w", p.Node, p.Err)
	}
	for i, d := range p.Devices {
		if d.Driver != "" {
			p.Devices[i].Driver, p.Devices[i].Name = kernelDevice("/sys", n, d.Address)
		}
	}
	return p
}

// search asks at all addresses, until ctx ends or the bus hangs. Devices that a kernel
// driver uses have some Driver.
func search(ctx context.Context, funcs uintptr, bus prober) (devices []hw.I2CDevice, err error) {
	timeouts := 0
	for address := uint16(firstI2CAddress); address <= lastI2CAddress; address++ {
		if ctx.Err() != nil {
			return devices, fmt.Errorf("searched up to %#02x only: %w", address, context.Cause(ctx))
		}
		ask := question(funcs, bus, address)
		if ask == nil {
			continue
		}
		begun := time.Now()
		err := bus.choose(address)
		if is(err, unix.EBUSY) {
			devices = append(devices, hw.I2CDevice{Address: address, Driver: "kernel"})
			continue
		}
		if err == nil {
			err = ask()
		}
		switch {
		case err == nil:
			devices = append(devices, hw.I2CDevice{Address: address})
		case is(err, unix.ENODEV, unix.ESHUTDOWN):
			return devices, fmt.Errorf("searched up to %#02x only: %w", address, errors.Join(hw.ErrGone, err))
		case is(err, unix.EAGAIN), is(err, unix.ETIMEDOUT) && time.Since(begun) >= minI2CTimeout:
			if timeouts++; timeouts == maxI2CTimeouts {
				return devices, fmt.Errorf("searched up to %#02x only: time-outs (%w); look for a wire that holds SDA or SCL low", address, err)
			}
		}
	}
	return devices, nil
}

// question returns how to ask at an address; nil when the adapter knows no safe way.
func question(funcs uintptr, bus prober, address uint16) func() error {
	quick, read := funcs&i2cFuncQuick != 0, funcs&i2cFuncReadByte != 0
	memory := address >= 0x30 && address <= 0x37 || address >= 0x50 && address <= 0x5f
	switch {
	case quick && !memory:
		return bus.quick
	case read && address != clockChipAddress:
		return bus.readByte
	}
	return nil
}

// smbus is the prober of an open adapter.
type smbus struct {
	fd   int
	turn *sync.Mutex // shared by all users of this adapter in the process
}

func (s smbus) choose(address uint16) error {
	return ioctlValue(s.fd, i2cSlave, uintptr(address))
}

func (s smbus) quick() error {
	return s.transfer(smbusData{readWrite: smbusWrite, size: smbusQuick})
}

func (s smbus) readByte() error {
	return s.transfer(smbusData{readWrite: smbusRead, size: smbusByte})
}

func (s smbus) transfer(d smbusData) error {
	s.turn.Lock()
	defer s.turn.Unlock()
	d.data = unsafe.Pointer(new([34]byte))
	return ioctl(s.fd, i2cSMBus, unsafe.Pointer(&d))
}

// kernelDevice names the driver at an address of the adapter n, and the chip as the
// kernel calls it.
func kernelDevice(sys string, n int, address uint16) (driver, name string) {
	dir := filepath.Join(sys, "bus/i2c/devices", fmt.Sprintf("%d-%04x", n, address))
	text, _ := os.ReadFile(filepath.Join(dir, "name"))
	driver = "kernel" // a driver that claims more addresses than its own
	if link, err := os.Readlink(filepath.Join(dir, "driver")); err == nil {
		driver = filepath.Base(link)
	}
	return driver, strings.TrimSpace(string(text))
}
