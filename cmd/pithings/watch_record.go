package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"pithings/conf"
	"pithings/mqttlink"
	"pithings/mqttlink/durable"
)

// errRecordingFull ends a recording at --max-size.
var errRecordingFull = errors.New("the recording is full")

// recorder writes a recording. It is used by one goroutine at a time.
type recorder struct {
	name string
	file *os.File
	most int64
	size int64
	n    int
}

// newRecorder makes the file. One that is there already is left alone.
func newRecorder(name string, most conf.Bytes) (*recorder, error) {
	f, err := durable.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, usagef("--record %s: there is such a file already; give another name, or remove it", name)
	}
	if err != nil {
		return nil, fmt.Errorf("--record: %w", err)
	}
	return &recorder{name: name, file: f, most: int64(most)}, nil
}

// add writes a message. After an error the file ends with the last whole line.
func (r *recorder) add(m *mqttlink.Message, at time.Time) error {
	line, err := recordingLine(m, at)
	if err != nil {
		return err
	}
	if r.size+int64(len(line)) > r.most {
		return fmt.Errorf("%w: message %d would make it larger than %v (--max-size)", errRecordingFull, r.n+1, conf.Bytes(r.most))
	}
	if _, err := r.file.Write(line); err != nil {
		_ = r.file.Truncate(r.size) // half a line
		return fmt.Errorf("--record: %w", err)
	}
	r.size += int64(len(line))
	r.n++
	return nil
}

// close syncs the file, and removes one without messages. It says what was recorded.
func (r *recorder) close(notes io.Writer) error {
	if r.n == 0 {
		fmt.Fprintf(notes, "pithings: nothing recorded\n")
		return errors.Join(r.file.Close(), os.Remove(r.name))
	}
	err := errors.Join(r.file.Sync(), r.file.Close())
	if err == nil {
		err = durable.SyncFolder(filepath.Dir(r.name))
	}
	if err != nil {
		return fmt.Errorf("--record: %w", err)
	}
	fmt.Fprintf(notes, "pithings: recorded %s in %s\n", r.sum(), r.name)
	return nil
}

// sum is how much was recorded, in words.
func (r *recorder) sum() string {
	return fmt.Sprintf("%s, %s", counted(r.n, "message"), amount(r.size))
}

// notWithRecord are flags that say how messages are printed.
var notWithRecord = []string{"topics", "long", "json", "format", "pretty", "no-newline"}

// checkRecord says what is wrong with the flags of recordings, without --replay.
func (o *watchOptions) checkRecord(changed func(name string) bool) error {
	for _, name := range []string{"speed", "retain"} {
		if changed(name) {
			return usagef("--%s goes with --replay FILE", name)
		}
	}
	if o.record == "" {
		if changed("max-size") {
			return usagef("--max-size goes with --record FILE")
		}
		return nil
	}
	for _, name := range notWithRecord {
		if changed(name) {
			return usagef("--record prints no messages, and --%s says how: leave one of them out", name)
		}
	}
	return nil
}

// runRecord is watch --record.
func (o *watchOptions) runRecord(ctx context.Context, c *cobra.Command, options mqttlink.Options, w *watcher) error {
	notes := c.ErrOrStderr()
	if o.queue.conn.extra.quiet {
		notes = io.Discard
	}
	show := newProgress(notes)
	if options.Log.Enabled(ctx, slog.LevelError) {
		options.Log = (&partOptions{verbose: o.verbose}).log(show)
	}
	w.errs = show
	ended := make(chan struct{})
	var showing sync.WaitGroup
	showing.Go(func() {
		tick := time.NewTicker(500 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				w.mu.Lock()
				sum := w.record.sum()
				w.mu.Unlock()
				show.line("recording: " + sum)
			case <-ended:
				return
			}
		}
	})
	err := o.subscribe(ctx, options, w)
	close(ended)
	showing.Wait()
	err = errors.Join(err, w.record.close(show))
	if w.link != nil {
		if missed := w.link.Stats().Missed; missed > 0 {
			err = errors.Join(err, fmt.Errorf("%d messages came faster than they could be recorded, and are missing", missed))
		}
	}
	show.end()
	return err
}

// counted is a number with its noun.
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// amount is a number of bytes as people read it.
func amount(n int64) string {
	units := []string{"bytes", "KiB", "MiB", "GiB", "TiB"}
	v, i := float64(n), 0
	for ; v >= 1024 && i < len(units)-1; i++ {
		v /= 1024
	}
	if i == 0 {
		return counted(int(n), "byte")
	}
	return fmt.Sprintf("%.1f %s", v, units[i])
}
