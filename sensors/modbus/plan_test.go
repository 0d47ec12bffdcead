package modbus

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// values makes registers of addresses such as "40001" or "30001 float32".
func values(t *testing.T, list ...string) (all []Register) {
	t.Helper()
	for i, text := range list {
		address, kind, _ := strings.Cut(text, " ")
		a, err := ParseAddress(address)
		if err != nil {
			t.Fatal(err)
		}
		r := register(func(r *Register) {
			r.Name, r.Address, r.Writable = fmt.Sprintf("v%d", i), a, a.Table == Coil || a.Table == Holding
			if kind != "" {
				r.Type = Type(kind)
			}
			if r.Type == String {
				r.Length = 8
			}
		})
		if err := r.Check(); err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

func TestPlan(t *testing.T) {
	many := func(table string, n int) (list []string) {
		for i := range n {
			list = append(list, fmt.Sprintf("%s:%d", table, i))
		}
		return list
	}
	for _, row := range []struct {
		name      string
		gap, most int
		registers []string
		want      string // blocks: address+count
	}{
		{"neighbours, in any order", 0, 125, []string{"40003", "40001", "40002"}, "holding:0x0000+3"},
		{"a gap", 0, 125, []string{"40001", "40003"}, "holding:0x0000+1 holding:0x0002+1"},
		{"a gap that may be read", 1, 125, []string{"40001", "40003"}, "holding:0x0000+3"},
		{"a gap that is too wide", 1, 125, []string{"40001", "40004"}, "holding:0x0000+1 holding:0x0003+1"},
		{"tables", 9, 125, []string{"40001", "30001", "00001", "10001", "30002"}, "coil:0x0000+1 discrete:0x0000+1 input:0x0000+2 holding:0x0000+1"},
		{"wide values", 0, 125, []string{"30001 float32", "30003 float64", "30007"}, "input:0x0000+7"},
		{"one register twice", 0, 125, []string{"40001 uint32", "40001", "40002"}, "holding:0x0000+2"},
		{"a value is not divided", 0, 3, []string{"40001 uint32", "40003 uint32", "40005"}, "holding:0x0000+2 holding:0x0002+3"},
		{"the most of the protocol", 0, 125, many("input", 126), "input:0x0000+125 input:0x007d+1"},
		{"bits", 0, 125, many("coil", 2001), "coil:0x0000+2000 coil:0x07d0+1"},
		{"a few bits", 1, 1, []string{"coil:0", "coil:15", "coil:16", "coil:40"}, "coil:0x0000+16 coil:0x0010+1 coil:0x0028+1"},
	} {
		var got []string
		for _, b := range plan(values(t, row.registers...), row.gap, row.most) {
			got = append(got, fmt.Sprintf("%s+%d", b.Address, b.count))
		}
		if text := strings.Join(got, " "); text != row.want {
			t.Errorf("%s: %s, want %s", row.name, text, row.want)
		}
	}
}

// Whatever the registers and limits: each value is in one block, wholly, and no block is
// larger than it may be.
func TestPlanHasAllValues(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		var registers []Register
		for range 1 + r.IntN(60) {
			one := register(func(x *Register) {
				x.Address = Address{Table(r.IntN(4)), uint16(r.IntN(300))}
				x.Writable = false
				if !x.Address.Table.bits() {
					x.Type = []Type{Uint16, Float32, Int64}[r.IntN(3)]
				}
			})
			if err := one.Check(); err != nil {
				t.Fatal(err)
			}
			registers = append(registers, one)
		}
		gap, most := r.IntN(20), 4+r.IntN(122)
		blocks := plan(registers, gap, most)
		for i := 0; i < len(blocks) && len(blocks) < 1000; i++ { // the halves of halves, too
			halves, _ := blocks[i].split(registers)
			blocks = append(blocks, halves...)
		}
		seen := map[int]int{}
		for _, b := range blocks {
			limit := most
			if b.Table.bits() {
				limit = min(16*most, maxBits)
			}
			if b.count < 1 || b.count > limit {
				t.Fatalf("a block of %d, with %d allowed", b.count, limit)
			}
			data := make([]byte, 2*b.count)
			for _, v := range b.values {
				seen[v]++
				if got := b.of(&registers[v], data); len(got) != 2*registers[v].width() {
					t.Fatalf("%d bytes of a value of %d registers", len(got), registers[v].width())
				}
			}
		}
		for i := range registers {
			if seen[i] == 0 {
				t.Fatalf("value %d is in no block", i)
			}
		}
	}
}
