package outbox

import (
	"fmt"
	"os"
	"path/filepath"

	"pithings/mqttlink/outbox"
)

const fileSize = 4 << 20

// Payload is the size of the messages.
const Payload = 256

// Limit writes n payloads at a time into a file that is all there already, and
// syncs: no engine that keeps what it acknowledges can write less.
func Limit(dir string, n int) (Contender, func() error, error) {
	f, err := os.OpenFile(filepath.Join(dir, "limit"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return Contender{}, nil, err
	}
	zeros := make([]byte, 1<<20)
	for off := int64(0); off < fileSize; off += int64(len(zeros)) {
		if _, err := f.WriteAt(zeros, off); err != nil {
			return Contender{}, nil, err
		}
	}
	if err := f.Sync(); err != nil {
		return Contender{}, nil, err
	}
	b := make([]byte, n*Payload)
	off := int64(0)
	return Contender{Name: "limit", Messages: n, Do: func() error {
		if off+int64(len(b)) > fileSize {
			off = 0
		}
		if _, err := f.WriteAt(b, off); err != nil {
			return err
		}
		off += int64(len(b))
		return datasync(f)
	}}, f.Close, nil
}

// Outbox appends n messages in one commit to a box whose segments are prepared.
func Outbox(dir string, n int) (Contender, func() error, error) {
	d, err := outbox.Open(dir, outbox.DiskOptions{Sync: outbox.SyncAlways})
	if err != nil {
		return Contender{}, nil, err
	}
	rs := make([]outbox.Record, n)
	for i := range rs {
		rs[i] = outbox.Record{Topic: "bench/topic", Payload: make([]byte, Payload), QoS: 1}
	}
	var last uint64
	do := func() error {
		if n == 1 {
			last, err = d.Append(rs[0])
			return err
		}
		a, err := d.AppendAll(rs)
		if err == nil && a.N != n {
			err = fmt.Errorf("took %d of %d", a.N, n)
		}
		last = a.Last
		return err
	}
	// What has been delivered frees segments, which are used again.
	quiet := func() error { return d.Ack(last) }
	// The first segments are made, not recycled: that is measured apart.
	for i := range 3 * fileSize / ((Payload + 32) * n) {
		if err := do(); err != nil {
			return Contender{}, nil, err
		}
		if i%100 == 0 {
			if err := quiet(); err != nil {
				return Contender{}, nil, err
			}
		}
	}
	return Contender{Name: "outbox", Messages: n, Do: do, Quiet: quiet}, d.Close, nil
}
