package engine

// ring is a queue of devices, each in it at most once.
type ring struct {
	all  []int32
	head int
	n    int
}

func newRing(n int) ring { return ring{all: make([]int32, n)} }

func (r *ring) push(i int32) {
	r.all[(r.head+r.n)%len(r.all)] = i
	r.n++
}

func (r *ring) pop() int32 {
	i := r.all[r.head]
	r.head = (r.head + 1) % len(r.all)
	r.n--
	return i
}

// drop takes a device out of the queue.
func (r *ring) drop(i int32) {
	for range r.n {
		if next := r.pop(); next != i {
			r.push(next)
		}
	}
}
