package outbox

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// A write that has failed may have reached the file all the same, wholly or in part. What of
// it is gone before the disk can be written again is counted as gone when the box is opened,
// wherever the disk had failed, and had failed again.
func TestGoneAfterAFailedWrite(t *testing.T) {
	appendOne := func(d *Disk) error {
		if _, err := d.Append(Record{Topic: "t", Payload: []byte("d")}); !errors.Is(err, ErrUnsaved) {
			return err
		}
		return nil
	}
	// a and x are alarms; b and c are readings, of which there is room for two. Only a is in
	// the log before the write fails. c follows b.
	tests := []struct {
		name, left string
		leave      func(d *Disk, b uint64) error
	}{
		{"none", "abcx", func(*Disk, uint64) error { return nil }},
		{"the first", "acx", func(d *Disk, b uint64) error { return d.AckOne(b) }},
		{"the second", "abx", func(d *Disk, b uint64) error { return d.AckOne(b + 1) }},
		{"both", "ax", func(d *Disk, b uint64) error { return errors.Join(d.AckOne(b), d.AckOne(b+1)) }},
		{"all before the second", "c", func(d *Disk, b uint64) error { return d.Ack(b) }},
		{"all", "", func(d *Disk, b uint64) error { return d.Ack(b + 1) }},
		{"dropped", "acdx", func(d *Disk, _ uint64) error { return appendOne(d) }},
		{"dropped, and the others", "ax", func(d *Disk, b uint64) error {
			return errors.Join(appendOne(d), d.AckOne(b+2), d.AckOne(b+1))
		}},
	}
	for _, mode := range []Sync{SyncAlways, SyncInterval, SyncNever} {
		for _, tt := range tests {
			for _, end := range []string{"closed", "killed", "killed unhealed"} {
				t.Run(fmt.Sprintf("%v, %s, %s", mode, tt.name, end), func(t *testing.T) {
					for i := range 3 * 16 * 2 * 2 {
						f := failedWrite{mode: mode, good: i % 3, again: i / 3 % 16, early: i/48%2 == 0, alarm: i/96 == 0, end: end}
						if err := f.run(tt.leave, tt.left); err != nil {
							t.Errorf("%+v: %v", f, err)
						}
					}
				})
			}
		}
	}
}

type failedWrite struct {
	mode  Sync
	good  int    // so many operations succeed before the disk fails
	again int    // and so many of the next attempt to heal; 0: that does one step
	early bool   // messages leave before that
	alarm bool   // x is there, before b
	end   string // of the box
}

func (f *failedWrite) run(leave func(d *Disk, b uint64) error, left string) error {
	p := newPlatter()
	o := DiskOptions{fs: p, Sync: f.mode, Limits: Limits{Messages: 2, Drop: DropOldest, Alarms: &Limits{}}, still: true, segment: 32 << 10}
	d, err := Open("platter", o)
	if err != nil {
		return err
	}
	if _, err := d.Append(Record{Topic: "t", Payload: []byte("a"), Class: Alarm}); err != nil {
		return err
	}
	d.Sync()
	b, rs := uint64(2), []Record{{Topic: "t", Payload: []byte("b")}, {Topic: "t", Payload: []byte("c")}}
	if f.alarm {
		b, rs = 3, slices.Insert(rs, 0, Record{Topic: "t", Payload: []byte("x"), Class: Alarm})
	} else {
		left = strings.TrimSuffix(left, "x")
	}
	p.setFail(syscall.EIO, f.good)
	d.AppendAll(rs)
	p.setFail(syscall.EIO, 0)
	d.Sync()
	p.setFail(nil, 0) // acknowledgements are saved
	if f.early {
		if err := leave(d, b); err != nil {
			return err
		}
	}
	if f.again > 0 {
		p.setFail(syscall.EIO, f.again)
		d.committer.tryHeal()
	} else if _, err := d.committer.healStep(); err != nil {
		return err
	}
	p.setFail(nil, 0)
	if !f.early {
		if err := leave(d, b); err != nil {
			return err
		}
	}
	if f.end != "killed unhealed" {
		d.committer.tryHeal()
		if err := f.check(d, left); err != nil {
			return fmt.Errorf("healed: %w", err)
		}
		d.Save()
	}
	if f.end == "closed" {
		if err := d.Close(); err != nil {
			return err
		}
	}
	if f.end == "killed unhealed" {
		left = "?" // what was in memory only is lost
	}
	if d, err = Open("platter", o); err != nil {
		return err
	}
	if err := f.check(d, left); err != nil {
		return fmt.Errorf("opened again: %w", err)
	}
	return d.Close()
}

// check wants the messages that are left, and as many counted before any is looked at.
func (f *failedWrite) check(d *Disk, left string) error {
	n := d.Len()
	var found []string
	for pos := uint64(0); ; {
		r, ok, err := d.Next(pos)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		found, pos = append(found, string(r.Payload)), r.Seq+1
	}
	slices.Sort(found)
	got := strings.Join(found, "")
	if s := d.Stats(); n != len(found) || s.Messages != len(found) || left != "?" && got != left {
		return fmt.Errorf("%q, want %q; counted %d, then %+v", got, left, n, s)
	}
	return nil
}
