package outbox

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"pithings/mqttlink/durable"
)

// Disk is a Box in a folder, owned by one process at a time.
//
// Appends that run at the same time share one write and one sync: whoever finds
// nobody writing leads, and writes what the others have encoded meanwhile.
//
// A disk that cannot be written (full, read-only, failing) does not stop it:
// messages are held in memory, Append says so by ErrHeld, and they are written
// when that is possible again.
type Disk struct {
	o   DiskOptions
	dir string
	fs  files

	owning sync.Mutex  // taken last, or before mu
	owner  *os.File    // the lock; nil until the folder can be written
	owned  atomic.Bool // owner is not nil
	names  []string    // of the log, while it is

	reading sync.Mutex // taken before mu; while it is held no segment is recycled
	reader  cursor

	saving sync.Mutex // taken before mu
	slots  slots

	mu     sync.Mutex
	closed bool
	// busy is the right to write to the log. Who has it may do so without mu.
	busy    bool
	idle    sync.Cond // busy or syncing has ended, or safe has grown
	syncing bool      // the log is being synced, not by whoever is busy
	groups  [2]group  // one is being filled, the other written
	fill    int

	segs   []*segment // the log, oldest first
	tail   *writer    // of the last of segs; nil: the next append begins a new one
	serial uint64     // of the latest file
	spent  []*segment // without live messages, for the keeper to recycle
	undone []*segment // at the end, and without any messages: to be removed before another is begun
	hollow []*segment // the same, but others before them have: for it to cut down
	spares []string   // prepared files

	next     uint64 // sequence number of the next message
	safe     uint64 // messages below are in the log or gone, those from here on in a group or held
	logged   uint64 // sequence number behind the last message in the log
	counted  uint64 // and behind the last that counts in it, be it in a file that is not trusted any more
	appended tally  // all messages below next
	recent   recent // the last of them
	pos      position
	moved    bool            // pos has changed since it was saved
	walker   cursor          // reads behind pos.acked
	droppers [classes]cursor // read behind pos.floors
	picker   cursor          // reads what is acknowledged by itself
	first    uint64          // no message below is in the box
	unsaved  bool            // not all of pos.sacks were saved
	unsized  []uint64        // in pos.sacks, but not in their tallies yet

	held      []held // while the disk cannot be written
	heldBytes int64
	killed    int   // how many of them have gone since squeeze
	err       error // why; nil: the disk is well
	heldErr   error // err as Append returns it
	retryAt   time.Time
	retryWait time.Duration

	blind error // of the last attempt to read the front of the box
	holes []hole

	failedAt uint64 // message that could not be read the last time
	failures int    // how often in a row

	dropped uint64
	torn    uint64
	damaged uint64
	aside   int

	keeper keeper
}

var _ Box = (*Disk)(nil)

// Append implements Box. A message that is held in memory has a sequence number
// and an error that wraps ErrHeld.
func (d *Disk) Append(r Record) (uint64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	seq, err := d.take(&r)
	if err == nil {
		err = d.settle(seq, false)
	}
	return seq, err
}

// take gives r a number and puts it into a group, or holds it. d.mu is held.
func (d *Disk) take(r *Record) (uint64, error) {
	if len(r.Topic) > maxTopic || len(r.Payload) > maxPayload {
		return 0, ErrTooLarge
	}
	if r.undated() {
		r.Time = d.o.Now()
	}
	return d.stage(r)
}

// Stage is the first half of Append: the message has its number and its place, and
// may be delivered, but is not safe before Settle has returned, and not to be read or
// acknowledged. An error is one of Append; after one that wraps ErrHeld there is
// nothing to settle.
func (d *Disk) Stage(r Record) (uint64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.take(&r)
}

// Settle is the second half of Append.
func (d *Disk) Settle(seq uint64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.settle(seq, true)
}

// SyncsAlways reports whether Append and Settle wait for the disk itself.
func (d *Disk) SyncsAlways() bool { return d.o.Sync == SyncAlways }

// Appended is what AppendAll has taken: the first N records. Others may have
// appended between them, so that their sequence numbers, from First to Last, are
// not always in a row.
type Appended struct {
	First, Last uint64
	N           int
}

// AppendAll appends records in one commit, as far as they fit into one segment.
// Those that it has not taken it has not for the reason given. An error that wraps
// ErrHeld says that the last of those taken are held in memory.
func (d *Disk) AppendAll(rs []Record) (a Appended, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, r := range rs {
		seq, stageErr := d.take(&r)
		if stageErr != nil && !errors.Is(stageErr, ErrHeld) {
			err = stageErr
			break
		}
		if a.N == 0 {
			a.First = seq
		}
		a.Last = seq
		a.N++
	}
	if a.N > 0 {
		err = errors.Join(d.settle(a.Last, false), err)
	}
	return a, err
}

