//go:build linux

package main

import (
	"bytes"
	"testing"
)

// The master's side of a search and of a measurement, as the kernel's drivers do
// them.
func TestThermometerBehindItsBridge(t *testing.T) {
	c := newChips()
	c.on = true
	do := func(w ...byte) {
		t.Helper()
		if !c.transfer(0x18, w, nil) {
			t.Fatalf("% x was refused", w)
		}
	}
	read := func() byte {
		r := make([]byte, 1)
		if !c.transfer(0x18, nil, r) {
			t.Fatal("a read was refused")
		}
		return r[0]
	}
	do(0xF0)
	if s := read(); s != 0x18 {
		t.Errorf("status %#x after a reset, want 0x18", s)
	}
	if c.transfer(0x18, []byte{0xC3, 0xF0}, nil) {
		t.Error("it has several channels")
	}
	do(0xD2, 0xE1)
	do(0xB4)
	if s := read(); s&0x02 == 0 {
		t.Errorf("status %#x: no device there", s)
	}
	do(0xA5, 0xF0)
	var rom [8]byte
	for i := range 64 {
		do(0x78, 0)
		rom[i/8] |= read() >> 7 << (i % 8)
	}
	if want := []byte{0x28, 0x5B, 0x4F, 0x79, 0xA2, 0x16, 0x03, crc8(rom[:7])}; !bytes.Equal(rom[:], want) {
		t.Errorf("found % x, want % x", rom, want)
	}
	if err := c.set("thermometer", -89); err != nil {
		t.Fatal(err)
	}
	address := func(command byte) {
		do(0xB4)
		do(0xA5, 0x55)
		for _, b := range rom {
			do(0xA5, b)
		}
		do(0xA5, command)
	}
	address(0x44)
	address(0xBE)
	var pad [9]byte
	for i := range pad {
		do(0x96)
		do(0xE1, 0xE1)
		pad[i] = read()
	}
	if raw := int16(pad[0]) | int16(pad[1])<<8; raw != -89 || crc8(pad[:8]) != pad[8] {
		t.Errorf("scratchpad % x", pad)
	}
	// From the datasheet of the DS18B20's relatives: the checksum of a known ROM.
	if crc := crc8([]byte{0x02, 0x1C, 0xB8, 0x01, 0x00, 0x00, 0x00}); crc != 0xA2 {
		t.Errorf("checksum %#x, want 0xa2 (Maxim application note 27)", crc)
	}
}
