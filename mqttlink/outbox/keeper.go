package outbox

import (
	"errors"
	"io"
	"os"
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
	o         *DiskOptions
	dir       string // for the log of the program
	pos       *position
	log       *log
	committer *committer

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

// run is the keeper's goroutine.
func (k *keeper) run() {
	defer k.stopMaking()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-k.stop:
			return
		default:
		}
		timer.Reset(k.tend(time.Now()))
		select {
		case <-k.kick:
		case <-timer.C:
		case <-k.stop:
			return
		}
	}
}

// tend does what is due, and returns when to come back.
func (k *keeper) tend(now time.Time) time.Duration {
	wait := time.Hour
	until := func(t time.Time) { wait = min(wait, max(t.Sub(now), time.Millisecond)) }

	k.recycle()

	p := k.pos
	failing, retryAt := p.unsaved.failing()
	p.mu.Lock()
	moved := p.moved && !failing
	p.size()
	p.mu.Unlock()
	dirty := k.o.Sync == SyncInterval && k.log.tailState().dirty
	makes := k.o.Sync != SyncNever && !failing && k.log.wantsSpare(k.making != nil)

	if moved {
		_ = p.save(false)
	}
	switch {
	case !dirty:
		k.syncAt = time.Time{}
	case k.syncAt.IsZero():
		// A little early: what was written just after this look must not wait longer.
		k.syncAt = now.Add(k.o.Interval * 15 / 16)
		until(k.syncAt)
	case !now.Before(k.syncAt):
		k.syncAt = time.Time{}
		k.committer.syncNow()
		wait = 0
	default:
		until(k.syncAt)
	}
	if failing {
		if !now.Before(retryAt) {
			k.committer.tryHeal()
			wait = 0
		} else {
			until(retryAt)
		}
	}
	if makes {
		if !now.Before(k.makeAt) {
			k.prepare(now)
			wait = 0
		} else {
			until(k.makeAt)
		}
	} else if failing && k.making != nil {
		k.stopMaking()
	}
	if every := p.ages(); every > 0 {
		if !now.Before(k.ageAt) {
			k.ageAt = now.Add(every)
			p.age()
		}
		until(k.ageAt)
	}
	return wait
}

// recycle turns segments without live messages into prepared ones, or removes
// them; damaged ones are kept for people.
func (k *keeper) recycle() {
	p, l := k.pos, k.log
	p.reading.Lock() // what is being read stays
	defer p.reading.Unlock()
	spent, hollow, spares := k.takeSpent()
	if len(spent)+len(hollow) == 0 {
		return
	}
	// First what was delivered and dropped, so that a power cut does not bring back
	// a part of it.
	if p.save(k.o.Sync != SyncNever) != nil {
		l.putBack(spent, hollow)
		return
	}
	p.mu.Lock()
	partial := p.partial
	p.mu.Unlock()
	if partial { // after a crash they would be looked for
		l.putBack(nil, hollow)
		hollow = nil
	}
	for _, s := range hollow {
		if f, err := l.fs.open(s.name(), os.O_RDWR); err == nil {
			_ = f.Truncate(firstRecord) // otherwise it takes room until it is trimmed
			f.Close()
		}
	}
	var made []string
	for _, s := range spent {
		if s.damaged {
			l.keepDamaged(s.name())
			continue
		}
		var err error
		if spare := spareName(s.serial); k.o.Sync != SyncNever && spares < maxSpares && l.isWhole(s.name()) {
			if err = l.fs.rename(s.name(), spare); err == nil {
				spares++
				made = append(made, spare)
			}
		} else {
			err = l.fs.remove(s.name())
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			l.putBack([]*segment{s}, nil)
		}
	}
	// Nothing is written to a file that still has its old name after a power cut.
	if len(made) > 0 && l.fs.syncDir() == nil {
		l.addSpares(made)
	}
}

// takeSpent takes what is to be recycled from the log, and closes the reader's file, which may
// be among it.
func (k *keeper) takeSpent() (spent, hollow []*segment, spares int) {
	p := k.pos
	p.mu.Lock()
	defer p.mu.Unlock()
	failing, _ := p.unsaved.failing()
	spent, hollow, spares = k.log.takeSpent(failing, p.partial)
	if p.reader.seg != nil && len(spent)+len(hollow) > 0 {
		p.reader.close()
	}
	return spent, hollow, spares
}

// prepare fills a file with zeros, a part at a time, so that appending to it
// later writes no metadata.
func (k *keeper) prepare(now time.Time) {
	fs := k.log.fs
	err := func() (err error) {
		if k.making == nil {
			k.makeName, k.made = spareName(k.log.newSerial()), 0
			if k.making, err = fs.open(k.makeName+unmadeSuffix, os.O_RDWR|os.O_CREATE|os.O_TRUNC); err != nil {
				k.making = nil
				return err
			}
		}
		n := min(prepareChunk, k.o.segment-k.made)
		if _, err := io.Copy(io.NewOffsetWriter(k.making, k.made), io.LimitReader(zeroReader{}, n)); err != nil {
			return err
		}
		if err := k.making.Sync(); err != nil { // in parts: others wait for this disk too
			return err
		}
		if k.made += n; k.made < k.o.segment {
			return nil
		}
		err = k.making.Close()
		k.making = nil
		if err == nil {
			err = fs.rename(k.makeName+unmadeSuffix, k.makeName)
		}
		if err != nil {
			return err
		}
		k.makeWait = 0
		k.log.addSpares([]string{k.makeName})
		return nil
	}()
	if err != nil {
		k.stopMaking()
		k.makeWait = min(max(2*k.makeWait, time.Minute), time.Hour)
		k.makeAt = now.Add(k.makeWait)
		k.o.Log.Debug("outbox: no segment could be prepared", "dir", k.dir, "err", err)
	}
}

// stopMaking drops a file that is being filled.
func (k *keeper) stopMaking() {
	if k.making != nil {
		k.making.Close()
		k.making = nil
		_ = k.log.fs.remove(k.makeName + unmadeSuffix)
	}
}

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
