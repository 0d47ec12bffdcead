package outbox

import (
	"context"
	"errors"
	"fmt"

	"pithings/mqttlink/durable"
)

// Disk is a Box in a folder, owned by one process at a time.
//
// It is composed of three: the position, where reading and acknowledging stand; the unsaved
// messages, which are in no file yet; and the log, the files. Each has its own lock, taken in
// this order; docs/lock-order.md has all of them.
//
//	Append ─→ unsaved ─committer→ log
//	Next ───→ position → log, or unsaved
//	Ack ────→ position → its file; segments without messages → keeper
//
// A disk that cannot be written (full, read-only, failing) does not stop it: messages are
// kept in memory, Append says so by ErrUnsaved, and they are written when that is possible
// again.
type Disk struct {
	o   DiskOptions
	dir string

	owner     owner
	position  position
	unsaved   unsaved
	log       log
	committer committer
	keeper    keeper
}

var _ Box = (*Disk)(nil)

// newDisk puts the parts together.
func newDisk(dir string, o DiskOptions) *Disk {
	o.fill()
	d := &Disk{o: o, dir: dir}
	fs := o.fs
	if fs == nil {
		fs = folder(dir)
	}
	d.keeper = keeper{o: &d.o, dir: dir, pos: &d.position, log: &d.log, committer: &d.committer, kick: make(chan struct{}, 1), stop: make(chan struct{})}
	wake := d.keeper.wake
	d.owner = owner{dir: dir, fs: fs, virtual: o.fs != nil, inLog: logNames}
	d.log = log{o: &d.o, dir: dir, fs: fs, wake: wake}
	d.log.syncDone.L = &d.log.mu
	d.unsaved = unsaved{o: &d.o}
	d.unsaved.idle.L = &d.unsaved.mu
	for i := range d.unsaved.groups {
		d.unsaved.groups[i].done.L = &d.unsaved.mu
	}
	d.position = position{o: &d.o, dir: dir, owner: &d.owner, log: &d.log, unsaved: &d.unsaved, wake: wake, slots: slots{fs: fs}}
	d.position.reader = cursor{fs: fs, block: readBlock, fresh: true}
	for _, c := range d.position.cursors() {
		*c = cursor{fs: fs, block: walkBlock}
	}
	d.committer = committer{o: &d.o, dir: dir, owner: &d.owner, pos: &d.position, unsaved: &d.unsaved, log: &d.log, wake: wake,
		recycle: d.keeper.recycle, limited: d.o.Limits.counted()}
	return d
}

// Safety implements Box: SyncAlways waits for the disk itself.
func (d *Disk) Safety() Safety {
	if d.o.Sync == SyncAlways {
		return OnDisk
	}
	return InKernel
}

// Append implements Box. A message that is in memory only has a sequence number and an error
// that wraps ErrUnsaved.
func (d *Disk) Append(r Record) (uint64, error) {
	defer d.unsaved.mu.Unlock()
	seq, err := d.committer.take(&r)
	if err == nil {
		err = d.committer.settle(seq, false)
	}
	return seq, err
}

// AppendAll implements Box: one commit for what fits into one segment.
func (d *Disk) AppendAll(rs []Record) (a Appended, err error) { return d.committer.append(rs) }

// Stage implements Box.
func (d *Disk) Stage(r Record) (uint64, error) {
	defer d.unsaved.mu.Unlock()
	return d.committer.take(&r)
}

// Settle implements Box.
func (d *Disk) Settle(seq uint64) error {
	d.unsaved.mu.Lock()
	defer d.unsaved.mu.Unlock()
	return d.committer.settle(seq, true)
}

// Sync implements Box; with SyncNever it returns when the kernel has the messages.
func (d *Disk) Sync() error { return d.committer.sync() }

// Safe implements Box.
func (d *Disk) Safe(ctx context.Context, seq uint64) error { return d.unsaved.await(ctx, seq) }

// Next implements Box.
func (d *Disk) Next(from uint64) (Record, bool, error) { return d.position.next(from) }

