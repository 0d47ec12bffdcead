package scenario

import (
	"hash/fnv"
	"math/bits"

	"pithings/fleet/internal/splitmix"
)

// keyOf is the key of an order: of a seed and a name.
func keyOf(seed uint64, name string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(name))
	return splitmix.Mix(seed ^ splitmix.Mix(h.Sum64()))
}

// order is an order of n devices that follows from a key. It holds no list: the place of a device is
// computed, by a Feistel network on numbers of so many bits that is walked until it comes to one
// below n (J. Black, P. Rogaway: Ciphers with arbitrary finite domains, 2002).
type order struct {
	n    int
	half uint // bits of one half
	key  uint64
}

func newOrder(n int, key uint64) order {
	return order{n: n, half: uint(bits.Len(uint(max(n-1, 1)))+1) / 2, key: key}
}

// place returns a device's place, from 0 to n-1.
func (o order) place(device int) int {
	mask := uint64(1)<<o.half - 1
	x := uint64(device)
	for {
		left, right := x>>o.half, x&mask
		for round := range uint64(4) {
			left, right = right, left^(splitmix.Mix(o.key^round<<56^right)&mask)
		}
		if x = left<<o.half | right; x < uint64(o.n) {
			return int(x)
		}
	}
}

// among are the first of an order.
type among struct {
	order
	count int
}

func (a among) has(device int) bool {
	return a.count > 0 && (a.count >= a.n || a.place(device) < a.count)
}

// turn is about how many of those that are among them come before a device.
func (a among) turn(device int) float64 { return float64(device) * float64(a.count) / float64(a.n) }
