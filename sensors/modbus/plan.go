package modbus

import (
	"cmp"
	"fmt"
	"slices"
)

// block is what one request reads: neighbouring registers, or bits, of one table.
type block struct {
	Address
	count  int
	values []int // indexes of the registers of the configuration in it, by their address
}

// String names the block in messages.
func (b *block) String() string {
	if b.count == 1 {
		return b.Address.String()
	}
	return fmt.Sprintf("%s to %#04x", b.Address, int(b.Number)+b.count-1)
}

// plan merges values into blocks. Between two values of a block are at most gap registers
// that no value has, and 16 times as many bits; a block has at most most registers and 16
// times as many bits, 2000 at most. A value is never divided.
func plan(registers []Register, gap, most int) (blocks []block) {
	order := make([]int, len(registers))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		a, b := registers[i].Address, registers[j].Address
		return cmp.Or(cmp.Compare(a.Table, b.Table), cmp.Compare(a.Number, b.Number))
	})
	for _, i := range order {
		r := &registers[i]
		gap, most := gap, most
		if r.Address.Table.bits() {
			gap, most = 16*gap, min(16*most, maxBits)
		}
		end := int(r.Address.Number) + r.width()
		if n := len(blocks); n > 0 {
			b := &blocks[n-1]
			first, last := int(b.Number), int(b.Number)+b.count
			if b.Table == r.Address.Table && int(r.Address.Number)-last <= gap && max(end, last)-first <= most {
				b.count = max(end, last) - first
				b.values = append(b.values, i)
				continue
			}
		}
		blocks = append(blocks, block{r.Address, r.width(), []int{i}})
	}
	return blocks
}

// split divides a block whose request the device refuses between two of its values; ok is
// false if it has one only.
func (b *block) split(registers []Register) (parts []block, ok bool) {
	n := len(b.values)
	if n < 2 {
		return nil, false
	}
	for _, half := range [][]int{b.values[:n/2], b.values[n/2:]} {
		part := block{Address: registers[half[0]].Address, values: half}
		for _, i := range half {
			part.count = max(part.count, int(registers[i].Address.Number)+registers[i].width()-int(part.Number))
		}
		parts = append(parts, part)
	}
	return parts, true
}

// of returns the bytes of a value in the data of the block's answer; a bit is made a
// register.
func (b *block) of(r *Register, data []byte) []byte {
	at := int(r.Address.Number - b.Number)
	if b.Table.bits() {
		return []byte{0, data[at/8] >> (at % 8) & 1}
	}
	return data[2*at : 2*(at+r.width())]
}