// NextSeq implements Box.
func (d *Disk) NextSeq() uint64 {
	_, next, _ := d.unsaved.numbers()
	return next
}

// Ack implements Box.
func (d *Disk) Ack(seq uint64) error { return d.acked(d.AckLater(seq)) }

// AckOne implements Box. The position of up to 32 ranges of messages that are gone
// although older ones are not outlives the process; of more, as happens if every
// other message is acknowledged, those of the shortest ranges are delivered again.
func (d *Disk) AckOne(seq uint64) error { return d.acked(d.AckOneLater(seq)) }

func (d *Disk) acked(err error) error {
	if err == nil {
		d.position.saveMoved()
	}
	return err
}

// AckLater implements Box.
func (d *Disk) AckLater(seq uint64) error { return d.position.ack(seq, false) }

// AckOneLater implements Box.
func (d *Disk) AckOneLater(seq uint64) error { return d.position.ack(seq, true) }

// Save implements Box.
func (d *Disk) Save() { d.position.saveMoved() }

// Saved implements Box. All does not stay acknowledged while the disk cannot be written, or
// while there are too many ranges, for which see AckOne.
func (d *Disk) Saved() bool { return d.position.saved() }

// SetHanded implements Box.
func (d *Disk) SetHanded(seq uint64) { d.position.setHanded(seq) }

// Handed implements Box.
func (d *Disk) Handed() uint64 {
	d.position.mu.Lock()
	defer d.position.mu.Unlock()
	return d.position.handed
}

// Len implements Box.
func (d *Disk) Len() int {
	d.position.mu.Lock()
	defer d.position.mu.Unlock()
	n, _ := d.position.live(allClasses)
	return n
}

// Stats implements Box.
func (d *Disk) Stats() (s Stats) {
	d.position.stats(&s)
	d.log.mu.Lock()
	s.Torn, s.DamagedFiles = d.log.torn, d.log.aside
	d.log.mu.Unlock()
	return s
}

// Close writes what is in memory only, if that is possible, syncs, and gives the folder
// free. Its error says what is lost with the end of the process.
func (d *Disk) Close() error {
	if !d.refuse() {
		return nil
	}
	err := d.closeLog()
	d.keeper.end()
	if saveErr := d.position.save(d.o.Sync != SyncNever); saveErr != nil && !durable.Unwritable(saveErr) {
		err = errors.Join(err, fmt.Errorf("what was delivered last cannot be saved, and is delivered again: %w", saveErr))
	}
	d.release()
	if err != nil {
		return fmt.Errorf("close outbox %s: %w", d.dir, err)
	}
	return nil
}

// refuse makes all calls return ErrClosed from now on. It returns false if they do already.
func (d *Disk) refuse() bool {
	d.position.mu.Lock()
	defer d.position.mu.Unlock()
	d.unsaved.mu.Lock()
	defer d.unsaved.mu.Unlock()
	was := d.position.closed
	d.position.closed, d.unsaved.closed = true, true
	return !was
}

// closeLog writes what it can to the log, and closes that.
func (d *Disk) closeLog() (err error) {
	u := &d.unsaved
	u.mu.Lock()
	for u.busy {
		u.idle.Wait()
	}
	u.busy = true
	d.committer.commit(false)
	if u.err != nil {
		d.committer.heal()
	}
	enc := u.enc
	u.enc = nil
	u.mu.Unlock()
	if t := d.log.detach(); t != nil {
		err = t.finish(d.o.Sync != SyncNever)
		if d.o.Sync != SyncNever && err == nil {
			d.position.mu.Lock()
			d.position.synced = enc.next
			d.position.mu.Unlock()
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if n := len(u.list); n > 0 {
		err = errors.Join(err, fmt.Errorf("%d messages were never written and are lost: %w", n, u.appendErr))
	}
	u.release()
	return err
}

// release closes what is open, and gives the lock up.
func (d *Disk) release() {
	d.position.saving.Lock()
	d.position.slots.close()
	d.position.saving.Unlock()
	d.position.close()
	d.owner.close()
}
