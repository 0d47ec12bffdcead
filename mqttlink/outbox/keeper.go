package outbox

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"
)

const (
	maxSpares    = 2
	prepareChunk = 256 << 10
)

// keeper does in the background what no appender should wait for: it prepares
// and recycles segments, syncs at intervals, tries a failing disk again, and drops
// what is too old.
type keeper struct {
	kick chan struct{}
	stop chan struct{}
	wg   sync.WaitGroup

	// Of its goroutine alone.
	making   file // a segment being filled with zeros
	made     int64
	makeName string
	makeAt   time.Time // not before
	makeWait time.Duration
	syncAt   time.Time // zero: nothing to sync
	ageAt    time.Time
}

func (k *keeper) init() {
	k.kick, k.stop = make(chan struct{}, 1), make(chan struct{})
}

// wake lets it look what there is to do.
func (k *keeper) wake() {
	select {
	case k.kick <- struct{}{}:
	default:
	}
}

func (k *keeper) end() {
	close(k.stop)
	k.wg.Wait()
}

// keep is the keeper's goroutine.
func (d *Disk) keep() {
	defer d.stopMaking()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-d.keeper.stop:
			return
		default:
		}
		timer.Reset(d.tend(time.Now()))
		select {
		case <-d.keeper.kick:
		case <-timer.C:
		case <-d.keeper.stop:
			return
		}
	}
}

// tend does what is due, and returns when to come back.
func (d *Disk) tend(now time.Time) time.Duration {
	k := &d.keeper
	wait := time.Hour
	until := func(t time.Time) { wait = min(wait, max(t.Sub(now), time.Millisecond)) }

	d.recycle()

	d.mu.Lock()
	dirty := d.o.Sync == SyncInterval && d.tail != nil && d.tail.dirty
	failing, retryAt := d.err != nil, d.retryAt
	moved := d.moved && !failing
	d.size()
	make1 := d.o.Sync != SyncNever && !failing && len(d.segs) > 0 && len(d.spares) == 0 && (d.tail != nil && d.tail.marked || k.making != nil)
	d.mu.Unlock()

	if moved {
		_ = d.savePosition(false)
	}
	switch {
	case !dirty:
		k.syncAt = time.Time{}
	case k.syncAt.IsZero():
		// A little early: what was written just after this look must not wait longer.
		k.syncAt = now.Add(d.o.Interval * 15 / 16)
		until(k.syncAt)
	case !now.Before(k.syncAt):
		k.syncAt = time.Time{}
		d.mu.Lock()
		d.syncNow()
		d.mu.Unlock()
		wait = 0
	default:
		until(k.syncAt)
	}
	if failing {
		if !now.Before(retryAt) {
			d.tryHeal()
			wait = 0
		} else {
			until(retryAt)
		}
	}
	if make1 {
		if !now.Before(k.makeAt) {
			d.prepare(now)
			wait = 0
		} else {
			until(k.makeAt)
		}
	} else if failing && k.making != nil {
		d.stopMaking()
	}
	if every := d.ages(); every > 0 {
		if !now.Before(k.ageAt) {
			k.ageAt = now.Add(every)
			d.age()
		}
		until(k.ageAt)
	}
	return wait
}

// tryHeal tries to write what is held.
func (d *Disk) tryHeal() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for d.busy {
		d.idle.Wait()
	}
	if d.err == nil || d.closed {
		return
	}
	d.busy = true
	d.heal()
	d.release()
}

