package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"pithings/mqttlink"
	"pithings/mqttlink/topic"
)

// speed is how many times faster a recording is replayed than it was recorded; 0 is as fast
// as the broker acknowledges.
type speed float64

// Set implements pflag.Value.
func (s *speed) Set(text string) error {
	if text == "max" {
		*s = 0
		return nil
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !(n >= 0 && n <= 1e6) {
		return errors.New("give a number such as 10 or 0.5, up to a million, or max")
	}
	*s = speed(n)
	return nil
}

// Type implements pflag.Value.
func (s *speed) Type() string { return "speed" }

// String implements pflag.Value.
func (s *speed) String() string {
	if *s == 0 {
		return "max"
	}
	return strconv.FormatFloat(float64(*s), 'g', -1, 64)
}

// notWithReplay are flags that are of received messages.
var notWithReplay = []string{"count", "exit-subscribed", "no-retained", "retained-only", "remove-retained", "random-filter", "qos",
	"topics", "long", "json", "format", "pretty", "no-newline", "record", "max-size"}

// replayWindow is how many messages are on their way to the broker at a time.
const replayWindow = 100

// damagedShown is how many damaged lines are named.
const damagedShown = 10

// replay publishes the messages of a recording.
type replay struct {
	o      *watchOptions
	file   io.ReadSeeker
	notes  io.Writer
	total  int           // messages that are to be published
	length time.Duration // of the recording, from the first of them to the last
	hidden int           // on topics that begin with $ and that no -t names
	bad    int           // damaged lines

	mu   sync.Mutex
	sent int // acknowledged
	dead int // not taken
	why  string
}

// wanted reports whether a message is replayed: -t and -T choose, as they do for what is
// printed. # and + do not match topics that begin with $.
func (r *replay) wanted(name string) bool {
	of := func(filters []string) bool {
		return slices.ContainsFunc(filters, func(f string) bool { return topic.Match(f, name) })
	}
	return of(r.o.topics) && !of(r.o.without)
}

// each calls do for every message that is replayed, with its time from the first of them. A
// clock that was set back while they were recorded costs no time.
func (r *replay) each(damaged func(error), do func(line int, after time.Duration, m mqttlink.Message) error) error {
	if _, err := r.file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("--replay: %w", err)
	}
	in := newRecording(r.file)
	var before time.Time
	var after time.Duration
	for {
		at, m, err := in.next()
		var d *damagedLine
		switch {
		case err == io.EOF:
			return nil
		case errors.As(err, &d):
			damaged(err)
			continue
		case err != nil:
			return fmt.Errorf("--replay: %w", err)
		}
		if !r.wanted(m.Topic) {
			if m.Topic[0] == '$' {
				r.hidden++
			}
			continue
		}
		if gap := at.Sub(before); !before.IsZero() && gap > 0 {
			after += min(gap, math.MaxInt64-after)
		}
		before = at
		if err := do(in.line, after, m); err != nil {
			return err
		}
	}
}

// look reads the whole file, and reports what is damaged.
func (r *replay) look(name string) error {
	err := r.each(func(err error) {
		if r.bad++; r.bad <= damagedShown {
			fmt.Fprintf(r.notes, "pithings: %s: %v\n", name, err)
		}
	}, func(_ int, after time.Duration, _ mqttlink.Message) error {
		r.total, r.length = r.total+1, after
		return nil
	})
	if err != nil {
		return err
	}
	if r.bad > damagedShown {
		fmt.Fprintf(r.notes, "pithings: %s: %s more cannot be read\n", name, counted(r.bad-damagedShown, "line"))
	}
	if r.hidden > 0 {
		fmt.Fprintf(r.notes, "pithings: %s on topics that begin with $ are left out: brokers and AWS keep these for themselves; to replay them all the same, name them, as in -t '$aws/#'\n", counted(r.hidden, "message"))
	}
	if r.total == 0 {
		return fmt.Errorf("--replay %s: it has no messages to publish", name)
	}
	return nil
}

// runReplay is watch --replay.
func (o *watchOptions) runReplay(c *cobra.Command, args []string) error {
	for _, name := range notWithReplay {
		if c.Flags().Changed(name) {
			return usagef("--replay publishes, and --%s is for messages that come: leave one of them out", name)
		}
	}
	if !slices.ContainsFunc([]string{"endpoint", "host", "port", "url", "config"}, c.Flags().Changed) {
		return usagef("--replay publishes: name the broker, for example -e mqtt://127.0.0.1")
	}
	if err := o.arguments(args, false); err != nil {
		return err
	}
	notes := c.ErrOrStderr()
	if o.queue.conn.extra.quiet {
		notes = io.Discard
	}
	show := newProgress(notes)
	f, err := openRecording(o.replay)
	if err != nil {
		return err
	}
	defer f.Close()
	r := &replay{o: o, file: f, notes: show}
	if err := r.look(o.replay); err != nil {
		return err
	}
	options, err := o.link(c)
	if err != nil {
		return err
	}
	options.Log = (&partOptions{verbose: o.verbose}).log(show)
	options.MaxQueued, options.Outbox = -1, nil
	err = r.run(c.Context(), options, show)
	show.end()
	return err
}