// Next implements Box. An error means that the disk cannot be read now: messages
// that are damaged are passed over and counted.
func (d *Disk) Next(from uint64) (Record, bool, error) {
	d.reading.Lock()
	defer d.reading.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	for !d.closed {
		from = d.pos.sacks.skip(max(from, d.pos.acked+1))
		if from >= d.safe {
			r, ok := d.heldFrom(from)
			return r, ok, nil
		}
		p := d.place(from)
		if p.seg == nil {
			from = p.end
			continue
		}
		d.mu.Unlock()
		e, ok, err := p.read(&d.reader)
		d.mu.Lock()
		d.noteHoles(&d.reader)
		switch {
		case err != nil:
			if err := d.unreadable(&d.reader, p, err); err != nil {
				return Record{}, false, err
			}
			from = p.end
		case !ok:
			from = p.end
		case e.seq > d.pos.acked && e.seq >= d.pos.floors[e.class()] && !d.pos.sacks.has(e.seq):
			return e.message(e.seq, e.topic, e.body), true, nil
		default: // dropped, or acknowledged
			from = e.seq + 1
		}
	}
	return Record{}, false, ErrClosed
}

// NextSeq implements Box.
func (d *Disk) NextSeq() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.next
}

// visible returns the first sequence number that Next cannot return yet.
func (d *Disk) visible() uint64 {
	if n := len(d.held); n > 0 {
		return d.held[n-1].last() + 1
	}
	return d.safe
}

// Len implements Box.
func (d *Disk) Len() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, _ := d.live(allClasses)
	return n
}

// live counts what is in the box.
func (d *Disk) live(set classSet) (n int, bytes int64) {
	for c := range classes {
		if set.has(c) {
			n += max(0, int(d.appended.messages[c]-d.pos.gone.messages[c]-d.pos.sacks.sum.messages[c]))
			bytes += max(0, int64(d.appended.bytes[c]-d.pos.gone.bytes[c]-d.pos.sacks.sum.bytes[c]))
		}
	}
	return n, bytes
}

// Stats implements Box.
func (d *Disk) Stats() Stats {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := Stats{Dropped: d.dropped, Held: d.heldCount(), HeldBytes: d.heldBytes, Err: d.err, Torn: d.torn, Damaged: d.damaged, SetAside: d.aside}
	if !d.closed {
		if f, ok := d.front(); ok {
			s.Oldest = f.time
		}
	}
	s.Messages, s.Bytes = d.live(allClasses)
	s.Alarms, _ = d.live(1 << Alarm)
	return s
}

// Close writes what is held, if that is possible, syncs, and gives the folder
// free. Its error tells what is lost with the end of the process.
func (d *Disk) Close() error {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return nil
	}
	d.closed = true // refuses from now on; who waits is served below
	for d.busy {
		d.idle.Wait()
	}
	d.busy = true
	d.commit(false)
	if d.err != nil {
		d.heal()
	}
	var err error
	d.awaitSync()
	if w := d.tail; w != nil {
		d.tail = nil
		if d.o.Sync != SyncNever && w.dirty {
			if err = w.lost; err == nil {
				err = w.f.Sync()
			}
			if err != nil {
				err = fmt.Errorf("what was written last may not survive a power cut: %w", err)
			}
		}
		err = errors.Join(err, w.f.Close())
		if d.o.Sync != SyncNever && err == nil {
			d.pos.synced = w.next
		}
	}
	if n := len(d.held); n > 0 {
		err = errors.Join(err, fmt.Errorf("%d messages were never written and are lost: %w", n, d.heldErr))
	}
	d.release()
	d.mu.Unlock()

	d.keeper.end()
	if saveErr := d.savePosition(d.o.Sync != SyncNever); saveErr != nil && !durable.Unwritable(saveErr) {
		err = errors.Join(err, fmt.Errorf("what was delivered last cannot be written down, and is delivered again: %w", saveErr))
	}
	d.saving.Lock()
	d.slots.close()
	d.saving.Unlock()
	d.letGo()
	if err != nil {
		return fmt.Errorf("close outbox %s: %w", d.dir, err)
	}
	return nil
}

// letGo closes what is open for reading, and the lock.
func (d *Disk) letGo() {
	d.reading.Lock()
	defer d.reading.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.reader.close()
	d.walker.close()
	d.picker.close()
	for c := range d.droppers {
		d.droppers[c].close()
	}
	d.held, d.heldBytes = nil, 0
	d.owning.Lock()
	defer d.owning.Unlock()
	if d.owner != nil {
		d.owner.Close()
		d.owner = nil
	}
}
