package outbox

// Sync returns nil when all that was appended before is on the disk, whatever
// DiskOptions.Sync says of Append; with SyncNever, when the kernel has it. An error
// that wraps ErrHeld says that some of it is in memory only.
func (d *Disk) Sync() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	last := d.next - 1
	for !d.closed {
		switch w := d.tail; {
		case last >= d.safe:
			if err := d.settle(last, true); err != nil {
				return err
			}
		case d.o.Sync == SyncNever, w == nil:
			return nil
		case d.err != nil: // what was held is being written
			d.idle.Wait()
		case !w.dirty && !d.syncing:
			return nil
		default:
			d.syncNow()
		}
	}
	return ErrClosed
}

// syncNow syncs the log, or waits until somebody else has. Appends go on meanwhile.
// d.mu is held.
func (d *Disk) syncNow() {
	d.awaitSync()
	w := d.tail
	if w == nil || !w.dirty {
		return
	}
	off := w.seg.limit
	w.dirty, d.syncing = false, true
	d.mu.Unlock()
	err := w.f.Sync()
	d.mu.Lock()
	d.syncing = false
	d.idle.Broadcast()
	if d.tail != w { // given up by a write that failed
		return
	}
	if err == nil {
		w.synced(off)
		return
	}
	w.dirty, w.lost = true, err
	for d.busy {
		d.idle.Wait()
	}
	if d.tail != w {
		return
	}
	d.busy = true
	d.fail(err, nil)
	d.release()
}

// awaitSync waits for a sync that is under way. d.mu is held.
func (d *Disk) awaitSync() {
	for d.syncing {
		d.idle.Wait()
	}
}
