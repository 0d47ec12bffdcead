//go:build linux

package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"time"

	"pithings/hw/mock"
)

// Reports of the CP2112 (AN495, table 4).
const (
	reportGPIO        = 0x02
	reportGPIOLevels  = 0x03
	reportGPIOSet     = 0x04
	reportVersion     = 0x05
	reportConfig      = 0x06
	reportRead        = 0x10
	reportWriteRead   = 0x11
	reportForceSend   = 0x12
	reportData        = 0x13
	reportWrite       = 0x14
	reportStatusWant  = 0x15
	reportStatus      = 0x16
	reportCancel      = 0x17
	reportLock        = 0x20
	statusComplete    = 2
	statusError       = 3
	statusNACK        = 0
	statusSucceeded   = 5
	maxDataPerReport  = 61
	maxReport         = 64
	deviceVersion     = 2 // the driver allows a repeated start from 2 on
	devicePart        = 0x0C
	vendorSiliconLabs = 0x10C4
	productCP2112     = 0xEA90
)

// descriptor is the HID report descriptor: the reports' numbers, kinds and
// lengths. HID drops input reports that are not declared.
func descriptor() []byte {
	// Usage page 0xFF00, usage 1, collection, bytes of 0 to 255.
	d := []byte{0x06, 0x00, 0xFF, 0x09, 0x01, 0xA1, 0x01, 0x15, 0x00, 0x26, 0xFF, 0x00, 0x75, 0x08}
	add := func(kind byte, length byte, ids ...byte) {
		for _, id := range ids {
			d = append(d, 0x85, id, 0x95, length, 0x09, 0x01, kind, 0x02)
		}
	}
	const input, output, feature = 0x81, 0x91, 0xB1
	add(input, maxReport-1, reportData, reportStatus)
	add(output, maxReport-1, reportRead, reportWriteRead, reportForceSend, reportWrite, reportStatusWant, reportCancel)
	add(feature, 4, reportGPIO)
	add(feature, 1, reportGPIOLevels)
	add(feature, 2, reportGPIOSet, reportVersion, reportLock)
	add(feature, 13, reportConfig)
	return append(d, 0xC0)
}

// bridge is the CP2112 with the sensor behind it.
type bridge struct {
	address atomic.Uint32
	sensor  *mock.BME680
	chips   *chips
	hang    atomic.Bool

	dev  *uhid  // nil while removed
	last string // the adapter that it was when it was removed

	// Of the transfer under way; only the device's goroutine uses them.
	config  [14]byte
	waiting []byte // read from the sensor, not yet sent
	status  [2]byte
}

func (b *bridge) add() error {
	if b.dev != nil {
		return errors.New("the bridge is there already")
	}
	b.config = [14]byte{reportConfig, 0, 1, 0x86, 0xA0, 2} // 100 kHz, own address 2
	dev, err := createUHID("Silicon Labs CP2112 (emulated)", vendorSiliconLabs, productCP2112, descriptor(), b)
	b.dev = dev
	return err
}

// addElsewhere adds the bridge under another adapter number than before: where
// it would get the same, another bridge takes that meanwhile.
func (b *bridge) addElsewhere() error {
	last := b.last
	if err := errors.Join(b.add(), waitAdapters(1)); err != nil || adapter() != last {
		return err
	}
	if err := b.remove(); err != nil {
		return err
	}
	other := &bridge{chips: newChips()}
	if err := errors.Join(other.add(), waitAdapters(1)); err != nil {
		return err
	}
	defer other.remove()
	return errors.Join(b.add(), waitAdapters(2))
}

const adapters = "/sys/bus/hid/drivers/cp2112/*/i2c-*"

// adapter is the name of our only adapter, "i2c-1".
func adapter() string {
	found, _ := filepath.Glob(adapters)
	if len(found) == 0 {
		return ""
	}
	return filepath.Base(found[0])
}

// waitAdapters waits for the kernel to have registered n adapters of ours.
func waitAdapters(n int) error {
	for range 500 {
		if found, _ := filepath.Glob(adapters); len(found) >= n {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return fmt.Errorf("the kernel has registered fewer than %d adapters", n)
}

// remove returns when the kernel has removed the adapter, which it does when
// the last user has closed it.
func (b *bridge) remove() error {
	if b.dev == nil {
		return errors.New("the bridge is not there")
	}
	b.last = adapter()
	dev := b.dev
	b.dev = nil
	return dev.close()
}

// getReport implements device: a feature report that the driver reads.
func (b *bridge) getReport(id byte) []byte {
	switch id {
	case reportGPIO: // all lines inputs, push-pull, no special function
		return []byte{reportGPIO, 0, 0xFF, 0, 0}
	case reportGPIOLevels:
		return []byte{reportGPIOLevels, 0}
	case reportVersion:
		return []byte{reportVersion, devicePart, deviceVersion}
	case reportConfig:
		return b.config[:]
	case reportLock: // nothing is locked
		return []byte{reportLock, 0xFF, 0xFF}
	}
	return nil
}

// setReport implements device: a feature report that the driver writes.
func (b *bridge) setReport(id byte, report []byte) {
	if id == reportConfig {
		copy(b.config[:], report)
	}
}

// output implements device: a request of the driver. replies are input reports.
func (b *bridge) output(report []byte) (replies [][]byte) {
	if b.hang.Load() {
		return nil
	}
	r := make([]byte, maxReport) // the driver sends as many bytes as it needs
	copy(r, report)
	switch r[0] {
	case reportRead: // address, length
		b.transfer(r[1], nil, int(binary.BigEndian.Uint16(r[2:])))
	case reportWriteRead: // address, length, length of the register, register
		b.transfer(r[1], part(r, 5, r[4]), int(binary.BigEndian.Uint16(r[2:])))
	case reportWrite: // address, length, data
		b.transfer(r[1], part(r, 3, r[2]), 0)
	case reportStatusWant:
		n := len(b.waiting)
		return [][]byte{{reportStatus, b.status[0], b.status[1], 0, 0, byte(n >> 8), byte(n)}}
	case reportForceSend:
		n := min(int(binary.BigEndian.Uint16(r[1:])), len(b.waiting), maxDataPerReport)
		reply := append([]byte{reportData, b.status[0], byte(n)}, b.waiting[:n]...)
		b.waiting = b.waiting[n:]
		return [][]byte{reply}
	case reportCancel:
		b.waiting = nil
	}
	return nil
}

func part(r []byte, from int, length byte) []byte {
	return r[min(from, len(r)):min(from+int(length), len(r))]
}

// transfer is one I²C transfer; write and read are joined by a repeated start.
func (b *bridge) transfer(address byte, w []byte, n int) {
	b.waiting = nil
	b.status = [2]byte{statusError, statusNACK}
	if uint32(address>>1) != b.address.Load() {
		read := make([]byte, n)
		if b.chips.transfer(address>>1, w, read) {
			b.waiting = read
			b.status = [2]byte{statusComplete, statusSucceeded}
		}
		return
	}
	if len(w) > 0 && b.sensor.Write(w) != nil {
		return
	}
	if n > 0 {
		read := make([]byte, n)
		if b.sensor.Read(read) != nil {
			return
		}
		b.waiting = read
	}
	b.status = [2]byte{statusComplete, statusSucceeded}
}