// openRecording opens a regular file: it is read twice.
func openRecording(name string) (*os.File, error) {
	st, err := os.Stat(name)
	if err == nil && !st.Mode().IsRegular() {
		return nil, usagef("--replay %s: it is no regular file; it is read twice, first to look for damaged lines", name)
	}
	if err != nil {
		return nil, usageError{fmt.Errorf("--replay: %w", err)}
	}
	return os.Open(name)
}

// run publishes, and waits until the broker has all.
func (r *replay) run(ctx context.Context, options mqttlink.Options, show *progress) error {
	if r.o.within.given {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, r.o.within.Duration, errTimeUp)
		defer cancel()
	}
	window := make(chan struct{}, replayWindow)
	options.KeepDeadLetter = func(d mqttlink.DeadLetter) error {
		r.done(window, d.Message.Topic+": "+d.Reason)
		return nil
	}
	link, err := mqttlink.New(options)
	if err != nil {
		return err
	}
	linkCtx, endLink := context.WithCancel(context.WithoutCancel(ctx))
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	var running sync.WaitGroup
	running.Go(func() {
		if err := link.Run(linkCtx); err != nil {
			fail(err)
		}
	})
	began := time.Now()
	stopShowing := r.showing(show, began)
	err = r.publish(ctx, link, window)
	for range cap(window) { // until all that are on their way have arrived
		if err != nil {
			break
		}
		err = take(ctx, window)
	}
	stopShowing()
	endLink()
	running.Wait()
	return r.result(context.Cause(ctx), link, err, time.Since(began))
}

// take takes a place in the window.
func take(ctx context.Context, window chan struct{}) error {
	select {
	case window <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// done frees a message's place in the window. why is that it was not taken.
func (r *replay) done(window chan struct{}, why string) {
	r.mu.Lock()
	if r.sent++; why != "" {
		r.sent--
		if r.dead++; r.why == "" {
			r.why = why
		}
	}
	r.mu.Unlock()
	<-window
}

// publish publishes at the distances of the recording.
func (r *replay) publish(ctx context.Context, link *mqttlink.Link, window chan struct{}) error {
	began := time.Time{}
	wait := time.NewTimer(0)
	defer wait.Stop()
	return r.each(func(error) {}, func(line int, after time.Duration, m mqttlink.Message) error {
		if began.IsZero() {
			began = time.Now()
		}
		if r.o.speed > 0 {
			at := time.Duration(min(float64(after)/float64(r.o.speed), math.MaxInt64/2))
			wait.Reset(at - time.Since(began))
			select {
			case <-wait.C:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if err := take(ctx, window); err != nil {
			return err
		}
		m.Retain = m.Retain && r.o.retain
		m.Delivered = func() { r.done(window, "") }
		err := link.Publish(ctx, m)
		if err != nil && ctx.Err() == nil {
			r.done(window, fmt.Sprintf("line %d: %v", line, err))
			return nil
		}
		return err
	})
}

// showing shows the progress until stop.
func (r *replay) showing(show *progress, began time.Time) (stop func()) {
	ended := make(chan struct{})
	var showing sync.WaitGroup
	showing.Go(func() {
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				show.line(r.bar(time.Since(began)))
			case <-ended:
				return
			}
		}
	})
	return func() {
		close(ended)
		showing.Wait()
	}
}

// bar is how far the replay has come.
func (r *replay) bar(since time.Duration) string {
	const width = 20
	r.mu.Lock()
	n := r.sent + r.dead
	r.mu.Unlock()
	full := width * n / r.total
	left := "…"
	switch {
	case r.o.speed > 0:
		left = max(0, time.Duration(min(float64(r.length)/float64(r.o.speed), math.MaxInt64/2))-since).Round(time.Second).String()
	case n > 0:
		left = time.Duration(float64(since) / float64(n) * float64(r.total-n)).Round(time.Second).String()
	}
	return fmt.Sprintf("[%s%s] %d %%, %d of %d messages, %s left", strings.Repeat("#", full), strings.Repeat(" ", width-full), 100*n/r.total, n, r.total, left)
}

// result says how far it came. cause is why it was ended early, if it was.
func (r *replay) result(cause error, link *mqttlink.Link, err error, took time.Duration) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	came := fmt.Sprintf("%d of %s", r.sent, counted(r.total, "message"))
	switch {
	case err == nil:
	case errors.Is(cause, errTimeUp):
		why := link.Stats().LastError
		if why != "" {
			why = ": " + why
		}
		return &codeError{fmt.Errorf("timed out after %v, with %s published%s", r.o.within.Duration, came, why), exitTimeout, false}
	case errors.Is(cause, context.Canceled):
		return fmt.Errorf("interrupted: %s published", came)
	default:
		if cause != nil {
			err = cause
		}
		return fmt.Errorf("replay stopped, with %s published: %w", came, err)
	}
	fmt.Fprintf(r.notes, "pithings: published %s in %v\n", came, took.Round(10*time.Millisecond))
	switch {
	case r.dead > 0:
		return fmt.Errorf("%s cannot be published to this broker: %s", counted(r.dead, "message"), r.why)
	case r.bad > 0:
		return fmt.Errorf("without %s that could not be read", counted(r.bad, "line"))
	}
	return nil
}
