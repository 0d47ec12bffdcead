package outbox

import (
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// Sync says when a message is as safe as the box makes it.
type Sync int

const (
	// SyncInterval lets Append return when the kernel has the message, which
	// survives the end of the process, and syncs every DiskOptions.Interval: a
	// power cut costs at most that.
	SyncInterval Sync = iota
	// SyncAlways lets Append return when the message is on the disk.
	SyncAlways
	// SyncNever leaves syncing to the kernel; for file systems in memory.
	SyncNever
)

var syncNames = [...]string{"interval", "always", "never"}

// String returns the name used in configurations.
func (s Sync) String() string {
	if s < 0 || int(s) >= len(syncNames) {
		return "unknown"
	}
	return syncNames[s]
}

// ParseSync is the reverse of String.
func ParseSync(name string) (Sync, error) {
	if i := slices.Index(syncNames[:], name); i >= 0 {
		return Sync(i), nil
	}
	return 0, fmt.Errorf("sync: %q is none of always, interval, never", name)
}

// DiskOptions say how a Disk behaves. The zero value is usable.
type DiskOptions struct {
	Limits   Limits
	Sync     Sync
	Interval time.Duration // 1 s; with SyncInterval

	// MaxUnsaved bounds what is held in memory while the disk cannot be written,
	// topics and payloads in bytes: 64 MiB; negative: no bound. Behind it Append
	// refuses with ErrFull, whatever Limits.Drop says.
	MaxUnsaved int64
	// Retry is the first wait before a disk that cannot be written is tried
	// again: 1 s. It doubles up to RetryMax, 30 s.
	Retry, RetryMax time.Duration

	// Now returns the time, or the zero Time while the clock is not known; nil:
	// time.Now. It serves Record.Time and Limits.Age only.
	Now func() time.Time
	Log *slog.Logger // nil: nothing is logged

	fs      files // nil: the folder
	segment int64 // length of prepared segments: 4 MiB
	still   bool  // the keeper does not run: the test calls it
}

func (o *DiskOptions) fill() {
	for _, v := range []struct {
		d   *time.Duration
		def time.Duration
	}{{&o.Interval, time.Second}, {&o.Retry, time.Second}, {&o.RetryMax, 30 * time.Second}} {
		if *v.d <= 0 {
			*v.d = v.def
		}
	}
	if o.MaxUnsaved == 0 {
		o.MaxUnsaved = 64 << 20
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.segment == 0 {
		o.segment = segmentSize
	}
	if o.Limits.Alarms != nil {
		a := *o.Limits.Alarms
		o.Limits.Alarms = &a
	}
}
