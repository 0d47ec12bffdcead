package hwtest

import (
	"bytes"
	"sync"
	"testing"
	"time"

	"periph.io/x/conn/v3/i2c"

	"pithings/hw"
)

func (h Harness) bus(t *testing.T, p Bus) {
	open := func(t *testing.T, b hw.Board) i2c.BusCloser {
		t.Helper()
		bus, err := b.OpenBus(p.Name)
		if err != nil {
			t.Fatal(err)
		}
		var once sync.Once
		t.Cleanup(func() { once.Do(func() { _ = bus.Close() }) })
		return bus
	}
	tx := func(t *testing.T, bus i2c.Bus, w []byte, n int) []byte {
		t.Helper()
		r := make([]byte, n)
		if err := bus.Tx(p.Address, w, r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	works := func(t *testing.T, bus i2c.Bus) {
		t.Helper()
		if id := tx(t, bus, []byte{0xD0}, 1)[0]; id != p.ChipID {
			t.Errorf("chip id %#x, want %#x", id, p.ChipID)
		}
	}

	h.names(t, p.Missing, func(b hw.Board) opener {
		return func(name string) (func(), error) {
			bus, err := b.OpenBus(name)
			return func() { _ = bus.Close() }, err
		}
	})

	h.test(t, "write and read in one transfer", func(t *testing.T, b hw.Board) {
		bus := open(t, b)
		for range 5 {
			works(t, bus)
		}
		if bus.String() == "" {
			t.Error("the bus has no name")
		}
	})

	h.test(t, "write, then read", func(t *testing.T, b hw.Board) {
		bus := open(t, b)
		tx(t, bus, []byte{0xD0}, 0)
		if id := tx(t, bus, nil, 1)[0]; id != p.ChipID {
			t.Errorf("chip id %#x, want %#x", id, p.ChipID)
		}
	})

	h.test(t, "burst", func(t *testing.T, b hw.Board) {
		bus := open(t, b)
		block := tx(t, bus, []byte{0x8A}, 23) // the first block of coefficients
		if bytes.Count(block, block[:1]) == len(block) {
			t.Errorf("the coefficients are all %#x", block[0])
		}
		for i, want := range block {
			if got := tx(t, bus, []byte{0x8A + byte(i)}, 1)[0]; got != want {
				t.Errorf("register %#x holds %#x alone and %#x in a burst", 0x8A+i, got, want)
			}
		}
	})

	h.test(t, "a measurement", func(t *testing.T, b hw.Board) {
		skipUnless(t, !p.Static, "the sensor is only a memory")
		bus := open(t, b)
		tx(t, bus, []byte{0x72, 1, 0x74, 1<<5 | 1<<2 | 1}, 0) // once each, forced mode
		var field []byte
		h.eventually(t, "new data", func() bool {
			field = tx(t, bus, []byte{0x1D}, 15)
			return field[0]&0x80 != 0
		})
		for name, raw := range map[string][]byte{"pressure": field[2:5], "temperature": field[5:8]} {
			if bytes.Equal(raw, []byte{0x80, 0, 0}) || bytes.Equal(raw, []byte{0, 0, 0}) {
				t.Errorf("the %s was not measured: % x", name, raw)
			}
		}
		if mode := tx(t, bus, []byte{0x74}, 1)[0] & 3; mode != 0 {
			t.Errorf("mode %d after a forced measurement, want sleep", mode)
		}
	})

	h.test(t, "no device at an address", func(t *testing.T, b hw.Board) {
		skipUnless(t, p.Empty != 0, "the harness knows no empty address")
		bus := open(t, b)
		for range 3 {
			if err := bus.Tx(p.Empty, []byte{0xD0}, make([]byte, 1)); err == nil {
				t.Fatalf("a device answered at %#x", p.Empty)
			}
			works(t, bus)
		}
	})

	h.test(t, "no acknowledge, and healed", func(t *testing.T, b hw.Board) {
		skipUnless(t, p.NACK != nil, "the harness cannot make the bus fail")
		bus := open(t, b)
		works(t, bus)
		heal := p.NACK(t)
		begun := time.Now()
		if err := bus.Tx(p.Address, []byte{0xD0}, make([]byte, 1)); err == nil {
			t.Error("a transfer succeeded without an acknowledge")
		}
		if took := time.Since(begun); took > h.Patience {
			t.Errorf("the error came after %v, want at once", took)
		}
		heal()
		works(t, bus)
	})

	h.test(t, "a bus that hangs, and is healed", func(t *testing.T, b hw.Board) {
		skipUnless(t, p.Hang != nil, "the harness cannot make the bus hang")
		bus := open(t, b)
		heal := p.Hang(t)
		done := make(chan struct{})
		var err error
		go func() {
			defer close(done)
			err = bus.Tx(p.Address, []byte{0xD0}, make([]byte, 1))
		}()
		h.within(t, "the transfer ends", done)
		if err == nil {
			t.Error("a transfer succeeded on a bus that hangs")
		}
		heal()
		works(t, bus)
	})

	h.test(t, "opened several times", func(t *testing.T, b hw.Board) {
		first, second := open(t, b), open(t, b)
		var group sync.WaitGroup
		for _, bus := range []i2c.Bus{first, second} {
			group.Go(func() {
				for range 20 {
					id := make([]byte, 1)
					if err := bus.Tx(p.Address, []byte{0xD0}, id); err != nil || id[0] != p.ChipID {
						t.Errorf("at once with another: chip id %#x, %v", id[0], err)
						return
					}
				}
			})
		}
		group.Wait()
		if err := first.Close(); err != nil {
			t.Error(err)
		}
		works(t, second)
	})

	h.test(t, "close and open again", func(t *testing.T, b hw.Board) {
		for range 3 {
			bus := open(t, b)
			works(t, bus)
			if err := bus.Close(); err != nil {
				t.Error(err)
			}
			if err := bus.Tx(p.Address, []byte{0xD0}, make([]byte, 1)); err == nil {
				t.Error("a closed bus works")
			}
		}
	})
}
