package sysfs

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"pithings/pulse"
)

// ErrHangs is the error of a file that does not answer within the time limit.
var ErrHangs = errors.New("does not answer")

// Reader reads a device's files in a goroutine of its own, as a read that a
// driver does not end cannot be ended in another way. There is one goroutine at
// most: while a file hangs, reads fail and start none.
type Reader struct {
	limit time.Duration
	turn  chan struct{} // holds one token while a goroutine reads
	files Files         // of who holds the token

	mu    sync.Mutex
	file  string // that is being read
	since time.Time
}

// NewReader returns a reader of files, each of which may take as long as limit.
func NewReader(files Files, limit time.Duration) *Reader {
	return &Reader{limit: limit, turn: make(chan struct{}, 1), files: files}
}

// Job reads files. It calls Next before each, and ends when Next returns false.
type Job struct {
	*Files
	r   *Reader
	ctx context.Context
}

// Next notes which file comes next and reports whether the result is still
// wanted. If so, it moves the loop in Do's context: each file may take as long as
// the limit, and there may be many.
func (j *Job) Next(file string) bool {
	j.r.mu.Lock()
	defer j.r.mu.Unlock()
	j.r.file, j.r.since = file, time.Now()
	if j.ctx.Err() != nil {
		return false
	}
	pulse.Of(j.ctx).Move()
	return true
}

// Wait waits between two files, and reports whether the result is still wanted.
func (j *Job) Wait(d time.Duration) bool {
	j.r.mu.Lock()
	j.r.since = time.Now().Add(d)
	j.r.mu.Unlock()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-j.ctx.Done():
		return false
	}
}

// age is how long the file that is being read has taken.
func (r *Reader) age() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Since(r.since)
}

func (r *Reader) hangs() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return fmt.Errorf("%s %w for %s", r.file, ErrHangs, time.Since(r.since).Round(time.Millisecond))
}

// Do runs a job and returns its result. It ends with ctx, and when one file
// takes longer than the limit; then the job's goroutine stays until the file
// answers, and its result is dropped.
func Do[T any](ctx context.Context, r *Reader, job func(*Job) (T, error)) (T, error) {
	var none T
	if err := r.claim(ctx); err != nil {
		return none, err
	}
	type result struct {
		value T
		err   error
		panic any
	}
	done := make(chan result, 1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	j := &Job{Files: &r.files, r: r, ctx: ctx}
	j.Next("")
	go func() {
		var res result
		defer func() {
			// The caller contains a panic, in its own goroutine.
			if p := recover(); p != nil {
				res.panic = fmt.Sprintf("%v\n%s", p, debug.Stack())
			}
			<-r.turn
			done <- res
		}()
		res.value, res.err = job(j)
	}()
	timer := time.NewTimer(r.limit)
	defer timer.Stop()
	for {
		select {
		case res := <-done:
			if res.panic != nil {
				panic(res.panic)
			}
			return res.value, res.err
		case <-ctx.Done():
			return none, context.Cause(ctx)
		case <-timer.C:
			left := r.limit - r.age()
			if left <= 0 {
				return none, r.hangs()
			}
			timer.Reset(left)
		}
	}
}

// claim waits for the job before, but not for a file that hangs.
func (r *Reader) claim(ctx context.Context) error {
	select {
	case r.turn <- struct{}{}:
		return nil
	default:
	}
	for {
		left := r.limit - r.age()
		if left <= 0 {
			return r.hangs()
		}
		timer := time.NewTimer(left)
		select {
		case r.turn <- struct{}{}:
			timer.Stop()
			return nil
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		case <-timer.C:
		}
	}
}
