package outbox

// recent remembers what the last messages were like, so that acknowledging them
// soon, as happens on a good network, takes no reading.
type recent [64]struct {
	seq   uint64
	size  int64
	class Class
}

func (m *recent) note(seq uint64, r *Record) {
	e := &m[seq%uint64(len(m))]
	e.seq, e.size, e.class = seq, r.size(), r.Class
}

// advanceRecent takes messages up to seq out of the box as long as they are known and
// nothing is out of the ordinary. d.mu is held.
func (d *Disk) advanceRecent(seq uint64) {
	if d.err != nil || len(d.held) > 0 || len(d.holes) > 0 || len(d.pos.sacks.list) > 0 {
		return
	}
	for d.pos.acked < min(seq, d.safe-1) {
		next := d.pos.acked + 1
		e := &d.recent[next%uint64(len(d.recent))]
		if e.seq != next || d.pos.floors[e.class] > next {
			return
		}
		d.pos.gone.add(e.class, e.size)
		d.moved = true
		d.setAcked(next)
	}
}