// recycle turns segments without live messages into prepared ones, or removes
// them; damaged ones are set aside.
func (d *Disk) recycle() {
	d.reading.Lock() // what is being read stays
	defer d.reading.Unlock()
	d.mu.Lock()
	todo, hollow := d.spent, d.hollow
	d.spent, d.hollow = nil, nil
	if d.unsaved {
		d.hollow, hollow = hollow, nil
	}
	if d.err != nil {
		todo = slices.DeleteFunc(todo, func(s *segment) bool {
			if s.taken {
				d.spent = append(d.spent, s)
			}
			return s.taken
		})
	}
	spares := len(d.spares)
	if d.reader.seg != nil && len(todo)+len(hollow) > 0 {
		d.reader.close()
	}
	d.mu.Unlock()
	if len(todo)+len(hollow) == 0 {
		return
	}
	// First what was delivered and dropped, so that a power cut does not bring back
	// a part of it.
	if d.savePosition(d.o.Sync != SyncNever) != nil {
		d.mu.Lock()
		d.spent, d.hollow = append(d.spent, todo...), append(d.hollow, hollow...)
		d.mu.Unlock()
		return
	}
	d.mu.Lock()
	if d.unsaved { // after a crash they would be looked for
		d.hollow, hollow = append(d.hollow, hollow...), nil
	}
	d.mu.Unlock()
	for _, s := range hollow {
		if f, err := d.fs.open(s.name(), os.O_RDWR); err == nil {
			_ = f.Truncate(firstRecord) // otherwise it takes room until it is trimmed
			f.Close()
		}
	}
	var made []string
	for _, s := range todo {
		if s.damaged {
			d.setAside(s.name())
			continue
		}
		var err error
		if spare := spareName(s.serial); d.o.Sync != SyncNever && spares < maxSpares && d.isWhole(s.name()) {
			if err = d.fs.rename(s.name(), spare); err == nil {
				spares++
				made = append(made, spare)
			}
		} else {
			err = d.fs.remove(s.name())
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			d.notSpent([]*segment{s})
		}
	}
	// Nothing is written to a file that still has its old name after a power cut.
	if len(made) > 0 && d.fs.syncDir() == nil {
		d.mu.Lock()
		d.spares = append(d.spares, made...)
		d.mu.Unlock()
	}
}

// notSpent keeps segments to be recycled later.
func (d *Disk) notSpent(s []*segment) {
	d.mu.Lock()
	d.spent = append(d.spent, s...)
	d.mu.Unlock()
}

func spareName(serial uint64) string { return fmt.Sprintf("%08x%s", serial, spareSuffix) }

// isWhole reports whether a file has the length of prepared segments.
func (d *Disk) isWhole(name string) bool {
	f, err := d.fs.open(name, os.O_RDONLY)
	if err != nil {
		return false
	}
	defer f.Close()
	n, err := f.Size()
	return err == nil && n == d.o.segment
}

// setAside renames a damaged file so that it is in nobody's way.
func (d *Disk) setAside(name string) {
	to := name + damagedSuffix
	for i := 2; i < 1000; i++ {
		f, err := d.fs.open(to, os.O_RDONLY)
		if errors.Is(err, os.ErrNotExist) {
			break
		}
		if err == nil {
			f.Close()
		}
		to = fmt.Sprintf("%s.%d%s", name, i, damagedSuffix)
	}
	if err := d.fs.rename(name, to); err != nil {
		return // it is found again when the box is opened
	}
	d.mu.Lock()
	d.aside++
	d.mu.Unlock()
	d.o.Log.Error("outbox: a damaged file was set aside", "dir", d.dir, "file", to)
}

// prepare fills a file with zeros, a part at a time, so that appending to it
// later writes no metadata.
func (d *Disk) prepare(now time.Time) {
	k := &d.keeper
	err := func() (err error) {
		if k.making == nil {
			d.mu.Lock()
			d.serial++
			serial := d.serial
			d.mu.Unlock()
			k.makeName, k.made = spareName(serial), 0
			if k.making, err = d.fs.open(k.makeName+unmadeSuffix, os.O_RDWR|os.O_CREATE|os.O_TRUNC); err != nil {
				k.making = nil
				return err
			}
		}
		n := min(prepareChunk, d.o.segment-k.made)
		if _, err := io.Copy(io.NewOffsetWriter(k.making, k.made), io.LimitReader(zeroReader{}, n)); err != nil {
			return err
		}
		if err := k.making.Sync(); err != nil { // in parts: others wait for this disk too
			return err
		}
		if k.made += n; k.made < d.o.segment {
			return nil
		}
		err = k.making.Close()
		k.making = nil
		if err == nil {
			err = d.fs.rename(k.makeName+unmadeSuffix, k.makeName)
		}
		if err != nil {
			return err
		}
		k.makeWait = 0
		d.mu.Lock()
		d.spares = append(d.spares, k.makeName)
		d.mu.Unlock()
		return nil
	}()
	if err != nil {
		d.stopMaking()
		k.makeWait = min(max(2*k.makeWait, time.Minute), time.Hour)
		k.makeAt = now.Add(k.makeWait)
		d.o.Log.Debug("outbox: no segment could be prepared", "dir", d.dir, "error", err)
	}
}

// stopMaking gives up a file that is being filled.
func (d *Disk) stopMaking() {
	k := &d.keeper
	if k.making != nil {
		k.making.Close()
		k.making = nil
		_ = d.fs.remove(k.makeName + unmadeSuffix)
	}
}

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
