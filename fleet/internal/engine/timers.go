package engine

// never is the time of a device that waits for nothing but the network.
const never = int64(1<<63 - 1)

// timers is a heap of the devices of a shard by their next moment. Each device is in it once, so
// that it neither grows nor allocates.
type timers struct {
	heap []int32 // devices; the parent of i is (i-1)/4
	at   []int64 // of a device: nanoseconds since the engine's start
	pos  []int32 // of a device: its place in heap
}

// ways is how many children an entry has: a flat heap has fewer cache misses.
const ways = 4

func newTimers(n int) timers {
	t := timers{heap: make([]int32, n), at: make([]int64, n), pos: make([]int32, n)}
	for i := range n {
		t.heap[i], t.pos[i], t.at[i] = int32(i), int32(i), never
	}
	return t
}

// next returns the device whose moment comes first.
func (t *timers) next() (i int32, at int64) { return t.heap[0], t.at[t.heap[0]] }

// set sets a device's next moment.
func (t *timers) set(i int32, at int64) {
	before := t.at[i]
	t.at[i] = at
	switch {
	case at < before:
		t.up(t.pos[i])
	case at > before:
		t.down(t.pos[i])
	}
}

func (t *timers) up(p int32) {
	for p > 0 {
		parent := (p - 1) / ways
		if t.at[t.heap[parent]] <= t.at[t.heap[p]] {
			return
		}
		t.swap(p, parent)
		p = parent
	}
}

func (t *timers) down(p int32) {
	for {
		least := p
		for c := p*ways + 1; c <= p*ways+ways && int(c) < len(t.heap); c++ {
			if t.at[t.heap[c]] < t.at[t.heap[least]] {
				least = c
			}
		}
		if least == p {
			return
		}
		t.swap(p, least)
		p = least
	}
}

func (t *timers) swap(a, b int32) {
	t.heap[a], t.heap[b] = t.heap[b], t.heap[a]
	t.pos[t.heap[a]], t.pos[t.heap[b]] = a, b
}
